"""Randomized top scores: as cheap as ranking, with batches that are not all alike."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from seqgcn.selectors.bayesian import bald
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.selectors.uncertainty import uncertainty
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_choice, check_number, check_whole


@dataclass(frozen=True, kw_only=True)
class Power(Selector):
    r"""Draws without replacement, proportionally to a power of an acquisition (Kirsch et al., TMLR 2023).

    .. math:: P(i) \propto s_i^\beta

    drawn as the largest :math:`\log s_i + \epsilon_i / \beta` with independent Gumbel noise :math:`\epsilon_i`
    (equation 4). The top scores of a batch are often much alike, and will have changed after a few labels; noise of
    that size costs nothing and avoids it. Items whose acquisition is 0 come last, by the lowest node index.

    The score is the perturbed logarithm; of items with acquisition 0 it is the lowest number there is.

    Args:
        acquisition: s: `"entropy"` (nats), `"margin"` (1 - the gap of the two largest) or `"least-confidence"`
            (1 - the largest) of the class probabilities, or `"bald"` of passes with dropout.
        beta: The power; the larger, the nearer to the top scores themselves, 0 is uniformly random.
        seed: Of the noise.
    """

    requires: ClassVar[tuple[str, ...]] = ("prob",)
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    acquisition: Literal["entropy", "margin", "least-confidence", "bald"] = "entropy"
    beta: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("acquisition", self.acquisition, ("entropy", "margin", "least-confidence", "bald"))
        check_number("beta", self.beta, low=0)
        check_whole("seed", self.seed, low=0)
        if self.acquisition == "bald":
            object.__setattr__(self, "requires", ("prob_samples",))

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        values = self._acquisition(query).double().clamp(min=0)
        uniform = torch.rand(len(values), generator=generator(self.seed, "power"), dtype=torch.float64, device="cpu")
        gumbel = -(-uniform.clamp(min=torch.finfo(torch.float64).tiny).log()).log().to(values.device)
        score = gumbel if self.beta == 0 else values.log() + gumbel / self.beta
        score = score.clamp(min=torch.finfo(torch.float32).min)
        drawn = query.highest(score, acquisition=values.float())
        return replace(drawn, score=drawn.score.float())

    def _acquisition(self, query: Query) -> Tensor:
        if self.acquisition == "bald":
            return bald(query.prob_samples())
        return uncertainty(query.probabilities(), self.acquisition)
