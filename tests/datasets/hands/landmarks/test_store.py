"""Landmarks of a data set: found once, kept beside the crops, and told of where they contradict the files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_landmarks import see_landmarks
from flat_hands import CAMERA, frame_with, open_hand
from hand_releases import save_grey

from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.datasets.hands.landmarks.search import Placed
from seqgcn.exceptions import DataFileError, SeqGCNWarning


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Depths of the centers that were looked at; every hand is right and lies about its center, but none below 500."""
    seen: list[float] = []

    def find(center: tuple[float, float, float]) -> Placed | None:
        seen.append(center[2])
        return None if center[2] < 500 else Placed(open_hand(*center), np.ones(21, bool), False, 0.5)

    see_landmarks(monkeypatch, find)
    return seen


def folder(root: Path, depths: list[float], **setup: Any) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    camera = {"fx": CAMERA.fx, "fy": CAMERA.fy, "cx": CAMERA.cx, "cy": CAMERA.cy, "cube": 250}
    (root / "camera.yaml").write_text(json.dumps({**camera, "joints": ["wrist", "index tip"], **setup}))
    for i, z in enumerate(depths):
        image = frame_with(open_hand(z=z), back=0.0)
        save_grey(root / f"seq/{i}.png", image.depth.numpy().astype(np.uint16))
    return root


def hands_in(root: Path, options: CropOptions) -> DepthFolder:
    return DepthFolder(root, "all", options=CropOptions(size=32, crop="mass", cache=options.cache))


def test_landmarks_of_all_frames(tmp_path: Path, options: CropOptions, looked: list[float]) -> None:
    hands = hands_in(folder(tmp_path / "lab", [600, 400, 700]), options)
    found = hands.landmarks()
    assert found.found.tolist() == [True, False, True]
    assert found.points[1].isnan().all()
    assert found.score.tolist() == [0.5, 0, 0.5]
    assert torch.allclose(found.points[:, 9, 2][[0, 2]], torch.tensor([600.0, 700.0]), atol=1)
    assert len(looked) == 3


def test_a_frame_is_looked_at_once(tmp_path: Path, options: CropOptions, looked: list[float]) -> None:
    root = folder(tmp_path / "lab", [600, 400, 700])
    hands_in(root, options).landmarks(torch.tensor([2]))
    assert len(looked) == 1
    again = hands_in(root, options).landmarks(torch.tensor([2, 0]))
    assert len(looked) == 2
    whole = hands_in(root, options).landmarks()
    assert len(looked) == 3
    assert torch.equal(again.points, whole.points[[2, 0]])


def test_other_centers_are_looked_at_anew(tmp_path: Path, options: CropOptions, looked: list[float]) -> None:
    root = folder(tmp_path / "lab", [600, 700])
    hands_in(root, options).landmarks()
    (tmp_path / "centers.csv").write_text("frame,x,y,z\nseq/0.png,0,0,600\nseq/1.png,5,0,700\n")
    given = CropOptions(size=32, crop="file", centers=str(tmp_path / "centers.csv"), cache=options.cache)
    DepthFolder(root, "all", options=given).landmarks()
    assert len(looked) == 4


def test_a_damaged_cache_is_made_anew(tmp_path: Path, options: CropOptions, looked: list[float]) -> None:
    root = folder(tmp_path / "lab", [600, 700])
    first = hands_in(root, options).landmarks()
    (path,) = Path(str(options.cache)).glob("*-landmarks-*.npz")
    path.write_bytes(path.read_bytes()[:100])
    assert torch.equal(hands_in(root, options).landmarks().points, first.points)
    assert len(looked) == 4


def test_what_was_found_before_a_frame_failed_is_kept(
    tmp_path: Path, options: CropOptions, looked: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqgcn.datasets.hands.landmarks.store.KEEP", 1)
    monkeypatch.setattr("seqgcn.datasets.hands.cache.BLOCK", 1)
    root = folder(tmp_path / "lab", [600, 650, 700])
    hands = hands_in(root, options).prepare()
    content = (root / "seq/2.png").read_bytes()
    (root / "seq/2.png").write_bytes(content[:50])
    with pytest.raises(DataFileError, match=r"2\.png"):
        hands.landmarks()
    assert hands.landmarks(torch.tensor([0, 1])).found.all()
    assert sum(z in (600, 650) for z in looked) <= 2 + 2  # at most the block at work is lost


def test_crops_know_the_landmarks_of_their_frames(tmp_path: Path, options: CropOptions, looked: list[float]) -> None:
    hands = hands_in(folder(tmp_path / "lab", [600, 400, 700]), options)
    frames = hands.frames[torch.tensor([2, 1])]
    assert frames.landmarks is not None
    found = frames.landmarks.find(frames.index, None)
    assert found.found.tolist() == [True, False]
    assert torch.equal(found.points[0], hands.landmarks().points[2])
    assert frames.landmarks.weights.nonzero().tolist() == [[0, 0], [1, 8]]


def test_frames_left_out_do_not_shift_the_others(tmp_path: Path, options: CropOptions, looked: list[float]) -> None:
    root = folder(tmp_path / "lab", [600.0, *[650.0] * 10, 700.0])
    save_grey(root / "seq/3.png", np.zeros((480, 640), np.uint16))
    with pytest.warns(SeqGCNWarning, match=r"seq/3\.png"):
        hands = hands_in(root, options).prepare()
    frames = hands.frames[torch.tensor([10])]
    assert hands.files[10] == "seq/11.png"
    assert frames.landmarks is not None
    assert frames.landmarks.find(frames.index, None).points[0, 9, 2] == pytest.approx(700, abs=1)


@pytest.mark.parametrize(("hand", "says"), [("left", True), ("right", False), (None, False)])
def test_a_side_that_contradicts_camera_yaml_is_told(
    tmp_path: Path, options: CropOptions, looked: list[float], hand: str | None, says: bool
) -> None:
    setup = {} if hand is None else {"hand": hand}
    hands = hands_in(folder(tmp_path / "lab", [600.0] * 6, **setup), options).prepare()
    if says:
        with pytest.warns(SeqGCNWarning, match="hand: left.* 6 of 6 hands for right"):
            hands.landmarks()
    else:
        assert hands.landmarks().found.all()  # warnings are errors here


def test_joints_of_ones_own_are_named_in_camera_yaml(tmp_path: Path, options: CropOptions, looked: list[float]) -> None:
    setup = {"joints": ["centre", "elbow"], "detector_joints": {"centre": ["wrist", "middle mcp"]}}
    hands = hands_in(folder(tmp_path / "lab", [600.0], **setup), options)
    weights = hands.landmark_weights
    assert weights[0].nonzero().flatten().tolist() == [0, 9]
    assert weights[1].isnan().all()
    found = hands.landmarks()
    assert torch.allclose(found.joints(weights)[:, 0], (found.points[:, 0] + found.points[:, 9]) / 2)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("wrist", "detector_joints must name"),
        ({"wrist": []}, "'wrist' needs a landmark"),
        ({"wrist": [3]}, "'wrist' needs a landmark"),
        ({"nose": "wrist"}, "'nose' is no joint"),
        ({"wrist": "nose"}, "'nose'.*is no landmark"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path: Path, options: CropOptions, table: Any, says: str) -> None:
    with pytest.raises(DataFileError, match=rf"camera\.yaml.*{says}"):
        hands_in(folder(tmp_path / "lab", [600.0], detector_joints=table), options)
