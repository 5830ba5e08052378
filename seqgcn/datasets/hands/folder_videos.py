"""The sequences of a depth folder: the camera of each, how its frames are stored, its cube and its hand."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.camera_info import LARGE
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.folder_setup import CAMERA, Setup
from seqgcn.datasets.hands.frame_files import FrameFormat, WrongKindError, doubtful_unit, frame_size, read_frame
from seqgcn.exceptions import DataFileError, SeqGCNWarning

TRIED = 5
"""Frames of a sequence that are looked at, to find one that can be read."""

SAMPLED = 20
"""Sequences whose depths are looked at."""


class Video(NamedTuple):
    """What holds for all frames of a sequence.

    Args:
        camera: Theirs.
        form: How they are stored.
        cube: Side of the crop's cube, mm.
        left: Whether they show a left hand.
    """

    camera: Camera
    form: FrameFormat
    cube: float
    left: bool


@dataclass(frozen=True)
class FrameReader:
    """Decodes frames of a depth folder, each as its sequence is stored.

    Args:
        top: The folder.
        videos: By the folder of their frames below it, `"."` for itself.
    """

    top: Path
    videos: Mapping[str, Video]

    def __call__(self, path: Path) -> DepthImage:
        """A frame in mm.

        Raises:
            DataFileError: It cannot be read.
        """
        camera, form, *_ = self.videos[path.parent.relative_to(self.top).as_posix()]
        return read_frame(path, camera=camera, form=form)


def look_at_sequences(
    top: Path, frames: Sequence[str], setups: Mapping[str, Setup], cube: float | None
) -> dict[str, Video]:
    """Look at the first frames of all sequences.

    Args:
        top: The depth folder.
        frames: Paths of all frames below it, in order.
        setups: What the files say of each sequence, by the folder of its frames.
        cube: Side of all cubes, mm, whatever the files say.

    Raises:
        DataFileError: A sequence has no cube, no frame that can be read, frames of another size than its camera, or
            depths that no camera measures.
    """
    members: dict[str, list[str]] = {sequence: [] for sequence in setups}
    for frame in frames:
        members[frame.rpartition("/")[0] or "."].append(frame)
    videos: dict[str, Video] = {}
    for sequence, setup in setups.items():
        side = setup.cube if cube is None else cube
        if side is None:
            raise DataFileError(
                f"{top / CAMERA} has no cube; add it (its side in mm, such as 250), or set dataset.cube"
            )
        files = members[sequence]
        camera = look_at(top, files, setup)
        videos[sequence] = Video(camera, setup.format_of(files[0]), side, setup.hand == "left")
    _check_sizes(top, setups, videos, members)
    for sequence in list(videos)[:: -(-len(videos) // SAMPLED)]:
        check_unit(top, members[sequence], videos[sequence].camera, videos[sequence].form)
    bent = [setup.lens for setup in setups.values() if setup.lens is not None and setup.lens.distortion > LARGE]
    if bent:
        warnings.warn(
            f"{bent[0].path}: the lens bends the image (a coefficient of {bent[0].distortion:g}), which is not undone; "
            "give frames that are rectified, if that moves a joint by more than a pixel",
            SeqGCNWarning,
            stacklevel=3,
        )
    return videos


def _check_sizes(
    top: Path, setups: Mapping[str, Setup], videos: Mapping[str, Video], members: Mapping[str, Sequence[str]]
) -> None:
    """Refuse one camera for images of several sizes."""
    first: dict[object, str] = {}
    for sequence, setup in setups.items():
        other = first.setdefault(setup.lens, sequence)
        camera, same = videos[sequence].camera, videos[other].camera
        if camera != same:
            raise DataFileError(
                f"{top / members[sequence][0]} has {camera.width} x {camera.height} pixels, the camera {same.width} x "
                f"{same.height}, by {members[other][0]}; if the sequences are of different cameras, give each folder a "
                f"{CAMERA} or camera_info file of its own, else frames were resized"
            )


def look_at(top: Path, files: Sequence[str], setup: Setup) -> Camera:
    """The camera of one sequence; the size of its images is that of the first frame that can be read.

    Args:
        top: The depth folder.
        files: Frames of the sequence.
        setup: What ``camera.yaml`` and its like say of it.

    Raises:
        DataFileError: None of the first frames can be read, or they are of another size than the camera.
    """
    assert setup.lens is not None  # noqa: S101  # for mypy: checked where the setups are read
    first: DataFileError | None = None
    for file in files[:TRIED]:
        try:
            width, height = frame_size(top / file, setup.format_of(file))
        except WrongKindError:
            raise
        except DataFileError as error:
            first = first or error
            continue
        if setup.lens.size not in (None, (width, height)):
            given = " x ".join(map(str, setup.lens.size or ()))
            raise DataFileError(
                f"{top / file} has {width} x {height} pixels, but {setup.lens.path} is of a camera of {given}; give "
                "the intrinsics of the depth frames at their own resolution"
            )
        return Camera(*setup.lens[:4], width, height)
    assert first is not None  # noqa: S101  # for mypy: there is a frame
    raise first


def check_unit(top: Path, files: Sequence[str], camera: Camera, form: FrameFormat) -> None:
    """Look at some frames for depths that no camera measures, as of meters that are taken for millimeters.

    Raises:
        DataFileError: All of them have such depths.
    """
    doubts = []
    for i in sorted({0, len(files) // 2, len(files) - 1}):
        try:
            depth = read_frame(top / files[i], camera=camera, form=form).depth.numpy()
        except DataFileError:  # it is counted where it is cropped
            continue
        if np.any(depth > 0):
            doubts.append((files[i], doubtful_unit(depth, form.scale)))
    if doubts and all(doubt for _, doubt in doubts):
        file, doubt = doubts[0]
        raise DataFileError(f"{top / file}: {doubt}; set depth_scale in camera.yaml")
