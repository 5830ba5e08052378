"""The sequential GCN: a two-layer graph network that learns to tell labeled nodes from unlabeled ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from seqgcn.exceptions import ArgumentError, TrainingError
from seqgcn.graph import FEW_DEAD, Graph, LowRankAdjacency, live_columns, normalise_edges, unit_rows
from seqgcn.training import Progress, train
from seqgcn.utils.seeding import seeded
from seqgcn.utils.validation import check_number, check_whole, kind_of

_MESSAGES = 2**26
"""Numbers in the messages that are held at once: 256 MiB of float32."""


class GraphConvolution(GCNConv):  # type: ignore[misc]  # PyG's layers are untyped
    r"""PyG's `GCNConv`, :math:`A X W + b`, on an already normalized graph that may also be low-rank.

    Weights and biases start uniform in :math:`\pm 1 / \sqrt{\text{out\_channels}}`, as in the released code.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, add_self_loops=False, normalize=False)

    def reset_parameters(self) -> None:
        """Draw weights and bias anew."""
        bound = 1 / math.sqrt(self.out_channels)
        nn.init.uniform_(self.lin.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def spread(self, x: Tensor, graph: Graph) -> Tensor:
        """:math:`A X` alone, `[n, channels]`."""
        if isinstance(graph, LowRankAdjacency):
            return graph @ x
        # A message an edge and channel: some channels at a time where that would fill the memory.
        channels = max(1, _MESSAGES // max(graph.edge_index.shape[1], 1))
        parts = [
            self.propagate(graph.edge_index, x=part, edge_weight=graph.edge_weight) for part in x.split(channels, dim=1)
        ]
        return cast(Tensor, parts[0] if len(parts) == 1 else torch.cat(parts, dim=1))

    def forward(self, x: Tensor, graph: Graph) -> Tensor:
        """One layer: `[n, in_channels]` to `[n, out_channels]`."""
        return cast(Tensor, self.spread(self.lin(x), graph) + self.bias)


class ConfidenceGCN(nn.Module):
    r"""Confidence that a node is labeled (Caramalau et al., CVPR 2021, equation 4).

    .. math:: f = \sigma(z), \qquad z = A \, \mathrm{relu}(A \hat X W_1 + b_1) W_2 + b_2

    with :math:`\hat X` the features scaled to length 1, and dropout after the relu.

    Args:
        in_channels: d, size of the features.
        hidden_channels: Size of the hidden layer.
        dropout: Probability of dropping a hidden unit in training, in steps of 1/65,536.

    Shapes:
        - **input:** features `[n, in_channels]`; a graph over the n nodes: `LowRankAdjacency`, `EdgeList`, or an
          `edge_index` `[2, edges]`, which is given self-loops and the GCN's normalization
        - **output:** logits z `[n]`, hidden features after the relu `[n, hidden_channels]`

    Raises:
        ArgumentError: A size below 1, a dropout outside [0, 1), or in `forward` a graph of another kind.
    """

    def __init__(self, in_channels: int, hidden_channels: int = 128, dropout: float = 0.3) -> None:
        super().__init__()
        check_whole("in_channels", in_channels)
        check_whole("hidden_channels", hidden_channels)
        check_number("dropout", dropout, low=0, high=1, open_high=True)
        self.conv1 = GraphConvolution(in_channels, hidden_channels)
        self.conv2 = GraphConvolution(hidden_channels, 1)
        self.dropout = dropout

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        self.conv1.reset_parameters()
        self.conv2.reset_parameters()

    def forward(self, x: Tensor, graph: Graph | Tensor) -> tuple[Tensor, Tensor]:
        """Logits and hidden features of every node."""
        if isinstance(graph, Tensor):
            graph = normalise_edges(graph, None, x)
        elif not isinstance(graph, Graph):
            raise ArgumentError(
                "graph must be a LowRankAdjacency, an EdgeList or an edge_index [2, edges], got "
                f"{kind_of(graph)}; of a Data take data.adjacency or data.edge_index"
            )
        return self.classify(self.conv1.spread(unit_rows(x)[0], graph), graph)

    def classify(self, spread_x: Tensor, graph: Graph, used: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`forward` from :math:`A X`, which is constant while training and need be computed once only.

        Args:
            spread_x: :math:`A X`, `[n, in_channels]`, or its columns `used` if all others are zero.
            graph: A.
            used: Numbers of these columns.
        """
        weight = self.conv1.lin.weight
        weight = weight if used is None else weight[:, used]
        # Autocast reaches into PyTorch's own functions only.
        linear = F.linear if torch.is_autocast_enabled(spread_x.device.type) else _SparingLinear.apply
        hidden = cast(Tensor, linear(spread_x, weight, self.conv1.bias))
        hidden = cast(Tensor, _DroppingReLU.apply(hidden, self.dropout if self.training else 0.0))  # type: ignore[no-untyped-call]
        return self.conv2(hidden, graph).squeeze(1), hidden


@dataclass(frozen=True, kw_only=True)
class ConfidenceFit:
    r"""What a fitted `ConfidenceGCN` says about the nodes, from its pass in evaluation mode.

    Args:
        confidence: :math:`f = \sigma(z)`, `[n]`.
        logit: z, `[n]`.
        features: Hidden features after the relu, `[n, hidden_channels]`.
        loss: Training loss of each epoch, `[epochs]`.
        model: The network.
    """

    confidence: Tensor
    logit: Tensor
    features: Tensor
    loss: Tensor
    model: ConfidenceGCN


def confidence_loss(logit: Tensor, labelled: Tensor, unlabelled: Tensor, unlabelled_weight: float = 1.2) -> Tensor:
    r"""Loss of the confidence network (Caramalau et al., CVPR 2021, equation 5), computed from logits.

    .. math:: -\frac{1}{|L|} \sum_L \log \sigma(z_i) - \frac{\lambda}{|U|} \sum_U \log (1 - \sigma(z_i))

    Args:
        logit: z, `[n]`.
        labelled: Mask of L, `[n]`.
        unlabelled: Mask of U, `[n]`; no unlabeled node leaves the first term alone.
        unlabelled_weight: :math:`\lambda`.
    """
    weight_l = labelled.to(logit.dtype) / labelled.sum()
    weight_u = unlabelled.to(logit.dtype) * unlabelled_weight / unlabelled.sum().clamp(min=1)
    return F.softplus(-logit) @ weight_l + F.softplus(logit) @ weight_u


def fit_confidence(
    x: Tensor,
    graph: Graph,
    labelled: Tensor,
    unlabelled: Tensor,
    *,
    hidden_channels: int = 128,
    dropout: float = 0.3,
    epochs: int = 200,
    lr: float = 1e-3,
    weight_decay: float = 5e-4,
    unlabelled_weight: float = 1.2,
    patience: int | None = None,
    seed: int = 0,
    model: ConfidenceGCN | None = None,
    progress: Progress | None = None,
) -> ConfidenceFit:
    """Train a `ConfidenceGCN` full-batch with Adam and read it in evaluation mode.

    The global random state is left as it was.

    Args:
        x: Features, `[n, d]`. The similarity graph scales them to length 1 for its weights; the network reads
            them scaled too, as in the paper.
        graph: Normalized graph over the nodes.
        labelled: Mask of the labeled nodes, `[n]`, at least one.
        unlabelled: Mask of the nodes counted as unlabeled, `[n]`; the rest only pass messages.
        hidden_channels: Size of the hidden layer.
        dropout: Dropout after the relu.
        epochs: Full-batch steps.
        lr: Adam's learning rate.
        weight_decay: L2 term added to the gradient.
        unlabelled_weight: Weight of the unlabeled term of the loss.
        patience: Stop after this many epochs without a new lowest loss; None trains all epochs.
        seed: Of the initial weights and of dropout.
        model: Continue from this network instead of a new one; it is trained in place.
        progress: Told about every epoch, as stage `"gcn"`.

    Raises:
        ArgumentError: No node is labeled.
        TrainingError: Training diverged.
    """
    if not labelled.any():
        raise ArgumentError("the confidence network needs at least one labeled node")
    with seeded(seed, x.device):
        if model is None:
            model = ConfidenceGCN(x.shape[1], hidden_channels, dropout).to(x)
        with torch.no_grad():
            live, used = live_columns(x)
            spread_x = model.conv1.spread(unit_rows(live)[0], graph)
            del live

        def whole_graph(_epoch: int) -> Iterator[None]:
            yield None

        def loss(_batch: None) -> Tensor:
            return confidence_loss(model.classify(spread_x, graph, used)[0], labelled, unlabelled, unlabelled_weight)

        history = train(
            model,
            whole_graph,
            loss,
            optimizer=torch.optim.Adam(model.parameters(), lr=lr, weight_decay=weight_decay),
            epochs=epochs,
            patience=patience,
            progress=progress,
            stage="gcn",
        )
        model.eval()
        with torch.no_grad():
            logit, hidden = model.classify(spread_x, graph, used)
    if not logit.isfinite().all():
        raise TrainingError("gcn: the last step diverged; lower the learning rate")
    return ConfidenceFit(confidence=logit.sigmoid(), logit=logit, features=hidden, loss=history, model=model)


class _SparingLinear(torch.autograd.Function):
    """`F.linear` whose backward pass leaves out the units that no row has a gradient for.

    The rows of :math:`A X` differ little in their direction, so that the relu shuts half of the units for all nodes.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        (grad,) = grads
        # A sum of absolute values is zero, or NaN, exactly where the maximum is, and quicker to take.
        live = grad.abs().sum(dim=0).ne(0).nonzero().squeeze(1)
        if len(live) < (1 - FEW_DEAD) * len(weight):
            grad_weight = torch.zeros_like(weight).index_copy(0, live, grad.index_select(1, live).T @ x)
        else:
            grad_weight = grad.T @ x
        return grad @ weight if ctx.needs_input_grad[0] else None, grad_weight, grad.sum(dim=0)


class _DroppingReLU(torch.autograd.Function):
    """relu and dropout in place, in one node of the autograd graph.

    At this size drawing the mask is what dropout costs. Sixteen random bits a unit are enough to compare with
    the dropout probability, so one 64-bit draw serves four units. The result is zero exactly where the
    gradient is, so nothing else need be kept for the backward pass.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, dropout: float) -> Tensor:
        ctx.mark_dirty(x)
        x.relu_()
        ctx.scale = 1 / (1 - dropout)
        if dropout > 0:
            bits = torch.iinfo(torch.int64)
            draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device).random_(bits.min, None)
            threshold = min(round(dropout * 65_536), 65_535) - 32_768
            keep = draws.view(torch.int16)[: x.numel()].view_as(x) >= threshold
            x.mul_(keep).mul_(ctx.scale)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (out,) = ctx.saved_tensors
        grad = torch.ops.aten.threshold_backward(grads[0], out, 0)
        return (grad.mul_(ctx.scale) if ctx.scale != 1 else grad), None
