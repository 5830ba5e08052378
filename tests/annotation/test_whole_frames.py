"""Pictures of whole frames, in which one point is clicked."""

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hand_scenes import Scene
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seqgcn.annotation import PALM, Preview, WholeFrame, read_tasks, write_tasks
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.colours import NO_HAND
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.exceptions import ArgumentError, DataFileError

CAMERA = Camera(119.0, 119.0, 79.5, 59.5, 160, 120)
DEPTH = torch.from_numpy(Scene(CAMERA).torso(900.0).hand(-60, 0, 500.0).disc(-1000, 200, 1800.0, 80).frame())


def frame(**changes: Any) -> WholeFrame:
    known: dict[str, Any] = {"item": "a/0.png", "depth": partial(DepthImage, DEPTH), "near": 10.0, "far": 1500.0}
    return WholeFrame(**{**known, **changes})


def drawn(**changes: Any) -> tuple[Preview, np.ndarray]:
    preview, png = frame(**changes).draw(CAMERA, 1)
    return preview, np.asarray(Image.open(io.BytesIO(png)))


def test_the_picture_shows_all_pixels_enlarged_by_a_whole_number() -> None:
    preview, picture = drawn()
    assert (preview.left, preview.top, preview.width, preview.height, preview.zoom) == (0, 0, 160, 120, 6)
    assert picture.shape == (720, 960, 3)


def test_what_may_be_a_hand_has_colors_all_else_is_gray() -> None:
    _, picture = drawn()

    def at(x: float, y: float, z: float) -> np.ndarray:
        u, v, _ = CAMERA.to_image(torch.tensor([x, y, z], dtype=torch.float64)).tolist()
        return picture[round(6 * (v + 0.5)), round(6 * (u + 0.5))].astype(int)

    hand, far = at(-60, 0, 500), at(-1000, 200, 1800)
    assert np.ptp(hand) > 60
    assert np.ptp(far) == 0
    assert far[0] < NO_HAND
    assert picture[2, 2].tolist() == [NO_HAND] * 3  # nothing was measured


@pytest.fixture(scope="module")
def preview() -> Preview:
    return drawn()[0]


@given(x=st.floats(0, 1), y=st.floats(0, 1))
@settings(deadline=None)
def test_a_click_is_where_it_was_made(preview: Preview, x: float, y: float) -> None:
    u, v = preview.to_sensor(x, y)
    assert (u, v) == pytest.approx((160 * x - 0.5, 120 * y - 0.5))
    assert preview.from_sensor(u, v) == pytest.approx((x, y))


def test_a_center_is_a_prediction_with_its_confidence(tmp_path: Path) -> None:
    center = torch.tensor([-60.0, 0.0, 500.0])
    sure, unknown = frame(center=center, confidence=0.25, score=7.0), frame(item="a/1.png", score=9.0)
    write_tasks(tmp_path, [sure, unknown], CAMERA, PALM, told="Click & go", absent=True)
    tasks = json.loads((tmp_path / "label_studio.json").read_text())
    assert tasks[0]["predictions"][0]["score"] == 0.25
    assert tasks[0]["data"]["score"] == 7.0
    assert "predictions" not in tasks[1]
    (annotation,) = json.loads((tmp_path / "coco_keypoints.json").read_text())["annotations"]
    u, v, _ = CAMERA.to_image(center.double()).tolist()
    assert annotation["keypoints"] == pytest.approx([6 * (u + 0.5), 6 * (v + 0.5), 2])
    held = read_tasks(tmp_path)
    assert [preview.confidence for preview in held.previews] == [0.25, None]
    assert held.skeleton == PALM
    setup = (tmp_path / "label_studio.xml").read_text()
    assert 'Header value="Click &amp; go"' in setup
    assert setup.count("<Choices") == 1
    assert "perRegion" not in setup


@pytest.mark.parametrize("center", [None, torch.full((3,), torch.nan), torch.tensor([0.0, 0.0, -5.0])])
def test_no_center_is_no_prediction(center: torch.Tensor | None) -> None:
    preview, _ = drawn(center=center, confidence=0.9)
    assert preview.predicted == (None,)
    assert preview.confidence is None


def test_a_black_frame_can_be_drawn() -> None:
    _, picture = drawn(depth=lambda: DepthImage(torch.zeros(120, 160)))
    assert (picture == NO_HAND).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"item": "../a.png"}, "item"),
        ({"near": -1.0}, "near must be .*-1"),
        ({"far": 10.0}, "far must be .*10"),
        ({"confidence": 1.5}, r"confidence must be .*1\.5"),
        ({"confidence": float("nan")}, "confidence must be .*nan"),
        ({"score": float("inf")}, "score must be .*inf"),
        ({"center": torch.zeros(2)}, r"center of a/0\.png must be \[3\] mm, got \[2\]"),
    ],
)
def test_what_cannot_be_used_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        frame(**changes)


def test_more_joints_than_one_are_refused() -> None:
    with pytest.raises(ArgumentError, match="one point is clicked, not 16 joints"):
        frame().draw(CAMERA, 16)


def test_a_frame_that_cannot_be_read_is_an_error() -> None:
    def broken() -> DepthImage:
        raise DataFileError("a/0.png is cut off")

    with pytest.raises(DataFileError, match="cut off"):
        drawn(depth=broken)
