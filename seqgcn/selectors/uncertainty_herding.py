"""Picks that cover the pool's uncertainty under a dense kernel."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from seqgcn.coverage.facility_location import facility_location, gaussian
from seqgcn.graph import unit_rows
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.selectors.uncertainty import UNCERTAINTIES, Uncertainty, uncertainty
from seqgcn.utils.validation import check_bool, check_choice, check_number


@dataclass(frozen=True, kw_only=True)
class UncertaintyHerding(Selector):
    r"""Greedy maximization of the uncertainty that is covered (Bae, Oliveira, Sutherland, ICLR 2025).

    .. math:: \sum_{j \in U} u_j \max_{i \in L \cup S} k(x_i, x_j), \quad
        k(x, y) = \exp\Big(-\frac{\lVert x - y \rVert^2}{2 \sigma^2}\Big)

    The kernel's width shrinks as labels get denser: by default :math:`\sigma` is the smallest distance of two labeled
    nodes that differ, so that the rule goes from coverage with few labels to uncertainty with many. With fewer than
    two labels it is that of `MaxHerding`. The paper also calibrates the probabilities by a temperature fitted on
    labeled items held out; a selector sees no labels, so the temperature is a parameter here.

    The score is how much the pick raises that sum. Details: `uncertainty` `[n]`.

    Args:
        uncertainty: u, of the class probabilities: `"margin"`, `"entropy"` or `"least-confidence"`.
        temperature: The logits are divided by it: above 1, probabilities become less certain.
        sigma: Width of the kernel, in units of the embeddings; None for the rule above.
        normalize: Whether the embeddings are scaled to length 1.
    """

    requires: ClassVar[tuple[str, ...]] = ("x", "prob")
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    uncertainty: Uncertainty = "margin"
    temperature: float = 1.0
    sigma: float | None = None
    normalize: bool = True

    def __post_init__(self) -> None:
        check_choice("uncertainty", self.uncertainty, UNCERTAINTIES)
        check_number("temperature", self.temperature, low=0, open_low=True)
        if self.sigma is not None:
            check_number("sigma", self.sigma, low=0, open_low=True)
        check_bool("normalize", self.normalize)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        pool = (query.candidates | query.labelled).nonzero().squeeze(1)
        x = query.features()[pool]
        x = unit_rows(x)[0] if self.normalize else x
        u = uncertainty(tempered(query.probabilities(), self.temperature), self.uncertainty).clamp(min=0)
        candidates = query.candidates[pool].nonzero().squeeze(1)
        labeled = query.labelled[pool].nonzero().squeeze(1)
        counted = candidates[u[pool][candidates] > 0]
        kernel = gaussian(x, self.sigma or closest(x[labeled]))
        if len(counted):
            # A weight of a column is a term of the exponent, and the last column of `left` is 1.
            right = kernel.right.clone()
            right[counted, -1] += u[pool][counted].to(right.dtype).log()
            kernel = replace(kernel, right=right)
        index, gain = facility_location(
            kernel,
            candidates,
            counted if len(counted) else candidates,
            query.budget,
            centres=labeled,
            progress=query.progress,
            stage="uncertainty-herding",
        )
        return Selection(index=pool[index], score=gain, details={"uncertainty": u})


def tempered(prob: Tensor, temperature: float) -> Tensor:
    """Class probabilities `[n, c]` whose logits are divided by a temperature."""
    if temperature == 1:
        return prob
    return (prob.clamp(min=torch.finfo(prob.dtype).tiny).log() / temperature).softmax(dim=1)


def closest(points: Tensor) -> float | None:
    """Smallest distance above 0 of two points; None if there is none."""
    least = torch.inf
    for start in range(0, len(points), 1024):
        apart = torch.cdist(points[start : start + 1024], points)
        apart = apart[apart > 1e-6 * float(apart.max())]
        least = min(least, float(apart.min()) if len(apart) else torch.inf)
    return least if least < torch.inf else None
