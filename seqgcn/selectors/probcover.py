"""Selection that covers the pool with balls around the picks."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from seqgcn.coverage.k_center import k_center
from seqgcn.exceptions import ArgumentError
from seqgcn.graph import unit_rows
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.selectors.typiclust import clusters
from seqgcn.training import Progress
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_number, check_whole

_DIAMETER = 2.0
"""Largest distance of two features of length 1."""

_BLOCK_ELEMENTS = 2**24
"""Largest intermediate, in numbers: 64 MiB of float32."""

_MOST_PAIRS = 2 * 10**8
"""Pairs of neighbors that are remembered: 2 GB with what it takes to sort them."""

_SAMPLE = 1_000
"""Balls that the purity of all is estimated from."""


@dataclass(frozen=True, kw_only=True)
class ProbCover(Selector):
    r"""Greedy cover of the pool by balls of one radius (Yehuda et al., NeurIPS 2022, algorithm 1).

    .. math:: u = \arg\max_i \lvert B_\delta(x_i) \setminus \text{covered} \rvert, \qquad
        B_\delta(x) = \{x' : \lVert x - x' \rVert_2 \le \delta\}

    on features scaled to length 1, as in the released code, so that distances end at 2. The balls of labeled nodes
    are covered from the start; nothing has to be labeled. Ties, which are many as gains are small whole numbers, go
    by an order that the seed draws: an order of the data, such as by class, must not decide. Once everything is
    covered the paper has no rule; the remaining picks are those of the k-center greedy around all before, which
    lower the radius that covers. Only labeled nodes and candidates take part.

    The score is how many nodes a pick newly covers. Details: `delta`, a scalar, and `covered` `[n]` bool after
    all picks.

    Args:
        delta: Radius of the balls, above 0 and below 2. None estimates the largest one at which the share
            `purity` of all balls is pure, which is to hold nodes of one class only, from a sample of 1,000 balls among
            all nodes; k-means clusters stand for the classes.
        purity: Share of pure balls that the radius is estimated for (alpha).
        classes: Number of classes, as clusters for the estimate of the radius.
        seed: Of the order among ties, and of that estimate.
    """

    requires: ClassVar[tuple[str, ...]] = ("x",)

    delta: float | None = None
    purity: float = 0.95
    classes: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.delta is not None:
            check_number("delta", self.delta, low=0, high=_DIAMETER, open_low=True, open_high=True)
        check_number("purity", self.purity, low=0, high=1, open_low=True)
        if check_whole("classes", self.classes) < 2:
            raise ArgumentError("classes must be at least 2, as every ball is pure with one, got 1")
        check_whole("seed", self.seed, low=0)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        nodes = (query.labelled | query.candidates).nonzero().squeeze(1)
        nodes = nodes[torch.randperm(len(nodes), generator=generator(self.seed, "probcover")).to(nodes.device)]
        x = unit_rows(query.features()[nodes])[0]
        delta = self._estimate(x) if self.delta is None else float(self.delta)
        free = query.candidates[nodes]
        picks, gains, covered = _greedy_cover(Balls(x, delta, query.progress), free.cpu().numpy(), query.budget)
        index = torch.tensor(picks, dtype=torch.int64, device=x.device)
        rest = query.budget - len(picks)
        if rest:
            free = free.index_fill(0, index, False)
            further, _ = k_center(x, (~free).nonzero().squeeze(1), rest, candidates=free, progress=query.progress)
            index = torch.cat([index, further])
        everyone = torch.zeros_like(query.labelled)
        everyone[nodes] = torch.from_numpy(covered).to(x.device)
        return Selection(
            index=nodes[index],
            score=x.new_tensor(gains + [0] * rest),
            details={"delta": x.new_tensor(delta), "covered": everyone},
        )

    def _estimate(self, x: Tensor) -> float:
        """Largest radius whose balls are pure often enough, short of the first that is not.

        Short by more than rounding: the pair at that very distance must not be one that rounding decides.
        """
        cluster = clusters(x, self.classes, self.seed).to(x.device)
        sample = torch.arange(min(_SAMPLE, len(x)), device=x.device)  # the order is random
        half = x.square().sum(dim=1) / 2
        nearest = []
        for some in sample.split(math.ceil(_BLOCK_ELEMENTS / len(x))):
            # Half the squared distance to the nearest node of another cluster, from which on a ball is not pure.
            apart = torch.addmm(half, x[some], x.T, alpha=-1)
            apart.masked_fill_(cluster[some].unsqueeze(1) == cluster, torch.inf)
            nearest.append(apart.amin(dim=1) + half[some])
        impure = len(sample) - max(1, math.ceil(self.purity * len(sample) - 1e-9))
        limit = float(torch.cat(nearest).sort().values[impure].clamp(min=0).mul(2).sqrt())
        return min(limit, _DIAMETER) * (1 - 1e-4)


class Balls:
    """Which nodes lie in which balls of one radius: as remembered pairs, or compared anew where they are too many.

    Args:
        x: Centers, `[n, d]`.
        delta: Radius.
        progress: Told about every strip of nodes, as stage `"balls"`.
    """

    def __init__(self, x: Tensor, delta: float, progress: Progress | None = None) -> None:
        self.x = x
        self.half = x.square().sum(dim=1) / 2
        self.threshold = (self.half - delta**2 / 2).unsqueeze(1)
        self.rows = math.ceil(_BLOCK_ELEMENTS / len(x))
        self.degree = np.ones(len(x), dtype=np.int64)  # every ball holds its own center
        self.halves: tuple[csr_array, csr_array] | None = None
        columns: list[NDArray[np.int32]] | None = []
        lengths: list[NDArray[np.int64]] = []
        strips = range(0, len(x), self.rows)
        for done, begin in enumerate(strips, start=1):
            # Distances are symmetric: each strip is compared with the nodes from its own on.
            later = self._inside(slice(begin, begin + self.rows), begin).triu_(1)
            if columns is None:
                row, column = (later.sum(dim=dim, dtype=torch.int32).cpu().numpy() for dim in (1, 0))
            else:
                pairs = later.nonzero().int().T.cpu().numpy()
                row, column = (np.bincount(pairs[i], minlength=later.shape[i]) for i in (0, 1))
                columns.append(pairs[1] + np.int32(begin))
                lengths.append(row)
            self.degree[begin : begin + self.rows] += row
            self.degree[begin:] += column
            if self.degree.sum() - len(x) > 2 * _MOST_PAIRS:
                columns = None
            if progress is not None:
                progress("balls", done, len(strips))
        if columns is not None:
            self.halves = _both_halves(columns, np.concatenate(lengths))

    def holding(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many of some nodes lie in each ball, `[n]`; of one node: 1 for all that lie in its own."""
        total = np.zeros(len(self.x), dtype=np.int64)
        if self.halves is None:
            for some in torch.from_numpy(nodes).to(self.x.device).split(self.rows):
                inside = self._inside(some).scatter_(1, some.unsqueeze(1), True)
                total += inside.sum(dim=0, dtype=torch.int32).cpu().numpy()
            return total
        total[nodes] = 1
        for half in self.halves:
            some_rows = max(1, _BLOCK_ELEMENTS // max(int(np.diff(half.indptr).max()), 1))
            for begin in range(0, len(nodes), some_rows):
                total += np.bincount(half[nodes[begin : begin + some_rows]].indices, minlength=len(total))
        return total

    def _inside(self, rows: slice | Tensor, begin: int = 0) -> Tensor:
        """Whether nodes `begin` to n lie in the balls around some, `[rows, n - begin]`."""
        product = torch.addmm(self.half[begin:], self.x[rows], self.x[begin:].T, beta=-1)
        return product >= self.threshold[rows]


def _both_halves(columns: list[NDArray[np.int32]], lengths: NDArray[np.int64]) -> tuple[csr_array, csr_array]:
    """Pairs (i, j > i) given row by row, as sparse matrices of the later and of the earlier neighbors."""
    n = len(lengths)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    later = np.concatenate(columns)
    columns.clear()
    matrix = csr_array((np.ones(len(later), dtype=np.int8), later, starts), shape=(n, n))
    return matrix, matrix.T.tocsr()


def _greedy_cover(balls: Balls, free: NDArray[np.bool_], budget: int) -> tuple[list[int], list[int], NDArray[np.bool_]]:
    """Picks until nothing is left to cover, what each newly covered, and which nodes are covered then.

    Balls are symmetric, so that each newly covered node lowers the gain of those in its own ball by one. Every node is
    covered once: all updates together look at each pair once.
    """
    covered = balls.holding((~free).nonzero()[0]) > 0
    gain = balls.degree - balls.holding(covered.nonzero()[0])
    free = free.copy()
    picks: list[int] = []
    gains: list[int] = []
    while len(picks) < budget:
        pick = int(np.where(free, gain, 0).argmax())
        if not free[pick] or gain[pick] <= 0:
            break
        picks.append(pick)
        gains.append(int(gain[pick]))
        free[pick] = False
        new = (balls.holding(np.array([pick])) > 0) & ~covered
        covered |= new
        gain -= balls.holding(new.nonzero()[0])
    return picks, gains, covered
