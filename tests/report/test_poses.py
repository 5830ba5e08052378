"""Picks that show the same pose."""

import numpy as np
from report.round_views import make_view

from seqgcn.report.html import round_page
from seqgcn.report.html.poses import Poses, nearest_in_words, pose_twins

DRAW = np.random.default_rng(0)
OPEN, FIST, POINT = (60 * DRAW.normal(size=(21, 3)) for _ in range(3))
FAR = np.array([300.0, -100.0, 500.0])


def test_the_same_pose_elsewhere_is_the_same() -> None:
    found = pose_twins(Poses(picks=np.stack([OPEN, FIST, OPEN + FAR]), labelled=np.stack([POINT])))
    assert found.picks == 2
    assert nearest_in_words(found, ["p.png"])[::2] == ["pick 3, 0.0 mm", "pick 1, 0.0 mm"]
    assert not found.uniform


def test_a_labeled_pose_counts() -> None:
    found = pose_twins(Poses(picks=np.stack([OPEN, FIST]), labelled=np.stack([POINT, FIST + 1.0])))
    assert found.picks == 1
    assert nearest_in_words(found, ["p.png", "f.png"])[1] == "the labeled f.png, 0.0 mm"


def test_joints_that_are_unknown_do_not_count() -> None:
    some, few = OPEN + FAR, OPEN.copy()
    some[:5], few[:15] = np.nan, np.nan
    found = pose_twins(Poses(picks=np.stack([OPEN, some, few]), labelled=np.empty((0, 21, 3))))
    assert nearest_in_words(found, []) == ["pick 2, 0.0 mm", "pick 1, 0.0 mm", ""]
    assert found.picks == 2


def test_one_pick_alone_is_near_to_nothing() -> None:
    found = pose_twins(Poses(picks=OPEN[None], labelled=np.empty((0, 21, 3))))
    assert (found.nearest, found.picks, found.between) == ((None,), 0, None)


def test_the_page_says_it_in_millimeters() -> None:
    poses = Poses(picks=np.stack([OPEN, FIST, OPEN + FAR, POINT, -FIST]), labelled=np.stack([OPEN * 2] * 8))
    text = round_page(make_view(poses=poses))
    assert "By the poses that are predicted, 2 of 5 picks are at most 10&nbsp;mm from another pick" in text
    assert "picks within 10 mm of another pose" in text
    assert "pick 3, 0.0 mm" in text


def test_a_network_that_predicts_one_pose_tells_nothing() -> None:
    poses = Poses(picks=np.stack([OPEN + i for i in range(5)]), labelled=np.stack([FIST] * 8))
    text = round_page(make_view(poses=poses))
    assert "The network predicts nearly one pose for all" in text
    assert "picks within 10 mm of another pose" not in text
