"""What the files beside a depth folder's frames say: the camera, how the frames are stored, the hand and its joints."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqgcn.datasets.hands.camera_info import Lens, is_camera_info, read_camera_info
from seqgcn.datasets.hands.depth import MOST_PIXELS
from seqgcn.datasets.hands.frame_files import NUMBERS, SUFFIXES, FrameFormat
from seqgcn.datasets.hands.landmarks.names import landmark_weights
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.datasets.hands.yaml_files import read_plain_yaml
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.utils.validation import check_choice, check_number, check_whole

CAMERA = "camera.yaml"
LENS = ("fx", "fy", "cx", "cy")
REQUIRED = (*LENS, "joints")
OPTIONAL = ("depth_scale", "hand", "cube", "bones", "format", "shape", "dtype", "detector_joints")
OF_ALL = ("joints", "bones", "format", "detector_joints")
"""Keys that a sequence's own ``camera.yaml`` may only repeat."""


@dataclass(frozen=True)
class Setup:
    """What ``camera.yaml`` says, of all sequences or of one.

    Args:
        lens: The camera's, None if every sequence has its own.
        cube: Side of the cube, mm.
        hand: ``right`` or ``left``.
        form: How the frames are stored.
        skeleton: The joints.
        values: All keys as they are in the file.
        detector_joints: Landmarks of a detector that joints are the means of, by name.
        told: Whether the files say how the frames are stored, or their suffixes do.
    """

    lens: Lens | None
    cube: float | None
    hand: str
    form: FrameFormat
    skeleton: Skeleton
    values: dict[Any, Any]
    told: bool
    detector_joints: dict[str, tuple[str, ...]]

    def format_of(self, frame: str) -> FrameFormat:
        """How a frame is stored: as the files say, else by its suffix."""
        if self.told:
            return self.form
        suffix = os.path.splitext(frame)[1].lower()
        kind = next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), self.form.kind)
        return replace(self.form, kind=kind)


def read_setup(path: Path, beside: Iterable[Path] = ()) -> Setup:
    """The ``camera.yaml`` of a whole depth folder.

    Args:
        path: The file.
        beside: Other files of the same folder, among them perhaps a camera's.

    Raises:
        DataFileError: It cannot be read, lacks a key, or has one that is unknown or of another kind.
    """
    values = _values(path)
    lens = _lens(path, values, beside)
    if "joints" not in values:
        raise DataFileError(f"{path} lacks joints; needed are {', '.join(REQUIRED)}, possible {', '.join(OPTIONAL)}")
    try:
        return _check_setup(values, lens)
    except ValueError as error:  # an ArgumentError, or that of a number with too many digits to be shown
        raise DataFileError(f"{path}: {error}") from error


def setups_of(top: Path, root: Setup, sequences: Iterable[str], files: Iterable[str]) -> dict[str, Setup]:
    """What holds for each sequence: what the files in its folder and those above it say, before the root's.

    Args:
        top: The depth folder.
        root: What its own ``camera.yaml`` says.
        sequences: Folders of the frames below it, `"."` for itself.
        files: All YAML and JSON files below it.

    Raises:
        DataFileError: A file cannot be read, or a sequence has no camera.
    """
    beside: dict[str, list[Path]] = {}
    for file in files:
        beside.setdefault(file.rpartition("/")[0], []).append(top / file)
    known = {"": root}

    def of(folder: str) -> Setup:
        if folder not in known:
            above = of(folder.rpartition("/")[0])
            known[folder] = _over(above, top / folder / CAMERA, beside[folder]) if folder in beside else above
        return known[folder]

    found = {sequence: of("" if sequence == "." else sequence) for sequence in dict.fromkeys(sequences)}
    for sequence, setup in found.items():
        if setup.lens is None:
            raise DataFileError(
                f"{top / CAMERA} lacks {', '.join(LENS)}, and {top / sequence} has no {CAMERA} or camera_info file "
                f"that says them; needed are {', '.join(REQUIRED)}, possible {', '.join(OPTIONAL)}"
            )
    return found


def _over(above: Setup, path: Path, beside: list[Path]) -> Setup:
    """What holds above a folder, but for what the folder's own files say."""
    own = _values(path) if path in beside else {}
    for key in OF_ALL:
        if key in own and own[key] != above.values.get(key):
            raise DataFileError(f"{path}: {key} must be the same for all sequences; say it in the upper {CAMERA} alone")
    lens = _lens(path, own, beside)
    try:
        setup = _check_setup({**above.values, **own}, lens or above.lens)
    except ValueError as error:
        raise DataFileError(f"{path}: {error}") from error
    return replace(setup, told=above.told)


def _lens(path: Path, values: dict[Any, Any], beside: Iterable[Path]) -> Lens | None:
    missing = [key for key in LENS if key not in values]
    if not missing:
        try:
            fx, fy = (check_number(key, values[key], low=1, high=1e6) for key in ("fx", "fy"))
            cx, cy = (check_number(key, values[key], low=-1e6, high=1e6) for key in ("cx", "cy"))
        except ValueError as error:
            raise DataFileError(f"{path}: {error}") from error
        return Lens(fx, fy, cx, cy, None, path)
    if len(missing) < len(LENS):
        raise DataFileError(
            f"{path} lacks {', '.join(missing)}; needed are {', '.join(REQUIRED)}, possible {', '.join(OPTIONAL)}"
        )
    cameras = sorted(file for file in beside if is_camera_info(file.name))
    # Beside the color camera's.
    depth = [file for file in cameras if "depth" in file.name.lower()] or cameras
    if len(depth) > 1:
        raise DataFileError(
            f"{path.parent} has the cameras {', '.join(file.name for file in depth[:5])}; keep that of the depth "
            f"frames, or write {', '.join(LENS)} into {path}"
        )
    return read_camera_info(depth[0]) if depth else None


def _values(path: Path) -> dict[Any, Any]:
    values = read_plain_yaml(path)
    if not isinstance(values, dict):
        raise DataFileError(f"{path} must hold lines of KEY: VALUE with the keys {', '.join(REQUIRED + OPTIONAL)}")
    unknown = [str(key) for key in values if key not in REQUIRED + OPTIONAL]
    if unknown:
        raise DataFileError(
            f"{path} has the unknown key {', '.join(unknown)[:200]}; needed are {', '.join(REQUIRED)}, possible "
            f"{', '.join(OPTIONAL)}"
        )
    return values


def _check_setup(values: dict[Any, Any], lens: Lens | None) -> Setup:
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
    skeleton = Skeleton(tuple(joints), pairs)
    table = _detector_joints(values.get("detector_joints") or {}, skeleton)
    return Setup(lens, cube, values.get("hand", "right"), _format(values), skeleton, values, "format" in values, table)


def _detector_joints(table: Any, skeleton: Skeleton) -> dict[str, tuple[str, ...]]:
    if not isinstance(table, dict):
        raise ArgumentError("detector_joints must name landmarks by joint, such as {center: [wrist, middle mcp]}")
    named = {joint: names if isinstance(names, list) else [names] for joint, names in table.items()}
    for joint, names in named.items():
        if not names or not all(isinstance(name, str) for name in names):
            raise ArgumentError(f"detector_joints: {str(joint)[:80]!r} needs a landmark's name or a list of them")
    checked = {str(joint): tuple(names) for joint, names in named.items()}
    landmark_weights(skeleton, checked)
    return checked


def _format(values: dict[Any, Any]) -> FrameFormat:
    scale = check_number("depth_scale", values.get("depth_scale", 1), low=0, high=1e4, open_low=True)
    kind = values.get("format", "png")
    check_choice("format", kind, tuple(SUFFIXES))
    raw = [key for key in ("shape", "dtype") if key in values]
    if kind != "raw":
        if raw:
            raise ArgumentError(f"{raw[0]} goes with format: raw; other files say it themselves")
        return FrameFormat(kind, scale)
    if len(raw) < 2:
        raise ArgumentError(
            "format: raw needs shape and dtype, such as shape: [480, 640] (rows, columns), dtype: uint16"
        )
    shape, dtype = values["shape"], values["dtype"]
    if not isinstance(shape, list) or len(shape) != 2:
        raise ArgumentError(f"shape must be rows and columns, such as [480, 640], got {str(shape)[:80]}")
    rows, columns = (check_whole("shape", side) for side in shape)
    if rows * columns > MOST_PIXELS:
        raise ArgumentError(f"shape must be that of a depth frame, got {rows} x {columns}")
    names = tuple(order + number for order in ("", ">") for number in NUMBERS)
    check_choice("dtype", dtype, names)
    return FrameFormat("raw", scale, (rows, columns), dtype)


def _joint(joint: Any, joints: list[str]) -> int:
    if isinstance(joint, str) and joint in joints:
        return joints.index(joint)
    if isinstance(joint, int) and not isinstance(joint, bool):
        return joint
    raise ArgumentError(f"bones: {str(joint)[:80]!r} is neither a name in joints nor a whole number")
