"""The stages of a cycle: train on what is labeled, test, describe the pool, select; shared by all that label."""

import copy
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from sklearn.base import clone
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import subgraph

from seqgcn.datasets.dataset import Part
from seqgcn.exceptions import ArgumentError
from seqgcn.learners.components import check_described, check_learner
from seqgcn.learners.devices import resolve_device
from seqgcn.learners.extend_learner import check_served, extended, with_classes, with_task
from seqgcn.learners.fitted import curves_of
from seqgcn.learners.protocol import Diagnosed, Learner, RestorableLearner
from seqgcn.runs.journal import CycleRecord
from seqgcn.runs.pool import Pool
from seqgcn.runs.training_set import Pseudo, generated_record, training_set
from seqgcn.selectors.extensions import Generated
from seqgcn.selectors.selector import Selection, Selector
from seqgcn.training import Progress
from seqgcn.utils.seeding import derive_seed


def learner_for(
    selector: Selector, learner: Learner, *, num_classes: int | None, warm_start: bool, task: str | None = None
) -> Learner:
    """An unfitted learner as a selector and the data need it.

    Args:
        selector: What it has to serve.
        learner: The user's.
        num_classes: How many classes there are, if that is known.
        warm_start: Whether a cycle trains on from the last cycle's weights.
        task: Of the data, if it is known.

    Raises:
        ArgumentError: This is no learner, or it does not give what the selector needs.
    """
    check_learner(learner)
    learner = with_task(learner, task)
    if warm_start:
        if not isinstance(learner, RestorableLearner):
            raise ArgumentError(
                f"warm_start needs a learner with state() and restore(); {type(learner).__name__} has none"
            )
        learner = clone(learner).set_params(warm_start=True)
    if num_classes is not None:
        learner = with_classes(learner, num_classes)
    learner = extended(learner, selector.extensions)
    check_served(learner, selector)
    return learner


@dataclass(frozen=True, eq=False, kw_only=True)
class Chosen:
    """What was picked in a cycle.

    Args:
        items: Ids, best first.
        scores: The selector's score of each.
        selection: The same among the nodes of what the selector was shown.
        n_id: Id of each of these nodes, `[m]` int64.
        trusted: Items with targets that the learner predicted, for the next cycle's training.
    """

    items: list[int]
    scores: list[float]
    selection: Selection
    n_id: Tensor
    trusted: dict[str, list[Any]] = field(default_factory=dict)


class Stages:
    """Carries out the stages of one cycle after another. What is labeled is told to `pool`, and `targets` are set.

    Args:
        inputs: Of all n items, `inputs[ids]` being those of some; without a learner a `Data` of n nodes.
        targets: Of all n items, `[n, ...]`; only those of labeled items are read.
        learner: Unfitted, as from `learner_for`; cloned for each cycle. None for a `Data` that has all that is needed.
        selector: Given its own seed for each cycle.
        pool: Which items are labeled.
        num_classes: How many classes there are; 0 if that is not known.
        subset: The selector sees only this many random candidates; all for None.
        seed: Of everything random, with cycle and purpose.
        warm_start: Whether a cycle trains on from the last cycle's weights.
        extras: Whether items that the selector generates are trained on.
        graph: `edge_index` and perhaps `edge_weight` of a graph of the items, which the selector is shown beside what
            the learner says.
        progress: Told about every stage.
    """

    def __init__(
        self,
        *,
        inputs: Any,
        targets: Tensor | None,
        learner: Learner | None,
        selector: Selector,
        pool: Pool,
        num_classes: int = 0,
        subset: int | None = None,
        seed: int = 0,
        warm_start: bool = False,
        extras: bool = True,
        graph: Mapping[str, Tensor] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.inputs, self.targets, self.learner, self.pool = inputs, targets, learner, pool
        self.selector, self.num_classes, self.subset = selector, num_classes, subset
        self.seed, self.warm_start, self.extras, self.progress = seed, warm_start, extras, progress
        self.graph = graph or {}
        self.fitted: Learner | None = None
        self.pseudo: Pseudo = {}
        self.begin(0)

    def __len__(self) -> int:
        return self.pool.size

    def begin(self, cycle: int) -> None:
        """Begin a cycle; what was fitted before stays as it is."""
        self.cycle = cycle
        self.seeds = {"run": self.seed}
        purposes = ("learner", "subset", "selector")
        self.seeds |= {purpose: derive_seed(self.seed, cycle, purpose) for purpose in purposes}
        self.seconds = dict.fromkeys(("train", "test", "embed", "select"), 0.0)
        self.metric: dict[str, float] = {}
        self.generated: Generated | None = None

    def train(self) -> None:
        """Train a fresh learner, or with `warm_start` the last one, on what is labeled and what the selector adds."""
        assert self.learner is not None  # noqa: S101  # for mypy
        goes_on = self.warm_start and self.fitted is not None
        learner = self.fitted if goes_on and self.fitted is not None else cast(Learner, clone(self.learner))
        self.fitted = learner if goes_on else None  # two networks need more memory than one
        learner.set_params(seed=self.seeds["learner"])
        with self._timed("train"):
            self.generated = self._generate(learner) if self.extras else None
            inputs, targets = training_set(cast(Part, self), self.pool, self.pseudo, self.generated)
            labelled = len(self.pool.labelled)
            further = {"unconfirmed": len(targets) - labelled} if len(targets) > labelled else {}
            learner.fit(inputs, targets, **further, progress=self.progress)
        self.fitted = learner

    def forget_pseudo(self) -> None:
        """Train no longer on predicted labels of items that have a true one now."""
        if self.pseudo:
            labelled = self.pool.since
            kept = [place for place, item in enumerate(self.pseudo["items"]) if item not in labelled]
            self.pseudo = {key: [values[place] for place in kept] for key, values in self.pseudo.items()}

    def test(self, inputs: Any, targets: Tensor) -> None:
        """Measure what was trained on items whose labels are known."""
        learner = self._fitted()
        with self._timed("test"):
            self.metric = {learner.metric.name: learner.score(inputs, targets, progress=self.progress)}
            if isinstance(learner, Diagnosed):
                measured = learner.diagnose(inputs, targets, progress=self.progress)
                # JSON has no NaN, and a correlation with something constant is none.
                self.metric |= {name: value for name, value in measured.items() if math.isfinite(value)}

    def select(self, budget: int, *, selector: Selector | None = None, x: Tensor | None = None) -> Chosen:
        """Describe the pool and pick.

        Args:
            budget: How many items.
            selector: In place of the usual one.
            x: In place of what a learner says of all items, `[n, d]`.
        """
        chooser = self.chooser(selector)
        with self._timed("embed"):
            n_id = self.pool.sample(self.subset, torch.Generator().manual_seed(self.seeds["subset"]))
            data = self._whole() if self.learner is None else self._described(chooser, n_id, x)
        with self._timed("select"):
            selection = chooser.select(data, budget, progress=self.progress)
            items, scores = self.pool.ids_of(selection.index, data), selection.score.double().tolist()
        trusted: dict[str, list[Any]] = {}
        if selection.pseudo is not None and self.fitted is not None:
            with self._timed("embed"):
                trusted = self._trust(self.pool.ids_of(selection.pseudo, data))
        return Chosen(items=items, scores=scores, selection=selection, n_id=data.n_id.cpu(), trusted=trusted)

    def chooser(self, selector: Selector | None = None) -> Selector:
        """The selector, or another one, with the seed of this cycle."""
        return (selector or self.selector).for_cycle(seed=self.seeds["selector"], cycle=self.cycle)

    def describe(self, n_id: Tensor | None, selector: Selector, always: tuple[str, ...] = ()) -> Data:
        """What the learner says of some items `[m]`, or of all for None: what the selector reads, and `always`."""
        learner = self._fitted()
        wanted = tuple(dict.fromkeys((*always, *selector.reads(learner.outputs))))
        if not wanted:
            return Data()
        inputs = self.inputs if n_id is None else self.inputs[n_id]
        description = learner.describe(inputs, wanted, progress=self.progress)
        check_described(learner, description, wanted, len(inputs))
        return description

    def record(self, chosen: Chosen | None, environment: Mapping[str, Any]) -> CycleRecord:
        """What happened in this cycle; `chosen` is None where nothing was picked."""
        return CycleRecord(
            cycle=self.cycle,
            labelled=tuple(self.pool.labelled.tolist()),
            picks=tuple(chosen.items if chosen else ()),
            scores=tuple(chosen.scores if chosen else ()),
            metric=self.metric,
            seconds=self.seconds,
            seeds=self.seeds,
            environment=environment,
            pseudo=chosen.trusted if chosen else {},
            generated=generated_record(self.generated, self.pool),
            curves=curves_of(self.fitted),
        )

    def _whole(self) -> Data:
        """The `Data` that was given, with what is labeled and what may be picked."""
        everything = torch.arange(self.pool.size)
        data = self.pool.as_data(everything, self.inputs)
        data.pool_mask = torch.zeros(self.pool.size, dtype=torch.bool)
        data.pool_mask[self.pool.candidates] = True
        device = _place(self.inputs)
        for name in ("n_id", "train_mask", "pool_mask"):
            data[name] = data[name].to(device)
        return data

    def _described(self, selector: Selector, n_id: Tensor, x: Tensor | None) -> Data:
        """What the learner says of some items, on its device; of all of them `x`, if that is given."""
        description = self.describe(n_id, selector) if x is None else Data(x=x[n_id])
        data = self.pool.as_data(n_id, description)
        if self.graph:
            weight = self.graph.get("edge_weight")
            data.edge_index, weight = subgraph(
                n_id, self.graph["edge_index"], weight, relabel_nodes=True, num_nodes=self.pool.size
            )
            if weight is not None:
                data.edge_weight = weight
        return data.to(device_of(self.learner))

    def _generate(self, learner: Learner) -> Generated | None:
        """Items that the selector makes from the labeled ones, if it is one that does."""
        assert self.targets is not None  # noqa: S101  # for mypy
        labelled, since = self.pool.labelled, self.pool.since
        return self.chooser().generate(
            self.inputs[labelled],
            self.targets[labelled],
            torch.tensor([since[item] > 0 for item in labelled.tolist()]),
            num_classes=self.num_classes or learner.get_params().get("num_classes") or 0,
            device=device_of(learner),
            progress=self.progress,
        )

    def _trust(self, items: list[int]) -> dict[str, list[Any]]:
        """Items with what the learner predicts for them, for the next cycle's training."""
        if not items:
            return {}
        targets = self._fitted().predict(self.inputs[torch.tensor(items)], progress=self.progress)
        return {"items": items, "targets": targets.tolist()}

    def _fitted(self) -> Learner:
        assert self.fitted is not None  # noqa: S101  # for mypy
        return self.fitted

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(self.seconds[stage] + time.perf_counter() - start, 4)


def device_of(learner: Learner | None) -> torch.device:
    """Where a learner works; the CPU if it does not say."""
    return resolve_device(str(getattr(learner, "device", None) or "cpu"))


def _place(data: Data) -> torch.device:
    """Where the tensors of a `Data` are."""
    held = (value for value in copy.copy(data).to_dict().values() if isinstance(value, Tensor))
    first = next(held, None)
    return torch.device("cpu") if first is None else first.device
