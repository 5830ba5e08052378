"""The baseline every selector must beat."""

from dataclasses import dataclass, replace

import torch

from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_whole


@dataclass(frozen=True, kw_only=True)
class Random(Selector):
    """Uniformly random candidates without replacement; works with nothing labeled.

    The code released with the sequential GCN draws with replacement, and so labels fewer items than it counts.

    Args:
        seed: Of the draw.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("seed", self.seed, low=0)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        key = torch.rand(
            len(query.candidates), generator=generator(self.seed, "random"), dtype=torch.float64, device="cpu"
        )
        drawn = query.highest(key.to(query.candidates.device))
        return replace(drawn, score=drawn.score.float())
