"""`seqgcn run`."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from seqgcn.cli.codes import DONE, INTERRUPTED
from seqgcn.cli.options import (
    add_accept_crops,
    add_accept_labels,
    add_options,
    add_threads,
    given_options,
    merged,
    setting,
)
from seqgcn.config.run import FEATURES, RunConfig, means_features, read_config
from seqgcn.utils.progress import Bars


def add_to(commands: Any) -> None:
    """Add the command."""
    run = commands.add_parser(
        "run",
        help="active learning on a data set whose labels are known",
        description="Active learning on a data set whose labels are known: train, select, reveal, repeat. Writes "
        "config.yaml, journal.jsonl and curve.png into a run folder; several selectors or seeds get a folder each "
        "below it, and comparison.md.",
    )
    run.set_defaults(command=_run)
    _add_options(run)


def _add_options(run: argparse.ArgumentParser) -> None:
    folder = run.add_argument_group("folders and machine")
    folder.add_argument(
        "--out",
        metavar="FOLDER",
        help="run folder (default: runs/ and a name made of data set, learner, selectors)",
    )
    folder.add_argument(
        "--resume",
        action="store_true",
        help="go on with what the folder holds, under the configuration it holds; more cycles, selectors or seeds "
        "extend it (default: off)",
    )
    folder.add_argument("--config", metavar="FILE", help="YAML file of the options below (default: none)")
    folder.add_argument("--quiet", action="store_true", help="no progress bars, no table (default: off)")
    add_threads(folder)
    what = run.add_argument_group("what to run", "each is also a key of the YAML file; the command line wins")
    add_options(what, RunConfig)
    for name, text in FEATURES.items():
        what.add_argument(
            f"--{name.replace('_', '-')}",
            dest="set",
            action="append",
            type=partial(_parameter_of_features, name),
            default=argparse.SUPPRESS,
            metavar="FILE",
            help=f"{text} (default: none)",
        )
    add_accept_crops(what)
    add_accept_labels(what)
    what.add_argument(
        "--test-subject",
        dest="set",
        action="append",
        type=_test_subject,
        default=argparse.SUPPRESS,
        metavar="N",
        help="msra: the subject left out to test, short for --set dataset.test_subject=N (default: 0)",
    )


def _parameter_of_features(name: str, path: str) -> tuple[str, Any]:
    return f"dataset.{name}", path


def _test_subject(text: str) -> tuple[str, Any]:
    return setting(f"dataset.test_subject={text}")


def _run(arguments: argparse.Namespace) -> int:
    given = given_options(arguments, RunConfig)
    from_file = read_config(arguments.config) if arguments.config else {}
    config = RunConfig(**means_features(merged(from_file, given)))

    from seqgcn.runs.run_set import RunSet, free_folder, held_config

    folder = Path(arguments.out) if arguments.out else free_folder(config, Path("runs"), resume=arguments.resume)
    if arguments.resume:
        held = held_config(folder, given)
        config = config if arguments.config else RunConfig(**means_features(merged(held, given)))
    with Bars(hidden=arguments.quiet) as bars:
        runs = RunSet(config, folder, resume=arguments.resume, progress=bars)
        bars.plan(len(runs.runs) * (config.cycles + 1))
        try:
            for event in runs:
                bars.cycle_done(_headline(event.run.spec.text, event.run.seed, event.record, runs.metric))
        except KeyboardInterrupt:
            bars.close()
            command = f"seqgcn run --out {shlex.quote(str(folder))} --resume"
            print(f"seqgcn: interrupted; finished cycles are kept. Go on with: {command}", file=sys.stderr)
            return INTERRUPTED
    if not arguments.quiet:
        for run in runs.runs:
            _print_table(f"{run.spec.text}, seed {run.seed}", run.journal.read(), runs.metric)
        comparison = folder / "comparison.md"
        if comparison.exists():
            print("\n" + comparison.read_text(encoding="utf-8"))
        print(f"\nrun folder: {folder}\nlearning curve: {folder / 'curve.png'}")
    return DONE


def _headline(selector: str, seed: int, record: Any, metric: Any) -> str:
    value = metric.show(record.metric[metric.name])
    return f"{selector}, seed {seed}: cycle {record.cycle}, {len(record.labelled)} labeled, {metric.name} {value}"


def _print_table(title: str, records: Sequence[Any], metric: Any) -> None:
    width = len(metric.label) + 1
    print(f"\n{title}")
    print(f"{'cycle':>5} {'labelled':>9} {metric.label:>{width}} {'train s':>8} {'embed s':>8} {'select s':>9}")
    for record in records:
        seconds: Mapping[str, float] = record.seconds
        print(
            f"{record.cycle:>5} {len(record.labelled):>9} {metric.scale * record.metric[metric.name]:>{width}.2f} "
            f"{seconds['train']:>8.2f} {seconds['embed']:>8.2f} {seconds['select']:>9.2f}"
        )
