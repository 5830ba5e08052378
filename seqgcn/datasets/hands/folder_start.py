"""A first ``camera.yaml`` for a recording: what its files tell, what can be guessed, and what must be said."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from seqgcn.datasets.data_files import open_csv
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.camera_info import Lens, is_camera_info, read_camera_info
from seqgcn.datasets.hands.centers.rule import candidates_of
from seqgcn.datasets.hands.checks.anatomy import anatomy_of
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.folder_files import FolderFiles
from seqgcn.datasets.hands.folder_labels import LABELS
from seqgcn.datasets.hands.folder_setup import CAMERA
from seqgcn.datasets.hands.frame_files import SUFFIXES, FrameFormat, Kind, frame_size, read_frame
from seqgcn.datasets.hands.skeleton import BIGHAND21, ICVL16, MSRA21, NYU14, Skeleton
from seqgcn.exceptions import DataFileError, MissingFileError

SKELETONS = {"bighand": BIGHAND21, "msra": MSRA21, "icvl": ICVL16, "nyu": NYU14}
"""Joints to begin with, by the data set that has them: 21, 21, 16 and 14."""

SCALES = (1.0, 0.1, 0.125, 0.25, 0.2, 1000.0)
"""mm a unit of files that cameras write: RealSense, Kinect and most others 1; L515 0.25; SR300 and SR305 0.125."""

NEAREST, FARTHEST = 150.0, 1200.0
"""mm at which the nearest things of a recording of hands are."""

METERS = 30.0
"""Floats below are meters."""

BETTER = 0.15
"""How much more another scale than 1 must make things look like hands."""

SAMPLE = 8
"""Frames looked at."""

CUBE = 250.0


@dataclass(frozen=True, kw_only=True)
class Described:
    """What is known of a recording.

    Args:
        top: Its folder.
        lens: Intrinsics, if its files have them; None if each sequence has a file of its own, or nothing was found.
        own_lenses: Whether each folder of frames has its own.
        size: Width and height of its frames, px.
        scale: mm a unit.
        scale_why: Why that is thought, in words.
        kind: How frames are stored.
        frames: Their number.
        skeleton: Its joints.
        skeleton_why: Where these are from.
    """

    top: Path
    lens: Lens | None
    own_lenses: bool
    size: tuple[int, int]
    scale: float
    scale_why: str
    kind: Kind
    frames: int
    skeleton: Skeleton
    skeleton_why: str


def look_at_recording(
    root: str | Path, *, lens: Lens | None, form: FrameFormat | None, scale: float | None, skeleton: str | None
) -> Described:
    """Find out what can be found out about a folder of depth frames.

    Args:
        root: The folder.
        lens: Intrinsics, if they are known.
        form: How frames are stored, if suffixes do not say it.
        scale: mm a unit, if it is known.
        skeleton: Name of the joints to begin with, one of `SKELETONS`; by default those that ``labels.csv`` names.

    Raises:
        MissingFileError: There is no such folder.
        DataFileError: It has no frame, or none that can be read.
    """
    top = Path(os.path.expanduser(root))
    if not top.is_dir():
        raise MissingFileError(f"{top} is no folder; give the folder of the recording's frames")
    listed = FolderFiles(top)
    frames = listed.frames(form.kind if form is not None else None)
    kind = form.kind if form is not None else _kind_of(frames[0])
    stored = form or FrameFormat(kind)
    size = _size(top, frames, stored)
    own = lens is None and _each_has_one(frames, listed.notes)
    found = lens or (None if own else _lens_beside(top, listed.notes))
    if found is not None and found.size not in (None, size):
        raise DataFileError(
            f"{top / frames[0]} has {size[0]} x {size[1]} pixels, but {found.path} is of a camera of "
            f"{' x '.join(map(str, found.size or ()))}; give --fx, --fy, --cx and --cy of the depth frames at their "
            "own resolution"
        )
    joints, why = _joints(top, skeleton)
    guess, reason = (scale, "as given") if scale is not None else _scale(top, frames, stored, size, found)
    return Described(
        top=top,
        lens=found,
        own_lenses=own,
        size=size,
        scale=guess,
        scale_why=reason,
        kind=kind,
        frames=len(frames),
        skeleton=joints,
        skeleton_why=why,
    )


def camera_text(
    known: Described, lens: Lens | None, *, hand: str | None, cube: float | None, form: FrameFormat | None = None
) -> str:
    """The commented ``camera.yaml``.

    Args:
        known: What was found out.
        lens: Intrinsics; None where each sequence has a file of its own.
        hand: ``left`` or ``right``, if it is known.
        cube: Side of the cube, mm, if it is known.
        form: How frames are stored, if suffixes do not say it.
    """
    width, height = known.size
    lines = [f"# Depth camera and hand of the {known.frames:,} frames here; see docs/hand_pose.md of seqgcn."]
    if lens is None:
        lines.append("# Intrinsics: each folder of frames has a file with its own.")
    else:
        lines += [
            f"# Intrinsics of the depth stream at {width} x {height} px ({_from(lens, known.top)}).",
            *(f"{name}: {getattr(lens, name):.10g}" for name in ("fx", "fy", "cx", "cy")),
        ]
    lines += [f"# Millimeters a unit of the files: {known.scale_why}.", f"depth_scale: {known.scale:g}"]
    if form is not None:
        lines += ["# How frames are stored.", f"format: {form.kind}"]
        if form.shape is not None:
            lines += [f"shape: [{form.shape[0]}, {form.shape[1]}]", f'dtype: "{form.dtype}"']
    side = hand or _hand_by_name(known.top)
    why = "as given" if hand else "by the name of the folder" if side else "not known; write left if it is the left one"
    lines += [f"# Which hand is shown: {why}.", f"hand: {side or 'right'}"]
    lines += [
        "# Side of the cube around a hand, mm: 200 to 300 for hands with spread fingers.",
        f"cube: {CUBE if cube is None else cube:g}",
        f"# Joints of a label, and the bones drawn between them: {known.skeleton_why}.",
        f"joints: {json.dumps(known.skeleton.joints, ensure_ascii=False)}",
        f"bones: {json.dumps(known.skeleton.bones)}",
    ]
    return "\n".join(lines) + "\n"


def _from(lens: Lens, top: Path) -> str:
    return f"from {lens.path.relative_to(top)}" if lens.path.is_relative_to(top) and lens.path != top else "as given"


def _kind_of(frame: str) -> Kind:
    suffix = os.path.splitext(frame)[1].lower()
    return next(kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes)


def _size(top: Path, frames: Sequence[str], form: FrameFormat) -> tuple[int, int]:
    first: DataFileError | None = None
    for frame in frames[:5]:
        try:
            return frame_size(top / frame, form)
        except DataFileError as error:
            first = first or error
    assert first is not None  # noqa: S101  # for mypy: there is a frame
    raise first


def _each_has_one(frames: Sequence[str], notes: Sequence[str]) -> bool:
    """Whether every folder of frames, none of which is the upper one, has a camera's file of its own."""
    folders = {frame.rpartition("/")[0] for frame in frames}
    there = {note.rpartition("/")[0] for note in notes if is_camera_info(note.rpartition("/")[2])}
    return "" not in folders and folders <= there


def _lens_beside(top: Path, notes: Sequence[str]) -> Lens | None:
    """Intrinsics that a file has: one that is named so before others, those of the folder itself before lower ones."""
    candidates = [note for note in notes if note.rpartition("/")[2] != CAMERA]
    known = [note for note in candidates if is_camera_info(note.rpartition("/")[2])]
    found: list[Lens] = []
    for note in sorted(known or candidates, key=lambda note: (note.count("/"), "depth" not in note.lower(), note))[:20]:
        try:
            found.append(read_camera_info(top / note))
        except DataFileError:
            if note in known:
                raise
    different = {lens[:4] for lens in found}
    if len(different) > 1 and "depth" not in found[0].path.name.lower():
        raise DataFileError(
            f"{top} has several cameras: {', '.join(str(lens.path.relative_to(top)) for lens in found[:4])}; give "
            "--fx, --fy, --cx and --cy of the depth frames"
        )
    return found[0] if found else None


def _joints(top: Path, name: str | None) -> tuple[Skeleton, str]:
    if name is not None:
        return SKELETONS[name], f"those of {name}"
    if os.path.isfile(top / LABELS):
        with open_csv(top / LABELS) as rows:
            header = next(rows, None) or []
        joints = tuple(cell.strip()[:-2] for cell in header[1:] if cell.strip().endswith(" x"))
        if len(joints) * 3 == len(header) - 1 and len(set(joints)) == len(joints) > 0:
            return Skeleton(joints, _bones(joints)), f"from the header of {LABELS}"
    return BIGHAND21, "21 to begin with; change them to those you label (seqgcn init --skeleton has others)"


def _bones(joints: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    for skeleton in SKELETONS.values():
        if skeleton.joints == joints:
            return skeleton.bones
    anatomy = anatomy_of(Skeleton(joints, ()))
    chains = [(*(() if anatomy.root is None else (anatomy.root,)), *chain) for chain in anatomy.fingers.values()]
    return tuple(bone for chain in chains for bone in pairwise(chain))


def _hand_by_name(top: Path) -> str | None:
    words = set(re.split("[^a-z]+", top.resolve().name.lower()))
    sides = [side for side in ("left", "right") if side in words]
    return sides[0] if len(sides) == 1 else None


def _scale(
    top: Path, frames: Sequence[str], form: FrameFormat, size: tuple[int, int], lens: Lens | None
) -> tuple[float, str]:
    """How many mm a unit is, by how near the nearest things are and by which scale makes them look like hands."""
    focal = (lens.fx, lens.fy, lens.cx, lens.cy) if lens else (size[0] * 0.9, size[0] * 0.9, size[0] / 2, size[1] / 2)
    camera = Camera(*focal, *size)
    units = []
    for i in np.linspace(0, len(frames) - 1, min(len(frames), SAMPLE)).astype(np.int64).tolist():
        try:
            units.append(
                read_frame(top / frames[i], camera=camera, form=FrameFormat(form.kind, 1.0, *_raw(form))).depth
            )
        except DataFileError:
            continue
    measured = [depth[depth > 0] for depth in units if bool((depth > 0).any())]
    if not measured:
        return 1.0, "not known, as nothing was measured in the frames looked at"
    near = float(np.median([np.quantile(each.numpy(), 0.03) for each in measured]))
    if near < METERS and any(bool((each != each.round()).any()) for each in measured):
        return 1000.0, f"the files are in meters (the nearest things are at {near:.3g})"
    fitting = [scale for scale in SCALES[:-1] if NEAREST <= near * scale <= FARTHEST]
    if not fitting:
        return 1.0, f"not known: the nearest things are at {near:.4g} units"
    likely = {scale: _likeness(units, camera, scale) for scale in fitting}
    # Most cameras write millimeters.
    chosen = max(fitting, key=lambda scale: likely[scale] + BETTER * (scale == 1))
    sure = "the nearest things are then" if len(fitting) == 1 else "a guess by the size of what looks like a hand,"
    return chosen, f"{sure} {near * chosen:.0f} mm away"


def _raw(form: FrameFormat) -> tuple[tuple[int, int] | None, str | None]:
    return form.shape, form.dtype


def _likeness(units: Sequence[torch.Tensor], camera: Camera, scale: float) -> float:
    """How much the best place of each frame looks like a hand, 0 to 1, on average."""
    scores = [
        candidates[0].score if (candidates := candidates_of(DepthImage(depth * scale), camera, CUBE, 10, 1500)) else 0.0
        for depth in units
    ]
    return float(np.mean(scores))
