"""Checks before training: what is wrong as a whole ends the command, single frames are left out with a count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seqgcn.datasets.hands.checks.checking import check_dataset
from seqgcn.datasets.hands.checks.findings import OF_LABELS
from seqgcn.datasets.hands.cropping import in_words
from seqgcn.utils.messages import counted, log

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset


@dataclass(frozen=True, eq=False)
class CheckedPool:
    """Frames to pick from, and what must not be used of them.

    Args:
        hands: The frames, without those that are empty.
        distrusted: Names of those whose labels are not used.
        frozen: Names of those that show what the frame before shows: nobody needs to label them.
    """

    hands: "HandDataset"
    distrusted: frozenset[str] = frozenset()
    frozen: frozenset[str] = frozenset()

    def trusted(self, ids: Tensor) -> Tensor:
        """Those of some frames whose labels are used, `[m]` int64."""
        if not self.distrusted:
            return ids
        return ids[[self.hands.files[i] not in self.distrusted for i in ids.tolist()]]

    @property
    def unfit(self) -> Tensor | None:
        """Frames that are not to be picked, `[n]` bool; None if all may be."""
        if not self.frozen:
            return None
        return torch.tensor([file in self.frozen for file in self.hands.files])


def check_part(hands: "HandDataset", accept: bool) -> "HandDataset":
    """A part whose labels are all used, without frames that cannot be.

    Args:
        hands: Not cropped yet, or cropped.
        accept: Whether to take labels as they are.

    Raises:
        DataFileError: Labels or camera are wrong as a whole, and not accepted.
    """
    report = check_dataset(hands)
    if not accept:
        report.raise_wrong()
    out = report.rows("empty", "frozen", *(() if accept else OF_LABELS))
    if not bool(out.any()) or bool(out.all()):
        return hands
    _tell(hands, report.counts if not accept else report.counts_of("empty", "frozen"))
    keep = (~out).nonzero().flatten()
    return hands[keep] if hands.prepared else hands.subset(keep)


def check_pool(hands: "HandDataset", accept: bool) -> CheckedPool:
    """Frames to pick from; see `check_part`."""
    report = check_dataset(hands)
    if not accept:
        report.raise_wrong()
    _tell(hands, report.counts if not accept else report.counts_of("empty", "frozen"))
    distrusted = report.rows(*OF_LABELS) if not accept else torch.zeros(len(hands), dtype=torch.bool)
    empty = report.rows("empty")
    names = [
        frozenset(hands.files[i] for i in mask.nonzero().flatten().tolist())
        for mask in (distrusted, report.rows("frozen"))
    ]
    kept = hands.subset((~empty).nonzero().flatten()) if bool(empty.any()) and not bool(empty.all()) else hands
    return CheckedPool(kept, *names)


def left_out(names: Sequence[str], hands: "HandDataset") -> tuple[str, ...]:
    """Those of some names that are not among the frames any more; lists may name them all the same."""
    there = set(hands.files)
    return tuple(name for name in names if name not in there)


def _tell(hands: "HandDataset", counts: dict[str, int]) -> None:
    if counts:
        total = counted(sum(counts.values()), "frame")
        log.warning(f"{hands.name}: {total} left out: {in_words(counts)}; seqgcn check {hands.root} shows them")
