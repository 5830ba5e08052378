"""Which crops are shown first, and what is said of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_releases import save_grey
from hand_scenes import CAMERA, Scene
from hypothesis import given
from hypothesis import strategies as st

from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.datasets.hands.crop_views import look_at_crops, worst

HAND = (-120.0, 0.0, 500.0)


@given(st.lists(st.floats(0, 1, width=32) | st.just(float("nan")), min_size=1, max_size=40), st.integers(1, 45))
def test_the_worst_are_the_least_sure_each_once(confidence: list[float], most: int) -> None:
    known = torch.tensor(confidence)
    chosen = worst(known, most)
    assert len(chosen) == len(set(chosen.tolist())) == min(most, len(confidence))
    level = known.nan_to_num(nan=-1.0)
    assert level[chosen].tolist() == level.sort().values[: len(chosen)].tolist()


def test_of_equally_sure_frames_some_from_everywhere_are_shown() -> None:
    assert worst(torch.ones(101), 5).tolist() == [0, 25, 50, 75, 100]
    assert worst(torch.tensor([1.0, 1.0, 0.2, 1.0]), 3).tolist() == [2, 0, 3]


def _folder(root: Path, frames: int) -> Path:
    """The same hand in every frame, in one sequence."""
    root.mkdir()
    camera = {"fx": CAMERA.fx, "fy": CAMERA.fy, "cx": CAMERA.cx, "cy": CAMERA.cy, "cube": 250, "joints": ["palm"]}
    (root / "camera.yaml").write_text(json.dumps(camera), encoding="utf-8")
    depth = Scene().hand(*HAND).frame().astype(np.uint16)
    for i in range(frames):
        save_grey(root / f"a/{i}.png", depth)
    return root


def _with_centers(root: Path, centers: list[tuple[float, float, float]]) -> DepthFolder:
    rows = "".join(f"a/{i}.png,{x},{y},{z}\n" for i, (x, y, z) in enumerate(centers))
    (root / "centers.csv").write_text(f"frame,x,y,z\n{rows}", encoding="utf-8")
    return DepthFolder(root, "all", options=CropOptions(size=32, crop="file", centers=root / "centers.csv"))


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ((-120.0, 0.0, 900.0), "no depth"),
        ((300.0, 200.0, 500.0), "no depth"),
        ((150.0, 0.0, 500.0), "far from those"),
    ],
)
def test_a_wrong_center_of_a_file_is_shown_first_and_doubted(
    tmp_path: Path, wrong: tuple[float, float, float], problem: str
) -> None:
    hands = _with_centers(_folder(tmp_path / "lab", 7), [HAND] * 4 + [wrong] + [HAND] * 2)
    if wrong[0] == 150.0:  # there is a surface where the file says, so that only the jump gives it away
        save_grey(tmp_path / "lab/a/4.png", Scene().hand(*HAND).disc(*wrong, 60).frame().astype(np.uint16))
    shown = look_at_crops(hands, 3)
    assert shown.views[0].file == "a/4.png"
    assert problem in shown.views[0].problem
    assert shown.views[0].doubtful
    assert shown.centers.confidence.tolist() == [1, 1, 1, 1, 0, 1, 1]


def test_given_centers_on_the_hand_are_not_doubted(tmp_path: Path) -> None:
    shown = look_at_crops(_with_centers(_folder(tmp_path / "lab", 4), [HAND] * 4), 4)
    assert not shown.centers.doubtful.any()
    assert not any(view.doubtful for view in shown.views)


def test_centers_of_mass_are_found_without_making_crops(tmp_path: Path) -> None:
    root = _folder(tmp_path / "lab", 3)
    save_grey(root / "a/1.png", np.zeros((480, 640), np.uint16))
    found = DepthFolder(root, "all", options=CropOptions(size=32, crop="mass", cache=tmp_path / "none")).find()
    assert found.names == ["mass"] * 3
    assert found.confidence.tolist() == [1, 0, 1]
    torch.testing.assert_close(found.points[0], torch.tensor(HAND), rtol=0, atol=40)
    assert not (tmp_path / "none").exists()


def test_of_two_hands_the_other_is_shown_too_and_the_crop_is_in_doubt(tmp_path: Path) -> None:
    root = _folder(tmp_path / "lab", 2)
    two = Scene().hand(-170, 0, 550).forearm(-170, 0, 550, 80).hand(170, 0, 560).forearm(170, 0, 560, 80)
    save_grey(root / "a/1.png", two.frame().astype(np.uint16))
    both, alone = look_at_crops(DepthFolder(root, "all", options=CropOptions(size=32, crop="rule")), 2).views
    assert both.file == "a/1.png"
    assert both.doubtful
    assert "looks like a hand too" in both.problem
    assert both.window is not None
    assert both.other is not None
    middles = sorted((edges[0] + edges[2]) / 2 for edges in (both.window, both.other))
    scale = 240 / 640
    assert middles == pytest.approx([(320 - 170 / 550 * 476) * scale, (320 + 170 / 560 * 476) * scale], abs=12)
    assert (alone.other, alone.problem, alone.doubtful) == (None, "", False)


def test_a_frame_that_cannot_be_read_is_shown_without_a_picture(tmp_path: Path) -> None:
    root = _folder(tmp_path / "lab", 3)
    (root / "a/1.png").write_bytes(b"\x89PNG no more than that")
    shown = look_at_crops(DepthFolder(root, "all", options=CropOptions(size=32)), 3)
    assert shown.views[0].file == "a/1.png"
    assert shown.views[0].frame is None
    assert "cannot be read" in shown.views[0].problem
    assert [view.crop is None for view in shown.views] == [True, False, False]


def test_a_center_of_mass_on_a_chest_is_doubted(tmp_path: Path) -> None:
    root = _folder(tmp_path / "lab", 2)
    chest = Scene().torso(800).hand(*HAND).forearm(*HAND, 75).frame()
    save_grey(root / "a/1.png", chest.astype(np.uint16))
    shown = look_at_crops(DepthFolder(root, "all", options=CropOptions(size=32, crop="mass")), 2)
    assert [view.file for view in shown.views] == ["a/1.png", "a/0.png"]
    assert [view.doubtful for view in shown.views] == [True, False]
    assert "beyond the cube" in shown.views[0].problem
