"""Of two hands in view, the one that is known in a frame is followed through its sequence."""

import numpy as np
import torch

from seqgcn.datasets.hands.centers.anchors import follow_known
from seqgcn.datasets.hands.centers.found import DOUBTFUL, Centers
from seqgcn.datasets.hands.centers.rule import Candidate

LEFT, RIGHT = (-200.0, 0.0, 600.0), (200.0, 0.0, 600.0)


def two_hands(n: int) -> list[list[Candidate]]:
    """The left one looks more like a hand, so that it is taken."""
    return [[Candidate((LEFT[0] + i, *LEFT[1:]), 0.9), Candidate((RIGHT[0] + i, *RIGHT[1:]), 0.7)] for i in range(n)]


def taken(frames: list[list[Candidate]]) -> Centers:
    points = torch.tensor([frame[0].center for frame in frames])
    return Centers(points, np.full(len(frames), 2, np.uint8), torch.full((len(frames),), 0.2), torch.empty(0))


def known(n: int, rows: dict[int, tuple[float, float, float]]) -> torch.Tensor:
    points = torch.full((n, 3), torch.nan)
    for row, point in rows.items():
        points[row] = torch.tensor(point)
    return points


def test_one_known_frame_tells_the_hand_of_its_whole_sequence_and_of_no_other() -> None:
    frames, sequence = two_hands(12), torch.tensor([0] * 6 + [1] * 6)
    found = follow_known(taken(frames), frames, known(12, {3: (205.0, 30.0, 610.0)}), sequence)
    assert found.points[:6].tolist() == [list(frame[1].center) for frame in frames[:6]]
    assert found.points[6:].tolist() == [list(frame[0].center) for frame in frames[6:]]
    assert (found.confidence[:6] >= DOUBTFUL).all()
    assert found.names == ["rule"] * 12


def test_a_known_center_decides_between_hands_and_no_more() -> None:
    frames = two_hands(4)
    found = follow_known(taken(frames), frames, known(4, {1: (-180.0, 40.0, 610.0)}), torch.zeros(4))
    assert torch.equal(found.points, taken(frames).points)
    frames[1].append(Candidate((203.0, 31.0, 609.0), 0.1))
    found = follow_known(taken(frames), frames, known(4, {1: (203.0, 31.0, 609.0)}), torch.zeros(4))
    assert found.points[1].tolist() == list(frames[1][1].center)


def test_without_a_place_near_the_known_one_the_center_stays() -> None:
    frames = [frame[:1] for frame in two_hands(3)]
    found = follow_known(taken(frames), frames, known(3, {1: RIGHT}), torch.zeros(3))
    assert torch.equal(found.points, taken(frames).points)


def test_behind_a_jump_the_way_is_in_doubt() -> None:
    frames = two_hands(6)
    for frame in frames[4:]:
        frame[:] = [each._replace(center=(each.center[0], 140.0, each.center[2])) for each in frame]
    found = follow_known(taken(frames), frames, known(6, {0: RIGHT}), torch.zeros(6))
    assert (found.points[:, 0] > 0).all()
    assert (found.confidence[:4] >= DOUBTFUL).all()
    assert (found.confidence[4:] < DOUBTFUL).all()


def test_a_frame_without_any_place_is_left_alone() -> None:
    frames = two_hands(3)
    found = taken(frames)
    found.points[1] = torch.nan
    frames[1] = []
    after = follow_known(found, frames, known(3, {0: RIGHT}), torch.zeros(3))
    assert after.points[1].isnan().all()
    assert (after.points[[0, 2], 0] > 0).all()
