"""One's own depth frames: folders of files, a description of the camera and optional labels."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from seqgcn.datasets.data_files import check_root
from seqgcn.datasets.hands.crop_options import CropKeywords, CropOptions, crop_options
from seqgcn.datasets.hands.folder_files import LAYOUT, FolderFiles
from seqgcn.datasets.hands.folder_labels import LABELS, join_csv
from seqgcn.datasets.hands.folder_setup import CAMERA, read_setup, setups_of
from seqgcn.datasets.hands.folder_videos import FrameReader, Video, look_at_sequences
from seqgcn.datasets.hands.frame_files import WrongKindError
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.listing import given_labels
from seqgcn.datasets.hands.release import choose_frames, need_file
from seqgcn.exceptions import DataFileError
from seqgcn.utils.seeding import derive_seed
from seqgcn.utils.validation import check_bool, check_choice, check_number

_SIDES = {"left": 1, "right": 0, None: -1}


class DepthFolder(HandDataset):
    """A lab's own depth frames with what labels there are.

    ``camera.yaml`` has `fx`, `fy`, `cx`, `cy` (px), `joints` (list of names) and, if wanted, `depth_scale` (mm per
    unit, 1 by default), `hand` (``right`` or ``left``; networks see left hands mirrored), `cube` (its side in mm) and
    `bones` (list of pairs of joints, by name or by number from 0) and `detector_joints` (see
    `seqgcn.datasets.hands.landmarks.names`; which landmarks of mediapipe's a joint is the mean of, where its name does
    not tell, such as ``{center: [wrist, middle mcp]}``). The frames lie in the folder or in folders in it,
    of one sequence each, and are taken in the order of the numbers or time stamps in their names. ``labels.csv`` has
    the header ``frame,<joint> x,<joint> y,<joint> z,...`` with all joints, in any order, and rows of a frame's path
    below the folder and millimeters, x right, y down, z away from the camera; a row without numbers is not labeled
    yet.

    Where sequences were taken by different cameras, each folder of frames, or one above it, may have a ``camera.yaml``
    of its own for what differs (`fx`, `fy`, `cx`, `cy`, `depth_scale`, `cube`, `hand`, `shape` and `dtype`), or the
    camera's description as ROS, RealSense or Open3D write it: ``camera_info.yaml``, ``depth_camera_info.json``,
    ``intrinsics.json`` and the like, with `K` or `fx`, `fy` and `cx`, `cy` (or `ppx`, `ppy`). What all files say may be
    left out of the ``camera.yaml`` above. Images of sequences with their own intrinsics may differ in size.

    Frames are PNG files of one band and 16 bits; where there are none, TIFF files of 16 bits or of floats, or NPY
    files ``[h, w]`` of integers or floats. Floats in meters need ``depth_scale: 1000``. What suffixes do not tell,
    `format` in ``camera.yaml`` does: ``rgb-png`` for depth packed into green (upper byte) and blue, as NYU has it,
    ``raw`` for ``.bin`` and ``.raw`` files of numbers alone, with `shape` (``[rows, columns]``) and `dtype` (such as
    ``uint16`` or ``float32``, lowest byte first; ``">uint16"`` for highest byte first), or ``png``, ``tiff`` or
    ``npy``, if there are other pictures too. Videos must be unpacked first.

    To test, whole sequences are held out, as many as fit into `test_fraction` of the frames, taken in an order that
    depends on their names alone; at least the shortest. If there is one sequence, its end is held out. Which frames
    these are does not depend on the labels.

    Args:
        root: The folder.
        split: `"train"` and `"test"` have labeled frames only; `"all"` has every frame.
        test_fraction: Share of the frames to hold out.
        strict: Whether labels of frames that are not there, and frames that cannot be read, are an error; by default
            they are counted and left out, unless more than a tenth cannot be read.
        cube: Side of the cube, mm; instead of the one in ``camera.yaml``.
        labels: Another file of labels than ``labels.csv`` in the folder.
        depth: Pattern of the frames' paths below the folder, where there are other pictures too, such as
            ``*/depth/*.png``; ``*`` stands for anything in one name, ``**`` for any folders.
        options: How to crop. A center file has a row for each frame, in the order of `split="all"`.
        **cropping: Fields of `options` that differ, such as `crop_size=64` (px) or `near=300` (mm).

    Raises:
        ArgumentError: An argument is out of range.
        MissingFileError: ``camera.yaml`` or what a part needs is missing.
        DataFileError: A file is damaged or of another format, or a link leads out of the folder.
    """

    title = "depth folder"
    lists_frames = True

    def __init__(
        self,
        root: str | Path,
        split: Literal["all", "train", "test"] = "train",
        *,
        test_fraction: float = 0.2,
        strict: bool = False,
        cube: float | None = None,
        labels: str | Path | None = None,
        depth: str | None = None,
        options: CropOptions | None = None,
        **cropping: Unpack[CropKeywords],
    ) -> None:
        check_choice("split", split, ("all", "train", "test"))
        check_number("test_fraction", test_fraction, low=0, high=1, open_low=True, open_high=True)
        check_bool("strict", strict)
        options = crop_options(options, cropping, strict)
        if cube is not None:
            check_number("cube", cube, low=0, open_low=True)
        top = check_root(root, "the depth folder")
        path = need_file(top, CAMERA, "the depth folder", f"{LAYOUT}; seqgcn init writes a camera.yaml")
        listed = FolderFiles(top, depth)
        setup = read_setup(path, listed.beside)
        frames = listed.frames(setup.form.kind if setup.told else None)
        sequences = [frame.rpartition("/")[0] or "." for frame in frames]
        setups = setups_of(top, setup, sequences, listed.notes)
        try:
            videos = look_at_sequences(top, frames, setups, cube)
        except WrongKindError as error:
            raise DataFileError(f"{error}{listed.hint(setup.form.kind)}") from error
        joints = join_csv(top, frames, setup.skeleton, strict, None if labels is None else given_labels(labels))
        labelled = ~np.isnan(joints[:, 0, 0])
        wanted = _part_of(split, sequences, labelled, test_fraction, top)
        unlabelled = ~labelled & (split != "all")
        cameras = [videos[sequence].camera for sequence in sequences]
        chosen = choose_frames(
            top.name, top, frames, options, cameras, strict=strict, leave_out={"not labeled": unlabelled}, part=wanted
        )
        kept = [videos[sequences[row]] for row in chosen.rows]
        super().__init__(
            name=f"{re.sub(r'[^0-9A-Za-z.-]+', '-', top.resolve().name)[:40] or 'folder'}-{split}",
            root=top,
            files=chosen.files,
            sequences=[sequences[row] for row in chosen.rows],
            joints=torch.from_numpy(joints[chosen.rows]),
            cube=torch.tensor([video.cube for video in kept]),
            camera=[video.camera for video in kept],
            skeleton=setup.skeleton,
            read=FrameReader(top, videos),
            options=options,
            centres=chosen.centres,
            skipped=chosen.skipped,
            mirror=torch.tensor([video.left for video in kept], dtype=torch.bool),
            decoding=_decoding(videos),
            lenient=not strict,
            sides=torch.tensor(
                [_SIDES[setups[sequences[row]].values.get("hand")] for row in chosen.rows], dtype=torch.int8
            ),
            detector_joints=setup.detector_joints,
        )
        self.title = self.title_of(root, {})
        self.camera_path = path
        self.labels_path = Path(labels) if labels is not None else top / LABELS

    @classmethod
    def title_of(cls, root: str | Path, parameters: Mapping[str, Any]) -> str:
        """The folder's name."""
        del parameters
        return Path(root).name or cls.title


def _decoding(videos: Mapping[str, Video]) -> object:
    """What decides how frames are decoded: of PNG files the scale, as it was when there were no others."""
    forms = {sequence: video.form for sequence, video in videos.items()}
    if len(set(forms.values())) > 1:
        return tuple(sorted(forms.items(), key=lambda item: item[0]))
    form = next(iter(forms.values()))
    return form.scale if form.kind == "png" else form


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
            f"{top}: no frame of the {split} part is labeled in {LABELS}, which are {wanted.sum():,} of sequence "
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
