"""The sequential GCN's sampler, drawn to what the learner is unsure of."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from seqgcn.selectors.bayesian import total_variance
from seqgcn.selectors.selector import Query
from seqgcn.selectors.sequential_gcn import CoreGCN
from seqgcn.selectors.uncertainty import UNCERTAINTIES, Uncertainty, uncertainty
from seqgcn.utils.validation import check_choice


@dataclass(frozen=True, kw_only=True)
class WeightedCoreGCN(CoreGCN):
    r"""Greedy k-center in the GCN's feature space in which each distance counts times the item's uncertainty.

    .. math:: \arg\max_{i \in U}\; u_i \min_{j \in L} \lVert h_i - h_j \rVert_2

    An extension of CoreGCN (Caramalau et al., CVPR 2021, equation 7), whose choice ignores what the learner already
    knows. With class probabilities, u is `uncertainty`; for targets that are no classes it is the standard deviation
    over passes (`target_samples`) of all coordinates together, in mm for poses. Items without any uncertainty come
    last, by their index.

    The graph is that of the nearest neighbors by default, as k-center on its features had the higher means on digits
    and CIFAR-10 (benchmarks/evidence); `graph="similarity"` is the paper's. The score is the weighted distance when
    picked. Details: `confidence` `[n]`, `features` `[n, hidden_channels (+ 1)]`, `loss` `[epochs]`, `uncertainty`
    `[n]`. The remaining arguments are those of `CoreGCN`.

    Args:
        uncertainty: Of the class probabilities: `"margin"` (1 - the gap of the two largest), `"entropy"` (nats) or
            `"least-confidence"` (1 - the largest).
    """

    requires_any: ClassVar[tuple[str, ...]] = ("prob", "target_samples")

    graph: Literal["auto", "similarity", "knn", "edges"] = "knn"
    uncertainty: Uncertainty = "margin"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("uncertainty", self.uncertainty, UNCERTAINTIES)

    def _weights(self, query: Query) -> Tensor:
        if query.first_of(self.requires_any) == "target_samples":
            return total_variance(query.target_samples()).sqrt()
        # Rounding leaves probabilities whose sum is a little above 1, and with it some uncertainties below 0.
        return uncertainty(query.probabilities(), self.uncertainty).clamp(min=0)
