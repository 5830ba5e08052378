"""NYU: 36 joints in the frames of a structured-light camera (Tompson et al., SIGGRAPH 2014)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from seqgcn.datasets.data_files import check_root
from seqgcn.datasets.hands.camera import NYU_CAMERA
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.crop_options import CropKeywords, CropOptions, crop_options
from seqgcn.datasets.hands.depth import read_nyu_png
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.release import check_count, choose_frames, need_file
from seqgcn.datasets.hands.skeleton import NYU14, NYU36, NYU_EVALUATED
from seqgcn.datasets.hands.splits_reader import SplitsReader
from seqgcn.datasets.hands.text_rows import FARTHEST, JOINTS_OF
from seqgcn.datasets.matlab import read_arrays
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.utils.validation import check_bool, check_choice, check_number

SOURCE = "https://jonathantompson.github.io/NYU_Hand_Pose_Dataset.htm"
FRAMES = {"train": 72_757, "test": 8_252}
FIRST_OF_SUBJECT_2 = 2_440
"""Place of a frame among those of the test part, counted from 0."""
ARRAY = "joint_xyz"
MOST_BYTES = 2**29
"""Of an array: the training part's has 189 MB."""


class NYU(HandDataset):
    """NYU's hand poses: 72,757 frames of one subject to train on, 8,252 of two to test.

    Args:
        root: Folder with ``train`` and ``test``, each with ``joint_data.mat`` and ``depth_1_0000001.png`` and so on.
        split: Which part. The first 2,440 test frames show subject 1, the others subject 2; the data set's
            `sequence` tells them apart.
        joints: Joints of the poses: `"evaluated"`, the 14 on which everybody reports errors, or `"all"` 36.
        view: Which of the three cameras.
        strict: Whether missing images and labels are errors.
        cube: Side of the cube, mm.
        second_cube: Side of the cube, mm, for the second subject of the test part, whose hand is smaller.
        options: How to crop. A center file has a row for each label, y up.
        **cropping: Fields of `options` that differ, such as `crop_size=64` (px) or `near=300` (mm).

    Raises:
        ArgumentError: An argument is out of range.
        MissingFileError: The labels or all images are missing.
        DataFileError: The labels are damaged or of another shape.
    """

    title = "NYU"
    published: Mapping[str, float] = {
        "DeepPrior": 19.73,
        "DeepModel": 17.04,
        "3DCNN": 14.1,
        "Ren-4x6x6": 13.39,
        "Ren-9x6x6": 12.69,
        "DeepPrior++": 12.24,
        "Pose-REN": 11.81,
        "SHPR-Net": 10.78,
        "HandPointNet": 10.54,
        "DenseReg": 10.2,
        "CrossInfoNet": 10.08,
        "Point-to-Point": 9.1,
        "V2V": 8.42,
        "JGR-P2O": 8.29,
    }
    splits = SplitsReader(without=("view",))

    def __init__(
        self,
        root: str | Path,
        split: Literal["train", "test"] = "train",
        *,
        joints: Literal["evaluated", "all"] = "evaluated",
        view: Literal[1, 2, 3] = 1,
        strict: bool = False,
        cube: float = 300.0,
        second_cube: float = 250.0,
        options: CropOptions | None = None,
        **cropping: Unpack[CropKeywords],
    ) -> None:
        if split in ("test_1", "test_2"):
            raise ArgumentError(
                f"split={split!r}: NYU has no such part on disk; take split='test' and choose by its `sequence`: the "
                f"first {FIRST_OF_SUBJECT_2:,} frames show subject 1, the others subject 2"
            )
        check_choice("split", split, ("train", "test"))
        check_choice("joints", joints, ("evaluated", "all"))
        if isinstance(view, bool) or view not in (1, 2, 3):
            raise ArgumentError(f"view must be 1, 2 or 3, got {view!r}")
        check_bool("strict", strict)
        options = crop_options(options, cropping, strict)
        check_number("cube", cube, low=0, open_low=True)
        check_number("second_cube", second_cube, low=0, open_low=True)
        top = check_root(root, "NYU", SOURCE)
        path = need_file(top, f"{split}/joint_data.mat", "NYU", _way_out(top, split))
        xyz = _read_xyz(path, view)
        check_count("NYU", f"frames of {path}", len(xyz), (FRAMES[split],), strict)
        files = [f"{split}/depth_{view}_{number:07d}.png" for number in range(1, len(xyz) + 1)]
        chosen = choose_frames("NYU", top, files, options, NYU_CAMERA, strict=strict, leave_out={})
        skeleton, places = (NYU14, list(NYU_EVALUATED)) if joints == "evaluated" else (NYU36, list(range(36)))
        second = (chosen.rows >= FIRST_OF_SUBJECT_2) & (split == "test")
        super().__init__(
            name=f"nyu-{split}-{view}",
            root=top,
            files=chosen.files,
            sequences=["subject 2" if late else "subject 1" for late in second],
            joints=_points(path, xyz[chosen.rows][:, places], chosen.files),
            cube=torch.from_numpy(np.where(second, second_cube, cube)),
            camera=NYU_CAMERA,
            skeleton=skeleton,
            read=read_frame,
            options=options,
            centres=chosen.centres,
            skipped=chosen.skipped,
        )
        self.published = self.published_of({"joints": joints})

    @classmethod
    def published_of(cls, parameters: Mapping[str, Any]) -> Mapping[str, float]:
        """Published results are on the 14 joints that everybody reports."""
        return cls.published if parameters.get("joints", "evaluated") == "evaluated" else {}


def read_frame(path: Path) -> DepthImage:
    """A frame of NYU.

    Raises:
        DataFileError: It is damaged or of another format.
    """
    return read_nyu_png(path, camera=NYU_CAMERA)


def _way_out(top: Path, split: str) -> str:
    if os.path.isdir(top / split):
        return (
            f"{split} is there, but without its labels: this is another packing of the frames. Get nyu_hand_dataset_v2 "
            f"from {SOURCE}"
        )
    return f"get nyu_hand_dataset_v2 from {SOURCE} and move {split} out of its folder `dataset` to there"


def _read_xyz(path: Path, view: int) -> NDArray[np.float32]:
    """World points of one camera, `[n, 36, 3]`, mm, y up."""
    array: NDArray[Any] | None = read_arrays(path, (ARRAY,), MOST_BYTES).get(ARRAY)
    if array is None:
        raise DataFileError(f"{path} has no array {ARRAY}; get it from {SOURCE}")
    expected = f"[3 cameras, frames, {len(NYU36)} joints, 3]"
    if array.ndim != 4 or array.shape[3] != 3 or array.shape[2] != len(NYU36):
        known = JOINTS_OF.get(3 * array.shape[2]) if array.ndim == 4 else None
        hint = f": these are {known}" if known else ""
        raise DataFileError(
            f"{path}: {ARRAY} must be {expected}, found {list(array.shape)}{hint}; get it from {SOURCE}"
        )
    if array.shape[0] < view:
        raise DataFileError(f"{path}: {ARRAY} is of {array.shape[0]} cameras, so there is no view {view}; use view=1")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array[view - 1], np.float32)


def _points(path: Path, xyz: NDArray[np.float32], files: list[str]) -> torch.Tensor:
    """The points in this package's axes."""
    wrong = np.argwhere(~((np.abs(xyz) <= FARTHEST).all(axis=2) & (xyz[..., 2] > 0)))
    if len(wrong):
        frame, joint = wrong[0].tolist()
        raise DataFileError(
            f"{path}: {ARRAY} of {files[frame]} has a joint at {xyz[frame, joint].tolist()} mm, which is not in front "
            "of the camera; the file is damaged"
        )
    return NYU_CAMERA.from_release(torch.from_numpy(xyz))
