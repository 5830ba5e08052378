"""Is what annotators answered complete, in this round, on the picture, and do they agree? Only then it is a label."""

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from seqgcn.annotation.annotations import Annotation, newest
from seqgcn.annotation.automatic import Automatic
from seqgcn.annotation.checked import Agreement as Agreement
from seqgcn.annotation.checked import Checked as Checked
from seqgcn.annotation.checked import Labelled as Labelled
from seqgcn.annotation.checked import Problem as Problem
from seqgcn.annotation.depths import DepthSource, Mark, find_depth
from seqgcn.annotation.preview import Preview, preview_name
from seqgcn.annotation.tasks import Tasks
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import check_number, name_some

LeaveOut = Literal["missing", "depth"]

DRAFT = "only a draft, which was not submitted; have it submitted, and export again"

UNTOUCHED = 0.5
"""px from the prediction within which nobody moved a joint: tools round the places of what they were given."""


class _Lifted(NamedTuple):
    """One annotation in 3-D: joints `[J, 3]` mm, where their depths are from and how sure; last, with unsure ones."""

    annotation: Annotation
    joints: Tensor
    sources: tuple[str, ...]
    expected: tuple[float | None, ...]
    guess: Tensor


def check_annotations(
    annotations: Sequence[Annotation],
    tasks: Tasks,
    sources: Sequence[DepthSource],
    *,
    disagree: float = 10.0,
    known: Collection[str] = (),
    accept_predictions: bool = True,
    leave_out: Collection[LeaveOut] = (),
) -> Checked:
    """Check annotations and lift those without a fault to 3-D.

    Of several states of one annotation, as from exports of two days, the newest counts: people correct themselves. That
    two were made by one person is not known, as everybody is user 1 in a tool of their own.

    A frame's label is the mean, in mm, of its annotators' poses, each lifted for itself. It is refused if two of them
    have a joint farther apart than `disagree`, or if any of its annotations has a fault. That somebody skipped it, or
    left a draft, matters only if nobody else answered. Annotations that are starred as the ground truth overrule those
    that are not. Two skeletons of one annotator in one picture are taken, with a note, only if they agree. A joint that
    one of them calls hidden is hidden for all: its depth must not come from what lies before it, nor the poses lie
    apart because it does for some. A depth far from the hand is a fault.

    Args:
        annotations: Of all annotators.
        tasks: What was handed off.
        sources: Where a joint's depth comes from: the first that has one.
        disagree: mm between two annotators' places of a joint that are still agreement.
        known: Paths of all frames of the data set, to tell frames of other rounds from unknown ones.
        accept_predictions: Whether all annotations of a frame may be the predicted joints, within half a pixel: tools
            export what they were given where nobody touched it.
        leave_out: Joints without which a frame is labeled all the same, if it has half of them: `"missing"` ones, which
            nobody marked, or those without a `"depth"`.

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
            what = what if annotation.frame else "; ".join(annotation.faults) or what
            problems.append(Problem(annotation.frame, "", annotation.annotator, what, annotation.where))
        else:
            of_frame[preview.item].append(annotation)
    valid, together, notes = list[Labelled](), _Together(disagree), _Notes()
    for preview in tasks.previews:
        chosen = _choose(of_frame[preview.item], preview.item, notes)
        lifted, wrong = _lift_all(chosen, preview, tasks, sources, accept_predictions, leave_out)
        wrong += together.compare(lifted, preview, tasks, notes)
        problems += wrong
        if not wrong:
            valid.append(_merge(preview, lifted, tasks.skeleton.joints))
    return Checked(tuple(valid), tuple(problems), tuple(notes.sentences()), tuple(together.agreement()))


class _Notes:
    """Frames about which something is to be told, by what."""

    def __init__(self) -> None:
        self.starred: list[str] = []
        self.twice: list[str] = []
        self.drafts: list[str] = []

    def sentences(self) -> Iterator[str]:
        """What is to be told."""
        told = {
            "frames have an annotation starred as the ground truth, which overrules the others": self.starred,
            "frames have two skeletons of one annotator, which agree, so that their mean is taken": self.twice,
            "frames have a draft beside what was submitted, which does not count": self.drafts,
        }
        yield from (f"{len(items):,} {what}: {name_some(items)}" for what, items in told.items() if items)


def _choose(annotations: Sequence[Annotation], item: str, notes: _Notes) -> list[Annotation]:
    """Which annotations of a frame count: the newest states; starred ones alone, if there are any; drafts if no more.

    That a frame is skipped counts where nothing else does.
    """
    states = newest(annotations)
    drafts = [each for each in states if each.draft]
    given = [each for each in states if not each.skipped and not each.draft]
    if drafts and given:
        notes.drafts.append(item)
    starred = [each for each in given if each.starred]
    if starred and len(starred) < len(given):
        notes.starred.append(item)
    return starred or given or [each for each in states if each.skipped] or drafts


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
    leave_out: Collection[LeaveOut],
) -> tuple[list[_Lifted], list[Problem]]:
    given = [annotation for annotation in annotations if not annotation.skipped and not annotation.draft]
    if not given:
        unanswered = [
            Problem(preview.item, "", each.annotator, DRAFT if each.draft else "skipped", each.where)
            for each in annotations
        ]
        return [], unanswered or [Problem(preview.item, "", "", "nobody annotated it")]
    lifted, problems, unmoved = [], [], 0
    hidden = _hidden(given)
    faults = [list(_faults(annotation, preview, tasks.skeleton.joints, leave_out)) for annotation in given]
    sound = [annotation for annotation, found in zip(given, faults, strict=True) if not found]
    _look(sound, hidden, preview, tasks, sources)
    for annotation, found in zip(given, faults, strict=True):
        if not found:
            unmoved += is_prediction(annotation, preview, tasks.skeleton.joints)
            result = _lift(annotation, hidden, preview, tasks, sources, leave_out)
            if isinstance(result, _Lifted):
                lifted.append(result)
                continue
            found = result
        problems += [
            Problem(preview.item, joint, annotation.annotator, what, annotation.where) for joint, what in found
        ]
    if not accept_predictions and unmoved == len(given) and not any(each.starred for each in given):
        what = "the predicted joints, unchanged"
        return [], [Problem(preview.item, "", each.annotator, what, each.where) for each in given]
    return lifted, problems


def _hidden(annotations: Sequence[Annotation]) -> set[str]:
    """Joints that anybody calls hidden."""
    return {keypoint.joint for annotation in annotations for keypoint in annotation.keypoints if keypoint.hidden}


def _faults(
    annotation: Annotation, preview: Preview, joints: tuple[str, ...], leave_out: Collection[LeaveOut]
) -> Iterable[tuple[str, str]]:
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
    missing = [joint for joint in joints if joint not in marked]
    if "missing" not in leave_out or 2 * len(missing) > len(joints):
        yield from ((joint, "missing") for joint in missing)
    for keypoint in annotation.keypoints:
        if not (0 <= keypoint.x <= 1 and 0 <= keypoint.y <= 1):
            yield keypoint.joint, "outside the picture"


def is_prediction(annotation: Annotation, preview: Preview, joints: tuple[str, ...]) -> bool:
    """Whether all joints of a faultless annotation are where they were predicted, within `UNTOUCHED`."""
    return not any(_moved(annotation, preview, joints))


def _moved(annotation: Annotation, preview: Preview, joints: tuple[str, ...]) -> list[bool]:
    """Whether each joint of a faultless annotation is elsewhere than predicted, or left out."""
    keypoints = {keypoint.joint: keypoint for keypoint in annotation.keypoints}
    moved = []
    for joint, predicted in zip(joints, preview.predicted, strict=True):
        if joint not in keypoints:
            moved.append(True)
            continue
        u, v = preview.to_sensor(keypoints[joint].x, keypoints[joint].y)
        moved.append(predicted is None or max(abs(predicted.u - u), abs(predicted.v - v)) > UNTOUCHED)
    return moved


def _look(
    annotations: Sequence[Annotation],
    hidden: Collection[str],
    preview: Preview,
    tasks: Tasks,
    sources: Sequence[DepthSource],
) -> None:
    """Let sources that need all joints of a hand see them, at the mean of all annotators' places.

    Their depth is one for all annotators, so that these disagree about places alone.
    """
    if not annotations:
        return
    marks = []
    for number_of, joint in enumerate(tasks.skeleton.joints):
        spots = [
            preview.to_sensor(keypoint.x, keypoint.y)
            for annotation in annotations
            for keypoint in annotation.keypoints
            if keypoint.joint == joint
        ]
        if spots:
            u, v = (sum(axis) / len(spots) for axis in zip(*spots, strict=True))
            marks.append(Mark(number_of, u, v, joint in hidden))
    for source in sources:
        if isinstance(source, Automatic):
            source.look(preview, tasks.camera_of(preview.item), marks)


def _lift(
    annotation: Annotation,
    hidden: Collection[str],
    preview: Preview,
    tasks: Tasks,
    sources: Sequence[DepthSource],
    leave_out: Collection[LeaveOut],
) -> _Lifted | list[tuple[str, str]]:
    """A faultless annotation in 3-D, or the joints without a depth that can be right."""
    keypoints = {keypoint.joint: keypoint for keypoint in annotation.keypoints}
    points: list[tuple[float, float, float]] = []
    guesses: list[tuple[float, float, float]] = []
    used: list[str] = []
    expected: list[float | None] = []
    lacking: list[tuple[str, str]] = []
    impossible: list[tuple[str, str]] = []
    # A joint may be a little outside of the cube around the hand. Meters for millimeters are far outside.
    half = (preview.far - preview.near) / 2
    low, high = preview.near - half, preview.far + half
    for number_of, joint in enumerate(tasks.skeleton.joints):
        # What is left out stays without coordinates, unless the frame is refused.
        points.append((math.nan,) * 3)
        guesses.append((math.nan,) * 3)
        used.append("")
        expected.append(None)
        if joint not in keypoints:
            continue
        keypoint = keypoints[joint]
        u, v = preview.to_sensor(keypoint.x, keypoint.y)
        depth = find_depth(sources, preview, Mark(number_of, u, v, joint in hidden))
        if isinstance(depth, str):
            lacking.append((joint, f"no depth ({depth})"))
            continue
        guesses[-1] = (u, v, depth.mm)
        if depth.unsure:
            lacking.append((joint, f"no depth ({depth.unsure})"))
        elif not low <= depth.mm <= high:
            room = f"only {low:.0f} to {high:.0f} mm can be of this hand"
            impossible.append((joint, f"its depth ({depth.source}) is {depth.mm:.4g} mm, but {room}"))
        else:
            points[-1], used[-1], expected[-1] = (u, v, depth.mm), depth.source, depth.error
    known = sum(map(bool, used))
    if impossible or (lacking and ("depth" not in leave_out or 2 * known < len(points))):
        return lacking + impossible
    camera = tasks.camera_of(preview.item)
    joints, guess = (camera.to_world(torch.tensor(each, dtype=torch.float64)) for each in (points, guesses))
    return _Lifted(annotation, joints, tuple(used), tuple(expected), guess)


class _Together:
    """Compares annotators with each other, frame by frame.

    Args:
        most: mm between two places of a joint that are still agreement.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._apart: dict[tuple[str, str], list[Tensor]] = {}

    def compare(self, lifted: Sequence[_Lifted], preview: Preview, tasks: Tasks, notes: _Notes) -> list[Problem]:
        """What is wrong with annotations of a frame that are faultless by themselves."""
        problems = []
        for one, other in itertools.combinations(lifted, 2):
            apart = (one.joints - other.joints).norm(dim=1)
            where = f"{one.annotation.where} and {other.annotation.where}"
            if _twins(one.annotation, other.annotation):
                worst = int(apart.nan_to_num(nan=0.0).argmax())
                if not float(apart[worst]) > self._most:
                    notes.twice.append(preview.item)
                    continue
                joint, mm = tasks.skeleton.joints[worst], float(apart[worst])
                what = f"two skeletons of one annotator, up to {mm:.1f} mm apart, more than {self._most:g}; delete one"
                problems.append(Problem(preview.item, joint, one.annotation.annotator, what, where))
                continue
            pair = (one.annotation.annotator, other.annotation.annotator)
            pair = pair[::-1] if pair[::-1] in self._apart else pair
            self._apart.setdefault(pair, []).append(apart)
            for number_of in (apart > self._most).nonzero().flatten().tolist():
                what = f"{float(apart[number_of]):.1f} mm apart, more than {self._most:g}"
                joint = tasks.skeleton.joints[number_of]
                problems.append(Problem(preview.item, joint, " and ".join(pair), what, where))
        return problems

    def agreement(self) -> Iterator[Agreement]:
        """Of each pair of annotators."""
        for who, frames in self._apart.items():
            apart = [(each > self._most).sum() for each in frames]
            mean = float(torch.cat(frames).nanmean())
            yield Agreement(who, len(frames), mean, int(sum(apart)), sum(map(bool, apart)))


def _twins(one: Annotation, other: Annotation) -> bool:
    """Whether one annotator made two in one task or file, and not two who are called alike in files of their own."""
    places = [each.where.rpartition(", annotation ")[0] for each in (one, other)]
    return one.annotator == other.annotator and places[0] == places[1] != ""


def _merge(preview: Preview, lifted: Sequence[_Lifted], joints: tuple[str, ...]) -> Labelled:
    hidden = _hidden([one.annotation for one in lifted])
    sources = (
        " and ".join(dict.fromkeys(filter(None, names))) for names in zip(*(one.sources for one in lifted), strict=True)
    )
    moved = list(zip(*(_moved(one.annotation, preview, joints) for one in lifted), strict=True))
    return Labelled(
        item=preview.item,
        joints=torch.stack([one.joints for one in lifted]).nanmean(dim=0),
        sources=tuple(sources),
        hidden=tuple(joint in hidden for joint in joints),
        annotators=tuple(dict.fromkeys(one.annotation.annotator for one in lifted)),
        moved=tuple(map(any, moved)),
        answers=tuple(_answer(lifted, joint, any(each)) for joint, each in zip(joints, moved, strict=True)),
        expected=lifted[0].expected,
        guess=torch.stack([one.guess for one in lifted]).nanmean(dim=0),
    )


def _answer(lifted: Sequence[_Lifted], joint: str, moved: bool) -> str:
    """What annotators did to a joint: what most was done of it. Where the tool does not tell, its place does."""
    origins = {keypoint.origin for one in lifted for keypoint in one.annotation.keypoints if keypoint.joint == joint}
    if not origins:
        return ""
    if "manual" in origins:
        return "manual"
    return "changed" if moved or "prediction-changed" in origins else "prediction"
