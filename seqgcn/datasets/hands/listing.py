"""Frames that lie in folders, labeled or not."""

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.datasets.frame_names import sort_frames
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.release import check_inside, report_missing
from seqgcn.datasets.hands.text_rows import Rows, check_path, points_of
from seqgcn.exceptions import DataFileError, MissingFileError


def list_frames(top: Path) -> list[str]:
    """Paths of all PNG files below a folder, folder by folder, in the order of their numbers or time stamps.

    Those of the folder itself come first.

    Raises:
        DataFileError: A folder cannot be read, a link leads out of it, or a name is no path in UTF-8.
    """
    return sort_frames(check_names(top, list_below(top, (".png",))[".png"]))


def list_below(top: Path, suffixes: Collection[str]) -> dict[str, list[str]]:
    """Paths of all files below a folder that end in one of some suffixes (in small letters), by suffix, in any order.

    Raises:
        DataFileError: A folder cannot be read, or a link leads out of it.
    """
    inside = top.resolve()
    found: dict[str, list[str]] = {suffix: [] for suffix in suffixes}
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(top / folder) as entries:
                for entry in entries:
                    name = entry.name
                    if name.startswith("."):
                        continue
                    if entry.is_symlink():
                        check_inside(Path(entry.path), inside)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{folder}{name}/")
                    elif (suffix := os.path.splitext(name)[1].lower()) in found and entry.is_file():
                        found[suffix].append(folder + name)
        except OSError as error:
            raise DataFileError(f"{top / folder} cannot be read: {error.strerror}") from error
    return found


def check_names(top: Path, frames: list[str]) -> list[str]:
    """Paths of frames, all of which must be text that a list can hold.

    Raises:
        DataFileError: A name is not in UTF-8, has an invisible character, or is no plain path.
    """
    for frame in frames:
        _check_name(frame, top)
    return frames


def given_labels(path: str | Path) -> Path:
    """A file of labels that the user names.

    Raises:
        MissingFileError: There is no such file.
    """
    file = Path(os.path.expanduser(path))
    if not os.path.isfile(file):
        raise MissingFileError(f"the file of labels {file} is missing or not a regular file")
    return file


def join_labels(dataset: str, top: Path, frames: list[str], labels: Rows, strict: bool) -> NDArray[np.int64]:
    """Row of the labels of each frame, -1 where it has none.

    Args:
        dataset: Name of the data set, for messages.
        top: Folder of the frames.
        frames: Their paths below it, n of them.
        labels: By the same paths.
        strict: Whether labels of frames that are not there are an error.

    Returns:
        `[n]`.

    Raises:
        MissingFileError: There is no frame, labeled frames and none of them there, or one is not and `strict`.
    """
    if not frames:
        raise MissingFileError(f"{dataset}: there is no PNG file below {top}; unpack the images there")
    row = {name: number for number, name in enumerate(labels.names)}
    there = set(frames)
    lost = [name for name in labels.names if name not in there]
    if lost:
        report_missing(dataset, top, lost, len(labels.names), strict)
    return np.array([row.get(frame, -1) for frame in frames], np.int64)


def poses_of(
    tables: Sequence[Rows],
    rows: NDArray[np.int64],
    camera: Camera | None = None,
    convert: Callable[[Tensor], Tensor] = lambda points: points,
) -> Tensor:
    """Poses by the rows of their labels, `[n, J, 3]`: NaN where there is none (-1).

    Args:
        tables: Files of labels.
        rows: Of each frame, `[n]`, counted through all files.
        camera: As for `points_of`.
        convert: Turns the points of labels into what is wanted.
    """
    order = rows.argsort(kind="stable")
    known = order[rows[order] >= 0]
    points = convert(points_of(tables, rows[known], camera))
    poses = torch.full((len(rows), *points.shape[1:]), torch.nan)
    poses[torch.from_numpy(known)] = points
    return poses


def _check_name(name: str, top: Path) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DataFileError(f"{os.fsencode(top / name)!r}: the name is not UTF-8; rename it") from error
    if not name.isprintable() or name.strip() != name:
        raise DataFileError(
            f"{str(top / name)!r}: the name has an invisible character, or a blank at an end, which lists of frames "
            "cannot hold; rename the file"
        )
    check_path(name, os.path.dirname(f"{top}/{name}"))
