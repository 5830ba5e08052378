"""Labels from people for what the learner is least sure of, and its own predictions for what it is surest of."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors.bayesian import total_variance
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.selectors.uncertainty import UNCERTAINTIES, Uncertainty, entropy, uncertainty
from seqgcn.utils.validation import check_choice, check_number, check_whole


@dataclass(frozen=True, kw_only=True)
class CEAL(Selector):
    r"""Picks the most uncertain items, and names the surest ones as `pseudo` (Wang et al., TCSVT 2017).

    The next training also uses the items whose entropy is below a threshold, under the learner's own predictions. The
    threshold shrinks from cycle to cycle, as the learner grows surer (equation 5 and algorithm 1):

    .. math:: H[p_i] < \delta_t, \qquad \delta_t = \max(0, \delta_{t-1} - \rho\, t)

    Targets that are no classes have no entropy, and their variance over passes (`target_samples`) has a unit. There
    the most varying items are picked, and of the candidates at most the share :math:`\delta_t` that varies least is
    pseudo-labelled: none where all vary alike.

    The score is the uncertainty. Details: `entropy` or `variance` `[n]`, and `threshold`, the value that items to
    pseudo-label lie below.

    Args:
        uncertainty: Of the class probabilities, what the picks are ranked by: `"least-confidence"`, `"margin"` or
            `"entropy"`. It does not change what is pseudo-labeled.
        delta: Threshold in the first cycle: nats of entropy, or a share of the candidates where `target_samples`
            are read; 0 pseudo-labels nothing.
        decay: rho, what the threshold loses: once in cycle 1, twice as much in cycle 2, and so on.
        cycle: t, from 0; the loop sets it.
    """

    requires_any: ClassVar[tuple[str, ...]] = ("prob", "target_samples")

    uncertainty: Uncertainty = "entropy"
    delta: float = 0.05
    decay: float = 0.0033
    cycle: int = 0

    def __post_init__(self) -> None:
        check_choice("uncertainty", self.uncertainty, UNCERTAINTIES)
        check_number("delta", self.delta, low=0)
        check_number("decay", self.decay, low=0)
        check_whole("cycle", self.cycle, low=0)

    @property
    def delta_now(self) -> float:
        """delta_t: the recursion summed up, as once at 0 it stays there."""
        return max(0.0, self.delta - self.decay * self.cycle * (self.cycle + 1) / 2)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        if query.first_of(self.requires_any) == "target_samples":
            if self.delta > 1:
                raise ArgumentError(
                    f"delta is a share of the candidates where target_samples are read, got {self.delta}"
                )
            variance = total_variance(query.target_samples())
            ordered = variance[query.candidates].sort().values
            threshold = ordered[min(math.floor(self.delta_now * len(ordered) + 1e-9), len(ordered) - 1)]
            selection = query.highest(variance, variance=variance, threshold=threshold)
            return _with_pseudo(query, selection, variance < threshold)
        prob = query.probabilities()
        most = math.log(prob.shape[1])
        if 0 < most <= self.delta:
            raise ArgumentError(
                f"delta is {self.delta} nats, but the entropy of {prob.shape[1]} classes is at most {most:.3f}: every "
                "node would be pseudo-labeled; lower it"
            )
        nats = entropy(prob)
        threshold = nats.new_tensor(self.delta_now)
        selection = query.highest(uncertainty(prob, self.uncertainty), entropy=nats, threshold=threshold)
        return _with_pseudo(query, selection, nats < threshold)


def _with_pseudo(query: Query, selection: Selection, sure: Tensor) -> Selection:
    """The selection and the candidates the learner is sure of, `[n]` bool, less those picked."""
    wanted = sure & query.candidates
    wanted[selection.index] = False
    return replace(selection, pseudo=wanted.nonzero().squeeze(1))
