"""Picks whose predicted poses are nearly the same: what embeddings hold apart may be one pose to the eye."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

SAME_POSE = 10.0
"""mm, in the mean over joints, up to which two poses are nearly the same to the eye."""

MOST_LABELS = 20_000
"""Labels that picks are compared with; of more, evenly spaced ones."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Poses:
    """Poses of a round's hands, mm; NaN where a joint is unknown.

    Args:
        picks: As they are predicted, `[b, J, 3]`.
        labelled: As they are labeled, `[m, J, 3]`.
    """

    picks: Floats
    labelled: Floats


class PoseNear(NamedTuple):
    """What is nearest to a pick in pose.

    Args:
        pick: Number of a pick, from 0; -1 for a labeled item.
        labelled: Number among the labeled items; -1 for a pick.
        mm: Distance.
    """

    pick: int
    labelled: int
    mm: float


@dataclass(frozen=True, kw_only=True)
class PoseTwins:
    """How near picks are to each other and to labels, by pose.

    Args:
        nearest: Of each pick, `[b]`; None where too few joints are known.
        picks: How many are at most `SAME_POSE` from another pick or a labeled item.
        between: Median distance of two picks, mm; None of a single one.
        threshold: `SAME_POSE`.
    """

    nearest: tuple[PoseNear | None, ...]
    picks: int
    between: float | None
    threshold: float = SAME_POSE

    @property
    def uniform(self) -> bool:
        """Whether the predictions hardly differ at all, so that they tell nothing."""
        return self.between is not None and self.between <= self.threshold


def pose_twins(poses: Poses) -> PoseTwins:
    """Nearest poses of picks: mean distance of joints, the middles of both hands moved onto each other.

    Args:
        poses: Of the round.
    """
    picks, labels = np.asarray(poses.picks, np.float64), np.asarray(poses.labelled, np.float64)
    numbers = np.arange(0, len(labels), max(1, -(-len(labels) // MOST_LABELS)))
    labels = labels[numbers]
    nearest: list[PoseNear | None] = []
    between: list[float] = []
    for number, pose in enumerate(picks):
        to_picks, to_labels = _distances(pose, picks), _distances(pose, labels)
        between += to_picks[number + 1 :][np.isfinite(to_picks[number + 1 :])].tolist()
        to_picks[number] = np.inf
        both = np.concatenate([to_picks, to_labels])
        best = int(both.argmin())
        if not np.isfinite(both[best]):
            nearest.append(None)
        elif best < len(picks):
            nearest.append(PoseNear(best, -1, float(both[best])))
        else:
            nearest.append(PoseNear(-1, int(numbers[best - len(picks)]), float(both[best])))
    return PoseTwins(
        nearest=tuple(nearest),
        picks=sum(near is not None and near.mm <= SAME_POSE for near in nearest),
        between=float(np.median(between)) if between else None,
    )


def nearest_in_words(found: PoseTwins, labelled: Sequence[str]) -> list[str]:
    """What is nearest to each pick, in words; empty where nobody knows.

    Args:
        found: From `pose_twins`.
        labelled: Names of the labeled items.
    """
    return [
        ""
        if near is None
        else f"pick {near.pick + 1}, {near.mm:.1f} mm"
        if near.pick >= 0
        else f"the labeled {labelled[near.labelled]}, {near.mm:.1f} mm"
        for near in found.nearest
    ]


def _distances(pose: Floats, others: Floats) -> Floats:
    """Mean distance of joints that both have, `[n]` mm; infinite where these are fewer than half."""
    off = others - pose
    known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(off).all(axis=2))
    count = known.sum(axis=1)
    off = np.where(known[..., None], off, 0.0)
    moved = off.sum(axis=1) / np.maximum(count, 1)[:, None]
    apart = np.linalg.norm(off - moved[:, None], axis=2)
    mean = (apart * known).sum(axis=1) / np.maximum(count, 1)
    enough = (count > 0) & (2 * count >= len(pose))
    return np.asarray(np.where(enough, mean, np.inf), np.float64)
