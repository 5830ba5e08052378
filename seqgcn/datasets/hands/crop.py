r"""From a depth image to the square crop around a hand that networks see, and how crop and pose move together.

A crop is the view through a cube of side s mm around a centre c = (x_c, y_c, z_c): a window of s f / z_c pixels of the
image, resized to n x n, holding (z - z_c) / (s / 2) in [-1, 1]. What lies in front of the cube is clamped to its front,
what lies behind it or was not measured is background, +1. Poses are normalised alike: (xyz - c) / (s / 2).

A joint's place in the crop, p in [-1, 1] from its left and top edge to its right and bottom edge, follows from pose,
centre and cube alone: p_x = (x / z - x_c / z_c) z_c / (s / 2). The focal length cancels.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.errors import ArgumentError

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
    """Centre of mass of what lies between two depths, refined once to what lies inside the cube around it.

    Args:
        image: The frame.
        camera: Its camera.
        cube: Side of the cube, mm.
        near: Nearest depth that counts, mm.
        far: Farthest depth that counts, mm.

    Returns:
        `[3]` float32, mm; None if nothing lies there.
    """
    depth = image.depth
    inside = (depth >= near) & (depth <= far) & (depth > 0)
    first = _mean_point(image, inside, camera)
    if first is None:
        return None
    left, top, right, bottom = window(first, cube, camera)
    h, w = depth.shape
    columns = torch.arange(w) + image.left
    rows = torch.arange(h) + image.top
    near_it = (depth - first[2]).abs() <= cube / 2
    near_it &= ((columns >= left) & (columns < right)) & ((rows >= top) & (rows < bottom)).unsqueeze(1)
    refined = _mean_point(image, inside & near_it, camera)
    return first if refined is None else refined


def _mean_point(image: DepthImage, mask: Tensor, camera: Camera) -> Tensor | None:
    rows, columns = mask.nonzero(as_tuple=True)
    if len(rows) == 0:
        return None
    depth = image.depth[rows, columns].double()
    mean = torch.stack((columns.double().mean() + image.left, rows.double().mean() + image.top, depth.mean()))
    return camera.to_world(mean).float()


def window(centre: Tensor, cube: float, camera: Camera) -> tuple[float, float, float, float]:
    """Left, top, right and bottom edge of the cube's window in the image, px: centre +- s / 2 f / z."""
    u, v, z = camera.to_image(centre.double()).tolist()
    half_u, half_v = cube / 2 * camera.fx / z, cube / 2 * camera.fy / z
    return u - half_u, v - half_v, u + half_u, v + half_v


def crop(image: DepthImage, centre: Tensor, cube: float, camera: Camera, size: int) -> Tensor | None:
    """Cut the crop around a centre out of a frame (nearest pixel).

    Args:
        image: The frame.
        centre: Of the cube, `[3]` mm.
        cube: Side of the cube, mm.
        camera: The frame's camera.
        size: Pixels along each side of the crop.

    Returns:
        `[size, size]` int16, +-`FULL_SCALE` standing for +-1; None if there is no depth inside the cube.

    Raises:
        ArgumentError: The centre is not in front of the camera.
    """
    if not bool(torch.isfinite(centre).all()) or float(centre[2]) <= 0:
        raise ArgumentError(f"the centre must lie in front of the camera, got {centre.tolist()} mm")
    left, top, right, bottom = window(centre, cube, camera)
    steps = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    # A pixel's value stands for the square of side 1 around its whole-numbered place.
    columns = (left + steps * (right - left) + 0.5).floor().long() - image.left
    rows = (top + steps * (bottom - top) + 0.5).floor().long() - image.top
    h, w = image.depth.shape
    seen = ((rows >= 0) & (rows < h)).unsqueeze(1) & ((columns >= 0) & (columns < w))
    depth = image.depth[rows.clamp(0, h - 1)][:, columns.clamp(0, w - 1)]
    value = (depth - centre[2]) / (cube / 2)
    background = ~seen | ~(depth > 0) | (value > 1)
    if bool((background | (value < -1)).all()):
        return None
    value = value.clamp(-1, 1).masked_fill(background, 1.0)
    return (value * FULL_SCALE).round().to(torch.int16)


def normalise_pose(joints: Tensor, centre: Tensor, cube: Tensor) -> Tensor:
    """(xyz - centre) / (cube / 2): `[b, J, 3]` mm to `[b, J, 3]`; `centre` `[b, 3]` mm, `cube` `[b]` mm."""
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
        shift: Of the cube's centre, `[b, 3]` mm.
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
    """Poses, centres and cubes after a change, all in mm: `[b, J, 3]`, `[b, 3]`, `[b]`."""
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
