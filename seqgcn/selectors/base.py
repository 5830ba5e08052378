"""What every selector is: a frozen set of parameters with one method, `select`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.checks import check_features, check_mask, check_probabilities, check_whole, same_device
from seqgcn.errors import ArgumentError
from seqgcn.training import Progress


@dataclass(frozen=True, eq=False, kw_only=True)
class Selection:
    """The nodes a selector picked.

    Args:
        index: Node indices, best first, `[b]` int64.
        score: The selector's own score of each pick, `[b]`, never increasing: a higher score is picked first.
        details: What the selector can show for its choice, plain tensors by name.
    """

    index: Tensor
    score: Tensor
    details: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, eq=False, kw_only=True)
class Query:
    """A checked question to a selector.

    Args:
        data: The pool as it was passed in.
        labelled: Nodes with a label, `[n]` bool.
        candidates: Nodes that may be picked, `[n]` bool, none of them labelled.
        budget: How many to pick, from 1 to the number of candidates.
        progress: Told how far the selector is.
    """

    data: Data
    labelled: Tensor
    candidates: Tensor
    budget: int
    progress: Progress | None = None

    def features(self) -> Tensor:
        """The pool's `x` after its checks, `[n, d]`."""
        x = check_features(self.data.get("x"))
        if len(x) != len(self.labelled):
            raise ArgumentError(f"data.x has {len(x)} rows, but data.train_mask has {len(self.labelled)} entries")
        return same_device(x, self.labelled, "data.x")

    def probabilities(self) -> Tensor:
        """The pool's `prob` after its checks, `[n, c]`."""
        prob = check_probabilities(self.data.get("prob"), len(self.labelled))
        return same_device(prob, self.labelled, "data.prob")

    def highest(self, score: Tensor, **details: Tensor) -> Selection:
        """Pick the candidates of the highest scores `[n]`; equals go by the lowest node index."""
        nodes = self.candidates.nonzero().squeeze(1)
        values, order = score[nodes].sort(descending=True, stable=True)
        return Selection(index=nodes[order[: self.budget]], score=values[: self.budget], details=details)


@dataclass(frozen=True, kw_only=True)
class Selector(ABC):
    """Names the next items to label, from a PyG `Data` that describes the pool.

    Attributes:
        needs: Attributes of the `Data` that are read besides `train_mask` and `pool_mask`.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    def select(self, data: Data, budget: int, *, progress: Progress | None = None) -> Selection:
        """Pick `budget` unlabelled nodes. Neither `data` nor the global random state is changed.

        Args:
            data: The pool: `train_mask` `[n]` bool (labelled so far), what the selector `needs`, and optionally
                `pool_mask` `[n]` bool (may be picked; labelled nodes in it are passed over).
            budget: How many nodes to pick.
            progress: Told how far the selector is.

        Raises:
            ArgumentError: The data or the budget cannot be used; the message names what and the way out.
            TrainingError: A selector that trains diverged.
        """
        labelled = check_mask(data.get("train_mask"), "data.train_mask")
        candidates = ~labelled
        if data.get("pool_mask") is not None:
            candidates &= same_device(
                check_mask(data.pool_mask, "data.pool_mask", len(labelled)), labelled, "data.pool_mask"
            )
        budget = check_whole("budget", budget, low=0)
        available = int(candidates.sum())
        if budget > available:
            raise ArgumentError(f"budget is {budget}, but only {available} nodes are unlabelled and in the pool")
        query = Query(data=data, labelled=labelled, candidates=candidates, budget=budget, progress=progress)
        if budget == 0:
            empty = torch.empty(0, device=labelled.device)
            return Selection(index=empty.long(), score=empty)
        # Some selectors train, also where the caller has switched gradients off; and none may lose digits to the
        # mixed precision of a caller's own training step.
        with torch.inference_mode(False), torch.autocast(labelled.device.type, enabled=False):
            return self._answer(query)

    @abstractmethod
    def _answer(self, query: Query) -> Selection:
        """Pick for a checked query."""


def replace_seed(selector: Selector, seed: int) -> Selector:
    """The same selector with another seed, or itself if nothing in it is random."""
    if any(f.name == "seed" for f in fields(selector)):
        changes: dict[str, Any] = {"seed": seed}
        return replace(selector, **changes)
    return selector
