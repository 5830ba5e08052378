"""Run folders as `seqgcn run` leaves them: read back, for what compares and reports them. Nothing here writes."""

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seqgcn.config.registry import import_path, load, parameters
from seqgcn.config.run import CONFIG, FINGERPRINT, REFERENCES, RunConfig, SelectorSpec, options_of, read_mapping
from seqgcn.evaluation import ACCURACY, MEAN_JOINT_ERROR, RMSE, Curve, Metric
from seqgcn.exceptions import ConfigError, RunFolderError, SeqGCNError
from seqgcn.runs.journal import CycleRecord, Journal

JOURNAL, PICKS = "journal.jsonl", "picks.csv"


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """One selector under one seed, as far as it got.

    Args:
        folder: Where it lies.
        config: Its configuration, every parameter in it.
        fingerprint: Of the data set it was begun with.
        selector: Its name with the parameters that are not the defaults, as the command line takes it.
        records: Its cycles.
        metric: What they measure; None before the first.
        references: Published results on the same data, in the metric's unit.
    """

    folder: Path
    config: RunConfig
    fingerprint: str
    selector: str
    records: tuple[CycleRecord, ...]
    metric: Metric | None
    references: Mapping[str, float] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.config.seeds[0]

    @property
    def finished(self) -> bool:
        """Whether all its cycles are done."""
        return len(self.records) == self.config.cycles + 1

    @property
    def progress(self) -> str:
        """`"core-gcn, seed 2 (3 of 9 cycles)"`."""
        return f"{self.selector}, seed {self.seed} ({len(self.records)} of {self.config.cycles + 1} cycles)"

    def curve(self, name: str) -> Curve | None:
        """Labels against one of the metrics, where it was measured; None if it never was."""
        rows = [row for row in self.records if name in row.metric]
        if not rows:
            return None
        return curve_of(rows, name)


@dataclass(frozen=True, kw_only=True)
class RunFolders:
    """What one `seqgcn run` was told to run, each run as far as it got.

    Args:
        folder: Of all.
        config: Of all.
        runs: Selector by selector, in the order of `config`.
    """

    folder: Path
    config: RunConfig
    runs: tuple[RunFolder, ...]

    @property
    def unfinished(self) -> list[RunFolder]:
        """The runs that `--resume` would go on with."""
        return [run for run in self.runs if not run.finished]

    @property
    def title(self) -> str:
        """What was run."""
        return title(self.config)

    @property
    def references(self) -> Mapping[str, float]:
        """Published results on the same data, in the metric's unit."""
        return next((run.references for run in self.runs if run.references), {})


def curve_of(records: Iterable[CycleRecord], metric: str | None = None) -> Curve:
    """Labels against a metric of a run's cycles, the learner's own by default."""
    rows = list(records)
    return Curve(
        labelled=tuple(len(row.labelled) for row in rows),
        metric=tuple(row.metric[metric or next(iter(row.metric))] for row in rows),
    )


def title(config: RunConfig) -> str:
    """What a configuration runs, for headings: all but its selectors and seeds."""
    return f"{config.dataset}, {config.learner}, {config.budget} labels a cycle"


def read_runs(folder: str | Path) -> RunFolders:
    """Read a run folder, of a single run or of several.

    Raises:
        RunFolderError: It holds no run, or a file in it is damaged.
    """
    folder = Path(folder)
    config, known = _configuration(folder)
    specs = [_spec(folder, text) for text in config.selector]
    if len(specs) * len(config.seeds) == 1:
        return RunFolders(folder=folder, config=config, runs=(_read(folder, config, known),))
    runs = []
    for spec in specs:
        for seed in config.seeds:
            below = folder / spec.folder / f"seed-{seed}"
            if not (below / CONFIG).exists():  # stopped before it was begun, or taken away since
                alone = replace(config, selector=(spec.text,), seeds=(seed,))
                run = RunFolder(folder=below, config=alone, selector=spec.text, records=(), metric=None, **known)
            else:
                run = _read(below, *_configuration(below))
            runs.append(run)
    return RunFolders(folder=folder, config=config, runs=tuple(runs))


def picked_files(folder: Path) -> dict[int, str]:
    """File of each item that a run has picked, where its items are files.

    Raises:
        RunFolderError: The list cannot be read.
    """
    path = folder / PICKS
    if not path.exists():
        return {}
    files: dict[int, str] = {}
    line = 1
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, strict=True):
                line += 1
                if not row["file"]:
                    raise ValueError("no file is named")
                files[int(row["item"])] = row["file"]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise RunFolderError(
            f"cannot read {path}, line {line} ({type(error).__name__}: {error}); delete it, and seqgcn run --resume "
            "writes it anew"
        ) from error
    return files


def _configuration(folder: Path) -> tuple[RunConfig, dict[str, Any]]:
    """What was to be run, and what else is known of its data."""
    path = folder / CONFIG
    if not path.exists():
        raise RunFolderError(f"there is no run in {folder}: it holds no {CONFIG}; name a folder that seqgcn run wrote")
    try:
        held = read_mapping(path)
        config = RunConfig(**options_of(held, path))
    except ConfigError as error:
        raise RunFolderError(f"{path}: {error}") from error
    references = held.get(REFERENCES, {})
    if not isinstance(references, dict) or not all(_is_number(value) for value in references.values()):
        raise RunFolderError(f"{path}: {REFERENCES} must be a mapping of names to numbers; restore it")
    known = {"fingerprint": str(held.get(FINGERPRINT, "")), "references": {str(k): v for k, v in references.items()}}
    return config, known


def _spec(folder: Path, text: str) -> SelectorSpec:
    try:
        spec = SelectorSpec.parse(text)
        if not import_path("selector", spec.name):  # which is not imported: reading a run runs no code of others
            load("selector", spec.name)  # so that no name leads out of the folder
    except ConfigError as error:
        raise RunFolderError(f"{folder / CONFIG}: {error}") from error
    return spec


def _read(folder: Path, config: RunConfig, known: Mapping[str, Any]) -> RunFolder:
    if len(config.selector) * len(config.seeds) != 1:
        raise RunFolderError(f"{folder / CONFIG} must be of one selector and one seed, as it lies below another run")
    spec = _spec(folder, config.selector[0])
    records = Journal(folder / JOURNAL).read()
    for number, record in enumerate(records):
        _check(folder / JOURNAL, number, record, records)
    return RunFolder(
        folder=folder,
        config=config,
        selector=_label(spec, config.set),
        records=tuple(records),
        metric=_metric(folder, next(iter(records[0].metric)), config.learner) if records else None,
        **known,
    )


def _check(path: Path, number: int, record: CycleRecord, records: list[CycleRecord]) -> None:
    """Refuse a line that a run cannot have written."""
    measured = [*record.metric.values(), *record.seconds.values()]
    listed = [*record.curves.values(), *record.pseudo.values(), *record.generated.values()]
    numbers = [
        *record.scores,
        *(value for curve in record.curves.values() if isinstance(curve, list) for value in curve),
    ]
    ok = record.cycle == number and all(_is_number(each) and math.isfinite(each) for each in measured)
    ok = ok and all(isinstance(each, list) for each in listed) and all(map(_is_number, numbers))
    ok = ok and all(isinstance(each, int) for each in record.picks) and len(record.picks) == len(record.scores)
    ok = ok and list(record.metric)[:1] == list(records[0].metric)[:1] != []
    if not ok or (number and len(record.labelled) <= len(records[number - 1].labelled)):
        raise RunFolderError(f"{path}, line {number + 1} does not follow from the lines before it; restore the file")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _label(spec: SelectorSpec, settings: Mapping[str, Any]) -> str:
    """A selector's name with what is set otherwise than by default: runs of one label chose by one rule."""
    own = {key.removeprefix("selector."): value for key, value in settings.items() if key.startswith("selector.")}
    usual = {
        key: list(each.default) if isinstance(each.default, tuple) else each.default
        for key, each in ({} if import_path("selector", spec.name) else parameters("selector", spec.name)).items()
    }
    other = {key: each for key, each in {**own, **spec.settings}.items() if key not in usual or usual[key] != each}
    shown = ",".join(
        f"{key}={each if isinstance(each, str) else json.dumps(each, default=str)}" for key, each in other.items()
    )
    return f"{spec.name}:{shown}" if shown else spec.name


def _metric(folder: Path, name: str, learner: str) -> Metric:
    """The metric of this name: one of the package's own, or what the learner says."""
    for known in (ACCURACY, MEAN_JOINT_ERROR, RMSE):
        if known.name == name:
            return known
    if import_path("learner", learner):
        raise RunFolderError(
            f"{folder}: cannot tell whether a higher {name} is better, as reading a run does not import {learner}; "
            f"known are {ACCURACY.name}, {MEAN_JOINT_ERROR.name} and {RMSE.name}"
        )
    try:
        metric: Metric = load("learner", learner)().metric
    except (SeqGCNError, ImportError) as error:
        raise RunFolderError(f"{folder}: cannot tell whether a higher {name} is better: {error}") from error
    if metric.name != name:
        raise RunFolderError(f"{folder} holds the metric {name!r}, but {learner} measures {metric.name!r}")
    return metric
