import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from flat_hands import CAMERA, frame_with, open_hand, pixels
from numpy.typing import NDArray

from seqgcn.datasets.hands.centers.views import cut_around
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.landmarks.model import Region, Seen, next_region
from seqgcn.datasets.hands.landmarks.search import SIDE, find_joints

CENTER = (0.0, 0.0, 600.0)


def shares(hand: np.ndarray, image: DepthImage) -> np.ndarray:
    """The joints of a hand in the cut around `CENTER`, as the model tells them."""
    view = cut_around(image, CAMERA, CENTER)
    places = (pixels(hand) - (view.left, view.top)) / (view.width, view.height)
    return np.column_stack((places, np.zeros(21)))


class Seer:
    """Sees a hand where the region is turned as the hand is, and nothing or something else elsewhere."""

    def __init__(self, at: Callable[[Region], np.ndarray | None], left: bool = False) -> None:
        self.at, self.left = at, left
        self.regions: list[Region] = []

    def __call__(self, picture: NDArray[np.uint8], region: Region) -> Seen | None:
        assert picture.shape == (480, 480, 3)
        self.regions.append(region)
        landmarks = self.at(region)
        return None if landmarks is None else Seen(landmarks, self.left)


def test_a_hand_is_found_in_whichever_direction_it_points() -> None:
    hand = open_hand()
    image = frame_with(hand)
    seer = Seer(lambda region: shares(hand, image) if abs(region.rotation) < 0.5 else None, left=True)
    found = find_joints(seer, image, CAMERA, CENTER, 250.0)
    assert found is not None
    np.testing.assert_allclose(found.points[:, :2], hand[:, :2], rtol=0.03, atol=1)
    assert found.left
    assert found.measured.all()
    assert 0.6 < found.score <= 1


def test_the_first_four_directions_are_enough_where_one_fits() -> None:
    hand = open_hand()
    image = frame_with(hand)
    seer = Seer(lambda region: shares(hand, image) if abs(region.rotation) < 0.5 else None)
    find_joints(seer, image, CAMERA, CENTER, 250.0)
    first = [region for region in seer.regions if region.side == SIDE]
    assert [region.rotation for region in first] == pytest.approx([0, math.pi / 2, math.pi, 3 * math.pi / 2])
    assert len(seer.regions) == 5


def test_all_eight_directions_are_tried_where_none_fits() -> None:
    seer = Seer(lambda _region: None)
    assert find_joints(seer, frame_with(open_hand()), CAMERA, CENTER, 250.0) is None
    assert sorted(region.rotation for region in seer.regions) == pytest.approx([k * math.pi / 4 for k in range(8)])


def test_of_several_answers_the_one_that_fits_the_depth_is_taken() -> None:
    hand = open_hand()
    image, wrong = frame_with(hand), hand + np.array([35, 10, 0])

    def at(region: Region) -> np.ndarray:
        return shares(hand if region.rotation > 2 else wrong, image)

    def settled(region: Region) -> np.ndarray:
        # What was found at first is found again, whatever the region.
        if region.side == SIDE:
            settled.last = at(region)  # type: ignore[attr-defined]
        return settled.last  # type: ignore[attr-defined, no-any-return]

    found = find_joints(Seer(settled), image, CAMERA, CENTER, 250.0)
    assert found is not None
    np.testing.assert_allclose(found.points[:, 0], hand[:, 0], rtol=0.03, atol=1)


def test_joints_that_move_when_looked_at_again_score_less() -> None:
    hand = open_hand()
    image = frame_with(hand)
    scores = []
    for mm in (0.0, 20.0):
        before = shares(hand + np.array([mm, 0, 0]), image)
        seer = Seer(lambda region, before=before: before if region.side == SIDE else shares(hand, image))  # type: ignore[misc]
        found = find_joints(seer, image, CAMERA, CENTER, 250.0)
        assert found is not None
        scores.append(found.score)
    assert scores[1] == pytest.approx(scores[0] / math.e, rel=0.02)


def test_a_frame_without_depth_is_not_looked_at() -> None:
    seer = Seer(lambda _region: None)
    assert find_joints(seer, DepthImage(torch.zeros(480, 640)), CAMERA, CENTER, 250.0) is None
    assert seer.regions == []


@pytest.mark.parametrize("degrees", [0, 45, 90, 180, -100])
def test_the_next_region_is_turned_as_the_hand_and_holds_it(degrees: float) -> None:
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    upright = open_hand()[:, :2] / 1000
    region = next_region(upright @ turn.T + 0.5)
    plain = next_region(upright + 0.5)
    assert plain.rotation == pytest.approx(0, abs=0.1)
    assert math.remainder(region.rotation - plain.rotation - angle, math.tau) == pytest.approx(0, abs=1e-9)
    assert region.side == pytest.approx(plain.side)
    np.testing.assert_allclose(np.array(region[:2]) - 0.5, turn @ (np.array(plain[:2]) - 0.5), atol=1e-9)
    inside = np.abs((upright + 0.5) - plain[:2]).max()
    assert inside < plain.side / 2
