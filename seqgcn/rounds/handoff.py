"""From picks to labeling tools, and from what these export to labels."""

import math
import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from seqgcn.annotation import (
    Automatic,
    Checked,
    Column,
    DepthSource,
    Labelled,
    Plausibility,
    Prediction,
    Surface,
    Tasks,
    add_labels,
    check_annotations,
    describe_labels,
    frames_of,
    read_depths,
    write_record,
    write_tasks,
)
from seqgcn.annotation.annotations import Annotation
from seqgcn.annotation.checks import LeaveOut, Problem
from seqgcn.annotation.plausible import Doubts, tell_odd
from seqgcn.annotation.tasks import LOCAL_FILES
from seqgcn.config.run import as_config_errors
from seqgcn.config.select import SelectConfig
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.skin import ELSEWHERE, behind_skin
from seqgcn.datasets.item_lists import find_file
from seqgcn.datasets.registry import dataset_maker
from seqgcn.exceptions import ConfigError, DataFileError, RunFolderError, SeqGCNError
from seqgcn.learners.fitted import VALIDATION_ERROR
from seqgcn.learners.protocol import Learner
from seqgcn.rounds.answers import keep_joints
from seqgcn.rounds.class_handoff import hand_off_classes
from seqgcn.rounds.exports import (
    TASKS,
    check_same_frames,
    dataset_parameters,
    free_record,
    of_this_round,
    read_annotations,
    read_handed_off,
)
from seqgcn.rounds.exports import read_export as read_export
from seqgcn.rounds.first_joints import first_joints
from seqgcn.rounds.inputs import RoundPool, labelled_hands, list_hands
from seqgcn.rounds.result import read_curves
from seqgcn.training import Progress
from seqgcn.utils.files import make_folder, sync_folder, write_text
from seqgcn.utils.locks import locked
from seqgcn.utils.messages import log
from seqgcn.utils.validation import check_choice, check_number, name_some

LABELS = {"icvl": "labels.txt", "hands17": "labels.txt", "depth-folder": "labels.csv"}
"""File of all labels there are after a round, by data set."""

PARTLY = ("depth-folder",)
"""Data sets whose labels may lack joints."""

SAME = 0.01
"""mm between two labels that are the same: files round them."""

JointDepth = Literal["auto", "prediction", "surface+offset", "column"]
"""What a joint's depth is taken from: whatever is surest, the network's prediction, the depth map, or a file."""

SURFACE_FIRST: tuple[JointDepth, ...] = ("surface+offset", "prediction")
"""Where the depth is from if nothing was labeled, so that no bone's length and no error is known."""


def hand_off(
    folder: Path,
    pool: RoundPool,
    index: Tensor,
    score: Tensor,
    learner: Learner | None,
    progress: Progress | None,
    image_prefix: str = LOCAL_FILES,
) -> None:
    """Write what labeling tools take: keypoint tasks of hand frames, class tasks of what may have classes, else a list.

    Where nothing was trained, the joints to begin with are mediapipe's landmarks, if it is installed.

    Args:
        folder: Of the round.
        pool: The items.
        index: Numbers of the picks, best first, `[b]`.
        score: Theirs, `[b]`.
        learner: What predicts the poses to begin with; None if nothing was trained.
        progress: Told about every frame.
        image_prefix: What stands before the names of the pictures in the tasks of Label Studio.
    """
    folder = folder / TASKS
    if pool.frames is not None:
        joints, predicted_by = first_joints(pool.frames, pool.inputs, index, learner, progress)
        frames = frames_of(pool.frames, index, joints, score)
        cameras = [pool.frames.camera_of(i) for i in index.tolist()]
        write_tasks(
            folder,
            frames,
            cameras,
            pool.frames.skeleton,
            image_prefix=image_prefix,
            predicted_by=predicted_by,
            progress=progress,
        )
        return
    if pool.has_classes:
        hand_off_classes(folder, pool, index, score, learner, image_prefix=image_prefix, progress=progress)
        return
    make_folder(folder)
    write_text(folder / "frames.txt", "".join(f"{pool.items[i]}\n" for i in index.tolist()))


@dataclass(frozen=True, eq=False)
class Imported:
    """What came of an import.

    Args:
        checked: Annotations that are new labels now, or would be, and what is wrong with the others.
        labels: The file that holds all labels now; None if nothing was taken.
        record: The file that says how the new ones came about; None if there are none.
        told: What is to be known of the new ones, in sentences.
        again: How many frames were answered that have this label already, or are of an earlier round.
    """

    checked: Checked
    labels: Path | None = None
    record: Path | None = None
    told: tuple[str, ...] = ()
    again: int = 0


def import_labels(
    folder: str | Path,
    config: SelectConfig,
    exports: Sequence[str | Path],
    *,
    labelled: int = 0,
    joint_depth: Sequence[JointDepth] | None = None,
    depths: str | Path | None = None,
    disagree: float = 10.0,
    partial: bool = False,
    accept_predictions: bool = False,
    leave_out_joints: bool = False,
    force: bool = False,
) -> Imported:
    """Take the exports of labeling tools back into a round: all labels in one step or, on any problem, none.

    The labels go into a file of the round's folder, in the data set's own grammar, together with those that there were
    before the round; `imported-N.csv` records of each joint where its depth is from and who marked it. The same export
    again, or one of the same project with more annotations, adds what is new; annotations of frames of earlier rounds
    are passed over.

    Args:
        folder: Of the round.
        config: What the round was asked.
        exports: Files of Label Studio (JSON) or COCO keypoints.
        labelled: How many labels there were when the round began: that many must still be there.
        joint_depth: Where the depth of a joint is taken from: the first of these that has one. By default `"auto"`: the
            depth map, the lengths of bones in the labels there are, and the prediction, each as far as it is sure (see
            `seqgcn.annotation.automatic`); without a label the surface, and then the prediction.
        depths: File of `read_depths`, for `"column"`.
        disagree: mm between two annotators' places of a joint that are still agreement, and expected error of an
            automatic depth that is still accepted.
        partial: Add what is right, whatever is wrong with the rest.
        accept_predictions: Take joints that nobody moved from where they were predicted.
        leave_out_joints: Take frames in which half of the joints are marked or more; the others have no coordinates.
            Joints whose automatic depth is unsure are left out in any case. In depth folders alone.
        force: Take poses that no hand can have, see `seqgcn.annotation.plausible`.

    Raises:
        ConfigError: An argument cannot be used.
        DataFileError: A file is missing or damaged, or the data set is not the one of the round any more.
        RunFolderError: The round's labels cannot be written frame by frame, the round was not finished, another process
            is at work in its folder, or that cannot be written.
    """
    folder = Path(folder)
    if config.dataset not in LABELS:
        raise RunFolderError(
            f"{config.dataset or 'features'}: joints are imported into rounds of {', '.join(LABELS)}, and classes into "
            f"those of pictures and features (seqgcn.rounds.class_import). Else list what is labeled now, and go on "
            f"with seqgcn select --continue {shlex.quote(str(folder))} --labelled LIST --out FOLDER"
        )
    if leave_out_joints and config.dataset not in PARTLY:
        raise ConfigError(f"leave-out-joints: labels of {config.dataset} cannot lack joints; leave it out")
    with as_config_errors():
        for source in joint_depth or ():
            check_choice("joint-depth", source, get_args(JointDepth))
        check_number("disagree", disagree, low=0, open_low=True)
    if ("column" in (joint_depth or ())) != (depths is not None):
        raise ConfigError("joint-depth column and a file of depths go together; give both or neither")
    with locked(folder):
        terms = _Terms(
            labelled, joint_depth or ("auto",), depths, disagree, partial, accept_predictions, leave_out_joints, force
        )
        imported = _import(folder, config, exports, terms)
        keep_joints(folder, exports, imported.checked, read_handed_off(folder), imported, imported.told)
        return imported


class _Terms(NamedTuple):
    """On what terms labels are taken; see `import_labels`."""

    labelled: int
    joint_depth: Sequence[JointDepth]
    depths: str | Path | None
    disagree: float
    partial: bool
    accept_predictions: bool
    leave_out_joints: bool
    force: bool


def _import(folder: Path, config: SelectConfig, exports: Sequence[str | Path], terms: _Terms) -> Imported:
    grammar = config.dataset or ""
    target = folder / LABELS[grammar]
    tasks, errors = read_handed_off(folder), read_curves(folder).get(VALIDATION_ERROR)
    known = replace(config, labelled=str(target)) if target.exists() else config
    hands, listed = list_hands(known, dataset_maker(grammar, config.root)(**dataset_parameters(config)))
    check_same_frames(tasks, hands, hands.skeleton)
    poses = {hands.files[i]: hands.joints[i].double() for i in labelled_hands(hands, listed).tolist()}
    if len(poses) < terms.labelled:
        raise DataFileError(
            f"{known.labelled or hands.root} has {len(poses):,} labels, but there were {terms.labelled:,} when the "
            "round was begun; restore it"
        )
    error = errors[-1] if errors and not tasks.predicted_by else None
    before = _before(tasks, poses)
    sources = _sources(terms, tasks, hands, before, error)
    nameless = [joint for joint in tasks.skeleton.joints if behind_skin(joint) is None]
    if any(source.name in (Surface.name, Automatic.name) for source in sources) and nameless:
        log.warning(
            f"the names of {name_some(nameless)} do not tell how thick a hand is there; {ELSEWHERE:g} mm are taken"
        )
    given = [annotation for path in exports for annotation in read_annotations(Path(path), folder)]
    annotations = of_this_round(given, tasks, poses)
    checked = check_annotations(
        annotations,
        tasks,
        sources,
        disagree=terms.disagree,
        known=hands.files,
        accept_predictions=terms.accept_predictions,
        leave_out=_left_out(terms, grammar),
    )
    checked, again = _leave_out_known(checked, annotations, tasks, poses)
    sequences = {item.rpartition("/")[0] for item in poses if tasks.find(item) is None}
    plausibility = Plausibility(Surface(hands), before, tasks.skeleton, error, sequences)
    checked, odd = _without_impossible(checked, plausibility.doubts(checked.valid, tasks), force=terms.force)
    again += len({annotation.frame for annotation in given} - {annotation.frame for annotation in annotations})
    if checked.problems and not (terms.partial and checked.valid):
        return Imported(checked, again=again)
    record = None
    if checked.valid:
        # The labels count, and come last. Of an import that was cut off before, the record is written anew.
        record = free_record(folder, poses)
        write_record(record, checked.valid, tasks.camera_of, tasks.skeleton)
    if checked.valid or not target.exists():
        old = [_as_label(item, pose) for item, pose in poses.items()]
        copied = None if known.labelled is None or listed is not None else find_file(known.labelled)
        _write_labels(target, copied, [*([] if copied else old), *checked.valid], grammar, hands)
    told = [*describe_labels(checked.valid, tasks), *odd]
    if errors and any("prediction" in source for label in checked.valid for source in label.sources):
        told.append(f"the network that predicted them was {errors[-1]:.1f} mm off on held-out labels")
    return Imported(checked, target, record, tuple(told), again)


def _before(tasks: Tasks, poses: Mapping[str, Tensor]) -> Tensor:
    """Labels of frames that were not of the round, `[n, J, 3]` mm: what is imported again must come out the same."""
    asked = {preview.item for preview in tasks.previews}
    before = [pose for item, pose in sorted(poses.items()) if item not in asked]
    return torch.stack(before) if before else torch.empty(0, len(tasks.skeleton), 3, dtype=torch.float64)


def _without_impossible(checked: Checked, doubts: Doubts, *, force: bool) -> tuple[Checked, list[str]]:
    """Without poses that no hand can have, unless they are forced; and sentences about those that look odd."""
    if force:
        return checked, tell_odd((*doubts.impossible, *doubts.odd))
    bad = {problem.item for problem in doubts.impossible}
    valid = tuple(label for label in checked.valid if label.item not in bad)
    odd = tell_odd([problem for problem in doubts.odd if problem.item not in bad])
    return replace(checked, valid=valid, problems=(*checked.problems, *doubts.impossible)), odd


def _sources(terms: _Terms, tasks: Tasks, hands: HandDataset, before: Tensor, error: float | None) -> list[DepthSource]:
    if set(terms.joint_depth) == {"prediction"} and not any(
        map(any, (preview.predicted for preview in tasks.previews))
    ):
        raise ConfigError(
            "no pose was predicted in this round, as nothing was labeled before it; take the depths from elsewhere, "
            "with --joint-depth surface+offset or --joint-depth column --depths FILE"
        )
    wanted = [
        each
        for source in terms.joint_depth
        for each in (SURFACE_FIRST if source == "auto" and not len(before) else (source,))
    ]
    made: dict[JointDepth, Callable[[], DepthSource]] = {
        "auto": lambda: Automatic(Surface(hands), before, tasks.skeleton, error, terms.disagree),
        "prediction": Prediction,
        "surface+offset": lambda: Surface(hands),
        "column": lambda: Column(read_depths(terms.depths or ""), tasks.skeleton),
    }
    return [made[source]() for source in dict.fromkeys(wanted)]


def _left_out(terms: _Terms, grammar: str) -> tuple[LeaveOut, ...]:
    """Joints without which a frame is labeled all the same."""
    if grammar not in PARTLY:
        return ()
    if terms.leave_out_joints:
        return ("missing", "depth")
    return ("depth",) if "auto" in terms.joint_depth else ()


def _leave_out_known(
    checked: Checked, annotations: Sequence[Annotation], tasks: Tasks, poses: Mapping[str, Tensor]
) -> tuple[Checked, int]:
    """What is left to add where frames of the round are labeled already, and how many annotations tell nothing new.

    A frame that has a label need not be answered again; if it is, by something else, the label stays.
    """
    again = [label for label in checked.valid if label.item in poses]
    apart = [_apart(label.joints, poses[label.item]) for label in again]
    changed = [
        Problem(
            label.item,
            "",
            "; ".join(label.annotators),
            f"labeled already, {mm:.2f} mm from this; to replace it, delete its row of the labels",
        )
        for label, mm in zip(again, apart, strict=True)
        if mm > SAME
    ]
    named = {
        preview.item
        for annotation in annotations
        if not annotation.skipped and not annotation.draft and (preview := tasks.find(annotation.frame))
    }
    unasked = {preview.item for preview in tasks.previews if preview.item in poses} - named
    problems = (*(problem for problem in checked.problems if problem.item not in unasked), *changed)
    valid = tuple(label for label in checked.valid if label.item not in poses)
    return replace(checked, valid=valid, problems=problems), len(again) - len(changed)


def _apart(label: Tensor, known: Tensor) -> float:
    """Largest distance of two poses' joints, mm; infinite if one has a joint that the other has not."""
    if not torch.equal(label.isfinite(), known.isfinite()):
        return math.inf
    return float((label - known).norm(dim=1).nan_to_num(nan=0.0).max())


def _write_labels(
    target: Path, copied: Path | None, labels: Sequence[Labelled], grammar: str, hands: HandDataset
) -> None:
    """Make `target`, in its last step, of a file and labels that are added to it."""
    # What a killed process leaves of it goes when the folder is next locked, as it has the name of an unfinished file.
    half = target.with_name(f".{target.name}.imported.unfinished")
    try:
        if copied is not None:
            shutil.copyfile(copied, half)
        # Of several cameras there are only depth folders, whose labels are in mm and in no camera's axes of its own.
        add_labels(half, labels, grammar=grammar, camera=hands.camera_of(0), skeleton=hands.skeleton)
        os.replace(half, target)
        sync_folder(target.parent)
    except SeqGCNError:
        raise
    except OSError as error:
        raise RunFolderError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        half.unlink(missing_ok=True)


def _as_label(item: str, pose: Tensor) -> Labelled:
    """What is labeled already, to be written down again."""
    nothing = (False,) * len(pose)
    return Labelled(item, pose, ("",) * len(pose), nothing, (), nothing)
