"""Centers of mass, for frames that show a hand and nothing else."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seqgcn.datasets.hands.cache import in_threads
from seqgcn.datasets.hands.centers.found import SOURCES, Centers
from seqgcn.datasets.hands.crop import centre_of_mass
from seqgcn.errors import DataFileError
from seqgcn.training import Progress

if TYPE_CHECKING:
    from seqgcn.datasets.hands.base import HandDataset


def centers_of_mass(hands: "HandDataset", *, lenient: bool, progress: Progress | None = None) -> Centers:
    """Center of mass of what lies between `near` and `far`, refined once inside the cube.

    Args:
        hands: The frames.
        lenient: Frames that cannot be read have no center.
        progress: Told about it, as stage `"hands"`.

    Returns:
        Centers of confidence 1, and 0 where there is no depth in range.

    Raises:
        DataFileError: A frame cannot be read.
    """
    options = hands.options

    def look(i: int) -> Tensor:
        try:
            image = hands.depth(i)
        except DataFileError:
            if not lenient:
                raise
            return torch.full((3,), torch.nan)
        center = centre_of_mass(image, hands.camera_of(i), float(hands.cube[i]), options.near, options.far)
        return torch.full((3,), torch.nan) if center is None else center

    points: list[Tensor] = []
    for block in in_threads(look, len(hands)):
        points += block
        if progress is not None:
            progress("hands", len(points), len(hands))
    stacked = torch.stack(points)
    seen = ~stacked.isnan().any(dim=1)
    return Centers(stacked, np.full(len(points), SOURCES.index("mass"), np.uint8), seen.float(), torch.empty(0))
