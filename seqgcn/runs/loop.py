"""The active-learning loop: train, describe the pool, select, reveal, and write it down."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from sklearn.base import clone

from seqgcn.datasets.dataset import Dataset
from seqgcn.datasets.item_dataset import as_dataset
from seqgcn.exceptions import ArgumentError, RunFolderError
from seqgcn.learners.components import sources
from seqgcn.learners.protocol import Learner, RestorableLearner
from seqgcn.learners.weight_files import restore_weights, save_weights
from seqgcn.runs.journal import CycleRecord, Journal
from seqgcn.runs.pool import Pool
from seqgcn.runs.stages import Stages, device_of, learner_for
from seqgcn.runs.training_set import check_pseudo
from seqgcn.selectors.adapter import as_selector
from seqgcn.training import Progress
from seqgcn.utils.environment import machine
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_bool, check_progress, check_whole


class ActiveLearning:
    """Label `budget` more items in each cycle, chosen by the selector; iterating gives a record a cycle.

    Every cycle trains a fresh learner on what is labeled, measures it on the test part, lets it describe the
    pool and asks the selector for the next items. Cycle 0 has only the initial labels; the last cycle picks
    nothing more. Initial labels and learner seeds depend on `seed` and the cycle alone, so runs of several
    selectors under one seed are comparable.

    What a selector adds to training is carried out here too: its `extensions` of the learner, the items it generates,
    and the pseudo-labels of the cycle before. Such items are written down apart from the labeled ones, and never
    become labeled by it.

    Args:
        dataset: Pool and test part; of one's own data too, as `seqgcn.datasets.as_dataset` takes it.
        learner: Unfitted learner, cloned for each cycle.
        selector: Given its own seed for each cycle.
        budget: Items revealed a cycle.
        cycles: How often items are revealed.
        initial: Random items labeled at first; by default as many as the budget.
        subset: The selector sees only this many random unlabeled items a cycle (10,000 in the paper); by
            default all.
        seed: Of everything random.
        warm_start: Whether a cycle trains on from the last cycle's weights.
        journal: Where records go, and from where a started run goes on.
        progress: Told about every stage.

    Raises:
        ArgumentError: Data set, learner or selector is something else; the pool is too small for the labels asked for,
            a count is not positive, or the learner does not give what the selector needs.

    Examples:
        >>> from seqgcn import Random
        >>> from seqgcn.datasets import Digits
        >>> from seqgcn.learners import SmallCNNClassifier
        >>> loop = ActiveLearning(Digits(), SmallCNNClassifier(epochs=1), Random(), budget=10, cycles=1)
        >>> [len(record.labelled) for record in loop]
        [10, 20]
    """

    def __init__(
        self,
        dataset: Any,
        learner: Learner,
        selector: Any,
        *,
        budget: int,
        cycles: int,
        initial: int | None = None,
        subset: int | None = None,
        seed: int = 0,
        warm_start: bool = False,
        journal: Journal | None = None,
        progress: Progress | None = None,
    ) -> None:
        dataset = as_dataset(dataset)
        selector = as_selector(selector)
        check_bool("warm_start", warm_start)
        check_progress(progress)
        classes = getattr(dataset, "classes", None)
        learner = learner_for(
            selector,
            learner,
            num_classes=len(classes) if classes else None,
            warm_start=warm_start,
            task=getattr(dataset, "task", None),
        )
        self.dataset: Dataset = dataset
        self.learner, self.selector = learner, selector
        self.sources = sources(learner, selector)
        self.budget = check_whole("budget", budget)
        self.cycles = check_whole("cycles", cycles)
        self.initial = self.budget if initial is None else check_whole("initial", initial)
        self.subset = None if subset is None else check_whole("subset", subset)
        self.seed, self.warm_start, self.journal, self.progress = seed, warm_start, journal, progress
        size, wanted = len(dataset.train), self.initial + self.cycles * self.budget
        if wanted > size:
            raise ArgumentError(
                f"{self.initial} initial labels and {self.cycles} cycles of {self.budget} need {wanted} items, but "
                f"{dataset.name} has {size}; lower the budget or the cycles"
            )
        if self.subset is not None and self.subset < self.budget:
            raise ArgumentError(f"subset ({self.subset}) must not be smaller than the budget ({self.budget})")

    def __iter__(self) -> Iterator[CycleRecord]:
        """Records of all cycles; those in the journal come first and are not computed again."""
        train, test, pool = self.dataset.train, self.dataset.test, Pool(len(self.dataset.train))
        stages = Stages(
            inputs=train.inputs,
            targets=train.targets,
            learner=self.learner,
            selector=self.selector,
            pool=pool,
            num_classes=len(getattr(self.dataset, "classes", ())),
            subset=self.subset,
            seed=self.seed,
            warm_start=self.warm_start,
            progress=self.progress,
        )
        first = torch.randperm(pool.size, generator=generator(self.seed, "initial"))[: self.initial]
        pool.reveal(first.tolist(), cycle=0)
        done = self._replay(pool)
        stages.pseudo = done[-1].pseudo if done else {}
        yield from done
        if self.warm_start and 0 < len(done) <= self.cycles:
            stages.fitted = self._restored(len(done) - 1)
        for cycle in range(len(done), self.cycles + 1):
            stages.begin(cycle)
            stages.train()
            stages.test(test.inputs, test.targets)
            chosen = stages.select(self.budget) if cycle < self.cycles else None
            held = {**environment(self.learner), "setup": self._setup(), "sources": self.sources}
            record = stages.record(chosen, held)
            stages.pseudo = record.pseudo
            # Before it is written down: picks that cannot be revealed must not get into the journal.
            pool.reveal(record.picks, cycle=cycle + 1)
            check_pseudo(record.pseudo, pool)
            if self.journal is not None:
                if isinstance(stages.fitted, RestorableLearner) and self.warm_start:
                    self._save(self.journal, stages.fitted, cycle)
                self.journal.append(record)
            yield record

    def _replay(self, pool: Pool) -> list[CycleRecord]:
        """Bring the pool to where the journal ends."""
        if self.journal is None:
            return []
        records = self.journal.recover()
        for number, record in enumerate(records):
            picks = 0 if number == self.cycles else self.budget
            try:
                if number > self.cycles or record.cycle != number or len(record.picks) != picks:
                    raise ArgumentError("another number of cycles or picks")
                if list(record.labelled) != pool.labelled.tolist():
                    raise ArgumentError("other labeled items")
                if record.seeds.get("run") != self.seed:
                    raise ArgumentError(f"seed {record.seeds.get('run')}")
                if record.environment.get("setup", self._setup()) != self._setup():
                    raise ArgumentError("another selector, learner or data set")
                pool.reveal(record.picks, cycle=number + 1)
                check_pseudo(record.pseudo, pool)
            except (ArgumentError, TypeError) as error:
                raise RunFolderError(
                    f"{self.journal.path}, line {number + 1} does not follow from the lines before it and the "
                    f"configuration ({error}); start in another folder"
                ) from error
        return records

    def _setup(self) -> dict[str, Any]:
        """What a journal's lines must agree in; the device may change, and seeds are recorded apart."""
        parameters = {
            # A function's repr has its address.
            key: getattr(value, "__qualname__", None) or repr(value)
            for key, value in self.learner.get_params().items()
            # Those of an ensemble's members are listed one by one, as learner__parameter.
            if key.rpartition("__")[2] not in ("seed", "batch_seed", "device") and not isinstance(value, Learner)
            # A journal begun before there was such a parameter agrees with the default.
            if not (key in getattr(self.learner, "later_parameters", ()) and value == getattr(type(self.learner), key))
        }
        return {
            "data": self.dataset.fingerprint,
            "selector": repr(self.selector),
            "learner": {"class": type(self.learner).__name__, **parameters},
        }

    def _weights(self, journal: Journal, cycle: int) -> Path:
        return journal.path.with_name(f"learner-{cycle}.pt")

    def _save(self, journal: Journal, learner: RestorableLearner, cycle: int) -> None:
        """Keep this cycle's weights beside the last cycle's, which count until the journal has this cycle's line."""
        save_weights(learner, self._weights(journal, cycle))
        self._weights(journal, cycle - 2).unlink(missing_ok=True)

    def _restored(self, cycle: int) -> Learner:
        """A learner with the weights of an earlier cycle; a fresh one if there was no journal to keep them."""
        if self.journal is None:
            return cast(Learner, clone(self.learner))
        return restore_weights(cast(RestorableLearner, clone(self.learner)), self._weights(self.journal, cycle))


def environment(learner: Learner) -> dict[str, Any]:
    """What the bits of a run depend on besides its configuration: versions, threads, device and machine."""
    return machine(device_of(learner))
