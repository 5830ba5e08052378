"""How an evidence script writes what it found: one JSON file, one table, one picture."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seqgcn.evaluation import Curve, compare, comparison_table
from seqgcn.report import learning_curve

RESULTS = Path(__file__).parent / "results"


def write_result(
    name: str,
    curves: Mapping[str, Mapping[int, Curve]],
    *,
    claim: str,
    title: str,
    configuration: Mapping[str, Any],
    confirmatory: Sequence[str],
    details: Mapping[str, Any],
) -> str:
    """Write results/NAME.json, .md and .png; return the table.

    Args:
        name: Of the three files.
        curves: For each selector the curve of each seed.
        claim: The question this answers.
        title: Of the picture.
        configuration: Everything needed to run it again.
        confirmatory: The comparisons with Random named before the first run.
        details: Anything else for the JSON file (threads, timings).
    """
    comparisons = compare(curves, confirmatory=[each for each in confirmatory if each in curves])
    packages = ("seqgcn", "torch", "torch-geometric", "numpy", "scikit-learn")
    result = {
        "claim": claim,
        "configuration": dict(configuration),
        "confirmatory": list(confirmatory),
        "versions": {"python": platform.python_version()} | {each: version(each) for each in packages},
        **details,
        "comparison": [asdict(each) for each in comparisons],
        "curves": {selector: {str(seed): asdict(c) for seed, c in runs.items()} for selector, runs in curves.items()},
    }
    table = comparison_table(comparisons)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(f"{claim}\n\n{title}.\n\n{table}\n")
    learning_curve(curves, RESULTS / f"{name}.png", title=title)
    return table
