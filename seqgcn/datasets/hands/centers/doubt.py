"""Wrong crops are seen before anything is trained on them."""

from typing import TYPE_CHECKING

import torch

from seqgcn.checks import name_some
from seqgcn.errors import DataFileError
from seqgcn.training import Say

if TYPE_CHECKING:
    from seqgcn.datasets.hands.base import HandDataset

MOST = 0.5
"""Share of doubtful crops above which nothing is trained."""


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
