"""Things nearer to the camera than the hand, to its left and right: a ball, a box, another arm, another hand."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.rendering.kinematics import Hand
from seqgcn.datasets.hands.rendering.limbs import forearm
from seqgcn.datasets.hands.rendering.motion import Stage, film
from seqgcn.datasets.hands.rendering.raycast import render_depth
from seqgcn.datasets.hands.rendering.solids import Box, Cone, Ellipsoid, Solid, nearer, solids_depth
from seqgcn.datasets.hands.rendering.spheres import hand_spheres

KINDS = ("ball", "box", "arm", "hand")

FLESH = 18.0
"""Of the hand around its joints, and some room, mm."""

FROM_EDGE = 0.14
"""Where in the image a thing is if the hand leaves it room: this share of the width from the edge."""


class _Thing(NamedTuple):
    """One thing around 0.

    Args:
        side: -1 left of the hand, 1 right of it.
        before: Distance between the hand's nearest joint and the thing's back, mm.
        high: Of the image's height, where it is.
        solids: `[]` for another hand, which is of spheres.
        balls: Centers `[k, 3]` and radii `[k]` mm of what has to be beside the hand.
    """

    side: float
    before: float
    high: float
    solids: list[Solid]
    balls: tuple[Tensor, Tensor]

    def place(self, pose: Tensor, scale: float, camera: Camera) -> Tensor:
        """Where it is beside and before one hand, `[3]` mm."""
        centers, radii = self.balls
        back = float((centers[:, 2] + radii).max())
        front = float((centers[:, 2] - radii).min())
        z = max(float(pose[:, 2].min()) - FLESH * scale - self.before - back, 40.0 - front)
        return beside(self.balls, self.side, z, self.high, pose, scale, camera)


class Clutter(NamedTuple):
    """Two things, one on each side of the hand, so that one is in view wherever the hand is.

    Args:
        things: Both.
        hands: Joints of another hand around 0, `[n, 21, 3]` mm, if one of them is that.
    """

    things: tuple[_Thing, ...]
    hands: Tensor | None

    @classmethod
    def draw(cls, frames: int, draws: torch.Generator) -> "Clutter":
        """Two different things for a sequence of so many frames."""
        order = torch.randperm(len(KINDS), generator=draws)[:2].tolist()
        things, hands = [], None
        for side, kind in zip((-1.0, 1.0), (KINDS[k] for k in order), strict=True):
            share = torch.rand(5, generator=draws)
            solids: list[Solid] = []
            if kind == "hand":
                hands = other_hand(frames, draws)
                # Its own in each frame.
                balls = hands[0], torch.full((21,), FLESH)
            else:
                solids, balls = _solid(kind, side, share)
            before, high = 20 + 60 * float(share[3]), 0.35 + 0.3 * float(share[4])
            things.append(_Thing(side, before, high, solids, (balls[0].double(), balls[1].double())))
        return cls(tuple(things), hands)

    def depth(self, i: int, pose: Tensor, scale: float, camera: Camera) -> Tensor:
        """Depth of both in frame i, `[h, w]` float32 mm, 0 where there is nothing; `pose` `[21, 3]` mm."""
        seen = torch.zeros(camera.height, camera.width)
        for thing in self.things:
            if thing.solids:
                at = thing.place(pose, scale, camera)
                seen = nearer(solids_depth([_moved(solid, at) for solid in thing.solids], camera), seen)
            elif self.hands is not None:
                seen = nearer(_hand_depth(thing, self.hands[i], pose, scale, camera), seen)
        return seen


def beside(
    balls: tuple[Tensor, Tensor], side: float, z: float, high: float, pose: Tensor, scale: float, camera: Camera
) -> Tensor:
    """Where balls around 0 are beside a hand in the image, `[3]` mm.

    Args:
        balls: Centers `[k, 3]` and radii `[k]` mm, float64.
        side: -1 left of the hand, 1 right of it.
        z: Depth of their origin, mm.
        high: Of the image's height, where their origin is.
        pose: Joints of the hand, `[21, 3]` mm.
        scale: Of the hand's flesh.
        camera: Sees both.
    """
    (centers, radii), joints = balls, pose.double()
    # In units of the focal length: the hand's own edge on this side, and where the balls would like to be.
    edge = side * float((side * joints[:, 0] + FLESH * scale).div(joints[:, 2]).max())
    width = (camera.width - 1) / camera.fx
    liked = (FROM_EDGE if side < 0 else 1 - FROM_EDGE) * width - camera.cx / camera.fx
    away = centers[:, 2] + z
    # A ball's outline is at most this far from its center's ray: tan(a + b) with b from its size.
    angle = torch.asin((radii / away).clamp(max=0.99))
    turned = torch.tan((math.atan(edge) + side * angle).clamp(-1.5, 1.5))
    # Each ball beside the hand's edge, the nearest one decides; never nearer to it than liked.
    needed = float((side * (turned * away - centers[:, 0])).max())
    x = side * max(needed, side * liked * z)
    y = (high * (camera.height - 1) - camera.cy) / camera.fy * z
    return torch.tensor([x, y, z], dtype=torch.float32)


def _hand_depth(thing: _Thing, own: Tensor, pose: Tensor, scale: float, camera: Camera) -> Tensor:
    """Another hand with its arm, whose joints around 0 are `own` `[21, 3]` mm."""
    arm = forearm(own, 1.0, torch.tensor([1.2 * thing.side, 0.4, 0.0]))
    bounds = [solid.bounds() for solid in arm]
    centers = torch.cat([own, *(centers for centers, _ in bounds)])
    radii = torch.cat([torch.full((len(own),), FLESH), *(radii for _, radii in bounds)])
    at = thing._replace(balls=(centers.double(), radii.double())).place(pose, scale, camera)
    seen = solids_depth([_moved(solid, at) for solid in arm], camera)
    return nearer(render_depth(*hand_spheres(own + at, forearm=False), camera), seen)


def other_hand(frames: int, draws: torch.Generator) -> Tensor:
    """A left hand that moves, around 0, `[n, 21, 3]` mm."""
    still = Stage(Camera(100, 100, 5000, 5000, 10000, 10000), 600, 600)
    joints = film(Hand.average(), still, frames, draws) * torch.tensor([-1.0, 1.0, 1.0])
    return joints - joints[:, [0, 9]].mean(dim=1, keepdim=True)


def _solid(kind: str, side: float, share: Tensor) -> tuple[list[Solid], tuple[Tensor, Tensor]]:
    nowhere = torch.zeros(3)
    if kind == "ball":
        radius = 25 + 20 * float(share[0])
        return [Ellipsoid(nowhere, torch.full((3,), radius))], (nowhere.unsqueeze(0), torch.tensor([radius]))
    if kind == "box":
        half = 15 + 25 * share[:3]
        turn = float(share[2]) * math.pi
        axes = torch.tensor(
            [[math.cos(turn), 0, -math.sin(turn)], [0, 1, 0], [math.sin(turn), 0, math.cos(turn)]]
        ) @ torch.tensor([[1.0, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]])
        return [Box(nowhere, axes, half)], (nowhere.unsqueeze(0), half.norm().unsqueeze(0))
    elbow = torch.tensor([side * 200, 60 + 80 * float(share[0]), 10.0])
    arm = Cone(nowhere, elbow, (26 + 8 * float(share[1]), 40.0))
    return [arm], arm.bounds()


def _moved(solid: Solid, by: Tensor) -> Solid:
    if isinstance(solid, Cone):
        return solid._replace(start=solid.start + by, end=solid.end + by)
    return solid._replace(center=solid.center + by)
