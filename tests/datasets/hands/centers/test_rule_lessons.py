"""What real frames taught, each as a rendered scene: the rule finds the hand, or has it among its candidates."""

from typing import NamedTuple

import pytest
import torch

from seqgcn.datasets.hands.centers.found import DOUBTFUL
from seqgcn.datasets.hands.centers.rule import candidates_of, confidence_of
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.rendering import Hand, film, hand_spheres, render_depth
from seqgcn.datasets.hands.rendering.held import draw_grip
from seqgcn.datasets.hands.rendering.layouts import FOLDER_CAMERA, FOLDER_CUBE, LAYOUTS
from seqgcn.datasets.hands.rendering.scenes import scene_depths
from seqgcn.datasets.hands.rendering.settings import Setting
from seqgcn.datasets.hands.rendering.solids import nearer
from seqgcn.utils.seeding import generator

SEQUENCES = 5
STAGE = LAYOUTS["depth-folder"].stage
BASES = [0, 1, 5, 9, 13, 17]
"""Wrist and finger bases of 21 finger-major joints: around the palm."""


class Look(NamedTuple):
    """Distance of the rule's first and nearest candidate to the middle of the palm, mm, and how sure the first is."""

    first: float
    nearest: float
    confidence: float


def looks(setting: Setting) -> list[Look]:
    """A frame of each of several sequences."""
    seen = []
    for sequence in range(SEQUENCES):
        hand = Hand.of_subject(1, sequence)
        grip = None if setting.held is None else draw_grip(generator(1, "grip", sequence))
        joints = film(hand, STAGE, 1, generator(1, "film", sequence), roll=setting.roll, grip=grip)
        (room,) = scene_depths(setting, STAGE, joints, hand.scale, generator(1, "scene", sequence))
        assert room is not None
        depth = nearer(render_depth(*hand_spheres(joints[0], hand.scale, forearm=False), FOLDER_CAMERA), room)
        found = candidates_of(DepthImage(depth), FOLDER_CAMERA, FOLDER_CUBE, 10.0, 1500.0)
        palm = joints[0, BASES].mean(dim=0)
        off = [float((torch.tensor(candidate.center) - palm).norm()) for candidate in found]
        seen.append(Look(off[0], min(off), confidence_of(found, 0)))
    return seen


ALONE = {
    "torso behind": Setting("body"),
    "forearm in one surface": Setting("arm"),
    "arm from above": Setting("arm", arm_from="above"),
    "arm from the side": Setting("arm", arm_from="left"),
    "hand that points down over a table": Setting("table", arm_from="above", lying=3),
    "ball in the hand": Setting("objects", held="ball"),
}
"""Lessons in which only one thing looks like a hand."""

RIVALS = {
    "objects nearer than the hand": Setting("objects", beside=True),
    "two hands of a person": Setting("body", second=True),
}
"""Lessons in which other things look like hands, or are."""

LONG = {
    "box in the hand": Setting("objects", held="box"),
    "bar in the hand": Setting("objects", held="bar"),
}


@pytest.mark.parametrize("lesson", ALONE)
def test_the_hand_comes_first(lesson: str) -> None:
    assert max(look.first for look in looks(ALONE[lesson])) < 60


@pytest.mark.parametrize("lesson", RIVALS)
def test_the_hand_is_among_the_candidates_and_another_place_is_in_doubt(lesson: str) -> None:
    seen = looks(RIVALS[lesson])
    assert max(look.nearest for look in seen) < 60
    assert all(look.confidence < DOUBTFUL for look in seen if look.first > 80)
    assert any(look.first < 40 for look in seen)


@pytest.mark.parametrize("lesson", LONG)
def test_a_hand_around_a_long_thing_is_among_the_candidates_and_its_end_is_never_sure(lesson: str) -> None:
    """The end of a bar may come before the hand around it."""
    seen = looks(LONG[lesson])
    assert max(look.nearest for look in seen) < 70
    assert all(look.confidence < 0.6 for look in seen if look.first > 80)
    assert any(look.first < 40 for look in seen)
