"""Is what annotators answered complete, in this round, on the picture, and do they agree? Only then it is a label."""

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from seqgcn.annotation.annotations import Annotation, printable
from seqgcn.annotation.depths import DepthSource, Mark, find_depth
from seqgcn.annotation.preview import Preview, preview_name
from seqgcn.annotation.tasks import Tasks
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import check_number

UNTOUCHED = 0.5
"""px from the prediction within which nobody moved a joint: tools round the places of what they were given."""


class Problem(NamedTuple):
    """Why a frame is not accepted.

    Args:
        item: Its path, or what it is called in the annotation.
        joint: The joint in question, if it is one.
        annotator: Whose annotation it is, if it is one.
        what: In words.
        where: Place in the export.
    """

    item: str
    joint: str
    annotator: str
    what: str
    where: str = ""


@dataclass(frozen=True, eq=False)
class Labelled:
    """A frame with its label.

    Args:
        item: Path below the data set's root.
        joints: In this package's axes, `[J, 3]` float64, mm.
        sources: Where each joint's depth is from; J of them.
        hidden: Whether somebody said that the joint is hidden; J of them.
        annotators: Whose annotations went into it.
        moved: Whether somebody moved the joint from where it was predicted, or it was not predicted; J of them.
    """

    item: str
    joints: Tensor
    sources: tuple[str, ...]
    hidden: tuple[bool, ...]
    annotators: tuple[str, ...]
    moved: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class Checked:
    """What came of the annotations.

    Args:
        valid: Frames about which nothing is wrong, in the order of the round.
        problems: What is wrong with the others.
    """

    valid: tuple[Labelled, ...]
    problems: tuple[Problem, ...]

    def table(self, most: int = 200) -> str:
        """The problems as a table, at most so many rows, and what it all comes to."""
        head = Problem("frame", "joint", "annotator", "what is wrong", "where")
        rows = [head, *(Problem(*(printable(cell, 120) for cell in row)) for row in self.problems[:most])]
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        lines = ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        if len(self.problems) > most:
            lines.append(f"and {len(self.problems) - most:,} more")
        frames = len({problem.item for problem in self.problems})
        summary = f"{len(self.valid):,} frames are all right, with {frames:,} something is wrong."
        return "\n".join([*(lines if self.problems else []), summary])


class _Lifted(NamedTuple):
    """One annotation in 3-D: `[J, 3]` mm, and each joint's source of depth."""

    annotation: Annotation
    joints: Tensor
    sources: tuple[str, ...]


def check_annotations(
    annotations: Sequence[Annotation],
    tasks: Tasks,
    sources: Sequence[DepthSource],
    *,
    disagree: float = 10.0,
    known: Collection[str] = (),
    accept_predictions: bool = True,
) -> Checked:
    """Check annotations and lift those without a fault to 3-D.

    Of several states of one annotation, as from exports of two days, the newest counts: people correct themselves. That
    two were made by one person is not known, as everybody is user 1 in a tool of their own.

    A frame's label is the mean, in mm, of its annotators' poses, each lifted for itself. It is refused if two of them
    have a joint farther apart than `disagree`, or if any of its annotations has a fault. That somebody skipped it
    matters only if nobody else answered. A joint that one of them calls hidden is hidden for all: its depth must not
    come from what lies before it, nor the poses lie apart because it does for some. A depth far from the hand is a
    fault.

    Args:
        annotations: Of all annotators.
        tasks: What was handed off.
        sources: Where a joint's depth comes from: the first that has one.
        disagree: mm between two annotators' places of a joint that are still agreement.
        known: Paths of all frames of the data set, to tell frames of other rounds from unknown ones.
        accept_predictions: Whether all annotations of a frame may be the predicted joints, within half a pixel: tools
            export what they were given where nobody touched it.

    Raises:
        ArgumentError: There is no source, or `disagree` is not positive.
        DataFileError: A frame of the round cannot be read.
    """
    check_number("disagree", disagree, low=0, open_low=True)
    if not sources:
        raise ArgumentError("sources is empty: name where the depth of a joint comes from")
    of_frame: dict[str, list[Annotation]] = {preview.item: [] for preview in tasks.previews}
    problems: list[Problem] = []
    elsewhere = _Elsewhere(known)
    for annotation in annotations:
        preview = tasks.find(annotation.frame)
        if preview is None:
            what = "not in this round" if annotation.frame in elsewhere else "unknown frame"
            problems.append(Problem(annotation.frame, "", annotation.annotator, what, annotation.where))
        else:
            of_frame[preview.item].append(annotation)
    valid = []
    for preview in tasks.previews:
        lifted, wrong = _lift_all(of_frame[preview.item], preview, tasks, sources, accept_predictions)
        wrong += _disagreements(lifted, preview, tasks, disagree)
        problems += wrong
        if not wrong:
            valid.append(_merge(preview, lifted, tasks.skeleton.joints))
    return Checked(tuple(valid), tuple(problems))


class _Elsewhere:
    """Frames of the data set, by path or by the name of their preview; the names are made when first asked for."""

    def __init__(self, known: Collection[str]) -> None:
        self._known, self._names = known, frozenset[str]()

    def __contains__(self, frame: str) -> bool:
        if not self._names:
            self._names = frozenset(itertools.chain(self._known, map(preview_name, self._known)))
        return frame in self._names


def _lift_all(
    annotations: Sequence[Annotation],
    preview: Preview,
    tasks: Tasks,
    sources: Sequence[DepthSource],
    accept_predictions: bool,
) -> tuple[list[_Lifted], list[Problem]]:
    annotations = newest(annotations)
    given = [annotation for annotation in annotations if not annotation.skipped]
    if not given:
        skipped = [
            Problem(preview.item, "", annotation.annotator, "skipped", annotation.where) for annotation in annotations
        ]
        return [], skipped or [Problem(preview.item, "", "", "nobody annotated it")]
    lifted, problems, unmoved = [], [], 0
    hidden = _hidden(given)
    for annotation in given:
        found = list(_faults(annotation, preview, tasks.skeleton.joints))
        if not found:
            unmoved += is_prediction(annotation, preview, tasks.skeleton.joints)
            result = _lift(annotation, hidden, preview, tasks, sources)
            if isinstance(result, _Lifted):
                lifted.append(result)
                continue
            found = result
        problems += [
            Problem(preview.item, joint, annotation.annotator, what, annotation.where) for joint, what in found
        ]
    if not accept_predictions and unmoved == len(given):
        what = "the predicted joints, unchanged"
        return [], [Problem(preview.item, "", each.annotator, what, each.where) for each in given]
    return lifted, problems


def _hidden(annotations: Sequence[Annotation]) -> set[str]:
    """Joints that anybody calls hidden."""
    return {keypoint.joint for annotation in annotations for keypoint in annotation.keypoints if keypoint.hidden}


def newest(annotations: Sequence[Annotation]) -> list[Annotation]:
    """Of each annotation that is there more than once its newest state."""
    found: dict[str, Annotation] = {}
    for number, annotation in enumerate(annotations):
        key = annotation.identity or str(number)
        if key not in found or annotation.updated >= found[key].updated:
            found[key] = annotation
    return list(found.values())


def _faults(annotation: Annotation, preview: Preview, joints: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    """Joint and fault of what is wrong with an annotation in the picture."""
    yield from (("", fault) for fault in annotation.faults)
    if annotation.faults:
        return
    if not annotation.keypoints:
        yield "", "no joint is marked"
        return
    for width, height in sorted(annotation.sizes - {preview.size}):
        had = "{} x {}".format(*preview.size)
        yield "", f"made on a picture of {width:g} x {height:g} pixels, but this frame's has {had}"
        return
    marked = [keypoint.joint for keypoint in annotation.keypoints]
    for joint in dict.fromkeys(marked):
        if joint not in joints:
            yield joint, "unknown joint" if joint else "a keypoint has no label"
        elif marked.count(joint) > 1:
            yield joint, f"marked {marked.count(joint)} times"
    yield from ((joint, "missing") for joint in joints if joint not in marked)
    for keypoint in annotation.keypoints:
        if not (0 <= keypoint.x <= 1 and 0 <= keypoint.y <= 1):
            yield keypoint.joint, "outside the picture"


def is_prediction(annotation: Annotation, preview: Preview, joints: tuple[str, ...]) -> bool:
    """Whether all joints of a faultless annotation are where they were predicted, within `UNTOUCHED`."""
    return not any(_moved(annotation, preview, joints))


def _moved(annotation: Annotation, preview: Preview, joints: tuple[str, ...]) -> list[bool]:
    """Whether each joint of a faultless annotation is elsewhere than predicted."""
    keypoints = {keypoint.joint: keypoint for keypoint in annotation.keypoints}
    moved = []
    for joint, predicted in zip(joints, preview.predicted, strict=True):
        u, v = preview.to_sensor(keypoints[joint].x, keypoints[joint].y)
        moved.append(predicted is None or max(abs(predicted.u - u), abs(predicted.v - v)) > UNTOUCHED)
    return moved


def _lift(
    annotation: Annotation, hidden: Collection[str], preview: Preview, tasks: Tasks, sources: Sequence[DepthSource]
) -> _Lifted | list[tuple[str, str]]:
    """A faultless annotation in 3-D, or the joints without a depth that can be right."""
    keypoints = {keypoint.joint: keypoint for keypoint in annotation.keypoints}
    points, used, lacking = [], [], []
    # A joint may be a little outside of the cube around the hand. Meters for millimeters are far outside.
    half = (preview.far - preview.near) / 2
    low, high = preview.near - half, preview.far + half
    for number_of, joint in enumerate(tasks.skeleton.joints):
        keypoint = keypoints[joint]
        u, v = preview.to_sensor(keypoint.x, keypoint.y)
        depth = find_depth(sources, preview, Mark(number_of, u, v, joint in hidden))
        if isinstance(depth, str):
            lacking.append((joint, f"no depth ({depth})"))
        elif not low <= depth.mm <= high:
            room = f"only {low:.0f} to {high:.0f} mm can be of this hand"
            lacking.append((joint, f"its depth ({depth.source}) is {depth.mm:.4g} mm, but {room}"))
        else:
            points.append((u, v, depth.mm))
            used.append(depth.source)
    if lacking:
        return lacking
    joints = tasks.camera_of(preview.item).to_world(torch.tensor(points, dtype=torch.float64))
    return _Lifted(annotation, joints, tuple(used))


def _disagreements(lifted: Sequence[_Lifted], preview: Preview, tasks: Tasks, most: float) -> list[Problem]:
    problems = []
    for one, other in itertools.combinations(lifted, 2):
        apart = (one.joints - other.joints).norm(dim=1)
        for joint in (apart > most).nonzero().flatten().tolist():
            who = f"{one.annotation.annotator} and {other.annotation.annotator}"
            what = f"{float(apart[joint]):.1f} mm apart, more than {most:g}"
            where = f"{one.annotation.where} and {other.annotation.where}"
            problems.append(Problem(preview.item, tasks.skeleton.joints[joint], who, what, where))
    return problems


def _merge(preview: Preview, lifted: Sequence[_Lifted], joints: tuple[str, ...]) -> Labelled:
    hidden = _hidden([one.annotation for one in lifted])
    sources = (" and ".join(dict.fromkeys(names)) for names in zip(*(one.sources for one in lifted), strict=True))
    moved = zip(*(_moved(one.annotation, preview, joints) for one in lifted), strict=True)
    return Labelled(
        item=preview.item,
        joints=torch.stack([one.joints for one in lifted]).mean(dim=0),
        sources=tuple(sources),
        hidden=tuple(joint in hidden for joint in joints),
        annotators=tuple(dict.fromkeys(one.annotation.annotator for one in lifted)),
        moved=tuple(map(any, moved)),
    )
