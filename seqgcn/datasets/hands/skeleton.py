"""Joints of the hand pose data sets, in the order of their files, and the bones between them."""

import re
from dataclasses import dataclass
from itertools import pairwise

from seqgcn.exceptions import ArgumentError

FINGERS = ("thumb", "index", "middle", "ring", "pinky")


@dataclass(frozen=True)
class Skeleton:
    """Names of the joints and the bones between them.

    Args:
        joints: Name of each joint, in the order of the files; J of them.
        bones: Pairs of joint indices, for drawing.

    Raises:
        ArgumentError: A name is given twice, or a bone names a joint that there is not.
    """

    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if len(set(self.joints)) != len(self.joints) or not self.joints:
            raise ArgumentError(f"joints must be at least one name and none twice, got {list(self.joints)}")
        for bone in self.bones:
            if len(bone) != 2 or not all(0 <= joint < len(self.joints) for joint in bone):
                raise ArgumentError(f"bone {bone} must name two of the joints 0 to {len(self.joints) - 1}")

    def __len__(self) -> int:
        return len(self.joints)


def words_of(joint: str) -> list[str]:
    """Words of a joint's name in small letters: `index tip`, `INDEX_TIP` and `indexTip1` have the same two."""
    return [word.lower() for word in re.findall("[A-Z]?[a-z]+|[A-Z]+(?![a-z])", joint)]


def palm_joints(skeleton: Skeleton) -> list[int]:
    """Joints whose mean is the middle of the palm: the palm itself, else wrist and bases of fingers; none if unknown.

    Args:
        skeleton: Tells the joints by their names.
    """
    words = [set(words_of(joint)) for joint in skeleton.joints]
    palm = [joint for joint, own in enumerate(words) if "palm" in own]
    if palm:
        return palm[:1]
    wrists = [joint for joint, own in enumerate(words) if "wrist" in own]
    bases = [joint for joint, own in enumerate(words) if own & {"mcp", "root", "base"}]
    return [*wrists, *bases] if wrists and len(bases) >= 3 else []


def _chain(*joints: int) -> tuple[tuple[int, int], ...]:
    return tuple(pairwise(joints))


def _hand21(order: tuple[str, ...]) -> tuple[str, ...]:
    return ("wrist", *(f"{finger} {part}" for finger in order for part in ("mcp", "pip", "dip", "tip")))


ICVL16 = Skeleton(
    ("palm", *(f"{finger} {part}" for finger in FINGERS for part in ("root", "mid", "tip"))),
    tuple(bone for first in range(1, 16, 3) for bone in _chain(0, first, first + 1, first + 2)),
)

MSRA21 = Skeleton(
    _hand21(("index", "middle", "ring", "pinky", "thumb")),
    tuple(bone for first in range(1, 21, 4) for bone in _chain(0, *range(first, first + 4))),
)

BIGHAND21 = Skeleton(
    (
        "wrist",
        *(f"{finger} mcp" for finger in FINGERS),
        *(f"{finger} {part}" for finger in FINGERS for part in ("pip", "dip", "tip")),
    ),
    tuple(bone for f in range(5) for bone in _chain(0, 1 + f, 6 + 3 * f, 7 + 3 * f, 8 + 3 * f)),
)

BIGHAND_FINGER_MAJOR = (0, 1, 6, 7, 8, 2, 9, 10, 11, 3, 12, 13, 14, 4, 15, 16, 17, 5, 18, 19, 20)
"""Order that turns BigHand's joints into wrist, then thumb, index, middle, ring, pinky, each mcp to tip."""

_NYU_CHAINS = ("pinky", "ring", "middle", "index", "thumb")

NYU36 = Skeleton(
    (
        *(f"{finger} {place}" for finger in _NYU_CHAINS for place in ("tip", 2, 3, 4, 5, "base")),
        "wrist left",
        "wrist right",
        "palm",
        "palm 2",
        "palm 3",
        "wrist",
    ),
    (
        *(bone for first in range(0, 30, 6) for bone in _chain(*range(first, first + 6))),
        *((last, 32) for last in (5, 11, 17, 23, 29)),
        (30, 32),
        (31, 32),
        (30, 35),
        (31, 35),
        (33, 32),
        (34, 32),
    ),
)

NYU_EVALUATED = (0, 3, 6, 9, 12, 15, 18, 21, 24, 25, 27, 30, 31, 32)
"""The 14 of NYU's 36 joints on which everybody reports errors."""

NYU14 = Skeleton(
    tuple(NYU36.joints[joint] for joint in NYU_EVALUATED),
    ((0, 1), (1, 13), (2, 3), (3, 13), (4, 5), (5, 13), (6, 7), (7, 13), (8, 9), (9, 10), (10, 13), (11, 13), (12, 13)),
)
