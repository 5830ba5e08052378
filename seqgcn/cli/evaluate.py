"""`seqgcn evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from seqgcn.cli.codes import DONE
from seqgcn.errors import ConfigError

SCORED = ("icvl", "nyu", "msra", "hands17")


def add_to(commands: Any) -> None:
    """Add the command."""
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
