"""Labels of single frames that cannot be right; what numbers alone suspect, the depth of the frame decides."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.hands.checks.readings import floating
from seqgcn.datasets.hands.checks.surface import Looked, fit_of

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset

JUMP = 120.0
"""mm that a hand must move from one frame to the next and back to be looked at."""

UNUSUAL = 6.0
"""And how many times the sequence's usual step that must be."""

SMALLER, LARGER = 0.4, 2.2
"""Shares of the usual size of a hand beyond which a label is none."""

STRAY = 2.2
"""How many times as far as usual a joint must be from the hand's middle, and `FAR_OFF`."""

FAR_OFF = 160.0
"""mm."""

SAME = 0.05
"""mm by which copies of a label differ at most, as tables round them."""

WORSE = 0.3
"""By how much a copied label must fit worse than it does where it is from, or be floating."""

CONFIRMED = 160
"""Frames decoded at most to decide."""


@dataclass
class Suspects:
    """Labels that are left out, by kind: numbers of their frames."""

    size: list[int] = field(default_factory=list)
    stray: list[int] = field(default_factory=list)
    jump: list[int] = field(default_factory=list)
    copied: list[int] = field(default_factory=list)


def bad_labels(
    hands: "HandDataset",
    poses: NDArray[np.float64],
    rows: NDArray[np.int64],
    look: Callable[[int], Looked | None],
) -> Suspects:
    """Labels of single frames that cannot be right.

    Args:
        hands: The data set.
        poses: Labels of some frames, `[m, J, 3]` mm.
        rows: Numbers of these frames, `[m]`, ascending.
        look: Decodes a frame; None if it cannot be read.
    """
    bad = Suspects()
    if len(rows) < 3:
        return bad
    bad.stray = rows[_stray(poses)].tolist()
    bad.size = sorted(set(rows[_sizes(poses)].tolist()) - set(bad.stray))
    seen = {*bad.size, *bad.stray}
    bad.copied = [row for row in _copies(poses, rows, look) if row not in seen]
    seen.update(bad.copied)
    bad.jump = [row for row in _jumps(hands, poses, rows) if row not in seen and _wrong(look(row))]
    return bad


def _wrong(looked: Looked | None) -> bool:
    return looked is not None and (floating(looked) or fit_of(looked) < 0.1)


def _sizes(poses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Poses much smaller or larger than usual, `[m]`."""
    low, high = np.nanmin(poses, axis=1), np.nanmax(poses, axis=1)
    size = np.linalg.norm(high - low, axis=1)
    usual = np.nanmedian(size)
    known = np.isfinite(poses).all(axis=2).sum(axis=1)
    # A label of some joints alone is smaller than others.
    small = (size < SMALLER * usual) & (known > 0.8 * poses.shape[1]) & (poses.shape[1] >= 8)
    return np.asarray(small & (size < 60) | (size > LARGER * usual) & (size > 330))


def _stray(poses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Poses with a joint far from all others, `[m]`."""
    if poses.shape[1] < 4:
        return np.zeros(len(poses), np.bool_)
    far = np.linalg.norm(poses - np.nanmedian(poses, axis=1, keepdims=True), axis=2)
    worst = np.nanmax(far, axis=1)
    usual = np.nanmedian(worst)
    # Where more than one or two are far, it is the pose.
    few = (far > max(STRAY * usual, FAR_OFF)).sum(axis=1) <= max(1, poses.shape[1] // 8)
    return np.asarray((worst > STRAY * usual) & (worst > FAR_OFF) & few)


def _jumps(hands: "HandDataset", poses: NDArray[np.float64], rows: NDArray[np.int64]) -> list[int]:
    """Frames whose label is far from those of the frames before and after, which are near each other."""
    middle = np.nanmean(poses, axis=1)
    sequence = hands.sequence.numpy()[rows]
    found = []
    for number in np.unique(sequence).tolist():
        here = np.flatnonzero(sequence == number)
        if len(here) < 4:
            continue
        step = np.linalg.norm(np.diff(middle[here], axis=0), axis=1)
        over = np.linalg.norm(middle[here][2:] - middle[here][:-2], axis=1)
        limit = max(JUMP, UNUSUAL * float(np.median(step)))
        away = (step[:-1] > limit) & (step[1:] > limit) & (over < 0.5 * np.minimum(step[:-1], step[1:]))
        found += rows[here[1:-1][away]].tolist()
        # The ends have a neighbor on one side alone.
        if step[0] > limit and (step[1:] < limit).all():
            found.append(int(rows[here[0]]))
        if step[-1] > limit and (step[:-1] < limit).all():
            found.append(int(rows[here[-1]]))
    return found


def _copies(poses: NDArray[np.float64], rows: NDArray[np.int64], look: Callable[[int], Looked | None]) -> list[int]:
    """Frames with another frame's label that does not fit them."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for i, pose in enumerate(np.round(np.nan_to_num(poses, nan=-1.0) / SAME).astype(np.int64)):
        groups[pose.tobytes()].append(i)
    found: list[int] = []
    left = CONFIRMED
    for group in groups.values():
        if len(group) < 2 or left <= 0:
            continue
        tried = [group[0], *group[1:][: max(1, min(left, 20))]]
        left -= len(tried)
        looked = {i: look(int(rows[i])) for i in tried}
        fits = {i: fit_of(each) for i, each in looked.items() if each is not None}
        if len(fits) < 2:
            continue
        best = max(fits.values())
        bad = [i for i, fit in fits.items() if fit < best - WORSE]
        found += rows[bad].tolist()
        if len(bad) > 0.7 * len(fits):  # what was not looked at is no better
            found += rows[[i for i in group if i not in fits]].tolist()
    return sorted(found)
