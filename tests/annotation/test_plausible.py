from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seqgcn.annotation import Labelled, Plausibility, Surface, Tasks
from seqgcn.annotation.plausible import IMPOSSIBLE, Doubts, tell_odd
from seqgcn.datasets.hands import ICVL
from seqgcn.datasets.hands.skeleton import ICVL16

Change = Callable[[Tensor], Tensor]


@pytest.fixture
def tasks(handed_off: tuple[Path, Tasks]) -> Tasks:
    return handed_off[1]


@pytest.fixture
def doubts(hands: ICVL, tasks: Tasks) -> Callable[..., Doubts]:
    """What is found in the true poses of the round's frames, changed in the picture (u and v, px)."""

    def call(change: Change = lambda places: places, *, error: float | None = None, frames: int = 3) -> Doubts:
        known = torch.cat([hands.joints, 1.1 * hands.joints])
        plausibility = Plausibility(Surface(hands), known, ICVL16, error)
        labels = []
        for i in range(3):
            uvd = tasks.camera.to_image(hands.joints[i].double())
            moved = torch.cat([change(uvd[:, :2]) if i < frames else uvd[:, :2], uvd[:, 2:]], dim=1)
            labels.append(label(hands.files[i], tasks.camera.to_world(moved)))
        return plausibility.doubts(labels, tasks)

    return call


def label(item: str, joints: Tensor) -> Labelled:
    sixteen = len(joints)
    nothing = (False,) * sixteen
    return Labelled(item, joints, ("prediction",) * sixteen, nothing, ("ann",), nothing)


def mirrored(places: Tensor) -> Tensor:
    middle = (places.amin(dim=0) + places.amax(dim=0)) / 2
    return torch.stack([2 * middle[0] - places[:, 0], places[:, 1]], dim=1)


def test_true_hands_raise_no_doubt(doubts: Callable[..., Doubts]) -> None:
    assert doubts(error=5.0) == Doubts((), ())
    # Clicks are off by some pixels.
    noise = 2 * torch.randn(16, 2, generator=torch.Generator().manual_seed(0)).double()
    assert doubts(lambda places: places + noise).impossible == ()


def test_a_mirrored_hand_is_impossible(doubts: Callable[..., Doubts]) -> None:
    found = doubts(mirrored).impossible
    assert len({problem.item for problem in found}) == 3
    assert all(problem.what.startswith(IMPOSSIBLE) for problem in found)
    assert any("mirrored labels" in problem.what or "beside the hand" in problem.what for problem in found)


def test_fingers_that_are_swapped_are_too_long(doubts: Callable[..., Doubts]) -> None:
    order = [0, *range(15, 0, -1)]
    (problem, *_) = doubts(lambda places: places[order]).impossible
    assert problem.joint
    assert "mm in the labels, at most" in problem.what


def test_a_hand_elsewhere_is_beside_the_hand(doubts: Callable[..., Doubts]) -> None:
    found = doubts(lambda places: places + 60, frames=1)
    assert {problem.item for problem in found.impossible} == {found.impossible[0].item}
    assert any("of 16 joints in sight are beside the hand" in problem.what for problem in found.impossible)


def test_what_is_wrong_with_most_frames_is_wrong_with_all(doubts: Callable[..., Doubts], hands: ICVL) -> None:
    found = doubts(lambda places: places + 60, frames=2).impossible
    assert [problem.what for problem in found if problem.item == hands.files[2]] == [
        f"{IMPOSSIBLE}2 of 3 frames look odd or have one, and so this is not believed"
    ]


@pytest.mark.parametrize(
    ("error", "labels", "kinds"),
    [
        (10.0, 100, (1, 0)),
        (10.0, 99, (0, 1)),
        (20.0, 100, (0, 1)),
        (40.0, 100, (0, 0)),
        (None, 100, (0, 0)),
    ],
)
def test_distance_to_the_prediction_in_units_of_its_error(
    hands: ICVL, tasks: Tasks, error: float | None, labels: int, kinds: tuple[int, int]
) -> None:
    """The prediction is 60 mm to the right of where the annotator saw the hand."""
    preview = tasks.previews[0]
    far = replace(
        preview, predicted=tuple(g and g._replace(u=g.u + 60 / g.d * tasks.camera.fx) for g in preview.predicted)
    )
    other = replace(tasks, previews=(far,))
    known = hands.joints[torch.arange(labels) % len(hands.joints)]
    plausibility = Plausibility(Surface(hands), known, ICVL16, error)
    found = plausibility.doubts([label(preview.item, hands.joints[0].double())], other)
    assert (len(found.impossible), len(found.odd)) == kinds
    elsewhere = Plausibility(Surface(hands), known, ICVL16, error, sequences={"another"})
    assert elsewhere.doubts([label(preview.item, hands.joints[0].double())], other).impossible == ()
    if kinds == (1, 0):
        assert "times the network's error, more than 4" in found.impossible[0].what
    if kinds == (0, 1):
        (told,) = tell_odd(found.odd)
        assert told.startswith(f"1 frames look odd; look at them: {preview.item} (")


def test_few_labels_and_few_joints_tell_nothing_of_sides(hands: ICVL, tasks: Tasks) -> None:
    joints = hands.joints[0].double().clone()
    joints[4:] = torch.nan
    for known in (hands.joints[:0], hands.joints):
        plausibility = Plausibility(Surface(hands), known, ICVL16)
        assert plausibility.doubts([label(hands.files[0], joints)], tasks) == Doubts((), ())
    assert Plausibility(Surface(hands), hands.joints, ICVL16).doubts([label("elsewhere.png", joints)], tasks) == Doubts(
        (), ()
    )
