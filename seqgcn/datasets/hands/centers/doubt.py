"""Wrong crops are seen before anything is trained on them."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from seqgcn.checks import name_some
from seqgcn.datasets.hands.cache import in_threads
from seqgcn.datasets.hands.centers.found import SOURCES, Centers, jumps
from seqgcn.datasets.hands.crop import crop
from seqgcn.errors import ArgumentError, DataFileError
from seqgcn.training import Progress, Say

if TYPE_CHECKING:
    from seqgcn.datasets.hands.base import HandDataset

MOST = 0.5
"""Share of doubtful crops above which nothing is trained."""

GIVEN = ("file", "oracle")
"""Sources of centers that nothing was looked at for."""

COARSE = 32
"""Pixels along the side of a crop that is only checked for depth."""


def check_crops(hands: "HandDataset", accept: bool, say: Say | None) -> None:
    """Say where crops are from and how many are doubtful, in one line; stop where most are.

    Args:
        hands: The frames; their hands are found here if they were not yet.
        accept: Go on all the same.
        say: Told the line.

    Raises:
        DataFileError: Most are doubtful.
    """
    if hands.options.crop in ("file", "oracle", "mass"):
        return
    found = hands.find(say=say)
    if say is not None:
        say(f"{hands.name}: {found.summary()}")
    doubtful = found.doubtful
    count = int(doubtful.sum())
    if count <= MOST * len(found) or accept:
        return
    worst = found.confidence.masked_fill(~doubtful, torch.inf).argsort(stable=True)[:count]
    raise DataFileError(
        f"{hands.name}: the hand was not found for sure in {count:,} of {len(found):,} frames, the least in "
        f"{name_some([hands.files[i] for i in worst.tolist()])}. Look at the crops (seqgcn crops {hands.root}); set "
        f"near and far to where hands are (now {hands.options.near:g} to {hands.options.far:g} mm), give a file of "
        "centers (dataset.centers=FILE), or go on all the same with --accept-crops"
    )


def doubt_given(hands: "HandDataset", centers: Centers, progress: Progress | None = None) -> Centers:
    """Doubt given centers that have no depth in their cube, or jump away for a single frame.

    This shows a file of other frames, of another camera or in another order. Centers that were found lie on a surface
    and have a confidence of their own.

    Args:
        hands: The frames. One that cannot be read is not judged.
        centers: Of these frames.
        progress: Told about it, as stage `"depth"`.

    Returns:
        The same centers, with confidence 0 where one is doubted.
    """
    given = np.isin(centers.source, [SOURCES.index(name) for name in GIVEN])
    ids = (torch.from_numpy(given) & centers.points.isfinite().all(dim=1)).nonzero().flatten().tolist()
    if not ids:
        return centers

    def empty(k: int) -> bool:
        i = ids[k]
        try:
            pixels = crop(hands.depth(i), centers.points[i], float(hands.cube[i]), hands.camera_of(i), COARSE)
        except DataFileError:
            return False
        except ArgumentError:  # behind the camera
            return True
        return pixels is None

    nothing: list[bool] = []
    for block in in_threads(empty, len(ids)):
        nothing += block
        if progress is not None:
            progress("depth", len(nothing), len(ids))
    doubted = jumps(centers.points, hands.sequence) & torch.from_numpy(given)
    doubted[torch.tensor(ids)] |= torch.tensor(nothing)
    return Centers(centers.points, centers.source, centers.confidence.masked_fill(doubted, 0.0), centers.error)
