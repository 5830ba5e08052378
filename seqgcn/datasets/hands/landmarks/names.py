"""Which of mediapipe's landmarks the joints of a skeleton are, by their names."""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from seqgcn.datasets.hands.landmarks.found import LANDMARKS
from seqgcn.datasets.hands.rendering.joints import joint_weights
from seqgcn.datasets.hands.skeleton import FINGERS, ICVL16, NYU36, NYU_EVALUATED, Skeleton
from seqgcn.exceptions import ArgumentError

FINGER_WORDS = {"little": "pinky", "small": "pinky", "pinkie": "pinky", "fore": "index", "pointer": "index"}
PART_WORDS = {"cmc": "cmc", "ip": "ip", "knuckle": "mcp", "base": "mcp"}
IGNORED = ("finger", "joint", "hand", "left", "right", "l", "r")
"""Words of a joint's name that do not tell which it is."""


def landmark_weights(skeleton: Skeleton, table: Mapping[str, Sequence[str]] | None = None) -> Tensor:
    """Weight of each landmark in each joint of a skeleton, `[J, 21]`; NaN in rows of joints that are no landmarks.

    Names that say a finger and a place (`index mcp`, `INDEX_FINGER_MCP`, `indexMcp`) are that landmark, where the
    thumb's are cmc, mcp, ip and tip, or mcp, pip, dip and tip; ICVL's palm, roots and middles, and NYU's points, are
    means of landmarks. The user's own table comes first.

    Args:
        skeleton: The joints.
        table: Landmarks of joints by name; a joint is the mean of its landmarks.

    Raises:
        ArgumentError: The table names a joint or landmark that there is not.
    """
    table = table or {}
    known = {**dict(zip(ICVL16.joints, joint_weights("icvl"), strict=True))}
    if skeleton.joints in (NYU36.joints, tuple(NYU36.joints[joint] for joint in NYU_EVALUATED)):
        known |= dict(zip(NYU36.joints, joint_weights("nyu"), strict=True))
    unknown = [joint for joint in table if joint not in skeleton.joints]
    if unknown:
        raise ArgumentError(
            f"detector_joints: {unknown[0]!r} is no joint; the joints are {', '.join(skeleton.joints)[:500]}"
        )
    parsed = [_parse(joint) for joint in skeleton.joints]
    modern = any(part in ("cmc", "ip") for finger, part in filter(None, parsed) if finger == "thumb")
    rows = []
    for joint, words in zip(skeleton.joints, parsed, strict=True):
        if joint in table:
            rows.append(torch.stack([_landmark_of(joint, name) for name in table[joint]]).mean(dim=0))
        elif (number := _number(words, modern)) is not None:
            rows.append(torch.eye(len(LANDMARKS))[number])
        else:
            rows.append(known.get(" ".join(name_words(joint)), torch.full((len(LANDMARKS),), torch.nan)))
    return torch.stack(rows)


def unmapped(skeleton: Skeleton, weights: Tensor) -> list[str]:
    """Names of the joints that no landmark stands for."""
    return [joint for joint, row in zip(skeleton.joints, weights, strict=True) if bool(row.isnan().any())]


def mapping_in_words(skeleton: Skeleton, weights: Tensor) -> list[tuple[str, str]]:
    """Each joint with the landmarks that it is taken from, such as `("palm", "40% wrist, 15% index mcp")`."""
    rows = []
    for joint, row in zip(skeleton.joints, weights, strict=True):
        parts = [(LANDMARKS[i], float(row[i])) for i in row.nonzero().flatten().tolist() if not row.isnan().any()]
        told = parts[0][0] if len(parts) == 1 else ", ".join(f"{share:.0%} {name}" for name, share in parts)
        rows.append((joint, told or "none"))
    return rows


def _landmark_of(joint: str, name: str) -> Tensor:
    words = _parse(name)
    number = _number(words, modern=words is not None and words[1] in ("cmc", "ip"))
    if number is None:
        raise ArgumentError(
            f"detector_joints: {name!r}, given for {joint!r}, is no landmark; they are {', '.join(LANDMARKS)}"
        )
    return torch.eye(len(LANDMARKS))[number]


def name_words(name: str) -> list[str]:
    """Words and numbers of a joint's name, in small letters."""
    words = re.findall("[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+", name)
    return [word.lower() for word in words]


def _parse(name: str) -> tuple[str, str] | None:
    """Finger and place that a name tells, such as `("index", "mcp")`; the wrist has no finger."""
    words = [FINGER_WORDS.get(word, PART_WORDS.get(word, word)) for word in name_words(name) if word not in IGNORED]
    if words == ["wrist"]:
        return "", "wrist"
    fingers = [word for word in words if word in FINGERS]
    parts = [word for word in words if word in ("mcp", "pip", "dip", "tip", "cmc", "ip")]
    return (fingers[0], parts[0]) if len(fingers) == len(parts) == 1 and len(words) == 2 else None


def _number(words: tuple[str, str] | None, modern: bool) -> int | None:
    """Number of a landmark; `modern` names call the thumb's joints cmc, mcp and ip."""
    if words is None:
        return None
    finger, part = words
    if part == "wrist":
        return 0
    thumb = {"cmc": 1, "mcp": 2 if modern else 1, "ip": 3, "pip": 2, "dip": 3, "tip": 4}
    others = {"mcp": 1, "pip": 2, "dip": 3, "tip": 4}
    place = (thumb if finger == "thumb" else others).get(part)
    return None if place is None else 4 * FINGERS.index(finger) + place
