"""Places in a depth frame that may be the palm of a hand: wide enough, not too wide, and at the end of a limb.

A frame is sampled on a coarse grid, and cut into surfaces where depth jumps. The largest disc inside a surface around
each point has a radius in mm; where that is a local maximum and of a palm's size, the surface around it is looked at
along circles: fingers cross a near circle in narrow arcs, a forearm crosses a far one in one wide arc, and what goes on
to several sides (a torso, a table, the middle of an arm) is no hand.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.crop import DepthImage

GRID = 160
"""Points of the grid along the frame's longer side, at least; more where the frame is no multiple."""

JUMP = 18.0
"""Depth between neighboring points of the grid that parts surfaces, mm, beside what a slope makes."""

SLOPE = 3.0
"""mm of depth a mm across that a surface may still have."""

SMALLEST, LARGEST = 20.0, 62.0
"""Radius of a palm's largest inner disc, mm: from a hand seen from its edge to a large flat one with its shadow."""

APART = 45.0
"""Nearer than this, mm, two places are one palm."""

MOST = 24
"""Places looked at in a frame, widest first within each surface."""

RAYS = 72
"""Directions in which the circles are sampled."""


class Grid(NamedTuple):
    """A frame on a coarse grid.

    Args:
        depth: `[h, w]` mm; 0 where nothing was measured.
        step: px of the frame between neighboring points.
        left: Column of the first point in the full image, px.
        top: Row of the first point, px.
        radius: Of the largest disc inside the surface around each point, `[h, w]` mm.
        surface: Number of the surface of each point, `[h, w]`, from 1; 0 on its rim and where nothing was measured.
    """

    depth: NDArray[np.float32]
    step: int
    left: int
    top: int
    radius: NDArray[np.float32]
    surface: NDArray[np.int32]


class Palm(NamedTuple):
    """A place that may be a palm.

    Args:
        row: On the grid.
        column: On the grid.
        depth: mm.
        radius: Of the largest disc inside the surface around it, mm.
        fingers: Narrow arcs of the surface on near circles, at most.
        limbs: Wide arcs on a far circle; parts beyond the frame's edge that the surface runs into count as one.
        far_arc: Share of the far circle on the surface.
        area: Of the surface within the far circle, mm^2.
        at_end: Whether it is at the end of a limb.
    """

    row: int
    column: int
    depth: float
    radius: float
    fingers: int
    limbs: int
    far_arc: float
    area: float
    at_end: bool = False


def grid_of(image: DepthImage, camera: Camera, near: float, far: float) -> Grid | None:
    """Sample a frame and cut it into surfaces; None if nothing was measured between the two depths.

    Args:
        image: The frame.
        camera: Its camera.
        near: Nearest depth that counts, mm.
        far: Farthest depth that counts, mm.
    """
    whole = image.depth.numpy()
    step = max(1, max(camera.width, camera.height) // GRID)
    depth = _sampled(np.where((whole >= max(near, 1e-3)) & (whole <= far), whole, 0), step)
    if not depth.any():
        return None
    inside = _inside_surfaces(depth, step, camera)
    surface = ndimage.label(inside)[0].astype(np.int32)
    # Beyond the frame's edge a surface goes on; there the disc is not cut.
    pixels = ndimage.distance_transform_edt(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1]
    focal = math.sqrt(camera.fx * camera.fy)
    radius = (pixels * step * depth / focal).astype(np.float32)
    offset = step // 2
    return Grid(depth, step, image.left + offset, image.top + offset, radius, surface)


def _sampled(depth: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Every `step`-th point, from the middle of its block; a hole takes the middle of what is measured around it."""
    offset = step // 2
    points = depth[offset::step, offset::step].astype(np.float32, copy=True)
    if step > 1:
        h, w = points.shape
        for down, across in ((0, 0), (step - 1, step - 1), (0, step - 1), (step - 1, 0)):
            other = depth[down::step, across::step][:h, :w]
            view = points[: other.shape[0], : other.shape[1]]
            np.copyto(view, other, where=(view == 0) & (other > 0))
    return _filled(points)


def _filled(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Depth with single missing points filled in where most neighbors lie on one surface."""
    padded = np.pad(depth, 1)
    h, w = depth.shape
    stack = np.stack([padded[i : i + h, j : j + w] for i in range(3) for j in range(3) if (i, j) != (1, 1)])
    hole = (depth == 0) & ((stack > 0).sum(axis=0) >= 5)
    if not hole.any():
        return depth
    around = stack[:, hole]
    measured = around > 0
    lowest = np.where(measured, around, np.inf).min(axis=0)
    highest = around.max(axis=0)
    value = around.sum(axis=0) / measured.sum(axis=0)
    filled = depth.copy()
    filled[hole] = np.where(highest - lowest < 40, value, 0)
    return filled


def _inside_surfaces(depth: NDArray[np.float32], step: int, camera: Camera) -> NDArray[np.bool_]:
    """Points that lie on a surface and not on its rim, `[h, w]`."""
    inside = depth > 0
    allowed = JUMP + SLOPE * depth * step / math.sqrt(camera.fx * camera.fy)
    _cut(inside, depth, allowed)
    _cut(inside.T, depth.T, allowed.T)
    return inside


def _cut(inside: NDArray[np.bool_], depth: NDArray[np.float32], allowed: NDArray[np.float32]) -> None:
    """Take away the points on both sides of each jump between rows."""
    cut = np.abs(np.diff(depth, axis=0)) > np.minimum(allowed[:-1], allowed[1:])
    inside[:-1] &= ~cut
    inside[1:] &= ~cut


def palms_of(grid: Grid, camera: Camera, reach: float = 125.0) -> list[Palm]:
    """Places that may be palms.

    Args:
        grid: The frame.
        camera: Its camera.
        reach: Radius of the far circle, mm: beyond a hand's fingertips.
    """
    focal = math.sqrt(camera.fx * camera.fy)
    radius, depth = grid.radius, grid.depth
    top = ndimage.maximum_filter(radius, size=5)
    rows, columns = np.nonzero((radius == top) & (radius >= SMALLEST) & (radius <= LARGEST))
    order = np.argsort(-radius[rows, columns], kind="stable")
    chosen: list[tuple[int, int]] = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        mm = float(depth[row, column]) * grid.step / focal
        if all(
            math.hypot(row - r, column - c) * mm > APART or abs(float(depth[row, column] - depth[r, c])) > 2 * APART
            for r, c in chosen
        ):
            chosen.append((row, column))
        if len(chosen) == MOST:
            break
    return [look_around(grid, camera, row, column, reach) for row, column in chosen]


def look_around(grid: Grid, camera: Camera, row: int, column: int, reach: float = 125.0) -> Palm:
    """What a place on the grid looks like along circles around it.

    Args:
        grid: The frame.
        camera: Its camera.
        row: Of the place.
        column: Of the place.
        reach: Radius of the far circle, mm.
    """
    focal = math.sqrt(camera.fx * camera.fy)
    z = float(grid.depth[row, column])
    per_mm = focal / z / grid.step
    half = math.ceil((reach + 25) * per_mm) + 1
    rows = slice(max(row - half, 0), row + half + 1)
    columns = slice(max(column - half, 0), column + half + 1)
    depth = grid.depth[rows, columns]
    # Rims belong to the surface again: fingers are hardly wider than their rims.
    near = (depth > 0) & (np.abs(depth - z) < reach)
    same = _grown(depth, near, (row - rows.start, column - columns.start))
    y, x = np.ogrid[rows.start : rows.start + depth.shape[0], columns.start : columns.start + depth.shape[1]]
    across = np.hypot((y - row) / per_mm, (x - column) / per_mm)
    area = float((same & (across <= reach)).sum()) / per_mm**2
    radius = float(grid.radius[row, column])
    fingers = 0
    for r in (radius + 28, radius + 42):
        hit, _ = _circle(same, row - rows.start, column - columns.start, r * per_mm)
        widths = [2 * math.pi * r * n / RAYS for n in _arcs(hit)]
        fingers = max(fingers, sum(width <= 34 for width in widths))
    hit, outside = _circle(same, row - rows.start, column - columns.start, reach * per_mm)
    beyond = _runs_out(same, grid, rows, columns, row, column, reach * per_mm, outside)
    widths = [2 * math.pi * reach * n / RAYS for n in _arcs(hit | beyond)]
    limbs = sum(width > 34 for width in widths)
    return Palm(row, column, z, radius, fingers, limbs, float((hit | beyond).mean()), area)


def _grown(depth: NDArray[np.float32], mask: NDArray[np.bool_], start: tuple[int, int]) -> NDArray[np.bool_]:
    """The part of a mask that is connected to a point without a jump of depth."""
    h, w = depth.shape
    # A grid twice as fine has a cell for each pair of neighbors.
    fine = np.zeros((2 * h - 1, 2 * w - 1), np.bool_)
    fine[::2, ::2] = mask
    fine[1::2, ::2] = mask[:-1] & mask[1:] & (np.abs(np.diff(depth, axis=0)) <= 2 * JUMP)
    fine[::2, 1::2] = mask[:, :-1] & mask[:, 1:] & (np.abs(np.diff(depth, axis=1)) <= 2 * JUMP)
    labels = ndimage.label(fine)[0]
    number = labels[2 * start[0], 2 * start[1]]
    return np.asarray((labels[::2, ::2] == number) & (number > 0))


_ANGLES = 2 * np.pi * np.arange(RAYS) / RAYS


def _circle(
    mask: NDArray[np.bool_], row: int, column: int, radius: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which points of a circle lie in a mask, and which outside of the picture, `[RAYS]` each."""
    y = np.rint(row + radius * np.sin(_ANGLES)).astype(int)
    x = np.rint(column + radius * np.cos(_ANGLES)).astype(int)
    outside = (y < 0) | (x < 0) | (y >= mask.shape[0]) | (x >= mask.shape[1])
    hit = np.zeros(RAYS, np.bool_)
    hit[~outside] = mask[y[~outside], x[~outside]]
    return hit, outside


def _runs_out(
    same: NDArray[np.bool_],
    grid: Grid,
    rows: slice,
    columns: slice,
    row: int,
    column: int,
    radius: float,
    outside: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Directions in which the surface leaves the frame before it reaches a circle, `[RAYS]`."""
    if not outside.any():
        return outside
    h, w = grid.depth.shape
    found = np.zeros(RAYS, np.bool_)
    for ray in np.flatnonzero(outside).tolist():
        sine, cosine = math.sin(_ANGLES[ray]), math.cos(_ANGLES[ray])
        steps = np.arange(0, radius, 0.5)
        y, x = np.rint(row + steps * sine).astype(int), np.rint(column + steps * cosine).astype(int)
        seen = (y >= 0) & (x >= 0) & (y < h) & (x < w)
        last = int(np.flatnonzero(seen)[-1])
        found[ray] = same[y[last] - rows.start, x[last] - columns.start]
    return found


def _arcs(hit: NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs on a circle, in rays; gaps of one ray are closed."""
    closed = hit | (np.roll(hit, 1) & np.roll(hit, -1))
    if closed.all():
        return [len(closed)]
    start = int(np.flatnonzero(~closed)[0])
    turned = np.roll(closed, -start)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], turned.view(np.int8), [0]))))
    return [int(last - first) for first, last in zip(edges[::2], edges[1::2], strict=True)]
