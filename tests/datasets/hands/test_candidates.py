"""All places of a frame that may be hands, for those who look at one frame."""

import math

import numpy as np
import pytest
import torch
from datasets.hands.centers.rooms import ROOM_CAMERA, film_two_hands
from hand_scenes import CAMERA, Scene

from seqgcn.datasets.hands import hand_candidates
from seqgcn.exceptions import ArgumentError


def test_both_hands_of_a_rendered_frame_come_first() -> None:
    images, palms, others = film_two_hands(frames=1, seed=3)
    found = hand_candidates(images[0].depth.numpy(), ROOM_CAMERA)
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    for palm in (palms[0], others[0]):
        assert min(math.dist(each.center, palm.tolist()) for each in found[:2]) < 60


def test_tensors_and_whole_numbers_are_taken_and_nothing_is_found_in_an_empty_frame() -> None:
    depth = Scene().torso(800).hand(-120, 0, 500).forearm(-120, 0, 500, 75).frame()
    first = hand_candidates(depth, CAMERA)
    assert hand_candidates(torch.from_numpy(depth).to(torch.int32), CAMERA) == first
    assert hand_candidates(np.zeros((480, 640), np.uint16), CAMERA) == []
    assert hand_candidates(depth, CAMERA, far=450) == []


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (np.zeros((480, 640, 3), np.float32), r"depth.*480, 640, 3"),
        (np.full((480, 640), np.nan, np.float32), "finite"),
        (np.full((480, 640), -1.0, np.float32), "finite.*0"),
        (np.zeros((48, 64), np.float32), r"480, 640.*48, 64"),
    ],
)
def test_what_is_no_depth_frame_of_the_camera_is_refused(depth: np.ndarray, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        hand_candidates(depth, CAMERA)


def test_options_are_checked() -> None:
    depth = np.zeros((480, 640), np.float32)
    with pytest.raises(ArgumentError, match=r"cube.*-1"):
        hand_candidates(depth, CAMERA, cube=-1)
    with pytest.raises(ArgumentError, match=r"near.*900.*far.*300|far.*300.*near.*900"):
        hand_candidates(depth, CAMERA, near=900, far=300)
