r"""Depth images of spheres, exactly as a pinhole camera sees them.

The ray through pixel (u, v) is t d with d = ((u - c_x) / f_x, (v - c_y) / f_y, 1), so that t is its depth. It meets the
sphere around c with radius r where |t d - c|^2 = r^2:

    t = (d.c - sqrt(|d|^2 r^2 - |c x d|^2)) / |d|^2

The cross product, unlike (d.c)^2 - |d|^2 |c|^2, which it equals, does not cancel in single precision.
"""

import math

import torch
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.exceptions import ArgumentError

_STEP = 4
"""Windows are squares whose side is rounded up to this, px: a few large groups instead of many small ones."""


def render_depth(centres: Tensor, radii: Tensor, camera: Camera) -> Tensor:
    """Depth of the nearest sphere in each pixel; spheres that reach behind the camera are left out.

    Args:
        centres: `[m, 3]` mm, x right, y down, z away from the camera.
        radii: `[m]` mm.
        camera: Takes the image.

    Returns:
        `[h, w]` float32 mm; 0 where no sphere is hit.

    Raises:
        ArgumentError: Other shapes, a value that is not finite or a radius that is not positive.
    """
    _check(centres, radii)
    depth = torch.full((camera.height * camera.width,), math.inf)
    centres, radii = centres.float(), radii.float()
    left, right = extent(centres[:, 0], centres[:, 2], radii, camera.fx, camera.cx, camera.width)
    top, bottom = extent(centres[:, 1], centres[:, 2], radii, camera.fy, camera.cy, camera.height)
    seen = (centres[:, 2] > radii) & (left <= right) & (top <= bottom)
    sides = torch.maximum(right - left, bottom - top).div(_STEP, rounding_mode="floor") + 1
    for side in sides[seen].unique().tolist():
        group = (seen & (sides == side)).nonzero().flatten()
        width, height = min(side * _STEP, camera.width), min(side * _STEP, camera.height)
        columns = left[group].clamp(max=camera.width - width).unsqueeze(1) + torch.arange(width)
        rows = top[group].clamp(max=camera.height - height).unsqueeze(1) + torch.arange(height)
        t = _meet(centres[group], radii[group], (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy)
        pixels = rows.unsqueeze(2) * camera.width + columns.unsqueeze(1)
        depth.scatter_reduce_(0, pixels.flatten(), t.flatten(), "amin")
    return depth.masked_fill_(depth.isinf(), 0).view(camera.height, camera.width)


def _check(centres: Tensor, radii: Tensor) -> None:
    if centres.dim() != 2 or centres.shape[1] != 3 or radii.shape != centres.shape[:1]:
        raise ArgumentError(f"centres must be [m, 3] and radii [m], got {list(centres.shape)} and {list(radii.shape)}")
    if not bool(centres.isfinite().all()) or not bool((radii.isfinite() & (radii > 0)).all()):
        raise ArgumentError("centres and radii must be finite, and radii positive")


def extent(x: Tensor, z: Tensor, r: Tensor, f: float, c: float, size: int) -> tuple[Tensor, Tensor]:
    """First and last pixel along one axis between the two rays that touch each sphere, clipped to the image."""
    direction = torch.atan2(x, z)
    half = torch.asin((r / torch.hypot(x, z)).clamp(max=1))
    limit = math.pi / 2 - 1e-3
    low = c + f * (direction - half).clamp(-limit, limit).tan()
    high = c + f * (direction + half).clamp(-limit, limit).tan()
    return low.ceil().clamp(0, size).long(), high.floor().clamp(-1, size - 1).long()


def _meet(centres: Tensor, radii: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """Depth at which rays meet spheres, `[m, h, w]`, infinite for a miss; `dx` `[m, w]`, `dy` `[m, h]`."""
    z = centres[:, 2].view(-1, 1, 1)
    p, q = (centres[:, :2] / centres[:, 2:]).view(-1, 2, 1, 1).unbind(1)
    dx, dy = dx.unsqueeze(1), dy.unsqueeze(2)
    ex, ey = dx - p, dy - q
    length = dx.square() + (1 + dy.square())
    # c x d = z (-ey, ex, p ey - q ex): everything but the last part is a sum of a row's and a column's own.
    cross = (p * ey - q * ex).square_().add_(ex.square() + ey.square()).mul_(z.square())
    inside = (length * radii.square().view(-1, 1, 1)).sub_(cross)
    # The square root of a miss would be NaN, which wins every minimum, and takes its time.
    t = (z * p * dx + z * (q * dy + 1)).sub_(inside.clamp(min=0).sqrt_()).div_(length)
    return torch.where(inside >= 0, t, math.inf)
