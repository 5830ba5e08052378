"""From a configuration to run folders: one experiment for each selector and seed, resumable and comparable."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqgcn.config.registry import CATALOGUE, load
from seqgcn.config.run import (
    CONFIG,
    FINGERPRINT,
    REFERENCES,
    RunConfig,
    SelectorSpec,
    as_config_errors,
    portable,
    read_config,
    resolve,
)
from seqgcn.datasets.dataset import Dataset
from seqgcn.datasets.registry import dataset_maker
from seqgcn.evaluation import Metric
from seqgcn.exceptions import ArgumentError, ConfigError, MissingFileError, RunFolderError, SeqGCNError
from seqgcn.learners.components import changes, new_learner
from seqgcn.learners.devices import resolve_device
from seqgcn.learners.extend_learner import check_served, extended, with_task
from seqgcn.learners.protocol import Learner
from seqgcn.runs.journal import CycleRecord, Journal
from seqgcn.runs.loop import ActiveLearning, environment
from seqgcn.runs.reader import JOURNAL
from seqgcn.runs.run_folders import check_same, claim, run_directory
from seqgcn.runs.summary import COMPARISON, compare_with_random, draw, draw_training, write_picks
from seqgcn.selectors.adapter import new_selector
from seqgcn.selectors.selector import Selector
from seqgcn.training import Progress
from seqgcn.utils.environment import other_conditions
from seqgcn.utils.files import write_text
from seqgcn.utils.locks import locked


@dataclass(frozen=True)
class Run:
    """One selector under one seed, with its folder."""

    spec: SelectorSpec
    seed: int
    folder: Path
    cycles: int

    @property
    def journal(self) -> Journal:
        """The run's journal."""
        return Journal(self.folder / JOURNAL, self.cycles)


@dataclass(frozen=True)
class Event:
    """A cycle that is done: whose, and its record; `replayed` if it was read from the journal."""

    run: Run
    record: CycleRecord
    replayed: bool


class RunSet:
    """All runs of a configuration, in a folder of their own.

    A single run lies in the folder itself; several lie in `SELECTOR/seed-N` below it, each a run folder like a
    single one's. Seeds are the outer loop, so that a first comparison stands early.

    While it is iterated over, no other process can work in the folder, nor in that of the run at hand.

    Args:
        config: What to run.
        folder: Where; made if it is not there.
        resume: Go on with what the folder holds, which may be fewer cycles, selectors or seeds.
        progress: Told about every stage.

    Raises:
        ConfigError: A component or parameter is unknown, or of the wrong type.
        RunFolderError: The folder holds a run and `resume` is False, holds another configuration, is in use by
            another process, or cannot be written.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: str | Path,
        *,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.config, self.folder, self.progress = config, Path(folder), progress
        specs = [SelectorSpec.parse(text) for text in config.selector]
        single = len(specs) * len(config.seeds) == 1
        self.runs = [
            Run(spec, seed, self.folder if single else self.folder / spec.folder / f"seed-{seed}", config.cycles)
            for seed in config.seeds
            for spec in specs
        ]
        # Whatever is wrong with the configuration is found before any data is read or any file written.
        self.resolved = {spec.text: resolve(config, spec) for spec in specs}
        self.selectors = {spec.text: self._selector(spec) for spec in specs}
        with as_config_errors():
            resolve_device(config.device)
        learner = self._check_learner()
        if learner.get_params().get("predicts") != "auto":
            self._check_needs(learner)
        if resume and single:
            self._check_run_set()
        if not resume:
            # Before crops are made, which can take long; `_claim` looks again.
            for folder in (self.folder, *(run.folder for run in self.runs)):
                run_directory(folder).check_free()
        self.dataset = self._load_dataset(learner)
        learner = with_task(learner, self.dataset.task)
        self.metric: Metric = learner.metric
        self._check_needs(learner)
        with as_config_errors():
            for run in self.runs:
                self._loop(run)
        self._claim(resume)

    def __iter__(self) -> Iterator[Event]:
        """Run everything, an event a cycle; pictures and tables are written as runs end, or break off."""
        with locked(self.folder), _finally(self.summarise):
            for run in self.runs:
                # One of several may also be gone on with alone.
                with nullcontext() if run.folder == self.folder else locked(run.folder):
                    yield from self._run(run)

    def _run(self, run: Run) -> Iterator[Event]:
        known = len(run.journal.recover())
        loop = self._loop(run)
        if 0 < known <= self.config.cycles:
            self._compare_environments(run, loop)
        with _finally(lambda: self._draw(run)):
            for number, record in enumerate(loop):
                if number >= known:
                    check_same(run.folder, self._document([run]))
                yield Event(run, record, replayed=number < known)

    def _loop(self, run: Run) -> ActiveLearning:
        values = self.resolved[run.spec.text]["learner"]
        return ActiveLearning(
            self.dataset,
            new_learner(self.config.learner, values, self.config.device),
            self.selectors[run.spec.text],
            budget=self.config.budget,
            cycles=self.config.cycles,
            initial=self.config.initial,
            subset=self.config.subset,
            seed=run.seed,
            warm_start=self.config.warm_start,
            journal=run.journal,
            progress=self.progress,
        )

    def _draw(self, run: Run) -> None:
        records = run.journal.read()
        draw_training(records, run.folder, f"{self.title}, {run.spec.text}, seed {run.seed}")
        files = getattr(self.dataset.train, "files", None)
        if files is not None:
            write_picks(records, files, run.folder)
        # A single run's folder is the folder of all, whose picture `summarise` draws.
        if len(self.runs) > 1:
            self._draw_curves({run.spec.text: {run.seed: records}}, run.folder)

    def _draw_curves(self, records: Mapping[str, Mapping[int, list[CycleRecord]]], folder: Path) -> None:
        draw(records, folder, self.title, self.metric, self.dataset.references)

    @property
    def title(self) -> str:
        """What was run, for pictures."""
        pool, config = len(self.dataset.train), self.config
        return f"{self.dataset.name}, pool of {pool:,}, {config.learner}, {config.budget} labels a cycle"

    def summarise(self) -> None:
        """Draw the mean curves of all runs and, where Random is among several, compare with it."""
        records: dict[str, dict[int, list[CycleRecord]]] = {}
        for run in self.runs:
            records.setdefault(run.spec.text, {})[run.seed] = run.journal.read()
        self._draw_curves(records, self.folder)
        table = compare_with_random(records, self.config.cycles, self.metric)
        if table is not None:
            write_text(self.folder / COMPARISON, f"{self.title}\n\n{table}\n")

    def _load_dataset(self, learner: Learner) -> Dataset:
        name, root = self.config.dataset, self.config.root
        values = next(iter(self.resolved.values()))["dataset"]
        make = dataset_maker(name, root)
        with as_config_errors():
            dataset: Dataset = make(**values)
            dataset = dataset.limit(self.config.pool_size, self.config.test_size)
            if hasattr(learner, "check_size") and hasattr(dataset, "crop_size"):
                learner.check_size(dataset.crop_size)
            dataset.prepare(self.progress)
            return dataset

    def _selector(self, spec: SelectorSpec) -> Selector:
        with as_config_errors(f"{spec.text}: "):
            return new_selector(spec.name, self.resolved[spec.text]["selector"])

    def _check_learner(self) -> Learner:
        """A learner as the configuration has it, its parameters checked."""
        values = next(iter(self.resolved.values()))["learner"]
        with as_config_errors(f"{self.config.learner}: "):
            return new_learner(self.config.learner, values, self.config.device)

    def _check_needs(self, learner: Learner) -> None:
        """Refuse selectors that the learner cannot serve, such as those by class probabilities on poses."""
        for text, selector in self.selectors.items():
            try:
                _check_served(learner, selector)
            except ArgumentError as error:
                served = [name for name in CATALOGUE["selector"] if _serves(learner, name)]
                raise ConfigError(
                    f"{text} with the learner {self.config.learner}: {error}; selectors that work with it: "
                    f"{', '.join(served)}"
                ) from error

    def _document(self, runs: Iterable[Run]) -> dict[str, Any]:
        """The resolved configuration of some runs, as YAML holds it; `--config` reads it back."""
        runs = list(runs)
        specs = list(dict.fromkeys(run.spec.text for run in runs))
        settings: dict[str, Any] = dict(self.config.set)
        if len(runs) == 1:
            spec = runs[0].spec
            settings = {
                f"{kind}.{key}": portable(key, value)
                for kind, values in self.resolved[spec.text].items()
                for key, value in values.items()
            }
            specs = [spec.name]
        config = replace(
            self.config,
            selector=tuple(specs),
            seeds=tuple(dict.fromkeys(run.seed for run in runs)),
            initial=self.config.initial or self.config.budget,
            # So that a run goes on from any working directory.
            root=portable("root", self.config.root, ("root",)),
            set=settings,
        )
        references = {REFERENCES: dict(self.dataset.references)} if self.dataset.references else {}
        return {**config.to_dict(), FINGERPRINT: self.dataset.fingerprint, **references}

    def _claim(self, resume: bool) -> None:
        """Write the configuration of every run into its folder, or make sure that what is there fits it."""
        documents = {self.folder: self._document(self.runs)}
        claim(self.folder, documents | {run.folder: self._document([run]) for run in self.runs}, resume=resume)

    def _check_run_set(self) -> None:
        """Refuse to extend one of several runs alone: those beside it could not be compared with it any more.

        Raises:
            RunFolderError: The folder is that of a run set's run, and the number of cycles is to be another.
        """
        outer, run = self.folder.resolve().parent.parent, self.runs[0]
        with suppress(MissingFileError, ConfigError):
            values = read_config(outer / CONFIG)
            inside = (
                f"seed-{run.seed}" == self.folder.resolve().name and len(values["selector"]) * len(values["seeds"]) > 1
            )
            if inside and values["cycles"] != self.config.cycles:
                command = shlex.join(
                    ["seqgcn", "run", "--resume", "--out", str(outer), "--cycles", str(self.config.cycles)]
                )
                raise RunFolderError(
                    f"{self.folder} is one of several runs of {values['cycles']} cycles in {outer}, which are "
                    f"extended together: {command}"
                )

    def _compare_environments(self, run: Run, loop: ActiveLearning) -> None:
        held = run.journal.read()[-1].environment
        notes = [*changes(held.get("sources"), loop.sources), *other_conditions(held, environment(loop.learner))]
        run_directory(run.folder).warn(notes)


def _serves(learner: Learner, name: str) -> bool:
    try:
        _check_served(learner, load("selector", name)())
    except ArgumentError:
        return False
    return True


def _check_served(learner: Learner, selector: Selector) -> None:
    check_served(extended(learner, selector.extensions), selector)


@contextmanager
def _finally(finish: Callable[[], None]) -> Iterator[None]:
    """Call `finish` at the end of a block; if the block failed, a second failure does not hide the first."""
    try:
        yield
    except RunFolderError:
        # Nothing more is written into a folder that is full, or no longer what it was.
        raise
    except BaseException:
        with suppress(SeqGCNError):
            finish()
        raise
    finish()


def held_config(folder: Path, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a run folder is configured with, to go on with it.

    Args:
        folder: Of one run, or of several.
        given: Options that are given now. Where these name several selectors, parameters of the selector of a
            single run are left out: they are not for the others.

    Raises:
        RunFolderError: It holds no run, or its configuration cannot be read.
    """
    try:
        values = read_config(folder / CONFIG)
    except MissingFileError as error:
        raise RunFolderError(f"there is no run in {folder} to resume; without --resume one is begun there") from error
    except ConfigError as error:
        raise RunFolderError(str(error)) from error
    single = len(values.get("selector", ())) == len(values.get("seeds", ())) == 1
    if single and len((given or {}).get("selector", ())) > 1:
        values["set"] = {key: each for key, each in values.get("set", {}).items() if not key.startswith("selector.")}
    return values


def free_folder(config: RunConfig, parent: Path, *, resume: bool) -> Path:
    """A folder for a run without `--out`, named after what it runs; with `resume` the newest there is.

    Raises:
        RunFolderError: Nothing to resume.
    """
    selectors = "-".join(SelectorSpec.parse(text).folder for text in config.selector[:4])
    stem = f"{config.dataset}-{config.learner}-{selectors}".replace(":", "_")
    taken = [parent / stem]
    while (taken[-1] / CONFIG).exists():
        taken.append(parent / f"{stem}-{len(taken) + 1}")
    if not resume:
        return taken[-1]
    if len(taken) == 1:
        raise RunFolderError(f"there is no run in {taken[0]} to resume; name its folder with --out")
    return taken[-2]
