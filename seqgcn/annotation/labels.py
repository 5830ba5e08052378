"""New labels in a data set's own label file, and a record of how they came about."""

import math
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from torch import Tensor

from seqgcn.annotation.checks import Labelled
from seqgcn.datasets.data_files import open_csv
from seqgcn.datasets.hands.bighand import IMAGES
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.datasets.hands.text_rows import check_path, read_rows
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.utils.files import csv_text, write_atomically, write_text
from seqgcn.utils.validation import check_choice

ICVL_FRAMES = "Training/Depth/"
WHOLE_ONLY = {
    "nyu": "joint_data.mat has a pose for every frame of a part, without names",
    "msra": "joint.txt has a pose for every frame of a folder, without names",
}
GRAMMARS = ("icvl", "hands17", "depth-folder", *WHOLE_ONLY)

RECORD = (
    *("frame", "joint", "u", "v", "d", "x", "y", "z"),
    *("depth from", "hidden", "moved", "annotators", "answer", "expected error"),
)
"""Columns of a record."""

DIGITS = 4
"""After the point, in mm and px: far less than anybody can see."""


def add_labels(
    path: str | Path, labels: Sequence[Labelled], *, grammar: str, camera: Camera, skeleton: Skeleton
) -> None:
    """Add labels to a label file in a data set's own grammar; all of them or, on any error, none.

    ``"icvl"`` has rows ``path u v d ...`` with paths below ``Training/Depth``, ``"hands17"`` rows ``name x y z ...`` in
    mm with names below the folder of the images, ``"depth-folder"`` is a CSV file with the header
    ``frame,<joint> x,...``, in which rows without numbers are filled in, and the cells of joints that are not finite
    stay empty. Rows that are there are kept.

    Args:
        path: The file; made if it is not there.
        labels: To be added.
        grammar: Of the file.
        camera: Of the frames.
        skeleton: Names the joints.

    Raises:
        ArgumentError: The grammar cannot hold some frames' labels alone (NYU's, MSRA's), or a frame's path.
        DataFileError: The file is damaged or has a label of one of the frames already.
        RunFolderError: The file cannot be written; it is as it was.
    """
    check_choice("grammar", grammar, GRAMMARS)
    path = Path(path)
    if grammar in WHOLE_ONLY:
        raise ArgumentError(
            f"labels of some frames cannot be written in the grammar of {grammar}: its {WHOLE_ONLY[grammar]}. Take "
            "'depth-folder' instead, a CSV file of the frames' paths and their joints in mm"
        )
    for label in labels:
        if label.joints.shape != (len(skeleton), 3):
            raise ArgumentError(f"{label.item}: joints must be [{len(skeleton)}, 3] mm, got {list(label.joints.shape)}")
    if not labels:
        return
    partly = next((label.item for label in labels if not bool(label.joints.isfinite().all())), None)
    if grammar != "depth-folder" and partly is not None:
        raise ArgumentError(f"{partly}: a joint has no coordinates, which files of {grammar} cannot leave out")
    if grammar == "depth-folder":
        write_text(path, _with_csv_rows(path, labels, skeleton))
    else:
        _append_rows(path, labels, grammar, camera, len(skeleton))


def _append_rows(path: Path, labels: Sequence[Labelled], grammar: str, camera: Camera, joints: int) -> None:
    names = [_name(label.item, grammar) for label in labels]
    there = os.path.lexists(path)
    if there:
        table = read_rows(path, 3 * joints)
        line = dict(zip(table.names, table.lines.tolist(), strict=True))
        for name in names:
            if name in line:
                raise _twice(path, name, line[name])
    rows = []
    for name, label in zip(names, labels, strict=True):
        points = camera.to_image(label.joints) if grammar == "icvl" else camera.to_release(label.joints)
        gap = " " if grammar == "icvl" else "\t"
        rows.append(gap.join([name, *_numbers(points)]) + "\n")

    def write(file: BinaryIO) -> None:
        if there:
            with open(path, "rb") as old:
                shutil.copyfileobj(old, file)
                old.seek(max(old.tell() - 1, 0))
                if old.read(1) not in (b"\n", b""):
                    file.write(b"\n")
        file.write("".join(rows).encode())

    write_atomically(path, write)


def _name(item: str, grammar: str) -> str:
    """What the file calls a frame."""
    if grammar == "icvl":
        if not item.startswith(ICVL_FRAMES):
            raise ArgumentError(f"{item}: labels of ICVL are of frames below {ICVL_FRAMES}; this one is elsewhere")
        name = item.removeprefix(ICVL_FRAMES)
    else:
        folder, _, rest = item.partition("/")
        name = rest if folder in IMAGES else item
    if name.split() != [name]:
        raise ArgumentError(
            f"{item!r}: rows of {grammar} are divided by blanks, and so a name cannot have one; rename it"
        )
    return check_path(name, item)


def _with_csv_rows(path: Path, labels: Sequence[Labelled], skeleton: Skeleton) -> str:
    """The whole new file."""
    wanted = ["frame", *(f"{joint} {axis}" for joint in skeleton.joints for axis in "xyz")]
    rows = _csv_rows(path) if os.path.lexists(path) else []
    header = [cell.strip() for cell in rows[0]] if rows else wanted
    if header[:1] != ["frame"] or sorted(header) != sorted(wanted):
        raise DataFileError(f"{path}, line 1 must be {','.join(wanted[:4])} and so on for the joints of the data set")
    place = {row[0].strip().replace("\\", "/"): number for number, row in enumerate(rows) if row}
    rows = rows or [wanted]
    for label in labels:
        cells = dict(zip(wanted, [check_path(label.item, "item"), *_numbers(label.joints)], strict=True))
        row = [cells[name] for name in header]
        known = place.get(label.item)
        if known is None:
            rows.append(row)
        elif any(cell.strip() for cell in rows[known][1:]):
            raise _twice(path, label.item, known + 1)
        else:
            rows[known] = row
    return csv_text(rows)


def _csv_rows(path: Path) -> list[list[str]]:
    with open_csv(path) as rows:
        return list(rows)


def _twice(path: Path, name: str, line: int) -> DataFileError:
    return DataFileError(f"{path}, line {line} has a label of {name} already; delete one of the two")


def _numbers(points: Tensor) -> list[str]:
    return [f"{value:.{DIGITS}f}" if math.isfinite(value) else "" for value in points.flatten().tolist()]


def write_record(
    path: str | Path, labels: Sequence[Labelled], camera: Camera | Callable[[str], Camera], skeleton: Skeleton
) -> None:
    """Write how labels came about: a CSV file, a row a joint, with place, depth, its source and who annotated.

    Args:
        path: The file; an older one is replaced.
        labels: Of which frames.
        camera: Of the frames, or what tells that of a frame by its path.
        skeleton: Names the joints.

    Raises:
        RunFolderError: The file cannot be written.
    """
    rows: list[list[Any]] = [[*RECORD]]
    of = (lambda _item: camera) if isinstance(camera, Camera) else camera
    for label in labels:
        numbers = np.round(
            np.concatenate([of(label.item).to_image(label.joints).numpy(), label.joints.numpy()], axis=1), DIGITS
        )
        who = "; ".join(label.annotators)
        nothing = [""] * len(skeleton)
        answers = label.answers or nothing
        errors = ["" if error is None else round(error, 1) for error in label.expected] or nothing
        columns = zip(
            skeleton.joints, numbers.tolist(), label.sources, label.hidden, label.moved, answers, errors, strict=True
        )
        for joint, six, source, hidden, moved, answer, error in columns:
            places = ("" if math.isnan(value) else value for value in six)
            rows.append([label.item, joint, *places, source, int(hidden), int(moved), who, answer, error])
    write_text(path, csv_text(rows))
