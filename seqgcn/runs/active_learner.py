"""Active learning with a person in the loop: ask which items to label, tell their labels, ask again."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

from sklearn.base import clone
from torch import Tensor

from seqgcn.datasets.hands.hand_dataset import HandFrames
from seqgcn.datasets.item_dataset import largest_class
from seqgcn.exceptions import ArgumentError, SeqGCNWarning
from seqgcn.learners.components import sources
from seqgcn.learners.extend_learner import classes_of
from seqgcn.learners.protocol import Learner
from seqgcn.runs.checkpoint import changes, read_checkpoint, restore, snapshot, write_checkpoint
from seqgcn.runs.cold_start import first_choice
from seqgcn.runs.journal import CycleRecord
from seqgcn.runs.picks import Picks
from seqgcn.runs.pool import Pool
from seqgcn.runs.pool_inputs import PoolInputs, labeled_items, pool_inputs
from seqgcn.runs.stages import Stages, device_of, learner_for
from seqgcn.runs.targets import Targets, class_names, ids_of, pairs_of
from seqgcn.selectors.adapter import as_selector
from seqgcn.selectors.selector import Selector
from seqgcn.training import Progress
from seqgcn.utils.environment import machine
from seqgcn.utils.messages import counted
from seqgcn.utils.validation import check_bool, check_path, check_progress, check_whole


class ActiveLearner:
    """Chooses which items a person labels next, and learns from the labels, in memory.

    `ask` trains on the labels so far, describes the items and lets the selector pick; `tell` takes the labels. Asked
    again before anything is told, it gives other items: those that were asked for stay open, count as labeled for the
    selector, and come again only after `take_back`. Seeds depend on `seed`, how often was asked, and the purpose, so
    that telling known labels gives the picks of `seqgcn.runs.loop.ActiveLearning`, bit for bit.

    With nothing labeled there is nothing to train on: a learner's items are described by thumbnails (vectors by
    themselves), and where the selector learns from labels, `TypiClust` picks in its place, with a `SeqGCNWarning`.
    Without a learner the selector always picks by itself, and one that needs labels raises an error.

    Args:
        learner: Unfitted learner, cloned for each training. None trains nothing: the selector reads the inputs, a
            `Data` that has what it needs, or embeddings `[n, d]`.
        selector: A selector, or anything with `select(data, budget)`.
        inputs: All items, labeled or not: a tensor or array, a torch `Dataset` or whatever else
            `seqgcn.datasets.as_dataset` takes (whose labels are not looked at), hand frames, or a PyG `Data`. Of a
            `Data`, a learner gets the rows of `x`; nodes of its `train_mask` are labeled, with the labels `y`, and
            those of `val_mask` and `test_mask` are never picked, unless a `pool_mask` allows it.
        labels: What is labeled so far: a label for each item. A label is a class, as a whole number or a name in
            `classes`, or numbers such as joints `[J, 3]` in mm.
        classes: Names of the classes; by default those of the inputs, if they have any.
        test: Items with labels, as for `as_dataset`; each training is scored on them, for `history_`.
        subset: The selector sees only this many random candidates, and all labeled items; by default all.
        seed: Of everything random.
        warm_start: Whether a training goes on from the last one's weights.
        progress: Told about every stage.

    Attributes:
        learner_: The learner, trained on the labels of the last `ask` or `fit`.
        history_: A `CycleRecord` for each `ask`.
        labels_: The label of each labeled item whose label is known, by item, in the order they were told.
        asked_: Items that were asked for and have neither a label nor been skipped.
        skipped_: Items that are not to be asked for.

    Raises:
        ArgumentError: Something cannot be used; the message names it and the way out.

    Example:
        >>> from seqgcn import CoreSet
        >>> import torch
        >>> al = ActiveLearner(None, CoreSet(), torch.tensor([[0.0], [1.0], [5.0], [9.0]]), labels={0: 1})
        >>> picks = al.ask(2)
        >>> picks.items
        (3, 2)
        >>> al.tell(picks, [0, 1]).labels_
        {0: 1, 3: 0, 2: 1}
    """

    def __init__(
        self,
        learner: Learner | None,
        selector: Any,
        inputs: Any,
        labels: Mapping[int, Any] | None = None,
        *,
        classes: Sequence[str] | None = None,
        test: Any = None,
        subset: int | None = None,
        seed: int = 0,
        warm_start: bool = False,
        progress: Progress | None = None,
    ) -> None:
        selector = as_selector(selector)
        check_bool("warm_start", warm_start)
        check_progress(progress)
        given = pool_inputs(inputs, trains=learner is not None)
        names = class_names(tuple(map(str, given.classes)) if classes is None else classes)
        if learner is not None:
            learner = learner_for(selector, learner, num_classes=len(names) or None, warm_start=warm_start)
        elif subset is not None or warm_start or test is not None:
            raise ArgumentError("subset, warm_start and test go with a learner, and learner is None")
        frames = given.values if isinstance(given.values, HandFrames) else None
        joints = None if frames is None else len(frames.skeleton)
        if frames is not None and (check_size := getattr(learner, "check_size", None)):
            check_size(frames.size)
        self._held_out, self._refused = given.held_out, given.refused
        self._pool = Pool(given.n, given.held_out)
        # Learners make an output for each class up to the largest; a typo must not make millions.
        largest = None if learner is None else largest_class(max(given.n, classes_of(learner)))
        task = getattr(learner, "task", None)
        self._targets = Targets(given.n, classes=names, task=task, joints=joints, largest=largest)
        self._stages = Stages(
            inputs=given.values,
            targets=None,
            learner=learner,
            selector=selector,
            pool=self._pool,
            num_classes=len(names),
            subset=None if subset is None else check_whole("subset", subset),
            seed=check_whole("seed", seed, low=0),
            warm_start=warm_start,
            graph=given.graph,
            progress=progress,
        )
        self._test = None if test is None else labeled_items(test, names, largest=largest)
        self._environment: dict[str, Any] = {"sources": sources(learner, selector)}
        self._history: list[CycleRecord] = []
        # Whether labels have changed since the last training, and what came of that.
        self._stale, self._trained, self._metric = True, dict[str, int](), dict[str, float]()
        self._take_labels(given, {} if labels is None else labels)

    def ask(self, n: int) -> Picks:
        """Train on the labels so far, if they have changed, and pick items to label.

        Args:
            n: How many.

        Raises:
            ArgumentError: Fewer items are left, or the learner or selector cannot use what is there.
            TrainingError: The learner or the selector diverged.
        """
        n, stages, pool = check_whole("n", n), self._stages, self._pool
        left = len(pool.candidates)
        if n > left:
            raise ArgumentError(
                f"n is {n}, but only {counted(left, 'item')} {'is' if left == 1 else 'are'} left: {len(pool.labelled)} "
                f"labeled, {len(pool.asked)} asked for and {len(pool.skipped)} skipped; ask for fewer, or take_back "
                "items"
            )
        if stages.subset is not None and n > stages.subset:
            raise ArgumentError(f"n ({n}) must not be larger than subset ({stages.subset})")
        chooser, x = (None, None) if stages.learner is None else self._prepared()
        chosen = stages.select(n, selector=chooser, x=x)
        record = stages.record(chosen, {**machine(device_of(stages.learner)), **self._environment})
        pool.ask(chosen.items)
        self._history.append(record)
        picks = Picks(
            items=tuple(chosen.items),
            scores=tuple(chosen.scores),
            details=chosen.selection.details,
            n_id=chosen.n_id,
            cycle=stages.cycle,
        )
        stages.pseudo = chosen.trusted
        stages.begin(stages.cycle + 1)
        return picks

    def tell(self, items: Any, labels: Any = None, *, overwrite: bool = False) -> Self:
        """Take labels of items, whether they were asked for or not: all that are given, or on an error none.

        Args:
            items: What `ask` gave, ids, one id, or `{item: label}`.
            labels: A label for each, None for one to be skipped; or `{item: label}` for some of them, the others
                staying open. For one id its class is enough.
            overwrite: Whether a label may replace another one. Telling the same label again is no error.

        Raises:
            ArgumentError: There is no such item, it is kept out by a mask, a label is of another kind, shape or class
                than the others, or replaces another one.
        """
        check_bool("overwrite", overwrite)
        stages = self._stages
        ids, given = pairs_of(items.items if isinstance(items, Picks) else items, labels)
        self._check_items(ids)
        told = [(item, label) for item, label in zip(ids, given, strict=True) if label is not None]
        skipped = [item for item, label in zip(ids, given, strict=True) if label is None]
        self._check_skipped(skipped)
        chosen = [item for item, _ in told]
        values = self._targets.read(chosen, [label for _, label in told])
        since = self._pool.since
        changed = self._targets.changed(chosen, values)
        if not overwrite:
            self._targets.check_new(chosen, values)
        self._pool.reveal([item for item in chosen if item not in since], cycle=stages.cycle)
        self._targets.keep(chosen, values)
        self._pool.skip(skipped)
        stages.forget_pseudo()
        self._stale = self._stale or bool(changed)
        return self

    def skip(self, items: Any) -> Self:
        """Never ask for items again, until they are taken back.

        Raises:
            ArgumentError: There is no such item, or it has a label.
        """
        ids = ids_of(items.items if isinstance(items, Picks) else items)
        self._check_items(ids)
        self._check_skipped(ids)
        self._pool.skip(ids)
        return self

    def take_back(self, items: Any) -> Self:
        """Undo what was done with items: they lose their label, are no longer asked for or skipped, may come again.

        Raises:
            ArgumentError: There is no such item, or nothing was done with it.
        """
        ids = ids_of(items.items if isinstance(items, Picks) else items)
        self._check_items(ids)
        labelled, others = set(self._pool.since), {*self._pool.asked, *self._pool.skipped}
        for item in ids:
            if item not in labelled and item not in others:
                raise ArgumentError(f"item {item} has no label, and was neither asked for nor skipped")
        self._targets.forget([item for item in ids if item in labelled])
        self._pool.take_back(ids)
        self._stale = self._stale or bool(labelled & set(ids))
        return self

    def fit(self) -> Self:
        """Train on the labels so far, if they have changed since the last training; `ask` does so by itself.

        Raises:
            ArgumentError: There is no learner, or no label.
            TrainingError: The learner diverged.
        """
        stages = self._stages
        if stages.learner is None:
            raise ArgumentError("there is no learner to fit; give one in place of None")
        if not len(self._pool.labelled):
            raise ArgumentError("nothing is labeled yet; tell labels first, or ask, which needs none")
        if stages.fitted is None or self._stale:
            if not self._stale:  # loaded, of a learner whose weights were not saved
                stages.seeds |= self._trained
            stages.targets = self._targets.values
            stages.train()
            if self._test is not None:
                stages.test(self._test.inputs, self._test.targets)
            self._stale, self._trained = False, {"learner": stages.seeds["learner"]}
            self._metric = stages.metric
        stages.seeds |= self._trained
        stages.metric = self._metric
        return self

    def save(self, folder: str | Path) -> None:
        """Write everything but the inputs into a folder, to go on with `load`; no pickle is written.

        The folder may be that of an earlier `save`, which counts until the new one is whole.

        Raises:
            ArgumentError: The folder is no path.
            RunFolderError: It cannot be written.
        """
        folder, stages = check_path("folder", folder), self._stages
        document = {
            "seed": stages.seed,
            "subset": stages.subset,
            "warm_start": stages.warm_start,
            "classes": list(self._targets.classes),
            "stale": self._stale,
            "trained": self._trained,
            "metric": self._metric,
        }
        held, arrays = snapshot(stages, self._targets, self._history)
        write_checkpoint(folder, {**document, **held}, arrays)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        learner: Learner | None,
        selector: Any,
        inputs: Any,
        *,
        test: Any = None,
        progress: Progress | None = None,
    ) -> Self:
        """Go on from a folder that `save` wrote.

        Args:
            folder: The folder.
            learner: As it was; one with other parameters counts from the next training on, with a `SeqGCNWarning`.
            selector: Likewise.
            inputs: The same items in the same order.
            test: As for the constructor.
            progress: Told about every stage.

        Raises:
            RunFolderError: The folder holds nothing that was saved, or something damaged.
            ArgumentError: The inputs are other ones, or the folder is no path.
        """
        folder = check_path("folder", folder)
        document, arrays = read_checkpoint(folder)
        options = {key: document.get(key) for key in ("subset", "warm_start", "seed", "classes")}
        loaded = cls(learner, selector, inputs, test=test, progress=progress, **cast(dict[str, Any], options))
        loaded._pool = loaded._stages.pool = Pool(loaded._pool.size, loaded._held_out)
        loaded._targets = Targets.like(loaded._targets)
        loaded._history = restore(folder, document, arrays, loaded._stages, loaded._targets)
        loaded._stale, loaded._trained = bool(document["stale"]), dict(document["trained"])
        loaded._metric = dict(document["metric"])
        if changed := changes(document, loaded._stages):
            warnings.warn(
                f"{folder} was saved with another selector or learner ({', '.join(changed)} changed); what is given "
                "now counts from the next ask on",
                SeqGCNWarning,
                stacklevel=2,
            )
            loaded._stale = True
        return loaded

    @property
    def learner_(self) -> Learner:
        """The learner, trained."""
        if self._stages.fitted is None:
            raise AttributeError("no learner is trained yet; call fit or ask, after labels were told")
        return self._stages.fitted

    @property
    def history_(self) -> tuple[CycleRecord, ...]:
        """What happened at each `ask`."""
        return tuple(self._history)

    @property
    def labels_(self) -> dict[int, Any]:
        """The known labels by item."""
        known = ((item, self._targets[item]) for item in self._pool.since)
        return {item: label for item, label in known if label is not None}

    @property
    def asked_(self) -> tuple[int, ...]:
        """Items that were asked for and are open."""
        return self._pool.asked

    @property
    def skipped_(self) -> tuple[int, ...]:
        """Items that are not to be asked for."""
        return self._pool.skipped

    def __len__(self) -> int:
        return self._pool.size

    def __repr__(self) -> str:
        pool = self._pool
        return (
            f"ActiveLearner({pool.size:,} items: {len(pool.since):,} labeled, {len(pool.asked):,} asked for, "
            f"{len(pool.skipped):,} skipped)"
        )

    def _prepared(self) -> tuple[Selector | None, Tensor | None]:
        """Train, if there is something to train on; else what picks and describes in place of the usual."""
        stages = self._stages
        assert stages.learner is not None  # noqa: S101  # for mypy
        if len(self._pool.labelled):
            self.fit()
            return None, None
        if not getattr(stages.learner, "needs_labels", True):
            stages.fitted = cast(Learner, clone(stages.learner)).set_params(seed=stages.seeds["learner"])
            return None, None
        stages.fitted = None
        return first_choice(stages.selector, stages.inputs)

    def _take_labels(self, given: PoolInputs, labels: Mapping[int, Any]) -> None:
        """Take what is labeled from the start: nodes of the train_mask, then what was given."""
        if not isinstance(labels, Mapping):
            raise ArgumentError(f"labels must be a mapping {{item: label}}, got {type(labels).__name__}")
        if given.y is not None:
            self.tell(given.labelled, list(given.y[list(given.labelled)]))
        else:
            unknown = [item for item in given.labelled if item not in labels]
            if unknown and self._stages.learner is not None:
                raise ArgumentError(
                    f"node {unknown[0]} is in data.train_mask, but its label is not known; attach data.y, or give "
                    "labels={node: label, ...}"
                )
            self._pool.reveal(given.labelled, cycle=0)
        self.tell(labels)

    def _check_items(self, ids: Sequence[int]) -> None:
        for item in ids:
            if not 0 <= item < len(self):
                raise ArgumentError(f"item {item} is unknown: there are {len(self):,} items, from 0 to {len(self) - 1}")
            if self._refused is not None and self._refused[item]:
                raise ArgumentError(
                    f"item {item} is in data.val_mask or data.test_mask, so that it is not labeled to train on; take "
                    "it out of them, or allow it by data.pool_mask"
                )

    def _check_skipped(self, ids: Sequence[int]) -> None:
        labelled = self._pool.since
        for item in ids:
            if item in labelled:
                raise ArgumentError(f"item {item} has a label and cannot be skipped; take_back the label first")
