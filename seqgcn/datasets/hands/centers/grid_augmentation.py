r"""Other views of labeled grids: moved, turned, mirrored, nearer or farther, with other backgrounds.

A view is a similarity of the grid's image and an affine change of its depth, z' = scale (z + offset):

    u' = c + zoom R(angle) M (u - c) + shift,   zoom = z_c / (z_c + offset),

with the principal point c and M a mirror or nothing. A hand moved by `offset` along the axis is seen smaller by `zoom`.
`scale` alone gives a hand of another size: scaling the world about the camera changes no image.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera


class View(NamedTuple):
    """How each of b grids is seen anew.

    Args:
        shift: Of the image, `[b, 2]` cells.
        angle: In the image plane, `[b]` radians.
        mirror: Left and right exchanged, `[b]` bool.
        offset: Along the camera's axis, `[b]` mm.
        scale: Factor on all sizes, `[b]`.
    """

    shift: Tensor
    angle: Tensor
    mirror: Tensor
    offset: Tensor
    scale: Tensor


def draw_views(centers: Tensor, camera: Camera, draws: torch.Generator, mirrored: bool = True) -> View:
    """A view for each center that keeps it within the grid; one in eight changes nothing.

    Args:
        centers: `[b, 3]` mm.
        camera: The grid's.
        draws: Generator.
        mirrored: Whether a fifth of the views exchanges left and right.
    """
    b = len(centers)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(b, generator=draws)

    changed = (torch.rand(b, generator=draws) > 1 / 8).float()
    # Nearer than 150 mm no camera measures; a third either way is as much as one rig differs from another.
    offset = (centers[:, 2] * uniform(-0.3, 0.45) * changed).maximum(150 - centers[:, 2])
    angle = uniform(-0.5, 0.5) * changed
    scale = 1 + uniform(-0.15, 0.15) * changed
    mirror = (torch.rand(b, generator=draws) < 0.25) & (changed > 0) & mirrored
    still = View(torch.zeros(b, 2), angle, mirror, offset, scale)
    place = camera.to_image(view_centers(centers, camera, still))[:, :2]
    size = torch.tensor([camera.width, camera.height], dtype=torch.float32)
    wish = place + torch.stack((uniform(-1, 1), uniform(-1, 1)), dim=1) * size * 0.3 * changed.unsqueeze(1)
    inside = torch.minimum(torch.maximum(wish, 0.04 * size), 0.96 * size)
    return still._replace(shift=torch.where(changed.unsqueeze(1) > 0, inside - place, torch.zeros(b, 2)))


def _turn(centers: Tensor, view: View) -> Tensor:
    """`[b, 2, 2]` matrices zoom R M."""
    cos, sin = view.angle.cos(), view.angle.sin()
    sign = 1 - 2 * view.mirror.float()
    rows = torch.stack((torch.stack((cos * sign, -sin), dim=1), torch.stack((sin * sign, cos), dim=1)), dim=1)
    return rows * (centers[:, 2] / (centers[:, 2] + view.offset)).view(-1, 1, 1)


def view_centers(centers: Tensor, camera: Camera, view: View) -> Tensor:
    """Centers `[b, 3]` mm as the views have them."""
    middle = centers.new_tensor([camera.cx, camera.cy])
    place = camera.to_image(centers)[:, :2] - middle
    moved = (_turn(centers, view) @ place.unsqueeze(2)).squeeze(2) + middle + view.shift
    depth = (centers[:, 2] + view.offset) * view.scale
    return camera.to_world(torch.cat((moved, depth.unsqueeze(1)), dim=1))


def view_grids(depth: Tensor, centers: Tensor, camera: Camera, view: View) -> Tensor:
    """Grids `[b, h, w]` mm as the views have them (nearest cell), 0 where nothing is known.

    Args:
        depth: Of the grids.
        centers: Before the change, `[b, 3]` mm; they say by how much an offset zooms.
        camera: The grid's.
        view: The change.
    """
    _, h, w = depth.shape
    back = torch.linalg.inv(_turn(centers, view))
    v, u = torch.meshgrid(torch.arange(h, dtype=torch.float32), torch.arange(w, dtype=torch.float32), indexing="ij")
    middle = torch.tensor([camera.cx, camera.cy])
    places = torch.stack((u, v), dim=-1).view(1, -1, 2) - middle - view.shift.unsqueeze(1)
    source = places @ back.transpose(1, 2) + middle
    source = ((2 * source + 1) / torch.tensor([w, h]) - 1).view(-1, h, w, 2)
    moved = F.grid_sample(depth.unsqueeze(1), source, mode="nearest", align_corners=False).squeeze(1)
    changed = (moved + view.offset.view(-1, 1, 1)) * view.scale.view(-1, 1, 1)
    return torch.where((moved > 0) & (changed > 0), changed, torch.zeros(()))


def in_cube(depth: Tensor, centers: Tensor, camera: Camera, cube: float) -> Tensor:
    """Which cells of grids `[b, h, w]` mm lie in the cubes around centers `[b, 3]` mm, `[b, h, w]` bool."""
    _, h, w = depth.shape
    x = depth * ((torch.arange(w) - camera.cx) / camera.fx) - centers[:, 0].view(-1, 1, 1)
    y = depth * ((torch.arange(h) - camera.cy) / camera.fy).unsqueeze(1) - centers[:, 1].view(-1, 1, 1)
    z = depth - centers[:, 2].view(-1, 1, 1)
    return (depth > 0) & (x.abs() <= cube / 2) & (y.abs() <= cube / 2) & (z.abs() <= cube / 2)


def paste(depth: Tensor, centers: Tensor, background: Tensor, camera: Camera, cube: float) -> Tensor:
    """Hands cut out of their frames by depth, in front of other surfaces.

    Args:
        depth: Grids with the hands, `[b, h, w]` mm.
        centers: Of the hands, `[b, 3]` mm.
        background: Surfaces without a hand of their own, `[b, h, w]` mm; where one would hide a part of the hand it is
            moved behind it.
        camera: The grid's.
        cube: Side of the cube in which everything belongs to the hand, mm.
    """
    hand = in_cube(depth, centers, camera, cube)
    gap = torch.where(hand & (background > 0), depth + 20 - background, torch.zeros(()))
    behind = torch.where(background > 0, background + gap.flatten(1).amax(dim=1).view(-1, 1, 1), background)
    return torch.where(hand, depth, behind)


def draw_surfaces(centers: Tensor, shape: tuple[int, int], camera: Camera, draws: torch.Generator) -> Tensor:
    """Random scenes without a hand: a tilted plane behind each center, and bars and ellipsoids at any depth.

    Args:
        centers: Near which the objects lie, `[b, 3]` mm.
        shape: Rows and columns.
        camera: The grid's.
        draws: Generator.
    """
    b, (h, w) = len(centers), shape

    def uniform(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(b, generator=draws)).view(-1, 1, 1)

    z = centers[:, 2].view(-1, 1, 1)
    x, y = (torch.arange(w) - camera.cx) / camera.fx, ((torch.arange(h) - camera.cy) / camera.fy).unsqueeze(1)
    # A plane n . p = n . p0 seen along (x, y, 1).
    tilt_x, tilt_y = uniform(-0.7, 0.7), uniform(-1.2, 1.2)
    plane = (z + uniform(60, 800)) / (1 + tilt_x * x + tilt_y * y).clamp(min=0.1)
    scene = torch.where(uniform(0, 1) < 0.8, plane.clamp(max=5000), torch.zeros(()))
    for _ in range(3):
        at = z * uniform(0.75, 1.6)
        u, v = (uniform(0, w) - camera.cx) / camera.fx, (uniform(0, h) - camera.cy) / camera.fy
        angle = uniform(0, math.pi)
        across, along = uniform(20, 120) / at, uniform(40, 300) / at
        right, down = x - u, y - v
        p = (right * angle.cos() + down * angle.sin()) / across
        q = (down * angle.cos() - right * angle.sin()) / along
        radius = p.square() + q.square()
        lump = at - across * at * (1 - radius).clamp(min=0).sqrt()
        seen = (radius < 1) & ((scene == 0) | (lump < scene))
        scene = torch.where(seen, lump, scene)
    return scene


def change(
    depth: Tensor,
    centers: Tensor,
    camera: Camera,
    cube: float,
    draws: torch.Generator,
    *,
    pasted: float = 0.35,
    mirrored: bool = True,
) -> tuple[Tensor, Tensor]:
    """A batch seen anew: grids `[b, h, w]` mm and centers `[b, 3]` mm after a view, a share of them pasted.

    Args:
        depth: Grids.
        centers: Their hands' centers.
        camera: The grid's.
        cube: Side of the hand's cube, mm.
        draws: Generator.
        pasted: Share of hands put in front of another frame of the batch or of random surfaces.
        mirrored: Whether some views exchange left and right.
    """
    view = draw_views(centers, camera, draws, mirrored)
    grids, moved = view_grids(depth, centers, camera, view), view_centers(centers, camera, view)
    b = len(grids)
    chosen = torch.rand(b, generator=draws) < pasted
    own = torch.rand(b, generator=draws) < 0.5
    other = torch.randperm(b, generator=draws)
    emptied = grids[other] * ~in_cube(grids[other], moved[other], camera, cube * 1.1)
    surfaces = draw_surfaces(moved, (grids.shape[1], grids.shape[2]), camera, draws)
    background = torch.where(own.view(-1, 1, 1), emptied, surfaces)
    composed = paste(grids, moved, background, camera, cube)
    return torch.where(chosen.view(-1, 1, 1), composed, grids), moved
