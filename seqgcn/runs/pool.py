"""Which items are labeled, in which order and since which cycle; the one border between item ids and node indices."""

import copy
import operator
from collections.abc import Iterable

import torch
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError


class Pool:
    """Items 0 to size - 1, of which some are labeled, some asked for, and some skipped.

    Args:
        size: Number of items.
        held_out: Items that are never candidates, `[size]` bool; none by default.

    >>> pool = Pool(4)
    >>> pool.reveal([2, 0], cycle=0)
    >>> pool.labelled, pool.unlabelled
    (tensor([2, 0]), tensor([1, 3]))
    """

    def __init__(self, size: int, held_out: Tensor | None = None) -> None:
        self.size = size
        self._held_out = torch.zeros(size, dtype=torch.bool) if held_out is None else held_out
        self._since: dict[int, int] = {}
        self._asked: dict[int, None] = {}
        self._skipped: dict[int, None] = {}

    @property
    def labelled(self) -> Tensor:
        """Ids of the labeled items in the order they were revealed, int64."""
        return torch.tensor(list(self._since), dtype=torch.int64)

    @property
    def unlabelled(self) -> Tensor:
        """Ids of the other items, ascending, int64."""
        return (~self._mask()).nonzero().squeeze(1)

    @property
    def asked(self) -> tuple[int, ...]:
        """Ids of the items that were asked for and have no label yet, in that order."""
        return tuple(self._asked)

    @property
    def skipped(self) -> tuple[int, ...]:
        """Ids of the items that are not to be asked for, in the order in which they were skipped."""
        return tuple(self._skipped)

    @property
    def candidates(self) -> Tensor:
        """Ids of the items that may be picked, ascending, int64."""
        mask = ~(self._mask() | self._held_out)
        mask[[*self._asked, *self._skipped]] = False
        return mask.nonzero().squeeze(1)

    @property
    def since(self) -> dict[int, int]:
        """The cycle in which each labeled item was revealed, in that order."""
        return dict(self._since)

    def reveal(self, ids: Iterable[int], cycle: int) -> None:
        """Count items as labeled from now on; all of them or, on an error, none.

        Raises:
            ArgumentError: An id is out of range, given twice, or labeled already.
        """
        new: dict[int, int] = {}
        # An index, never a 0-d tensor: those are all different keys.
        for item in map(operator.index, ids):
            if not 0 <= item < self.size:
                raise ArgumentError(f"item {item} is not in the pool of {self.size} items")
            if item in self._since or item in new:
                raise ArgumentError(
                    f"item {item} is labeled already" if item in self._since else f"item {item} is given twice"
                )
            new[item] = cycle
        self._since.update(new)
        self._close(new)

    def ask(self, ids: Iterable[int]) -> None:
        """Count items as asked for: no candidates any more, and as good as labeled for selectors.

        Raises:
            ArgumentError: An item is no candidate, or given twice.
        """
        chosen = list(map(operator.index, ids))
        candidates = set(self.candidates.tolist())
        for item in chosen:
            if item not in candidates:
                raise ArgumentError(f"item {item} was picked, but may not be: it is labeled, asked for or left out")
            candidates.discard(item)
        self._asked.update(dict.fromkeys(chosen))

    def skip(self, ids: Iterable[int]) -> None:
        """Leave items without a label out from now on."""
        chosen = dict.fromkeys(map(operator.index, ids))
        self._close(chosen)
        self._skipped.update(chosen)

    def take_back(self, ids: Iterable[int]) -> None:
        """Make items candidates again, whether they are labeled, asked for or skipped."""
        chosen = dict.fromkeys(map(operator.index, ids))
        self._close(chosen)
        for item in chosen:
            self._since.pop(item, None)

    def sample(self, subset: int | None, generator: torch.Generator) -> Tensor:
        """Ids to build a graph over, ascending: those labeled or asked for, all candidates or a random `subset`."""
        mask = self._taken()
        unlabelled = self.candidates
        if subset is not None and subset < len(unlabelled):
            unlabelled = unlabelled[torch.randperm(len(unlabelled), generator=generator)[:subset]]
        mask[unlabelled] = True
        return mask.nonzero().squeeze(1)

    def as_data(self, n_id: Tensor, description: Data) -> Data:
        """The description of the items `n_id`, row by row, with `n_id` and `train_mask` attached.

        The mask has the items asked for too: their labels are on the way, and their like need not be asked for again.
        """
        data = copy.copy(description)
        data.n_id = n_id
        data.train_mask = self._taken()[n_id]
        return data

    @staticmethod
    def ids_of(nodes: Tensor, data: Data) -> list[int]:
        """Item ids of some nodes, in the same order."""
        ids: list[int] = data.n_id.cpu()[nodes.cpu()].tolist()
        return ids

    def _mask(self) -> Tensor:
        mask = torch.zeros(self.size, dtype=torch.bool)
        mask[self.labelled] = True
        return mask

    def _taken(self) -> Tensor:
        mask = self._mask()
        mask[list(self._asked)] = True
        return mask

    def _close(self, ids: Iterable[int]) -> None:
        for item in ids:
            self._asked.pop(item, None)
            self._skipped.pop(item, None)
