"""The command line: arguments in, exit codes out."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqgcn import __version__
from seqgcn.catalogue import CATALOGUE, Entry, describe_type, load, parameters
from seqgcn.config import RunConfig, options, parse_setting, read_config
from seqgcn.errors import ArgumentError, ConfigError, SeqGCNError
from seqgcn.progress import Bars

DONE, BAD_DATA, BAD_COMMAND, INTERRUPTED = 0, 1, 2, 130

LAYOUTS = ("icvl", "nyu", "msra", "hands17", "depth-folder")
SCORED = ("icvl", "nyu", "msra", "hands17")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 is done, 1 a problem with the user's data or files, 2 with the command line, 130 interrupted.
    """
    arguments = parser().parse_args(argv)
    try:
        code = int(arguments.command(arguments))
        sys.stdout.flush()
        return code
    except ConfigError as error:
        print(f"seqgcn: {error}", file=sys.stderr)
        return BAD_COMMAND
    except SeqGCNError as error:
        print(f"seqgcn: {error}", file=sys.stderr)
        return BAD_DATA
    except KeyboardInterrupt:
        print("seqgcn: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Nothing is left for the interpreter to flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BAD_DATA
    except OSError as error:
        # A path the system will not even look at: too long a name, a folder nobody may enter.
        print(f"seqgcn: {error}", file=sys.stderr)
        return BAD_DATA


def parser() -> argparse.ArgumentParser:
    """The whole grammar; needs neither torch nor PyG."""
    top = argparse.ArgumentParser(
        prog="seqgcn", description="Choose which items to label: sequential GCN active learning."
    )
    top.add_argument("--version", action="version", version=f"seqgcn {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="active learning on a data set whose labels are known",
        description="Active learning on a data set whose labels are known: train, select, reveal, repeat. Writes "
        "config.yaml, journal.jsonl and curve.png into a run folder; several selectors or seeds get a folder each "
        "below it, and comparison.md.",
    )
    run.set_defaults(command=_run)
    _add_run_options(run)
    _add_render(commands)
    _add_evaluate(commands)
    for kind in CATALOGUE:
        lister = commands.add_parser(
            f"{kind}s", help=f"list the {kind}s and what can be set on each", description=f"List the {kind}s."
        )
        lister.set_defaults(command=_list, kind=kind)
    return top


def _add_render(commands: Any) -> None:
    render = commands.add_parser(
        "render",
        help="write rendered hand frames in the layout of a data set",
        description="Write depth frames of rendered, moving hands, with their poses, in the official layout of a hand "
        "pose data set. Test sequences show other subjects.",
    )
    render.set_defaults(command=_render)
    render.add_argument("folder", metavar="DIR", help="new or empty folder")
    render.add_argument("--layout", choices=LAYOUTS, default="icvl", help="default: icvl")
    render.add_argument("--frames", type=int, default=5000, metavar="N", help="training frames (default: 5000)")
    render.add_argument("--sequences", type=int, default=10, metavar="N", help="training sequences (default: 10)")
    render.add_argument("--test-frames", type=int, metavar="N", help="test frames (default: a third of the frames)")
    render.add_argument("--seed", type=int, default=0, metavar="N", help="of subjects, movements, noise (default: 0)")
    render.add_argument("--quiet", action="store_true", help="no progress bar (default: off)")


def _add_evaluate(commands: Any) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="score files of predicted hand poses",
        description="Mean joint error in mm, per joint, and the share of frames and joints within a threshold, of "
        "files with a frame a line: u v d (px, px, mm) of each joint, in the order of the ground truth's lines.",
    )
    evaluate.set_defaults(command=_evaluate)
    evaluate.add_argument("predictions", nargs="+", metavar="PREDICTIONS", help="one or more files")
    evaluate.add_argument("--dataset", required=True, choices=SCORED, help="whose camera and joints")
    evaluate.add_argument(
        "--groundtruth",
        required=True,
        nargs="+",
        metavar="FILE",
        help="true poses, in the same format; several files, as ICVL has, follow one another",
    )
    evaluate.add_argument("--out", metavar="FOLDER", help="write scores and pictures there (default: only print)")


def _add_run_options(run: argparse.ArgumentParser) -> None:
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


def _render(arguments: argparse.Namespace) -> int:
    from seqgcn.datasets.hands.rendering import write_dataset

    with Bars(hidden=arguments.quiet) as bars:
        try:
            folder = write_dataset(
                arguments.folder,
                arguments.layout,
                frames=arguments.frames,
                sequences=arguments.sequences,
                test_frames=arguments.test_frames,
                seed=arguments.seed,
                progress=bars,
            )
        except ArgumentError as error:
            raise ConfigError(str(error)) from error
    print(f"rendered {arguments.layout} data set: {folder}")
    return DONE


def _evaluate(arguments: argparse.Namespace) -> int:
    from seqgcn.scoring import score_files, write_scores

    if len(set(arguments.predictions)) < len(arguments.predictions):
        raise ConfigError("a file of predictions is named twice; name each once")
    stems = [Path(file).stem for file in arguments.predictions]
    names = stems if len(set(stems)) == len(stems) else arguments.predictions
    scores = {
        name: score_files(file, arguments.groundtruth, arguments.dataset)
        for name, file in zip(names, arguments.predictions, strict=True)
    }
    for name, score in scores.items():
        print(f"{name}\n{score.table()}\n")
    if arguments.out is not None:
        write_scores(scores, arguments.out)
        print(f"scores and pictures: {arguments.out}")
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


def _list(arguments: argparse.Namespace) -> int:
    kind = arguments.kind
    for name, entry in CATALOGUE[kind].items():
        print(f"{name}: {entry.summary}")
        if kind == "selector":
            print(f"    {_about(name, entry)}")
        for key, parameter in parameters(kind, name).items():
            print(f"    {kind}.{key} = {parameter.default!r}  ({describe_type(parameter.type)})")
    return DONE


def _about(name: str, entry: Entry) -> str:
    """Where a selector comes from, what it reads, what it is for and what it costs."""
    selector = load("selector", name)()
    reads = [", ".join(selector.needs), " or ".join(selector.either)]
    cost = "1 training, 1 pass" if selector.wanted(selector.either) else "1 training"
    return (
        f"{entry.source}; for {' and '.join(selector.tasks)}; reads {', and '.join(filter(None, reads)) or 'nothing'}; "
        f"{cost}{f', {entry.cost}' if entry.cost else ''} a cycle"
    )


if __name__ == "__main__":
    sys.exit(main())
