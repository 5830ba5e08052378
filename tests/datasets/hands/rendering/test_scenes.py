import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from seqgcn.cli import main
from seqgcn.datasets.hands.folder import DepthFolder
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
from seqgcn.datasets.hands.rendering.layouts import FOLDER_CAMERA, LAYOUTS
from seqgcn.datasets.hands.rendering.scenes import DRAWN, SCENES, SceneName, scene_depths, scene_of
from seqgcn.datasets.hands.rendering.solids import nearer
from seqgcn.datasets.hands.skeleton import BIGHAND_FINGER_MAJOR
from seqgcn.errors import ArgumentError, DataFileError
from seqgcn.seeding import generator

SMALL = Stage(LAYOUTS["icvl"].stage.camera, 320, 480)
SHOTS = 24


@functools.cache
def shots(name: SceneName, sequence: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Pose, the hand alone and what is beside it, of frames far from each other."""
    hand = Hand.of_subject(0, sequence)
    joints = film(hand, SMALL, SHOTS * 25, generator(0, "film", sequence))[::25]
    rooms = scene_depths(name, SMALL, joints, hand.scale, generator(0, "scene", sequence))
    found = []
    for pose, room in zip(joints, rooms, strict=True):
        assert room is not None
        alone = render_depth(*hand_spheres(pose, hand.scale, forearm=False), SMALL.camera)
        found.append((pose, alone, room))
    return found


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("name", DRAWN)
def test_the_hand_is_in_view_in_every_scene(name: SceneName) -> None:
    for sequence in range(2):
        for _, alone, room in shots(name, sequence):
            seen = nearer(alone, room)
            hand = alone > 0
            # The wrist's flesh is shared with the arm's.
            assert (alone - seen)[hand].gt(3).float().mean() < 0.1
            assert (room > 0).sum() > 0.1 * hand.sum()


def test_an_arm_goes_on_from_the_wrist_in_one_surface() -> None:
    for pose, alone, room in shots("arm", 0):
        u, v, _ = SMALL.camera.to_image(pose[0]).round().long().tolist()
        window = nearer(alone, room)[max(v - 3, 0) : v + 4, max(u - 3, 0) : u + 4]
        assert (window > 0).all()
        jumps = torch.cat((window.diff(dim=0).abs().flatten(), window.diff(dim=1).abs().flatten()))
        assert jumps.median() < 6


def test_a_body_is_150_to_500_mm_behind_the_hand() -> None:
    gaps = []
    for pose, alone, room in shots("body", 1):
        middle = pose[[0, 5, 9, 13, 17]].mean(dim=0)
        # The torso's and head's surface, not the arm's that comes towards the hand.
        front = room[room > SMALL.far + 100]
        assert len(front) > 0.1 * room.numel()
        gaps.append(float(front.quantile(0.1) - middle[2]))
        assert float(front.min()) > float(alone.max())
    assert min(gaps) > 150
    assert max(gaps) < 500
    assert 250 < np.median(gaps) < 450


def test_a_table_is_a_slanted_plane_behind_the_hand() -> None:
    pose, _, room = shots("table", 0)[0]
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


def test_objects_are_nearer_than_the_hand_and_beside_it() -> None:
    for sequence in range(4):
        for (pose, alone, room), (_, _, arm) in zip(shots("objects", sequence), shots("arm", sequence), strict=True):
            # The hand's own arm is the same in both scenes.
            added = (room > 0) & (room != arm)
            assert added.sum() > 30
            assert float(room[added].quantile(0.1)) < float(alone[alone > 0].min())
            u = SMALL.camera.to_image(pose)[:, 0]
            columns = added.nonzero()[:, 1]
            assert not ((columns > u.min()) & (columns < u.max()) & (alone[added] > 0)).any()


def test_a_scene_adds_to_the_frames_and_leaves_the_labels(tmp_path: Path) -> None:
    homes = {
        name: write_dataset(tmp_path / name, "depth-folder", frames=4, sequences=4, seed=3, scene=name)
        for name in ("bare", "mixed")
    }
    assert (homes["bare"] / "labels.csv").read_bytes() == (homes["mixed"] / "labels.csv").read_bytes()
    assert drawn_scenes(homes["bare"]) == {}
    assert sorted(drawn_scenes(homes["mixed"]).values()) == sorted(DRAWN)
    for file in sorted(homes["bare"].rglob("*.png")):
        bare, mixed = pixels(file), pixels(homes["mixed"] / file.relative_to(homes["bare"]))
        assert (mixed > 0).sum() > (bare > 0).sum()
    again = write_dataset(tmp_path / "again", "depth-folder", frames=4, sequences=4, seed=3)
    for file in sorted(again.rglob("*")):
        if file.is_file():
            assert file.read_bytes() == (homes["mixed"] / file.relative_to(again)).read_bytes()


def test_each_four_sequences_have_all_four_scenes_in_an_order_of_the_seed() -> None:
    orders = {tuple(scene_of("mixed", seed, "train", number) for number in range(4)) for seed in range(12)}
    assert len(orders) > 3
    assert all(sorted(order) == sorted(DRAWN) for order in orders)
    assert scene_of("mixed", 0, "train", 9) == scene_of("mixed", 0, "train", 9)
    assert {scene_of("table", seed, "test", 1) for seed in range(5)} == {"table"}


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
