"""Run one evidence configuration and write its result: every curve, AUBC and the paired comparison with Random.

python benchmarks/evidence/evidence.py digits
python benchmarks/evidence/evidence.py cifar10_reduced --root FOLDER_WITH_CIFAR

Runs are kept in runs/evidence/NAME and go on where they stopped; --summary-only writes the result of what is there.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from seqgcn.config import RunConfig
from seqgcn.evaluation import Curve, compare, comparison_table
from seqgcn.journal import CycleRecord
from seqgcn.progress import Bars
from seqgcn.report import learning_curve
from seqgcn.runs import RunSet, curve_of

HERE = Path(__file__).parent


def main() -> None:
    """Run and summarise."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    plan = yaml.safe_load((HERE / f"{arguments.name}.yaml").read_text())
    root = {} if arguments.root is None else {"root": arguments.root}
    config = RunConfig(**{**plan["run"], **root})
    folder = Path("runs/evidence") / arguments.name
    with Bars() as bars:
        runs = RunSet(config, folder, resume=folder.exists(), progress=bars, say=print)
        bars.plan(len(runs.runs) * (config.cycles + 1))
        for event in [] if arguments.summary_only else runs:
            bars.cycle_done(f"{event.run.spec.text}, seed {event.run.seed}: {dict(event.record.metric)}")
    records: dict[str, dict[int, list[CycleRecord]]] = {}
    for run in runs.runs:
        rows = run.journal.read()
        if len(rows) == config.cycles + 1:
            records.setdefault(run.spec.text, {})[run.seed] = rows
    curves = {name: {seed: curve_of(rows) for seed, rows in runs_.items()} for name, runs_ in records.items()}
    _write(arguments.name, plan, records, curves)
    learning_curve(curves, HERE / "results" / f"{arguments.name}.png", title=runs.title)


def _write(
    name: str,
    plan: dict[str, Any],
    records: dict[str, dict[int, list[CycleRecord]]],
    curves: dict[str, dict[int, Curve]],
) -> None:
    comparisons = compare(curves, confirmatory=[each for each in plan["confirmatory"] if each in curves])
    rows = [row for runs in records.values() for cycles in runs.values() for row in cycles]
    environments = {json.dumps(row.environment["versions"], sort_keys=True) for row in rows}
    result = {
        "claim": plan["claim"],
        "configuration": plan["run"],
        "confirmatory": plan["confirmatory"],
        "versions": [json.loads(each) for each in sorted(environments)],
        "threads": sorted({row.environment["threads"] for row in rows}),
        "device": sorted({row.environment["device"] for row in rows}),
        "comparison": [asdict(each) for each in comparisons],
        "seconds_per_selection": {
            selector: _mean([row.seconds["select"] for cycles in runs.values() for row in cycles[:-1]])
            for selector, runs in records.items()
        },
        "seconds_per_training": _mean([row.seconds["train"] for row in rows]),
        "curves": {selector: {str(seed): asdict(c) for seed, c in runs.items()} for selector, runs in curves.items()},
    }
    table = comparison_table(comparisons)
    heading = f"{plan['claim']}\n\nOne run a selector and seed; {len(rows)} trainings."
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (HERE / "results" / f"{name}.md").write_text(f"{heading}\n\n{table}\n")
    print(table)


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 3)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "name", choices=sorted(path.stem for path in HERE.glob("*.yaml")), help="configuration beside this"
    )
    parser.add_argument("--root", help="folder that holds the data set's files")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    parser.add_argument("--summary-only", action="store_true", help="run nothing, write the result of finished runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
