"""A kinematic right hand: bones, joint limits, and from joint angles to joints.

Joints are in finger-major order everywhere in the renderer: wrist, then thumb, index, middle, ring and little finger,
each from its root to its tip. As in the data sets, the thumb's four are its carpometacarpal, metacarpophalangeal and
interphalangeal joint and its tip. A tip lies in the middle of the last sphere, 5 to 7 mm below the skin.

The hand's own axes are x towards the thumb, y towards the fingers and z out of the palm, with the wrist at 0.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from seqgcn.datasets.hands.skeleton import BIGHAND21, BIGHAND_FINGER_MAJOR
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_number

JOINTS = tuple(BIGHAND21.joints[joint] for joint in BIGHAND_FINGER_MAJOR)
"""Names of the 21 joints in the renderer's order."""

LIMITS = {
    "thumb abduction": (5.0, 60.0),
    "thumb extension": (0.0, 60.0),
    "thumb mcp": (-10.0, 55.0),
    "thumb ip": (-15.0, 80.0),
    "index mcp": (-20.0, 85.0),
    "index abduction": (-12.0, 15.0),
    "index pip": (0.0, 105.0),
    "middle mcp": (-20.0, 85.0),
    "middle abduction": (-10.0, 10.0),
    "middle pip": (0.0, 105.0),
    "ring mcp": (-20.0, 85.0),
    "ring abduction": (-10.0, 10.0),
    "ring pip": (0.0, 105.0),
    "pinky mcp": (-20.0, 85.0),
    "pinky abduction": (-18.0, 8.0),
    "pinky pip": (0.0, 105.0),
}
"""Smallest and largest value of each angle, degrees; flexion and movement towards the thumb are positive.

Thumb abduction lifts its metacarpal out of the palm's plane, thumb extension turns it away from the index finger.
"""

DIP_OF_PIP = 2 / 3
"""A finger's last joint bends with the one before (Rijpkema and Girard, SIGGRAPH 1991)."""

_ROOTS = ((20.0, 20.0, 10.0), (25.0, 88.0, 0.0), (4.0, 92.0, 1.0), (-16.0, 86.0, 0.0), (-34.0, 76.0, -2.0))
_LENGTHS = ((44.0, 33.0, 25.0), (43.0, 25.0, 19.0), (47.0, 29.0, 20.0), (44.0, 28.0, 20.0), (34.0, 20.0, 18.0))
_FAN = (4.0, 0.0, -4.0, -9.0)
"""Direction of the straight fingers, index to little, degrees towards the thumb."""


class HandPose(NamedTuple):
    """Poses of n hands.

    Args:
        angles: In the order of `LIMITS`, `[n, 16]` radians.
        rotation: Roll about the camera's axis, pitch about the image's horizontal, and yaw about the hand's own
            long axis, `[n, 3]` radians; at 0 the palm faces the camera and the fingers point up.
        position: Of the palm's middle, `[n, 3]` mm.
    """

    angles: Tensor
    rotation: Tensor
    position: Tensor


@dataclass(frozen=True, eq=False)
class Hand:
    """Measures of one hand.

    Args:
        roots: Root of the thumb and of the four fingers in the hand's axes, `[5, 3]` mm.
        lengths: Of each finger's three bones, from root to tip, `[5, 3]` mm.
        scale: Of the flesh around the bones, 1 for an average adult.
    """

    roots: Tensor
    lengths: Tensor
    scale: float = 1.0

    @classmethod
    def average(cls) -> "Hand":
        """An average adult's: 190 mm from the wrist to the tip of the middle finger."""
        return cls(torch.tensor(_ROOTS), torch.tensor(_LENGTHS))

    @classmethod
    def of_subject(cls, seed: int, number: int, *, scale: float | None = None) -> "Hand":
        """A subject's hand: another size, and each bone up to 6 % longer or shorter than that.

        Args:
            seed: Of all subjects.
            number: Of the subject.
            scale: Its size, 1 for an average adult; by default drawn, 0.86 to 1.14.
        """
        draws = generator(seed, "subject", number)
        drawn = 1 + 0.07 * float(torch.randn((), generator=draws).clamp(-2, 2))
        size = drawn if scale is None else check_number("scale", scale, low=0, open_low=True)
        roots, lengths = torch.tensor(_ROOTS), torch.tensor(_LENGTHS)
        lengths *= 1 + 0.03 * torch.randn(lengths.shape, generator=draws).clamp(-2, 2)
        roots *= 1 + 0.03 * torch.randn(3, generator=draws).clamp(-2, 2)
        return cls(roots * size, lengths * size, size)

    def joints(self, pose: HandPose) -> Tensor:
        """Joints in camera axes (x right, y down, z away), `[n, 21, 3]` mm, finger-major.

        Raises:
            ArgumentError: An angle is outside its limits.
        """
        _check_limits(pose.angles)
        thumb, fingers = pose.angles[:, :4], pose.angles[:, 4:].unflatten(1, (4, 3))
        directions = torch.cat((_thumb(thumb).unsqueeze(1), _fingers(fingers)), dim=1)
        steps = (directions * self.lengths.unsqueeze(-1)).cumsum(dim=2)
        roots = self.roots.expand(len(pose.angles), 5, 3).unsqueeze(2)
        chains = torch.cat((roots, roots + steps), dim=2).flatten(1, 2)
        joints = torch.cat((torch.zeros_like(chains[:, :1]), chains), dim=1)
        middle = self.roots[1:].mean(dim=0) / 2
        return (joints - middle) @ _rotation(pose.rotation).transpose(1, 2) + pose.position.unsqueeze(1)


def angle_limits() -> tuple[Tensor, Tensor]:
    """Smallest and largest angles, `[16]` radians each."""
    low, high = torch.tensor(list(LIMITS.values())).deg2rad().unbind(1)
    return low, high


def _check_limits(angles: Tensor) -> None:
    low, high = angle_limits()
    if angles.dim() != 2 or angles.shape[1] != len(LIMITS):
        raise ArgumentError(f"angles must be [n, {len(LIMITS)}], got {list(angles.shape)}")
    wrong = ~((angles > low - 1e-4) & (angles < high + 1e-4))
    if wrong.any():
        row, column = wrong.nonzero()[0].tolist()
        name, bounds = list(LIMITS.items())[column]
        degrees = float(angles[row, column].rad2deg())
        raise ArgumentError(f"{name} must be within {bounds} degrees, got {degrees:.1f} in row {row}")


def _fingers(angles: Tensor) -> Tensor:
    """Direction of each bone, `[n, 4, 3, 3]`, from `[n, 4, 3]` flexion, abduction and middle flexion."""
    flexion, abduction, pip = angles.unbind(-1)
    # The ligaments of a bent knuckle let it hardly move sideways.
    aside = torch.tensor(_FAN).deg2rad() + abduction * flexion.cos().clamp(min=0.15)
    bend = torch.stack((flexion, flexion + pip, flexion + (1 + DIP_OF_PIP) * pip), dim=-1)
    aside = aside.unsqueeze(-1)
    return torch.stack((bend.cos() * aside.sin(), bend.cos() * aside.cos(), bend.sin()), dim=-1)


def _thumb(angles: Tensor) -> Tensor:
    """Direction of each bone, `[n, 3, 3]`, from `[n, 4]` abduction, extension and two flexions."""
    abduction, extension, mcp, ip = angles.unbind(-1)
    metacarpal = torch.stack(
        (abduction.cos() * extension.sin(), abduction.cos() * extension.cos(), abduction.sin()), dim=-1
    )
    # The thumb's nail faces sideways: it bends across the palm, not towards it.
    across = metacarpal.new_tensor([-0.9, 0.0, 0.45])
    across = across - (metacarpal * across).sum(dim=-1, keepdim=True) * metacarpal
    across = (across / across.norm(dim=-1, keepdim=True)).unsqueeze(1)
    bend = torch.stack((torch.zeros_like(mcp), mcp, mcp + ip), dim=-1).unsqueeze(-1)
    directions: Tensor = bend.cos() * metacarpal.unsqueeze(1) + bend.sin() * across
    return directions


def _rotation(angles: Tensor) -> Tensor:
    """From the hand's axes to the camera's, `[n, 3, 3]`, from `[n, 3]` roll, pitch and yaw."""
    roll, pitch, yaw = angles.unbind(-1)
    one, zero = torch.ones_like(roll), torch.zeros_like(roll)

    def matrix(*rows: Tensor) -> Tensor:
        return torch.stack(rows, dim=-1).view(-1, 3, 3)

    in_plane = matrix(roll.cos(), -roll.sin(), zero, roll.sin(), roll.cos(), zero, zero, zero, one)
    nod = matrix(one, zero, zero, zero, pitch.cos(), -pitch.sin(), zero, pitch.sin(), pitch.cos())
    facing = torch.diag(angles.new_tensor([1.0, -1.0, -1.0]))
    turn = matrix(yaw.cos(), zero, yaw.sin(), zero, one, zero, -yaw.sin(), zero, yaw.cos())
    rotation: Tensor = in_plane @ nod @ facing @ turn
    return rotation
