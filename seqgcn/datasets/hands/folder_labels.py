"""``labels.csv`` of a depth folder: a frame a row, x, y and z of each joint in mm.

The three cells of a joint that is not labeled are empty, or say ``nan``.
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.data_files import open_csv
from seqgcn.datasets.hands.listing import given_labels
from seqgcn.datasets.hands.release import report_missing
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.datasets.hands.text_rows import check_path, coordinate
from seqgcn.exceptions import DataFileError

LABELS = "labels.csv"

EMPTY = ("", "nan")
"""What stands for no number."""


def join_csv(
    top: Path, frames: list[str], skeleton: Skeleton, strict: bool, labels: Path | None
) -> NDArray[np.float32]:
    """Labels of the frames, joined by path, `[n, J, 3]` mm; NaN of joints that have none."""
    joints = np.full((len(frames), len(skeleton), 3), np.nan, np.float32)
    if labels is None and not os.path.lexists(top / LABELS):
        return joints
    path = labels or given_labels(top / LABELS)
    place = {frame: i for i, frame in enumerate(frames)}
    poses = read_csv(path, skeleton)
    lost = [frame for frame in poses if frame not in place]
    if lost:
        report_missing(top.name, top, lost, len(poses), strict)
    for frame, pose in poses.items():
        if frame in place:
            joints[place[frame]] = pose
    return joints


def read_csv(path: Path, skeleton: Skeleton) -> dict[str, NDArray[np.float32]]:
    """Pose of each frame that has one, `[J, 3]` mm, by its path, in the order of the file; NaN of joints without.

    Raises:
        DataFileError: The file cannot be read, its header names other joints, or a row is none; the message names the
            line.
    """
    poses: dict[str, NDArray[np.float32]] = {}
    seen: dict[str, int] = {}
    with open_csv(path) as rows:
        header = next(rows, None)
        if header is None:  # an empty file: nothing is labeled yet
            return {}
        columns = _columns(path, header, skeleton)
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(columns) + 1:
                raise DataFileError(f"{where} has {len(row)} cells, the header {len(columns) + 1}")
            # Tables of another system's programs.
            frame = check_path(row[0].strip().replace("\\", "/"), where)
            if frame in seen:
                raise DataFileError(f"{where}: {frame} is in line {seen[frame]} already; keep one of the two")
            seen[frame] = rows.line_num
            cells = [row[column].strip() for column in columns]
            if not all(cell.lower() in EMPTY for cell in cells):
                poses[frame] = _pose(cells, where, skeleton)
    return poses


def _columns(path: Path, header: list[str], skeleton: Skeleton) -> list[int]:
    """Column of each joint's x, y and z."""
    names = [name.strip() for name in header]
    wanted = [f"{joint} {axis}" for joint in skeleton.joints for axis in "xyz"]
    if names[:1] == ["frame"] and sorted(names[1:]) == sorted(wanted):
        return [names.index(name, 1) for name in wanted]
    lacking = [name for name in wanted if name not in names[1:]]
    extra = [name for name in names[1:] if name not in wanted]
    wrong = f"it lacks {', '.join(lacking[:5])}" if lacking else f"{', '.join(extra[:5]) or 'a column'} is too much"
    raise DataFileError(
        f"{path}, line 1 must be frame,{','.join(wanted[:3])} and so on for the joints of camera.yaml, separated by "
        f"commas; {wrong if names[:1] == ['frame'] else 'it does not start with frame'}"
    )


def _pose(cells: list[str], where: str, skeleton: Skeleton) -> NDArray[np.float32]:
    empty = np.array([cell.lower() in EMPTY for cell in cells]).reshape(-1, 3)
    for joint, lacks in zip(skeleton.joints, empty, strict=True):
        if lacks.any() and not lacks.all():
            axes = " and ".join(axis for axis, lacking in zip("xyz", lacks, strict=True) if lacking)
            raise DataFileError(f"{where}: {joint} has no number for {axes}; fill in x, y and z of a joint or none")
    numbers = [np.nan if cell.lower() in EMPTY else coordinate(cell, where) for cell in cells]
    pose = np.array(numbers, np.float32).reshape(-1, 3)
    behind = pose[:, 2] <= 0
    if behind.any():
        joint = skeleton.joints[int(behind.argmax())]
        raise DataFileError(
            f"{where}: {joint} has z = {np.nanmin(pose[:, 2]):g} mm, which is not in front of the camera; "
            "x y z must be of the depth camera (x right, y down, z away from it), not relative to the wrist, with z "
            "towards the camera, or in other columns"
        )
    return pose
