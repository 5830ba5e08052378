"""A hand's center where nothing is labeled: the best of the places that may be palms, followed through a sequence."""

import math
import operator
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.limbs import ends_of
from seqgcn.datasets.hands.centers.palms import Grid, Palm, grid_of, look_around, palms_of
from seqgcn.datasets.hands.centers.wrist import hand_at
from seqgcn.datasets.hands.crop import DepthImage, centre_of_mass

VERSION = 6
"""Of the rule; another number finds all centers anew."""

KEPT = 6
"""Candidates kept of a frame."""

ALONE = 0.97
"""Share of what was measured that lies in one cube where the frame holds a hand and nothing else."""

LOOKED_AT = 16
"""Places of a frame whose hand's center is looked for, best first."""

SAME = 40.0
"""mm; centers nearer to each other are of one hand."""

BESIDE = 50.0
"""mm from the end of a limb at which a palm belongs to it."""

WEIGHTS = (1.28, 0.72, -2.37, -2.05, -5.42, 6.41, 0.75, -3.34, 3.24, -8.29, -1.45, 0.5)
BIAS = 0.38
"""Of `features_of`, from benchmarks/evidence/palm_score.py."""

NO_LIMB, BEHIND = 2, 10
"""Which of the features say that no limb leads to a place, and how far it is behind the nearest."""

LEAST_AREA = 4000.0
"""mm^2 of what may be a hand without an arm."""

TRAVEL = 150.0
"""mm between frames of a sequence beyond which a hand's way says nothing any more."""

STRAY = 0.7
"""How much less likely, in logarithms, a jump of `TRAVEL` makes a path."""

APART = 150.0
"""mm; places farther apart than this are different hands, nearer ones of the same arm."""

ANOTHER = (220.0, 320.0)
"""mm behind the chosen place up to which another one counts in full, and from which on little: a body is there."""

FOREARM = 400.0
"""mm from a hand's center to the farthest end of its own forearm."""

ALONG = 0.9
"""Cosine of the angle to the forearm's direction within which a place is on that forearm."""

FAR_RIVAL = 0.3
"""What still counts of a place farther behind: a hand may hang at someone's side."""

AROUND = 8
"""Frames before and after one whose mean confidence limits its own if the hand is where it is in them."""

FALLBACK_SHARE = 0.004
"""Share of the picture of the first near surface that is taken where nothing has a palm."""


class Candidate(NamedTuple):
    """A place where a hand may be.

    Args:
        center: (x, y, z) mm, of the cube around the hand.
        score: 0 to 1: how much what is there looks like a hand at the end of an arm.
        behind: How far it is behind the nearest place of its frame, mm.
        may_be_other: Whether it may be another hand than the chosen one: it is at an end of something or has fingers.
        forearm: Direction in which the forearm of a hand with fingers leaves, of length 1; None if none is seen.
        parted: Whether no limb leads to it: something before it, or held by it, may part it from its arm.
    """

    center: tuple[float, float, float]
    score: float
    behind: float = 0.0
    may_be_other: bool = True
    forearm: tuple[float, float, float] | None = None
    parted: bool = False


def candidates_of(image: DepthImage, camera: Camera, cube: float, near: float, far: float) -> list[Candidate]:
    """Where a frame may show a hand, best first; none if nothing was measured between two depths.

    A frame that shows one thing of a cube's size shows the hand alone, and its center is the center of mass.

    Args:
        image: The frame.
        camera: Its camera.
        cube: Side of the cube, mm.
        near: Nearest depth that counts, mm.
        far: Farthest depth that counts, mm.
    """
    alone = _alone(image, camera, cube, near, far)
    if alone is not None:
        return [alone]
    grid = grid_of(image, camera, near, far)
    if grid is None:
        return []
    palms = places_of(grid, camera)
    if not palms:
        return _nearest_surface(grid, camera)
    front = min(palm.depth for palm in palms)
    return _distinct(grid, camera, sorted(palms, key=lambda palm: -hand_score(palm, palm.depth - front)), front)


def _distinct(grid: Grid, camera: Camera, palms: list[Palm], front: float) -> list[Candidate]:
    """The best place of each hand."""
    found: list[Candidate] = []
    for palm in palms[:LOOKED_AT]:
        center, forearm = hand_at(grid, camera, palm.row, palm.column)
        if all(math.dist(center, other.center) > SAME for other in found):
            behind = palm.depth - front
            may_be_other = palm.at_end or palm.fingers >= 2
            parted = palm.limbs == 0 and palm.area >= LEAST_AREA
            # Without fingers it may be an elbow or the end of a bar, and what is at the other end the hand.
            arm = forearm if palm.fingers >= 2 else None
            found.append(Candidate(center, hand_score(palm, behind), behind, may_be_other, arm, parted))
    return found[:KEPT]


def places_of(grid: Grid, camera: Camera) -> list[Palm]:
    """Places that may be hands: those of a palm's size and those at the ends of limbs.

    Args:
        grid: The frame.
        camera: Its camera.
    """
    ends = [look_around(grid, camera, row, column)._replace(at_end=True) for row, column in ends_of(grid, camera)]
    places = list(ends)
    for palm in palms_of(grid, camera):
        mm = palm.depth * grid.step / math.sqrt(camera.fx * camera.fy)
        beside = any(math.hypot(palm.row - end.row, palm.column - end.column) * mm < BESIDE for end in ends)
        places.append(palm._replace(at_end=beside))
    return places


def features_of(palm: Palm, behind: float) -> tuple[float, ...]:
    """What a place is judged by; see `WEIGHTS`.

    Args:
        palm: The place.
        behind: How far it is behind the nearest place of its frame, mm.
    """
    size = math.log(max(palm.area, 500) / 14_000)
    return (
        float(palm.fingers >= 1),
        float(palm.fingers >= 2),
        float(palm.limbs == 0),
        float(palm.limbs >= 2),
        palm.far_arc,
        max(palm.far_arc - 0.3, 0),
        max(28 - palm.radius, 0) / 10,
        max(palm.radius - 48, 0) / 10,
        size,
        max(size - 0.36, 0),
        _behind(behind),
        float(palm.at_end),
    )


def _behind(behind: float) -> float:
    return min(behind, 500) / 250


def hand_score(palm: Palm, behind: float) -> float:
    """Chance that the center of a hand is within 60 mm of a place, by logistic regression on rendered scenes.

    Args:
        palm: The place.
        behind: How far it is behind the nearest place of its frame, mm.
    """
    value = BIAS + sum(weight * feature for weight, feature in zip(WEIGHTS, features_of(palm, behind), strict=True))
    return 1 / (1 + math.exp(-value))


def follow(frames: Sequence[Sequence[Candidate]]) -> list[int]:
    """Which candidate of each frame of a sequence lies on the likeliest path; -1 where a frame has none.

    Viterbi's algorithm: the logarithm of the scores, less `STRAY` for each step as far as `TRAVEL` (farther steps cost
    no more).
    """
    chosen = [-1] * len(frames)
    seen = [i for i, candidates in enumerate(frames) if candidates]
    if not seen:
        return chosen
    back: list[NDArray[np.intp]] = []
    total, places = _of(frames[seen[0]])
    for i in seen[1:]:
        score, here = _of(frames[i])
        steps = np.linalg.norm(here[:, None] - places[None], axis=2)
        ways = total[None] - STRAY * np.minimum(steps / TRAVEL, 1)
        best = ways.argmax(axis=1)
        back.append(best)
        total, places = score + ways[np.arange(len(best)), best], here
    choice = int(total.argmax())
    for i, best in zip(reversed(seen[1:]), reversed(back), strict=True):
        chosen[i] = choice
        choice = int(best[choice])
    chosen[seen[0]] = choice
    return chosen


def confidence_of(candidates: Sequence[Candidate], chosen: int) -> float:
    """How sure a choice is, 0 to 1: its score p, times the chance 1 - r that no other place is a hand as well.

    Of two hands in view nothing says which one is meant: such a choice is in doubt however good either looks.
    """
    mine = candidates[chosen]
    other = another_hand(candidates, mine.center)
    return mine.score * (1 - (0.0 if other is None else other.score))


def another_hand(candidates: Sequence[Candidate], point: tuple[float, float, float]) -> Candidate | None:
    """The likeliest other hand of a frame than that at a point, mm, with the chance of its being one as score."""
    if not candidates:
        return None
    mine = min(candidates, key=lambda each: math.dist(each.center, point))._replace(center=point)
    rivals = [other._replace(score=_rivalry(other, mine)) for other in candidates if _apart(other, mine)]
    return max(rivals, key=lambda each: each.score, default=None)


def _apart(other: Candidate, mine: Candidate) -> bool:
    return other.may_be_other and math.dist(other.center, mine.center) > APART


def steady(confidence: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Confidence in the centers of a sequence, none above the mean of those around it at the same place, `[n]`.

    Args:
        confidence: Of each frame by itself, in order, `[n]`.
        points: The centers, `[n, 3]` mm; NaN where none was found.
    """
    n = len(confidence)
    total, count = confidence.copy(), np.ones(n)
    for step in range(1, min(AROUND, n - 1) + 1):
        near = np.linalg.norm(points[step:] - points[:-step], axis=1) <= APART
        for here, there in ((np.s_[step:], np.s_[:-step]), (np.s_[:-step], np.s_[step:])):
            total[here] += np.where(near, confidence[there], 0)
            count[here] += near
    return np.asarray(np.minimum(confidence, total / count))


def _rivalry(other: Candidate, mine: Candidate) -> float:
    """How likely another place is a hand as well, 0 to 1.

    Neither being farther behind than mine nor having no limb counts against it: both are usual of a hand in doubt.

    At the other end of the same forearm is an elbow, or where a sleeve begins. One of both is the hand, so that what
    counts is which looks more like one: r = min(1, 2 o / (o + m)) with the odds o of the other and m of mine.
    """
    odds = _log_odds(other.score)
    if _on_forearm(other, mine):
        return min(1.0, 2 / (1 + math.exp(_log_odds(mine.score) - odds)))
    odds -= WEIGHTS[NO_LIMB] if other.parted else 0.0
    odds -= WEIGHTS[BEHIND] * _behind(max(other.behind - mine.behind, 0))
    low, high = ANOTHER
    away = other.center[2] - mine.center[2]
    return max(min(1 - (away - low) / (high - low), 1.0), FAR_RIVAL) / (1 + math.exp(-odds))


def _log_odds(score: float) -> float:
    return math.log(max(score, 1e-9) / max(1 - score, 1e-9))


def _on_forearm(other: Candidate, mine: Candidate) -> bool:
    if mine.forearm is None:
        return False
    way = [there - here for here, there in zip(mine.center, other.center, strict=True)]
    length = math.hypot(*way)
    return length <= FOREARM and sum(map(operator.mul, way, mine.forearm)) > ALONG * length


def _of(candidates: Sequence[Candidate]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    scores = np.log(np.maximum([candidate.score for candidate in candidates], 1e-6))
    return scores, np.array([candidate.center for candidate in candidates])


def _alone(image: DepthImage, camera: Camera, cube: float, near: float, far: float) -> Candidate | None:
    """The center of mass, if nearly all that was measured lies in the cube around it."""
    center = centre_of_mass(image, camera, cube, near, far)
    if center is None:
        return None
    x, y, z = center.tolist()
    depth = image.depth.numpy()
    rows, columns = np.nonzero((depth >= max(near, 1e-3)) & (depth <= far))
    d = depth[rows, columns]
    side = cube / 2
    across = (columns + image.left - camera.cx) / camera.fx - x / z
    down = (rows + image.top - camera.cy) / camera.fy - y / z
    inside = (np.abs(d - z) <= side) & (np.abs(across) * z <= side) & (np.abs(down) * z <= side)
    if np.count_nonzero(inside) < ALONE * len(d):
        return None
    return Candidate((x, y, z), 1.0)


def _nearest_surface(grid: Grid, camera: Camera) -> list[Candidate]:
    """Where nothing has a palm: the first surface from the front that is not tiny, with little confidence."""
    measured = grid.depth > 0
    least = FALLBACK_SHARE * grid.depth.size
    low, high = float(grid.depth[measured].min()), float(grid.depth.max())
    for cut in np.arange(low + 20, high + 40, 20):
        labels, count = ndimage.label(measured & (grid.depth <= cut))
        if not count:
            continue
        sizes = np.bincount(labels.ravel())[1:]
        largest = int(sizes.argmax())
        if sizes[largest] >= least or cut > high:
            rows, columns = np.nonzero(labels == largest + 1)
            d = grid.depth[rows, columns]
            z = float(np.median(d))
            u, v = columns.mean() * grid.step + grid.left, rows.mean() * grid.step + grid.top
            place = (float((u - camera.cx) * z / camera.fx), float((v - camera.cy) * z / camera.fy), z)
            return [Candidate(place, 0.05)]
    return []
