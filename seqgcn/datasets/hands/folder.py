"""One's own depth frames: folders of 16-bit PNG files, a description of the camera and optional labels."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from seqgcn.checks import check_bool, check_choice, check_number
from seqgcn.datasets.files import check_root, open_csv
from seqgcn.datasets.hands.base import CropOptions, HandDataset
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.depth import GREY, png_header, read_depth_png
from seqgcn.datasets.hands.labels import check_path, coordinate
from seqgcn.datasets.hands.listing import given_labels, list_frames
from seqgcn.datasets.hands.release import choose_frames, need_file, report_missing
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.errors import ArgumentError, DataFileError
from seqgcn.seeding import derive_seed

CAMERA, LABELS = "camera.yaml", "labels.csv"
REQUIRED = ("fx", "fy", "cx", "cy", "joints")
OPTIONAL = ("depth_scale", "hand", "cube", "bones")
MOST_BYTES = 2**16
LAYOUT = "expected FOLDER/camera.yaml and 16-bit PNG files in FOLDER or in FOLDER/SEQUENCE"


class DepthFolder(HandDataset):
    """A lab's own depth frames with what labels there are.

    ``camera.yaml`` has `fx`, `fy`, `cx`, `cy` (px), `joints` (list of names) and, if wanted, `depth_scale` (mm per
    unit, 1 by default), `hand` (``right`` or ``left``; networks see left hands mirrored), `cube` (its side in mm) and
    `bones` (list of pairs of joints, by name or by number from 0). The frames are 16-bit grey PNG files in the folder
    or in folders in it, of one sequence each, taken in the order of the numbers in their names. ``labels.csv`` has the
    header ``frame,<joint> x,<joint> y,<joint> z,...`` with all joints, in any order, and rows of a frame's path below
    the folder and millimetres, x right, y down, z away from the camera; a row without numbers is not labelled yet.

    To test, whole sequences are held out, as many as fit into `test_fraction` of the frames, taken in an order that
    depends on their names alone; at least the shortest. If there is one sequence, its end is held out. Which frames
    these are does not depend on the labels.

    Args:
        root: The folder.
        split: `"train"` and `"test"` have labelled frames only; `"all"` has every frame.
        test_fraction: Share of the frames to hold out.
        strict: Whether labels of frames that are not there are an error.
        cube: Side of the cube, mm; instead of the one in ``camera.yaml``.
        labels: Another file of labels than ``labels.csv`` in the folder.
        options: How to crop. A centre file has a row for each frame, in the order of `split="all"`.

    Raises:
        ArgumentError: An argument is out of range.
        MissingFileError: ``camera.yaml`` or what a part needs is missing.
        DataFileError: A file is damaged or of another format, or a link leads out of the folder.
    """

    def __init__(
        self,
        root: str | Path,
        split: Literal["all", "train", "test"] = "train",
        *,
        test_fraction: float = 0.2,
        strict: bool = False,
        cube: float | None = None,
        labels: str | Path | None = None,
        options: CropOptions | None = None,
    ) -> None:
        check_choice("split", split, ("all", "train", "test"))
        check_number("test_fraction", test_fraction, low=0, high=1, open_low=True, open_high=True)
        check_bool("strict", strict)
        if cube is not None:
            check_number("cube", cube, low=0, open_low=True)
        top = check_root(root, "the depth folder", "your own camera")
        setup = _read_setup(need_file(top, CAMERA, "the depth folder", LAYOUT))
        side = setup.cube if cube is None else cube
        if side is None:
            raise DataFileError(
                f"{top / CAMERA} has no cube; add it (its side in mm, such as 250), or set dataset.cube"
            )
        frames = list_frames(top)
        if not frames:
            raise DataFileError(f"{top} has no PNG file; {LAYOUT}")
        header = png_header(top / frames[0])
        if (header.bits, header.colour) != (16, GREY):
            raise DataFileError(
                f"{top / frames[0]} is no 16-bit grey PNG; move previews and other pictures out of {top}"
            )
        camera = Camera(*setup.lens, header.width, header.height)
        joints = _join(top, frames, setup.skeleton, strict, None if labels is None else given_labels(labels))
        sequences = [frame.rpartition("/")[0] or "." for frame in frames]
        labelled = ~np.isnan(joints[:, 0, 0])
        wanted = _part_of(split, sequences, labelled, test_fraction, top)
        unlabelled = ~labelled & (split != "all")
        chosen = choose_frames(
            top.name, top, frames, options, camera, strict=strict, leave_out={"not labelled": unlabelled}, part=wanted
        )
        super().__init__(
            name=f"{re.sub(r'[^0-9A-Za-z.-]+', '-', top.resolve().name)[:40] or 'folder'}-{split}",
            root=top,
            files=chosen.files,
            sequences=[sequences[row] for row in chosen.rows],
            joints=torch.from_numpy(joints[chosen.rows]),
            cube=side,
            camera=camera,
            skeleton=setup.skeleton,
            read=partial(read_depth_png, camera=camera, scale=setup.depth_scale),
            options=options,
            centres=chosen.centres,
            skipped=chosen.skipped,
            mirror=setup.mirror,
            decoding=setup.depth_scale,
        )


class _Plain(yaml.SafeLoader):
    """YAML without aliases: a few that nest stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A value; an alias is refused."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (*name); write the value out")
        return super().compose_node(parent, index)


class _Setup(NamedTuple):
    """What ``camera.yaml`` says; `lens` is fx, fy, cx and cy."""

    lens: tuple[float, float, float, float]
    depth_scale: float
    cube: float | None
    mirror: bool
    skeleton: Skeleton


def _read_setup(path: Path) -> _Setup:
    try:
        with open(path, "rb") as file:
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise ValueError("it is too large")
        values = yaml.load(text, _Plain)  # noqa: S506  # a safe loader
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # YAML's own, those of impossible dates, of too deep nesting
        raise DataFileError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(values, dict):
        raise DataFileError(f"{path} must hold lines of KEY: VALUE with the keys {', '.join(REQUIRED + OPTIONAL)}")
    missing = [key for key in REQUIRED if key not in values]
    unknown = [str(key) for key in values if key not in REQUIRED + OPTIONAL]
    if missing or unknown:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has the unknown key {', '.join(unknown)[:200]}"
        raise DataFileError(f"{path} {wrong}; needed are {', '.join(REQUIRED)}, possible {', '.join(OPTIONAL)}")
    try:
        return _check_setup(values)
    except ValueError as error:  # an ArgumentError, or that of a number with too many digits to be shown
        raise DataFileError(f"{path}: {error}") from error


def _check_setup(values: dict[Any, Any]) -> _Setup:
    fx, fy = (check_number(key, values[key], low=1, high=1e6) for key in ("fx", "fy"))
    cx, cy = (check_number(key, values[key], low=-1e6, high=1e6) for key in ("cx", "cy"))
    scale = check_number("depth_scale", values.get("depth_scale", 1), low=0, high=1e4, open_low=True)
    cube = values.get("cube")
    if cube is not None:
        cube = check_number("cube", cube, low=1, high=1e5)
    check_choice("hand", values.get("hand", "right"), ("right", "left"))
    joints, bones = values["joints"], values.get("bones") or []
    if not isinstance(joints, list) or not all(isinstance(joint, str) and joint.strip() == joint for joint in joints):
        raise ArgumentError("joints must be a list of names; put one that YAML takes for something else into quotes")
    if not isinstance(bones, list) or not all(isinstance(bone, list) and len(bone) == 2 for bone in bones):
        raise ArgumentError("bones must be a list of pairs of joints, such as [[wrist, palm], [palm, thumb]]")
    pairs = tuple((_joint(first, joints), _joint(last, joints)) for first, last in bones)
    return _Setup((fx, fy, cx, cy), scale, cube, values.get("hand") == "left", Skeleton(tuple(joints), pairs))


def _joint(joint: Any, joints: list[str]) -> int:
    if isinstance(joint, str) and joint in joints:
        return joints.index(joint)
    if isinstance(joint, int) and not isinstance(joint, bool):
        return joint
    raise ArgumentError(f"bones: {str(joint)[:80]!r} is neither a name in joints nor a whole number")


def _part_of(
    split: str, sequences: Sequence[str], labelled: NDArray[np.bool_], test_fraction: float, top: Path
) -> NDArray[np.bool_]:
    """Which frames are of a part, `[n]`; one without a label is no part to train or test on."""
    if split == "all":
        return np.ones(len(sequences), np.bool_)
    held_out = _hold_out(sequences, test_fraction, top)
    wanted = held_out if split == "test" else ~held_out
    if not labelled[wanted].any():
        some = sorted({sequences[i] for i in np.flatnonzero(wanted).tolist()})[:5]
        raise DataFileError(
            f"{top}: no frame of the {split} part is labelled in {LABELS}, which are {wanted.sum():,} of sequence "
            f"{', '.join(some)}; label some of them, or take DepthFolder(root, 'all') in Python"
        )
    return wanted


def _hold_out(sequences: Sequence[str], fraction: float, top: Path) -> NDArray[np.bool_]:
    """Which frames are held out for testing, `[n]`."""
    n, sizes = len(sequences), Counter(sequences)
    if n == 1:
        raise DataFileError(f"{top} has one frame, too few for two parts; take DepthFolder(root, 'all') in Python")
    if len(sizes) == 1:
        return np.arange(n) >= n - min(max(round(fraction * n), 1), n - 1)
    chosen: set[str] = set()
    room = round(fraction * n)
    for sequence in sorted(sizes, key=lambda name: (derive_seed(0, "test", name), name)):
        if sizes[sequence] <= room and len(chosen) < len(sizes) - 1:
            chosen.add(sequence)
            room -= sizes[sequence]
    chosen = chosen or {min(sizes, key=lambda name: (sizes[name], name))}
    return np.array([sequence in chosen for sequence in sequences])


def _join(top: Path, frames: list[str], skeleton: Skeleton, strict: bool, labels: Path | None) -> NDArray[np.float32]:
    """Labels of the frames, joined by path, `[n, J, 3]` mm; NaN where there is none."""
    joints = np.full((len(frames), len(skeleton), 3), np.nan, np.float32)
    if labels is None and not os.path.lexists(top / LABELS):
        return joints
    path = labels or given_labels(top / LABELS)
    place = {frame: i for i, frame in enumerate(frames)}
    poses = _read_csv(path, skeleton)
    lost = [frame for frame in poses if frame not in place]
    if lost:
        report_missing(top.name, top, lost, len(poses), strict)
    for frame, pose in poses.items():
        if frame in place:
            joints[place[frame]] = pose
    return joints


def _read_csv(path: Path, skeleton: Skeleton) -> dict[str, NDArray[np.float32]]:
    """Pose of each frame that has one, `[J, 3]`."""
    poses: dict[str, NDArray[np.float32]] = {}
    seen: dict[str, int] = {}
    with open_csv(path) as rows:
        header = next(rows, None)
        if header is None:  # an empty file: nothing is labelled yet
            return {}
        columns = _columns(path, header, skeleton)
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(columns) + 1:
                raise DataFileError(f"{where} has {len(row)} cells, the header {len(columns) + 1}")
            frame = check_path(row[0].strip(), where)
            if frame in seen:
                raise DataFileError(f"{where}: {frame} is in line {seen[frame]} already; keep one of the two")
            seen[frame] = rows.line_num
            cells = [row[column].strip() for column in columns]
            if any(cells):
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
        f"{path}, line 1 must be frame,{','.join(wanted[:3])} and so on for the joints of {CAMERA}, separated by "
        f"commas; {wrong if names[:1] == ['frame'] else 'it does not start with frame'}"
    )


def _pose(cells: list[str], where: str, skeleton: Skeleton) -> NDArray[np.float32]:
    if not all(cells):
        joint = skeleton.joints[cells.index("") // 3]
        raise DataFileError(f"{where}: {joint} has no number; fill in all joints or none")
    pose = np.array([coordinate(cell, where) for cell in cells], np.float32).reshape(-1, 3)
    if not (pose[:, 2] > 0).all():
        joint = skeleton.joints[int(np.argmin(pose[:, 2] > 0))]
        raise DataFileError(f"{where}: {joint} has z = {pose[:, 2].min():g} mm, which is not in front of the camera")
    return pose
