"""A selector's picks under what a budget also has to heed: what items cost, and how near frames of a video are."""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.checks import check_mask, check_number, check_values, check_whole, name_rows
from seqgcn.errors import ArgumentError
from seqgcn.selectors.base import Selection, Selector
from seqgcn.training import Progress

_ROUNDING = 1 + 1e-9
"""Costs that come to the budget but for their rounding can be afforded."""


@dataclass(frozen=True, eq=False)
class Videos:
    """Which frame of which sequence each item is.

    Args:
        sequence: Number of its sequence, `[n]` int64.
        frame: Number of the frame in it, `[n]` int64.
    """

    sequence: NDArray[np.int64]
    frame: NDArray[np.int64]

    @classmethod
    def of(cls, items: Sequence[str]) -> "Videos":
        """By the names of the items: a folder is a sequence, and the last number in a file's name that of its frame.

        Where a name of a sequence has no number, or two have the same, its frames are counted in the order given.
        """
        folders: dict[str, list[int]] = {}
        for item, name in enumerate(items):
            folders.setdefault(name.rpartition("/")[0], []).append(item)
        sequence, frame = np.empty(len(items), np.int64), np.empty(len(items), np.int64)
        for number, members in enumerate(folders.values()):
            found = [re.findall("[0-9]+", _stem(items[item])) for item in members]
            # Of more than 18 digits, no frame's number.
            numbers = [int(each[-1]) for each in found if each and len(each[-1]) <= 18]
            sequence[members] = number
            frame[members] = numbers if len(set(numbers)) == len(members) else range(len(members))
        return cls(sequence, frame)


def _stem(item: str) -> str:
    """The name of a file without its suffix; one of digits alone is none, as in ``frame.0012``."""
    name = item.rpartition("/")[2]
    stem, _, suffix = name.rpartition(".")
    return name if not stem or suffix.isdigit() else stem


def choose(
    selector: Selector,
    data: Data,
    budget: float,
    *,
    costs: Tensor | None = None,
    videos: Videos | None = None,
    min_gap: int = 0,
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
        min_gap: Picks of one sequence are at least this many frames apart.
        progress: Told how far the selector is.

    Returns:
        What was kept, on the CPU wherever the data is.

    Raises:
        ArgumentError: The budget cannot be spent, see `most_items`, or an argument does not fit the data.
    """
    labelled = check_mask(data.get("train_mask"), "data.train_mask")
    candidates = ~labelled
    if data.get("pool_mask") is not None:
        candidates &= check_mask(data.pool_mask, "data.pool_mask", len(labelled))
    asked = most_items(candidates, budget, costs=costs, videos=videos, min_gap=min_gap)
    price = _prices(costs, candidates.cpu())
    if costs is not None:
        candidates &= (price <= budget * _ROUNDING).to(candidates.device)
        data = copy.copy(data)
        data.pool_mask = candidates
    near = _Near(videos, min_gap) if videos is not None and min_gap else None
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
    min_gap: int = 0,
) -> int:
    """How many items a budget could buy at most, whatever picks them.

    Args:
        candidates: What may be picked, `[n]` bool, none of it labelled.
        budget: As for `choose`, as are the others.
        costs: Of each item.
        videos: Of each item.
        min_gap: Between picks of one sequence.

    Raises:
        ArgumentError: The budget cannot be spent: it is no whole number, too small for the cheapest item, or too large
            for what there is or the gap leaves; or an argument does not fit.
    """
    candidates = candidates.cpu()
    check_whole("min_gap", min_gap, low=0)
    if min_gap and (videos is None or len(videos.frame) != len(candidates)):
        raise ArgumentError(f"min_gap needs videos, the sequence and frame of each of the {len(candidates)} nodes")
    prices = _prices(costs, candidates)[candidates]
    if costs is not None:
        check_number("budget", budget, low=0)
        if len(prices) == 0:
            raise ArgumentError("no item is left to pick: all are labelled or left out")
        if budget * _ROUNDING < float(prices.min()):
            raise ArgumentError(f"budget is {budget:.10g}, but the cheapest candidate costs {float(prices.min()):.10g}")
        return int((prices.sort().values.cumsum(0) <= budget * _ROUNDING).sum())
    asked = check_whole("budget", int(budget) if isinstance(budget, float) and budget.is_integer() else budget, low=0)
    if asked > len(prices):
        raise ArgumentError(f"budget is {asked:,}, but only {len(prices):,} items are unlabelled and may be picked")
    if min_gap and videos is not None and asked > (most := _Near(videos, min_gap).most(candidates.numpy())):
        raise ArgumentError(
            f"budget is {asked:,}, but only {most:,} candidates are {min_gap} frames apart of each other; lower the "
            "budget or the gap"
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
                taken.setdefault(int(near.videos.sequence[node]), []).append(int(near.videos.frame[node]))
        else:
            refused = True
    return kept, left, refused


@dataclass(frozen=True, eq=False)
class _Near:
    """Which frames are less than a gap apart."""

    videos: Videos
    gap: int

    def to_any(self, node: int, taken: dict[int, list[int]]) -> bool:
        """Whether a node is near one of those taken, whose frames are given by sequence."""
        frame = int(self.videos.frame[node])
        return any(abs(frame - other) < self.gap for other in taken.get(int(self.videos.sequence[node]), ()))

    def most(self, candidates: NDArray[np.bool_]) -> int:
        """How many candidates can be picked at most, none of them near another."""
        count = 0
        last: tuple[int, int] | None = None
        nodes = np.flatnonzero(candidates)
        order = np.lexsort((self.videos.frame[nodes], self.videos.sequence[nodes]))
        for node in nodes[order].tolist():
            here = int(self.videos.sequence[node]), int(self.videos.frame[node])
            if last is None or here[0] != last[0] or here[1] - last[1] >= self.gap:
                count, last = count + 1, here
        return count
