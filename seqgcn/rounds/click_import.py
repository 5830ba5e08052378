"""From what annotators clicked to a file of centers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqgcn.annotation import PALM, Checked, Labelled, Mark, Preview, Surface, Tasks, check_annotations, write_record
from seqgcn.annotation.annotations import Annotation, newest
from seqgcn.annotation.checks import Problem, is_prediction
from seqgcn.config.run import as_config_errors
from seqgcn.config.select import SelectConfig
from seqgcn.datasets.hands.centers.files import CERTAIN, WORLD, CenterFile, center_rows, read_center_file
from seqgcn.datasets.hands.centers.finding import LEAST_LABELS
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.registry import dataset_maker
from seqgcn.rounds.answers import keep_joints
from seqgcn.rounds.exports import (
    check_same_frames,
    dataset_parameters,
    free_record,
    of_this_round,
    read_annotations,
    read_handed_off,
)
from seqgcn.rounds.inputs import labelled_hands, list_hands
from seqgcn.utils.files import write_text
from seqgcn.utils.locks import locked
from seqgcn.utils.validation import check_number, name_some

CENTERS = "centers.csv"
"""File of all centers there are after a round of clicks."""

DISAGREE = 40.0
"""mm between two annotators' centers that are still agreement: a cube of 250 mm around either holds the hand."""

SAME = 0.01
"""mm between two centers that are the same: files round them."""

NO_DEPTH = "no depth"
"""How what is wrong with a click begins under which nothing was measured."""

UNTOUCHED = "the point that was handed off, unchanged, as all of this file"


@dataclass(frozen=True, eq=False)
class ImportedClicks:
    """What came of an import of clicks.

    Args:
        checked: Clicks that are new centers now, or would be, and what is wrong with others.
        no_hand: Frames of which it is new that they show no hand, by path.
        left_out: Clicks under which nothing was measured: frames without a center, as before.
        centers: The file that holds all centers now; None if nothing was taken.
        record: The file that says how the new ones came about; None if there are none.
        told: What is to be known of the new ones, in sentences.
        again: How many frames were answered as before, or are of an earlier round.
        known: How many frames have a center or a pose now.
    """

    checked: Checked
    no_hand: tuple[str, ...] = ()
    left_out: tuple[Problem, ...] = ()
    centers: Path | None = None
    record: Path | None = None
    told: tuple[str, ...] = ()
    again: int = 0
    known: int = 0

    def table(self) -> str:
        """What is wrong, and with which clicks; then what it all comes to."""
        rows = Checked(self.checked.valid, (*self.checked.problems, *self.left_out)).table().splitlines()[:-1]
        wrong, left_out = ({problem.item for problem in group} for group in (self.checked.problems, self.left_out))
        summary = (
            f"{len(self.checked.valid):,} clicks are all right, {len(self.no_hand):,} frames have no hand, with "
            f"{len(wrong):,} something is wrong, {len(left_out):,} are left out."
        )
        return "\n".join([*rows, summary])

    @property
    def enough(self) -> bool:
        """Whether a localizer can be trained on what is known."""
        return self.known >= LEAST_LABELS


class UnderClick(Surface):
    """The depth map under a click: the median around it, and how far the middle of the palm lies behind the skin.

    Args:
        hands: Has the frames.
    """

    def __init__(self, hands: HandDataset) -> None:
        super().__init__(hands, skeleton=PALM)

    def depth(self, preview: Preview, mark: Mark) -> float | str:
        """Depth of the palm's middle, mm, or why there is none."""
        # What hides the palm is the hand itself, and nearer by its thickness at most.
        found = super().depth(preview, mark._replace(hidden=False))
        if isinstance(found, float):
            return found
        return (
            f"nothing was measured around u = {mark.u:.0f}, v = {mark.v:.0f} px from {preview.near:g} to "
            f"{preview.far:g} mm; click beside it, where the picture has colors, and import again"
        )


class _Terms(NamedTuple):
    """On what terms clicks are taken; see `import_clicks`."""

    disagree: float
    partial: bool
    accept_predictions: bool


def import_clicks(
    folder: str | Path,
    config: SelectConfig,
    exports: Sequence[str | Path],
    *,
    disagree: float = DISAGREE,
    partial: bool = False,
    accept_predictions: bool = False,
) -> ImportedClicks:
    """Take the exports of labeling tools back into a round of clicks: all in one step or, on any problem, none.

    A center is the middle of the palm: the depth under the click (the median of what was measured in 5 x 5 px between
    `near` and `far`) and 12 mm, half the thickness of a hand. It is in `centers.csv` of the round's folder together
    with those that there were before; `imported-N.csv` records who clicked. A frame that everybody skipped, or of which
    somebody says that there is no hand, is in that file too, and is left out from then on. A click where nothing was
    measured is no center; it does not keep the others from being taken.

    A point that was submitted where it was predicted is a center that somebody confirmed. COCO files do not tell
    whether somebody submitted anything: one in which all points are where they were predicted is taken only with
    `accept_predictions`.

    Args:
        folder: Of the round.
        config: What the round was asked.
        exports: Files of Label Studio (JSON) or COCO keypoints.
        disagree: mm between two annotators' centers of a frame that are still agreement.
        partial: Add what is right, whatever is wrong with the rest.
        accept_predictions: Take files in which nobody moved any point.

    Raises:
        ConfigError: An argument cannot be used.
        DataFileError: A file is missing or damaged, or the data set is not the one of the round any more.
        RunFolderError: The round was not finished, another process is at work in its folder, or that cannot be written.
    """
    folder = Path(folder)
    with as_config_errors():
        check_number("disagree", disagree, low=0, open_low=True)
    with locked(folder):
        imported = _import(folder, config, exports, _Terms(disagree, partial, accept_predictions))
        told = [f"{len(imported.no_hand):,} frames have no hand."] if imported.no_hand else []
        checked = replace(imported.checked, problems=(*imported.checked.problems, *imported.left_out))
        keep_joints(folder, exports, checked, read_handed_off(folder), imported, [*told, *imported.told])
        return imported


def _import(folder: Path, config: SelectConfig, exports: Sequence[str | Path], terms: _Terms) -> ImportedClicks:
    tasks, parameters = read_handed_off(folder), dataset_parameters(config)
    # Frames without a hand are among them as well, as they were when the round was made.
    hands, listed = list_hands(
        config, dataset_maker(config.dataset or "", config.root)(**parameters | {"centers": None})
    )
    check_same_frames(tasks, hands, PALM)
    target = folder / CENTERS
    held = _held(str(target) if target.exists() else parameters["centers"], hands)
    centers = {hands.files[i]: held.points[i] for i in held.points[:, 0].isfinite().nonzero().flatten().tolist()}
    without = {hands.files[i] for i in np.flatnonzero(held.no_hand).tolist()}
    given = [annotation for path in exports for annotation in read_annotations(Path(path), folder)]
    annotations = of_this_round(given, tasks, {*centers, *without})
    answers = _answers(annotations, tasks, terms.accept_predictions)
    checked = check_annotations(
        answers.clicks, tasks, [UnderClick(hands)], disagree=terms.disagree, known=hands.files, accept_predictions=True
    )
    blamed = {problem.item for problem in answers.problems}
    problems = [*answers.problems, *(p for p in checked.problems if p.item not in blamed | answers.no_hand)]
    left_out = tuple(problem for problem in problems if problem.what.startswith(NO_DEPTH))
    problems = [problem for problem in problems if not problem.what.startswith(NO_DEPTH)]
    valid, changed, again = _new(checked.valid, centers, without)
    # A frame that has its answer need not be answered again.
    answered = {tasks.find(each.frame) for each in annotations}
    named = {preview.item for preview in answered if preview is not None}
    problems = [p for p in problems if p.item in named or p.item not in {*centers, *without}]
    fresh = tuple(item for item in _in_order(answers.no_hand, tasks) if item not in {*centers, *without})
    changed += [
        Problem(item, "", "", f"has a center already, and now no hand; delete its row of {CENTERS} to take that")
        for item in _in_order(answers.said & set(centers), tasks)
    ]
    again += len(answers.no_hand & without)
    again += len({annotation.frame for annotation in given} - {annotation.frame for annotation in annotations})
    checked = Checked(tuple(valid), (*problems, *changed))
    result = ImportedClicks(checked, fresh, left_out, again=again)
    if (checked.problems and not (terms.partial and (valid or fresh))) or not (valid or fresh or target.exists()):
        return result
    record = None
    if valid:
        record = free_record(folder, centers)
        write_record(record, valid, tasks.camera_of, PALM)
    places = centers | {label.item: label.joints[0] for label in valid}
    everybody = {*without, *fresh}
    if valid or fresh or not target.exists():
        rows = {item: places[item].tolist() for item in hands.files if item in places}
        others = held.others if held.header in (WORLD, CERTAIN) else ()
        # Last, as this is what counts.
        write_text(target, center_rows(rows, [item for item in hands.files if item in everybody], others))
    posed = {hands.files[i] for i in labelled_hands(hands, listed).tolist()}
    told = (*_told(valid, fresh), *_lost(held))
    return replace(result, centers=target, record=record, told=told, known=len({*places, *posed} - everybody))


def _held(path: str | None, hands: HandDataset) -> CenterFile:
    """Centers that there are, those of frames of the data set and others."""
    n = len(hands)
    if path is None:
        return CenterFile(torch.full((n, 3), torch.nan), np.zeros(n, np.bool_), header=WORLD)
    return read_center_file(path, hands.files, [hands.camera_of(i) for i in range(n)], root=hands.root)


class _Answers(NamedTuple):
    """What annotators answered: clicks to be checked, frames (by path) without a hand, and what contradicts itself.

    Of the frames without a hand some were only skipped, and of others somebody says so.
    """

    clicks: list[Annotation]
    no_hand: set[str]
    said: set[str]
    problems: list[Problem]


def _answers(annotations: Sequence[Annotation], tasks: Tasks, accept_predictions: bool) -> _Answers:
    of_frame: dict[str, list[Annotation]] = {}
    strange: list[Annotation] = []
    untouched = set() if accept_predictions else _untouched(annotations, tasks)
    for annotation in newest(annotations):
        preview = tasks.find(annotation.frame)
        if preview is None or annotation.draft:
            strange.append(annotation)
        else:
            of_frame.setdefault(preview.item, []).append(annotation)
    clicks, no_hand, said, problems = strange, set[str](), set[str](), list[Problem]()
    for item, answers in of_frame.items():
        wrong = list(_contradictions(item, answers, untouched))
        problems += wrong
        if not wrong and all(each.skipped or each.absent for each in answers):
            no_hand.add(item)
            said |= {item} if any(each.absent for each in answers) else set()
        # Those of frames without a hand are not looked at any more, but they are answers.
        clicks += [each._replace(skipped=each.skipped or each.absent) for each in answers]
    return _Answers(clicks, no_hand, said, problems)


def _contradictions(item: str, answers: Sequence[Annotation], untouched: set[str]) -> Iterator[Problem]:
    absent = [each for each in answers if each.absent]
    clicked = [each for each in answers if each.keypoints]
    for each in absent:
        if each.keypoints:
            yield Problem(item, "", each.annotator, "a point, and that there is no hand", each.where)
    others = [each for each in clicked if not each.absent]
    if others and len(absent) and not all(each.keypoints for each in absent):
        said, other = next(each for each in absent if not each.keypoints), others[0]
        yield Problem(
            item,
            "",
            f"{said.annotator} and {other.annotator}",
            "one says that there is no hand, the other clicked it",
            f"{said.where} and {other.where}",
        )
    for each in answers:
        if each.where in untouched:
            yield Problem(item, "", each.annotator, UNTOUCHED, each.where)


def _untouched(annotations: Sequence[Annotation], tasks: Tasks) -> set[str]:
    """Places of annotations of files that nobody may have looked at: not submitted, and no point anywhere was moved."""
    of_file: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        if not annotation.submitted:
            of_file.setdefault(annotation.annotator, []).append(annotation)
    return {
        each.where for group in of_file.values() if not any(_touched(each, tasks) for each in group) for each in group
    }


def _touched(annotation: Annotation, tasks: Tasks) -> bool:
    """Whether somebody gave another answer than what was handed off."""
    preview = tasks.find(annotation.frame)
    marked = tuple(keypoint.joint for keypoint in annotation.keypoints)
    return preview is not None and (marked != PALM.joints or not is_prediction(annotation, preview, PALM.joints))


def _new(
    labels: Sequence[Labelled], centers: Mapping[str, Tensor], without: set[str]
) -> tuple[list[Labelled], list[Problem], int]:
    """Centers that are new, what contradicts an earlier answer, and how many tell nothing new."""
    new: list[Labelled] = []
    changed: list[Problem] = []
    again = 0
    for label in labels:
        who = "; ".join(label.annotators)
        if label.item in without:
            what = f"has no hand, as was said before; to take this center, delete its row of {CENTERS}"
            changed.append(Problem(label.item, "", who, what))
        elif label.item in centers:
            apart = float((label.joints[0] - centers[label.item].double()).norm())
            what = f"has a center already, {apart:.2f} mm from this; to replace it, delete its row of {CENTERS}"
            changed += [Problem(label.item, "", who, what)] if apart > SAME else []
            again += apart <= SAME
        else:
            new.append(label)
    return new, changed, again


def _in_order(items: set[str], tasks: Tasks) -> list[str]:
    return [preview.item for preview in tasks.previews if preview.item in items]


def _told(valid: Sequence[Labelled], no_hand: Sequence[str]) -> Iterator[str]:
    if valid:
        still = sum(not label.moved[0] for label in valid)
        yield f"{len(valid):,} centers are new; {still:,} of them are where they were predicted, and so confirmed"
    if no_hand:
        yield (
            f"{len(no_hand):,} frames have no hand, and are left out from now on: {name_some(no_hand)}; to have one "
            f"back, delete its row of {CENTERS}"
        )


def _lost(held: CenterFile) -> Iterator[str]:
    if held.others and held.header not in (WORLD, CERTAIN):
        yield (
            f"{len(held.others):,} centers of other frames, in px, are not in {CENTERS}; they are still in the file "
            "that they are from"
        )
