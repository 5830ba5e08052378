"""Picks whose labels take most of the pool's weighted variance away, in closed form."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from seqgcn.coverage.posterior import cosine_factor, design_greedily, gaussian_factor
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.selectors.uncertainty import gini, uncertainty
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_bool, check_choice, check_number, check_whole


@dataclass(frozen=True, kw_only=True)
class PosteriorDesign(Selector):
    r"""The sequential GCN's question in closed form: which nodes would tell most about the rest?

    A Gaussian field on the paper's similarity graph, conditioned on the labeled nodes, says of each node how much is
    not known yet; its confidence of being labeled needs no training and no seed. Greedily the node is picked whose
    label takes most of the candidates' uncertainty-weighted variance away:

    .. math:: u_i \, \frac{v_i \; \phi_i^\top S G S \phi_i}{1 + v_i \, \phi_i^\top S \phi_i}, \quad
        S = \Big(\gamma^2 I + \sum_{i \in L} v_i \phi_i \phi_i^\top\Big)^{-1}, \quad
        G = \sum_{j \in U} w_j \phi_j \phi_j^\top

    With `fisher`, :math:`v = w = 1 - \sum_c p_c^2`, which is a scalar form of BAIT (Ash et al., NeurIPS 2021); without
    class probabilities all are 1, which is V-optimal design (Ji, Han, AISTATS 2012).

    The score is that gain when the node was picked. Details: `confidence` `[n]` from 0 to 1, of being labeled.

    Args:
        kernel: `"cosine"`, the paper's graph of unit embeddings, centered; `"gaussian"`, Nystrom features of a Gaussian
            kernel.
        rank: Columns of the graph's factor at most.
        noise: :math:`\gamma^2`: the larger, the less one label tells about others.
        fisher: Whether nodes count by what their class probabilities vary, where the learner gives these.
        margin: Whether the gain is multiplied by u, 1 - the gap of the two largest probabilities; else u = 1.
        seed: Of the Gaussian kernel's landmarks.
    """

    requires: ClassVar[tuple[str, ...]] = ("x",)
    optional: ClassVar[tuple[str, ...]] = ("prob",)

    kernel: Literal["cosine", "gaussian"] = "gaussian"
    rank: int = 256
    noise: float = 0.1
    fisher: bool = True
    margin: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("kernel", self.kernel, ("cosine", "gaussian"))
        check_whole("rank", self.rank, low=2)
        check_number("noise", self.noise, low=0, open_low=True)
        check_bool("fisher", self.fisher)
        check_bool("margin", self.margin)
        check_whole("seed", self.seed, low=0)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        x = query.features()
        pool = query.candidates | query.labelled
        known = query.data.get("prob") is not None
        counted = gini(query) if self.fisher else torch.ones_like(x[:, 0])
        if not bool((counted[query.candidates] > 0).any()):
            counted = torch.ones_like(counted)
        u = (
            uncertainty(query.probabilities(), "margin").clamp(min=0)
            if self.margin and known
            else torch.ones_like(counted)
        )
        if not bool((u[query.candidates] > 0).any()):
            u = torch.ones_like(counted)
        if self.kernel == "cosine":
            factor = cosine_factor(x[pool], self.rank)
        else:
            factor = gaussian_factor(x[pool], self.rank, generator(self.seed, "posterior-design"))
        design = design_greedily(
            factor,
            query.labelled[pool],
            query.candidates[pool],
            query.budget,
            precision=counted[pool],
            weight=counted[pool],
            factor_of_score=u[pool],
            noise=self.noise,
            progress=query.progress,
            stage="posterior-design",
        )
        confidence = x.new_zeros(len(x))
        confidence[pool] = design.confidence
        return Selection(
            index=pool.nonzero().squeeze(1)[design.index], score=design.gain, details={"confidence": confidence}
        )
