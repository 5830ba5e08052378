"""What all imports into a round share: reading exports and what was handed off, and comparing it with the frames."""

import csv
import filecmp
import os
import shlex
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from seqgcn.annotation import Tasks, digest_of, preview_name, read_coco, read_label_studio, read_tasks
from seqgcn.annotation.annotations import Annotation, printable, read_json
from seqgcn.annotation.tasks import IMAGES, LOCAL_FILES
from seqgcn.config.select import JOINTS, SelectConfig
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.exceptions import ConfigError, DataFileError, MissingFileError, RunFolderError
from seqgcn.utils.validation import name_some

TASKS = "tasks"

CHOOSE = "export from Label Studio in the format JSON, or from CVAT in the format COCO Keypoints"


def dataset_parameters(config: SelectConfig) -> dict[str, Any]:
    """The data set's alone: a learner of the user's own need not be there where labels are imported."""
    own = {key: value for key, value in config.set.items() if key.startswith("dataset.")}
    return replace(config, ask=JOINTS, learner="", selector="random", set=own).settle()["dataset"]


def picture_prefix(config: SelectConfig, folder: Path) -> str:
    """What stands before the names of a round's pictures in the tasks of Label Studio.

    Args:
        config: What the round was asked.
        folder: Of the round.

    Raises:
        ConfigError: The folder is not below the one that files are served from.
    """
    if config.document_root is None:
        return LOCAL_FILES if config.image_prefix is None else config.image_prefix
    root, pictures = (Path(os.path.abspath(each)) for each in (config.document_root, folder / TASKS / IMAGES))
    if not pictures.is_relative_to(root):
        raise ConfigError(
            f"{folder} is not below {config.document_root}, from where Label Studio is to serve its pictures; name "
            "another folder with --out, or the one above all rounds with --document-root"
        )
    return f"/data/local-files/?d={quote(pictures.relative_to(root).as_posix())}/"


def read_export(path: str | Path) -> list[Annotation]:
    """Annotations of an export, whichever tool wrote it.

    Raises:
        DataFileError: It is missing, damaged or of another format.
    """
    path = Path(path)
    if zipfile.is_zipfile(path):
        raise DataFileError(f"{path} is {_archive(path)}")
    if _is_table(path):
        raise DataFileError(
            f"{path} is a CSV table, which Label Studio exports without the names that joints need; {CHOOSE}"
        )
    return read_label_studio(path) if isinstance(read_json(path), list) else read_coco(path)


def _archive(path: Path) -> str:
    """What a ZIP archive is, and what to do with it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [printable(name) for name in archive.namelist()]
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        names = []
    found = [name for name in names if name.endswith(".json") and name.rpartition("/")[2] != "notes.json"]
    if not found and any(name.rpartition("/")[2] == "classes.txt" or name.startswith("labels/") for name in names):
        return f"an export in the format YOLO, which has no keypoints; {CHOOSE}"
    if names and not found:
        return f"a ZIP archive without a JSON file; {CHOOSE}"
    return f"a ZIP archive; unpack it and name the JSON file in it{f' ({name_some(found)})' if found else ''}"


def _is_table(path: Path) -> bool:
    """Whether a file begins with the header of a table."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        line = file.readline(4096).removeprefix(b"\xef\xbb\xbf").strip()
    return line.count(b",") >= 2 and line[:1] not in (b"[", b"{") and b":" not in line


def read_annotations(path: Path, folder: Path) -> list[Annotation]:
    """The same, but not what was handed off in a round.

    Args:
        path: Of the export.
        folder: Of the round.
    """
    for name in ("label_studio.json", "coco_keypoints.json"):
        handed_off = folder / TASKS / name
        if path.is_file() and handed_off.is_file() and filecmp.cmp(path, handed_off, shallow=False):
            raise DataFileError(
                f"{path} is what was handed off, with predictions for labels; give what the tool exported"
            )
    return read_export(path)


def read_handed_off(folder: Path) -> Tasks:
    """What was handed off in a round.

    Args:
        folder: Of the round.

    Raises:
        RunFolderError: It was not finished.
        DataFileError: The record of it is damaged.
    """
    try:
        return read_tasks(folder / TASKS)
    except MissingFileError as error:
        raise RunFolderError(
            f"{error}; if the round was not finished, go on with seqgcn select --out {shlex.quote(str(folder))} "
            "--resume, else restore that file"
        ) from error


def check_same_frames(tasks: Tasks, hands: HandDataset, skeleton: Skeleton) -> None:
    """Refuse frames that are not what was handed off: annotators saw others, and depths would be of others.

    Args:
        tasks: What was handed off.
        hands: The frames as they are now.
        skeleton: What would be handed off of them now.

    Raises:
        DataFileError: A frame is missing or changed, or so are cameras or joints.
    """
    there = {item: number for number, item in enumerate(hands.files)}
    lost = [preview.item for preview in tasks.previews if preview.item not in there]
    if lost:
        raise DataFileError(
            f"of the frames of this round, {hands.root} lacks {name_some(lost)}; restore it, or select again"
        )
    moved = any(tasks.camera_of(each.item) != hands.camera_of(there[each.item]) for each in tasks.previews)
    if moved or tasks.skeleton != skeleton:
        raise DataFileError(
            f"camera or joints of {hands.root} are not those of the round any more; restore them, or select again"
        )
    changed = [
        preview.item for preview in tasks.previews if digest_of(hands.depth(there[preview.item])) != preview.digest
    ]
    if changed:
        raise DataFileError(
            f"below {hands.root}, {name_some(changed)} changed since the tasks were made: annotators saw another "
            "picture. Restore what was there, or select again"
        )


def of_this_round(annotations: Sequence[Annotation], tasks: Tasks, labelled: Collection[str]) -> list[Annotation]:
    """Without those of earlier rounds: people go on in one project, whose export has them all.

    Args:
        annotations: Of an export.
        tasks: What was handed off.
        labelled: Frames with a label, all of them.
    """
    strange = {annotation.frame for annotation in annotations if tasks.find(annotation.frame) is None}
    earlier = {name for item in labelled for name in (item, preview_name(item)) if name in strange} if strange else ()
    return [annotation for annotation in annotations if annotation.frame not in earlier]


def free_record(folder: Path, labelled: Collection[str]) -> Path:
    """Where the next record goes: the first number that has none, or one of an import that was cut off.

    Args:
        folder: Of the round.
        labelled: Frames with a label, all of them.
    """
    number = 1
    while (path := folder / f"imported-{number}.csv").exists() and not _cut_off(path, set(labelled)):
        number += 1
    return path


def _cut_off(record: Path, labelled: Collection[str]) -> bool:
    """Whether a record was written, but not its labels. Anything else is to be kept, whatever has been made of it."""
    try:
        with open(record, newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (OSError, ValueError, csv.Error):
        return False
    heads = (["frame", "joint"], ["item", "class"])
    return bool(rows) and rows[0][:2] in heads and not any(row and row[0] in labelled for row in rows)
