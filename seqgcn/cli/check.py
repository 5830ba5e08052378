"""`seqgcn check`."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgcn.cli.codes import BAD_DATA, DONE
from seqgcn.cli.frames import add_frames, given_words, read_frames
from seqgcn.cli.options import add_threads
from seqgcn.exceptions import ConfigError
from seqgcn.utils.progress import Bars

if TYPE_CHECKING:
    from seqgcn.datasets.hands.checks import CheckReport
    from seqgcn.datasets.hands.hand_dataset import HandDataset


def add_to(commands: Any) -> None:
    """Add the command."""
    check = commands.add_parser(
        "check",
        help="check labels, camera and frames before anything is trained on them",
        description="Check depth frames and their labels: units, axes, left for right, u v d for x y z, the order of "
        "joints, intrinsics and depth_scale, labels of other frames; empty and frozen frames, copied labels, jumps. "
        "select and run check the same before training. Ends with 1 if something is wrong as a whole.",
    )
    check.set_defaults(command=_check)
    add_frames(
        check,
        labelled="file of labels in the data set's own grammar, as for select (default: the data set's own)",
        settings="parameter of the data set, as for select (default: none)",
    )
    check.add_argument(
        "--out",
        metavar="FILE",
        help="page to write, with eight frames and their labels drawn on them; an earlier page is replaced, nothing "
        "else is (default: none)",
    )
    check.add_argument(
        "--accept-labels", action="store_true", help="end with 0 whatever is wrong with labels (default: off)"
    )
    check.add_argument("--seed", type=int, default=0, metavar="N", help="of the frames looked at (default: 0)")
    add_threads(check)
    check.add_argument("--quiet", action="store_true", help="print findings alone (default: off)")


def _check(arguments: argparse.Namespace) -> int:
    if arguments.seed < 0:
        raise ConfigError(f"--seed must not be negative, got {arguments.seed}")
    from seqgcn.datasets.hands.checks import check_dataset
    from seqgcn.datasets.hands.checks.readings import POOR

    with Bars(hidden=arguments.quiet):
        hands, _ = read_frames(arguments)
        report = check_dataset(hands, seed=arguments.seed)
    if not arguments.quiet:
        print(report.summary())
    for finding in report.findings:
        print(f"{'wrong' if finding.whole else 'left out'}: {finding}")
    if not report.findings and not arguments.quiet:
        print("nothing is wrong" if report.labeled else "nothing is wrong with the frames; none has a label yet")
        if report.fit < POOR:
            print("but right labels have 60% of their joints on the surface or more; look at some with --out PAGE.html")
    if arguments.out is not None:
        _write_page(arguments, hands, report)
    return BAD_DATA if report.wrong and not arguments.accept_labels else DONE


def _write_page(arguments: argparse.Namespace, hands: HandDataset, report: CheckReport) -> None:
    from seqgcn.datasets.hands.checks.views import look_at_labels
    from seqgcn.report.html import labels_page, write_page

    path = Path(arguments.out)
    page = labels_page(
        report, look_at_labels(hands, report), hands.skeleton.bones, root=arguments.root, again=_command(arguments)
    )
    write_page(path, page)
    print(f"page: {path}")


def _command(arguments: argparse.Namespace) -> str:
    """The command that was given, to be given again."""
    words = given_words("check", arguments)
    if arguments.seed:
        words += ["--seed", str(arguments.seed)]
    return shlex.join([*words, "--out", arguments.out])
