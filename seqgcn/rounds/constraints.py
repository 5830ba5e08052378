"""A selector's picks under what a budget also has to heed: what items cost, and how near frames of a video are."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.config.gap import check_gap, nanoseconds
from seqgcn.datasets.frame_names import number_frames
from seqgcn.exceptions import ArgumentError
from seqgcn.selectors.selector import Selection, Selector, split_pool
from seqgcn.training import Progress
from seqgcn.utils.validation import check_number, check_values, check_whole, name_rows, name_some

_ROUNDING = 1 + 1e-9
"""Costs that come to the budget but for their rounding can be afforded."""


@dataclass(frozen=True, eq=False)
class Videos:
    """Which frame of which sequence each item is.

    Args:
        sequence: Number of its sequence, `[n]` int64.
        frame: Number of the frame in it, `[n]` int64.
        time: When it was taken, `[n]` int64, nanoseconds; -1 where that is not known. None if it is of no item.
        notes: What a user should know of how the names were taken, for the sequences with a note.
        untimed: The first sequence without times, and why it has none.
    """

    sequence: NDArray[np.int64]
    frame: NDArray[np.int64]
    time: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()
    untimed: str = ""

    @classmethod
    def of(cls, items: Sequence[str]) -> "Videos":
        """By the names of the items: a folder is a sequence; see `number_frames` for the frames in it."""
        folders: dict[str, list[int]] = {}
        for item, name in enumerate(items):
            folders.setdefault(name.rpartition("/")[0], []).append(item)
        sequence, frame = np.empty(len(items), np.int64), np.empty(len(items), np.int64)
        time = np.full(len(items), -1, np.int64)
        odd: dict[str, list[str]] = {}
        untimed = ""
        for number, (folder, members) in enumerate(folders.items()):
            found = number_frames([items[item] for item in members])
            sequence[members], frame[members] = number, found.frame
            if found.time is not None:
                time[members] = found.time
            elif not untimed:
                untimed = f"the names of {folder or 'the frames'} (such as {items[members[0]]}) {found.why}"
            if not found.counts and len(members) > 1:
                odd.setdefault(found.why, []).append(f"{folder or 'the frames'} (such as {items[members[0]]})")
        notes = tuple(f"the names of {name_some(names, 3)} {why}" for why, names in odd.items())
        return cls(sequence, frame, time if (time >= 0).any() else None, notes, untimed)


def choose(
    selector: Selector,
    data: Data,
    budget: float,
    *,
    costs: Tensor | None = None,
    videos: Videos | None = None,
    min_gap: int | str = 0,
    progress: Progress | None = None,
) -> Selection:
    """Go through a selector's picks, best first, and keep those that can be afforded and are not too near in time.

    The selector is asked for as many items as the budget could buy at most; where frames of a video are then passed
    over, for more. A pick too dear for what is left is passed over too, and one too dear for the whole budget is no
    candidate. Fewer items than the budget may be the result of a gap, as a pick can stand in the way of two.

    Args:
        selector: What picks.
        data: The pool, as for `Selector.select`.
        budget: Number of items to pick, or, with `costs`, what they may cost together.
        costs: Of each item, `[n]` above 0; those that may not be picked may have none (NaN).
        videos: Of each node; needed for `min_gap`.
        min_gap: Picks of one sequence are at least this far apart: frames, or a time such as `"0.5s"` or `"500ms"`.
        progress: Told how far the selector is.

    Returns:
        What was kept, on the CPU wherever the data is.

    Raises:
        ArgumentError: The budget cannot be spent, see `most_items`, or an argument does not fit the data.
    """
    labelled, candidates = split_pool(data)
    asked = most_items(candidates, budget, costs=costs, videos=videos, min_gap=min_gap)
    price = _prices(costs, candidates.cpu())
    if costs is not None:
        candidates &= (price <= budget * _ROUNDING).to(candidates.device)
        data = copy.copy(data)
        data.pool_mask = candidates
    near = _near(videos, min_gap, len(labelled))
    available = int(candidates.sum())
    while True:
        selection = selector.select(data, asked, progress=progress)
        positions, left, refused = _keep(selection.index.tolist(), price.tolist(), budget, near)
        kept = torch.tensor(positions, dtype=torch.int64, device=selection.index.device)
        if not refused or asked >= available:
            break
        rest = candidates.cpu().clone()
        rest[selection.index[kept].cpu()] = False
        if left < price[rest].min():
            break
        asked = min(2 * asked, available)
    return replace(
        selection,
        index=selection.index[kept].cpu(),
        score=selection.score[kept].cpu(),
        details={name: value.cpu() for name, value in selection.details.items()},
    )


def most_items(
    candidates: Tensor,
    budget: float,
    *,
    costs: Tensor | None = None,
    videos: Videos | None = None,
    min_gap: int | str = 0,
) -> int:
    """How many items a budget could buy at most, whatever picks them.

    Args:
        candidates: What may be picked, `[n]` bool, none of it labeled.
        budget: As for `choose`, as are the others.
        costs: Of each item.
        videos: Of each item.
        min_gap: Between picks of one sequence.

    Raises:
        ArgumentError: The budget cannot be spent: it is no whole number, too small for the cheapest item, or too large
            for what there is or the gap leaves; or an argument does not fit.
    """
    candidates = candidates.cpu()
    near = _near(videos, min_gap, len(candidates))
    prices = _prices(costs, candidates)[candidates]
    if costs is not None:
        check_number("budget", budget, low=0)
        if len(prices) == 0:
            raise ArgumentError("no item is left to pick: all are labeled or left out")
        if budget * _ROUNDING < float(prices.min()):
            raise ArgumentError(f"budget is {budget:.10g}, but the cheapest candidate costs {float(prices.min()):.10g}")
        return int((prices.sort().values.cumsum(0) <= budget * _ROUNDING).sum())
    asked = check_whole("budget", int(budget) if isinstance(budget, float) and budget.is_integer() else budget, low=0)
    if asked > len(prices):
        raise ArgumentError(f"budget is {asked:,}, but only {len(prices):,} items are unlabeled and may be picked")
    if near is not None and asked > (most := near.most(candidates.numpy())):
        apart = min_gap if isinstance(min_gap, str) else f"{min_gap} frames"
        raise ArgumentError(
            f"budget is {asked:,}, but only {most:,} candidates are {apart} apart of each other; lower the budget or "
            "the gap"
        )
    return asked


def _prices(costs: Tensor | None, candidates: Tensor) -> Tensor:
    """Price of each node, 1 of those that may not be picked, `[n]`."""
    if costs is None:
        return torch.ones(len(candidates), dtype=torch.float64)
    price = torch.where(candidates, costs.double().cpu(), 1.0) if costs.shape == candidates.shape else costs
    price = check_values(price, "costs", len(candidates))
    if not (price > 0).all():
        raise ArgumentError(f"costs must be above 0; see {name_rows(price <= 0)}")
    return price


def _keep(
    picks: Sequence[int], price: Sequence[float], budget: float, near: "_Near | None"
) -> tuple[list[int], float, bool]:
    """Positions of the picks that are kept, the money left, and whether one was refused."""
    kept: list[int] = []
    refused = False
    left = budget * _ROUNDING
    taken: dict[int, list[int]] = {}
    for position, node in enumerate(picks):
        if near is not None and near.to_any(node, taken):
            refused = True
        elif price[node] <= left:
            left -= price[node]
            kept.append(position)
            if near is not None:
                taken.setdefault(int(near.sequence[node]), []).append(int(near.place[node]))
        else:
            refused = True
    return kept, left, refused


def _near(videos: Videos | None, min_gap: int | str, n: int) -> "_Near | None":
    """What keeps picks apart, if anything does."""
    gap = check_gap(min_gap)
    if not isinstance(gap, str):
        check_whole("min_gap", gap, low=0)
    if not gap:
        return None
    if videos is None or len(videos.frame) != n:
        raise ArgumentError(f"min_gap needs videos, the sequence and frame of each of the {n} nodes")
    if not isinstance(gap, str):
        return _Near(videos.sequence, videos.frame, gap)
    if videos.time is None or (videos.time < 0).any():
        why = f"{videos.untimed} and do not say when the frames were taken" if videos.untimed else "no item has a time"
        raise ArgumentError(
            f"min-gap is {gap}, but {why}; "
            "give it in frames, such as 15, or name the frames by time stamps, such as 1305031102.160407.png"
        )
    return _Near(videos.sequence, videos.time, nanoseconds(gap))


@dataclass(frozen=True, eq=False)
class _Near:
    """Which frames are less than a gap apart; `place` is the frame's number or time, `[n]`."""

    sequence: NDArray[np.int64]
    place: NDArray[np.int64]
    gap: int

    def to_any(self, node: int, taken: dict[int, list[int]]) -> bool:
        """Whether a node is near one of those taken, whose places are given by sequence."""
        place = int(self.place[node])
        return any(abs(place - other) < self.gap for other in taken.get(int(self.sequence[node]), ()))

    def most(self, candidates: NDArray[np.bool_]) -> int:
        """How many candidates can be picked at most, none of them near another."""
        count = 0
        last: tuple[int, int] | None = None
        nodes = np.flatnonzero(candidates)
        order = np.lexsort((self.place[nodes], self.sequence[nodes]))
        for node in nodes[order].tolist():
            here = int(self.sequence[node]), int(self.place[node])
            if last is None or here[0] != last[0] or here[1] - last[1] >= self.gap:
                count, last = count + 1, here
        return count
