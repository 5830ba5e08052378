"""A hand whose center is known in one frame of a sequence is followed through the others: of two hands, the same."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from seqgcn.datasets.hands.centers.candidate_table import CandidateTable
from seqgcn.datasets.hands.centers.combining import JUMPED
from seqgcn.datasets.hands.centers.found import SOURCES, Centers
from seqgcn.datasets.hands.centers.rule import APART, TRAVEL, Candidate, follow

OWN = 100.0
"""mm between a known center and a place of the same hand: a palm and the mean of its joints are 50 mm apart."""

ALIKE = 0.1
"""Score from which on places count alike: a hand that holds something looks less like one than the other."""

Place = tuple[float, float, float]


def follow_known(
    found: Centers, candidates: CandidateTable | Sequence[Sequence[Candidate]], known: Tensor, sequence: Tensor
) -> Centers:
    """The centers, moved to the hand that is known from other frames of the sequence where they are on another.

    The path through a sequence is the smoothest one through its known centers. All places that look like a hand count
    alike: which of them is meant, only the known ones say. A center within `APART` of the path stays as it is; else it
    becomes the path's place. A frame's own known center decides between hands and no more: its crop must be as far off
    as all others.

    Args:
        found: Centers of all frames, n.
        candidates: Of the rule, for each frame.
        known: Centers that are known, `[n, 3]` mm, NaN elsewhere.
        sequence: Number of each frame's sequence, `[n]`.
    """
    points, confidence, source = found.points.clone(), found.confidence.clone(), found.source.copy()
    told = known.isfinite().all(dim=1)
    for number in sequence[told].unique().tolist():
        members = (sequence == number).nonzero().flatten().tolist()
        places = [_places(found.points[i], candidates[i]) for i in members]
        way = _path(places, [_place(known[i]) for i in members])
        smooth = _smooth(way, [bool(told[i]) for i in members])
        for i, frame, here, sure in zip(members, places, way, smooth, strict=True):
            if here is None or math.dist(here, points[i].tolist()) <= APART:
                continue
            # Of a known frame the likeliest place of that hand, not the nearest to what is known.
            own = [each for each in frame if math.dist(each.center, here) <= (OWN if told[i] else 0)]
            best = max(own, key=lambda each: each.score, default=None)
            if best is not None:
                points[i] = torch.tensor(best.center)
                confidence[i] = best.score * (1 if sure else JUMPED)
                source[i] = SOURCES.index("rule")
    return replace(found, points=points, confidence=confidence, source=source)


def _places(point: Tensor, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Where the hand may be in a frame: what was found, and all that the rule sees."""
    own = _place(point)
    return [*([] if own is None else [Candidate(own, ALIKE)]), *candidates]


def _place(point: Tensor) -> Place | None:
    x, y, z = point.tolist()
    return (x, y, z) if math.isfinite(x + y + z) else None


def _path(places: Sequence[Sequence[Candidate]], known: Sequence[Place | None]) -> list[Place | None]:
    frames = [
        [Candidate(here, ALIKE)]
        if here is not None
        else [each._replace(score=min(each.score, ALIKE)) for each in frame]
        for frame, here in zip(places, known, strict=True)
    ]
    chosen = follow(frames)
    return [None if k < 0 else frame[k].center for frame, k in zip(frames, chosen, strict=True)]


def _smooth(way: Sequence[Place | None], told: Sequence[bool]) -> list[bool]:
    """Whether no step between a frame and a known one, before or after it, is so far that it says nothing."""
    reached = list(told)
    for order in (range(1, len(way)), range(len(way) - 2, -1, -1)):
        step = 1 if order.step > 0 else -1
        for i in order:
            before, here = way[i - step], way[i]
            if reached[i - step] and before is not None and here is not None:
                reached[i] |= math.dist(before, here) < TRAVEL / 2
    return reached
