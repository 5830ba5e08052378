"""mediapipe's landmarks as a learner that is not trained."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from fake_landmarks import lack_landmarks
from sklearn.base import clone
from torch import Tensor

from seqgcn import CoreGCN, CoreSet, Variance
from seqgcn.datasets.hands.hand_dataset import HandFrames
from seqgcn.datasets.hands.landmarks.found import Landmarks, LandmarkSource
from seqgcn.exceptions import ArgumentError, MissingPackageError, SeqGCNWarning
from seqgcn.learners import Learner, MediapipeHands, check_served
from seqgcn.learners.components import new_learner

Hands = Callable[..., tuple[HandFrames, Tensor]]

JOINTS = (0, 12, 8)
"""Landmarks that the three joints are."""


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqgcn.learners.landmarks.detector_available", lambda: True)


def seen(
    frames: HandFrames, joints: Tensor, *, missing: tuple[int, ...] = (), unknown: int | None = None
) -> HandFrames:
    """The same frames with landmarks at their true joints, the others halfway to the wrist; none in some frames."""
    points = joints[:, :1].expand(-1, 21, -1).clone()
    points[:, JOINTS] = joints
    found = Landmarks(
        points, torch.ones(len(frames), 21).bool(), torch.ones(len(frames)), torch.zeros(len(frames)).bool()
    )
    found.points[list(missing)] = torch.nan
    weights = torch.zeros(3, 21)
    weights[torch.arange(3), list(JOINTS)] = 1
    if unknown is not None:
        weights[unknown] = torch.nan
    return replace(frames, landmarks=LandmarkSource(lambda index, _progress: found[index], weights))


def test_it_predicts_joints_in_mm_without_being_fitted(hands: Hands) -> None:
    frames, joints = hands(6)
    predicted = MediapipeHands().predict(seen(frames, joints)[torch.tensor([4, 1])])
    torch.testing.assert_close(predicted, joints[[4, 1]])
    assert MediapipeHands().score(seen(frames, joints), joints) == pytest.approx(0, abs=1e-4)


def test_distances_of_embeddings_are_root_mean_squares_of_distances_of_landmarks(hands: Hands) -> None:
    frames, joints = hands(6)
    held = seen(frames, joints)
    x = MediapipeHands().describe(held, ("x",)).x
    assert x.shape == (6, 63)
    points = held.landmarks.find(held.index, None).points if held.landmarks else torch.empty(0)
    relative = points - points[:, :1]
    rms = (relative[0] - relative[1]).square().sum(dim=1).mean().sqrt()
    assert float((x[0] - x[1]).norm()) == pytest.approx(float(rms), rel=1e-5)


def test_where_a_hand_is_does_not_change_its_embedding(hands: Hands) -> None:
    frames, joints = hands(4)
    moved = seen(frames, joints + torch.tensor([50.0, -20.0, 100.0]))
    x = MediapipeHands().describe(seen(frames, joints), ("x",)).x
    torch.testing.assert_close(MediapipeHands().describe(moved, ("x",)).x, x, rtol=0, atol=1e-4)


def test_left_hands_are_described_as_their_mirror_images(hands: Hands) -> None:
    frames, joints = hands(4)
    right = MediapipeHands().describe(seen(frames, joints), ("x",)).x
    left = replace(seen(frames, joints * torch.tensor([-1.0, 1.0, 1.0])), mirror=True)
    torch.testing.assert_close(MediapipeHands().describe(left, ("x",)).x, right)


def test_frames_without_a_hand_are_told_and_described_by_zero(hands: Hands) -> None:
    frames, joints = hands(6)
    held = seen(frames, joints, missing=(1, 4))
    with pytest.warns(SeqGCNWarning, match=r"no hand in 2 of 6 frames"):
        x = MediapipeHands().describe(held, ("x",)).x
    assert not x[[1, 4]].any()
    assert x[[0, 2, 3, 5]].any(dim=1).all()
    assert MediapipeHands().predict(held)[[1, 4]].isnan().all()


def test_the_joints_of_a_frame_without_a_hand_count_as_at_the_crops_center(hands: Hands) -> None:
    frames, joints = hands(4)
    expected = float((joints[2] - frames.centre[2]).norm(dim=1).mean()) / 4
    assert MediapipeHands().score(seen(frames, joints, missing=(2,)), joints) == pytest.approx(expected, rel=1e-4)


def test_joints_without_a_landmark_are_not_predicted_and_have_no_error(hands: Hands) -> None:
    frames, joints = hands(4)
    held = seen(frames, joints, unknown=1)
    predicted = MediapipeHands().predict(held)
    assert predicted[:, 1].isnan().all()
    torch.testing.assert_close(predicted[:, [0, 2]], joints[:, [0, 2]])
    with pytest.raises(ArgumentError, match=r"no landmark for middle.*detector_joints"):
        MediapipeHands().score(held, joints)


def test_crops_are_given_as_images_too(hands: Hands) -> None:
    frames, joints = hands(4)
    data = MediapipeHands().describe(seen(frames, joints), ("image", "x"))
    assert data.image.shape == (4, 1, 48, 48)
    assert data.image.dtype == torch.uint8


def test_fit_checks_what_it_is_given_and_trains_nothing(hands: Hands) -> None:
    frames, joints = hands(4)
    learner = MediapipeHands()
    assert learner.fit(seen(frames, joints), joints, unconfirmed=1) is learner
    with pytest.raises(ArgumentError, match=r"joints must be \[4, 3, 3\]"):
        learner.fit(seen(frames, joints), joints[:, :2])


def test_crops_that_are_of_no_files_are_refused(hands: Hands) -> None:
    frames, joints = hands(4)
    for ask in (lambda: MediapipeHands().predict(frames), lambda: MediapipeHands().fit(frames, joints)):
        with pytest.raises(ArgumentError, match=r"dataset\.frames"):
            ask()


def test_it_is_a_learner_by_name_and_can_be_copied() -> None:
    learner = new_learner("mediapipe", {}, "cpu")
    assert isinstance(learner, Learner)
    assert isinstance(clone(learner), MediapipeHands)
    assert MediapipeHands(seed=3).get_params() == {"seed": 3}


def test_without_the_extra_the_error_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    lack_landmarks(monkeypatch)
    monkeypatch.setattr("sys.version_info", (3, 12))
    with pytest.raises(MissingPackageError, match=r'pip install "seqgcn\[mediapipe\]"'):
        new_learner("mediapipe", {}, "cpu")


@pytest.mark.parametrize("selector", [CoreGCN(), CoreSet()])
def test_selectors_of_embeddings_are_served(selector: Any) -> None:
    check_served(MediapipeHands(), selector)


def test_a_selector_that_asks_for_several_answers_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"target_samples.*one answer"):
        check_served(MediapipeHands(), Variance())


def test_a_seed_that_is_none_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"seed.*-1"):
        MediapipeHands(seed=-1).check_parameters()


def test_the_scale_of_embeddings(hands: Hands) -> None:
    frames, joints = hands(2)
    x = MediapipeHands().describe(seen(frames, joints), ("x",)).x.unflatten(1, (21, 3))
    torch.testing.assert_close(x[:, 12] * math.sqrt(21), joints[:, 1] - joints[:, 0])
