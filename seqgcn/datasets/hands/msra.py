"""MSRA15: 21 joints in the frames of a time-of-flight camera (Sun et al., CVPR 2015)."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Unpack

import numpy as np
import torch

from seqgcn.datasets.data_files import check_root
from seqgcn.datasets.hands.camera import MSRA_CAMERA
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.crop_options import CropKeywords, CropOptions, crop_options
from seqgcn.datasets.hands.depth import read_msra_bin
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.release import check_count, choose_frames, list_files, need_file
from seqgcn.datasets.hands.skeleton import MSRA21
from seqgcn.datasets.hands.text_rows import Rows, points_of, read_rows
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError
from seqgcn.utils.validation import check_bool, check_choice, check_whole

SOURCE = "the authors of 'Cascaded Hand Pose Regression' (CVPR 2015), cvpr15_MSRAHandGestureDB.zip"
GESTURES = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "I", "IP", "L", "MP", "RP", "T", "TIP", "Y")
CUBES = (200, 200, 200, 180, 180, 180, 170, 160, 150)
"""Side of each subject's cube, mm."""
ROWS = ((8499,), (8492,), (8412, 8428), (8488,), (8500,), (8497,), (8497,), (8498,), (8492,))
"""Labels of each subject: in all 76,375 in one release and 76,391 in another."""
EMPTY = {
    "P2/TIP": (*range(172, 175),),
    "P2/MP": (*range(173, 176), *range(345, 355), 356, 359, 360),
    "P3/T": (120, 489),
    "P8/4": (168,),
}
"""Numbers of the frames in which there is no hand."""


class MSRA(HandDataset):
    """MSRA15's hand poses: nine subjects with 17 gestures of about 500 frames each; one subject is left out to test.

    Row i of a ``joint.txt`` is the label of ``<i as six digits>_depth.bin``. Frames that are known to be empty are
    left out.

    Args:
        root: Folder with ``P0`` to ``P8``, each with a folder for each gesture.
        split: Which part.
        test_subject: The subject left out, 0 to 8; `split="train"` has all others.
        strict: Whether missing frames and labels are errors.
        options: How to crop. A center file has a row for each row of the part's ``joint.txt``, ordered by subject and
            then by gesture (1 to 9, I, IP, L, MP, RP, T, TIP, Y), y up and z negative.
        **cropping: Fields of `options` that differ, such as `crop_size=64` (px) or `near=300` (mm).

    Raises:
        ArgumentError: An argument is out of range.
        MissingFileError: The labels or all frames are missing.
        DataFileError: A label file is damaged or does not belong to its frames.
    """

    title = "MSRA15"
    published_note = "; published: means over all nine"
    published: Mapping[str, float] = {
        "Ren-9x6x6": 9.7,
        "3DCNN": 9.6,
        "DeepPrior++": 9.5,
        "Pose-REN": 8.65,
        "HandPointNet": 8.5,
        "CrossInfoNet": 7.86,
        "SHPR-Net": 7.76,
        "Point-to-Point": 7.7,
        "V2V": 7.59,
        "JGR-P2O": 7.55,
        "DenseReg": 7.2,
    }

    def __init__(
        self,
        root: str | Path,
        split: Literal["train", "test"] = "train",
        *,
        test_subject: int = 0,
        strict: bool = False,
        options: CropOptions | None = None,
        **cropping: Unpack[CropKeywords],
    ) -> None:
        check_choice("split", split, ("train", "test"))
        if check_whole("test_subject", test_subject, low=0) >= len(CUBES):
            raise ArgumentError(f"test_subject must be 0 to {len(CUBES) - 1}, got {test_subject!r}")
        check_bool("strict", strict)
        options = crop_options(options, cropping, strict)
        top = check_root(root, "MSRA", SOURCE)
        subjects = [s for s in range(len(CUBES)) if (s == test_subject) == (split == "test")]
        sequences = [found for subject in subjects for found in _sequences(top, subject)]
        if not sequences:
            need_file(
                top, f"P{subjects[0]}/1/joint.txt", "MSRA", f"download the data from {SOURCE} and unpack them there"
            )
        odd, count, whole = _count(subjects, sequences)
        check_count("MSRA", f"labels of {odd} below {top}", count, whole, strict)
        files = [file for found in sequences for file in found.files()]
        empty = {f"{name}/{number:06d}_depth.bin" for name, numbers in EMPTY.items() for number in numbers}
        chosen = choose_frames(
            "MSRA",
            top,
            files,
            options,
            MSRA_CAMERA,
            strict=strict,
            leave_out={"known to be empty": np.array([file in empty for file in files], bool)},
        )
        super().__init__(
            name=f"msra-{split}-{test_subject}",
            root=top,
            files=chosen.files,
            sequences=[file.rpartition("/")[0] for file in chosen.files],
            joints=points_of([found.rows for found in sequences], chosen.rows, MSRA_CAMERA),
            cube=torch.tensor([CUBES[int(file[1])] for file in chosen.files]),
            camera=MSRA_CAMERA,
            skeleton=MSRA21,
            read=read_frame,
            options=options,
            centres=chosen.centres,
            skipped=chosen.skipped,
        )
        self.title = self.title_of(root, {"test_subject": test_subject})

    @classmethod
    def title_of(cls, root: str | Path, parameters: Mapping[str, Any]) -> str:
        """The title with the subject left out."""
        del root
        return f"{cls.title}, tested on subject {parameters.get('test_subject', 0)}"


def read_frame(path: Path) -> DepthImage:
    """A frame of MSRA15.

    Raises:
        DataFileError: It is damaged or of another format.
    """
    return read_msra_bin(path, camera=MSRA_CAMERA)


class _Sequence(NamedTuple):
    subject: int
    gesture: str
    rows: Rows

    def files(self) -> Iterator[str]:
        for number in range(len(self.rows.values)):
            yield f"P{self.subject}/{self.gesture}/{number:06d}_depth.bin"


def _sequences(top: Path, subject: int) -> Iterator[_Sequence]:
    """The gestures of a subject that are there, with their labels."""
    for gesture in GESTURES:
        folder = top / f"P{subject}" / gesture
        if not os.path.isdir(folder):
            continue
        path = folder / "joint.txt"
        if not os.path.isfile(path):
            raise MissingFileError(f"MSRA: {path} is missing; get the data from {SOURCE}")
        rows = read_rows(path, 3 * len(MSRA21), named=False, counted=True)
        _check_numbers(folder, len(rows.values))
        yield _Sequence(subject, gesture, rows)


def _count(subjects: list[int], sequences: list[_Sequence]) -> tuple[str, int, list[int]]:
    """Subjects that are not complete (or all, if they are), how many labels these have, how many they should have."""
    counts = dict.fromkeys(subjects, 0)
    for found in sequences:
        counts[found.subject] += len(found.rows.values)
    odd = [subject for subject, count in counts.items() if count not in ROWS[subject]] or subjects
    whole = {sum(ROWS[subject][release] for subject in odd) for release in (0, -1)}
    return ", ".join(f"P{subject}" for subject in odd), sum(counts[subject] for subject in odd), sorted(whole)


def _check_numbers(folder: Path, rows: int) -> None:
    """Refuse frames without a row: then rows are not numbered like frames, and any label may be another frame's."""
    frames = [name for name in list_files(folder) if name.endswith("_depth.bin")]
    numbers = [int(number) for name in frames if (number := name.removesuffix("_depth.bin")).isdecimal()]
    if max(numbers, default=-1) >= rows:
        raise DataFileError(
            f"{folder / 'joint.txt'} has {rows} rows, but the frames beside it go up to {max(numbers)}: they are of "
            "different releases (76,375 and 76,391 frames in all), and which row is whose cannot be told; take both "
            "from the same one"
        )
