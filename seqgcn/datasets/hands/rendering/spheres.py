"""Flesh around joints: spheres whose centers are weighted means of joints, so that a pose places all at once."""

import functools
import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from seqgcn.datasets.hands.rendering.joints import KNUCKLES, joint_weights
from seqgcn.datasets.hands.rendering.kinematics import Hand, HandPose, angle_limits
from seqgcn.exceptions import ArgumentError

SPACING = 3.0
"""Of spheres along a bone, mm."""

PALM_SPACING = 6.0
"""Of spheres in a triangle, mm: their surface is within 0.5 mm of smooth."""

_RADII = (
    (13.0, 11.5, 9.5, 7.2),
    (10.0, 8.8, 7.6, 6.3),
    (10.2, 9.0, 7.8, 6.5),
    (9.8, 8.4, 7.3, 6.1),
    (9.0, 7.4, 6.4, 5.5),
)
"""Of the flesh around each finger's joints, root to tip, mm. The thumb's first joint lies deep in its ball."""

_NYU_RADII = (
    *(5.6, 6.4, 7.2, 7.9, 8.7, 9.5),
    *(6.3, 7.2, 8.1, 8.9, 9.7, 10.5),
    *(6.7, 7.6, 8.5, 9.3, 10.0, 11.0),
    *(6.5, 7.4, 8.3, 9.1, 9.8, 10.8),
    *(7.4, 8.8, 9.8, 11.2, 12.5, 13.0),
    *(13.0, 13.0, 14.0, 12.5, 13.5, 12.0),
)
"""Of the flesh around each of NYU's joints, mm."""

_NYU_TRIANGLES = (
    *((5, 11, 32), (11, 17, 32), (17, 23, 32), (5, 32, 34), (11, 32, 34), (23, 32, 33), (23, 29, 33)),
    *((5, 30, 34), (29, 31, 34), (30, 31, 34), (32, 33, 34), (29, 33, 34), (30, 31, 35)),
)
"""Of NYU's joints; together they cover the palm."""

NYU_PALM = 85.1
"""Between joints 32 and 35 of NYU's first test subject, which are rigid, mm."""


class SphereModel(NamedTuple):
    """m spheres around J joints.

    Args:
        weights: Of each joint in each center, `[m, J]`; rows sum to 1.
        radii: For an average adult, `[m]` mm.
    """

    weights: Tensor
    radii: Tensor

    def place(self, joints: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """Centers `[m, 3]` and radii `[m]` in mm around one pose, `[J, 3]` mm."""
        if joints.shape != (self.weights.shape[1], 3):
            raise ArgumentError(f"joints must be [{self.weights.shape[1]}, 3], got {list(joints.shape)}")
        return self.weights @ joints.float(), self.radii * scale


class Anchor(NamedTuple):
    """A point in the hand.

    Args:
        weights: Of each joint, `[J]`.
        radius: Of the flesh there, mm.
    """

    weights: Tensor
    radius: float


def hand_spheres(joints: Tensor, scale: float = 1.0, *, forearm: bool = True) -> tuple[Tensor, Tensor]:
    """Spheres of a hand of 21 joints.

    Args:
        joints: Finger-major, `[21, 3]` mm.
        scale: Of the flesh, 1 for an average adult.
        forearm: Whether a stub of the forearm is seen, straight on from the palm.

    Returns:
        Centers `[m, 3]` and radii `[m]`, mm.

    Raises:
        ArgumentError: Another shape.
    """
    return _hand_model(forearm).place(joints, scale)


def nyu_spheres(joints: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """Spheres of a hand of NYU's 36 joints: a chain a finger, the palm filled over triangles.

    Args:
        joints: In NYU's order, `[36, 3]` mm.
        scale: Of the flesh, 1 for NYU's first test subject.

    Returns:
        Centers `[m, 3]` and radii `[m]`, mm.

    Raises:
        ArgumentError: Another shape.
    """
    return _nyu_model().place(joints, scale)


@functools.cache
def _hand_model(forearm: bool) -> SphereModel:
    unit = torch.eye(21)
    chains = [
        [Anchor(unit[1 + 4 * finger + place], radius) for place, radius in enumerate(radii)]
        for finger, radii in enumerate(_RADII)
    ]
    wrist, knuckles = unit[0], unit[list(KNUCKLES)]
    across, along = knuckles[0] - knuckles[3], knuckles.mean(dim=0) - wrist
    inner, outer = Anchor(wrist + 0.25 * across, 14.0), Anchor(wrist - 0.25 * across, 14.0)
    web = Anchor(0.4 * wrist + 0.6 * knuckles[0], 11.5)
    ball = Anchor(0.2 * unit[1] + 0.8 * unit[2], 10.5)
    rim = [inner, web, *(Anchor(knuckle, 11.5) for knuckle in knuckles), outer]
    middle = Anchor((wrist + knuckles.mean(dim=0)) / 2, 13.0)
    triangles = [(middle, a, b) for a, b in zip(rim, [*rim[1:], inner], strict=True)]
    triangles += [(chains[0][0], ball, web), (chains[0][0], web, inner)]
    if forearm:
        arm_inner, arm_outer = (Anchor(side.weights - 0.5 * along, 17.0) for side in (inner, outer))
        triangles += [(inner, outer, arm_inner), (outer, arm_inner, arm_outer)]
    bones = [bone for chain in chains for bone in pairwise(chain)]
    return _fill(bones, triangles, _typical_joints())


@functools.cache
def _nyu_model() -> SphereModel:
    anchors = [Anchor(weights, radius) for weights, radius in zip(torch.eye(36), _NYU_RADII, strict=True)]
    bones = [(anchors[tip + k], anchors[tip + k + 1]) for tip in range(0, 30, 6) for k in range(5)]
    triangles = [(anchors[a], anchors[b], anchors[c]) for a, b, c in _NYU_TRIANGLES]
    return _fill(bones, triangles, joint_weights("nyu") @ _typical_joints())


def _typical_joints() -> Tensor:
    pose = HandPose(angle_limits()[0].clamp(min=0).unsqueeze(0), torch.zeros(1, 3), torch.zeros(1, 3))
    return Hand.average().joints(pose)[0]


def _fill(
    bones: list[tuple[Anchor, Anchor]], triangles: list[tuple[Anchor, Anchor, Anchor]], joints: Tensor
) -> SphereModel:
    """Spheres along bones and over triangles; `joints` `[J, 3]` say how many it takes."""
    weights, radii = [], []
    for corners in [*bones, *triangles]:
        places = torch.stack([corner.weights for corner in corners])
        spacing = SPACING if len(corners) == 2 else PALM_SPACING
        shares = _shares(len(corners), math.ceil(float(torch.pdist(places @ joints).max()) / spacing))
        weights.append(shares @ places)
        radii.append(shares @ torch.tensor([corner.radius for corner in corners]))
    return SphereModel(torch.cat(weights), torch.cat(radii))


def _shares(corners: int, steps: int) -> Tensor:
    """Barycentric coordinates of evenly spaced points on a line (2 corners) or triangle (3), `[points, corners]`."""
    grid = torch.cartesian_prod(*(torch.arange(steps + 1),) * corners)
    return grid[grid.sum(dim=1) == steps].float() / steps
