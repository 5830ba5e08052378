"""What came back to a round, import by import: kept in its folder, and shown on its page.

Labels count, and this is only told of them: whatever is wrong with it never costs an import.
"""

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from seqgcn.annotation import Tasks
from seqgcn.annotation.checked import Checked, Labelled, Problem
from seqgcn.annotation.class_checks import ClassLabel, ClassProblem
from seqgcn.annotation.preview import Preview
from seqgcn.datasets.hands.camera import Camera
from seqgcn.exceptions import RunFolderError, SeqGCNError
from seqgcn.report.html import Table
from seqgcn.report.html.answers import Answers, with_answers
from seqgcn.utils.files import write_text
from seqgcn.utils.messages import log

ANSWERS, REPORT = "answers.json", "report.html"

MOST_ROWS = 200
"""Of what was refused."""

NOBODY = "nobody"


def predicted_pose(preview: Preview, camera: Camera) -> Tensor:
    """The pose that was predicted, `[J, 3]` float64 mm; NaN for joints that were not."""
    nothing = (float("nan"),) * 3
    places = [nothing if each is None else (each.u, each.v, each.d) for each in preview.predicted]
    pose = torch.full((len(places), 3), float("nan"), dtype=torch.float64)
    known = torch.tensor([each is not None for each in preview.predicted], dtype=torch.bool)
    if bool(known.any()):
        pose[known] = camera.to_world(torch.tensor(places, dtype=torch.float64)[known])
    return pose


def tables_of_joints(labels: Sequence[Labelled], problems: Sequence[Problem], tasks: Tasks) -> list[Table]:
    """Who answered, which joints were moved and how far, how far each frame is from its prediction, and the refused.

    Args:
        labels: The new ones.
        problems: What is wrong with the others.
        tasks: What was handed off.
    """
    off = [_off(label, tasks) for label in labels]
    frames = [
        [label.item, " and ".join(label.annotators), _mean(apart), _most(apart)]
        for label, apart in zip(labels, off, strict=True)
    ]
    joints = []
    for number, joint in enumerate(tasks.skeleton.joints):
        some = [each[number : number + 1] for each in off]
        apart = torch.cat(some) if some else torch.empty(0)
        moved = sum(label.moved[number] and bool(label.sources[number]) for label in labels)
        left_out = sum(not label.sources[number] for label in labels)
        hidden = sum(label.hidden[number] for label in labels)
        joints.append([joint, str(moved), _mean(apart), _most(apart), str(hidden), str(left_out)])
    tables = [_who(labels, off, problems)]
    if labels:
        head = ["joint", "moved", "mean mm from prediction", "most", "hidden", "left out"]
        tables.append(Table(title="Joints", header=head, rows=joints))
        head = ["frame", "annotators", "mean mm from prediction", "most"]
        tables.append(Table(title="Frames", header=head, rows=frames, text=(0, 1)))
    refused = [(each.item, each.joint, each.annotator, each.what) for each in problems]
    return [*tables, *_refused(["frame", "joint", "annotator", "what is wrong"], refused)]


def _off(label: Labelled, tasks: Tasks) -> Tensor:
    """How far each joint is from its prediction, `[J]` mm; NaN where there is none, or no label."""
    preview = tasks.find(label.item)
    if preview is None or len(preview.predicted) != len(label.joints):
        return torch.full((len(label.joints),), float("nan"), dtype=torch.float64)
    off: Tensor = label.joints.double() - predicted_pose(preview, tasks.camera_of(label.item))
    apart: Tensor = torch.linalg.vector_norm(off, dim=1)
    return apart


def _who(labels: Sequence[Labelled], off: Sequence[Tensor], problems: Sequence[Problem]) -> Table:
    names = [" and ".join(label.annotators) for label in labels]
    refused = _refused_of(problems)
    rows = []
    for who in dict.fromkeys([*names, *refused]):
        own = [number for number, name in enumerate(names) if name == who]
        marked = sum(bool(source) for number in own for source in labels[number].sources)
        moved = sum(
            there and bool(source)
            for number in own
            for there, source in zip(labels[number].moved, labels[number].sources, strict=True)
        )
        apart = torch.cat([off[number] for number in own]) if own else torch.empty(0)
        rows.append([who, str(len(own)), f"{moved:,} of {marked:,}", _mean(apart), str(refused.get(who, 0))])
    head = ["annotators", "frames all right", "joints moved", "mean mm from prediction", "frames refused"]
    return Table(title="Who answered", header=head, rows=rows)


def tables_of_classes(labels: Sequence[ClassLabel], problems: Sequence[ClassProblem]) -> list[Table]:
    """Who answered, how many of each class were predicted so, and what was refused.

    Args:
        labels: The new ones.
        problems: What is wrong with the others.
    """
    names = [" and ".join(label.annotators) for label in labels]
    refused = _refused_of(problems)
    rows = []
    for who in dict.fromkeys([*names, *refused]):
        own = [label for label, name in zip(labels, names, strict=True) if name == who]
        rows.append([who, str(len(own)), _as_predicted(own), str(refused.get(who, 0))])
    head = ["annotators", "items all right", "as predicted", "items refused"]
    tables = [Table(title="Who answered", header=head, rows=rows)]
    if labels:
        classes = Counter(label.name for label in labels)
        rows = [
            [name, str(count), _as_predicted([label for label in labels if label.name == name])]
            for name, count in classes.most_common()
        ]
        tables.append(Table(title="Classes", header=["class", "labels", "as predicted"], rows=rows))
    listed = [(each.item, each.annotator, each.what) for each in problems]
    return [*tables, *_refused(["item", "annotator", "what is wrong"], listed)]


def _as_predicted(labels: Sequence[ClassLabel]) -> str:
    predicted = [label for label in labels if label.predicted]
    return f"{sum(label.name == label.predicted for label in predicted):,} of {len(predicted):,}" if predicted else "–"


def _refused_of(problems: Sequence[Problem] | Sequence[ClassProblem]) -> dict[str, int]:
    """With how many items of each annotator something is wrong."""
    items: dict[str, set[str]] = {}
    for each in problems:
        items.setdefault(each.annotator or NOBODY, set()).add(each.item)
    return {who: len(some) for who, some in items.items()}


def _refused(header: list[str], rows: Sequence[Sequence[str]]) -> list[Table]:
    if not rows:
        return []
    more = f", the first {MOST_ROWS} of {len(rows):,} findings" if len(rows) > MOST_ROWS else ""
    shown = [list(row) for row in rows[:MOST_ROWS]]
    return [Table(title=f"Refused{more}", header=header, rows=shown, text=tuple(range(len(header))))]


def _mean(apart: Tensor) -> str:
    known = apart[apart.isfinite()]
    return f"{float(known.mean()):.1f}" if len(known) else "–"


def _most(apart: Tensor) -> str:
    known = apart[apart.isfinite()]
    return f"{float(known.max()):.1f}" if len(known) else "–"


def keep_answers(
    folder: Path,
    exports: Sequence[str | Path],
    tables: Sequence[Table],
    *,
    taken: int,
    refused: int,
    again: int = 0,
    record: Path | None = None,
    told: Sequence[str] = (),
) -> None:
    """Keep what came of an import, and show it on the round's page.

    An import that added labels stays; one that added none is shown until the next.

    Args:
        folder: Of the round; only for who is alone there.
        exports: The files.
        tables: What came of them.
        taken: How many new labels there are.
        refused: With how many items something is wrong.
        again: How many were answered before.
        record: The file that says how new labels came about.
        told: Further sentences.
    """
    counts = [f"{taken:,} new labels" if record else "nothing was added", f"{refused:,} refused"]
    counts += [f"{again:,} known already"] if again else []
    entry = {
        "record": record.name if record else "",
        "exports": [Path(path).name for path in exports],
        "told": [_sentence("; ".join(counts)), *map(_sentence, told)],
        "tables": [{**vars(table), "text": list(table.text)} for table in tables],
    }
    try:
        held = [each for each in _read(folder) if each["record"] and each["record"] != entry["record"]]
        write_text(folder / ANSWERS, json.dumps([entry, *held], ensure_ascii=False, indent=1) + "\n")
        show_answers(folder)
    except SeqGCNError as error:
        log.warning(f"the round's page does not show what came back: {error}")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


class _Came(Protocol):
    """What is told of an import."""

    @property
    def record(self) -> Path | None: ...

    @property
    def again(self) -> int: ...


def keep_joints(
    folder: Path, exports: Sequence[str | Path], checked: Checked, tasks: Tasks, came: _Came, told: Sequence[str]
) -> None:
    """As `keep_answers`, of an import of joints or clicks.

    Args:
        folder: Of the round.
        exports: The files.
        checked: What came of the annotations.
        tasks: What was handed off.
        came: The record of new labels, and how many were known.
        told: Further sentences.
    """
    keep_answers(
        folder,
        exports,
        tables_of_joints(checked.valid, checked.problems, tasks),
        taken=len(checked.valid),
        refused=len({problem.item for problem in checked.problems}),
        again=came.again,
        record=came.record,
        told=[*(str(each) for each in checked.agreement), *told],
    )


def show_answers(folder: Path) -> None:
    """Put what came back into a round's page, if there are both.

    Raises:
        RunFolderError: The page cannot be read or written.
    """
    if (folder / REPORT).is_file():
        write_text(folder / REPORT, page_of_round(folder))


def page_of_round(folder: Path) -> str:
    """The page of a round, with what came back to it.

    Raises:
        RunFolderError: There is none yet, or it cannot be read.
    """
    page = folder / REPORT
    if not page.is_file():
        raise RunFolderError(
            f"{page} is missing; if the round was not finished, go on with seqgcn select --out "
            f"{shlex.quote(str(folder))} --resume"
        )
    try:
        return with_answers(page.read_text(encoding="utf-8"), read_answers(folder))
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{page} cannot be read ({error}); restore it, or select again") from error


def read_answers(folder: Path) -> list[Answers]:
    """What came back to a round, newest first; what cannot be read is left out."""
    return [
        Answers(
            title=f"{each['record'] or 'Last import'}, from {', '.join(each['exports'])}",
            told=each["told"],
            tables=[Table(**table) for table in each["tables"]],
        )
        for each in _read(folder)
    ]


def _read(folder: Path) -> list[Mapping[str, Any]]:
    path = folder / ANSWERS
    if not path.is_file():
        return []
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        for each in held:
            tables = [Table(**table) for table in each["tables"]]
            if not all(
                isinstance(each[key], kind) for key, kind in (("record", str), ("exports", list), ("told", list))
            ):
                raise TypeError("not what was written")
            if any(len(row) != len(table.header) for table in tables for row in table.rows):
                raise TypeError("rows of other lengths")
        return list(held)
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.warning(f"{path} cannot be read ({error}); the page does not show what it held")
        return []
