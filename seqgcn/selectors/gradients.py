"""Selectors that look at the gradient an item would send into the learner's last layer.

For a linear last layer on features h, that gradient is an outer product with h. It is never written out: everything
needed of it follows from its two factors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_whole

_BLOCK_ELEMENTS = 2**20
"""Largest intermediate, in numbers: 4 MiB of float32."""


@dataclass(frozen=True, kw_only=True)
class BADGE(Selector):
    r"""Batches that are uncertain and diverse: k-means++ seeding on last-layer gradients (Ash et al., ICLR 2020).

    .. math:: g_i = (p_i - e_{\hat y_i}) \otimes x_i, \quad \hat y_i = \arg\max_c p_{ic}

    is the gradient of the cross-entropy if the likeliest class were the label (algorithm 1). The first pick has the
    longest gradient, as in the code released with the paper (k-means++ itself draws it uniformly); each later one is
    drawn with probability proportional to :math:`D_i^2`, the squared distance of its gradient to the nearest of the
    earlier picks'. Labeled nodes are no centers, so that it works with nothing labeled. Duplicates of a pick have
    distance 0 and come last, by the lowest node index.

    The score is :math:`D_i` when picked, of the first pick the length of its gradient. A draw does not follow it.

    Args:
        seed: Of the draws.
    """

    requires: ClassVar[tuple[str, ...]] = ("x", "prob")
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("seed", self.seed, low=0)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        nodes = query.candidates.nonzero().squeeze(1)
        features = query.features()[nodes]
        # No square may over- or underflow.
        scale = float(torch.linalg.vector_norm(features, torch.inf)) or 1.0
        gradients = _Gradients(query.probabilities()[nodes], features.div_(scale))
        draw = generator(self.seed, "badge")
        potential = gradients.length.clone()  # squared distance to the nearest pick; at first, to the origin
        free = torch.ones_like(nodes, dtype=torch.bool)
        picks: list[int] = []
        scores: list[Tensor] = []
        for done in range(1, query.budget + 1):
            pick = _draw(potential, draw) if picks else int(potential.argmax())
            if not free[pick]:
                pick = int(free.int().argmax())
            scores.append(potential[pick].clone())
            picks.append(pick)
            free[pick] = False
            distance = gradients.squared_distances(pick, where=potential > 0)
            potential = distance if done == 1 else torch.minimum(potential, distance)
            potential[pick] = 0
            if query.progress is not None:
                query.progress("badge", done, query.budget)
        index = nodes[torch.tensor(picks, device=nodes.device)]
        return Selection(index=index, score=torch.stack(scores).sqrt() * scale)


@dataclass(frozen=True, kw_only=True)
class EMOC(Selector):
    r"""Largest expected change of the model's outputs after one step on the item (Käding et al., arXiv 1612.06129).

    The last layer is taken as :math:`f(x) = W x + b`. A step of size :math:`\gamma` on :math:`(x', y')` with the
    cross-entropy has the gradients :math:`(p' - e_{y'}) \otimes x'` and :math:`p' - e_{y'}`, and so moves the logits of
    another item by

    .. math:: \lVert f_{new}(x) - f(x) \rVert_1 = \gamma\, |x^\top x' + 1|\, \lVert p' - e_{y'} \rVert_1
              = \gamma\, |x^\top x' + 1|\, 2\,(1 - p'_{y'}).

    This is averaged over the reference items x, random candidates, and over the unknown label :math:`y'`: it is one of
    the item's most likely classes, with the probabilities of these divided by their sum. For targets that are no
    classes the loss is :math:`\tfrac12 \lVert f - y' \rVert_2^2`, the label is the prediction plus the deviation of one
    of the passes from their mean, and the last factor :math:`\lVert y_t - \bar y \rVert_1`, averaged over the passes.

    The score is that expected change for :math:`\gamma = 1`.

    Args:
        top_classes: The most likely classes that the label is expected to be among; without effect on targets that are
            no classes.
        reference: How many candidates the change of outputs is measured on; all of them if there are fewer.
        seed: Of the draw of the reference items.
    """

    requires: ClassVar[tuple[str, ...]] = ("x",)
    requires_any: ClassVar[tuple[str, ...]] = ("prob", "target_samples")

    top_classes: int = 5
    reference: int = 1_000
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("top_classes", self.top_classes)
        check_whole("reference", self.reference)
        check_whole("seed", self.seed, low=0)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        x, residual = query.features(), self._residual(query)
        nodes = query.candidates.nonzero().squeeze(1)
        order = torch.randperm(len(nodes), generator=generator(self.seed, "emoc", "reference"))[: self.reference]
        reference = x[nodes[order.to(nodes.device)]]
        score = x.new_zeros(len(x))
        for rows in nodes.split(max(1, _BLOCK_ELEMENTS // max(reference.shape))):
            # The one is the bias's share.
            kernel = (x[rows] @ reference.T).add_(1).abs_().mean(dim=1)
            score[rows] = kernel * residual(rows).to(x.dtype)
        if not score.isfinite().all():
            raise ArgumentError("the inner products of x overflow; divide x by x.abs().max()")
        return query.highest(score)

    def _residual(self, query: Query) -> Callable[[Tensor], Tensor]:
        """Expected L1 norm of the loss's gradient with respect to the outputs, of some nodes."""
        if query.first_of(self.requires_any) == "target_samples":
            samples = query.target_samples()
            return lambda rows: expected_deviation(samples[rows])
        prob = query.probabilities()
        return lambda rows: expected_error(prob[rows], self.top_classes)


def expected_error(prob: Tensor, top_classes: int) -> Tensor:
    r"""Expected :math:`\lVert p - e_y \rVert_1 = 2 (1 - p_y)` over a label among the top classes, `[n]`.

    Args:
        prob: `[n, c]`.
        top_classes: The most likely classes, whose probabilities are divided by their sum.
    """
    top = prob.topk(min(top_classes, prob.shape[1]), dim=1).values
    return 2 * (top * (1 - top)).sum(dim=1) / top.sum(dim=1)


def expected_deviation(samples: Tensor) -> Tensor:
    r"""Mean L1 distance of the passes from their mean, :math:`\frac1t \sum_t \lVert y_t - \bar y \rVert_1`, `[n]`.

    Args:
        samples: `[n, t, k]`.
    """
    return (samples - samples.mean(dim=1, keepdim=True)).abs_().sum(dim=2).mean(dim=1)


class _Gradients:
    """Gradients :math:`a_i h_i^T` by their factors, `residual` a `[n, c]` and `features` h `[n, d]`."""

    def __init__(self, prob: Tensor, features: Tensor) -> None:
        self.features = features
        self.residual = prob.to(features.dtype, copy=True)
        self.residual[torch.arange(len(prob), device=prob.device), prob.argmax(dim=1)] -= 1
        self.width = features.square().sum(dim=1)
        self.length = self.residual.square().sum(dim=1) * self.width  # squared

    def squared_distances(self, centre: int, where: Tensor) -> Tensor:
        r"""Squared distance of every gradient to one of them, `[n]`; exactly 0 for its duplicates in `where`.

        :math:`\lVert g_i \rVert^2 + \lVert g_j \rVert^2 - 2 (a_i^\top a_j)(h_i^\top h_j)` loses its digits near 0;
        there it is taken by differences.
        """
        size = self.length + self.length[centre]
        inner = (self.residual @ self.residual[centre]).mul_(self.features @ self.features[centre])
        distance = torch.sub(size, inner, alpha=2)
        # Rounding of the sums stays below this, so that no duplicate passes for another point.
        slack = (self.features.shape[1] + self.residual.shape[1] + 4) * torch.finfo(size.dtype).eps
        unsure = (distance <= slack * size) & where
        distance.clamp_(min=0)
        for rows in unsure.nonzero().squeeze(1).split(max(1, _BLOCK_ELEMENTS // self.features.shape[1])):
            distance[rows] = self._by_differences(rows, centre)
        return distance

    def _by_differences(self, rows: Tensor, centre: int) -> Tensor:
        r"""Squared distances to the center as a sum of squares, `[r]`.

        With :math:`h_i = (1 + \beta) h_j + r` and :math:`r \perp h_j`, the difference of the gradients is
        :math:`(a_i - a_j + \beta a_i) h_j^\top + a_i r^\top`, whose two parts are orthogonal.
        """
        a, h = self.residual[rows], self.features[rows] - self.features[centre]
        # Without any length h_j has no direction, and all of h_i is r.
        beta = (h @ self.features[centre] / self.width[centre].clamp(min=torch.finfo(h.dtype).tiny)).unsqueeze(1)
        along = (a - self.residual[centre]).addcmul_(beta, a).square_().sum(dim=1) * self.width[centre]
        across = h.sub_(beta * self.features[centre]).square_().sum(dim=1)
        return along.add_(across.mul_(a.square_().sum(dim=1)))


def _draw(weight: Tensor, draw: torch.Generator) -> int:
    """An index with probability proportional to its weight, `[n]`, never one of weight 0; 0 if there is no other."""
    # On the CPU: sums taken in parallel need not grow with the index.
    upto = weight.to("cpu", torch.float64).cumsum(dim=0)
    point = upto[-1] * torch.rand((), generator=draw, dtype=torch.float64)
    # Rounding may lift the point to the total, past the last weight.
    return int(torch.minimum(torch.searchsorted(upto, point, right=True), torch.searchsorted(upto, upto[-1])))
