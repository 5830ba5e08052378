"""What is drawn and tabulated of finished cycles: learning curves, training curves, the comparison with Random."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seqgcn.evaluation import Curve, Metric, compare, comparison_table
from seqgcn.report import learning_curve, training_curves
from seqgcn.runs.journal import CycleRecord
from seqgcn.runs.reader import PICKS, curve_of
from seqgcn.utils.files import csv_text, write_text

CURVE, TRAINING, COMPARISON = "curve.png", "training.png", "comparison.md"

Records = Mapping[str, Mapping[int, list[CycleRecord]]]
"""For each selector the records of each seed."""


def draw(records: Records, folder: Path, title: str, metric: Metric, references: Mapping[str, float]) -> None:
    """Write the learning curves of what has been journalled; nothing if there is no cycle yet.

    What a learner measured besides its metric has a picture of its own, named after it.

    Args:
        records: Of each selector and seed.
        folder: Where the picture goes.
        title: What was run.
        metric: What the records measured.
        references: Published results to draw as lines, in the metric's unit.
    """
    curves = _curves(records, metric.name)
    if curves:
        learning_curve(curves, folder / CURVE, title=title, metric=metric, references=references)
    rows = [row for by_seed in records.values() for cycles in by_seed.values() for row in cycles]
    for name in sorted({name for row in rows for name in row.metric} - {metric.name}):
        further = _curves(records, name)
        learning_curve(further, folder / f"{name.replace(' ', '-')}.png", title=title, metric=Metric(name))


def _curves(records: Records, metric: str) -> dict[str, dict[int, Curve]]:
    """Labels against a metric, of the runs that have measured it."""
    curves: dict[str, dict[int, Curve]] = {}
    for name, by_seed in records.items():
        for seed, cycles in by_seed.items():
            rows = [row for row in cycles if metric in row.metric]
            if rows:
                curves.setdefault(name, {})[seed] = curve_of(rows, metric)
    return curves


def draw_training(records: list[CycleRecord], folder: Path, title: str) -> None:
    """Write the training curves of the last cycle, where the learner tells of its training."""
    curves = {name: values for name, values in (records[-1].curves if records else {}).items() if values}
    if curves:
        labels = len(records[-1].labelled)
        training_curves(curves, folder / TRAINING, title=f"{title}: training on {labels:,} labels")


def write_picks(records: Sequence[CycleRecord], files: Sequence[str], folder: Path) -> None:
    """Write which files were picked, best first within a cycle; nothing if there is no cycle yet.

    Args:
        records: Of one run.
        files: File of each item.
        folder: Where picks.csv goes.
    """
    if not records:
        return
    rows = [
        [record.cycle, rank, item, files[item], score]
        for record in records
        for rank, (item, score) in enumerate(zip(record.picks, record.scores, strict=True), start=1)
    ]
    write_text(folder / PICKS, csv_text([["cycle", "rank", "item", "file", "score"], *rows]))


def compare_with_random(records: Records, cycles: int, metric: Metric) -> str | None:
    """Table of the paired differences to Random over the finished runs; None without two selectors to compare."""
    finished = {
        name: {seed: curve_of(rows) for seed, rows in by_seed.items() if len(rows) == cycles + 1}
        for name, by_seed in records.items()
    }
    finished = {name: by_seed for name, by_seed in finished.items() if by_seed}
    shared = {name: by_seed for name, by_seed in finished.items() if by_seed.keys() & finished.get("random", {}).keys()}
    if "random" not in shared or len(shared) < 2:
        return None
    return comparison_table(compare(shared), metric=metric)
