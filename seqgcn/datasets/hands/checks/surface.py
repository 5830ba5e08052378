"""How well labels lie on what the depth camera measured, as they are and read in other ways.

A joint is a few millimeters inside the hand. Where it is in sight, the surface that the camera saw at the joint's pixel
is up to about the thickness of a finger, or of half a palm, in front of it. The share of joints of which this holds is
the fit of labels to frames: 0.6 to 1 of right ones, near 0 of labels in other units, axes or of another camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.crop import DepthImage

IN_FRONT, BEHIND = 12.0, 32.0
"""mm that a joint may be in front of the surface, by errors of the label and of the camera, or behind it."""

AROUND = (-1, 0, 1)
"""Pixels around a joint's among which the surface is looked for."""


@dataclass(frozen=True)
class Reading:
    """One way to read the numbers of labels and cameras.

    Args:
        key: Short name of what would be wrong; empty for labels as they are meant.
        order: Which of a row's three numbers are x, y and z.
        signs: What x, y and z are multiplied with.
        unit: mm in the labels' unit.
        pixels: Whether the first two are columns and rows of the picture, `"px"`, or shares of it, `"share"`; empty
            for mm.
        depth: What depths of the frames are multiplied with.
        lens: What all intrinsics are multiplied with, along the width and along the height.
        focal: What focal lengths alone are multiplied with.
        swapped: Whether the intrinsics of width and height are taken for each other.
        shift: Added to x, y and z, mm.
        mirrored: Whether left and right are exchanged within each pose, which stays where it is.
    """

    key: str = ""
    order: tuple[int, int, int] = (0, 1, 2)
    signs: tuple[int, int, int] = (1, 1, 1)
    unit: float = 1.0
    pixels: str = ""
    depth: float = 1.0
    lens: tuple[float, float] = (1.0, 1.0)
    focal: float = 1.0
    swapped: bool = False
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    mirrored: bool = False

    def camera(self, camera: Camera) -> Camera:
        """The camera that would be the right one."""
        fx, fy, cx, cy = camera.fx, camera.fy, camera.cx, camera.cy
        if self.swapped:
            fx, fy, cx, cy = fy, fx, cy, cx
        a, b = self.lens
        return replace(camera, fx=fx * a * self.focal, fy=fy * b * self.focal, cx=cx * a, cy=cy * b)

    def points(self, joints: NDArray[np.float64], camera: Camera) -> NDArray[np.float64]:
        """Joints `[..., 3]` in mm, x right, y down, z away, if the numbers were to be read like this."""
        values = joints[..., self.order] * np.array(self.signs, np.float64)
        lens = self.camera(camera)
        if self.mirrored:
            x = values[..., 0]
            middle = x[np.isfinite(x)].mean() if np.isfinite(x).any() else 0.0
            values = np.stack((2 * middle - x, values[..., 1], values[..., 2]), axis=-1)
        if not self.pixels:
            points: NDArray[np.float64] = values * self.unit + np.array(self.shift)
            return points
        u, v, d = np.moveaxis(values, -1, 0)
        if self.pixels == "share":
            u, v = u * camera.width, v * camera.height
        # A negative sign says that columns or rows are counted from the other end.
        u = u + (camera.width - 1 if self.signs[0] < 0 else 0)
        v = v + (camera.height - 1 if self.signs[1] < 0 else 0)
        d = d * self.unit
        return np.stack(((u - lens.cx) * d / lens.fx, (v - lens.cy) * d / lens.fy, d), axis=-1)


AS_GIVEN = Reading()


@dataclass(frozen=True, eq=False)
class Looked:
    """A frame that was decoded, with its label.

    Args:
        row: Its number in the data set.
        image: The depth.
        camera: Its camera.
        joints: Its label, `[J, 3]`; NaN where there is none.
    """

    row: int
    image: DepthImage
    camera: Camera
    joints: NDArray[np.float64]


def distances(looked: Looked, reading: Reading = AS_GIVEN) -> NDArray[np.float64]:
    """How far each joint is behind the surface at its pixel, `[J]` mm.

    NaN of joints without a label, infinite of those outside of the picture or where nothing was measured. Among the
    pixels around a joint's, the one that fits best counts.
    """
    points = reading.points(looked.joints, looked.camera)
    behind = np.full(len(points), np.inf)
    known = np.isfinite(points).all(axis=-1)
    behind[~known] = np.nan
    rows = np.flatnonzero(known & (points[:, 2] > 0))
    if not len(rows):
        return behind
    camera, (x, y, z) = reading.camera(looked.camera), points[rows].T
    depth = looked.image.depth.numpy()
    with np.errstate(over="ignore"):
        u = np.clip(camera.fx * x / z + camera.cx - looked.image.left, -9, depth.shape[1] + 9)
        v = np.clip(camera.fy * y / z + camera.cy - looked.image.top, -9, depth.shape[0] + 9)
    columns = np.rint(u).astype(np.int64)[:, None, None] + np.array(AROUND)[None, None, :]
    lines = np.rint(v).astype(np.int64)[:, None, None] + np.array(AROUND)[None, :, None]
    inside = (columns >= 0) & (columns < depth.shape[1]) & (lines >= 0) & (lines < depth.shape[0])
    seen = depth[lines.clip(0, depth.shape[0] - 1), columns.clip(0, depth.shape[1] - 1)] * reading.depth
    off = np.where(inside & (seen > 0), z[:, None, None] - seen, np.inf).reshape(len(rows), -1)
    middle = (BEHIND - IN_FRONT) / 2
    behind[rows] = off[np.arange(len(rows)), np.abs(off - middle).argmin(axis=1)]
    return behind


def fit_of(looked: Looked, reading: Reading = AS_GIVEN) -> float:
    """Share of the labeled joints that lie on the surface, 0 to 1; NaN without any."""
    off = distances(looked, reading)
    known = ~np.isnan(off)
    if not known.any():
        return float("nan")
    return float(((off >= -IN_FRONT) & (off <= BEHIND))[known].mean())


def fits(frames: Sequence[Looked], reading: Reading = AS_GIVEN) -> NDArray[np.float64]:
    """`fit_of` each frame, `[f]`."""
    return np.array([fit_of(frame, reading) for frame in frames], np.float64)
