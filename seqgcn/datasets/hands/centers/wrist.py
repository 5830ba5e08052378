"""The center of a hand: the middle of what is seen of it, without the forearm, half a hand's thickness behind it.

The hand is what is connected to its place within `REACH` of the center, up to `WRIST` beyond the center along the
forearm. The forearm is where the surface goes on beyond a hand's length. The center is then taken anew around itself,
so that it depends little on which point of the hand it started from. On rendered hands it lies between the middle of
the palm and the mean of all joints, some 20 mm from either.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.palms import Grid

REACH = 125.0
"""mm around the center that count: as far as fingertips."""

BEYOND = (120.0, 165.0)
"""mm from the center at which the forearm is looked for: farther than fingertips."""

WRIST = 75.0
"""mm from the center to where the forearm is cut off: of a flat hand's center and its wrist."""

LEAST = 6
"""Points of the grid that make a forearm."""

ALIGNED = 0.6
"""Cosine of the angle to the forearm's direction within which points are of it, and not of fingers."""

BEHIND = 15.0
"""mm from the seen surface to the middle of the hand."""

ROUNDS = 3
"""How often the center is taken around itself."""


class Hand(NamedTuple):
    """Where a hand is.

    Args:
        center: (x, y, z) mm.
        forearm: Direction from the center in which the forearm leaves, of length 1; None if none is seen.
    """

    center: tuple[float, float, float]
    forearm: tuple[float, float, float] | None


def hand_at(grid: Grid, camera: Camera, row: int, column: int) -> Hand:
    """The hand that a place on the grid belongs to.

    Args:
        grid: The frame.
        camera: Its camera.
        row: Of the place; something was measured there.
        column: Of the place.
    """
    z = float(grid.depth[row, column])
    # The center moves away from the place by less than a hand.
    half = math.ceil(2 * BEYOND[1] * camera.fx / z / grid.step)
    rows = slice(max(row - half, 0), row + half + 1)
    columns = slice(max(column - half, 0), column + half + 1)
    points = _points(grid, camera, rows, columns)
    inside = row - rows.start, column - columns.start
    center, forearm = points[inside], None
    for _ in range(ROUNDS):
        hand, forearm = _hand(points, center, inside)
        if hand is None:
            break
        center = hand.mean(axis=0)
    x, y, z = center.tolist()
    # Deeper along the line of sight, so that it stays at the same place of the picture.
    farther = 1 + BEHIND / z
    way = None if forearm is None else (float(forearm[0]), float(forearm[1]), float(forearm[2]))
    return Hand((x * farther, y * farther, z * farther), way)


def _points(grid: Grid, camera: Camera, rows: slice, columns: slice) -> NDArray[np.float64]:
    """Points of a part of the grid, `[h, w, 3]` mm; z is 0 where nothing was measured."""
    depth = grid.depth[rows, columns].astype(np.float64)
    v, u = np.ogrid[rows.start : rows.start + depth.shape[0], columns.start : columns.start + depth.shape[1]]
    x = (u * grid.step + grid.left - camera.cx) / camera.fx * depth
    y = (v * grid.step + grid.top - camera.cy) / camera.fy * depth
    return np.stack((x, y, depth), axis=-1)


def _hand(
    points: NDArray[np.float64], center: NDArray[np.float64], inside: tuple[int, int]
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Points of the hand around a center, `[k, 3]` mm, None if its place is no longer near; and the forearm's way."""
    away = points - center
    distance = np.linalg.norm(away, axis=-1)
    labels = ndimage.label((points[..., 2] > 0) & (distance <= BEYOND[1]), structure=np.ones((3, 3)))[0]
    if not labels[inside]:
        return None, None
    same = labels == labels[inside]
    forearm = _forearm(away[same & (distance > BEYOND[0])])
    near = same & (distance <= REACH)
    if forearm is not None:
        near &= away @ forearm <= WRIST
    return (points[near] if near.any() else None), forearm


def _forearm(away: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Direction `[3]` in which most of the points beyond a hand's length are, of length 1; None if there are few."""
    if len(away) < LEAST:
        return None
    directions = away / np.linalg.norm(away, axis=1, keepdims=True)
    direction = directions.mean(axis=0)
    for _ in range(3):
        length = float(np.linalg.norm(direction))
        aligned = directions @ direction > ALIGNED * length
        if length < 1e-6 or not aligned.any():
            return None
        direction = directions[aligned].mean(axis=0)
    return np.asarray(direction / np.linalg.norm(direction))
