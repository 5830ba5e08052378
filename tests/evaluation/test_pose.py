import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqgcn.evaluation import (
    THRESHOLDS,
    area_under_success,
    joint_errors,
    joint_success_curve,
    mean_joint_error,
    per_joint_error,
    score_poses,
    success_curve,
)
from seqgcn.exceptions import ArgumentError

relaxed = settings(deadline=None)  # the first example may import a library

# Two frames, three joints: off by 3-4-5 and 2-3-6 triangles.
TRUE = torch.tensor([[[0, 0, 500], [10, 0, 500], [0, 10, 500]], [[5, 5, 400], [0, 0, 400], [1, 1, 400]]]).float()
OFF = torch.tensor([[[3, 4, 0], [0, 0, 0], [0, 0, 10]], [[2, 3, 6], [0, -20, 0], [30, 0, 0]]]).float()
ERRORS = torch.tensor([[5.0, 0.0, 10.0], [7.0, 20.0, 30.0]], dtype=torch.float64)


def test_errors_by_hand() -> None:
    torch.testing.assert_close(joint_errors(TRUE + OFF, TRUE), ERRORS, rtol=0, atol=0)
    assert mean_joint_error(TRUE + OFF, TRUE) == 12.0
    assert per_joint_error(TRUE + OFF, TRUE).tolist() == [6.0, 10.0, 20.0]
    assert mean_joint_error(TRUE, TRUE) == 0.0


def test_joints_without_labels_do_not_count() -> None:
    true = TRUE.clone()
    true[1, 2] = math.nan
    errors = joint_errors(TRUE + OFF, true)
    assert errors.isnan().tolist() == [[False] * 3, [False, False, True]]
    assert mean_joint_error(TRUE + OFF, true) == pytest.approx((5 + 0 + 10 + 7 + 20) / 5)
    assert per_joint_error(TRUE + OFF, true).tolist() == [6.0, 10.0, 10.0]
    limits = [0, 5, 10, 20]
    assert success_curve(errors, limits).tolist() == [0, 0, 0.5, 1]
    assert joint_success_curve(errors, limits).tolist() == pytest.approx([0.2, 0.4, 0.8, 1])
    score = score_poses(TRUE + OFF, true, dataset="x", joints=["a", "b", "c"])
    assert (score.mean, score.median, score.per_joint) == (pytest.approx(8.4), 7.0, (6.0, 10.0, 10.0))


def test_success_by_hand() -> None:
    limits = [0, 9.9, 10, 20, 29, 30, 80]
    assert success_curve(ERRORS, limits).tolist() == [0, 0, 0.5, 0.5, 0.5, 1, 1]
    six = joint_success_curve(ERRORS, limits) * 6
    assert six.tolist() == pytest.approx([1, 3, 4, 5, 5, 6, 6])


def test_thresholds_are_every_millimetre_to_80() -> None:
    assert tuple(range(81)) == THRESHOLDS
    assert len(success_curve(ERRORS)) == len(joint_success_curve(ERRORS)) == 81


def test_area_by_hand() -> None:
    assert area_under_success([0, 1, 1], [0, 10, 40]) == pytest.approx((5 + 30) / 40)
    assert area_under_success(torch.ones(81)) == 1.0
    # 0.5 from 10 mm, 1 from 30 mm, with a slope of one millimeter before each.
    assert area_under_success(success_curve(ERRORS)) == pytest.approx((0.25 + 19 * 0.5 + 0.75 + 50) / 80)


@relaxed
@given(st.lists(st.lists(st.floats(0, 1e4), min_size=3, max_size=3), min_size=1, max_size=20))
def test_success_rises_and_a_frame_is_harder_than_a_joint(rows: list[list[float]]) -> None:
    errors = torch.tensor(rows, dtype=torch.float64)
    frames, joints = success_curve(errors), joint_success_curve(errors)
    assert (frames.diff() >= 0).all()
    assert (joints.diff() >= 0).all()
    assert (frames <= joints + 1e-12).all()
    for limit in (0, 10, 80):
        assert joints[limit] == pytest.approx((errors <= limit).double().mean().item())
        assert frames[limit] == pytest.approx((errors <= limit).all(dim=1).double().mean().item())
    assert 0 <= area_under_success(frames) <= area_under_success(joints) + 1e-12 <= 1 + 1e-9


@pytest.mark.parametrize(
    ("predicted", "true", "message"),
    [
        (TRUE[:1], TRUE, r"predicted \[1, 3, 3\] and true \[2, 3, 3\]"),
        (TRUE[:, 0], TRUE[:, 0], r"must both be \[n, J, 3\]"),
        (TRUE[:0], TRUE[:0], "n, J > 0"),
        (TRUE[:, :0], TRUE[:, :0], "n, J > 0"),
        (TRUE[..., :2], TRUE[..., :2], r"\[2, 3, 2\]"),
        (TRUE.long(), TRUE, "predicted must be floating point"),
        (TRUE, TRUE.index_fill(0, torch.tensor([1]), math.nan), "true has NaN or infinite coordinates in rows 1;"),
        (TRUE * math.inf, TRUE, "predicted has NaN or infinite coordinates in rows 0, 1;"),
    ],
)
def test_errors_refuse(predicted: Tensor, true: Tensor, message: str) -> None:
    for measure in (joint_errors, mean_joint_error, per_joint_error):
        with pytest.raises(ArgumentError, match=message):
            measure(predicted, true)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (ERRORS[0], r"errors must be \[n, J\] with n, J > 0, got \[3\]"),
        (ERRORS[:0], "n, J > 0"),
        (torch.tensor([[1.0], [math.nan]]), "errors has nothing but NaN in rows 1"),
    ],
)
def test_success_refuses(errors: Tensor, message: str) -> None:
    for measure in (success_curve, joint_success_curve):
        with pytest.raises(ArgumentError, match=message):
            measure(errors)


@pytest.mark.parametrize(
    ("fractions", "limits"), [([1.0], [1.0]), ([0.0, 1.0], [1.0, 1.0]), ([0.0, 1.0], [0.0, 1.0, 2.0]), ([], [])]
)
def test_area_refuses(fractions: list[float], limits: list[float]) -> None:
    with pytest.raises(ArgumentError, match="at least two increasing thresholds"):
        area_under_success(fractions, limits)


def test_score_by_hand() -> None:
    score = score_poses(TRUE + OFF, TRUE, dataset="NYU", joints=("tip", "mid", "palm"))
    assert (score.frames, score.mean, score.median) == (2, 12.0, np.median([5, 0, 10, 7, 20, 30]))
    assert score.per_joint == (6.0, 10.0, 20.0)
    assert (score.thresholds, score.frames_within[9:11]) == (THRESHOLDS, (0.0, 0.5))
    assert score.joints_within[10] == pytest.approx(4 / 6)
    assert score.frames_auc == area_under_success(score.frames_within)
    assert score.joints_auc == area_under_success(score.joints_within)
    assert score.table().splitlines() == [
        "NYU, 2 frames, 3 joints",
        "",
        "Mean joint error: 12.000 mm (median 8.500 mm)",
        "",
        "| within        | frames, worst joint (%) | joints (%) |",
        "| ------------- | ----------------------: | ---------: |",
        "| 10 mm         |                   50.00 |      66.67 |",
        "| 20 mm         |                   50.00 |      83.33 |",
        "| 30 mm         |                  100.00 |     100.00 |",
        "| 40 mm         |                  100.00 |     100.00 |",
        "| 50 mm         |                  100.00 |     100.00 |",
        f"| area to 80 mm | {100 * score.frames_auc:23.2f} | {100 * score.joints_auc:10.2f} |",
        "",
        "| joint | mean error (mm) |",
        "| ----- | --------------: |",
        "| tip   |           6.000 |",
        "| mid   |          10.000 |",
        "| palm  |          20.000 |",
        "| mean  |          12.000 |",
    ]


def test_score_refuses_another_number_of_names() -> None:
    with pytest.raises(ArgumentError, match="name the 3 joints of the poses, got 1 names"):
        score_poses(TRUE, TRUE, dataset="NYU", joints=("tip",))
