"""`seqgcn import`."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgcn.cli.class_terms import add_class_terms, refuse_class_terms, take_classes
from seqgcn.cli.codes import BAD_DATA, DONE
from seqgcn.config.select import CENTER, SelectConfig
from seqgcn.exceptions import ConfigError
from seqgcn.utils.messages import log

if TYPE_CHECKING:
    from seqgcn.annotation import Checked

DEPTHS = ("auto", "prediction", "surface+offset", "column")


def add_to(commands: Any) -> None:
    """Add the command."""
    importer = commands.add_parser(
        "import",
        help="take the labels of a round back from a labeling tool",
        description="Take exports of Label Studio (JSON) or CVAT (COCO keypoints) back into a round; of classes also "
        "Label Studio's CSV, CVAT's XML, COCO and tables item,class. Everything is "
        "checked first; then all labels are added in one step, to a file in the round's folder that also holds those "
        "of before, in the data set's own grammar; of a round of clicks, centers.csv. If anything is wrong, it is "
        "listed and nothing is added.",
    )
    importer.set_defaults(command=_import)
    importer.add_argument("round", metavar="FOLDER", help="folder of the round")
    importer.add_argument(
        "--from",
        dest="exports",
        nargs="+",
        action="extend",
        required=True,
        metavar="FILE",
        help="one or more exports, as of several annotators",
    )
    add_terms(importer)


def add_terms(importer: Any) -> None:
    """Add the options on what terms labels are taken."""
    importer.add_argument(
        "--joint-depth",
        nargs="+",
        action="extend",
        choices=DEPTHS,
        metavar="SOURCE",
        help="where the depth of a joint is taken from, the first that has one: auto (the depth map, the lengths of "
        "bones in the labels there are, and the prediction, each as far as it is sure), prediction (of the network "
        "that picked the frames), surface+offset (the depth map, and half the thickness of the finger), column (the "
        "file of --depths) (default: auto; if nothing was labeled, surface+offset prediction)",
    )
    importer.add_argument("--depths", metavar="FILE", help="CSV file frame,joint,depth in mm (default: none)")
    importer.add_argument(
        "--disagree",
        type=float,
        metavar="MM",
        help="farther apart than this, two annotators disagree about a joint, or a center; a depth that is expected to "
        "be off by more is none (default: 10, of centers 40)",
    )
    importer.add_argument(
        "--accept-predictions",
        action="store_true",
        help="take joints that nobody moved from where the network predicted them, and files of clicks in which nobody "
        "moved any point (default: off)",
    )
    importer.add_argument(
        "--leave-out-joints",
        action="store_true",
        help="take frames of which half of the joints are marked or more; the others have no coordinates and train "
        "nothing (default: off, but joints whose automatic depth is unsure are left out in any case)",
    )
    importer.add_argument(
        "--force",
        action="store_true",
        help="take poses that no hand can have: more than a quarter of the joints in sight beside the hand, bones of "
        "more than 1.6 times their length in the labels, the mirror image of a hand, more than 4 times the network's "
        "error from the prediction (default: off)",
    )
    importer.add_argument(
        "--partial", action="store_true", help="add what is right although something is wrong (default: off)"
    )
    add_class_terms(importer)


def _import(arguments: argparse.Namespace) -> int:
    return take(arguments, arguments.exports)


def take(arguments: argparse.Namespace, exports: Sequence[str | Path]) -> int:
    """Take exports back into the round of the arguments, on their terms; the exit code.

    Args:
        arguments: With the round and the options of `add_terms`.
        exports: The files.
    """
    from seqgcn.annotation.plausible import IMPOSSIBLE
    from seqgcn.rounds.class_import import is_class_round
    from seqgcn.rounds.handoff import import_labels
    from seqgcn.rounds.record import LABELLED, read_round

    folder = Path(arguments.round)
    record = read_round(folder, resume=False)
    config = SelectConfig(**record["select"])
    if config.ask == CENTER:
        return _import_clicks(arguments, exports, folder, config)
    if is_class_round(folder, config):
        return take_classes(arguments, exports, folder, config, record.get(LABELLED, 0))
    refuse_class_terms(arguments)
    imported = import_labels(
        folder,
        config,
        exports,
        labelled=record.get(LABELLED, 0),
        joint_depth=arguments.joint_depth,
        depths=arguments.depths,
        disagree=10.0 if arguments.disagree is None else arguments.disagree,
        partial=arguments.partial,
        accept_predictions=arguments.accept_predictions,
        leave_out_joints=arguments.leave_out_joints,
        force=arguments.force,
    )
    print(imported.checked.table())
    if imported.again:
        print(f"{imported.again:,} more frames have that label already, or are of earlier rounds.")
    if imported.labels is None:
        _tell_of_unknown(imported.checked)
        if any(problem.what.startswith("no depth") for problem in imported.checked.problems):
            log.info(
                "where a depth is unsure, give it with --joint-depth column auto --depths FILE, take the next best "
                "with --joint-depth surface+offset prediction, or allow more with --disagree"
            )
        if any(problem.what.startswith("the predicted joints") for problem in imported.checked.problems):
            log.info(
                "frames whose joints nobody moved are no labels, unless --accept-predictions says that they are right"
            )
        if any(problem.what.startswith(IMPOSSIBLE) for problem in imported.checked.problems):
            log.info(
                "of poses that no hand can have: see whether pictures were mirrored or turned, joints are swapped, or "
                "the export is of other frames; if they are right all the same, say so with --force"
            )
        rest = ", or add what is right with --partial" if imported.checked.valid else ""
        log.info(f"nothing was added; mend what is wrong and import again{rest}")
        return BAD_DATA
    for sentence in imported.told:
        print(sentence)
    if imported.record is not None:
        print(f"how the new labels came about: {imported.record}")
    print(f"all labels: {imported.labels}")
    print(f"next: seqgcn select --continue {shlex.quote(str(folder))} --out FOLDER")
    return DONE


def _tell_of_unknown(checked: Checked) -> None:
    """Say how frames are known, where some are not, and that an export may be that of another round."""
    elsewhere = {problem.item for problem in checked.problems if problem.what == "not in this round"}
    if elsewhere and len(elsewhere) >= len(checked.valid):
        log.info(
            f"{len(elsewhere):,} frames are of the data set, but not in this round; is it the export of another round? "
            "Then import it there"
        )
    if any(problem.what.startswith("unknown frame") for problem in checked.problems):
        log.info(
            "a frame is known by item in its task's data, else by the name of its picture, as in tasks/images (also "
            "behind the eight digits that Label Studio puts before it); keep either, and give the export of this round"
        )


def _import_clicks(
    arguments: argparse.Namespace, exports: Sequence[str | Path], folder: Path, config: SelectConfig
) -> int:
    from seqgcn.datasets.hands.centers.finding import LEAST_LABELS
    from seqgcn.rounds.click_import import DISAGREE, UNTOUCHED, import_clicks

    refuse_class_terms(arguments)
    for name in ("joint_depth", "depths", "leave_out_joints", "force"):
        if getattr(arguments, name):
            raise ConfigError(
                f"--{name.replace('_', '-')} has no effect on a round of clicks, in which one point is marked and its "
                "depth measured; leave it out"
            )
    imported = import_clicks(
        folder,
        config,
        exports,
        disagree=DISAGREE if arguments.disagree is None else arguments.disagree,
        partial=arguments.partial,
        accept_predictions=arguments.accept_predictions,
    )
    print(imported.table())
    if imported.again:
        print(f"{imported.again:,} more frames were answered so before, or are of earlier rounds.")
    if imported.centers is None:
        _tell_of_unknown(imported.checked)
        if any(problem.what == UNTOUCHED for problem in imported.checked.problems):
            log.info("if somebody looked at all of these and they are right, say so with --accept-predictions")
        rest = ", or add what is right with --partial" if imported.checked.valid or imported.no_hand else ""
        log.info(f"nothing was added; mend what is wrong and import again{rest}")
        return BAD_DATA
    for sentence in imported.told:
        print(sentence)
    if imported.record is not None:
        print(f"how the new centers came about: {imported.record}")
    print(f"all centers: {imported.centers}")
    on = f"seqgcn select --continue {shlex.quote(str(folder))}"
    clicks, joints = f"{on} --ask center --out FOLDER", f"{on} --out FOLDER"
    if imported.enough:
        print(f"next: {joints}")
        print(f"or more clicks: {clicks}")
    else:
        print(f"next: {clicks} (from {LEAST_LABELS} centers on, a network learns to find the hand; {imported.known:,})")
        print(f"or joints at once: {joints}")
    return DONE
