from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import loadmat

from seqgcn.datasets.hands.camera import NYU_CAMERA
from seqgcn.datasets.hands.rendering import Hand, Stage, film, write_dataset, write_nyu
from seqgcn.datasets.hands.rendering import dataset as dataset_module
from seqgcn.datasets.hands.rendering.joints import joint_weights
from seqgcn.exceptions import ArgumentError, RunFolderError
from seqgcn.utils.seeding import generator

STAGE = Stage(NYU_CAMERA, 600, 900)


def nyu_poses(n: int, seed: int) -> torch.Tensor:
    return joint_weights("nyu") @ film(Hand.average(), STAGE, n, generator(seed, "film"))


def icvl_rows(folder: Any) -> Any:
    return (folder / "Training/labels.txt").read_text().splitlines()


def test_a_sequence_is_the_same_whatever_others_there_are(tmp_path: Path) -> None:
    few = write_dataset(tmp_path / "few", "icvl", frames=6, sequences=2, test_frames=2)
    many = write_dataset(tmp_path / "many", "icvl", frames=12, sequences=4, test_frames=4)
    assert icvl_rows(few) == icvl_rows(many)[:6]
    for row in icvl_rows(few):
        name = f"Training/Depth/{row.split()[0]}"
        assert (few / name).read_bytes() == (many / name).read_bytes()
    tests = [(folder / "Testing/test_seq_2.txt").read_bytes() for folder in (few, many)]
    assert tests[1].startswith(tests[0])


def test_a_third_as_many_frames_to_test_and_at_least_two(tmp_path: Path) -> None:
    for frames, expected in ((12, 4), (1, 2)):
        home = write_dataset(tmp_path / str(frames), "icvl", frames=frames, sequences=1)
        assert len(list((home / "Testing").rglob("*.png"))) == expected


def test_progress_is_told_about_every_frame(tmp_path: Path) -> None:
    calls = []
    write_dataset(
        tmp_path / "out", "msra", frames=3, sequences=2, test_frames=2, progress=lambda *call: calls.append(call)
    )
    assert calls == [("render", i, 5) for i in range(1, 6)]


def test_an_empty_folder_and_missing_parents_are_fine(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_dataset(tmp_path / "empty", "depth-folder", frames=1, sequences=1)
    home = write_dataset(str(tmp_path / "a" / "b"), "depth-folder", frames=1, sequences=1)
    assert home == tmp_path / "a" / "b"
    assert home.stat().st_mode == (tmp_path / "a").stat().st_mode
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    for write in (
        lambda: write_dataset(tmp_path, "icvl", frames=2, sequences=1),
        lambda: write_nyu(tmp_path, nyu_poses(1, 0), nyu_poses(1, 0)),
    ):
        with pytest.raises(RunFolderError, match="is not empty; delete it or name another"):
            write()
    with pytest.raises(RunFolderError, match="is a file"):
        write_dataset(tmp_path / "mine.txt", "icvl", frames=2, sequences=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_parent_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot"):
        write_dataset(tmp_path / "file" / "out", "icvl", frames=2, sequences=1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_stops_half_way_leaves_nothing_that_looks_whole(tmp_path: Path, error: BaseException) -> None:
    def stop(stage, done, total):
        if done == 2:
            raise error

    with pytest.raises(error):
        write_dataset(tmp_path / "out", "icvl", frames=4, sequences=2, progress=stop)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dataset_module, "_shoot", full)
    with pytest.raises(RunFolderError, match="No space left"):
        write_dataset(tmp_path / "out", "icvl", frames=4, sequences=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layout": "icvl2"}, "layout must be one of 'icvl'"),
        ({"frames": 2, "sequences": 3}, "frames must be at least one a sequence"),
        ({"frames": 0}, "frames"),
        ({"frames": 2.5}, "frames"),
        ({"sequences": 0}, "sequences"),
        ({"test_frames": 1}, "test_frames"),
        ({"seed": -1}, "seed"),
        ({"layout": "msra", "frames": 500, "sequences": 137}, "room for 136"),
        ({"layout": "hands17", "test_frames": 5}, "has no test part"),
    ],
)
def test_arguments_are_checked_before_anything_is_written(tmp_path: Path, wrong: dict[str, Any], message: str) -> None:
    arguments = {"layout": "icvl", "frames": 4, "sequences": 2} | wrong
    with pytest.raises(ArgumentError, match=message):
        write_dataset(tmp_path / "out", arguments.pop("layout"), **arguments)
    assert not list(tmp_path.iterdir())


def test_given_nyu_poses_are_written_in_their_order(tmp_path: Path) -> None:
    train, test = nyu_poses(3, 0), nyu_poses(40, 1)[::20]
    calls = []
    home = write_nyu(tmp_path / "nyu", train, test, seed=2, progress=lambda *call: calls.append(call))
    assert calls[-1] == ("render", 5, 5)
    for part, joints in (("train", train), ("test", test)):
        xyz = torch.from_numpy(loadmat(home / part / "joint_data.mat")["joint_xyz"])
        assert torch.allclose(xyz[0].float() * torch.tensor([1.0, -1, 1]), joints, atol=1e-4)
        assert torch.equal(xyz[0], xyz[1])
        for i, pose in enumerate(joints, 1):
            pixels = np.asarray(Image.open(home / part / f"depth_1_{i:07d}.png")).astype(int)
            depth = (pixels[..., 1] << 8) | pixels[..., 2]
            u, v, d = NYU_CAMERA.to_image(pose).unbind(-1)
            seen = depth[v.round().int(), u.round().int()]
            assert (seen > 0).mean() > 0.8
            assert (d.numpy() - seen)[seen > 0].min() > -6
    again = write_nyu(tmp_path / "again", train, test, seed=2)
    name = "test/depth_1_0000002.png"
    assert (again / name).read_bytes() == (home / name).read_bytes()


def test_a_smaller_hand_has_thinner_fingers(tmp_path: Path) -> None:
    pose = nyu_poses(1, 0)
    small = (pose - pose.mean(dim=1, keepdim=True)) * 0.5 + pose.mean(dim=1, keepdim=True)
    home = write_nyu(tmp_path / "nyu", pose, small)
    shown = [
        np.asarray(Image.open(home / part / "depth_1_0000001.png")).any(axis=2).sum() for part in ("train", "test")
    ]
    assert shown[1] / shown[0] == pytest.approx(0.25, rel=0.15)


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (torch.zeros(2, 21, 3), r"test_joints must be floats \[n, 36, 3\]"),
        (torch.zeros(0, 36, 3), "n > 0"),
        (torch.zeros(2, 36, 3, dtype=torch.int64), "floats"),
        (torch.full((2, 36, 3), torch.nan), "pose 0 is not"),
        (torch.full((2, 36, 3), 50.0), "100 mm in front"),
    ],
)
def test_nyu_poses_are_checked(tmp_path: Path, joints: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        write_nyu(tmp_path / "nyu", nyu_poses(1, 0), joints)


def test_into_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is there may be one that cannot be replaced."""
    monkeypatch.chdir(tmp_path)
    write_dataset(".", "icvl", frames=2, sequences=1, test_frames=2)
    assert {path.name for path in tmp_path.iterdir()} == {"Training", "Testing", "RENDERED.txt"}
