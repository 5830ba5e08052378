"""Ends of limbs in a depth frame: the points of a surface that are farthest, along it, from where it comes from."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.csgraph import dijkstra

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.palms import Grid

SURFACES = 4
"""Nearest surfaces whose ends are looked for."""

ENDS = 3
"""Ends of each."""

LEAST_AREA = 2500.0
"""mm^2; smaller surfaces have no hand."""

LEAST_LENGTH = 90.0
"""mm along the surface from where it comes from, or from another end."""

HAND = 150.0
"""mm from its end that are taken for the hand: a little less than one with straight fingers has."""


def ends_of(grid: Grid, camera: Camera) -> list[tuple[int, int]]:
    """A place in the middle of the hand, if it is one, at each end: row and column on the grid.

    A surface comes from the edge of the picture, if it reaches it; else from its widest place.

    Args:
        grid: The frame.
        camera: Its camera.
    """
    focal = math.sqrt(camera.fx * camera.fy)
    # Parts that only touch through rims, such as fingers, are one surface again.
    places: list[tuple[int, int]] = []
    for number in _nearest_surfaces(grid, focal):
        places += _ends(grid, grid.surface == number, focal)
    return places


def _nearest_surfaces(grid: Grid, focal: float) -> list[int]:
    numbers = np.arange(1, int(grid.surface.max()) + 1)
    if len(numbers) == 0:
        return []
    area = ndimage.sum_labels((grid.depth * grid.step / focal) ** 2, grid.surface, numbers)
    depth = ndimage.mean(grid.depth, grid.surface, numbers)
    large = np.flatnonzero(area >= LEAST_AREA)
    return [int(numbers[i]) for i in large[np.argsort(depth[large], kind="stable")][:SURFACES]]


def _ends(grid: Grid, surface: NDArray[np.bool_], focal: float) -> list[tuple[int, int]]:
    rows, columns = np.nonzero(surface)
    number = np.full(surface.shape, -1)
    number[rows, columns] = np.arange(len(rows))
    depth = grid.depth[rows, columns]
    points = np.stack(
        (columns * grid.step * depth / focal, rows * grid.step * depth / focal, depth.astype(np.float64)), axis=1
    )
    graph = _graph(number, points)
    h, w = surface.shape
    edge = (rows == 0) | (columns == 0) | (rows == h - 1) | (columns == w - 1)
    sources = np.flatnonzero(edge)
    if len(sources) < 3:
        sources = np.array([int(np.argmax(grid.radius[rows, columns]))])
    places: list[tuple[int, int]] = []
    way = dijkstra(graph, indices=sources, min_only=True)
    for _ in range(ENDS):
        reached = np.where(np.isfinite(way), way, -1)
        end = int(np.argmax(reached))
        if reached[end] < LEAST_LENGTH:
            break
        hand = np.linalg.norm(points - points[end], axis=1) <= HAND
        middle = points[hand].mean(axis=0)
        nearest = int(np.argmin(np.linalg.norm(points - middle, axis=1)))
        places.append((int(rows[nearest]), int(columns[nearest])))
        way = np.minimum(way, dijkstra(graph, indices=end))
    return places


def _graph(number: NDArray[np.intp], points: NDArray[np.float64]) -> sparse.csr_matrix:
    """Neighbors on the grid with the mm between them, which is the way along the surface."""
    pairs = []
    for first, second in (
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1, :-1], np.s_[1:, 1:]),
        (np.s_[1:, :-1], np.s_[:-1, 1:]),
    ):
        start, stop = number[first].ravel(), number[second].ravel()
        both = (start >= 0) & (stop >= 0)
        pairs.append(np.stack((start[both], stop[both])))
    start, stop = np.concatenate(pairs, axis=1)
    length = np.linalg.norm(points[start] - points[stop], axis=1)
    n = len(points)
    return sparse.csr_matrix(
        (np.tile(length, 2), (np.concatenate((start, stop)), np.concatenate((stop, start)))), shape=(n, n)
    )
