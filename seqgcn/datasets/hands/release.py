"""Which frames of a release there are: finding its files, counting them, leaving out what is missing or bad."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.files import NO_HAND, read_center_file
from seqgcn.datasets.hands.crop_options import CropOptions
from seqgcn.exceptions import DataFileError, MissingFileError, SeqGCNWarning

MISSING = "missing image"
"""Reason for which a frame is left out that has a label but no file."""


def need_file(root: Path, file: str, dataset: str, way_out: str) -> Path:
    """A file of a release.

    Args:
        root: Folder of the release.
        file: Path below it.
        dataset: Name of the data set, for the message.
        way_out: End of the message.

    Raises:
        MissingFileError: It is not there; the message says so if another root would do.
    """
    path = root / file
    if os.path.isfile(path):
        return path
    try:
        others = [*sorted(root.iterdir()), root.parent]
    except OSError:
        others = [root.parent]
    for other in others:
        if os.path.isfile(other / file):
            way_out = f"but it lies in {other}: give that folder as root"
            break
    raise MissingFileError(f"{dataset}: {path} is missing; {way_out}")


def check_count(dataset: str, what: str, found: int, expected: Sequence[int], strict: bool) -> None:
    """Warn that a release is not complete (or, if `strict`, raise).

    Args:
        dataset: Name of the data set.
        what: What was counted.
        found: How many there are.
        expected: How many the release has; several if there are several releases.
        strict: Whether that is an error.

    Raises:
        DataFileError: Another number, and `strict`.
    """
    if found in expected:
        return
    whole = " or ".join(f"{count:,}" for count in expected)
    message = f"{dataset}: {what}: found {found:,}, the complete release has {whole}"
    if strict:
        raise DataFileError(f"{message}; get it again, or go on with a part of it without strict")
    warnings.warn(f"{message}; going on with what is there", SeqGCNWarning, stacklevel=3)


class Chosen(NamedTuple):
    """The frames that remain of all that the labels name.

    Args:
        rows: Which, `[m]` int64.
        files: Path of each below the root.
        centres: `[m, 3]` mm, from the center file if there is one.
        skipped: How many were left out, by reason.
    """

    rows: NDArray[np.int64]
    files: list[str]
    centres: Tensor | None
    skipped: dict[str, int]


def choose_frames(
    dataset: str,
    root: Path,
    files: Sequence[str],
    options: CropOptions | None,
    camera: Camera | Sequence[Camera],
    *,
    strict: bool,
    leave_out: Mapping[str, NDArray[np.bool_]],
    part: NDArray[np.bool_] | None = None,
) -> Chosen:
    """Leave out frames for known reasons and those without a file, and read the centers of the others.

    Args:
        dataset: Name of the data set, for messages.
        root: Folder of the release.
        files: Path below it of each frame of the labels, n of them.
        options: Name the file of centers; see `read_center_file`. Frames without a hand are left out.
        camera: Of all frames, or of each; its axes are those of centers without names.
        strict: Whether a missing file is an error.
        leave_out: Frames to leave out and to count, `[n]`, by reason.
        part: Frames of the wanted part, `[n]`; the others are not counted.

    Raises:
        DataFileError: A file is missing and `strict`, all are, or a path leads out of the root; the center file does
            not fit.
    """
    cameras = [camera] * len(files) if isinstance(camera, Camera) else camera
    centres = None
    keep = np.ones(len(files), np.bool_) if part is None else part.copy()
    if options is not None and options.centers is not None:
        held = read_center_file(options.centers, files, cameras, root=root)
        centres = held.points
        leave_out = {**leave_out, NO_HAND: held.no_hand}
        if options.crop == "file":
            leave_out = {**leave_out, "no valid center": centres[:, 0].isnan().numpy()}
    skipped: dict[str, int] = {}
    for reason, mask in leave_out.items():
        count = int((mask & keep).sum())
        keep &= ~mask
        if count:
            skipped[reason] = count
    rows = np.flatnonzero(keep)
    kept = [files[row] for row in rows.tolist()]
    missing = missing_files(root, kept)
    if missing.any():
        report_missing(
            dataset, root, [file for file, gone in zip(kept, missing, strict=True) if gone], len(kept), strict
        )
        kept = [file for file, gone in zip(kept, missing, strict=True) if not gone]
        rows, skipped[MISSING] = rows[~missing], int(missing.sum())
    return Chosen(rows, kept, None if centres is None else centres[torch.from_numpy(rows)], skipped)


def report_missing(dataset: str, root: Path, files: Sequence[str], total: int, strict: bool) -> None:
    """Warn that some of `total` frames have no file.

    Raises:
        MissingFileError: None has, or `strict`.
    """
    message = f"{dataset}: {len(files):,} of {total:,} labeled frames have no image; the first is {root / files[0]}"
    if len(files) == total:
        raise MissingFileError(f"{message}. Unpack the images there")
    if strict:
        raise MissingFileError(f"{message}. Get it again, or leave these frames out without strict")
    warnings.warn(f"{message}; these frames are left out", SeqGCNWarning, stacklevel=4)


def missing_files(root: Path, files: Sequence[str]) -> NDArray[np.bool_]:
    """Which of n paths below a folder are no files, `[n]`.

    Every folder is listed once, as asking for a million files one by one takes minutes.

    Raises:
        DataFileError: A path leads out of the folder over a link.
    """
    top = root.resolve()
    listings: dict[str, dict[str, bool]] = {}
    missing = np.zeros(len(files), np.bool_)
    for i, file in enumerate(files):
        folder, _, name = file.rpartition("/")
        if folder not in listings:
            listings[folder] = list_files(check_inside(root / folder, top))
        is_link = listings[folder].get(name)
        missing[i] = is_link is None
        if is_link:
            check_inside(root / file, top)
    return missing


def check_inside(path: Path, top: Path) -> Path:
    """The path, which must not lead out of `top` (resolved) over links.

    Raises:
        DataFileError: It does, or in a circle.
    """
    try:
        inside = path.resolve().is_relative_to(top)
    except (OSError, RuntimeError):  # in a circle
        inside = False
    if not inside:
        raise DataFileError(f"{path} is a link that leads out of {top}; move the files there, or give their own folder")
    return path


def list_files(folder: Path) -> dict[str, bool]:
    """Names of the files in a folder, and whether each is a link; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.is_symlink() for entry in entries if _is_file(entry)}
    except OSError:
        return {}


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link in a circle
        return False
