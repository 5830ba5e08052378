"""Core-set selection in the learner's own feature space."""

from dataclasses import dataclass
from typing import ClassVar

from seqgcn.coverage.k_center import k_center
from seqgcn.selectors.selector import Query, Selection, Selector


@dataclass(frozen=True, kw_only=True)
class CoreSet(Selector):
    """Greedy k-center on the embeddings `x` around the labeled nodes (Sener, Savarese, ICLR 2018).

    The score is the distance to the nearest center when picked. With nothing labeled the first pick is the
    candidate nearest to the candidates' mean, and its score the distance it leaves uncovered.
    """

    requires: ClassVar[tuple[str, ...]] = ("x",)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        index, distance = k_center(
            query.features(),
            query.labelled.nonzero().squeeze(1),
            query.budget,
            candidates=query.candidates,
            progress=query.progress,
        )
        return Selection(index=index, score=distance)
