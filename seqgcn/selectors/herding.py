"""Picks to which the whole pool is similar: facility location on the embeddings."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from seqgcn.coverage.facility_location import cosine, facility_location, gaussian
from seqgcn.graph import unit_rows
from seqgcn.selectors.bayesian import total_variance
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.utils.validation import check_bool, check_number, check_whole


@dataclass(frozen=True, kw_only=True)
class MaxHerding(Selector):
    r"""Greedy maximization of the generalized coverage of the embeddings `x` (Bae, Noh, Sutherland, ECCV 2024).

    .. math:: \sum_{j \in U} \max_{i \in L \cup S} k(x_i, x_j), \quad
        k(x, y) = \exp\Big(-\frac{\lVert x - y \rVert^2}{2 \sigma^2}\Big)

    over the candidates j: labeled nodes are covered anyway, and nodes outside the pool are not asked about. Needs no
    label, and is made for the first few. Two nodes that cover nothing but each other always tie: ties go to the one
    nearer to the candidates' mean, then to the lowest node index.

    The score is how much the pick raises that sum.

    Args:
        sigma: Width of the kernel, in units of the embeddings (normalized ones, unless `normalize=False`). By default
            the root of half the mean squared distance of two nodes of the pool: 1 for normalized embeddings that
            point in all directions, less for those that all point the same way. That departs from the fixed width of
            the paper, at which the latter would all be about equally similar; public implementations have
            :math:`k(x, y) = \exp(-\lVert x - y \rVert^2)` of normalized embeddings, which is `sigma=0.5**0.5`.
        normalize: Whether the embeddings are scaled to length 1, as in the paper.
    """

    requires: ClassVar[tuple[str, ...]] = ("x",)

    sigma: float | None = None
    normalize: bool = True

    def __post_init__(self) -> None:
        if self.sigma is not None:
            check_number("sigma", self.sigma, low=0, open_low=True)
        check_bool("normalize", self.normalize)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        pool = (query.candidates | query.labelled).nonzero().squeeze(1)
        x = query.features()[pool]
        x = unit_rows(x)[0] if self.normalize else x
        candidates = query.candidates[pool].nonzero().squeeze(1)
        eccentricity = torch.linalg.vector_norm(x[candidates] - x[candidates].mean(dim=0), dim=1)
        index, gain = facility_location(
            gaussian(x, self.sigma),
            candidates[eccentricity.argsort(stable=True)],
            candidates,
            query.budget,
            centres=query.labelled[pool].nonzero().squeeze(1),
            progress=query.progress,
            stage="max-herding",
        )
        return Selection(index=pool[index], score=gain)


@dataclass(frozen=True, kw_only=True)
class SuggestiveAnnotation(Selector):
    r"""The most representative of the most uncertain (Yang, Zhang, Chen, Zhang, Chen, MICCAI 2017).

    Of the K = `factor` · b candidates whose predictions vary most over several passes or members, greedily those that
    the embeddings `x` of all candidates are most similar to:

    .. math:: F(S) = \sum_{j \in U} \max_{i \in S} \cos(x_i, x_j)

    The uncertainty is the variance over the passes, summed over classes or coordinates. Ties go to the more uncertain,
    then to the lowest node index.

    The score is how much the pick raises F, whose maxima start at -1. Details: `uncertainty` `[n]`.

    Args:
        factor: Uncertain candidates for each pick; 1 picks by uncertainty alone.
    """

    requires: ClassVar[tuple[str, ...]] = ("x",)
    requires_any: ClassVar[tuple[str, ...]] = ("prob_samples", "target_samples")

    factor: int = 4

    def __post_init__(self) -> None:
        check_whole("factor", self.factor)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        x = query.features()
        poses = query.first_of(self.requires_any) == "target_samples"
        variance = total_variance(query.target_samples() if poses else query.prob_samples())
        candidates = query.candidates.nonzero().squeeze(1)
        ranked = candidates[variance[candidates].argsort(descending=True, stable=True)]
        index, gain = facility_location(
            cosine(x),
            ranked[: self.factor * query.budget],
            candidates,
            query.budget,
            progress=query.progress,
            stage="suggestive annotation",
        )
        return Selection(index=index, score=gain, details={"uncertainty": variance})
