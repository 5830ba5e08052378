"""Single frames that are not worth training on: empty, or the same picture as the one before."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqgcn.exceptions import DataFileError

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset

SQUEEZED = 120
"""Pictures of one value are compressed to less than the 120th part of their pixels' bytes."""

BLOCK = 4096
"""Bytes compared first."""

BLOCKS = 8
"""Places of a file at which that many bytes are compared."""


def sizes_of(hands: "HandDataset") -> NDArray[np.int64]:
    """Bytes of each frame's file, `[n]`; -1 of one that is not there."""
    sizes = np.full(len(hands), -1, np.int64)
    folders: dict[str, dict[str, int]] = {}
    for i, file in enumerate(hands.files):
        folder, _, name = file.rpartition("/")
        if folder not in folders:
            folders[folder] = _listed(hands.root / folder)
        sizes[i] = folders[folder].get(name, -1)
    return sizes


def _listed(folder: Path) -> dict[str, int]:
    """Size of each file in a folder; asked for one by one they take ten times as long."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries}
    except OSError:
        return {}


def empty_rows(hands: "HandDataset", sizes: NDArray[np.int64]) -> list[int]:
    """Frames in which nothing was measured; only files small enough to be such are decoded."""
    found = []
    for i in np.flatnonzero(sizes >= 0).tolist():
        camera = hands.camera_of(i)
        # Formats without compression are as large when empty; those are found when crops are made.
        if sizes[i] * SQUEEZED > 2 * camera.width * camera.height:
            continue
        try:
            image = hands.depth(i)
        except DataFileError:
            continue
        if not bool((image.depth > 0).any()):
            found.append(i)
    return found


def frozen_rows(hands: "HandDataset", sizes: NDArray[np.int64], empty: Sequence[int]) -> list[int]:
    """Frames that are, byte for byte, the one before in their sequence; the first of them is not among these."""
    sequence = hands.sequence.numpy()
    alike = (sizes[1:] == sizes[:-1]) & (sizes[1:] > 0) & (sequence[1:] == sequence[:-1])
    skipped = set(empty)
    return [
        i + 1
        for i in np.flatnonzero(alike).tolist()
        if i + 1 not in skipped
        and i not in skipped
        and _same(hands.root / hands.files[i], hands.root / hands.files[i + 1], int(sizes[i]))
    ]


def _same(first: Path, second: Path, size: int) -> bool:
    """Whether two files of this size are the same; nearly all that are not differ in the first few blocks."""
    try:
        with open(first, "rb") as a, open(second, "rb") as b:
            for start in np.linspace(0, max(size - BLOCK, 0), BLOCKS).astype(np.int64).tolist():
                a.seek(start)
                b.seek(start)
                if a.read(BLOCK) != b.read(BLOCK):
                    return False
            a.seek(0)
            b.seek(0)
            return a.read() == b.read()
    except OSError:
        return False
