"""Uncertainty sampling from the learner's class probabilities."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from seqgcn.selectors.selector import Query, Selection, Selector

Uncertainty = Literal["least-confidence", "margin", "entropy"]
UNCERTAINTIES: tuple[str, ...] = get_args(Uncertainty)


def uncertainty(prob: Tensor, measure: str) -> Tensor:
    """How uncertain class probabilities are, `[n]`, higher for more uncertain.

    Args:
        prob: `[n, c]`.
        measure: `"least-confidence"` (1 - the largest), `"margin"` (1 - the gap of the two largest) or `"entropy"`
            (nats).
    """
    if measure == "least-confidence":
        return 1 - prob.amax(dim=1)
    return 1 - margin(prob) if measure == "margin" else entropy(prob)


def margin(prob: Tensor) -> Tensor:
    """Gap of the two largest probabilities, `[n]`; 1 with a single class."""
    top = prob.topk(min(2, prob.shape[1]), dim=1).values
    return top[:, 0] - top[:, 1] if prob.shape[1] > 1 else top[:, 0]


def entropy(prob: Tensor) -> Tensor:
    """Entropy over the last axis, nats."""
    nats: Tensor = torch.special.entr(prob).sum(dim=-1)
    return nats


def gini(query: Query) -> Tensor:
    """1 - sum of squared class probabilities of every node, `[n]`; 1 where there are no probabilities."""
    if query.data.get("prob") is None:
        return torch.ones(len(query.candidates), dtype=query.features().dtype, device=query.candidates.device)
    return (1 - query.probabilities().square().sum(dim=1)).clamp(min=0)


@dataclass(frozen=True, kw_only=True)
class LeastConfidence(Selector):
    r"""Smallest top probability, :math:`\min_i \max_c p_{ic}` (Lewis, Gale, SIGIR 1994).

    The score is :math:`1 - \max_c p_{ic}`; details: `confidence` `[n]`, the top probability.
    """

    requires: ClassVar[tuple[str, ...]] = ("prob",)
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        confidence = query.probabilities().amax(dim=1)
        return query.highest(1 - confidence, confidence=confidence)


@dataclass(frozen=True, kw_only=True)
class Margin(Selector):
    r"""Smallest gap of the two top classes, :math:`\min_i p_{i(1)} - p_{i(2)}` (Scheffer et al., IDA 2001).

    The score is the negative margin; details: `margin` `[n]`. With a single class the margin is 1.
    """

    requires: ClassVar[tuple[str, ...]] = ("prob",)
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        gap = margin(query.probabilities())
        return query.highest(-gap, margin=gap)


@dataclass(frozen=True, kw_only=True)
class Entropy(Selector):
    r"""Largest entropy, :math:`\max_i - \sum_c p_{ic} \ln p_{ic}` in nats (Shannon 1948; Settles 2009, eq. 3).

    The score is the entropy; details: `entropy` `[n]`.
    """

    requires: ClassVar[tuple[str, ...]] = ("prob",)
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        nats = entropy(query.probabilities())
        return query.highest(nats, entropy=nats)
