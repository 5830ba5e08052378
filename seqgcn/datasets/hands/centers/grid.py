"""Depth frames shrunk to one small grid, whatever camera they are from.

The frame's longer side fills the grid, the rest stays empty (letterboxed); a frame smaller than the grid is not
enlarged. Pixel (u, v) falls into cell (floor((u + 1/2) / step) + left, floor((v + 1/2) / step) + top), so that the grid
has a pinhole camera of its own.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import kind_of, name_rows

ROWS, COLUMNS = 72, 96
"""Cells of the grid."""

FARTHEST = 10_000
"""What is farther away than this, mm, counts as nothing: a hand there would be smaller than a cell."""

Grids = NDArray[np.uint16]
"""`[n, ROWS, COLUMNS]` or `[ROWS, COLUMNS]`, whole mm, 0 where there is nothing."""


def _layout(camera: Camera) -> tuple[float, int, int]:
    """Pixels a cell, and the grid's column and row at which the frame starts."""
    step = max(camera.width / COLUMNS, camera.height / ROWS, 1.0)
    left = (COLUMNS - math.ceil(camera.width / step - 1e-9)) // 2
    top = (ROWS - math.ceil(camera.height / step - 1e-9)) // 2
    return step, left, top


def grid_camera(camera: Camera) -> Camera:
    """Camera that sees the grid as `camera` sees the frame.

    Args:
        camera: Of the full frame.
    """
    step, left, top = _layout(camera)
    return Camera(
        camera.fx / step,
        camera.fy / step,
        (camera.cx + 0.5) / step + left - 0.5,
        (camera.cy + 0.5) / step + top - 0.5,
        COLUMNS,
        ROWS,
        camera.axes,
    )


def shrink(image: DepthImage, camera: Camera) -> Grids:
    """Nearest surface in each cell of the grid.

    A surface is at least two pixels wide: single pixels between a hand's edge and the wall are no surface.

    Args:
        image: The frame, or the box of it that is kept.
        camera: Of the full frame.

    Returns:
        `[ROWS, COLUMNS]` uint16 mm, 0 where no surface was measured.

    Raises:
        ArgumentError: The image does not lie within the camera's.
    """
    depth = image.depth.numpy()
    if depth.ndim != 2:
        raise ArgumentError(f"the depth image must be [h, w], got {list(depth.shape)}")
    h, w = depth.shape
    if image.left < 0 or image.top < 0 or image.left + w > camera.width or image.top + h > camera.height:
        raise ArgumentError(
            f"an image of {w} x {h} px at column {image.left}, row {image.top} does not lie within the camera's "
            f"{camera.width} x {camera.height} px; is this the frame's camera?"
        )
    grid = np.zeros((ROWS, COLUMNS), np.uint16)
    if h == 0 or w == 0:
        return grid
    step, left, top = _layout(camera)
    # In steps of 1 mm with nothing at the far end, nearest is a plain minimum of small numbers.
    near = np.where((depth > 0) & (depth < FARTHEST), depth, 65535).astype(np.uint16)
    if step >= 2 and w > 1:
        np.maximum(near[:, :-1], near[:, 1:], out=near[:, :-1])
        near[:, -1] = near[:, -2]
    rows, row_starts = _cells(image.top, h, step, top)
    columns, column_starts = _cells(image.left, w, step, left)
    blocks = np.minimum.reduceat(np.minimum.reduceat(near, row_starts, axis=0), column_starts, axis=1)
    blocks[blocks == 65535] = 0
    grid[rows, columns] = blocks
    return grid


def _cells(start: int, length: int, step: float, offset: int) -> tuple[slice, NDArray[np.intp]]:
    """Cells that `length` pixels from `start` on fall into, and where each cell's pixels begin."""
    cells = np.floor((np.arange(start, start + length) + 0.5) / step).astype(np.intp) + offset
    starts = np.flatnonzero(np.diff(cells, prepend=cells[0] - 1))
    return slice(int(cells[0]), int(cells[-1]) + 1), starts


def check_grids(grids: Any) -> Grids:
    """Grids `[n, ROWS, COLUMNS]` in mm as uint16.

    Raises:
        ArgumentError: Another type or shape, negative or not finite.
    """
    if not isinstance(grids, np.ndarray) or grids.ndim != 3 or grids.shape[1:] != (ROWS, COLUMNS):
        got = f"{grids.dtype} {list(grids.shape)}" if isinstance(grids, np.ndarray) else kind_of(grids)
        raise ArgumentError(f"grids must be an array [n, {ROWS}, {COLUMNS}] of mm, as shrink gives them, got {got}")
    if grids.dtype == np.uint16:
        return grids
    if grids.dtype.kind not in "fiu":
        raise ArgumentError(f"grids must be numbers in mm, got {grids.dtype}")
    # Half precision cannot hold the bound.
    values = grids.astype(np.float64)
    wrong = torch.from_numpy(~(np.isfinite(values) & (values >= 0) & (values < 65535.5)).all(axis=(1, 2)))
    if wrong.any():
        raise ArgumentError(f"grids must be finite, from 0 to 65535 mm; {name_rows(wrong)} are not")
    return np.rint(values).astype(np.uint16)
