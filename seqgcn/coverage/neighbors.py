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


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The k nearest other points of each of n points.

    Args:
        index: `[n, k]` int64, nearest first, of equally near ones the lowest; -1 where fewer were found.
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
    values = values - values.mean(axis=0)  # distances lose fewer digits
    n = len(values)
    k = min(k, n - 1)
    if k < 1:
        return Neighbors(np.empty((n, 0), np.int64), np.empty((n, 0)))
    if n <= exact:
        everything = np.arange(n)
        rows = max(1, _BLOCK // n)
        parts = [_nearest(values, everything[i : i + rows], everything, k) for i in range(0, n, rows)]
        return Neighbors(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    return _by_cells(values, k)


def _by_cells(values: NDArray[Any], k: int) -> Neighbors:
    from sklearn.cluster import MiniBatchKMeans

    n = len(values)
    count = max(PROBED, int(n**0.5))
    # On a sample, as only the borders of cells depend on it.
    sample = np.random.default_rng(0).choice(n, min(n, 40 * count), replace=False)
    means = MiniBatchKMeans(count, batch_size=4096, n_init=1, max_iter=20, random_state=0).fit(values[sample])
    to_centers = _squared(values, means.cluster_centers_.astype(values.dtype))
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
        found, apart = _nearest(values, members[cell], searched, min(k, len(searched) - 1))
        index[members[cell], : found.shape[1]], distance[members[cell], : found.shape[1]] = found, apart
    return Neighbors(index, distance)


def _nearest(
    values: NDArray[Any],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    k: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k nearest of some points to others, themselves left out."""
    squared = _squared(values[rows], values[columns])
    squared[rows[:, None] == columns[None, :]] = np.inf
    near = np.argpartition(squared, k - 1, axis=1)[:, :k] if k < len(columns) else np.tile(np.arange(k), (len(rows), 1))
    # Again, and exactly: differences of large products may be below 0, and duplicates apart.
    exact = np.linalg.norm((values[columns[near]] - values[rows][:, None]).astype(np.float64), axis=2)
    order = np.lexsort((columns[near], exact), axis=1)
    return columns[np.take_along_axis(near, order, axis=1)], np.take_along_axis(exact, order, axis=1)


def _squared(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Squared distances `[len(a), len(b)]`, by a matrix product."""
    first, second = torch.from_numpy(np.ascontiguousarray(a)), torch.from_numpy(np.ascontiguousarray(b))
    products = torch.addmm(second.square().sum(dim=1)[None], first, second.T, alpha=-2)
    result: NDArray[Any] = products.add_(first.square().sum(dim=1)[:, None]).numpy()
    return result
