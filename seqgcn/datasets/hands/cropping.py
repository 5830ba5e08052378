"""Crops of a data set's frames, and which frames have none."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seqgcn.datasets.hands.cache import Cropped, CropStore, source_key
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.found import Centers
from seqgcn.datasets.hands.crop import FULL_SCALE, centre_of_mass, crop
from seqgcn.exceptions import ArgumentError, DataFileError, SeqGCNWarning
from seqgcn.utils.validation import name_some

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset

UNREADABLE = torch.full((3,), torch.nan)
"""The center, in a cache of crops, of a frame that could not be read."""


def in_words(skipped: Mapping[str, int]) -> str:
    """How many frames were left out for which reasons: `"73 missing image, 5 rotated copy"`."""
    return ", ".join(f"{count:,} {reason}" for reason, count in skipped.items())


def crop_key(hands: "HandDataset") -> str:
    """Name of the cache of a data set's crops: a hash of all that decides them.

    Raises:
        DataFileError: A frame cannot be looked at.
    """
    options = hands.options
    rule: tuple[object, ...]
    if options.crop == "mass":
        rule = (options.crop, options.near, options.far)
    else:
        known = hands.joints if options.crop == "oracle" else hands.find().points
        name = options.crop if options.crop in ("file", "oracle") else "found"
        rule = (name, hashlib.blake2b(known.contiguous().numpy().tobytes()).hexdigest())
    cubes = hashlib.blake2b(hands.cube.numpy().tobytes()).hexdigest()
    return source_key(hands.root, hands.files, (options.size, rule, hands.camera_key(), cubes, hands.decoding))


def cameras_key(cameras: Sequence[Camera]) -> object:
    """What tells the cameras of all frames; of one, itself, as it was when there was only one."""
    different = tuple(dict.fromkeys(cameras))
    if len(different) == 1:
        return different[0]
    number = {camera: i for i, camera in enumerate(different)}
    which = np.array([number[camera] for camera in cameras], np.int64)
    return different, hashlib.blake2b(which.tobytes()).hexdigest()


def fingerprint_of(hands: "HandDataset", store: CropStore, kept: Tensor, found: Centers | None) -> str:
    """Short hash of a data set's crops and poses.

    Args:
        hands: The frames.
        store: Crops of them and of others.
        kept: Which of the crops, `[n]` int64.
        found: Centers of all crops, if they were not those of mass.
    """
    digest = hashlib.blake2b(store.content.encode(), digest_size=8)
    mirror = hands.mirror if isinstance(hands.mirror, bool) else hands.mirror.tolist()
    digest.update(repr((mirror, hands.skeleton.joints)).encode())
    digest.update(hands.joints.contiguous().numpy().data)
    digest.update(kept.numpy().data)
    if found is not None and found.offset is not None:
        # Learners shift training crops by it.
        digest.update(f"{found.offset:.3f}".encode())
    return digest.hexdigest()


def crop_frame(hands: "HandDataset", found: Centers | None, i: int) -> Cropped:
    """The crop of frame i.

    Args:
        hands: The frames.
        found: Center of the hand in each frame; without them the center of mass.
        i: Which frame.

    Raises:
        DataFileError: It cannot be read, unless the data set is lenient, or its center is not in front of the camera.
    """
    camera, cube, options = hands.camera_of(i), float(hands.cube[i]), hands.options
    nothing = torch.full((options.size, options.size), FULL_SCALE, dtype=torch.int16)
    try:
        image = hands.depth(i)
    except DataFileError:
        if not hands.lenient:
            raise
        return Cropped(nothing, UNREADABLE, False)
    center: Tensor | None
    if found is None:
        center = centre_of_mass(image, camera, cube, options.near, options.far)
    else:
        center = found.points[i]
        if options.crop not in ("file", "oracle") and bool(center.isnan().any()):
            center = None
    if center is None:
        return Cropped(nothing, torch.zeros(3), False)
    try:
        pixels = crop(image, center, cube, camera, options.size)
    except ArgumentError as error:
        raise DataFileError(f"{hands.root / hands.files[i]}: {error}") from error
    return Cropped(nothing, center, False) if pixels is None else Cropped(pixels, center, True)


def unreadable_frames(hands: "HandDataset", store: CropStore) -> Tensor:
    """Which frames could not be read when their crops were made, `[n]` bool; warns of them.

    Raises:
        DataFileError: There are some, and the data set is not lenient, or they are more than a tenth.
    """
    unreadable = torch.from_numpy(np.isnan(store.centres[:, 0]) & ~store.found)
    ids = unreadable.nonzero().flatten().tolist()
    if not ids:
        return unreadable
    what = f"{hands.name}: {len(ids):,} of {len(hands):,} frames cannot be read"
    names = name_some([hands.files[i] for i in ids])
    try:
        hands.depth(ids[0])
        why = f"{hands.files[ids[0]]} can be read now: remove its crops from the cache, and they are made anew"
    except DataFileError as error:
        why = f"the first: {error}"
    if not hands.lenient or len(ids) > len(hands) / 10:
        raise DataFileError(f"{what}{', more than a tenth' if hands.lenient else ''}: {names}; {why}")
    warnings.warn(f"{what} and are left out: {names}; {why}", SeqGCNWarning, stacklevel=3)
    return unreadable


def empty_frames(hands: "HandDataset", empty: Tensor) -> Tensor:
    """The frames without depth inside their cubes, `[n]` bool, if they may be left out; warns of them.

    Raises:
        DataFileError: They may not, or there are no others.
    """
    if not empty.any():
        return empty
    names = [hands.files[i] for i in empty.nonzero().flatten().tolist()]
    count, some = len(names), name_some(names)
    what = f"{hands.name}: {count:,} of {len(hands):,} frames have no depth inside the cube"
    skip = hands.options.skip_empty
    if skip is False or (skip is None and count > len(hands) / 10):
        from seqgcn.datasets.hands.centers.finding import likely_cause  # SciPy is needed there alone

        raise DataFileError(
            f"{what}{'' if skip is False else ', more than a tenth'}: {some} below {hands.root}. "
            f"{likely_cause(hands, empty)}; or leave these frames out with skip_empty"
        )
    if count == len(hands):
        raise DataFileError(f"{hands.name}: no frame below {hands.root} has depth inside its cube")
    warnings.warn(f"{what} and are left out: {some}", SeqGCNWarning, stacklevel=3)
    return empty
