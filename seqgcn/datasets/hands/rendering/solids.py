r"""Depth images of cones with round ends, ellipsoids and boxes, exactly as a pinhole camera sees them.

As in `raycast`, the ray through a pixel is t d with d_z = 1, so that t is a depth. Each solid is met relative to its
own depth, t = z + s, which keeps the coefficients small enough for single precision.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.rendering.raycast import extent

NEAREST = 1.0
"""Nearer surfaces are not seen, mm: these are behind the camera, or the camera is inside a solid."""


class Cone(NamedTuple):
    """All balls between two, their radii in between too: a limb.

    Args:
        start: Center of the first ball, `[3]` mm.
        end: Of the last one.
        radii: Of both, mm.
    """

    start: Tensor
    end: Tensor
    radii: tuple[float, float]

    def bounds(self) -> tuple[Tensor, Tensor]:
        """Balls whose outline in the image bounds the solid's, `[k, 3]` and `[k]` mm."""
        return torch.stack((self.start, self.end)), torch.tensor(self.radii)

    def meet(self, dx: Tensor, dy: Tensor) -> Tensor:
        """Depth at which rays meet the solid, `[h, w]` mm, infinite for a miss; `dx` `[1, w]`, `dy` `[h, 1]`."""
        t = torch.minimum(_meet_ball(self.start, self.radii[0], dx, dy), _meet_ball(self.end, self.radii[1], dx, dy))
        # The ball at share s of the way holds m = t d - start where A s^2 - 2 B s + C <= 0, with A = |way|^2 - grown^2,
        # B = m.way + r grown and C = |m|^2 - r^2. Its least value over s is 0 on the cone's surface: A C = B^2.
        way, grown, r = self.end - self.start, self.radii[1] - self.radii[0], self.radii[0]
        a = float(way.square().sum()) - grown**2
        if a <= 0:
            # One ball holds the other.
            return t
        z = float(self.start[2])
        ox, oy = z * dx - self.start[0], z * dy - self.start[1]
        p = way[0] * dx + (way[1] * dy + way[2])
        q = way[0] * ox + (way[1] * oy + r * grown)
        k2 = (a * dx.square() + a * (dy.square() + 1)) - p.square()
        k1 = (a * dx * ox + a * dy * oy) - p * q
        k0 = (a * ox.square() + a * (oy.square() - r**2)) - q.square()
        root = (k1.square() - k2 * k0).sqrt()
        for s in ((-k1 - root) / k2, (root - k1) / k2):
            share = (s * p + q) / a
            # A miss has a root that is NaN, which is on neither side of anything.
            t = torch.where((share > 0) & (share < 1) & (s > NEAREST - z) & (s + z < t), s + z, t)
        return t


class Ellipsoid(NamedTuple):
    """An ellipsoid.

    Args:
        center: `[3]` mm.
        radii: Along the image's axes and away from the camera, `[3]` mm.
    """

    center: Tensor
    radii: Tensor

    def bounds(self) -> tuple[Tensor, Tensor]:
        """A ball around it, `[1, 3]` and `[1]` mm."""
        return self.center.unsqueeze(0), self.radii.max().unsqueeze(0)

    def meet(self, dx: Tensor, dy: Tensor) -> Tensor:
        """Depth at which rays meet the solid, `[h, w]` mm, infinite for a miss; `dx` `[1, w]`, `dy` `[h, 1]`."""
        z = float(self.center[2])
        ox, oy = z * dx - self.center[0], z * dy - self.center[1]
        fx, fy, fz = self.radii.square().reciprocal().tolist()
        a = fx * dx.square() + (fy * dy.square() + fz)
        b = fx * dx * ox + fy * dy * oy
        c = fx * ox.square() + (fy * oy.square() - 1)
        t = z - (b + (b.square() - a * c).sqrt()) / a
        return torch.where(t > NEAREST, t, math.inf)


class Box(NamedTuple):
    """A box.

    Args:
        center: `[3]` mm.
        axes: Unit vectors along its edges, one a row, `[3, 3]`.
        half: Half the length of each edge, `[3]` mm.
    """

    center: Tensor
    axes: Tensor
    half: Tensor

    def bounds(self) -> tuple[Tensor, Tensor]:
        """A ball around it, `[1, 3]` and `[1]` mm."""
        return self.center.unsqueeze(0), self.half.norm().unsqueeze(0)

    def meet(self, dx: Tensor, dy: Tensor) -> Tensor:
        """Depth at which rays meet the solid, `[h, w]` mm, infinite for a miss; `dx` `[1, w]`, `dy` `[h, 1]`."""
        enter, leave = torch.tensor(NEAREST), torch.tensor(math.inf)
        for axis, middle, half in zip(self.axes, (self.axes @ self.center).tolist(), self.half.tolist(), strict=True):
            along = axis[0] * dx + (axis[1] * dy + axis[2])
            # A ray along a face never leaves the slab, or is never in it; a tiny slope says the same without NaN.
            along = torch.where(along.abs() < 1e-9, 1e-9, along)
            one, other = (middle - half) / along, (middle + half) / along
            enter = torch.maximum(torch.minimum(one, other), enter)
            leave = torch.minimum(torch.maximum(one, other), leave)
        return torch.where((enter <= leave) & (enter > NEAREST), enter, math.inf)


Solid = Cone | Ellipsoid | Box


def solids_depth(solids: Iterable[Solid], camera: Camera) -> Tensor:
    """Depth of the nearest solid in each pixel.

    Args:
        solids: May be none, and may reach out of the image or behind the camera.
        camera: Takes the image.

    Returns:
        `[h, w]` float32 mm; 0 where no solid is hit.
    """
    depth = torch.full((camera.height, camera.width), math.inf)
    for solid in solids:
        rows, columns = _window(*solid.bounds(), camera)
        dx = (torch.arange(columns.start, columns.stop).unsqueeze(0) - camera.cx) / camera.fx
        dy = (torch.arange(rows.start, rows.stop).unsqueeze(1) - camera.cy) / camera.fy
        if dx.numel() and dy.numel():
            window = depth[rows, columns]
            torch.minimum(window, solid.meet(dx, dy), out=window)
    return depth.masked_fill_(depth.isinf(), 0)


def nearer(one: Tensor, other: Tensor) -> Tensor:
    """Of two depth images of one size, 0 where there is nothing, what is seen of both."""
    return torch.where((one > 0) & ((other <= 0) | (one < other)), one, other)


def _meet_ball(center: Tensor, radius: float, dx: Tensor, dy: Tensor) -> Tensor:
    return Ellipsoid(center, torch.full((3,), radius)).meet(dx, dy)


def _window(centers: Tensor, radii: Tensor, camera: Camera) -> tuple[slice, slice]:
    """Rows and columns that hold the outline of balls and of all between them."""
    x, y, z = centers.unbind(1)
    if bool((z <= radii).any()):
        return slice(0, camera.height), slice(0, camera.width)
    left, right = extent(x, z, radii, camera.fx, camera.cx, camera.width)
    top, bottom = extent(y, z, radii, camera.fy, camera.cy, camera.height)
    return slice(int(top.min()), int(bottom.max()) + 1), slice(int(left.min()), int(right.max()) + 1)
