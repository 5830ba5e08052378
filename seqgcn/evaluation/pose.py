"""How far predicted joints of a hand lie from the true ones, in millimeters."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from seqgcn.evaluation.table import markdown_table
from seqgcn.exceptions import ArgumentError

if TYPE_CHECKING:  # torch takes seconds to import, and a finished score needs no tensor
    from torch import Tensor

THRESHOLDS = tuple(float(threshold) for threshold in range(81))
"""Distances in mm at which success curves are read."""

TABLE_THRESHOLDS = (10, 20, 30, 40, 50)
"""Those of them that a table shows."""


def joint_errors(predicted: "Tensor", true: "Tensor") -> "Tensor":
    """Distance of every predicted joint from the true one, `[n, J]` float64 on the CPU, mm.

    Args:
        predicted: `[n, J, 3]` float, mm.
        true: `[n, J, 3]` float, mm; NaN of joints that are not labeled, whose errors are NaN then.

    Raises:
        ArgumentError: The shapes differ or are not `[n, J, 3]`, there is no frame or joint, a predicted coordinate is
            NaN or infinite, a true one infinite, or a frame or all frames lack every joint; the message names the rows.
    """
    from seqgcn.utils.validation import name_rows

    shape = predicted.shape
    if shape != true.shape or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise ArgumentError(
            "predicted and true must both be [n, J, 3] with n, J > 0, got "
            f"predicted {list(shape)} and true {list(true.shape)}"
        )
    for name, points in (("predicted", predicted), ("true", true)):
        if not points.is_floating_point():
            raise ArgumentError(f"{name} must be floating point, in mm, got {points.dtype}; use {name}.float()")
        known = points.isfinite().all(dim=2)
        wrong = ~known.all(dim=1) if name == "predicted" else points.isinf().flatten(1).any(dim=1) | ~known.any(dim=1)
        if wrong.any():
            raise ArgumentError(f"{name} has NaN or infinite coordinates in {name_rows(wrong)}; leave these frames out")
    errors: Tensor = (predicted.detach().cpu().double() - true.detach().cpu().double()).norm(dim=2)
    return errors


def mean_joint_error(predicted: "Tensor", true: "Tensor") -> float:
    """Mean distance over all joints of all frames that are labeled, mm; arguments and errors as for `joint_errors`."""
    return float(_labeled(joint_errors(predicted, true)).mean())


def per_joint_error(predicted: "Tensor", true: "Tensor") -> "Tensor":
    """Mean distance of each joint over the frames, `[J]` float64, mm; NaN of one never labeled; as `joint_errors`."""
    return _by_joint(joint_errors(predicted, true))


def success_curve(errors: "Tensor", thresholds: Sequence[float] = THRESHOLDS) -> "Tensor":
    """Share of the frames whose worst joint lies within each threshold, `[t]` float64 in [0, 1].

    Args:
        errors: From `joint_errors`, `[n, J]` mm; of joints that are NaN, as they are not labeled, nothing is said.
        thresholds: Distances, `[t]` mm.

    Raises:
        ArgumentError: `errors` is not `[n, J]` with n, J > 0, or a frame has nothing but NaN.
    """
    return _within(_checked_errors(errors).nan_to_num(nan=-1.0, posinf=math.inf).amax(dim=1), thresholds)


def joint_success_curve(errors: "Tensor", thresholds: Sequence[float] = THRESHOLDS) -> "Tensor":
    """Share of all joints that lie within each threshold, `[t]` float64 in [0, 1]; as for `success_curve`."""
    return _within(_labeled(_checked_errors(errors)), thresholds)


def _labeled(errors: "Tensor") -> "Tensor":
    """Errors of joints that are labeled, `[m]`."""
    return errors[~errors.isnan()]


def _by_joint(errors: "Tensor") -> "Tensor":
    import torch

    return torch.where(errors.isnan().any(dim=0), errors.nanmean(dim=0), errors.mean(dim=0))


def _checked_errors(errors: "Tensor") -> "Tensor":
    from seqgcn.utils.validation import name_rows

    if errors.dim() != 2 or errors.numel() == 0:
        raise ArgumentError(f"errors must be [n, J] with n, J > 0, got {list(errors.shape)}; see joint_errors")
    wrong = errors.isnan().all(dim=1)
    if wrong.any():
        raise ArgumentError(f"errors has nothing but NaN in {name_rows(wrong)}; leave these frames out")
    return errors.detach().cpu().double()


def _within(distances: "Tensor", thresholds: Sequence[float]) -> "Tensor":
    import torch

    limits = torch.tensor(thresholds, dtype=torch.float64)
    return torch.searchsorted(distances.sort().values, limits, right=True).double() / len(distances)


def area_under_success(fractions: npt.ArrayLike, thresholds: Sequence[float] = THRESHOLDS) -> float:
    """Area under a success curve by the trapezoid rule, divided by the range of its thresholds: in [0, 1].

    Args:
        fractions: Share within each threshold, `[t]`.
        thresholds: `[t]` mm, strictly increasing, t >= 2.

    Raises:
        ArgumentError: The lengths differ, there are fewer than two thresholds, or they do not increase.

    >>> area_under_success([0.0, 1.0, 1.0], [0, 10, 40])
    0.875
    """
    heights, limits = np.asarray(fractions, dtype=np.float64), np.asarray(thresholds, dtype=np.float64)
    if heights.shape != limits.shape or heights.ndim != 1 or len(limits) < 2 or not (np.diff(limits) > 0).all():
        raise ArgumentError(
            "a success curve needs one fraction for each of at least two increasing thresholds, got fractions "
            f"{list(heights.shape)} and thresholds {list(limits.shape)}"
        )
    return float(np.average((heights[1:] + heights[:-1]) / 2, weights=np.diff(limits)))


@dataclass(frozen=True, kw_only=True)
class Score:
    """How well the poses of a data set were predicted.

    Args:
        dataset: Its name.
        frames: Number of frames.
        joints: Names of the J joints.
        mean: Mean error over all joints of all frames, mm.
        median: Median of the same, mm.
        per_joint: Mean error of each joint, `[J]` mm.
        thresholds: Distances at which the two curves are read, mm.
        frames_within: Share of the frames whose worst joint lies within each threshold.
        joints_within: Share of all joints that lie within each threshold.
    """

    dataset: str
    frames: int
    joints: tuple[str, ...]
    mean: float
    median: float
    per_joint: tuple[float, ...]
    thresholds: tuple[float, ...]
    frames_within: tuple[float, ...]
    joints_within: tuple[float, ...]

    @property
    def frames_auc(self) -> float:
        """Area under `frames_within`, in [0, 1]."""
        return area_under_success(self.frames_within, self.thresholds)

    @property
    def joints_auc(self) -> float:
        """Area under `joints_within`, in [0, 1]."""
        return area_under_success(self.joints_within, self.thresholds)

    def table(self) -> str:
        """Markdown that also reads as plain text: mean and median, success within some distances, each joint."""
        last = f"{self.thresholds[-1]:g} mm"
        within = dict(zip(self.thresholds, zip(self.frames_within, self.joints_within, strict=True), strict=True))
        success = [
            (f"{limit} mm", f"{100 * within[limit][0]:.2f}", f"{100 * within[limit][1]:.2f}")
            for limit in TABLE_THRESHOLDS
            if limit in within
        ]
        success.append((f"area to {last}", f"{100 * self.frames_auc:.2f}", f"{100 * self.joints_auc:.2f}"))
        joints = [(name, f"{error:.3f}") for name, error in zip(self.joints, self.per_joint, strict=True)]
        return "\n\n".join(
            (
                f"{self.dataset}, {self.frames:,} frames, {len(self.joints)} joints",
                f"Mean joint error: {self.mean:.3f} mm (median {self.median:.3f} mm)",
                markdown_table(("within", "frames, worst joint (%)", "joints (%)"), success),
                markdown_table(("joint", "mean error (mm)"), [*joints, ("mean", f"{self.mean:.3f}")]),
            )
        )


def score_poses(
    predicted: "Tensor",
    true: "Tensor",
    *,
    dataset: str,
    joints: Sequence[str],
) -> Score:
    """Everything there is to say about predicted poses.

    Args:
        predicted: `[n, J, 3]` float, mm.
        true: `[n, J, 3]` float, mm.
        dataset: Name of the data set.
        joints: Names of the J joints.

    Raises:
        ArgumentError: As for `joint_errors`, or there are not J names.
    """
    errors = joint_errors(predicted, true)
    if len(joints) != errors.shape[1]:
        raise ArgumentError(f"joints must name the {errors.shape[1]} joints of the poses, got {len(joints)} names")
    return Score(
        dataset=dataset,
        frames=len(errors),
        joints=tuple(joints),
        mean=float(_labeled(errors).mean()),
        median=float(np.median(_labeled(errors).numpy())),
        per_joint=tuple(_by_joint(errors).tolist()),
        thresholds=THRESHOLDS,
        frames_within=tuple(success_curve(errors).tolist()),
        joints_within=tuple(joint_success_curve(errors).tolist()),
    )
