"""Run one evidence configuration and write its result: every curve, AUBC and the paired comparison with Random.

python benchmarks/evidence/evidence.py digits
python benchmarks/evidence/evidence.py cifar10_reduced --root FOLDER_WITH_CIFAR

Runs are kept in runs/evidence/NAME and go on where they stopped; --only runs some of the selectors, so that several
processes can share the work, and --summary-only writes the result of what is there.
"""

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import yaml
from results import write_result

from seqgcn.config.run import CONFIG, RunConfig, SelectorSpec
from seqgcn.runs.journal import CycleRecord
from seqgcn.runs.reader import curve_of
from seqgcn.runs.run_set import RunSet
from seqgcn.utils.progress import Bars

HERE = Path(__file__).parent


def main() -> None:
    """Run and summarize."""
    parser = _parser()
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("seqgcn").setLevel(logging.INFO)
    torch.set_num_threads(arguments.threads)
    plan = yaml.safe_load((HERE / f"{arguments.name}.yaml").read_text())
    root = {} if arguments.root is None else {"root": arguments.root}
    config = RunConfig(**{**plan["run"], **root})
    unknown = set(arguments.only) - set(config.selector)
    if unknown:
        parser.error(f"{arguments.name} has no selector {', '.join(sorted(unknown))}")
    finished: dict[str, dict[int, list[CycleRecord]]] = {}
    parameters: dict[str, Any] = {}
    for text in arguments.only or config.selector:
        runs = _runs(replace(config, selector=(text,)), Path("runs/evidence") / arguments.name)
        parameters |= runs.resolved
        if not arguments.summary_only:
            with Bars() as bars:
                bars.plan(len(runs.runs) * (config.cycles + 1))
                runs.progress = bars
                for event in runs:
                    bars.cycle_done(f"{text}, seed {event.run.seed}: {dict(event.record.metric)}")
        for run in runs.runs:
            rows = run.journal.read()
            if len(rows) == config.cycles + 1:
                finished.setdefault(text, {})[run.seed] = rows
    if arguments.only:
        return
    if not finished:
        parser.exit(1, f"no run of {arguments.name} is finished\n")
    rows = [row for by_seed in finished.values() for cycles in by_seed.values() for row in cycles]
    table = write_result(
        arguments.name,
        {name: {seed: curve_of(cycles) for seed, cycles in by_seed.items()} for name, by_seed in finished.items()},
        claim=plan["claim"],
        title=f"{runs.title}, {len(rows)} trainings",
        configuration={**plan["run"], "parameters": parameters},
        confirmatory=plan["confirmatory"],
        threads=max(row.environment["threads"] for row in rows),
        device=rows[0].environment["device"],
        note=plan.get("note", ""),
        metric=runs.metric,
        references=runs.dataset.references if plan.get("references") else {},
        seconds={name: _seconds(by_seed) for name, by_seed in finished.items()},
    )
    print(table)


def _runs(config: RunConfig, folder: Path) -> RunSet:
    """The runs of one selector, in a folder of its own."""
    folder = folder / SelectorSpec.parse(config.selector[0]).folder
    return RunSet(config, folder, resume=(folder / CONFIG).exists())


def _seconds(runs: dict[int, list[CycleRecord]]) -> dict[str, float]:
    """Mean seconds a cycle that selects took, by stage."""
    rows = [row for cycles in runs.values() for row in cycles if row.picks]
    return {stage: round(fmean(row.seconds[stage] for row in rows), 4) for stage in ("train", "embed", "select")}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "name", choices=sorted(path.stem for path in HERE.glob("*.yaml")), help="configuration beside this"
    )
    parser.add_argument("--root", help="folder that holds the data set's files")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    parser.add_argument("--only", nargs="+", default=[], metavar="SELECTOR", help="run these, write no result")
    parser.add_argument("--summary-only", action="store_true", help="run nothing, write the result of finished runs")
    return parser


if __name__ == "__main__":
    main()
