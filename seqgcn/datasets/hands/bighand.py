"""BigHand2.2M's 21 joints as HANDS17 and HANDS19 hand them out (Yuan et al., CVPR 2017 and 2018)."""

import os
from pathlib import Path
from typing import Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.data_files import check_root
from seqgcn.datasets.hands.camera import BIGHAND_CAMERA
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.crop_options import CropKeywords, CropOptions, crop_options
from seqgcn.datasets.hands.depth import read_depth_png
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.listing import given_labels, join_labels, list_frames, poses_of
from seqgcn.datasets.hands.release import check_count, choose_frames, need_file
from seqgcn.datasets.hands.skeleton import BIGHAND21
from seqgcn.datasets.hands.text_rows import read_rows
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import check_bool, check_choice, check_number

SOURCE = "the organisers of the HANDS challenges (https://sites.google.com/view/hands2019)"
HANDS17, HANDS19 = "Training_Annotation.txt", "training_joint_annotation.txt"
ROWS = {HANDS17: 957_032, HANDS19: 175_951}
IMAGES = ("images", "training_images")
BLOCKS, FRAMES_OF_A_BLOCK = 10, 100


class BigHand(HandDataset):
    """BigHand2.2M's hand poses: the 957,032 training frames of HANDS17, or the 175,951 of HANDS19's first task.

    The joints stay in the release's order: wrist, five mcp, then pip, dip and tip of each finger;
    `joints[:, skeleton.BIGHAND_FINGER_MAJOR]` puts them finger by finger. As the labels of the official test frames
    are not public, a test part is set aside: the rows of the label file are cut into ten blocks (one, if there are
    less than 1,000), and the end of each block is for testing. Neighbors can be near-duplicates, and so only the
    frames at a cut have one in the other part. The blocks are the data set's sequences.

    With `split="all"` it has every frame in the folder of the images, whether it has a label yet or not; sequences are
    the folders in it.

    Args:
        root: Folder with ``Training_Annotation.txt`` (HANDS17) or ``training_joint_annotation.txt`` (HANDS19), and the
            images in ``images`` or ``training_images`` or beside it.
        split: `"train"`, `"test"`, or `"all"`.
        test_fraction: Share of the rows in the test part.
        strict: Whether missing images and labels are errors.
        cube: Side of the cube, mm.
        labels: With `split="all"`, another file of labels than that in the folder.
        options: How to crop. A center file has a row for each row of the label file, whichever the part; with
            `split="all"` for each frame, in the order of the numbers in their paths.
        **cropping: Fields of `options` that differ, such as `crop_size=64` (px) or `near=300` (mm).

    Raises:
        ArgumentError: An argument is out of range.
        MissingFileError: The labels or all images are missing.
        DataFileError: The label file is damaged or of another format.
    """

    title = "HANDS17"
    lists_frames = True

    def __init__(
        self,
        root: str | Path,
        split: Literal["train", "test", "all"] = "train",
        *,
        test_fraction: float = 0.1,
        strict: bool = False,
        cube: float = 300.0,
        labels: str | Path | None = None,
        options: CropOptions | None = None,
        **cropping: Unpack[CropKeywords],
    ) -> None:
        check_choice("split", split, ("train", "test", "all"))
        check_number("test_fraction", test_fraction, low=0, high=1, open_low=True, open_high=True)
        check_bool("strict", strict)
        options = crop_options(options, cropping, strict)
        check_number("cube", cube, low=0, open_low=True)
        top = check_root(root, "BigHand", SOURCE)
        if labels is not None and split != "all":
            raise ArgumentError("labels goes with split='all'; the parts of the release have their own")
        rows = read_rows(_label_file(top) if labels is None else given_labels(labels), 3 * len(BIGHAND21))
        folder = next((f"{name}/" for name in IMAGES if os.path.isdir(top / name)), "")
        if split == "all":
            names = list_frames(top / folder)
            row = join_labels("BigHand", top / folder, names, rows, strict)
            sequences, part = [name.rpartition("/")[0] or "." for name in names], None
        else:
            check_count("BigHand", f"rows of {rows.path}", len(rows.names), (ROWS[rows.path.name],), strict)
            names, row = rows.names, np.arange(len(rows.names))
            block, is_test = _cut(len(names), test_fraction)
            sequences, part = [f"block {number}" for number in block.tolist()], is_test == (split == "test")
        chosen = choose_frames(
            "BigHand",
            top,
            [folder + name for name in names],
            options,
            BIGHAND_CAMERA,
            strict=strict,
            leave_out={},
            part=part,
        )
        super().__init__(
            name=f"bighand-{split}",
            root=top,
            files=chosen.files,
            sequences=[sequences[row] for row in chosen.rows.tolist()],
            joints=poses_of([rows], row[chosen.rows], BIGHAND_CAMERA),
            cube=cube,
            camera=BIGHAND_CAMERA,
            skeleton=BIGHAND21,
            read=read_frame,
            options=options,
            centres=chosen.centres,
            skipped=chosen.skipped,
        )


def _label_file(top: Path) -> Path:
    file = HANDS19 if os.path.isfile(top / HANDS19) else HANDS17
    return need_file(top, file, "BigHand", f"so is {HANDS19}; download the data from {SOURCE} and unpack them there")


def read_frame(path: Path) -> DepthImage:
    """A frame of BigHand2.2M.

    Raises:
        DataFileError: It is damaged or of another format.
    """
    return read_depth_png(path, camera=BIGHAND_CAMERA)


def _cut(n: int, test_fraction: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Block of each of n rows, from 0, and whether it is for testing."""
    blocks = BLOCKS if n >= BLOCKS * FRAMES_OF_A_BLOCK else 1
    edges = np.arange(blocks + 1) * n // blocks
    block = np.repeat(np.arange(blocks), np.diff(edges))
    sizes = np.diff(edges)
    aside = np.clip(np.round(test_fraction * sizes), 1, np.maximum(sizes - 1, 1)).astype(np.int64)
    return block, np.arange(n) >= (edges[1:] - aside)[block]
