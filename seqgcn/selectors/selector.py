"""What every selector is: a frozen set of parameters with one method, `select`."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors.extensions import Extension, Generated
from seqgcn.training import Progress
from seqgcn.utils.former_names import FormerName, take_former_names
from seqgcn.utils.validation import (
    check_data,
    check_features,
    check_images,
    check_mask,
    check_prob_samples,
    check_probabilities,
    check_target_samples,
    check_values,
    check_whole,
    kind_of,
    same_device,
)

_OLD_PICK = "_answer"
"""What `pick` was called while it was private."""

HELD_OUT = ("val_mask", "test_mask")
"""PyG's masks of the nodes to validate and to test on. None of them is picked, unless a `pool_mask` allows it."""

_SHAPES = {
    "prob": "[n, classes]",
    "prob_samples": "[n, passes, classes]",
    "target_samples": "[n, passes, coordinates]",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Selection:
    """The nodes a selector picked.

    Args:
        index: Node indices, best first, `[b]` int64.
        score: The selector's own score of each pick, `[b]`. Selectors that rank give the best score first; what the
            score of another says is in its own description.
        details: What the selector can show for its choice, plain tensors by name.
        pseudo: Nodes that the next training may use under the learner's own predictions, `[m]` int64, none of them
            labeled or picked; None for selectors that do not pseudo-label.
    """

    index: Tensor
    score: Tensor
    details: dict[str, Tensor] = field(default_factory=dict, repr=False)
    pseudo: Tensor | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, eq=False, kw_only=True)
class Query:
    """A checked question to a selector.

    Args:
        data: The pool as it was passed in.
        labelled: Nodes with a label, `[n]` bool.
        candidates: Nodes that may be picked, `[n]` bool, none of them labeled.
        budget: How many to pick, from 1 to the number of candidates.
        progress: Told how far the selector is.
    """

    data: Data
    labelled: Tensor
    candidates: Tensor
    budget: int
    progress: Progress | None = None

    def first_of(self, attributes: Sequence[str]) -> str:
        """The first of several attributes that is attached to the pool.

        Raises:
            ArgumentError: None is; the message says how to attach either.
        """
        for name in attributes:
            if self.data.get(name) is not None:
                return name
        ways = " or ".join(f"data.{name} {_SHAPES[name]}" for name in attributes)
        raise ArgumentError(f"predictions are missing: attach them as {ways}")

    def require_labels(self, who: str) -> None:
        """Raise an `ArgumentError` that says where to start if no node is labeled."""
        if not self.labelled.any():
            raise ArgumentError(
                f"{who} learns to tell labeled nodes from unlabeled ones, and no node is labeled; start with "
                "Random or CoreSet, which need no label"
            )

    def features(self) -> Tensor:
        """The pool's `x` after its checks, `[n, d]`."""
        x = check_features(self.data.get("x"))
        if len(x) != len(self.labelled):
            raise ArgumentError(f"data.x has {len(x)} rows, but data.train_mask has {len(self.labelled)} entries")
        return same_device(x, self.labelled, "data.x")

    def probabilities(self) -> Tensor:
        """The pool's `prob` after its checks, `[n, c]`."""
        return self._placed(check_probabilities(self.data.get("prob"), len(self.labelled)), "prob")

    def prob_samples(self) -> Tensor:
        """The pool's `prob_samples` after its checks, `[n, t, c]`."""
        return self._placed(check_prob_samples(self.data.get("prob_samples"), len(self.labelled)), "prob_samples")

    def target_samples(self) -> Tensor:
        """The pool's `target_samples` after its checks, `[n, t, k]`."""
        return self._placed(check_target_samples(self.data.get("target_samples"), len(self.labelled)), "target_samples")

    def predicted_loss(self) -> Tensor:
        """The pool's `loss_pred` after its checks, `[n]`."""
        return self._placed(check_values(self.data.get("loss_pred"), "loss_pred", len(self.labelled)), "loss_pred")

    def images(self) -> Tensor:
        """The pool's `image` after its checks, `[n, c, h, w]`: uint8, or floating point in [0, 1]."""
        return self._placed(check_images(self.data.get("image"), len(self.labelled)), "image")

    def highest(self, score: Tensor, **details: Tensor) -> Selection:
        """Pick the candidates of the highest scores; equals go by the lowest node index.

        Args:
            score: Of every node, `[n]`; of candidates it must not be NaN.
            details: For `Selection.details`.

        Raises:
            ArgumentError: The scores are no tensor `[n]`, or NaN for a candidate.
        """
        nodes = self.candidates.nonzero().squeeze(1)
        if not isinstance(score, Tensor) or score.shape != self.candidates.shape:
            raise ArgumentError(f"score must be a tensor [{len(self.candidates)}], one a node, got {kind_of(score)}")
        if (unknown := score[nodes].isnan()).any():
            raise ArgumentError(f"score is NaN for candidates, the first of them node {int(nodes[unknown][0])}")
        values, order = score[nodes].sort(descending=True, stable=True)
        return Selection(index=nodes[order[: self.budget]], score=values[: self.budget], details=details)

    def _placed(self, values: Tensor, name: str) -> Tensor:
        return same_device(values, self.labelled, f"data.{name}")


FORMER_NAMES = {"needs": "requires", "either": "requires_any"}
"""What attributes of selectors are called now, by their former names."""


@dataclass(frozen=True, kw_only=True)
class Selector(ABC):
    """Names the next items to label, from a PyG `Data` that describes the pool.

    A selector of one's own is a frozen, keyword-only dataclass that names in `requires` what it reads and has a method
    `pick`.
    Without inheriting anything, a class with `select(data, budget)` takes part too; see
    `seqgcn.selectors.adapter.as_selector`.

    >>> @dataclass(frozen=True, kw_only=True)
    ... class Largest(Selector):
    ...     requires = ("x",)
    ...     axis: int = 0
    ...
    ...     def pick(self, query: Query) -> Selection:
    ...         return query.highest(query.features()[:, self.axis])
    >>> data = Data(x=torch.tensor([[1.0], [3.0], [2.0]]), train_mask=torch.tensor([False, False, False]))
    >>> Largest().select(data, budget=2).index.tolist()
    [1, 2]

    Attributes:
        requires: Attributes of the `Data` that are read besides the masks.
        requires_any: One of these is read too: the first that is attached.
        optional: These are read too where they are attached.
        tasks: What it can choose items for.
    """

    requires: ClassVar[tuple[str, ...]] = ()
    requires_any: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()
    tasks: ClassVar[tuple[str, ...]] = ("classification", "pose")

    needs = FormerName("requires")
    either = FormerName("requires_any")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        take_former_names(cls, FORMER_NAMES, stacklevel=4)
        written = vars(cls)
        if "pick" in written:
            # For subclasses of before that call super()._answer(query).
            setattr(cls, _OLD_PICK, written["pick"])
        elif _OLD_PICK in written:
            warnings.warn(
                f"{cls.__qualname__} writes {_OLD_PICK}(query), which is now called pick(query); rename it",
                DeprecationWarning,
                stacklevel=3,  # the class statement, beyond ABCMeta
            )
            setattr(cls, "pick", written[_OLD_PICK])  # noqa: B010  # for mypy, one method is not assigned another

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """What has to be added to a learner so that it can give what the selector reads; nothing for most."""
        return ()

    def reads(self, outputs: Collection[str]) -> tuple[str, ...]:
        """Attributes to ask a learner for, by what it can give: `requires`, the first of `requires_any`, `optional`."""
        one = [name for name in self.requires_any if name in outputs][:1]
        return (*self.requires, *one, *[name for name in self.optional if name in outputs])

    def wanted(self, provided: Collection[str]) -> tuple[str, ...]:
        """`reads`, by its former name."""
        warnings.warn("Selector.wanted is now called reads; rename it", DeprecationWarning, stacklevel=2)
        return self.reads(provided)

    def missing(self, outputs: Collection[str]) -> tuple[str, ...]:
        """Attributes that are required but not among a learner's outputs; alternatives are one entry, `"a or b"`."""
        has_one = not self.requires_any or set(self.requires_any) & set(outputs)
        alternatives = () if has_one else (" or ".join(self.requires_any),)
        return (*[name for name in self.requires if name not in outputs], *alternatives)

    def generate(
        self,
        images: Tensor,
        targets: Tensor,
        picked: Tensor,
        *,
        num_classes: int,
        device: torch.device,
        progress: Progress | None = None,
    ) -> Generated | None:
        """Make further items to train on from the labeled ones; None for selectors that make none.

        Args:
            images: Labeled images, `[n, c, h, w]` uint8.
            targets: Their classes, `[n]` int64.
            picked: Which of them were picked by this selector, `[n]` bool; the others are the initial labels.
            num_classes: How many classes there are, at least two.
            device: Where to train what generates.
            progress: Told how far that training is.
        """
        del images, targets, picked, num_classes, device, progress
        return None

    def select(self, data: Data, budget: int, *, progress: Progress | None = None) -> Selection:
        """Pick `budget` unlabeled nodes. Neither `data` nor the global random state is changed.

        Args:
            data: The pool: `train_mask` `[n]` bool (labeled so far), what the selector `requires`, and optionally
                `pool_mask`, `val_mask` and `test_mask`, which say what may be picked: see `split_pool`.
            budget: How many nodes to pick.
            progress: Told how far the selector is.

        Raises:
            ArgumentError: The data or the budget cannot be used; the message names what and the way out.
            TrainingError: A selector that trains diverged.
        """
        labelled, candidates = split_pool(data)
        budget = check_whole("budget", budget, low=0)
        available = int(candidates.sum())
        if budget > available:
            raise ArgumentError(
                f"budget is {budget}, but only {available} nodes are unlabeled and in the pool"
                + _held_out_note(data, int((~labelled).sum()) - available)
            )
        query = Query(data=data, labelled=labelled, candidates=candidates, budget=budget, progress=progress)
        if budget == 0:
            empty = torch.empty(0, device=labelled.device)
            return Selection(index=empty.long(), score=empty)
        # Some selectors train, also where the caller has switched gradients off; and none may lose digits to the
        # mixed precision of a caller's own training step.
        with torch.inference_mode(False), torch.autocast(labelled.device.type, enabled=False):
            selection = self.pick(query)
        if not isinstance(selection, Selection):
            raise ArgumentError(
                f"{type(self).__name__}.pick must return a Selection, got {kind_of(selection)}; "
                "query.highest(score) makes one of a score [n]"
            )
        _check_picks(self.picks_by, selection, query)
        return selection

    @property
    def picks_by(self) -> str:
        """The method that picks, as messages name it."""
        return f"{type(self).__name__}.pick"

    @abstractmethod
    def pick(self, query: Query) -> Selection:
        """Pick for a checked query; this is the one method to write.

        Args:
            query: The pool after its checks, and how many nodes to pick. `query.features()`, `query.probabilities()`
                and the like give what is attached, `query.highest(score)` a selection by score.

        Returns:
            As many of `query.candidates` as `query.budget` says, best first.
        """

    def for_cycle(self, *, seed: int, cycle: int) -> Self:
        """The same selector with the seed and the number of a cycle, as far as it has such parameters."""
        known = {f.name for f in fields(self)}
        changes: dict[str, Any] = {k: v for k, v in {"seed": seed, "cycle": cycle}.items() if k in known}
        return replace(self, **changes) if changes else self


def split_pool(data: Data) -> tuple[Tensor, Tensor]:
    """The labeled nodes of a pool and its candidates, each `[n]` bool.

    Labeled are the nodes of `data.train_mask`. Candidates are the unlabeled nodes of `data.pool_mask`; without one, the
    unlabeled nodes that are neither in `data.val_mask` nor in `data.test_mask`, whose labels are there to measure with.

    Raises:
        ArgumentError: This is no `Data`, `train_mask` is missing, or a mask is not `[n]` bool or is elsewhere. Where
            there is a `pool_mask`, the two that it overrides are not looked at.
    """
    data = check_data(data)
    labelled = check_mask(data.get("train_mask"), "data.train_mask")
    candidates = ~labelled
    if data.get("pool_mask") is not None:
        candidates &= _mask_of(data, "pool_mask", labelled)
        return labelled, candidates
    for name in HELD_OUT:
        if data.get(name) is not None:
            candidates &= ~_mask_of(data, name, labelled)
    return labelled, candidates


def _check_picks(who: str, selection: Selection, query: Query) -> None:
    """Check that as many different candidates were picked as were asked for.

    Args:
        who: The method that picked, for the message.
        selection: What it picked.
        query: What it was asked.

    Raises:
        ArgumentError: Another number, something that is no candidate, or a node twice.
    """
    index, score, n = selection.index, selection.score, len(query.candidates)
    if not isinstance(index, Tensor) or index.dim() != 1 or index.dtype != torch.int64:
        raise ArgumentError(f"{who}: the index of a Selection must be int64 [budget], got {kind_of(index)}")
    if not isinstance(score, Tensor) or score.shape != index.shape:
        raise ArgumentError(
            f"{who}: the score of a Selection must be a tensor {list(index.shape)}, got {kind_of(score)}"
        )
    if len(index) != query.budget:
        raise ArgumentError(f"{who} must pick {query.budget} nodes, but picked {len(index)}")
    outside = (index < 0) | (index >= n)
    wrong = outside | ~query.candidates[index.clamp(0, n - 1)]
    if wrong.any():
        node = int(index[wrong][0])
        why = "there is no such node" if not 0 <= node < n else "it is labeled already, or not in the pool"
        raise ArgumentError(f"{who}: node {node} cannot be picked ({why}); pick candidates alone")
    if len(index.unique()) != len(index):
        values, counts = index.unique(return_counts=True)
        raise ArgumentError(f"{who} picked node {int(values[counts > 1][0])} more than once")


def _mask_of(data: Data, name: str, labelled: Tensor) -> Tensor:
    return same_device(check_mask(data[name], f"data.{name}", len(labelled)), labelled, f"data.{name}")


def _held_out_note(data: Data, others: int) -> str:
    """Why unlabeled nodes are no candidates, where it is by default; nothing where `pool_mask` says so."""
    held_out = [f"data.{name}" for name in HELD_OUT if data.get(name) is not None]
    if others == 0 or data.get("pool_mask") is not None:
        return ""
    return f"; {others} more are in {' or '.join(held_out)}, which are left out unless data.pool_mask allows them"


def for_cycle(selector: Selector, *, seed: int, cycle: int) -> Selector:
    """`selector.for_cycle(seed=seed, cycle=cycle)`."""
    return selector.for_cycle(seed=seed, cycle=cycle)
