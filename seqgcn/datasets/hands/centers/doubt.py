"""Wrong crops are seen before anything is trained on them."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from seqgcn.datasets.hands.cache import in_threads
from seqgcn.datasets.hands.centers.found import SOURCES, Centers, jumps
from seqgcn.datasets.hands.crop import FULL_SCALE, crop
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.training import Progress
from seqgcn.utils.messages import log
from seqgcn.utils.validation import name_some

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset

MOST = 0.5
"""Share of doubtful crops above which nothing is trained."""

GIVEN = ("file", "oracle")
"""Sources of centers that nothing was looked at for."""

COARSE = 32
"""Pixels along the side of a crop that is only checked for depth."""

LOOKED_AT = 500
"""Crops by mass that are judged, spread over all."""


def check_crops(hands: "HandDataset", accept: bool) -> None:
    """Log where crops are from and how many are doubtful, in one line; stop where most are.

    Args:
        hands: The frames; their hands are found here if they were not yet.
        accept: Go on all the same.

    Raises:
        DataFileError: Most are doubtful.
    """
    if hands.options.crop in ("file", "oracle", "mass"):
        return
    found = hands.find()
    log.info(f"{hands.name}: {found.summary()}")
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


def check_mass(hands: "HandDataset", accept: bool) -> None:
    """The same for crops by mass, which nothing was known about before they were made.

    Args:
        hands: The frames. Their crops are made here if they were not yet.
        accept: Go on all the same.

    Raises:
        DataFileError: Most are doubtful.
    """
    if hands.options.crop != "mass":
        return
    frames = hands.frames
    ids = torch.linspace(0, len(frames) - 1, min(LOOKED_AT, len(frames)), dtype=torch.float64).round().long()
    beyond = goes_beyond(frames.crops[frames.index[ids].numpy()])
    count = int(beyond.sum())
    if not count:
        return
    what = f"{hands.name}: crops by mass; in {count:,} of {len(ids):,} looked at, what is seen goes on beyond the cube"
    log.warning(what)
    if count <= MOST * len(ids) or accept:
        return
    worst = [hands.files[i] for i in ids[torch.from_numpy(beyond)].tolist()]
    raise DataFileError(
        f"{what} on several sides, as a chest or a wall does and a hand does not: {name_some(worst)}. Leave "
        f"dataset.crop at auto, which looks for the hand; set near and far to where nothing but the hand is (now "
        f"{hands.options.near:g} to {hands.options.far:g} mm); or go on all the same with --accept-crops"
    )


def goes_beyond(crops: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Whether at least half of the outermost pixels are surface on two sides or more.

    A forearm leaves a hand's cube on one side or across a corner, and covers a third of a side.

    Args:
        crops: `[n, size, size]` int16, `FULL_SCALE` is background.

    Returns:
        `[n]` bool.
    """
    surface = crops < FULL_SCALE
    sides = np.stack([surface[:, 0], surface[:, -1], surface[:, :, 0], surface[:, :, -1]], axis=1)
    answer: NDArray[np.bool_] = (sides.mean(axis=2) >= 0.5).sum(axis=1) >= 2
    return answer


def doubt_given(hands: "HandDataset", centers: Centers, progress: Progress | None = None) -> Centers:
    """Doubt centers that were given, or are of mass, where crop or sequence speak against them.

    Given centers are doubted without depth in their cube, and where one is far from its neighbors in the sequence,
    which are near each other. This shows a file of other frames, of another camera or in another order. Centers of mass
    are doubted where what is seen goes on beyond the cube on several sides. Centers that were looked for have a
    confidence of their own.

    Args:
        hands: The frames. One that cannot be read is not judged.
        centers: Of these frames.
        progress: Told about it, as stage `"depth"`.

    Returns:
        The same centers, with confidence 0 where one is doubted.
    """
    given = torch.from_numpy(np.isin(centers.source, [SOURCES.index(name) for name in GIVEN]))
    judged = given | torch.from_numpy(centers.source == SOURCES.index("mass"))
    ids = (judged & centers.points.isfinite().all(dim=1)).nonzero().flatten().tolist()
    if not ids:
        return centers

    def wrong(k: int) -> bool:
        i = ids[k]
        try:
            pixels = crop(hands.depth(i), centers.points[i], float(hands.cube[i]), hands.camera_of(i), COARSE)
        except DataFileError:
            return False
        except ArgumentError:  # behind the camera
            return True
        return pixels is None or (not given[i] and bool(goes_beyond(pixels.unsqueeze(0).numpy())))

    found_wrong: list[bool] = []
    for block in in_threads(wrong, len(ids)):
        found_wrong += block
        if progress is not None:
            progress("depth", len(found_wrong), len(ids))
    doubted = jumps(centers.points, hands.sequence) & given
    doubted[torch.tensor(ids)] |= torch.tensor(found_wrong)
    return replace(centers, confidence=centers.confidence.masked_fill(doubted, 0.0))
