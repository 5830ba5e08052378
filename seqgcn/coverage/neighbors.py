"""Nearest neighbors by Euclidean distance, exact for small pools and by cells for large ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

EXACT = 20_000
"""Up to this many points, all pairs are compared."""

PROBED = 8
"""Cells that are searched for the neighbors of a point, its own among them."""

_BLOCK = 2**22
"""Distances looked at at a time."""

_ROWS = 8
"""Points whose differences from their neighbors are taken at a time."""

_UNSURE = 1e3
"""Up to this many units in the last place of the products, squared distances are taken again in double precision."""


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The k nearest other points of each of n points.

    Args:
        index: `[n, k]` int64, nearest first, of equally near ones the lowest; -1 where fewer were found. Of more than k
            points at the same distance any k may be found, the same ones each time.
        distance: `[n, k]`, infinite where fewer were found.
    """

    index: NDArray[np.int64]
    distance: NDArray[np.float64]


def nearest_neighbors(points: Tensor, k: int, *, exact: int = EXACT) -> Neighbors:
    """The k nearest other points of each point; all others, if there are no more.

    Above `exact` points they are divided into about sqrt(n) cells by k-means, and only the cells whose centers are
    nearest to a point are searched: time grows as n^1.5, and a few true neighbors are missed.

    Args:
        points: `[n, d]`.
        k: How many, at least 1.
        exact: Up to how many points all pairs are compared.
    """
    values = np.ascontiguousarray(points.detach().cpu().numpy())
    if not len(values) or (k := min(k, len(values) - 1)) < 1:
        return Neighbors(np.empty((len(values), 0), np.int64), np.empty((len(values), 0)))
    # By a power of two, which changes no digit: so that squares neither overflow nor vanish.
    power = int(np.frexp(np.abs(values).max())[1])
    values = np.ldexp(values, -power)
    values = values - values.mean(axis=0)  # distances lose fewer digits
    everything = np.arange(len(values))
    found = _nearest(values, everything, everything, k) if len(values) <= exact else _by_cells(values, k)
    return Neighbors(found.index, np.ldexp(found.distance, power))


def _by_cells(values: NDArray[Any], k: int) -> Neighbors:
    from sklearn.cluster import MiniBatchKMeans

    n = len(values)
    count = max(PROBED, int(n**0.5))
    # On a sample and from random rows, as only the borders of cells depend on it.
    sample = np.random.default_rng(0).choice(n, min(n, 40 * count), replace=False)
    means = MiniBatchKMeans(count, init="random", batch_size=4096, n_init=1, max_iter=20, random_state=0)
    centers = means.fit(values[sample]).cluster_centers_.astype(values.dtype)
    to_centers = _squared(values, centers)
    probed = np.argpartition(to_centers, PROBED - 1, axis=1)[:, :PROBED]
    own = to_centers.argmin(axis=1)
    members = [np.flatnonzero(own == cell) for cell in range(count)]
    index, distance = np.full((n, k), -1), np.full((n, k), np.inf)
    for cell in range(count):
        if not len(members[cell]):
            continue
        # All points of a cell search the cells that most of them are near to.
        near = np.bincount(probed[members[cell]].ravel(), minlength=count)
        searched = np.sort(np.concatenate([members[other] for other in np.argsort(-near, kind="stable")[: 2 * PROBED]]))
        found = _nearest(values, members[cell], searched, min(k, len(searched) - 1))
        width = found.index.shape[1]
        index[members[cell], :width], distance[members[cell], :width] = found.index, found.distance
    return Neighbors(index, distance)


def _nearest(values: NDArray[Any], rows: NDArray[np.int64], columns: NDArray[np.int64], k: int) -> Neighbors:
    """The k nearest of some points to others, themselves left out."""
    step = max(1, _BLOCK // len(columns))
    parts = [_nearest_of(values, rows[i : i + step], columns, k) for i in range(0, len(rows), step)]
    return Neighbors(np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]))


def _nearest_of(
    values: NDArray[Any], rows: NDArray[np.int64], columns: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Neighbors and distances of some rows, both `[m, k]`."""
    some, others = values[rows], values[columns]
    index, distance = _k_smallest(some, others, rows[:, None] == columns, k)
    if k and values.dtype != np.float64:
        # Rounding may have hidden nearer points where the differences of large products are small.
        size = np.square(some).sum(axis=1) + np.square(others).sum(axis=1).max()
        last = np.square(distance[:, -1])
        unsure = np.flatnonzero((last > 0) & (last < _UNSURE * np.finfo(values.dtype).eps * size))
        if len(unsure):
            middle = some[unsure].astype(np.float64).mean(axis=0)
            again = some[unsure].astype(np.float64) - middle, others.astype(np.float64) - middle
            index[unsure], distance[unsure] = _k_smallest(*again, rows[unsure][:, None] == columns, k)
    return columns[index], distance


def _k_smallest(
    some: NDArray[Any], others: NDArray[Any], same: NDArray[np.bool_], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The nearest of the others `[m, k]`, of equally near ones the first, and their distances."""
    squared = _squared(some, others)
    squared[same] = np.inf
    near = np.argpartition(squared, k - 1, axis=1)[:, :k] if k < len(others) else np.tile(np.arange(k), (len(some), 1))
    # Again, and exactly: differences of large products may be below 0, and duplicates apart. By few rows, which a
    # processor's cache holds.
    exact = np.empty(near.shape)
    for i in range(0, len(some), _ROWS):
        apart = others[near[i : i + _ROWS]] - some[i : i + _ROWS, None]
        exact[i : i + _ROWS] = np.linalg.norm(apart.astype(np.float64), axis=2)
    order = np.lexsort((near, exact), axis=1)
    return np.take_along_axis(near, order, axis=1), np.take_along_axis(exact, order, axis=1)


def _squared(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Squared distances `[len(a), len(b)]`, by a matrix product."""
    first, second = torch.from_numpy(np.ascontiguousarray(a)), torch.from_numpy(np.ascontiguousarray(b))
    products = torch.addmm(second.square().sum(dim=1)[None], first, second.T, alpha=-2)
    result: NDArray[Any] = products.add_(first.square().sum(dim=1)[:, None]).numpy()
    return result
