"""Centers of a data set's hands by the way that its options name."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seqgcn.datasets.hands.centers.found import Centers
from seqgcn.datasets.hands.crop import mean_of_known
from seqgcn.training import Progress

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset


def centers_of(hands: "HandDataset", known: Tensor, given: Tensor | None, *, progress: Progress | None) -> Centers:
    """Where the hand is in each frame.

    Args:
        hands: The frames, n of them.
        known: Those whose poses a localizer may learn from, `[m]` int64.
        given: Centers from a file, `[n, 3]` mm, NaN where it has none.
        progress: Told about it, as stages `"hands"` and `"localizer"`.

    Raises:
        DataFileError: A frame cannot be read, and the data set is not lenient.
        ArgumentError: A localizer is asked for, and there are too few labels.
    """
    crop = hands.options.crop
    points = torch.full((len(hands), 3), torch.nan) if given is None else given
    if crop == "file" or bool(points.isfinite().all()):
        return Centers.given(points, "file")
    if crop == "oracle":
        return Centers.given(mean_of_known(hands.joints), "oracle")
    if crop == "mass":
        from seqgcn.datasets.hands.centers.mass import centers_of_mass

        return centers_of_mass(hands, progress)
    from seqgcn.datasets.hands.centers.finding import find_centers  # SciPy is needed there alone

    return find_centers(hands, known, points, progress=progress)
