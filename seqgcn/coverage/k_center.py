"""Covering a set of points by few of them: pure tensor functions, shared by CoreSet and CoreGCN."""

import math

import torch
from torch import Tensor

from seqgcn.exceptions import ArgumentError
from seqgcn.training import Progress
from seqgcn.utils.validation import check_features, check_mask, check_values, kind_of, name_rows

_BLOCK_ELEMENTS = 2**20
"""Largest intermediate, in numbers: 4 MiB of float32, about what a processor's cache holds."""


def k_center_greedy(
    points: Tensor,
    centres: Tensor,
    budget: int,
    *,
    candidates: Tensor | None = None,
    weights: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    r"""Greedy k-center (Sener, Savarese, ICLR 2018, algorithm 1): always the point farthest from all centers.

    .. math:: u = \arg\max_{i} \min_{j \in \text{centers}} \lVert x_i - x_j \rVert_2

    Ties go to the lowest index; exact duplicates of a center come last. Without any center the first pick is
    the candidate nearest to the candidates' mean.

    With weights :math:`w_i` it is the point with the largest :math:`w_i \min_j \lVert x_i - x_j \rVert_2`; those of
    weight 0 come last, and without any center the first pick is among the points of the largest weight.

    Args:
        points: `[n, d]`, floating point.
        centres: Indices of the first centers, `[m]`.
        budget: How many points to pick.
        candidates: Mask of the points that may be picked, `[n]`; all but the centers by default.
        weights: Factor on each point's distance, `[n]`, floating point, not negative. They are squared, so that in
            single precision those below about 1e-19 of the largest count as 0.
        progress: Told about every pick, as stage `"k-center"`.

    Returns:
        Indices of the picks in order, `[budget]`.

    Raises:
        ArgumentError: Points are not finite `[n, d]`, centers are no indices of theirs, candidates no mask over
            them, weights no numbers from 0 for them, or the budget is no whole number up to the number of candidates.

    >>> k_center_greedy(torch.tensor([[0.], [1.], [5.], [9.]]), torch.tensor([0]), budget=2)
    tensor([3, 2])
    """
    return k_center(points, centres, budget, candidates=candidates, weights=weights, progress=progress)[0]


def k_center(
    points: Tensor,
    centres: Tensor,
    budget: int,
    *,
    candidates: Tensor | None = None,
    weights: Tensor | None = None,
    progress: Progress | None = None,
) -> tuple[Tensor, Tensor]:
    """`k_center_greedy` that also returns how far each pick was from its nearest center, weighted, `[budget]`.

    A new center can only lower a distance, so an old value is an upper bound. Only the points with the largest
    bounds are kept exact; the rest catch up when the best exact value no longer exceeds the best bound. The
    picks are those of the plain loop.
    """
    points = check_features(points, "points")
    centres, pool = _centres_and_pool(len(points), centres, candidates, budget, points.device)
    if budget == 0:
        return pool[:0], points.new_empty(0)
    # Rows that are neither center nor candidate have no say in the scale.
    matter = torch.cat([centres, pool])
    points, scale = tame(points, torch.linalg.vector_norm(points, torch.inf, dim=1)[matter])
    squared, weight_scale = _squared_weights(weights, points, pool)
    search = _LazySearch(points, pool, squared)
    picks: list[int] = []
    distances: list[float] = []

    def pick(position: int, distance: float) -> None:
        picks.append(position)
        distances.append(distance)
        if progress is not None:
            progress("k-center", len(picks), budget)

    if centres.numel():
        search.start(points[centres])
    else:
        from_mean = _squared_distances(points[pool], points[pool].mean(dim=0, keepdim=True)).squeeze(1)
        if squared is not None:
            from_mean[squared < squared.max()] = torch.inf
        first = int(from_mean.argmin())
        search.start(points[pool[first : first + 1]])
        pick(first, search.spread_from(first))
        search.take(first)
    while len(picks) < budget:
        farthest, distance = search.farthest()
        if distance <= 0:
            # Every point left lies on a center or weighs nothing: no more changes, and index order decides.
            for position in (search.bound >= 0).nonzero().squeeze(1)[: budget - len(picks)].tolist():
                pick(position, 0.0)
            break
        search.take(farthest)
        pick(farthest, distance)
    index = pool[torch.tensor(picks, device=pool.device)]
    return index, points.new_tensor(distances).sqrt_().mul_(scale * weight_scale)


def _centres_and_pool(
    n: int, centres: Tensor, candidates: Tensor | None, budget: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Indices of the centers and of what may be picked, after their checks and the budget's."""
    if not isinstance(centres, Tensor):
        raise ArgumentError(f"centres must be a tensor of indices [m], got {kind_of(centres)}; use torch.as_tensor")
    if centres.numel() and (centres.dtype == torch.bool or centres.is_floating_point()):
        raise ArgumentError(f"centres must be indices, got {centres.dtype}; use mask.nonzero().flatten()")
    centres = centres.to(device, torch.int64).flatten()
    if centres.numel() and not 0 <= int(centres.min()) <= int(centres.max()) < n:
        raise ArgumentError(
            f"centres must be indices from 0 to {n - 1}, got {int(centres.min())}..{int(centres.max())}"
        )
    if candidates is None:
        allowed = torch.ones(n, dtype=torch.bool, device=device)
    else:
        allowed = check_mask(candidates, "candidates", n).to(device, copy=True)
    allowed[centres] = False
    pool = allowed.nonzero().squeeze(1)
    if isinstance(budget, bool) or not isinstance(budget, int) or not 0 <= budget <= len(pool):
        raise ArgumentError(f"budget must be a whole number from 0 to the {len(pool)} candidates, got {budget!r}")
    return centres, pool


class _LazySearch:
    """Squared distances of the pool to the centers so far: exact for an active few, bounds for the rest.

    Indices are positions in the pool. `bound[i]` is the distance to the first `seen[i]` of the new centers and
    all old ones; a taken position has bound -1. With weights, every one of these distances is times its point's
    squared weight.
    """

    ACTIVE = 256

    def __init__(self, points: Tensor, pool: Tensor, squared_weights: Tensor | None = None) -> None:
        self.points, self.pool, self.squared_weights = points, pool, squared_weights
        self.bound = points.new_empty(len(pool))
        self.seen = torch.zeros(len(pool), dtype=torch.int64, device=points.device)
        self.centres: list[int] = []
        self.active = pool[:0]
        self.rows = points[:0]
        self.exact = points.new_empty(0)
        self.best_outside = float("inf")

    def start(self, centres: Tensor) -> None:
        """Distances to the given centers, `[m, d]`, for the whole pool."""
        block = max(1, _BLOCK_ELEMENTS // max(self.points.shape[1], 1))
        for begin in range(0, len(self.pool), block):
            rows = self.points[self.pool[begin : begin + block]]
            self.bound[begin : begin + block] = nearest_centre(rows, centres)[1]
        if self.squared_weights is not None:
            self.bound *= self.squared_weights

    def spread_from(self, position: int) -> float:
        """Largest squared distance from one point: what a first center leaves uncovered."""
        return float(self.bound.max()) if len(self.pool) > 1 else float(self.bound[position])

    def farthest(self) -> tuple[int, float]:
        """Position and squared distance of the farthest point, the lowest position among equals."""
        if len(self.active):
            value, slot = self.exact.max(dim=0)
            if float(value) > self.best_outside:
                return int(self.active[slot]), float(value)
        return self._refill()

    def take(self, position: int) -> None:
        """Make a point a centre: it leaves the pool, and the active points' distances are brought up to date."""
        self.centres.append(position)
        self.bound[position] = -1.0
        if len(self.active):
            centre = self.points[self.pool[position]]
            distance = self._weighted((self.rows - centre).square_().sum(dim=1), self.active)
            torch.minimum(self.exact, distance, out=self.exact)
            self.exact.masked_fill_(self.active == position, -1.0)

    def _refill(self) -> tuple[int, float]:
        """Choose the active points anew, bring them up to date, and grow them until no bound outside can win."""
        if len(self.active):
            self.bound[self.active] = self.exact
            self.seen[self.active] = len(self.centres)
        size = min(self.ACTIVE, len(self.pool))
        chosen = self.bound.topk(size).indices
        inside = torch.zeros(len(self.pool), dtype=torch.bool, device=self.bound.device)
        while True:
            self._catch_up(chosen)
            inside[chosen] = True
            outside = torch.where(inside, -1.0, self.bound)
            best = float(self.bound[inside].max())
            # At 0 index order decides, so that bounds of 0 outside need not be looked at.
            chosen = (outside >= best if best > 0 else outside > 0).nonzero().squeeze(1)
            if not len(chosen):
                break
        self.active = inside.nonzero().squeeze(1)
        self.rows = self.points[self.pool[self.active]]
        self.exact = self.bound[self.active]
        self.best_outside = float(outside.max())
        slot = int(self.exact.argmax())
        return int(self.active[slot]), best

    def _catch_up(self, chosen: Tensor) -> None:
        """Distances of the chosen points to the new centers they have missed."""
        chosen = chosen[self.bound[chosen] >= 0]
        if not len(chosen):
            return
        missed = int(self.seen[chosen].min())
        if missed == len(self.centres):
            return
        centres = self.points[self.pool[torch.tensor(self.centres[missed:], device=self.pool.device)]]
        block = max(1, _BLOCK_ELEMENTS // max(self.points.shape[1], len(centres)))
        for some in chosen.split(block):
            rows = self.points[self.pool[some]]
            distance = self._weighted(nearest_centre(rows, centres)[1], some)
            self.bound[some] = torch.minimum(self.bound[some], distance)
        self.seen[chosen] = len(self.centres)

    def _weighted(self, squared: Tensor, positions: Tensor) -> Tensor:
        return squared if self.squared_weights is None else squared * self.squared_weights[positions]


def nearest_centre(rows: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    r"""Which center is nearest to each row, and its squared distance, exactly 0 for a duplicate of one.

    :math:`\lVert x \rVert^2 + \lVert c \rVert^2 - 2 x^\top c`, one matrix product, says which center is nearest
    but loses digits where that distance is small against the norms. So the data is centered, the distance to the
    winner is then taken by subtraction, and rows whose contest rounding could have decided near zero are
    compared with all centers by subtraction.

    Args:
        rows: `[r, d]`.
        centres: `[m, d]`, m > 0.

    Returns:
        Row of the center `[r]` int64 and squared distance `[r]`.
    """
    mean = centres.mean(dim=0)
    near, far = rows - mean, centres - mean
    near_norm, far_norm = near.square().sum(dim=1), far.square().sum(dim=1)
    estimate = torch.full_like(near_norm, torch.inf)
    winner = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    block = max(1, _BLOCK_ELEMENTS // max(len(rows), 1))
    for begin in range(0, len(centres), block):
        some = slice(begin, begin + block)
        contest = torch.addmm(far_norm[some], near, far[some].T, alpha=-2)
        value, slot = contest.min(dim=1)
        better = value < estimate
        estimate = torch.where(better, value, estimate)
        winner = torch.where(better, slot + begin, winner)
    nearest = (rows - centres[winner]).square_().sum(dim=1)
    slack = 64 * torch.finfo(rows.dtype).eps * (near_norm + far_norm.max())
    unsure = ((nearest > 0) & (nearest <= slack)).nonzero().squeeze(1)
    for some_rows in unsure.split(max(1, _BLOCK_ELEMENTS // centres.numel() if centres.numel() else 1)):
        nearest[some_rows], winner[some_rows] = _squared_distances(rows[some_rows], centres).min(dim=1)
    return winner, nearest


def tame(values: Tensor, magnitudes: Tensor, most: int = 32) -> tuple[Tensor, float]:
    """Values whose squares neither over- nor underflow, and the power of two they were divided by.

    Those with the largest magnitude between 2^-most and 2^(most + 1) are left as they are.
    """
    exponent = math.frexp(float(magnitudes.max()))[1] - 1
    # A power of two rounds nothing; ordinary points are not even copied.
    return (values / 2.0**exponent, 2.0**exponent) if abs(exponent) > most else (values, 1.0)


def _squared_weights(weights: Tensor | None, points: Tensor, pool: Tensor) -> tuple[Tensor | None, float]:
    """The pool's squared weights, below 4 so that they overflow no distance, and by what the weights were divided."""
    if weights is None:
        return None, 1.0
    weights = check_values(weights, "weights", len(points))
    if (weights < 0).any():
        raise ArgumentError(f"weights must not be negative; {name_rows(weights < 0)} are")
    weights = weights.to(points.device)[pool]
    weights, scale = tame(weights, weights, most=0)
    return weights.to(points.dtype).square(), scale


def _squared_distances(rows: Tensor, centres: Tensor) -> Tensor:
    """All squared distances `[r, m]` by subtraction, without cancellation."""
    return (rows.unsqueeze(1) - centres).square_().sum(dim=2)
