r"""From a depth image to the square crop around a hand that networks see, and how crop and pose move together.

A crop is the view through a cube of side s mm around a center c = (x_c, y_c, z_c): a window of s f / z_c pixels of the
image, resized to n x n, holding (z - z_c) / (s / 2) in [-1, 1]. What lies in front of the cube is clamped to its front,
what lies behind it or was not measured is background, +1. Poses are normalized alike: (xyz - c) / (s / 2).

A joint's place in the crop, p in [-1, 1] from its left and top edge to its right and bottom edge, follows from pose,
center and cube alone: p_x = (x / z - x_c / z_c) z_c / (s / 2). The focal length cancels.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.exceptions import ArgumentError

FULL_SCALE = 32767
"""The stored int16 value of +1: steps of 0.004 mm in a cube of 250 mm."""


class DepthImage(NamedTuple):
    """A decoded frame, or the box of it that the release keeps.

    Args:
        depth: mm along the camera's axis, `[h, w]` float32; 0 where nothing was measured.
        left: Column of the full image in which it starts, px.
        top: Row of the full image in which it starts, px.
    """

    depth: Tensor
    left: int = 0
    top: int = 0


def centre_of_mass(image: DepthImage, camera: Camera, cube: float, near: float, far: float) -> Tensor | None:
    """Center of mass of what lies between two depths, refined once to what lies inside the cube around it.

    Args:
        image: The frame.
        camera: Its camera.
        cube: Side of the cube, mm.
        near: Nearest depth that counts, mm.
        far: Farthest depth that counts, mm.

    Returns:
        `[3]` float32, mm; None if nothing lies there.
    """
    depth = image.depth.numpy()
    near_enough = depth >= near if near > 0 else depth > 0
    # Most of a frame is background: all but the first look at it is at a box alone.
    box = _box_of(near_enough)
    depth, left, top = depth[box], image.left + box[1].start, image.top + box[0].start
    inside = near_enough[box] & (depth <= far)
    n = int(np.count_nonzero(inside))
    if n == 0:
        return None
    mean = _mean_point(depth, inside, n, left, top, camera)
    x, y, z = mean.tolist()
    edges = window(x, y, z, cube, camera)
    rows, columns = _whole(edges[1] - top, edges[3] - top), _whole(edges[0] - left, edges[2] - left)
    depth = depth[rows, columns]
    inside = inside[rows, columns] & (np.abs(depth - mean[2]) <= cube / 2)
    m = int(np.count_nonzero(inside))
    if m not in (0, n):
        mean = _mean_point(depth, inside, m, left + columns.start, top + rows.start, camera)
    return torch.from_numpy(mean)


def _box_of(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of the smallest box around all that is set."""
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows) == 0:
        return slice(0, 0), slice(0, 0)
    down = slice(int(rows[0]), int(rows[-1]) + 1)
    columns = np.flatnonzero(mask[down].any(axis=0))
    return down, slice(int(columns[0]), int(columns[-1]) + 1)


def _whole(low: float, high: float) -> slice:
    """Whole numbers from 0 on in [low, high)."""
    return slice(max(math.ceil(low), 0), max(math.ceil(high), 0))


def _mean_point(
    depth: NDArray[np.float32], mask: NDArray[np.bool_], n: int, left: int, top: int, camera: Camera
) -> NDArray[np.float32]:
    """Mean of the n pixels of a mask, `[3]` mm."""
    u = float(mask.sum(axis=0, dtype=np.uint32) @ np.arange(mask.shape[1])) / n + left
    v = float(mask.sum(axis=1, dtype=np.uint32) @ np.arange(mask.shape[0])) / n + top
    d = float((depth * mask).sum(dtype=np.float64)) / n
    # As Camera.to_world has it; but with tensors of one number each that takes as long as all of the above.
    return np.array([(u - camera.cx) * d / camera.fx, (v - camera.cy) * d / camera.fy, d], np.float32)


def window(x: float, y: float, z: float, cube: float, camera: Camera) -> tuple[float, float, float, float]:
    """Left, top, right and bottom edge of the window of a cube around (x, y, z) mm, px: center +- s / 2 f / z."""
    u, v = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
    half_u, half_v = cube / 2 * camera.fx / z, cube / 2 * camera.fy / z
    return u - half_u, v - half_v, u + half_u, v + half_v


def crop(image: DepthImage, centre: Tensor, cube: float, camera: Camera, size: int) -> Tensor | None:
    """Cut the crop around a center out of a frame (nearest pixel).

    Args:
        image: The frame.
        centre: Of the cube, `[3]` mm.
        cube: Side of the cube, mm.
        camera: The frame's camera.
        size: Pixels along each side of the crop.

    Returns:
        `[size, size]` int16, +-`FULL_SCALE` standing for +-1; None if there is no depth inside the cube.

    Raises:
        ArgumentError: The center is not in front of the camera.
    """
    x, y, z = centre.tolist()
    if not all(map(math.isfinite, (x, y, z))) or z <= 0:
        raise ArgumentError(f"the center must lie in front of the camera, got {[x, y, z]} mm")
    left, top, right, bottom = window(x, y, z, cube, camera)
    h, w = image.depth.shape
    columns, across = _pixels(left, right, size, image.left, w)
    rows, down = _pixels(top, bottom, size, image.top, h)
    # One axis after the other takes a third of the time of both at once.
    depth = image.depth.numpy().take(rows, axis=0).take(columns, axis=1)
    value = (depth - np.float32(z)) / np.float32(cube / 2)
    measured = (depth > 0) & (value <= 1)
    if not (measured & (value >= -1)).any():
        return None
    np.maximum(value, -1, out=value)
    value *= FULL_SCALE
    pixels = np.full((size, size), FULL_SCALE, np.int16)
    np.copyto(pixels[down, across], np.rint(value, out=value), casting="unsafe", where=measured)
    return torch.from_numpy(pixels)


def _pixels(low: float, high: float, size: int, start: int, length: int) -> tuple[NDArray[np.intp], slice]:
    """Nearest pixels of the frame to `size` steps between two edges of the image, and which steps are in the frame."""
    # A pixel's value stands for the square of side 1 around its whole-numbered place.
    places = np.floor(low + _steps(size) * (high - low) + 0.5) - start
    first, last = places.searchsorted((0, length)).tolist()
    return places[first:last].astype(np.intp), slice(first, last)


@functools.cache
def _steps(size: int) -> NDArray[np.float64]:
    return (np.arange(size) + 0.5) / size


def mean_of_known(joints: Tensor) -> Tensor:
    """Mean of the joints of each pose that are known (finite), `[b, J, 3]` to `[b, 3]`; NaN of none."""
    whole = joints.mean(dim=1)
    return torch.where(whole.isfinite(), whole, joints.nanmean(dim=1))


def normalise_pose(joints: Tensor, centre: Tensor, cube: Tensor) -> Tensor:
    """(xyz - center) / (cube / 2): `[b, J, 3]` mm to `[b, J, 3]`; `centre` `[b, 3]` mm, `cube` `[b]` mm."""
    return (joints - centre.unsqueeze(1)) / (cube / 2).view(-1, 1, 1)


def pose_in_mm(normalised: Tensor, centre: Tensor, cube: Tensor) -> Tensor:
    """The inverse of `normalise_pose`."""
    return normalised * (cube / 2).view(-1, 1, 1) + centre.unsqueeze(1)


def to_crop(joints: Tensor, centre: Tensor, cube: Tensor) -> Tensor:
    """Place of points in the crop: `[b, J, 3]` mm to `[b, J, 2]`, -1 to 1 from edge to edge."""
    ratio = joints[..., :2] / joints[..., 2:] - (centre[:, :2] / centre[:, 2:]).unsqueeze(1)
    return ratio * (2 * centre[:, 2] / cube).view(-1, 1, 1)


def from_crop(place: Tensor, z: Tensor, centre: Tensor, cube: Tensor) -> Tensor:
    """The inverse of `to_crop`: `[b, J, 2]` and depths `[b, J]` mm to `[b, J, 3]` mm."""
    ratio = place / (2 * centre[:, 2] / cube).view(-1, 1, 1) + (centre[:, :2] / centre[:, 2:]).unsqueeze(1)
    return torch.cat((ratio * z.unsqueeze(-1), z.unsqueeze(-1)), dim=-1)


class Change(NamedTuple):
    """How each of b crops is taken anew: the cube moved, turned about the camera's axis and resized.

    Args:
        shift: Of the cube's center, `[b, 3]` mm.
        angle: Rotation of the image and the pose in the image plane, `[b]` radians.
        scale: Factor on the cube's side, `[b]`.
    """

    shift: Tensor
    angle: Tensor
    scale: Tensor


def draw_changes(b: int, generator: torch.Generator, shift: float, angle: float, scale: float) -> Change:
    """For each of b crops one of shift, rotation, resizing and nothing, with equal chance.

    Args:
        b: Number of crops.
        generator: CPU generator.
        shift: Standard deviation of the shift along each axis, mm.
        angle: Largest rotation either way, radians; uniform.
        scale: Standard deviation of the factor around 1.
    """
    kind = torch.randint(0, 4, (b,), generator=generator)
    shifts = torch.randn(b, 3, generator=generator) * shift * (kind == 0).unsqueeze(1)
    angles = (2 * torch.rand(b, generator=generator) - 1) * angle * (kind == 1)
    # Five deviations at most, so that a cube cannot vanish.
    factors = 1 + torch.randn(b, generator=generator).clamp(-5, 5) * scale * (kind == 2)
    return Change(shifts, angles, factors.clamp(min=0.1))


def change_poses(joints: Tensor, centre: Tensor, cube: Tensor, change: Change) -> tuple[Tensor, Tensor, Tensor]:
    """Poses, centers and cubes after a change, all in mm: `[b, J, 3]`, `[b, 3]`, `[b]`."""
    new_centre, new_cube = centre + change.shift, cube * change.scale
    turned = to_crop(joints, new_centre, new_cube) @ _rotation(change.angle).transpose(1, 2)
    return from_crop(turned, joints[..., 2], new_centre, new_cube), new_centre, new_cube


def change_images(images: Tensor, centre: Tensor, cube: Tensor, change: Change) -> Tensor:
    """Crops after the same change, taken from the crops there are (nearest pixel); what comes in is background.

    Args:
        images: `[b, 1, n, n]` in [-1, 1].
        centre: Before the change, `[b, 3]` mm.
        cube: Before the change, `[b]` mm.
        change: The change.
    """
    new_centre, new_cube = centre + change.shift, cube * change.scale
    # A place p' of the new crop is the place zoom R(-angle) p' + offset of the old one.
    zoom = (new_cube / new_centre[:, 2]) * (centre[:, 2] / cube)
    offset = new_centre[:, :2] / new_centre[:, 2:] - centre[:, :2] / centre[:, 2:]
    offset = offset * (2 * centre[:, 2] / cube).unsqueeze(1)
    affine = torch.cat((zoom.view(-1, 1, 1) * _rotation(-change.angle), offset.unsqueeze(2)), dim=2)
    grid = F.affine_grid(affine.to(images.dtype), list(images.shape), align_corners=False)
    # Outside the old crop grid_sample gives 0, which must mean background.
    moved = F.grid_sample(images - 1, grid, mode="nearest", padding_mode="zeros", align_corners=False) + 1
    depth = centre[:, 2].view(-1, 1, 1, 1) + moved * (cube / 2).view(-1, 1, 1, 1)
    value = (depth - new_centre[:, 2].view(-1, 1, 1, 1)) / (new_cube / 2).view(-1, 1, 1, 1)
    # Adding and taking 1 may lose the last bit of a background pixel.
    background = (moved > 1 - 1e-6) | (value > 1)
    return value.clamp(-1, 1).masked_fill(background, 1.0)


def _rotation(angle: Tensor) -> Tensor:
    """`[b, 2, 2]` matrices that turn (x right, y down) by `angle`."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack((torch.stack((cos, -sin), dim=1), torch.stack((sin, cos), dim=1)), dim=1)
