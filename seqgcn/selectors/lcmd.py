"""Largest cluster, maximum distance: core-set selection that heeds how many points are far away."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from seqgcn.coverage.k_center import k_center
from seqgcn.selectors.selector import Query, Selection, Selector

_BLOCK = 2**20
"""Largest intermediate, in numbers."""


@dataclass(frozen=True, kw_only=True)
class LCMD(Selector):
    r"""The farthest candidate of the largest cluster of the embeddings `x` (Holzmüller et al., JMLR 2023, LCMD-TP).

    Every candidate belongs to its nearest center, a labeled node or an earlier pick. The cluster of the largest sum
    of squared distances is chosen,

    .. math:: \arg\max_c \sum_{i \,:\, c(i) = c} \lVert x_i - x_{c(i)} \rVert^2,

    and its candidate farthest from the center picked. Labeled nodes lie on a center and nodes outside the pool are
    not asked about: neither adds to a sum. A candidate as near to two centers belongs to the earlier one, labeled
    nodes first; other ties go to the lowest node index. With nothing labeled the first pick is CoreSet's, the
    candidate nearest to the candidates' mean (the authors' code takes the one of the largest norm).

    The score is the distance to the nearest center when picked; of a first pick without labels, the distance it
    leaves uncovered.
    """

    requires: ClassVar[tuple[str, ...]] = ("x",)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        x = query.features()
        nodes = query.candidates.nonzero().squeeze(1)
        labelled = x[query.labelled]
        # A power of two rounds nothing, and keeps squares from over- and underflowing.
        largest = torch.linalg.vector_norm(x, torch.inf, dim=1)[query.labelled | query.candidates].max()
        scale = 2.0 ** (math.frexp(float(largest))[1] - 1)
        clusters = _Clusters(x[nodes] / scale)
        picks: list[int] = []
        distances: list[float] = []
        if len(labelled):
            clusters.add(labelled / scale)
        while len(picks) < query.budget:
            if clusters.count:
                pick, distance = clusters.next()
            else:
                first, spread = k_center(clusters.points, nodes[:0], 1)
                pick, distance = int(first), float(spread)
            clusters.taken[pick] = True
            clusters.add(clusters.points[pick : pick + 1])
            picks.append(pick)
            distances.append(distance)
            if query.progress is not None:
                query.progress("lcmd", len(picks), query.budget)
        index = nodes[torch.tensor(picks, device=nodes.device)]
        return Selection(index=index, score=x.new_tensor(distances) * scale)


class _Clusters:
    """Points `[m, d]`, the nearest of `count` centers to each, and the squared distance to it."""

    def __init__(self, points: Tensor) -> None:
        self.points = points
        self.mean = points.mean(dim=0)
        self.centred = points - self.mean
        self.norm = self.centred.square().sum(dim=1)
        self.squared = torch.full_like(self.norm, torch.inf)
        self.nearest = torch.zeros(len(points), dtype=torch.int64, device=points.device)
        self.taken = torch.zeros(len(points), dtype=torch.bool, device=points.device)
        self.count = 0

    def next(self) -> tuple[int, float]:
        """Position of the point to pick, and its distance."""
        sums = self.squared.new_zeros(self.count, dtype=torch.float64)
        sums = sums.index_add_(0, self.nearest, self.squared.double())
        inside = (sums == sums.max())[self.nearest] & ~self.taken
        # Where every point left lies on a center, the largest sum, 0, is that of all.
        pick = int(self.squared.masked_fill(~inside, -1.0).argmax())
        return pick, float(self.squared[pick].sqrt())

    def add(self, centres: Tensor) -> None:
        """Bring nearest centers and distances up to date with new centers, `[c, d]`.

        One matrix product finds the centers that may be nearest; the distance to those is taken by subtraction, as
        the product loses digits near zero: as many as the norms of the two points have, so that a center far away
        makes only itself unsure.
        """
        different = _first_of_equals(centres)
        far = centres[different] - self.mean
        norm = far.square().sum(dim=1)
        slack = 64 * torch.finfo(far.dtype).eps
        step = max(1, _BLOCK // len(far))
        for start in range(0, len(self.points), step):
            some = slice(start, start + step)
            own = self.norm[some]
            # The most each squared distance can be, less what is the point's own; then the least.
            contest = torch.addmm((1 + slack) * norm, self.centred[some], far.T, alpha=-2)
            bar = torch.minimum(contest.amin(dim=1) + 2 * slack * own, self.squared[some] - (1 - slack) * own)
            row, centre = (contest.sub_(2 * slack * norm) <= bar.unsqueeze(1)).nonzero(as_tuple=True)
            self._compare(row + start, different[centre], centres)
        self.count += len(centres)

    def _compare(self, row: Tensor, centre: Tensor, centres: Tensor) -> None:
        """Give rows to new centers that are nearer; the first of equally near ones wins."""
        step = max(1, _BLOCK // self.points.shape[1])
        squared = torch.cat(
            [
                (self.points[some] - centres[other]).square_().sum(dim=1)
                for some, other in zip(row.split(step), centre.split(step), strict=True)
            ]
        )
        best = self.squared.scatter_reduce(0, row, squared, "amin")
        won = (squared == best[row]) & (squared < self.squared[row])
        none = torch.full_like(self.nearest, self.count + len(centres))
        winner = none.scatter_reduce(0, row[won], centre[won] + self.count, "amin")
        self.nearest = torch.where(winner < none, winner, self.nearest)
        self.squared = best


def _first_of_equals(centres: Tensor) -> Tensor:
    """Positions of the different rows, in no order; of equal ones the first."""
    different, group = centres.unique(dim=0, return_inverse=True)
    first: Tensor = group.new_full((len(different),), len(centres))
    first.scatter_reduce_(0, group, torch.arange(len(centres), device=group.device), "amin")
    return first
