"""`seqgcn evaluate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from seqgcn.cli.codes import BAD_DATA, DONE
from seqgcn.cli.options import add_threads
from seqgcn.exceptions import ConfigError, DataFileError

SCORED = ("icvl", "nyu", "msra", "hands17", "depth-folder")


def add_to(commands: Any) -> None:
    """Add the command."""
    evaluate = commands.add_parser(
        "evaluate",
        help="score files of predicted hand poses",
        description="Mean joint error in mm, per joint, and the share of frames and joints within a threshold, of "
        "files with a frame a line: u v d (px, px, mm) of each joint, with the frame's name before them or in the "
        "order of the ground truth's lines; of a depth folder also tables like its labels.csv. A file that cannot be "
        "scored is named, the others are scored.",
    )
    evaluate.set_defaults(command=_evaluate)
    evaluate.add_argument("predictions", nargs="+", metavar="PREDICTIONS", help="one or more files")
    evaluate.add_argument("--dataset", required=True, choices=SCORED, help="whose camera and joints")
    evaluate.add_argument(
        "--groundtruth",
        required=True,
        nargs="+",
        metavar="FILE",
        help="true poses: in the same format, of a depth folder its labels.csv; several files follow one another",
    )
    evaluate.add_argument(
        "--root",
        metavar="FOLDER",
        help="the depth folder, for its camera.yaml, with --dataset depth-folder (default: none)",
    )
    add_threads(evaluate)
    evaluate.add_argument("--out", metavar="FOLDER", help="write scores and pictures there (default: only print)")


def _evaluate(arguments: argparse.Namespace) -> int:
    from seqgcn.cli.scoring import FOLDER, Truth, write_scores

    if len(set(arguments.predictions)) < len(arguments.predictions):
        raise ConfigError("a file of predictions is named twice; name each once")
    if (arguments.dataset == FOLDER) != (arguments.root is not None):
        raise ConfigError(f"--root FOLDER goes with --dataset {FOLDER}; give both or neither")
    stems = [Path(file).stem for file in arguments.predictions]
    names = stems if len(set(stems)) == len(stems) else arguments.predictions
    truth = Truth(arguments.groundtruth, arguments.dataset, arguments.root)
    scores, failed = {}, 0
    for name, file in zip(names, arguments.predictions, strict=True):
        try:
            scores[name] = truth.score(file)
        except DataFileError as error:
            print(f"seqgcn: not scored: {error}", file=sys.stderr)
            failed += 1
    if scores and arguments.out is not None:
        # First of all: who reads the tables may stop reading.
        write_scores(scores, arguments.out)
    for name, score in scores.items():
        print(f"{name}\n{score.table()}\n")
    if scores and arguments.out is not None:
        print(f"scores and pictures: {arguments.out}")
    if failed:
        print(f"seqgcn: {failed} of {len(names)} files could not be scored", file=sys.stderr)
    return BAD_DATA if failed else DONE
