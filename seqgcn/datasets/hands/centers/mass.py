"""Centers of mass, for frames that show a hand and nothing else."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seqgcn.datasets.hands.centers.found import SOURCES, Centers
from seqgcn.datasets.hands.crop import DepthImage, centre_of_mass
from seqgcn.datasets.hands.looking import look_at_frames
from seqgcn.training import Progress

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset


def centers_of_mass(hands: "HandDataset", progress: Progress | None = None) -> Centers:
    """Center of mass of what lies between `near` and `far`, refined once inside the cube.

    Args:
        hands: The frames.
        progress: Told about it, as stage `"hands"`.

    Returns:
        Centers of confidence 1, and 0 where there is no depth in range.

    Raises:
        DataFileError: A frame cannot be read (of a lenient data set, these have no center).
    """
    near, far = hands.options.near, hands.options.far

    def look(image: DepthImage, i: int) -> Tensor | None:
        return centre_of_mass(image, hands.camera_of(i), float(hands.cube[i]), near, far)

    nothing = torch.full((3,), torch.nan)
    points = torch.stack([nothing if each is None else each for each in look_at_frames(hands, look, progress)])
    seen = ~points.isnan().any(dim=1)
    return Centers(points, np.full(len(points), SOURCES.index("mass"), np.uint8), seen.float(), torch.empty(0))
