"""Sequences: a hand that moves between key poses, filmed at 30 frames a second.

What makes them like real videos is that neighboring frames are near-duplicates: the fastest joint moves a few mm from
one to the next, eases in and out, and now and then the hand is held.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.rendering.kinematics import Hand, HandPose, angle_limits

SPEEDS = (4.0, 10.0)
"""Of the fastest joint at its fastest, mm a frame: 0.12 to 0.3 m/s."""

HOLD_CHANCE = 0.3
LONGEST_HOLD = 12
"""Frames."""

CANDIDATES = 8
"""Of these many drawn poses the one whose fingers get into each other least is taken."""

MARGIN = 22.0
"""Between the joints and the image's edge, mm: the flesh, and some room."""

_TURNS = ((0.0, 35.0, 80.0), (0.0, 22.0, 45.0), (0.0, 40.0, 95.0))
"""Mean, standard deviation and bound of roll, pitch and yaw, degrees: palm or side of the hand face the camera."""


@dataclass(frozen=True)
class Stage:
    """Where hands move.

    Args:
        camera: Sees them.
        near: Smallest distance of the palm's middle, mm.
        far: Its largest distance, mm.
    """

    camera: Camera
    near: float
    far: float


def film(
    hand: Hand, stage: Stage, frames: int, draws: torch.Generator, *, roll: float = 0.0, grip: Tensor | None = None
) -> Tensor:
    """Joints of one sequence; a longer one from the same generator begins with the same frames.

    Args:
        hand: Moves.
        stage: Where it does.
        frames: How many.
        draws: CPU generator of this sequence alone.
        roll: By how much all hands are turned in the image, clockwise, degrees; at 0 fingers mostly point up.
        grip: Angles that all poses have, as around a thing that is held, `[16]` radians; by default each key pose has
            its own.

    Returns:
        `[frames, 21, 3]` mm in camera axes, finger-major.
    """
    parts: list[Tensor] = []
    done = 0
    here = _key_pose(hand, stage, draws, roll, grip)
    while done < frames:
        there = _key_pose(hand, stage, draws, roll, grip)
        speed = SPEEDS[0] + (SPEEDS[1] - SPEEDS[0]) * float(torch.rand((), generator=draws))
        held = float(torch.rand((), generator=draws)) < HOLD_CHANCE
        hold = int(torch.randint(1, LONGEST_HOLD + 1, (), generator=draws)) if held else 0
        steps = _steps(hand, stage, here, there, speed)
        times = torch.cat((torch.arange(steps) / steps, torch.ones(hold)))
        parts.append(_move(hand, stage, here, there, times))
        done += len(times)
        here = there
    return torch.cat(parts)[:frames]


def _move(hand: Hand, stage: Stage, here: HandPose, there: HandPose, times: Tensor) -> Tensor:
    """Joints on the way at n times from 0 to 1, `[n, 21, 3]` mm."""
    # The course of a hand that jerks least (Flash and Hogan, 1985).
    eased = (times**3 * (10 - 15 * times + 6 * times**2)).unsqueeze(1)
    joints = hand.joints(HandPose(*((1 - eased) * a + eased * b for a, b in zip(here, there, strict=True))))
    # Both ends are in the image, but a finger stretched on the way need not be.
    low, high = _room(joints, stage.camera)
    aside = torch.zeros_like(low).clamp(low, high)
    return joints + torch.cat((aside, torch.zeros_like(aside[:, :1])), dim=1).unsqueeze(1)


def _steps(hand: Hand, stage: Stage, here: HandPose, there: HandPose, speed: float) -> int:
    """Frames that the way takes if its fastest joint moves at most `speed` mm a frame."""
    samples = 24
    path = _move(hand, stage, here, there, torch.linspace(0, 1, samples + 1))
    fastest = float(path.diff(dim=0).norm(dim=-1).max()) * samples
    return max(math.ceil(fastest / speed), 2)


def _key_pose(
    hand: Hand, stage: Stage, draws: torch.Generator, roll: float = 0.0, grip: Tensor | None = None
) -> HandPose:
    angles = _angles(CANDIDATES, draws)
    nowhere = torch.zeros(CANDIDATES, 3)
    best = int(_overlap(hand.joints(HandPose(angles, nowhere, nowhere)), hand.scale).argmin())
    mean, spread, bound = torch.tensor(_TURNS).T
    turns = (mean + spread * torch.randn(3, generator=draws)).clamp(-bound, bound) + torch.tensor([roll, 0.0, 0.0])
    chosen = angles[best] if grip is None else grip
    pose = HandPose(chosen.unsqueeze(0), turns.deg2rad().unsqueeze(0), torch.zeros(1, 3))
    return pose._replace(position=_place(hand.joints(pose)[0], stage, draws).unsqueeze(0))


def _angles(n: int, draws: torch.Generator) -> Tensor:
    """Angles of n poses, `[n, 16]`: fingers mostly curl alike, some on their own; knuckle and middle joint loosely."""
    low, high = angle_limits()
    share = torch.rand(n, len(low), generator=draws)
    common, own = torch.rand(n, 1, generator=draws), torch.rand(n, 4, generator=draws)
    alone = torch.rand(n, 4, generator=draws) < 0.35
    # Squeezed towards both ends: hands are open or closed more often than half of either.
    curl = torch.where(alone, own, common + 0.15 * (own - 0.5)).clamp(0, 1)
    curl = 0.5 - 0.5 * (math.pi * curl).cos()
    jitter = share[:, 4:].unflatten(1, (4, 3))
    spread = torch.rand(n, 1, generator=draws)
    share[:, 4:] = torch.stack(
        (
            0.12 + 0.8 * curl + 0.2 * (jitter[..., 0] - 0.5),
            0.5 + (spread - 0.4) * torch.tensor([0.8, 0.1, -0.5, -0.8]) + 0.15 * (jitter[..., 1] - 0.5),
            0.05 + 0.9 * curl + 0.3 * (jitter[..., 2] - 0.5),
        ),
        dim=-1,
    ).flatten(1)
    return low + (high - low) * share.clamp(0, 1)


def _overlap(joints: Tensor, scale: float) -> Tensor:
    """How deep different fingers reach into each other, summed over points along them, `[n]` mm."""
    chains = joints[:, 1:].unflatten(1, (5, 4))
    # Beyond the roots, which touch in every hand; the thumb's first two joints lie in the palm.
    points = [(1 - s) * chains[:, :, k] + s * chains[:, :, k + 1] for k in (1, 2) for s in (0, 1 / 3, 2 / 3)]
    fingers = torch.stack([*points, chains[:, :, 3]], dim=2)
    flat = fingers.flatten(1, 2)
    finger = torch.arange(5).repeat_interleave(fingers.shape[2])
    deep = (15.5 * scale - torch.cdist(flat, flat)).clamp(min=0)
    deep = deep * (finger.unsqueeze(0) < finger.unsqueeze(1))
    return deep.sum(dim=(1, 2))


def _place(joints: Tensor, stage: Stage, draws: torch.Generator) -> Tensor:
    """Position, `[3]` mm, at which all joints, `[21, 3]` around the palm's middle, are in the image with a margin."""
    z = stage.near + (stage.far - stage.near) * torch.rand((), generator=draws)
    low, high = _room(joints.unsqueeze(0) + torch.stack((z * 0, z * 0, z)), stage.camera)
    return torch.cat((low[0] + (high - low)[0] * torch.rand(2, generator=draws), z.unsqueeze(0)))


def _room(joints: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """How far hands, `[n, 21, 3]` mm, may move to the left and top, and right and bottom, `[n, 2]` mm each."""
    size, centre = joints.new_tensor([camera.width, camera.height]), joints.new_tensor([camera.cx, camera.cy])
    focal, depth = joints.new_tensor([camera.fx, camera.fy]), joints[..., 2:]
    # Each joint at its own depth; the nearest one to an edge decides.
    low = (-centre / focal * depth - joints[..., :2]).amax(dim=1) + MARGIN
    high = ((size - 1 - centre) / focal * depth - joints[..., :2]).amin(dim=1) - MARGIN
    # Where there is no room at all, the hand goes over both edges alike.
    middle = (low + high) / 2
    return torch.minimum(low, middle), torch.maximum(high, middle)
