"""One center a frame from several sources: each where it is sure, doubted where others disagree, smooth over time."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from seqgcn.datasets.hands.centers.candidate_table import CandidateTable
from seqgcn.datasets.hands.centers.found import Centers, jumps
from seqgcn.datasets.hands.centers.rule import Candidate, another_hand, follow, steady

JUMPED = 0.3
"""What is left of the confidence in a center that is far from those before and after it."""

CONFIDENT = 0.5
"""Confidence from which on the localizer decides. If it misses fewer of the known frames than the rule does, it decides
wherever it is not doubtful: the rule may be sure of something else than the hand."""

LIKELY = 0.3
"""Chance of its being a hand as well from which on another place is told."""

TWO_HANDS = 0.02
"""Share of labeled frames with a second hand above which left and right may be what tells which hand is labeled."""

WRONG = 20.0
"""Sequences with two hands in which a localizer is taken to have been wrong before any was seen."""


def steadied(confidence: Tensor, points: Tensor, sequence: Tensor) -> Tensor:
    """Confidence in the centers of all frames, less where those around them are less sure, or elsewhere, `[n]`.

    Args:
        confidence: Of each frame by itself, `[n]`.
        points: Centers in the order of the frames, `[n, 3]` mm.
        sequence: Number of each frame's sequence, `[n]`.
    """
    confidence = confidence.clone()
    for number in sequence.unique().tolist():
        members = sequence == number
        own = steady(confidence[members].double().numpy(), points[members].double().numpy())
        confidence[members] = torch.from_numpy(own).to(confidence.dtype)
    confidence[jumps(points, sequence)] *= JUMPED
    return confidence


def rival_doubt(
    confidence: Tensor,
    points: Tensor,
    candidates: CandidateTable | Sequence[Sequence[Candidate]],
    sequence: Tensor,
    known: Tensor,
    right: Tensor,
) -> Tensor:
    """Confidence of a localizer, less where another place looks like a hand as well, `[n]`: c (1 - r (1 - t)).

    r is twice how much the likeliest other place looks like a hand, at most 1: what looks like one half as much is the
    labeled one often enough. t is how often the localizer was right all the same where
    labels tell: of two hands it can know which one is meant only from those. Labeled frames of the frame's own sequence
    count one each. Each other sequence counts as one, however many of its frames are labeled: they show the same two
    hands. `WRONG` more, in which it was wrong, are added.

    Args:
        confidence: `[n]`.
        points: Of the localizer, `[n, 3]` mm.
        candidates: Of the rule, for each frame.
        sequence: Number of each frame's sequence, `[n]`.
        known: Labeled frames, `[m]`.
        right: In which of them it was right, by networks that had not seen their labels, `[m]` bool.
    """
    others = [another_hand(each, (x, y, z)) for each, (x, y, z) in zip(candidates, points.tolist(), strict=True)]
    rivals = torch.tensor([0.0 if other is None else min(1.0, 2 * other.score) for other in others])
    names, number = sequence.unique(return_inverse=True)
    seen, told = (
        torch.zeros(len(names)).index_add_(0, number[known], each) for each in (rivals[known], rivals[known] * right)
    )
    weight = seen.clamp(max=1)
    share = weight * told / seen.clamp(min=1e-9)
    # Of each sequence: its own frames, and the others as one each.
    trusted = (told + share.sum() - share) / (seen + weight.sum() - weight + WRONG)
    return confidence * (1 - rivals * (1 - trusted[number]))


def surer(rule: Centers, localizer: Centers, sequence: Tensor, confident: float = CONFIDENT) -> Centers:
    """The localizer where it is confident; elsewhere of both the surer, on the path that moves smoothly.

    Args:
        rule: Its centers of all frames.
        localizer: Its own.
        sequence: Number of each frame's sequence, `[n]`.
        confident: Confidence from which on the localizer decides.
    """
    decided = (localizer.confidence >= confident) & localizer.points.isfinite().all(dim=1)
    take = torch.zeros(len(rule), dtype=torch.bool)
    for number in sequence.unique().tolist():
        members = (sequence == number).nonzero().flatten().tolist()
        frames = [
            [
                (by_localizer, Candidate((x, y, z), score))
                for by_localizer, point, score in (
                    (True, localizer.points[i], 1.0 if decided[i] else float(localizer.confidence[i])),
                    (False, rule.points[i], float(rule.confidence[i])),
                )
                if bool(point.isfinite().all()) and (by_localizer or not decided[i])
                for x, y, z in (point.tolist(),)
            ]
            for i in members
        ]
        chosen = follow([[candidate for _, candidate in frame] for frame in frames])
        for i, frame, choice in zip(members, frames, chosen, strict=True):
            take[i] = choice >= 0 and frame[choice][0]
    return replace(
        rule,
        points=torch.where(take.unsqueeze(1), localizer.points, rule.points),
        source=np.where(take.numpy(), localizer.source, rule.source),
        confidence=torch.where(take, localizer.confidence, rule.confidence),
        error=localizer.error,
        residual=localizer.residual,
    )


def other_hands(points: Tensor, candidates: CandidateTable | Sequence[Sequence[Candidate]]) -> Tensor:
    """Where another hand than that at the center may be in each frame, `[n, 3]` mm; NaN where none is likely.

    Args:
        points: The centers, `[n, 3]` mm; NaN where none was found.
        candidates: Of the rule, for each frame.
    """
    others = torch.full_like(points, torch.nan)
    for i in points.isfinite().all(dim=1).nonzero().flatten().tolist():
        x, y, z = points[i].tolist()
        other = another_hand(candidates[i], (x, y, z))
        if other is not None and other.score >= LIKELY:
            others[i] = torch.tensor(other.center)
    return others


def may_mirror(points: Tensor, candidates: CandidateTable | Sequence[Sequence[Candidate]]) -> bool:
    """Whether a localizer can learn from mirrored frames too: nearly no labeled frame shows a second hand.

    Args:
        points: Centers of m labeled frames, `[m, 3]` mm.
        candidates: Of the rule, for each of them.
    """
    return float(other_hands(points, candidates).isfinite().all(dim=1).float().mean()) <= TWO_HANDS
