r"""Greedy facility location: few points to which all others are as similar as can be; pure tensor functions."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgcn.exceptions import ArgumentError
from seqgcn.graph import unit_rows
from seqgcn.training import Progress

_BLOCK = 1024
"""Rows and columns of the blocks in which similarities are looked at: about what a processor's cache holds."""

_SLACK = 32
"""Rounding of a similarity, in units of the last place; equals differ by less."""

_ALIKE = 1e-9
"""Gains that differ by more are told apart, however much rounding may change them; no similarity is above 1."""

_UNSURE = 1e-3
"""Largest slack that is put up with: the share by which rounding may change a similarity."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """A similarity of n points that is never written out: an increasing function of an inner product.

    Args:
        left: What the points are as one argument, `[n, k]`.
        right: What they are as the other, `[n, k]`.
        slack: How much rounding may change a point's inner products, `[n]`.
        dtype: Precision of the points, in which is told what picks gain.
        exponential: Whether the similarity is the inner product's exponential, or the product itself.
    """

    left: Tensor
    right: Tensor
    slack: Tensor
    dtype: torch.dtype
    exponential: bool

    @property
    def least(self) -> float:
        """Inner product below which none lies: that with no point at all."""
        return -torch.inf if self.exponential else -1.0

    def value(self, products: Tensor) -> Tensor:
        """Similarities of inner products, which are overwritten."""
        return products.exp_() if self.exponential else products


def cosine(points: Tensor) -> Similarity:
    """Cosine similarity, from -1 to 1; that with a zero row is 0.

    Args:
        points: `[n, d]`.
    """
    unit, _ = unit_rows(points)
    slack = unit.new_full((len(unit),), _SLACK * torch.finfo(unit.dtype).eps)
    return Similarity(left=unit, right=unit, slack=slack, dtype=points.dtype, exponential=False)


def gaussian(points: Tensor, sigma: float | None = None) -> Similarity:
    r"""Gaussian kernel, :math:`\exp(-\lVert x_i - x_j \rVert^2 / 2 \sigma^2)`.

    The farther points lie from their mean in units of sigma, the more digits the inner products lose; where single
    precision has too few left, double is taken.

    Args:
        points: `[n, d]`.
        sigma: Its width, in units of the points; by default the root of half their mean squared distance.

    Raises:
        ArgumentError: Points lie more than about 500,000 sigma from their mean.
    """
    scale = float(points.abs().amax()) or 1.0
    centred = points / scale
    centred -= centred.mean(dim=0)
    # Half the mean squared distance of two points is their variance: no pairs are needed.
    variance = float(centred.square().sum(dim=1).mean())
    # Points that are all equal have no width of their own; a width then changes nothing.
    centred /= sigma / scale if sigma is not None else variance**0.5 or 1.0
    half = centred.square().sum(dim=1, keepdim=True) / 2
    slack = _SLACK * torch.finfo(centred.dtype).eps * (1 + half.squeeze(1))
    if not (slack <= _UNSURE).all():
        if points.dtype != torch.float64:
            return replace(gaussian(points.double(), sigma), dtype=points.dtype)
        raise ArgumentError(f"sigma = {sigma} is too small against the points' distances; enlarge it or normalize x")
    ones = torch.ones_like(half)
    return Similarity(
        left=torch.cat([centred, -half, ones], dim=1),
        right=torch.cat([centred, ones, -half], dim=1),
        slack=slack,
        dtype=points.dtype,
        exponential=True,
    )


def facility_location(
    similarity: Similarity,
    rows: Tensor,
    columns: Tensor,
    budget: int,
    *,
    centres: Tensor | None = None,
    progress: Progress | None = None,
    stage: str = "facility location",
) -> tuple[Tensor, Tensor]:
    r"""Greedy maximization of a facility location function, within 1 - 1/e of the best (Nemhauser et al. 1978).

    .. math:: F(S) = \sum_{j \in \text{columns}} \max_{i \in \text{centers} \cup S} k(x_i, x_j)

    Every pick is the row that raises F most, of equal ones the first; gains that differ by no more than rounding
    are equal. Without any center, maxima start at the least value k can have.

    A pick changes only the columns that it is nearer to than any before, so gains are corrected over those alone.
    As soon as the similarities that exceed their column's maximum are few enough, they are written down, and no
    further matrix product is needed. The picks are those of the plain loop.

    Args:
        similarity: k.
        rows: Points that may be picked, indices `[r]`.
        columns: Points to be similar to, indices `[m]`.
        budget: How many to pick, at most r.
        centres: Points that are there already, indices; none by default.
        progress: Told about every pick.
        stage: The name under which it is told.

    Returns:
        The picks in order, `[budget]`, and how much each raised F, `[budget]`.

    >>> line = gaussian(torch.tensor([[0.0], [1.0], [2.0], [9.0]]), sigma=1.0)
    >>> facility_location(line, torch.arange(4), torch.arange(4), budget=2)[0]
    tensor([1, 3])
    """
    if budget == 0:
        return rows[:0], similarity.slack[:0].to(similarity.dtype)
    search = _Search(similarity, rows, columns, rows[:0] if centres is None else centres)
    picks: list[int] = []
    gains: list[float] = []
    while len(picks) < budget:
        pick, gain = search.best()
        picks.append(pick)
        gains.append(gain)
        if len(picks) < budget:
            search.take(pick)
        if progress is not None:
            progress(stage, len(picks), budget)
    # They never increase, but once anew and more exactly when the pairs are written down.
    falling = torch.tensor(gains, dtype=similarity.dtype, device=rows.device).cummin(dim=0).values
    return rows[torch.tensor(picks, dtype=torch.int64, device=rows.device)], falling


class _Search:
    """Gains of all rows, exact after every pick.

    `level[j]` is column j's largest inner product with a center, rounded up by its slack, so that what equals a
    center gains exactly nothing; `cover[j]` is the similarity it stands for. Pairs, once written down, are those of
    column j from `first[j]` to `first[j + 1]`.
    """

    PAIRS, ELEMENTS = 2**27, 2**23

    def __init__(self, similarity: Similarity, rows: Tensor, columns: Tensor, centres: Tensor) -> None:
        self.value = similarity.value
        self.rows = similarity.left[rows]
        self.columns = similarity.right[columns]
        self.slack = similarity.slack[columns]
        self.level = self.slack.new_full((len(columns),), similarity.least)
        if len(centres):
            chosen = similarity.left[centres]
            for start in range(0, len(columns), _BLOCK):
                some = slice(start, start + _BLOCK)
                self.level[some] = _largest(self.columns[some], chosen) + self.slack[some]
        self.cover = self.value(self.level.clone())
        self.gain = torch.zeros(len(rows), dtype=torch.float64, device=self.level.device)
        self.taken = torch.zeros(len(rows), dtype=torch.bool, device=self.level.device)
        self.written = False
        self._step = max(1, self.ELEMENTS // len(rows))
        if self._few():
            self._write_down()
        else:
            self._add(
                torch.arange(len(columns), device=rows.device), self.cover, torch.full_like(self.cover, torch.inf)
            )
        # Levels are rounded up, and so gains down, by unlike amounts.
        self.rounding = 64 * torch.finfo(torch.float64).eps * float(self.gain.max())
        self.rounding += min(2 * float(self.slack.sum()), _ALIKE)

    def best(self) -> tuple[int, float]:
        """Position and gain of the row to pick next."""
        left = self.gain.masked_fill(self.taken, -torch.inf)
        top = left.max()
        equal = left >= top - 64 * torch.finfo(self.rows.dtype).eps * top.abs() - self.rounding
        # What corrections have left of no gain is none.
        return int(equal.to(torch.uint8).argmax()), float(top) if top > self.rounding else 0.0

    def take(self, position: int) -> None:
        """Make a row a center."""
        self.taken[position] = True
        level = torch.addmv(self.slack, self.columns, self.rows[position])
        nearer = (level > self.level).nonzero().squeeze(1)
        old = self.cover[nearer]
        self.level[nearer] = level[nearer]
        self.cover[nearer] = new = self.value(level[nearer])
        if self.written:
            self._correct(nearer, old, new)
            return
        self._add(nearer, old, new, sign=-1)
        if self._few():
            self._write_down()

    def _add(self, nearer: Tensor, low: Tensor, high: Tensor, sign: int = 1) -> None:
        """Add to each row's gain how far its similarity to some columns reaches from `low` towards `high`."""
        buffer = self.rows.new_empty(_BLOCK * _BLOCK)
        for some, floor, ceiling in zip(nearer.split(_BLOCK), low.split(_BLOCK), high.split(_BLOCK), strict=True):
            columns = self.columns[some].T
            for start in range(0, len(self.rows), _BLOCK):
                rows = self.rows[start : start + _BLOCK]
                block = buffer[: len(rows) * len(some)].view(len(rows), len(some))
                block = self.value(torch.mm(rows, columns, out=block))
                reach = torch.clamp(block, floor, ceiling, out=block).sub_(floor).sum(dim=1)
                self.gain[start : start + _BLOCK] += sign * reach

    def _few(self) -> bool:
        """Whether the pairs that still count are few enough, as a sample of the columns has it."""
        size = len(self.rows) * len(self.columns)
        if size <= self.PAIRS:
            return True
        sample = slice(None, None, max(1, len(self.columns) // 256))
        exceeding = self.columns[sample] @ self.rows.T > self.level[sample].unsqueeze(1)
        return float(exceeding.float().mean()) * size <= self.PAIRS

    def _write_down(self) -> None:
        """Keep the pairs whose similarity exceeds the column's maximum, and take the gains anew from them."""
        self.written = True
        self.gain.zero_()
        counts, rows, similar = [], [], []
        width = len(self.rows)
        buffer = self.rows.new_empty(self._step * width)
        for start in range(0, len(self.columns), self._step):
            some = slice(start, start + self._step)
            block = buffer[: len(self.columns[some]) * width].view(-1, width)
            torch.mm(self.columns[some], self.rows.T, out=block)
            exceeding = (block > self.level[some].unsqueeze(1)).flatten().nonzero().squeeze(1)
            column, row = exceeding // width, exceeding % width
            value = self.value(block.flatten()[exceeding])
            self.gain.index_add_(0, row, (value - self.cover[some][column]).double())
            counts.append(column.bincount(minlength=len(block)))
            rows.append(row.int())
            similar.append(value)
        self._keep(counts, rows, similar)

    def _keep(self, counts: list[Tensor], rows: list[Tensor], similar: list[Tensor]) -> None:
        self.first = F.pad(torch.cat(counts).cumsum(dim=0), (1, 0))
        # One after the other, so that no more than one of them is held twice.
        self.row = torch.cat(rows)
        rows.clear()
        self.similar = torch.cat(similar)
        self.idle = 0

    def _correct(self, nearer: Tensor, old: Tensor, new: Tensor) -> None:
        """Lower the gains by what the pairs of some columns have lost, their maxima having risen."""
        begin, length = self.first[nearer], self.first[nearer + 1] - self.first[nearer]
        parts = (part.split(self._step) for part in (begin, length, old, new))
        for start, count, low, high in zip(*parts, strict=True):
            offset = torch.repeat_interleave(start - count.cumsum(dim=0) + count, count)
            pair = offset.add_(torch.arange(len(offset), device=offset.device))
            floor = low.repeat_interleave(count)
            lost = torch.clamp(self.similar[pair], floor, high.repeat_interleave(count)).double() - floor.double()
            self.gain.index_add_(0, self.row[pair], -lost)
            self.idle += len(pair)
        if self.idle > len(self.row):
            self._forget()

    def _forget(self) -> None:
        """Drop the pairs that no longer exceed their column's maximum."""
        counts, rows, similar = [], [], []
        for start in range(0, len(self.columns), self._step):
            bounds = self.first[start : start + self._step + 1]
            pairs = slice(int(bounds[0]), int(bounds[-1]))
            column = torch.arange(len(bounds) - 1, device=bounds.device).repeat_interleave(bounds.diff())
            left = self.similar[pairs] > self.cover[start : start + self._step][column]
            counts.append(column[left].bincount(minlength=len(bounds) - 1))
            rows.append(self.row[pairs][left])
            similar.append(self.similar[pairs][left])
        self._keep(counts, rows, similar)


def _largest(columns: Tensor, centres: Tensor) -> Tensor:
    """Largest inner product of each column with a center, `[m]`."""
    found = [(columns @ some.T).amax(dim=1) for some in centres.split(_BLOCK)]
    return torch.stack(found).amax(dim=0)
