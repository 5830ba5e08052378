"""How an evidence script writes what it found: one JSON file, one table, one picture."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seqgcn.evaluation import ACCURACY, Curve, Metric, compare, comparison_table
from seqgcn.report import differences, learning_curve

RESULTS = Path(__file__).parent / "results"

MOST_CURVES = 10
"""Curves that can be told apart in one picture; of more, only the differences are drawn."""


def write_result(
    name: str,
    curves: Mapping[str, Mapping[int, Curve]],
    *,
    claim: str,
    title: str,
    configuration: Mapping[str, Any],
    confirmatory: Sequence[str],
    threads: int,
    device: str = "cpu",
    note: str = "",
    metric: Metric = ACCURACY,
    references: Mapping[str, float] | None = None,
    seconds: Mapping[str, Mapping[str, float]] | None = None,
) -> str:
    """Write results/NAME.json, .md and .png; return the table.

    Args:
        name: Of the three files.
        curves: For each selector the curve of each seed.
        claim: The question this answers.
        title: Of the picture.
        configuration: Everything needed to run it again, every parameter included.
        confirmatory: The comparisons with Random named before the first run.
        threads: Of torch.
        device: What it ran on.
        note: What must be said beside every figure; goes into all three files.
        metric: What the curves show.
        references: Published results to draw as lines, in the metric's unit.
        seconds: For each selector the mean seconds a cycle took to train, to embed and to select; the last is a column
            of the table.
    """
    comparisons = compare(curves, confirmatory=confirmatory)
    packages = ("seqgcn", "torch", "torch-geometric", "numpy", "scikit-learn")
    result = {
        "claim": claim,
        "note": note,
        "machine": f"{os.cpu_count()} CPU cores" if device == "cpu" else device,
        "threads": threads,
        "configuration": dict(configuration),
        "confirmatory": list(confirmatory),
        "metric": asdict(metric),
        "versions": {"python": platform.python_version()} | {each: version(each) for each in packages},
        **({"seconds": {name: dict(each) for name, each in seconds.items()}} if seconds else {}),
        "comparison": [asdict(each) for each in comparisons],
        "curves": {selector: {str(seed): asdict(c) for seed, c in runs.items()} for selector, runs in curves.items()},
    }
    columns = {"select, s": {name: f"{each['select']:.2f}" for name, each in seconds.items()}} if seconds else {}
    table = comparison_table(comparisons, metric=metric, columns=columns)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(
        "\n\n".join(part for part in (claim, f"{title}. {note}".strip(), table) if part) + "\n"
    )
    title = f"{title}. {note}" if note else title
    if len(curves) > MOST_CURVES:
        differences(comparisons, RESULTS / f"{name}.png", title=title, metric=metric)
    else:
        learning_curve(curves, RESULTS / f"{name}.png", title=title, metric=metric, references=references or {})
    return table
