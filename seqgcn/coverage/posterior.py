r"""Greedy design on a low-rank graph: the nodes whose labels take most of the weighted variance away.

A Gaussian field on the graph :math:`\Phi \Phi^\top` with noise :math:`\gamma^2` has, after labels of L, the variance
:math:`\gamma^2 \phi_j^\top S \phi_j` at node j, where
:math:`S = (\gamma^2 I + \sum_{i \in L} v_i \phi_i \phi_i^\top)^{-1}`. Everything is in r x r matrices.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seqgcn.graph import unit_rows
from seqgcn.training import Progress


@dataclass(frozen=True, eq=False)
class Design:
    """What a greedy design picked.

    Args:
        index: The picks in order, `[b]`.
        gain: Score of each when it was picked, `[b]`.
        confidence: Of every node, how surely the field tells it to be labeled, before the first pick, `[n]`, from 0
            (nothing labeled is like it) to 1.
    """

    index: Tensor
    gain: Tensor
    confidence: Tensor


def cosine_factor(x: Tensor, rank: int) -> Tensor:
    """Unit rows minus their mean, with a constant column: the paper's similarity graph, centered, `[n, r]`.

    Args:
        x: `[n, d]`.
        rank: Columns at most; of more, the leading principal ones remain.
    """
    unit, _ = unit_rows(x)
    centered = _leading(unit - unit.mean(dim=0), rank - 1)
    return torch.cat([centered, torch.ones_like(centered[:, :1])], dim=1)


def gaussian_factor(x: Tensor, rank: int, draw: torch.Generator, sigma: float | None = None) -> Tensor:
    r"""Nystrom features of a Gaussian kernel, :math:`\Phi \Phi^\top \approx \exp(-d^2 / 2 \sigma^2)`, `[n, r]`.

    Args:
        x: `[n, d]`.
        rank: Landmarks, random rows of x; all rows if there are fewer.
        draw: Draws them.
        sigma: Width of the kernel; by default the root of half the mean squared distance of two rows.
    """
    centered = x - x.mean(dim=0)
    width = sigma or float(centered.square().sum(dim=1).mean().sqrt()) or 1.0
    centered = centered / width
    landmarks = centered[torch.randperm(len(x), generator=draw)[:rank].to(x.device)]
    values, vectors = torch.linalg.eigh(_kernel(landmarks, landmarks).double())
    kept = values > values[-1] * 1e-6
    whitener = (vectors[:, kept] / values[kept].sqrt()).to(x.dtype)
    factor: Tensor = _kernel(centered, landmarks) @ whitener
    return factor


def design_greedily(
    factor: Tensor,
    labeled: Tensor,
    candidates: Tensor,
    budget: int,
    *,
    precision: Tensor,
    weight: Tensor,
    factor_of_score: Tensor,
    noise: float,
    progress: Progress | None = None,
    stage: str = "posterior design",
) -> Design:
    r"""Greedy choice by the weighted variance that a label takes away.

    .. math:: \mathrm{score}_i = u_i \, \frac{v_i \; \phi_i^\top S G S \phi_i}{1 + v_i \, \phi_i^\top S \phi_i},
        \qquad G = \sum_{j \in \text{candidates}} w_j \phi_j \phi_j^\top

    With u = v = w = 1 this is V-optimality (Ji, Han, AISTATS 2012); with v = w, what a class probability varies by, it
    is a scalar form of BAIT (Ash et al., NeurIPS 2021). Each pick updates S by the Sherman-Morrison formula and all
    scores by two products of the factor with a vector: O(n r) a pick, with no training.

    Args:
        factor: Phi `[n, r]`.
        labeled: Which are labeled, `[n]` bool.
        candidates: Which may be picked, `[n]` bool.
        budget: How many, at most as many as there are candidates.
        precision: v `[n]`, not negative: how much a label there tells.
        weight: w `[n]`, not negative: how much the variance there counts.
        factor_of_score: u `[n]`.
        noise: gamma squared.
        progress: Told about every pick.
        stage: The name under which it is told.
    """
    phi, r = factor, factor.shape[1]
    v, w = precision.to(phi), weight.to(phi)
    known = phi[labeled]
    a = noise * torch.eye(r, dtype=torch.float64, device=phi.device)
    a += ((v[labeled].unsqueeze(1) * known).T @ known).double()
    s = torch.linalg.inv(a)
    s = (s + s.T) / 2
    rest = phi[candidates]
    g = ((w[candidates].unsqueeze(1) * rest).T @ rest).double()
    smoothed = phi @ s.to(phi.dtype)
    variance = (smoothed * phi).sum(dim=1)
    norm = phi.square().sum(dim=1)
    confidence = (1 - noise * variance / norm.clamp(min=torch.finfo(phi.dtype).tiny)).clamp(0, 1)
    reduced = ((smoothed @ g.to(phi.dtype)) * smoothed).sum(dim=1)
    # Column by column in memory, in which products with a vector are a few times quicker.
    columns = phi.T.contiguous().T
    open_ = candidates.clone()
    told = factor_of_score.to(phi) * v
    picks, gains = [], []
    for number in range(budget):
        # Where rounding is all that is left, neither is below 0.
        score = (told * reduced.clamp(min=0)).div_(variance.clamp(min=0).mul_(v).add_(1))
        pick = int(score.masked_fill(~open_, -torch.inf).argmax())
        picks.append(pick)
        gains.append(float(score[pick]))
        open_[pick] = False
        q = s @ phi[pick].double()
        share = float(v[pick]) / (1 + float(v[pick]) * float(phi[pick].double() @ q))
        gq = g @ q
        towards, cross = columns @ q.to(phi.dtype), columns @ (s @ gq).to(phi.dtype)
        # In few steps: each is a barrier between threads, which is dear where others compute too.
        reduced.addcmul_(cross.mul_(-2 * share).add_(towards, alpha=share**2 * float(q @ gq)), towards)
        variance.addcmul_(towards, towards, value=-share)
        s -= share * torch.outer(q, q)
        if progress is not None:
            progress(stage, number + 1, budget)
    index = torch.tensor(picks, dtype=torch.int64, device=phi.device)
    return Design(index, torch.tensor(gains, dtype=phi.dtype, device=phi.device), confidence)


def _leading(x: Tensor, rank: int) -> Tensor:
    """The leading principal components of centered rows, `[n, min(d, rank)]`; x itself if it has no more columns."""
    if x.shape[1] <= rank:
        return x
    _, vectors = torch.linalg.eigh((x.T @ x).double())
    leading: Tensor = x @ vectors[:, -rank:].to(x.dtype)
    return leading


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    squared = a.square().sum(dim=1, keepdim=True) + b.square().sum(dim=1) - 2 * a @ b.T
    kernel: Tensor = (squared.clamp(min=0) / -2).exp()
    return kernel
