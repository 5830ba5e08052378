"""What the names of joints say about a hand, and whether poses agree: the order of joints, and which hand it is."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, permutations
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from seqgcn.datasets.hands.camera import BIGHAND_CAMERA
from seqgcn.datasets.hands.landmarks.names import FINGER_WORDS, landmark_weights, name_words
from seqgcn.datasets.hands.rendering.kinematics import Hand
from seqgcn.datasets.hands.rendering.motion import Stage, film
from seqgcn.datasets.hands.skeleton import FINGERS, Skeleton
from seqgcn.utils.seeding import generator

Poses = NDArray[np.float64]

BASES = ("mcp", "base", "root", "cmc", "knuckle")
LEVELS = {"cmc": 0, "mcp": 1, "base": 1, "root": 1, "knuckle": 1, "pip": 2, "mid": 2, "ip": 3, "dip": 3, "tip": 4}
"""How far along a finger a joint is, by a word of its name."""

BETTER = 0.965
"""A right order is at most that share as far from a hand as one in which two joints or more are swapped."""

CLEAR = 0.85
"""The same where bones need not be asked too."""

LIKE_A_HAND = 1.3
"""How far a hand is from others at most, as `other_order` measures it; rendered ones are 0.6 to 0.8."""

NO_HAND = 2.0
"""How far poses are from hands if joints are in no order of hands; at random it is 3 and more."""

OFTEN = 0.85
"""Share of frames that must agree."""

LEAST_JOINTS = 8
"""Joints with known names from which on an order can be told."""

ERROR = 4.0
"""mm by which distances between joints differ from one hand to the next, besides its size."""

POSES = 60
"""Poses looked at to tell the order."""

BENT = 0.32
"""Share of their length that fingers must be bent out of the palm's plane to tell a left hand from a right one.

Fingers that are stretched bend back by up to 0.3, for whole sequences.
"""

BENT_OF_MANY, MANY = 0.15, 300
"""The same on average over that many frames of all sequences, which never are all stretched."""


class Change(NamedTuple):
    """Another order of joints that fits better.

    Args:
        places: Column in which each joint is, `[J]`.
        what: In words: what the columns seem to hold.
        given: How far distances between joints are from those in hands, in units of what they vary.
        off: The same in this order; NaN where no order is known that is like a hand.
    """

    places: NDArray[np.int64]
    what: str
    given: float = 0.0
    off: float = 0.0


@dataclass(frozen=True)
class Anatomy:
    """Which joints are which, by their names.

    Args:
        root: Wrist or palm.
        fingers: Joints of each finger from base to tip.
        bones: The skeleton's, or by default those that follow from the names.
        based: Whether the first joint of each finger is at its base.
    """

    root: int | None
    fingers: dict[str, tuple[int, ...]]
    bones: tuple[tuple[int, int], ...]
    based: bool

    @property
    def whole(self) -> bool:
        """Whether all five fingers and their bases are known."""
        return self.root is not None and len(self.fingers) == len(FINGERS) and self.based


def anatomy_of(skeleton: Skeleton) -> Anatomy:
    """What the names tell; nothing of joints whose names say nothing."""
    words = [[FINGER_WORDS.get(word, word) for word in name_words(joint)] for joint in skeleton.joints]
    members: dict[str, list[int]] = {}
    for joint, own in enumerate(words):
        named = [finger for finger in FINGERS if finger in own]
        if len(named) == 1:
            members.setdefault(named[0], []).append(joint)
    taken = {joint for joints in members.values() for joint in joints}
    roots = [
        joint for word in ("wrist", "palm", "center", "centre") for joint, own in enumerate(words) if own == [word]
    ]
    root = next((joint for joint in roots if joint not in taken), None)
    far = _distances(root, skeleton)
    fingers: dict[str, tuple[int, ...]] = {}
    for finger, joints in members.items():
        places = [_level(words[joint]) if far is None else far[joint] for joint in joints]
        if all(place is not None for place in places) and len(set(places)) == len(places):
            order = sorted(range(len(joints)), key=lambda i: places[i] or 0)
            fingers[finger] = tuple(joints[i] for i in order)
    based = all(set(words[chain[0]]) & set(BASES) for chain in fingers.values())
    bones = skeleton.bones or tuple(bone for chain in fingers.values() for bone in pairwise(chain))
    return Anatomy(root, {finger: fingers[finger] for finger in FINGERS if finger in fingers}, bones, based)


def _level(words: Sequence[str]) -> int | None:
    found = [LEVELS[word] for word in words if word in LEVELS]
    return found[0] if len(found) == 1 else None


def _distances(root: int | None, skeleton: Skeleton) -> list[int | None] | None:
    """Bones between the root and each joint; None if bones do not say it."""
    if root is None or not skeleton.bones:
        return None
    far: list[int | None] = [None] * len(skeleton)
    far[root], edge = 0, [root]
    while edge:
        reached = []
        for a, b in skeleton.bones:
            for start, end in ((a, b), (b, a)):
                if start in edge and far[end] is None:
                    far[end] = (far[start] or 0) + 1
                    reached.append(end)
        edge = reached
    return None if any(place is None for place in far) else far


def lengths(poses: Poses, bones: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Length of each bone in each pose, `[n, b]` mm; NaN where an end is not labeled."""
    ends = np.array(bones, np.int64).reshape(-1, 2)
    return np.asarray(np.linalg.norm(poses[:, ends[:, 0]] - poses[:, ends[:, 1]], axis=2))


def other_order(poses: Poses, skeleton: Skeleton, table: Mapping[str, Sequence[str]] | None = None) -> Change | None:
    """Another order of the joints in which they are much more like a hand, if there is one.

    Distances between joints are compared with those in rendered hands of many poses, each difference in units of how
    much the distance varies with the pose. Where joints are in no order of hands and none is found, the change has no
    `off`. Orders that are tried are those of common data sets and programs, fingers
    under each other's names, and two joints under each other's names.

    Args:
        poses: Complete ones, `[n, J, 3]` mm.
        skeleton: The joints they are said to have.
        table: Landmarks of joints whose names do not tell; see `seqgcn.datasets.hands.landmarks.names`.
    """
    anatomy, weights = anatomy_of(skeleton), landmark_weights(skeleton, table).double().numpy()
    named = np.flatnonzero(np.isfinite(weights).all(axis=1))
    if len(poses) == 0 or len(named) < LEAST_JOINTS:
        return None
    poses = poses[np.linspace(0, len(poses) - 1, min(len(poses), POSES)).astype(np.int64)]
    apart = _apart(weights[named] @ _hands())
    mean, spread = apart.mean(axis=0), apart.std(axis=0) + ERROR
    pairs = np.triu_indices(len(named), 1)
    between = _apart(poses)

    def far(places: NDArray[np.int64]) -> NDArray[np.float64]:
        chosen = places[named]
        found = between[:, chosen[:, None], chosen]
        scale = found.mean() / mean.mean()
        return np.asarray((np.abs(found / scale - mean) / spread)[:, pairs[0], pairs[1]].mean(axis=1))

    same = np.arange(poses.shape[1])
    given = far(same)
    best, least = None, BETTER * given.mean()
    for change in _orders(anatomy, skeleton, named):
        off = far(change.places)
        if off.mean() < least and (off < given).mean() >= OFTEN:
            best, least = change._replace(given=float(given.mean()), off=float(off.mean())), float(off.mean())
    if best is None or least > LIKE_A_HAND:
        unknown = given.mean() > NO_HAND and (given > LIKE_A_HAND).mean() >= OFTEN
        return Change(same, "", float(given.mean()), float("nan")) if unknown else None
    if least < CLEAR * given.mean() or not anatomy.bones:
        return best
    shorter = lengths(poses[:, best.places], anatomy.bones).sum(axis=1) < lengths(poses, anatomy.bones).sum(axis=1)
    return best if shorter.mean() >= OFTEN else None


def _apart(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances between the points of each pose, `[n, J, J]` mm."""
    return np.asarray(np.linalg.norm(points[:, :, None] - points[:, None], axis=3))


@functools.cache
def _hands() -> NDArray[np.float64]:
    """Rendered hands of many poses, `[n, 21, 3]` mm."""
    stage = Stage(BIGHAND_CAMERA, 400, 600)
    films = [film(Hand.average(), stage, 400, generator(0, "check", number))[::20] for number in range(8)]
    return torch.cat(films).double().numpy()


def _orders(anatomy: Anatomy, skeleton: Skeleton, named: NDArray[np.int64]) -> Iterator[Change]:
    """Orders that happen."""
    same = np.arange(len(skeleton))
    yield from _known_orders(anatomy, len(skeleton))
    yield Change(same[::-1].copy(), "from the last to the first")
    if len(anatomy.fingers) == len(FINGERS) and len({len(chain) for chain in anatomy.fingers.values()}) == 1:
        chains = [list(anatomy.fingers[finger]) for finger in FINGERS]
        for order in permutations(range(len(FINGERS))):
            places = same.copy()
            for finger, held in enumerate(order):
                places[chains[finger]] = chains[held]
            # The column of a finger holds the one whose own joints are there.
            wrong = [f"{FINGERS[held]} holds {FINGERS[finger]}" for finger, held in enumerate(order) if held != finger]
            if wrong:
                yield Change(places, f"fingers under other names: {', '.join(wrong)}")
    for a, b in combinations(named.tolist(), 2):
        places = same.copy()
        places[[a, b]] = b, a
        yield Change(places, f"{skeleton.joints[a]} and {skeleton.joints[b]} swapped")


def _known_orders(anatomy: Anatomy, joints: int) -> list[Change]:
    """Orders of common data sets and programs."""
    sizes = {len(chain) for chain in anatomy.fingers.values()}
    if not anatomy.whole or len(sizes) != 1 or joints != 5 * (size := sizes.pop()) + 1:
        return []
    assert anatomy.root is not None  # noqa: S101  # for mypy: whole
    own: list[tuple[str, int]] = [("root", 0)] * joints
    for finger, chain in anatomy.fingers.items():
        for level, joint in enumerate(chain):
            own[joint] = (finger, level)
    hands = {
        "thumb, index, middle, ring, pinky": FINGERS,
        "index, middle, ring, pinky, thumb": (*FINGERS[1:], FINGERS[0]),
        "pinky, ring, middle, index, thumb": FINGERS[::-1],
    }
    up, down = tuple(range(size)), tuple(range(size))[::-1]
    orders: dict[str, list[tuple[str, int]]] = {}
    for told, hand in hands.items():
        for way, levels in (("from base to tip", up), ("from tip to base", down)):
            orders[f"finger by finger ({told}), each {way}"] = [(finger, level) for finger in hand for level in levels]
            orders[f"all bases, then finger by finger ({told}), each {way}"] = [
                *((finger, 0) for finger in hand),
                *((finger, level) for finger in hand for level in levels if level),
            ]
            orders[f"level by level {way} ({told})"] = [(finger, level) for level in levels for finger in hand]
    name = "root"
    found = []
    for told, order in orders.items():
        for where, whole in (("first", [(name, 0), *order]), ("last", [*order, (name, 0)])):
            places = np.array([whole.index(token) for token in own], np.int64)
            if (places != np.arange(joints)).any():
                found.append(Change(places, f"the root {where}, {told}"))
    return found


def bend(poses: Poses, anatomy: Anatomy) -> NDArray[np.float64]:
    """How far fingers are bent out of the plane of the palm, `[n]`: above 0 in right hands, below in left ones.

    Fingers bend to the palm's side alone. The plane is that through the root and the first joints of index finger and
    pinky; the sign is that of the side on which the tips of the four fingers are, as a share of the fingers' length.
    NaN where joints are not known.
    """
    fingers = [anatomy.fingers[finger] for finger in FINGERS[1:] if finger in anatomy.fingers]
    lacking = anatomy.root is None or "index" not in anatomy.fingers or "pinky" not in anatomy.fingers
    if lacking or any(len(chain) < 2 for chain in fingers):
        return np.full(len(poses), np.nan)
    root = poses[:, anatomy.root]
    first, last = (poses[:, anatomy.fingers[finger][0]] - root for finger in ("index", "pinky"))
    normal = np.cross(first, last)
    with np.errstate(invalid="ignore", divide="ignore"):
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        sides = []
        for chain in fingers:
            along = poses[:, chain[-1]] - poses[:, chain[0]]
            span = sum(np.linalg.norm(poses[:, a] - poses[:, b], axis=1) for a, b in pairwise(chain))
            sides.append((along * normal).sum(axis=1) / span)
        return np.asarray(np.mean(sides, axis=0))
