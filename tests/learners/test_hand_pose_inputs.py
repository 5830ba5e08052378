from collections.abc import Callable, Iterable
from typing import Any, get_args

import pytest
import torch
from sklearn.base import clone
from torch import Tensor

from seqgcn.datasets.hands.hand_dataset import HandFrames
from seqgcn.exceptions import ArgumentError
from seqgcn.learners import HandPose
from seqgcn.learners.hand_pose import Net

Hands = Callable[..., tuple[HandFrames, Tensor]]

NETS = get_args(Net)
SIZES = {"deep-prior": 48, "deep-prior-no-pca": 64, "deep-prior-plus": 48, "awr": 32}

pytestmark = pytest.mark.usefixtures("narrow")


def small(**changes: Any) -> HandPose:
    return HandPose(**{"epochs": 2, "batch_size": 8, "device": "cpu"} | changes)


def bits(learner: HandPose) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in learner.state().values())


def test_warm_start_takes_no_other_joints_or_crops(hands: Hands) -> None:
    frames, joints = hands(20)
    learner = small(warm_start=True).fit(frames, joints)
    with pytest.raises(ArgumentError, match=r"joints must be \[20, 3, 3\], mm, one row a frame, got \[20, 2, 3\]"):
        learner.fit(frames, joints[:, :2])
    with pytest.raises(ArgumentError, match="crops are 64 px, but fit was given 48 px"):
        learner.fit(*hands(20, 64))


@pytest.mark.parametrize("net", NETS)
def test_a_state_is_that_of_one_network(net: str, hands: Hands) -> None:
    learner = small(net=net, components=4 if net.endswith(("prior", "plus")) else None).fit(*hands(8, SIZES[net]))
    state = learner.state()
    restored = clone(learner).restore(state)
    assert (restored.num_joints_, restored.size_) == (3, SIZES[net])
    assert restored.components_ == learner.components_
    for other in set(NETS) - {net}:
        fresh = small(net=other)
        with pytest.raises(ArgumentError, match=f"another network than a HandPose with net='{other}'"):
            fresh.restore(state)
        assert not hasattr(fresh, "module_")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"net": "deepprior"}, "net must be one of 'deep-prior', 'deep-prior-no-pca', 'deep-prior-plus', 'awr', got"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"dropout": 1.0}, "dropout must be a number in"),
        ({"net": "awr", "dropout": 0.3}, "net='awr' has no dropout; leave dropout=None"),
        ({"augment": 1}, "augment must be True or False"),
        ({"shift": float("nan")}, "shift must be a number in"),
        ({"rotation": 200.0}, "rotation must be a number in"),
        ({"scale": -0.1}, "scale must be a number in"),
        ({"components": 0}, "components must be a whole number"),
        ({"net": "awr", "components": 3}, "net='awr' has no principal axes; leave components=None"),
        ({"samples": 0}, "samples must be a whole number"),
    ],
)
def test_wrong_parameter(changes: dict[str, Any], message: str, hands: Hands) -> None:
    learner = small(**changes)
    with pytest.raises(ArgumentError, match=message):
        learner.fit(*hands())
    assert not hasattr(learner, "module_")


def test_wrong_frames(hands: Hands) -> None:
    frames, joints = hands()
    learner = small().fit(frames, joints)
    calls: Iterable[Callable[[Any], object]] = (
        lambda wrong: small().fit(wrong, joints),
        learner.predict,
        lambda wrong: learner.score(wrong, joints),
        lambda wrong: learner.describe(wrong, ("x",)),
    )
    for call in calls:
        with pytest.raises(
            ArgumentError, match=r"frames must be HandFrames, as dataset.frames\[ids\] gives, got Tensor"
        ):
            call(torch.zeros(8, 1, 48, 48))
        with pytest.raises(ArgumentError, match="there are no frames; give at least one"):
            call(frames[torch.arange(0)])
    with pytest.raises(ArgumentError, match="crops are 64 px, but fit was given 48 px"):
        learner.predict(hands(8, 64)[0])


@pytest.mark.slow
def test_crops_too_small_for_the_network(hands: Hands) -> None:
    frames, joints = hands(8, 32)
    learner = small()
    with pytest.raises(ArgumentError, match="deep-prior needs crops of at least 44 px, got 32"):
        learner.fit(frames, joints)
    assert not hasattr(learner, "module_")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda joints: joints[:7], r"joints must be \[8, J, 3\], mm, one row a frame, got \[7, 3, 3\]"),
        (lambda joints: joints.flatten(1), r"one row a frame, got \[8, 9\]"),
        (lambda joints: joints[:, :0], r"one row a frame, got \[8, 0, 3\]"),
        (lambda joints: joints[..., :2], r"one row a frame, got \[8, 3, 2\]"),
        (lambda joints: joints.long(), r"joints must be a floating-point tensor \[8, J, 3\], mm, got torch.int64"),
        (lambda joints: joints.tolist(), "got list"),
        (
            lambda joints: joints.index_fill(0, torch.tensor([2, 5]), torch.nan),
            r"are missing \(NaN\) in rows 2, 5; keep only labeled frames: frames\[dataset.labelled\]",
        ),
        (lambda joints: joints.masked_fill(joints == joints[3, 1, 0], torch.nan), "along one axis alone, in rows 3;"),
        (lambda joints: joints.masked_fill(joints == joints[3, 1, 0], torch.inf), "are infinite, .* in rows 3;"),
        (
            lambda joints: joints * torch.tensor([1, -1, -1]),
            r"must lie in front of the camera \(z > 0 mm\), but do not in rows 0, 1, .*; Camera.from_release turns",
        ),
    ],
)
def test_wrong_joints(change: Callable[[Tensor], Any], message: str, hands: Hands) -> None:
    frames, joints = hands()
    wrong, learner = change(joints), small()
    with pytest.raises(ArgumentError, match=message):
        learner.fit(frames, wrong)
    assert not hasattr(learner, "module_")
    fitted = small().fit(frames, joints)
    with pytest.raises(ArgumentError, match=message.replace("J", "3")):
        fitted.score(frames, wrong)


def test_float64_joints_are_fine(hands: Hands) -> None:
    frames, joints = hands(12)
    learner = small().fit(frames, joints.double())
    assert bits(learner) == bits(small().fit(frames, joints))
    assert learner.score(frames, joints.double()) == pytest.approx(learner.score(frames, joints))


@pytest.mark.parametrize(("net", "size"), [("deep-prior-no-pca", 59), ("awr", 40)])
def test_sizes_are_checked_before_there_are_crops(net: Any, size: int) -> None:
    with pytest.raises(ArgumentError, match=rf"got {size}; set dataset.crop_size"):
        HandPose(net=net).check_size(size)
    HandPose(net=net).check_size(64)
