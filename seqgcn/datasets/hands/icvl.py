"""ICVL: 16 joints in the frames of an Intel depth camera (Tang et al., CVPR 2014)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Unpack

import numpy as np

from seqgcn.datasets.data_files import check_root
from seqgcn.datasets.hands.camera import ICVL_CAMERA
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.crop_options import CropKeywords, CropOptions, crop_options
from seqgcn.datasets.hands.depth import read_depth_png
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.listing import given_labels, join_labels, list_frames, poses_of
from seqgcn.datasets.hands.release import check_count, choose_frames, need_file
from seqgcn.datasets.hands.skeleton import ICVL16
from seqgcn.datasets.hands.text_rows import Rows, read_rows
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.utils.validation import check_bool, check_choice, check_number

SOURCE = "https://labicvl.github.io/hand.html"
LABELS = {"train": ("Training/labels.txt",), "test": ("Testing/test_seq_1.txt", "Testing/test_seq_2.txt")}
ROWS = {"Training/labels.txt": 331_006, "Testing/test_seq_1.txt": 702, "Testing/test_seq_2.txt": 894}
BACKGROUND = 32001
LONGEST_ROTATED = 6
"""Folders of recorded frames have longer names, as 201403121135; those of rotated copies shorter ones, as 22-5."""


class ICVL(HandDataset):
    """ICVL's hand poses: 22,068 recorded frames to train on, 702 and 894 in two sequences to test.

    With `split="all"` it has every frame below ``Training/Depth``, whether it has a label yet or not.

    Args:
        root: Folder with ``Training/labels.txt`` and ``Training/Depth``, ``Testing/test_seq_1.txt``, ``test_seq_2.txt``
            and ``Testing/Depth``.
        split: `"train"`, `"test"`, or `"all"`.
        original_only: Leave the copies that were rotated in the image plane out of the training part; with them it
            has 330,933 frames.
        strict: Whether missing images, 73 of them in the release with the rotated copies, and missing rows are errors.
        cube: Side of the cube, mm.
        labels: With `split="all"`, another file of labels than ``Training/labels.txt``.
        options: How to crop. A center file has a row for each of the label rows, those of rotated copies too; with
            `split="all"` for each frame, in the order of the numbers in their paths.
        **cropping: Fields of `options` that differ, such as `crop_size=64` (px) or `near=300` (mm).

    Raises:
        ArgumentError: An argument is out of range.
        MissingFileError: A label file or all images are missing.
        DataFileError: A label file is damaged or of another format.
    """

    title = "ICVL"
    lists_frames = True
    published: Mapping[str, float] = {
        "DeepModel": 11.56,
        "DeepPrior": 10.4,
        "DeepPrior++": 8.1,
        "Ren-4x6x6": 7.63,
        "Ren-9x6x6": 7.31,
        "DenseReg": 7.3,
        "SHPR-Net": 7.22,
        "HandPointNet": 6.94,
        "Pose-REN": 6.79,
        "CrossInfoNet": 6.73,
        "Point-to-Point": 6.3,
        "V2V": 6.28,
        "JGR-P2O": 6.02,
    }

    def __init__(
        self,
        root: str | Path,
        split: Literal["train", "test", "all"] = "train",
        *,
        original_only: bool = True,
        strict: bool = False,
        cube: float = 250.0,
        labels: str | Path | None = None,
        options: CropOptions | None = None,
        **cropping: Unpack[CropKeywords],
    ) -> None:
        check_choice("split", split, ("train", "test", "all"))
        check_bool("original_only", original_only)
        check_bool("strict", strict)
        options = crop_options(options, cropping, strict)
        check_number("cube", cube, low=0, open_low=True)
        top = check_root(root, "ICVL", SOURCE)
        if labels is not None and split != "all":
            raise ArgumentError("labels goes with split='all'; the parts of the release have their own")
        if split == "all":
            path = need_file(top, LABELS["train"][0], "ICVL", _way_out(top)) if labels is None else given_labels(labels)
            tables, frames = [read_rows(path, 3 * len(ICVL16))], top / "Training/Depth"
            names = list_frames(frames) if os.path.isdir(frames) else []
            row = join_labels("ICVL", frames, names, tables[0], strict)
        else:
            tables = [read_rows(need_file(top, file, "ICVL", _way_out(top)), 3 * len(ICVL16)) for file in LABELS[split]]
            for file, table in zip(LABELS[split], tables, strict=True):
                check_count("ICVL", f"rows of {table.path}", len(table.names), (ROWS[file],), strict)
            _refuse_shared_frames(tables)
            names = [name for table in tables for name in table.names]
            row = np.arange(len(names))
        folder = f"{'Testing' if split == 'test' else 'Training'}/Depth/"
        rotated = original_only and split != "test"
        is_copy = np.array([rotated and len(name.split("/")[0]) <= LONGEST_ROTATED for name in names], bool)
        chosen = choose_frames(
            "ICVL",
            top,
            [folder + name for name in names],
            options,
            ICVL_CAMERA,
            strict=strict,
            leave_out={"rotated copy": is_copy},
        )
        super().__init__(
            name=f"icvl-{split}",
            root=top,
            files=chosen.files,
            sequences=[file.removeprefix(folder).rpartition("/")[0] for file in chosen.files],
            joints=poses_of(tables, row[chosen.rows], convert=ICVL_CAMERA.to_world),
            cube=cube,
            camera=ICVL_CAMERA,
            skeleton=ICVL16,
            read=read_frame,
            options=options,
            centres=chosen.centres,
            skipped=chosen.skipped,
        )


def read_frame(path: Path) -> DepthImage:
    """A frame of ICVL; background is 0 or 32001.

    Raises:
        DataFileError: It is damaged or of another format.
    """
    return read_depth_png(path, camera=ICVL_CAMERA, background=BACKGROUND)


def _way_out(top: Path) -> str:
    if any(os.path.isfile(top / place / "train.txt") for place in ("", "Training")):
        return (
            "train.txt is of another packing; the release as it is published now has labels.txt, get it from " + SOURCE
        )
    return f"download the data from {SOURCE} and unpack them there"


def _refuse_shared_frames(tables: list[Rows]) -> None:
    for number, table in enumerate(tables[1:], start=1):
        earlier = {name for other in tables[:number] for name in other.names}
        for name, line in zip(table.names, table.lines, strict=True):
            if name in earlier:
                raise DataFileError(f"{table.path}, line {line}: {name} is in an earlier file already")
