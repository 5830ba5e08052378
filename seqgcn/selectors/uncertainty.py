"""Uncertainty sampling from the learner's class probabilities."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from seqgcn.selectors.base import Query, Selection, Selector


@dataclass(frozen=True, kw_only=True)
class LeastConfidence(Selector):
    r"""Smallest top probability, :math:`\min_i \max_c p_{ic}` (Lewis, Gale, SIGIR 1994).

    The score is :math:`1 - \max_c p_{ic}`; details: `confidence` `[n]`, the top probability.
    """

    needs: ClassVar[tuple[str, ...]] = ("prob",)

    def _answer(self, query: Query) -> Selection:
        confidence = query.probabilities().amax(dim=1)
        return query.highest(1 - confidence, confidence=confidence)


@dataclass(frozen=True, kw_only=True)
class Margin(Selector):
    r"""Smallest gap of the two top classes, :math:`\min_i p_{i(1)} - p_{i(2)}` (Scheffer et al., IDA 2001).

    The score is the negative margin; details: `margin` `[n]`. With a single class the margin is 1.
    """

    needs: ClassVar[tuple[str, ...]] = ("prob",)

    def _answer(self, query: Query) -> Selection:
        prob = query.probabilities()
        top = prob.topk(min(2, prob.shape[1]), dim=1).values
        margin = top[:, 0] - top[:, 1] if prob.shape[1] > 1 else top[:, 0]
        return query.highest(-margin, margin=margin)


@dataclass(frozen=True, kw_only=True)
class Entropy(Selector):
    r"""Largest entropy, :math:`\max_i - \sum_c p_{ic} \ln p_{ic}` in nats (Shannon 1948; Settles 2009, eq. 3).

    The score is the entropy; details: `entropy` `[n]`.
    """

    needs: ClassVar[tuple[str, ...]] = ("prob",)

    def _answer(self, query: Query) -> Selection:
        entropy = torch.special.entr(query.probabilities()).sum(dim=1)
        return query.highest(entropy, entropy=entropy)
