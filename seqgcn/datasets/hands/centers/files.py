"""Files of centers: by the names of the frames, or in the order of a release's labels."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.datasets.data_files import open_csv
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.pose_files import plain_name
from seqgcn.datasets.hands.text_rows import coordinate, points_of, read_rows
from seqgcn.exceptions import DataFileError, MissingFileError
from seqgcn.utils.files import csv_text

WORLD, IMAGE = ("frame", "x", "y", "z"), ("frame", "u", "v", "d")
"""Headers of files that name their frames."""

CERTAIN = ("frame", "x mm", "y mm", "z mm")
"""The same as the first, and that it is mm needs no check."""

NO_HAND = "no hand"
"""What stands for x, or u, of a frame in which somebody saw no hand; the cells after it are empty."""

DIGITS = 3
"""After the point, in mm: files of centers are no more precise."""

MOST = 0.1
"""Share of centers outside of the picture from which on they are taken for something else."""

FEW = 5
"""With fewer centers their range tells nothing about their units."""


class CenterFile(NamedTuple):
    """What a file of centers says of n frames.

    Args:
        points: `[n, 3]` float32 mm in this package's axes; NaN of frames without a valid center.
        no_hand: Frames in which somebody saw no hand, `[n]` bool.
        others: Rows of frames that are not among these, as they stand in the file; none of a file without names.
        header: Of the file, in small letters; None of a file without names.
    """

    points: Tensor
    no_hand: NDArray[np.bool_]
    others: tuple[tuple[str, ...], ...] = ()
    header: tuple[str, ...] | None = None


def read_centers(given: str, frames: Sequence[str], cameras: Sequence[Camera]) -> Tensor:
    """Centers of frames in this package's axes, `[n, 3]` mm; NaN of frames without a valid one.

    As `read_center_file` in all else.
    """
    return read_center_file(given, frames, cameras).points


def read_center_file(
    given: str, frames: Sequence[str], cameras: Sequence[Camera], *, root: Path | None = None
) -> CenterFile:
    """What a file says of the centers of frames.

    A file with the header `frame,x,y,z` (mm; x right, y down, z away from the camera) or `frame,u,v,d` (px, px, mm)
    names the frames; with `frame,x mm,y mm,z mm` there is no doubt that it is mm. A row `frame,no hand,,` says that
    there is none in this frame; one without numbers says nothing. Any other file has a line of three numbers for each
    frame, x y z in mm in the release's axes, or `invalid`.

    Args:
        given: The file.
        frames: Names of all n frames, in the order of the labels.
        cameras: Of each frame.
        root: Folder of the frames. A file that names none of them is no error if the first that it names is there: it
            is of another part of the data set.

    Raises:
        MissingFileError: There is no such file.
        DataFileError: It cannot be read, has another number of centers, none of these frames, or other units than it
            says.
    """
    path = Path(os.path.expanduser(given))
    if not os.path.isfile(path):
        raise MissingFileError(f"the file of centers {path} is missing; check the option centers")
    header = _header(path)
    if header is None:
        return CenterFile(_by_order(path, len(frames), cameras), np.zeros(len(frames), np.bool_))
    values, no_hand, others = _by_name(path, header, frames)
    if not (np.isfinite(values[:, 0]) | no_hand).any():
        first = plain_name(others[0][0].strip()) if others else ""
        if not first or root is None or not os.path.isfile(root / first):
            which = f"the first it names is {first!r}, the first frame is {frames[0]!r}" if others else "it is empty"
            raise DataFileError(f"{path} has no center of any of the {len(frames):,} frames: {which}")
        return CenterFile(torch.from_numpy(values), no_hand, others, header)
    return CenterFile(_in_world(path, header, values, cameras), no_hand, others, header)


def center_rows(
    points: Mapping[str, Sequence[float]], no_hand: Sequence[str], others: Sequence[Sequence[str]] = ()
) -> str:
    """A file of centers by name, as text.

    Args:
        points: x, y and z of each frame's center, mm.
        no_hand: Frames without a hand.
        others: Further rows, as they are.
    """
    rows = [[frame, *(f"{value:.{DIGITS}f}" for value in point)] for frame, point in points.items()]
    # Where all hands are on the lower right of the picture, numbers could be taken for pixels.
    doubted = len(points) >= FEW and min(min(x, y) for x, y, _ in points.values()) >= 0
    return csv_text([CERTAIN if doubted else WORLD, *rows, *([frame, NO_HAND, "", ""] for frame in no_hand), *others])


def _header(path: Path) -> tuple[str, ...] | None:
    """The header of a file that names its frames; None of one that does not."""
    with open(path, "rb") as file:
        line = file.readline(2**16).decode("utf-8-sig", errors="replace").strip()
    cells = tuple(cell.strip() for cell in line.lower().split(","))
    if cells in (WORLD, IMAGE, CERTAIN):
        return cells
    if cells[0] == "frame" or (len(cells) > 1 and cells[0][-1:].isalpha()):
        raise DataFileError(
            f"{path}, line 1 must be frame,x,y,z (mm) or frame,u,v,d (px, px, mm) for centers by name, "
            f"got {line[:80]!r}"
        )
    return None


def _by_name(
    path: Path, header: tuple[str, ...], frames: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], tuple[tuple[str, ...], ...]]:
    """Numbers `[n, 3]` of the frames, those without a hand `[n]`, and rows of others."""
    place = {frame: i for i, frame in enumerate(frames)}
    values, no_hand = np.full((len(frames), 3), np.nan, np.float32), np.zeros(len(frames), np.bool_)
    seen: dict[str, int] = {}
    others: list[tuple[str, ...]] = []
    with open_csv(path) as rows:
        next(rows)
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise DataFileError(f"{where} has {len(row)} cells, the header {len(header)}")
            frame = plain_name(row[0].strip())
            if frame in seen:
                raise DataFileError(f"{where}: {frame} is in line {seen[frame]} already; keep one of the two")
            seen[frame] = rows.line_num
            first, *rest = (cell.strip() for cell in row[1:])
            if frame not in place:
                others.append(tuple(row))
            elif first.lower() == NO_HAND and not any(rest):
                no_hand[place[frame]] = True
            elif first or any(rest):
                values[place[frame]] = [coordinate(cell, where) for cell in (first, *rest)]
    return values, no_hand, tuple(others)


def _in_world(path: Path, header: tuple[str, ...], values: NDArray[np.float32], cameras: Sequence[Camera]) -> Tensor:
    known = np.isfinite(values[:, 0])
    behind = known & ~(values[:, 2] > 0)
    if behind.any():
        row = int(np.flatnonzero(behind)[0])
        raise DataFileError(f"{path}: a center has depth {values[row, 2]:g} mm, which is not in front of the camera")
    fx, fy, cx, cy, width, height = (
        np.array([getattr(camera, name) for camera in cameras], np.float32)
        for name in ("fx", "fy", "cx", "cy", "width", "height")
    )
    x, y, z = values[:, 0], values[:, 1], values[:, 2]
    fits = known & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if header == IMAGE:
        _check_units(path, "u v d (px, px, mm)", "x y z (mm): the header is then frame,x,y,z", known, fits)
        return torch.from_numpy(np.stack(((x - cx) * z / fx, (y - cy) * z / fy, z), axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v = x / z * fx + cx, y / z * fy + cy
    seen = known & (u >= 0) & (u < width) & (v >= 0) & (v < height)
    _check_units(path, "x y z (mm)", "u v d (px, px, mm): the header is then frame,u,v,d", known, seen)
    # Hands are left and right of the middle of the picture; columns and rows are never negative.
    guess = header == WORLD and known.sum() >= FEW
    if guess and (fits == known).all() and float(np.median(x[known])) > 60 and (x[known] >= 0).all():
        raise DataFileError(
            f"{path}: no x or y is negative and all lie in the picture, so the {int(known.sum()):,} centers look like "
            "u v d (px, px, mm), not x y z (mm); the header is then frame,u,v,d. If they are mm all the same, say so "
            f"with the header {','.join(CERTAIN)}"
        )
    return torch.from_numpy(values)


def _check_units(path: Path, said: str, rather: str, known: NDArray[np.bool_], fits: NDArray[np.bool_]) -> None:
    outside = int((known & ~fits).sum())
    if outside > MOST * known.sum():
        raise DataFileError(
            f"{path}: {outside:,} of {int(known.sum()):,} centers lie outside of the picture as {said}; they may be "
            f"{rather}"
        )


def _by_order(path: Path, n: int, cameras: Sequence[Camera]) -> Tensor:
    rows = read_rows(path, 3, named=False, gaps=True)
    if len(rows.values) != n:
        raise DataFileError(
            f"{path} has {len(rows.values):,} centers, but the labels have {n:,} rows; it must have a line for each, "
            "also for frames that are left out, or names of the frames and the header frame,x,y,z"
        )
    points = torch.full((n, 3), torch.nan)
    known = np.flatnonzero(np.isfinite(rows.values[:, 0]))
    if len(known):
        found = points_of([rows], known.astype(np.int64), cameras[0]).flatten(1)
        points[torch.from_numpy(known)] = found
        _check_order_units(path, rows.values[known])
    return points


def _check_order_units(path: Path, values: NDArray[np.float32]) -> None:
    x, y = values[:, 0], values[:, 1]
    if len(values) >= FEW and bool((values >= 0).all()) and float(np.median(x)) > 60 and float(np.median(y)) > 60:
        raise DataFileError(
            f"{path}: no x or y is negative and both are {np.median(x):.4g} and {np.median(y):.4g} in the middle, so "
            "the centers look like u v d (px, px, mm), not x y z (mm); name the frames and give the header frame,u,v,d"
        )
