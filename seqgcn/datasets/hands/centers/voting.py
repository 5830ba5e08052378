"""Several networks look at the same frames: where most of them agree the hand is, and how many do.

Networks trained on other parts of the labels differ where the labels say little: of a hand in a scene unlike those
labeled each is sure of another place (deep ensembles; Lakshminarayanan et al., NIPS 2017).
"""

import torch
from torch import Tensor

WITHIN = 40.0
"""mm from each other at which two networks mean the same place."""

TRUST = (0.0, 0.1, 0.3, 0.8, 1.0)
"""What is left of the confidence where none, a quarter, ... all of the other networks agree; between them, linear."""


def vote(points: Tensor, strength: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The place with the most networks around it.

    Args:
        points: Of k networks in n frames, `[k, n, 3]` mm; NaN where one found nothing.
        strength: How strongly each is for its point, `[k, n]`.

    Returns:
        Mean of the points there, `[n, 3]` mm, NaN where no network found any; the mean strength of these networks,
        `[n]`; the share of the other networks that agree, `[n]`, 1 where there is only one network.
    """
    k, n = points.shape[:2]
    apart = (points.unsqueeze(0) - points.unsqueeze(1)).norm(dim=3).nan_to_num(nan=torch.inf)
    near = apart <= WITHIN
    # Of equally many, the closest together.
    spread = apart.clamp(max=1e4).sum(dim=1) / (1e5 * k)
    best = (near.sum(dim=1) - spread).argmax(dim=0)
    members = near[best, :, torch.arange(n)].T
    count = members.sum(dim=0)
    weight = members / count.clamp(min=1)
    point = (
        (points.nan_to_num(nan=0.0) * weight.unsqueeze(2)).sum(dim=0).masked_fill(count.eq(0).unsqueeze(1), torch.nan)
    )
    chosen = torch.where(count > 0, (strength * weight).sum(dim=0), strength.amin(dim=0))
    return point, chosen, ((count - 1) / max(k - 1, 1)).clamp(min=0) if k > 1 else torch.ones(n)


def trust(share: Tensor) -> Tensor:
    """What is left of the confidence where a share of the other networks agrees, `[n]`; see `TRUST`."""
    levels = torch.tensor(TRUST)
    place = share.clamp(0, 1) * (len(TRUST) - 1)
    low = place.floor().long().clamp(max=len(TRUST) - 2)
    return levels[low] + (levels[low + 1] - levels[low]) * (place - low)
