"""Wrong crops are seen before anything is trained on them."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seqgcn.checks import name_some
from seqgcn.errors import DataFileError
from seqgcn.training import Say

if TYPE_CHECKING:
    from seqgcn.datasets.hands.base import HandDataset

JUMP = 250.0
"""mm from both neighbors in a sequence that no hand moves there and back."""

NEAR = 100.0
"""mm between these neighbors, at most."""

MOST = 0.5
"""Share of doubtful crops above which nothing is trained."""


def jumps(points: Tensor, sequence: Tensor) -> Tensor:
    """Frames whose center is far from those of the frames beside it, which are near each other, `[n]` bool.

    Args:
        points: Centers in the order of the frames, `[n, 3]` mm.
        sequence: Number of the sequence of each frame, `[n]`.
    """
    jumped = torch.zeros(len(points), dtype=torch.bool)
    if len(points) < 3:
        return jumped
    before, here, after = points[:-2], points[1:-1], points[2:]
    same = (sequence[:-2] == sequence[1:-1]) & (sequence[1:-1] == sequence[2:])
    away = ((here - before).norm(dim=1) > JUMP) & ((here - after).norm(dim=1) > JUMP)
    jumped[1:-1] = same & away & ((after - before).norm(dim=1) < NEAR)
    return jumped


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
