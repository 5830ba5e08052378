"""Selectors compared over run folders: which runs belong together, what is computed of them, and how it is written."""

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqgcn.config.run import CONFIG
from seqgcn.evaluation import (
    Comparison,
    Curve,
    Metric,
    Saving,
    compare,
    comparison_cells,
    how_to_read,
    labels_saved,
    saving_columns,
)
from seqgcn.evaluation.table import markdown_table
from seqgcn.exceptions import ConfigError, RunFolderError
from seqgcn.report import learning_curve
from seqgcn.runs.comparison_page import comparison_page
from seqgcn.runs.reader import RunFolder, RunFolders, read_runs, title
from seqgcn.utils.files import csv_text, write_text

TABLE, FIGURES, CURVE, PAGE = "comparison.md", "comparison.csv", "curve.png", "comparison.html"

RANDOM = "random"
"""What the others are compared with, if it is there."""

_MAY_DIFFER = ("selector", "seeds", "root", "device", "set")
"""Options that say nothing of the experiment, or are looked at one by one."""


@dataclass(frozen=True, kw_only=True)
class RunComparison:
    """Selectors over the seeds they ran, against a baseline.

    Args:
        folders: As they were named.
        runs: Of each selector the finished run of each seed.
        baseline: Selector that the others are compared with.
        rows: Areas under the curves and their differences, the baseline's first.
        savings: Labels saved by each of the others.
        metric: What all runs measured.
        notes: What the reader should know: runs left out, other conditions.
    """

    folders: tuple[Path, ...]
    runs: Mapping[str, Mapping[int, RunFolder]]
    baseline: str
    rows: tuple[Comparison, ...]
    savings: Mapping[str, Saving]
    metric: Metric
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What was run."""
        return title(self._first.config)

    @property
    def curves(self) -> dict[str, dict[int, Curve]]:
        """Of each selector the learning curve of each seed."""
        return _curves(self.runs, self.metric)

    @property
    def references(self) -> Mapping[str, float]:
        """Published results on the same data, in the metric's unit."""
        return next((run.references for _, run in self._each() if run.references), {})

    @property
    def _first(self) -> RunFolder:
        return next(iter(self.runs[self.baseline].values()))

    def table(self) -> str:
        """Heading, Markdown table and how to read it."""
        columns = saving_columns(self.savings, self.metric)
        table = markdown_table(*comparison_cells(self.rows, metric=self.metric, columns=columns))
        return "\n\n".join([self.title, table, *how_to_read(self.rows, self.metric)])

    def write(self, folder: str | Path) -> None:
        """Write the table, its figures as CSV, the picture of the curves and a page with all of it.

        Args:
            folder: New, empty, or of an earlier comparison, which is replaced.

        Raises:
            RunFolderError: The folder holds anything else, or cannot be written.
        """
        folder = Path(folder)
        _claim(folder)
        write_text(folder / FIGURES, self._csv())
        listed = "\n".join(f"- {name}, seed {run.seed}: {run.folder}" for name, run in self._each())
        notes = "".join(f"\n\nNote: {note}" for note in self.notes)
        write_text(folder / TABLE, f"{self.table()}{notes}\n\n{listed}\n")
        learning_curve(self.curves, folder / CURVE, title=self.title, metric=self.metric, references=self.references)
        command = ["seqgcn", "compare", *map(os.path.abspath, self.folders), "--baseline", self.baseline]
        confirmatory = [row.selector for row in self.rows if row.confirmatory]
        command += ["--confirmatory", *confirmatory] if confirmatory else []
        page = comparison_page(
            self.curves,
            self.rows,
            self.savings,
            metric=self.metric,
            title=self.title,
            references=self.references,
            runs=[run for _, run in self._each()],
            notes=self.notes,
            command=shlex.join([*command, "--out", os.path.abspath(folder)]),
        )
        write_text(folder / PAGE, page)

    def _each(self) -> Iterable[tuple[str, RunFolder]]:
        return ((name, run) for name, by_seed in self.runs.items() for _, run in sorted(by_seed.items()))

    def _csv(self) -> str:
        scale = self.metric.scale
        header = ["selector", "metric", "unit", "seeds", "aubc", "aubc_std", "difference", "standard_error"]
        header += ["interval_low", "interval_high", "p", "p_holm", "labels_saved", "labels_saved_low"]
        rows: list[list[Any]] = [[*header, "labels_saved_high", "labels_needed", "labels_needed_by_baseline", "at"]]
        for row in self.rows:
            low, high = row.interval or (None, None)
            scaled = (row.aubc_mean, row.aubc_std, row.difference, row.standard_error, low, high)
            cells: list[Any] = [row.selector, self.metric.name, self.metric.unit, row.seeds]
            cells += [None if each is None else scale * each for each in scaled]
            cells += [row.p_value, row.p_holm]
            saving = self.savings.get(row.selector)
            if saving is not None:
                cells += [saving.saved, *(saving.interval or (None, None)), saving.needed, saving.baseline_needed]
                cells.append(scale * saving.level)
            rows.append([*cells, *[None] * (18 - len(cells))])
        return csv_text(rows)


def compare_runs(
    folders: Sequence[str | Path], *, baseline: str | None = None, confirmatory: Sequence[str] = ()
) -> RunComparison:
    """Compare the selectors of some run folders, paired over the seeds.

    Runs that chose by the same rule are one selector, wherever they lie: the same name and the same parameters.
    Unfinished runs are left out and named in the notes.

    Args:
        folders: Of single runs or of several, in any mix.
        baseline: Selector that the others are compared with; its name is enough where only one has it. By default
            `random`; without it the first that shares a seed with all others, and a note says what random picks would
            tell. A single selector is shown alone.
        confirmatory: Selectors, at most six, whose comparison was fixed before looking at the results.

    Raises:
        RunFolderError: A folder holds no run or a damaged one, the runs are of different experiments, or two of the
            same selector and seed differ.
        ConfigError: The baseline or a confirmatory selector has no finished run, or there is nothing to compare.
        ArgumentError: A selector shares no seed with the baseline.
    """
    read = [read_runs(folder) for folder in folders]
    runs = _distinct(read)
    left_out = [_left_out(each) for each in read if each.unfinished]
    finished = [run for run in runs if run.finished]
    for run in finished[1:]:
        _check_same_experiment(finished[0], run)
    groups: dict[str, dict[int, RunFolder]] = {}
    for run in finished:
        _add(groups.setdefault(run.selector, {}), run)
    there = _there(groups, left_out)
    hints: list[str] = []
    if baseline is not None:
        baseline = _named(baseline, groups, "--baseline", there)
        if len(groups) < 2:
            raise ConfigError(f"nothing to compare {baseline} with: {there}; name another selector's runs too")
    elif not groups:
        raise ConfigError(f"nothing to compare: {there}")
    else:
        baseline = _usual_baseline(groups)
        hints = _hints(baseline, groups, folders)
    confirmatory = [_named(name, groups, "--confirmatory", there) for name in confirmatory]
    metric = finished[0].metric
    assert metric is not None  # noqa: S101  # a finished run has cycles
    curves = _curves(groups, metric)
    return RunComparison(
        folders=tuple(map(Path, dict.fromkeys(folders))),
        runs=groups,
        baseline=baseline,
        rows=tuple(compare(curves, baseline=baseline, confirmatory=confirmatory)),
        savings=labels_saved(curves, baseline=baseline, metric=metric),
        metric=metric,
        notes=(*left_out, *_conditions(finished), *hints),
    )


def _curves(runs: Mapping[str, Mapping[int, RunFolder]], metric: Metric) -> dict[str, dict[int, Curve]]:
    found = {name: {seed: run.curve(metric.name) for seed, run in each.items()} for name, each in runs.items()}
    return {name: {seed: curve for seed, curve in each.items() if curve} for name, each in found.items()}


def _distinct(read: Iterable[RunFolders]) -> list[RunFolder]:
    """The runs of all folders; one that lies in two of those named counts once."""
    return list({run.folder.resolve(): run for each in read for run in each.runs}.values())


def _left_out(runs: RunFolders) -> str:
    names = "; ".join(run.progress for run in runs.unfinished)
    command = shlex.join(["seqgcn", "run", "--out", str(runs.folder), "--resume"])
    return f"left out, as unfinished: {names}. To finish: {command}"


def _there(groups: Mapping[str, Mapping[int, RunFolder]], left_out: Sequence[str]) -> str:
    each = "; ".join(f"{name} (seeds {', '.join(map(str, sorted(runs)))})" for name, runs in groups.items())
    found = f"finished runs are there of {each}" if each else "no run is finished"
    return "; ".join([found, *left_out])


def _named(name: str, groups: Mapping[str, Mapping[int, RunFolder]], flag: str, there: str) -> str:
    """A selector by its label, or by its bare name where one alone has it."""
    if name in groups:
        return name
    same = [label for label in groups if label.partition(":")[0] == name]
    if len(same) != 1:
        several = f"{name} is several" if same else f"{name} is not among them"
        raise ConfigError(f"{flag}: {several}: {there}")
    return same[0]


def _usual_baseline(groups: Mapping[str, Mapping[int, RunFolder]]) -> str:
    """Random picks if they are there, else the first selector that shares a seed with all others."""
    if RANDOM in groups:
        return RANDOM
    shared = (name for name, own in groups.items() if all(own.keys() & other.keys() for other in groups.values()))
    return next(shared, next(iter(groups)))


def _hints(baseline: str, groups: Mapping[str, Mapping[int, RunFolder]], folders: Sequence[str | Path]) -> list[str]:
    """What this comparison does not show, and how to."""
    if baseline == RANDOM:
        return [] if len(groups) > 1 else [f"only {RANDOM} is there; name the runs of another selector to compare it"]
    seeds = sorted({seed for runs in groups.values() for seed in runs})
    config = next(iter(groups[baseline].values())).config
    beside = f"{Path(os.path.abspath(folders[0]))}-{RANDOM}"
    run = config.command(Path(beside), selector=(RANDOM,), seeds=tuple(seeds))
    again = shlex.join(["seqgcn", "compare", *map(str, folders), beside])
    alone = f"only {baseline} is there" if len(groups) == 1 else f"{RANDOM} is not there, so {baseline} is the baseline"
    return [f"{alone}; what choosing gains over random picks, these would show: {run} && {again}"]


def _add(runs: dict[int, RunFolder], run: RunFolder) -> None:
    other = runs.setdefault(run.seed, run)
    if _content(other) != _content(run):
        raise RunFolderError(
            f"{other.folder} and {run.folder} are both {run.selector} with seed {run.seed}, but differ in what they "
            "picked or measured; leave one of them out"
        )


def _content(run: RunFolder) -> list[Any]:
    return [(row.labelled, row.picks, row.metric) for row in run.records]


def _check_same_experiment(one: RunFolder, other: RunFolder) -> None:
    first, second = _experiment(one), _experiment(other)
    if first["fingerprint of the data"] == second["fingerprint of the data"]:  # however the data came about
        first, second = ({k: v for k, v in each.items() if not k.startswith("dataset.")} for each in (first, second))
    differing = [
        f"{key} is {first.get(key)} in the first, {second.get(key)} in the other"
        for key in {**first, **second}
        if first.get(key) != second.get(key)
    ]
    if differing:
        raise RunFolderError(
            f"{one.folder} and {other.folder} are of different experiments: {'; '.join(differing)}. Compare runs that "
            "differ in nothing but selector and seed"
        )


def _experiment(run: RunFolder) -> dict[str, Any]:
    """What must be the same in all runs, by name."""
    config = {key.replace("_", "-"): value for key, value in run.config.to_dict().items() if key not in _MAY_DIFFER}
    settings = {key: value for key, value in run.config.set.items() if not key.startswith("selector.")}
    metric = run.metric.name if run.metric else None
    return {**config, **settings, "fingerprint of the data": run.fingerprint, "metric": metric}


def _conditions(runs: Sequence[RunFolder]) -> list[str]:
    """Versions, sources of the user's own, devices and threads in which the runs differ, as one note."""
    seen: dict[str, dict[str, None]] = {}
    for run in runs:
        for row in run.records:
            held = [row.environment.get(key) for key in ("versions", "sources")]
            conditions = {key: row.environment.get(key) for key in ("device", "threads")}
            for each in held:
                conditions |= each if isinstance(each, dict) else {}
            for key, value in conditions.items():
                seen.setdefault(key, {})[str(value)] = None
    several = [f"{key} {' and '.join(values)}" for key, values in seen.items() if len(values) > 1]
    return [f"not all runs were made under the same conditions: {'; '.join(several)}"] if several else []


def _claim(folder: Path) -> None:
    """Make the folder, or see that nothing but a comparison is in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise RunFolderError(f"cannot write the comparison into {folder}: {error.strerror or error}") from error
    if names and (FIGURES not in names or CONFIG in names):
        raise RunFolderError(f"{folder} is not empty and holds no earlier comparison; name another folder with --out")
