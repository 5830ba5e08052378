import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from flat_hands import CAMERA, frame_with, open_hand, pixels
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from seqgcn.datasets.hands import Camera
from seqgcn.datasets.hands.centers import detector
from seqgcn.datasets.hands.centers.detector import CENTRAL, Detection, HandDetector, detector_available
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.exceptions import ArgumentError, MissingPackageError


class Scripted:
    """Finds given hands (px of the full image) in the whole frame alone, and keeps the pictures."""

    def __init__(self, *hands: tuple[NDArray[np.float64], float]) -> None:
        self.hands = hands
        self.pictures: list[NDArray[np.uint8]] = []

    def __call__(self, picture: NDArray[np.uint8]) -> Sequence[tuple[NDArray[np.float64], float]]:
        self.pictures.append(picture)
        if len(self.pictures) > 1:
            return []
        return [((uv + 0.5) / (CAMERA.width, CAMERA.height), score) for uv, score in self.hands]


def found(image: DepthImage, *hands: tuple[NDArray[np.float64], float]) -> list[Detection]:
    return HandDetector(find=Scripted(*hands)).detect(image, CAMERA)


# From pictures to millimeters


def test_a_hand_found_in_the_whole_frame_comes_back_in_pixels_and_millimeters() -> None:
    hand = open_hand(40, -30, 700)
    (one,) = found(frame_with(hand), (pixels(hand), 0.9))
    np.testing.assert_allclose(one.joints, pixels(hand), atol=1e-9)
    np.testing.assert_allclose(one.center, hand[list(CENTRAL)].mean(axis=0), atol=1)
    assert one.score == pytest.approx(0.9)


@pytest.mark.parametrize(("size", "plausible"), [(0.5, False), (0.8, True), (1.0, True), (1.3, True), (2.0, False)])
def test_what_is_not_of_a_hands_size_is_dropped(size: float, plausible: bool) -> None:
    hand = open_hand(size=size)
    assert bool(found(frame_with(hand), (pixels(hand), 0.9))) == plausible


def test_size_is_measured_at_the_surfaces_depth() -> None:
    hand = open_hand(z=500)
    far = hand * 2.4
    assert found(frame_with(hand), (pixels(hand), 0.9))
    assert not found(frame_with(far), (pixels(hand), 0.9))


def test_joints_that_fell_off_the_hand_take_no_depth_from_the_wall() -> None:
    hand = open_hand()
    uv = pixels(hand)
    uv[[4, 8, 20]] += (-60, 0), (0, -80), (70, 0)
    (one,) = found(frame_with(hand), (uv, 1.0))
    assert one.center[2] == pytest.approx(600, abs=1)
    assert one.score == pytest.approx(18 / 21)


def test_a_hand_of_which_most_was_not_measured_is_dropped() -> None:
    hand = open_hand()
    image = frame_with(hand, back=0.0)
    assert found(image, (pixels(hand), 1.0))
    image.depth[:235] = 0  # but the wrist and the palm's lower half
    assert not found(image, (pixels(hand), 1.0))
    image.depth[:] = 0
    image.depth[0, 0] = 600
    assert not found(image, (pixels(hand), 1.0))


def test_two_hands_come_the_surest_first_and_the_same_hand_once() -> None:
    left, right = open_hand(-150), open_hand(150)
    image = frame_with(left, right)
    two = found(image, (pixels(left), 0.7), (pixels(right), 0.9), (pixels(left) + 2, 0.6))
    assert [one.score for one in two] == pytest.approx([0.9, 0.7])
    assert two[0].center[0] > 0 > two[1].center[0]


def test_joints_outside_of_the_frame_are_no_error() -> None:
    hand = open_hand(x=-400)
    assert pixels(hand)[:, 0].min() < 0
    assert isinstance(found(frame_with(hand), (pixels(hand), 0.9)), list)


def test_a_frame_of_which_a_box_alone_is_kept_gives_the_same() -> None:
    hand = open_hand(30, 20, 650)
    image = frame_with(hand, back=0.0)
    boxed = DepthImage(image.depth[100:450, 150:550].clone(), left=150, top=100)
    assert found(boxed, (pixels(hand), 0.9))[0].center == found(image, (pixels(hand), 0.9))[0].center
    whole, box = Scripted(), Scripted()
    for finder, frame in ((whole, image), (box, boxed)):
        HandDetector(find=finder).detect(frame, CAMERA, [(30, 20, 650)])
    for one, other in zip(whole.pictures, box.pictures, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [(320, 240, (480, 640)), (640, 480, (480, 640)), (512, 424, (530, 640)), (240, 320, (640, 480))],
)
def test_whole_frames_are_shown_640_pixels_long(width: int, height: int, shape: tuple[int, int]) -> None:
    finder = Scripted()
    camera = Camera(240, 240, width / 2, height / 2, width, height)
    HandDetector(find=finder).detect(DepthImage(torch.full((height, width), 700.0)), camera)
    assert [picture.shape for picture in finder.pictures] == [(*shape, 3)]


# Around a point


class Brightest:
    """Takes the middle of what is bright for every joint, in one of the rotations of a cut alone."""

    def __init__(self, rotation: int) -> None:
        self.rotation = rotation
        self.seen = 0

    def __call__(self, picture: NDArray[np.uint8]) -> Sequence[tuple[NDArray[np.float64], float]]:
        self.seen += 1
        if self.seen != 2 + self.rotation:  # the whole frame comes first
            return []
        assert picture.shape == (480, 480, 3)
        rows, columns = np.nonzero(picture[..., 0] > 0.8 * picture[..., 0].max())
        place = np.array([columns.mean() + 0.5, rows.mean() + 0.5]) / 480
        return [(np.tile(place, (21, 1)), 0.9)]


@pytest.mark.parametrize("rotation", range(4))
def test_joints_found_in_a_turned_cut_are_mapped_back(rotation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "PALM_LENGTH", (0, 130))
    depth = torch.zeros(480, 640)
    depth[150:160, 400:410] = 560
    point = tuple(CAMERA.to_world(torch.tensor([390.0, 180.0, 650.0])).tolist())
    (one,) = HandDetector(find=Brightest(rotation)).detect(DepthImage(depth), CAMERA, [point])
    np.testing.assert_allclose(one.joints, np.tile([404.5, 154.5], (21, 1)), atol=1)
    assert one.center[2] == pytest.approx(560, abs=1)


def test_a_cut_shows_450_mm_around_the_point_in_depth_too() -> None:
    finder = Scripted()
    depth = torch.full((480, 640), 600.0)
    depth[:, 300:], depth[:240, :300] = 1000, 300
    point = tuple(CAMERA.to_world(torch.tensor([300.0, 240.0, 650.0])).tolist())
    HandDetector(find=finder).detect(DepthImage(depth), CAMERA, [point])
    cut = finder.pictures[1]
    assert not cut[:230].any()
    assert not cut[:, 250:].any()
    assert cut[260:, :230].all()
    for turns, picture in enumerate(finder.pictures[1:]):
        np.testing.assert_array_equal(picture, np.rot90(cut, turns))


def test_pictures_without_a_surface_are_not_looked_at() -> None:
    finder = Scripted()
    empty = DepthImage(torch.zeros(480, 640))
    assert HandDetector(find=finder).detect(empty, CAMERA, [(0, 0, 600), (5000, 0, 600), (0, 0, 11)]) == []
    assert finder.pictures == []


@pytest.mark.parametrize(
    ("around", "cube", "says"),
    [
        ([(0, 0, 600), (0, 0, 0.6)], 250, r"around\[1\].* z = 0.6.* mm"),
        ([(0, 0, -600)], 250, r"around\[0\].* z = -600"),
        ([(0, float("nan"), 600)], 250, r"around\[0\].* finite .*nan"),
        ([(300, 200)], 250, r"around\[0\].*\(300, 200\)"),
        ([], 0, "cube .* 0"),
    ],
)
def test_a_point_or_cube_that_makes_no_sense_is_named(around: Any, cube: float, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        HandDetector(find=Scripted()).detect(frame_with(open_hand()), CAMERA, around, cube)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000), st.floats(10, 5000)),
    arrays.arrays(np.float64, (21, 2), elements=st.floats(-2, 3)),
    st.integers(0, 2**32 - 1),
)
def test_whatever_is_found_lies_in_front_of_the_camera_with_a_score_from_0_to_1(
    point: tuple[float, float, float], joints: NDArray[np.float64], seed: int
) -> None:
    camera = Camera(60, 60, 40, 30, 80, 60)
    noise = torch.rand(60, 80, generator=torch.Generator().manual_seed(seed)) * 1500
    for one in HandDetector(find=lambda picture: [(joints, 1.0)]).detect(DepthImage(noise), camera, [point]):
        assert one.center[2] > 0
        assert 0 <= one.score <= 1


# The extra


def test_without_mediapipe_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    assert not detector_available()
    monkeypatch.setattr(sys, "version_info", (3, 12))
    with pytest.raises(MissingPackageError, match=r'pip install "seqgcn\[mediapipe\]"'):
        HandDetector()
    monkeypatch.setattr(sys, "version_info", (3, 13))
    with pytest.raises(MissingPackageError, match=r"3\.11 and 3\.12"):
        HandDetector()


def test_another_version_of_mediapipe_is_named_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "detector_available", lambda: True)
    monkeypatch.setitem(sys.modules, "mediapipe.python.solutions.hands", None)
    with pytest.raises(MissingPackageError, match=r"mediapipe 0\.10\.14"):
        HandDetector().detect(frame_with(open_hand()), CAMERA)


def test_the_detectors_confidence_is_checked() -> None:
    with pytest.raises(ArgumentError, match=r"confidence .* 1\.5"):
        HandDetector(confidence=1.5, find=Scripted())


def test_asking_whether_there_is_a_detector_does_not_import_it() -> None:
    before = "mediapipe" in sys.modules
    assert detector_available() in (True, False)
    assert ("mediapipe" in sys.modules) == before
