"""Things held in the hand: fingers that grip, and what fits between them and the palm.

The largest ball between palm and fingers, in the plane across the knuckles, says how thick a thing may be:

    max over c in the hull of the chain wrist, mcp, pip, dip, tip of min_i (dist(c, bone_i) - flesh_i)
"""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from seqgcn.datasets.hands.rendering.joints import KNUCKLES
from seqgcn.datasets.hands.rendering.kinematics import LIMITS
from seqgcn.datasets.hands.rendering.settings import HeldKind
from seqgcn.datasets.hands.rendering.solids import Box, Cone, Ellipsoid, Solid

_GRIP = {"thumb abduction": (35, 50), "thumb extension": (5, 20), "thumb mcp": (5, 30), "thumb ip": (10, 35)}
"""Range of the thumb's angles around a thing, degrees."""

_FINGER_GRIP = {"mcp": (25, 55), "pip": (40, 75)}
"""The same of the fingers', which bend alike."""

_BALL = 1.3
"""Radius of a ball in that of the largest one that fits: fingertips dent it."""

_FLESH = (13.0, 10.0, 8.8, 7.5)
"""Around the palm and each of the fingers' bones, mm."""

_STEPS = 10
"""Of the grid in the hull in which the largest ball is looked for."""

THINNEST, THICKEST = 12.0, 42.0
"""Radius of what is held, mm."""


def draw_grip(draws: torch.Generator) -> Tensor:
    """Angles of a hand around a thing, in the order of `LIMITS`, `[16]` radians."""
    bend = dict(zip(_FINGER_GRIP, torch.rand(2, generator=draws).tolist(), strict=True))
    degrees = []
    for name in LIMITS:
        finger, _, angle = name.partition(" ")
        jitter = float(torch.rand((), generator=draws))
        if finger == "thumb":
            low, high = _GRIP[name]
            degrees.append(low + (high - low) * jitter)
        elif angle == "abduction":
            degrees.append(0.0)
        else:
            low, high = _FINGER_GRIP[angle]
            degrees.append(low + (high - low) * (0.85 * bend[angle] + 0.15 * jitter))
    return torch.tensor(degrees).deg2rad()


class Held(NamedTuple):
    """A thing that stays where it is in the hand.

    Args:
        kind: What it is.
        center: In the palm's axes from the wrist, `[3]` mm.
        radius: Of the largest ball there, mm.
        reach: How far a bar or box sticks out on the thumb's side and on the other, from its center, mm.
        turn: Of a box about its long axis, radians.
    """

    kind: HeldKind
    center: Tensor
    radius: float
    reach: tuple[float, float]
    turn: float

    @classmethod
    def draw(cls, kind: HeldKind, pose: Tensor, scale: float, draws: torch.Generator) -> "Held":
        """A thing that fits into a hand.

        Args:
            kind: What it is.
            pose: Any pose of the sequence, whose fingers keep still, `[21, 3]` mm.
            scale: Of the hand's flesh.
            draws: CPU generator of this sequence alone.
        """
        axes = palm_axes(pose)
        chain = (pose - pose[0]) @ axes.T
        fingers = chain[1:].unflatten(0, (5, 4))[1:].mean(dim=0)
        outline = torch.cat((torch.zeros(1, 3), fingers))[:, 1:]
        center, clearance = _largest_ball(outline, scale)
        share = torch.rand(3, generator=draws).tolist()
        return cls(
            kind,
            # Across the middle of the knuckles.
            torch.cat((fingers[:1, 0], center)),
            min(max(clearance, THINNEST), THICKEST),
            (45 + 70 * share[0], 45 + 90 * share[1]),
            share[2] * math.pi / 2,
        )

    def solids(self, pose: Tensor) -> list[Solid]:
        """Around one pose, `[21, 3]` mm."""
        axes = palm_axes(pose)
        center = pose[0] + self.center @ axes
        if self.kind == "ball":
            radius = _BALL * self.radius
            # It still touches the palm.
            return [Ellipsoid(center + (radius - self.radius) * axes[2], torch.full((3,), radius))]
        thumb, other = self.reach
        if self.kind == "bar":
            return [Cone(center + thumb * axes[0], center - other * axes[0], (self.radius, self.radius))]
        # Its corners are on the ball's outline.
        half = torch.tensor([(thumb + other) / 2, 0.78 * self.radius, 0.63 * self.radius])
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        edges = torch.stack((axes[0], cos * axes[1] + sin * axes[2], cos * axes[2] - sin * axes[1]))
        return [Box(center + (thumb - other) / 2 * axes[0], edges, half)]


def palm_axes(pose: Tensor) -> Tensor:
    """Unit vectors towards the thumb, towards the fingers and out of the palm, one a row, `[3, 3]`."""
    knuckles = pose[list(KNUCKLES)]
    along = knuckles.mean(dim=0) - pose[0]
    along = along / along.norm()
    across = knuckles[0] - knuckles[3]
    across = across - (across @ along) * along
    across = across / across.norm()
    return torch.stack((across, along, torch.linalg.cross(across, along)))


def _largest_ball(outline: Tensor, scale: float) -> tuple[Tensor, float]:
    """Center `[2]` and radius of the largest ball between bones, whose ends are `outline` `[5, 2]` mm."""
    grid = torch.cartesian_prod(*(torch.arange(_STEPS + 1),) * len(outline))
    inside = grid[grid.sum(dim=1) == _STEPS].float() / _STEPS @ outline
    clearance = torch.full((len(inside),), math.inf)
    for (start, end), flesh in zip(pairwise(outline), _FLESH, strict=True):
        way = end - start
        share = ((inside - start) @ way / way.square().sum()).clamp(0, 1)
        nearest = start + share.unsqueeze(1) * way
        clearance = torch.minimum(clearance, (inside - nearest).norm(dim=1) - flesh * scale)
    best = int(clearance.argmax())
    return inside[best], float(clearance[best])
