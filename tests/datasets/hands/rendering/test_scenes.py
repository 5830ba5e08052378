import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from seqgcn.cli import main
from seqgcn.datasets.hands.depth_folder import DepthFolder
from seqgcn.datasets.hands.rendering import (
    RENDERED,
    SENSORS,
    Hand,
    Stage,
    drawn_scenes,
    film,
    hand_spheres,
    render_depth,
    write_dataset,
)
from seqgcn.datasets.hands.rendering.held import draw_grip
from seqgcn.datasets.hands.rendering.layouts import FOLDER_CAMERA, LAYOUTS
from seqgcn.datasets.hands.rendering.scenes import scene_depths
from seqgcn.datasets.hands.rendering.settings import (
    HELD,
    SCENES,
    ArmFrom,
    HeldKind,
    Setting,
    setting_of,
)
from seqgcn.datasets.hands.rendering.solids import nearer
from seqgcn.datasets.hands.skeleton import BIGHAND_FINGER_MAJOR
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.utils.seeding import generator

SMALL = Stage(LAYOUTS["icvl"].stage.camera, 320, 480)
SHOTS = 12


PLAIN = (Setting("arm"), Setting("body", side=-1.0), Setting("table"), Setting("objects", beside=True))
"""One of each scene, with nothing that covers the hand."""


@functools.cache
def shots(setting: Setting, sequence: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Pose, the hand alone and what is beside it, of frames far from each other."""
    hand = Hand.of_subject(0, sequence)
    grip = None if setting.held is None else draw_grip(generator(0, "grip", sequence))
    draws = generator(0, "film", sequence)
    joints = film(hand, SMALL, SHOTS * 25, draws, roll=setting.roll, grip=grip)[::25]
    rooms = scene_depths(setting, SMALL, joints, hand.scale, generator(0, "scene", sequence))
    found = []
    for pose, room in zip(joints, rooms, strict=True):
        assert room is not None
        alone = render_depth(*hand_spheres(pose, hand.scale, forearm=False), SMALL.camera)
        found.append((pose, alone, room))
    return found


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file))


def palm_of(pose: torch.Tensor) -> torch.Tensor:
    return pose[[0, 5, 9, 13, 17]].mean(dim=0)


SIDES: tuple[ArmFrom, ...] = ("above", "left", "right")
SEEN = (
    *PLAIN,
    *(Setting("arm", arm_from=side) for side in SIDES),
    *(Setting("table", arm_from=side, lying=3) for side in SIDES),
    Setting("body", second=True),
    Setting("body", arm_from="right", second=True),
)


@pytest.mark.parametrize("setting", SEEN, ids=lambda setting: " ".join(map(str, setting)))
def test_the_hand_is_in_view_in_every_scene(setting: Setting) -> None:
    for sequence in range(2):
        for _, alone, room in shots(setting, sequence):
            seen = nearer(alone, room)
            hand = alone > 0
            # The wrist's flesh is shared with the arm's.
            assert (alone - seen)[hand].gt(3).float().mean() < 0.1
            assert (room > 0).sum() > 0.1 * hand.sum()


def test_an_arm_goes_on_from_the_wrist_in_one_surface() -> None:
    for pose, alone, room in shots(Setting("arm"), 0):
        u, v, _ = SMALL.camera.to_image(pose[0]).round().long().tolist()
        window = nearer(alone, room)[max(v - 3, 0) : v + 4, max(u - 3, 0) : u + 4]
        assert (window > 0).all()
        jumps = torch.cat((window.diff(dim=0).abs().flatten(), window.diff(dim=1).abs().flatten()))
        assert jumps.median() < 6


def test_a_body_is_150_to_500_mm_behind_the_hand() -> None:
    gaps = []
    for pose, alone, room in shots(Setting("body"), 1):
        middle = pose[[0, 5, 9, 13, 17]].mean(dim=0)
        # The torso's and head's surface, not the arm's that comes towards the hand.
        front = room[room > SMALL.far + 100]
        assert len(front) > 0.1 * room.numel()
        gaps.append(float(front.quantile(0.1) - middle[2]))
        assert float(front.min()) > float(alone.max())
    assert min(gaps) > 150
    assert max(gaps) < 500
    assert 200 < np.median(gaps) < 450


def test_a_table_is_a_slanted_plane_behind_the_hand() -> None:
    pose, _, room = shots(Setting("table"), 0)[0]
    rows, columns = torch.meshgrid(torch.arange(0, 240, 4), torch.arange(0, 320, 4), indexing="ij")
    depth = room[rows, columns]
    uvd = torch.stack((columns.float(), rows.float(), depth), dim=-1)[depth > SMALL.far]
    points = SMALL.camera.to_world(uvd).double()
    middle = points.mean(dim=0)
    normal = torch.linalg.svd(points - middle, full_matrices=False).Vh[-1]
    off = ((points - middle) @ normal).abs()
    assert len(points) > 500
    assert (off < 1).double().mean() > 0.9
    assert 35 < float(normal[2].abs().asin().rad2deg()) < 70
    # All joints are on the camera's side of it.
    above = ((pose.double() - middle) @ normal) * torch.sign(-middle @ normal)
    assert (above > 0).all()


BESIDE = Setting("objects", beside=True)


def test_objects_are_nearer_than_the_hand_and_beside_it() -> None:
    for sequence in range(4):
        for (pose, alone, room), (_, _, arm) in zip(
            shots(BESIDE, sequence), shots(Setting("arm"), sequence), strict=True
        ):
            # The hand's own arm is the same in both scenes.
            added = (room > 0) & (room != arm)
            assert added.sum() > 30
            assert float(room[added].quantile(0.1)) < float(alone[alone > 0].min())
            u = SMALL.camera.to_image(pose)[:, 0]
            columns = added.nonzero()[:, 1]
            assert not ((columns > u.min()) & (columns < u.max()) & (alone[added] > 0)).any()


@pytest.mark.parametrize("side", SIDES)
def test_arms_come_from_where_the_setting_says(side: ArmFrom) -> None:
    rim = {"above": np.s_[:2, :], "left": np.s_[:, :2], "right": np.s_[:, -2:]}[side]
    for sequence in range(2):
        seen = [(room[rim] > 0).any() for _, _, room in shots(Setting("arm", arm_from=side), sequence)]
        assert torch.stack(seen).float().mean() > 0.9


def test_hands_point_away_from_where_their_arm_comes_from() -> None:
    toward = {"above": (0.0, 1.0), "left": (1.0, 0.0), "right": (-1.0, 0.0), "below": (0.0, -1.0)}
    for side, direction in toward.items():
        ways = [palm_of(pose) - pose[0] for pose, _, _ in shots(Setting("arm", arm_from=side), 0)]  # type: ignore[arg-type]
        mean = torch.stack(ways).mean(dim=0)
        assert float(mean[:2] @ torch.tensor(direction)) > 0.6 * float(mean.norm())


@pytest.mark.parametrize("kind", HELD)
def test_what_a_hand_holds_hides_part_of_it_and_is_partly_hidden(kind: HeldKind) -> None:
    hidden, shown = [], []
    for sequence in range(3):
        for _, alone, room in shots(Setting("objects", held=kind), sequence):
            hand = alone > 0
            hidden.append(float(((room > 0) & (room < alone - 3) & hand).sum() / hand.sum()))
            shown.append(float(((alone > 0) & ((room == 0) | (alone < room))).sum() / hand.sum()))
    # From the palm's side much of the hand is behind the thing, from the back nothing is.
    assert 0.15 < np.median(hidden) < 0.6
    assert max(hidden) < 0.75
    assert min(shown) > 0.2


def test_a_second_hand_is_raised_beside_the_first_and_level_with_it() -> None:
    first, second = Setting("body", side=-1.0), Setting("body", side=-1.0, second=True)
    found = 0
    for (pose, alone, room), (_, _, plain) in zip(shots(second, 0), shots(first, 0), strict=True):
        added = (room > 0) & ((plain == 0) | (room < plain - 20)) & (room < SMALL.far + 60)
        # The first hand is on the side of its shoulder.
        assert (alone[added] > 0).float().mean() < 0.02 if added.any() else True
        palm = room[added][room[added] < float(pose[:, 2].max()) + 200]
        found += int(len(palm) > 200)
    assert found > SHOTS / 2


def test_things_lie_on_the_table_below_the_hands() -> None:
    for sequence in range(2):
        for (pose, alone, room), (_, _, plain) in zip(
            shots(Setting("table", lying=3), sequence), shots(Setting("table"), sequence), strict=True
        ):
            added = (room > 0) & (room < plain - 0.5)
            assert added.sum() > 50
            assert float((plain - room)[added].max()) < 120
            assert not ((room < alone) & (alone > 0) & added).any()
            assert float(pose[:, 2].min()) > 0


def test_a_scene_adds_to_the_frames_and_leaves_hands_that_point_up_and_hold_nothing(tmp_path: Path) -> None:
    homes = {
        name: write_dataset(tmp_path / name, "depth-folder", frames=8, sequences=8, seed=3, scene=name)
        for name in ("bare", "mixed")
    }
    bare, mixed = ((homes[name] / "labels.csv").read_text().splitlines()[1:] for name in ("bare", "mixed"))
    plain = [setting_of("mixed", 3, "train", number) for number in range(8)]
    same = [setting.arm_from == "below" and setting.held is None for setting in plain]
    assert [a == b for a, b in zip(bare, mixed, strict=True)] == same
    assert 0 < sum(same) < 8
    assert drawn_scenes(homes["bare"]) == {}
    assert list(drawn_scenes(homes["mixed"]).values()) == [setting.scene for setting in plain]
    for file in sorted(homes["bare"].rglob("*.png")):
        alone, room = pixels(file), pixels(homes["mixed"] / file.relative_to(homes["bare"]))
        assert (room > 0).sum() > (alone > 0).sum()
    again = write_dataset(tmp_path / "again", "depth-folder", frames=8, sequences=8, seed=3)
    for file in sorted(again.rglob("*")):
        if file.is_file():
            assert file.read_bytes() == (homes["mixed"] / file.relative_to(again)).read_bytes()


def test_the_layouts_of_releases_show_bare_hands_by_default(tmp_path: Path) -> None:
    """Their frames are what they were before there were scenes: the hand through the sensor, and nothing else."""
    layout = LAYOUTS["hands17"]
    home = write_dataset(tmp_path / "out", "hands17", frames=3, sequences=1, seed=5)
    assert (home / RENDERED).read_text() == "Rendered frames in the layout hands17, seed 5.\n"
    hand = Hand.of_subject(5, 1)
    for i, pose in enumerate(film(hand, layout.stage, 3, generator(5, "film", "train", 0))):
        depth = render_depth(*hand_spheres(pose, hand.scale), layout.stage.camera)
        expected = layout.sensors[0].measure(depth, generator(5, "noise", "train", 0, i))
        assert np.array_equal(pixels(home / "images" / f"image_D{i + 1:08d}.png"), expected)


@pytest.mark.parametrize("layout", ["icvl", "nyu", "msra", "hands17"])
def test_the_layouts_of_releases_can_have_scenes_too(tmp_path: Path, layout: Any) -> None:
    home = write_dataset(tmp_path / "out", layout, frames=2, sequences=1, scene="objects")
    scenes = drawn_scenes(home)
    assert scenes["train", 1] == "objects"
    assert set(scenes.values()) == {"objects"}


def test_the_command_line_names_a_scene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    options = ["--layout", "depth-folder", "--frames", "2", "--sequences", "2", "--quiet"]
    assert main(["render", str(out), *options, "--scene", "table"]) == 0
    assert drawn_scenes(out) == {("train", 1): "table", ("train", 2): "table"}
    image = pixels(out / "sequence_001" / "000000.png")
    assert image.shape == (FOLDER_CAMERA.height, FOLDER_CAMERA.width)
    assert (image > 0).mean() > 0.3
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(["render", str(tmp_path / "other"), "--scene", "kitchen"])
    assert stop.value.code == 2
    assert "kitchen" in capsys.readouterr().err


def test_the_command_line_knows_every_scene_and_sensor() -> None:
    from seqgcn.cli import render

    assert render.SCENES == SCENES
    assert tuple(SENSORS) == render.SENSORS


def test_an_unknown_scene_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"scene must be one of 'bare'.*kitchen"):
        write_dataset(tmp_path / "out", "icvl", frames=2, sequences=1, scene="kitchen")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("row", ["train 1", "train one arm", "train 1 kitchen", "train 1 arm more"])
def test_a_changed_marker_is_named_with_its_line(tmp_path: Path, row: str) -> None:
    (tmp_path / RENDERED).write_text(f"Rendered frames.\ntest 1 arm\n{row}\n")
    with pytest.raises(DataFileError, match=f"line 3.*{row}"):
        drawn_scenes(tmp_path)
    with pytest.raises(DataFileError, match="seqgcn render"):
        drawn_scenes(tmp_path / "nowhere")


@pytest.mark.parametrize("sensor", [None, *SENSORS])
def test_what_a_sensor_stored_is_read_back_in_mm(tmp_path: Path, sensor: str | None) -> None:
    home = write_dataset(tmp_path / "out", "depth-folder", frames=1, sequences=1, scene="body", sensor=sensor)
    step = 1.0 if sensor is None else SENSORS[sensor].step
    assert yaml.safe_load((home / "camera.yaml").read_text())["depth_scale"] == step
    hands = DepthFolder(home, split="all")
    seen = hands.depth(0).depth.numpy()
    hand = Hand.of_subject(0, 1)
    exact = render_depth(*hand_spheres(hands.joints[0][list(BIGHAND_FINGER_MAJOR)], hand.scale), FOLDER_CAMERA).numpy()
    both = (seen > 0) & (exact > 0) & (np.abs(seen - exact) < 50)
    assert both.sum() > 500
    assert np.median(np.abs(seen - exact)[both]) < 2


def test_a_sensor_is_for_depth_folders_and_known(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"sensor must be one of 'sr305'.*kinect9"):
        write_dataset(tmp_path / "out", "depth-folder", frames=1, sequences=1, sensor="kinect9")
    with pytest.raises(ArgumentError, match=r"'icvl' has its release's sensor.*'ideal'"):
        write_dataset(tmp_path / "out", "icvl", frames=1, sequences=1, sensor="ideal")
    options = ["--frames", "1", "--sequences", "1", "--quiet"]
    assert main(["render", str(tmp_path / "out"), *options, "--sensor", "ideal"]) == 2
    assert not list(tmp_path.iterdir())
    assert main(["render", str(tmp_path / "out"), *options, "--layout", "depth-folder", "--sensor", "sr305"]) == 0
    assert "sensor sr305" in (tmp_path / "out" / RENDERED).read_text()
