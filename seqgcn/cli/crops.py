"""`seqgcn crops`."""

from __future__ import annotations

import argparse
import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgcn.cli.codes import DONE
from seqgcn.cli.frames import add_frames, given_words, read_frames
from seqgcn.cli.options import add_threads
from seqgcn.exceptions import ConfigError
from seqgcn.utils.messages import log
from seqgcn.utils.progress import Bars

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset

PAGE = "crops.html"
MOST = 200
FIRST = 24
"""Frames on the page that is written while the others are looked at."""


def add_to(commands: Any) -> None:
    """Add the command."""
    crops = commands.add_parser(
        "crops",
        help="look at where hands are found before anything is trained",
        description="One self-contained HTML page of depth frames: each with the window of its cube drawn, the crop "
        "beside it, where its center is from and how sure it is, the least sure first. Needs no label; with 20 "
        "or more, a network is trained on them to find hands where the rule is in doubt, as select does.",
    )
    crops.set_defaults(command=_crops)
    add_frames(
        crops,
        labelled="what is labeled so far, as for select (default: the data set's file of labels)",
        settings="parameter of the data set, as for select: dataset.near=300 and dataset.far=800 (mm), "
        "dataset.cube=250 (mm), dataset.centers=FILE, dataset.crop=mass (default: none)",
    )
    crops.add_argument(
        "--out",
        metavar="FILE",
        default=PAGE,
        help=f"page to write; an earlier page is replaced, nothing else is (default: {PAGE} here)",
    )
    crops.add_argument(
        "--most", type=int, default=MOST, metavar="N", help=f"frames shown; all are counted (default: {MOST})"
    )
    add_threads(crops)
    crops.add_argument("--quiet", action="store_true", help="no progress bar, no summary (default: off)")


def _crops(arguments: argparse.Namespace) -> int:
    if arguments.most < 1:
        raise ConfigError(f"--most must be at least 1, got {arguments.most}")
    from seqgcn.datasets.hands.crop_views import look_at_crops
    from seqgcn.report.html import crops_page, write_page
    from seqgcn.rounds.inputs import labelled_hands

    path, again = Path(arguments.out), _command(arguments)
    level = logging.WARNING if arguments.quiet else logging.INFO
    with Bars(hidden=arguments.quiet) as bars:
        hands, listed = read_frames(arguments)
        # What a look at the first frames finds is told of all of them later.
        log.setLevel(logging.WARNING)
        first = look_at_crops(_first(hands), FIRST) if len(hands) > 2 * FIRST else None
        log.setLevel(level)
        if first is not None:
            write_page(path, crops_page(first, root=arguments.root, again=again, total=len(hands)))
            log.info(f"the first {FIRST} of {len(hands):,} frames are in {path}")
        # Not before: the first frames are to be seen at once, and a network takes a minute.
        hands.learn_from(labelled_hands(hands, listed))
        shown = look_at_crops(hands, arguments.most, progress=bars)
        write_page(path, crops_page(shown, root=arguments.root, again=again))
    if not arguments.quiet:
        print(f"{shown.name}: {shown.centers.summary()}")
    print(f"page: {path}")
    return DONE


def _first(hands: HandDataset) -> HandDataset:
    import torch

    return hands.subset(torch.arange(FIRST))


def _command(arguments: argparse.Namespace) -> str:
    """The command that was given, to be given again."""
    words = given_words("crops", arguments)
    if arguments.out != PAGE:
        words += ["--out", arguments.out]
    if arguments.most != MOST:
        words += ["--most", str(arguments.most)]
    return shlex.join(words)
