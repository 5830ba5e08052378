"""The page of one experiment: what was run, how it went, what was picked, and how to go on or do it again."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqgcn.config.run import CONFIG
from seqgcn.evaluation import ACCURACY, Curve, Metric, compare, labels_saved
from seqgcn.report.html.charts import Chart, Line, chart
from seqgcn.report.html.pages import Table, render
from seqgcn.report.means import BASELINE, Curves, seeds_caption
from seqgcn.runs.comparison_page import (
    MOST_BANDS,
    Differences,
    differences,
    learning_chart,
    mean_lines,
    means_table,
    published_table,
    run_cells,
)
from seqgcn.runs.journal import CycleRecord
from seqgcn.runs.reader import RunFolder, RunFolders, picked_files

CYCLES_OF_PICKS, PICKS_SHOWN = 3, 20


@dataclass(frozen=True, kw_only=True)
class Section:
    """One run, as the page shows it."""

    name: str
    finished: bool
    cycles: Table | None
    training: Sequence[Chart]
    picks: Sequence[Table]
    seeds: Table | None
    settings: Table
    resume: str


def run_page(runs: RunFolders) -> str:
    """One self-contained page of a run folder, as far as its runs got.

    Args:
        runs: As `read_runs` gives them.

    Raises:
        RunFolderError: A list of picks is damaged.
    """
    records = [row for run in runs.runs for row in run.records]
    metric = next((run.metric for run in runs.runs if run.metric is not None), ACCURACY)
    farthest = _farthest(runs.runs)
    curves = _curves(farthest, metric.name)
    means = mean_lines(curves, metric)
    first = next((run for run in runs.runs if run.records), runs.runs[0])
    return render(
        "run.html.j2",
        title=runs.title,
        selectors=list(dict.fromkeys(run.selector for run in runs.runs)),
        seeds=runs.config.seeds,
        done=len(runs.runs) - len(runs.unfinished),
        total=len(runs.runs),
        unfinished=[run.progress for run in runs.unfinished],
        resume=_resume(runs),
        repeat=shlex.join(["seqgcn", "run", "--config", os.path.abspath(runs.folder / CONFIG), "--out", "NEW-FOLDER"]),
        chart=learning_chart(means, metric, runs.references),
        published=published_table(runs.references, metric),
        caption=_caption(curves, left_out=len(farthest) < sum(bool(run.records) for run in runs.runs)),
        figures=means_table(means, metric),
        differences=_differences(runs, metric),
        further=_further(farthest, records, metric),
        runs=_runs(runs, metric),
        sections=[_section(run) for run in runs.runs],
        options=_options(runs),
        parameters=_parameters("Parameters of learner and data set", first, ("learner.", "dataset.")),
        conditions=_conditions(records),
    )


def _resume(runs: RunFolders | RunFolder) -> str:
    return shlex.join(["seqgcn", "run", "--out", os.path.abspath(runs.folder), "--resume"])


def _farthest(runs: Sequence[RunFolder]) -> list[RunFolder]:
    """Of each selector the runs that got farthest: a mean stands where all of its seeds are."""
    most: dict[str, int] = {}
    for run in runs:
        most[run.selector] = max(len(run.records), most.get(run.selector, 1))
    return [run for run in runs if len(run.records) == most[run.selector]]


def _caption(curves: Curves, *, left_out: bool) -> str:
    """What the learning curves show; nothing where there are none."""
    if not curves:
        return ""
    more = " Runs that got less far than others of their selector are left out." if left_out else ""
    return seeds_caption(curves, bands=len(curves) <= MOST_BANDS) + more


def _curves(runs: Sequence[RunFolder], name: str) -> dict[str, dict[int, Curve]]:
    curves: dict[str, dict[int, Curve]] = {}
    for run in runs:
        curve = run.curve(name)
        if curve is not None:
            curves.setdefault(run.selector, {})[run.seed] = curve
    return curves


def _differences(runs: RunFolders, metric: Metric) -> Differences | None:
    """Of the finished runs to those of Random under the same seeds, where there are any."""
    curves = _curves([run for run in runs.runs if run.finished], metric.name)
    seeds = curves.get(BASELINE, {}).keys()
    paired: Curves = {name: each for name, each in curves.items() if each.keys() & seeds}
    if len(paired) < 2:
        return None
    return differences(compare(paired), labels_saved(paired, metric=metric), metric)


def _further(runs: Sequence[RunFolder], records: Sequence[CycleRecord], metric: Metric) -> list[Chart]:
    """What the learner measured besides its metric, a chart each."""
    names = sorted({name for row in records for name in row.metric} - {metric.name})
    charts = [
        chart(mean_lines(_curves(runs, name), Metric(name)), title=name, x_label="labeled items", y_label=name)
        for name in names
    ]
    return [each for each in charts if each is not None]


def _runs(runs: RunFolders, metric: Metric) -> Table | None:
    if len(runs.runs) == 1:
        return None
    header = ["selector", "seed", "cycles", "labels", f"last {metric.label}", "minutes"]
    rows = [[*run_cells(run, metric)[:-1], f"{_seconds(run.records) / 60:.1f}"] for run in runs.runs]
    return Table(title="All runs", header=header, rows=rows)


def _seconds(records: Sequence[CycleRecord]) -> float:
    return sum(sum(row.seconds.values()) for row in records)


def _section(run: RunFolder) -> Section:
    return Section(
        name=f"{run.selector}, seed {run.seed}",
        finished=run.finished,
        cycles=_cycles(run) if run.records else None,
        training=_training(run),
        picks=_picks(run),
        seeds=_seeds(run.records) if run.records else None,
        settings=_parameters("Parameters of the selector", run, ("selector.",)),
        resume=_resume(run),
    )


def _cycles(run: RunFolder) -> Table:
    records, metric = run.records, run.metric or ACCURACY
    digits = metric.decimals(max(abs(row.metric[metric.name]) for row in records))
    further = list(dict.fromkeys(name for row in records for name in row.metric if name != metric.name))
    added = {name: [_count(getattr(row, name)) for row in records] for name in ("pseudo", "generated")}
    added = {name: counts for name, counts in added.items() if any(counts)}
    stages = list(dict.fromkeys(stage for row in records for stage in row.seconds))
    titles = {"pseudo": "pseudo-labeled", "generated": "generated"}
    header = ["cycle", "labeled", metric.label, *further, "picked", *(titles[name] for name in added)]
    rows = [
        [
            str(row.cycle),
            f"{len(row.labelled):,}",
            f"{metric.scale * row.metric[metric.name]:.{digits}f}",
            *(f"{row.metric[name]:.4g}" if name in row.metric else "-" for name in further),
            f"{len(row.picks):,}",
            *(f"{counts[number]:,}" for counts in added.values()),
            *(f"{row.seconds.get(stage, 0.0):.2f}" for stage in stages),
        ]
        for number, row in enumerate(records)
    ]
    return Table(title="Cycles", header=[*header, *(f"{stage} (s)" for stage in stages)], rows=rows)


def _count(items: Mapping[str, Sequence[Any]]) -> int:
    return len(items.get("targets", ()))


def _training(run: RunFolder) -> list[Chart]:
    """What the last training told of itself, each quantity on its own scale."""
    curves = run.records[-1].curves if run.records else {}
    charts = [
        chart([Line(name=name, x=range(1, len(y) + 1), y=y)], title=name, x_label="epoch", y_label=name)
        for name, y in curves.items()
    ]
    return [each for each in charts if each is not None]


def _picks(run: RunFolder) -> list[Table]:
    """The best picks of the last cycles, the newest cycle first."""
    files = picked_files(run.folder)
    tables = []
    for row in [row for row in run.records if row.picks][: -CYCLES_OF_PICKS - 1 : -1]:
        shown = list(zip(row.picks, row.scores, strict=True))[:PICKS_SHOWN]
        part = f", the first {len(shown)} of {len(row.picks):,}" if len(shown) < len(row.picks) else ""
        names = [[files.get(item, "-")] if files else [] for item, _ in shown]
        tables.append(
            Table(
                title=f"Cycle {row.cycle}, with {len(row.labelled):,} labeled{part}",
                header=["rank", "item", *(["file"] if files else []), "score"],
                rows=[
                    [str(rank), str(item), *name, f"{score:.4g}"]
                    for rank, ((item, score), name) in enumerate(zip(shown, names, strict=True), start=1)
                ],
                text=(2,) if files else (),
            )
        )
    return tables


def _seeds(records: Sequence[CycleRecord]) -> Table:
    names = list(dict.fromkeys(name for row in records for name in row.seeds))
    rows = [[str(row.cycle), *(str(row.seeds.get(name, "-")) for name in names)] for row in records]
    return Table(title="Seeds derived for each cycle", header=["cycle", *names], rows=rows)


def _options(runs: RunFolders) -> Table:
    values = {key: value for key, value in runs.config.to_dict().items() if key != "set"}
    rows = [[key.replace("_", "-"), _text(value)] for key, value in values.items()]
    given = runs.config.set if len(runs.runs) > 1 else {}
    rows += [[f"set {key}", _text(value)] for key, value in given.items()]
    rows.append(["fingerprint of the data", runs.runs[0].fingerprint])
    return Table(title="Configuration", header=["option", "value"], rows=rows, text=(0, 1))


def _parameters(title: str, run: RunFolder, prefixes: tuple[str, ...]) -> Table:
    rows = [[key, _text(value)] for key, value in run.config.set.items() if key.startswith(prefixes)]
    return Table(title=title, header=["parameter", "value"], rows=rows, text=(0, 1))


def _text(value: Any) -> str:
    """A value of a configuration for a reader."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else str(value)


def _conditions(records: Sequence[CycleRecord]) -> Table:
    """Versions, threads, device and machine; where they changed under way, one after the other."""
    seen: dict[str, dict[str, None]] = {}
    for row in records:
        versions = row.environment.get("versions")
        flat = dict(versions) if isinstance(versions, dict) else {}
        flat |= {key: row.environment.get(key) for key in ("threads", "device", "machine")}
        for key, value in flat.items():
            if value is not None:
                seen.setdefault(str(key), {})[str(value)] = None
    rows = [[key, " and ".join(values)] for key, values in seen.items()]
    return Table(title="Versions and machine", header=["what", "value"], rows=rows, text=(0, 1))
