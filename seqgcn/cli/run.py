"""`seqgcn run`."""

from __future__ import annotations

import argparse
import shlex
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqgcn.catalogue import CATALOGUE
from seqgcn.cli.codes import DONE, INTERRUPTED
from seqgcn.config import RunConfig, options, parse_setting, read_config
from seqgcn.errors import ConfigError
from seqgcn.progress import Bars


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
    folder = run.add_argument_group("folders")
    folder.add_argument(
        "--out",
        metavar="FOLDER",
        help="run folder (default: runs/ and a name made of data set, learner, selectors)",
    )
    folder.add_argument(
        "--resume",
        action="store_true",
        help="go on with what the folder holds, under the configuration it holds (default: off)",
    )
    folder.add_argument("--config", metavar="FILE", help="YAML file of the options below (default: none)")
    folder.add_argument("--quiet", action="store_true", help="no progress bars, no table (default: off)")
    what = run.add_argument_group("what to run", "each is also a key of the YAML file; the command line wins")
    for option in options():
        settings: dict[str, Any] = {"dest": option.name, "default": argparse.SUPPRESS}
        shown = option.metadata.get("shown", option.default)
        if isinstance(option.default, bool):
            settings |= {"action": argparse.BooleanOptionalAction}
            shown = "on" if option.default else "off"
        elif option.name == "set":
            settings |= {"action": "append", "type": _setting}
            shown = "none"
        elif isinstance(option.default, tuple):
            settings |= {"nargs": "+"}
            shown = " ".join(map(str, option.default))
        elif shown is None:
            shown = "none"
        if option.name != "set" and option.metadata.get("unit"):
            settings |= {"metavar": "N"}
        if option.metadata.get("metavar"):
            settings |= {"metavar": option.metadata["metavar"]}
        if option.name in ("initial", "budget", "cycles", "subset", "pool_size", "test_size", "seeds"):
            settings |= {"type": int}
        text = option.metadata["help"]
        if option.metadata.get("kind"):
            settings |= {"metavar": "NAME"}
            text += ": " + ", ".join(CATALOGUE[option.metadata["kind"]])
        unit = f"{option.metadata['unit']}, " if option.metadata.get("unit") else ""
        flags = ["--seeds", "--seed"] if option.name == "seeds" else [f"--{option.name.replace('_', '-')}"]
        what.add_argument(*flags, help=f"{text} ({unit}default: {shown})", **settings)
    what.add_argument(
        "--test-subject",
        dest="set",
        action="append",
        type=_test_subject,
        default=argparse.SUPPRESS,
        metavar="N",
        help="msra: the subject left out to test, short for --set dataset.test_subject=N (default: 0)",
    )


def _test_subject(text: str) -> tuple[str, Any]:
    return _setting(f"dataset.test_subject={text}")


def _setting(text: str) -> tuple[str, Any]:
    try:
        return parse_setting(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _run(arguments: argparse.Namespace) -> int:
    given = {option.name: getattr(arguments, option.name) for option in options() if hasattr(arguments, option.name)}
    config = _merge(read_config(arguments.config) if arguments.config else {}, given)

    from seqgcn.runs import RunSet, free_folder, held_config

    folder = Path(arguments.out) if arguments.out else free_folder(config, Path("runs"), resume=arguments.resume)
    if arguments.resume:
        held = held_config(folder)
        config = config if arguments.config else _merge(held, given)
    with Bars(hidden=arguments.quiet) as bars, warnings.catch_warnings():
        # A warning printed by Python itself would tear the bars apart.
        warnings.showwarning = lambda message, *_where, **_more: bars.note(f"seqgcn: {message}")
        runs = RunSet(
            config, folder, resume=arguments.resume, progress=bars, say=lambda text: bars.note(f"seqgcn: {text}")
        )
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
            print(f"\n{comparison.read_text()}")
        print(f"\nrun folder: {folder}\nlearning curve: {folder / 'curve.png'}")
    return DONE


def _merge(from_file: Mapping[str, Any], given: Mapping[str, Any]) -> RunConfig:
    values = {**from_file, **given}
    if "set" in given:
        values["set"] = {**from_file.get("set", {}), **dict(given["set"])}
    return RunConfig(**values)


def _headline(selector: str, seed: int, record: Any, metric: Any) -> str:
    value = metric.show(record.metric[metric.name])
    return f"{selector}, seed {seed}: cycle {record.cycle}, {len(record.labelled)} labelled, {metric.name} {value}"


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
