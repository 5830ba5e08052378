"""The two samplers of *Sequential Graph Convolutional Network for Active Learning* (Caramalau et al., CVPR 2021)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from seqgcn.coverage.k_center import k_center
from seqgcn.gcn import ConfidenceFit, fit_confidence
from seqgcn.graph import Normalize, Similarity, check_weighting, graph_of
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.utils.validation import check_bool, check_choice, check_number, check_whole


@dataclass(frozen=True, kw_only=True)
class GCNSelector(Selector):
    """What both samplers share: the graph, and the network that learns who is labeled.

    The network reads the features scaled to length 1, whatever the graph.

    Args:
        hidden_channels: Size of the GCN's hidden layer.
        dropout: Share of the hidden units dropped in training.
        epochs: Full-batch steps of Adam.
        lr: Adam's learning rate.
        weight_decay: L2 term added to the gradient.
        unlabelled_weight: lambda, weight of the unlabeled nodes in the loss.
        graph: `"similarity"` (the paper's, over the whole pool), `"knn"` (k nearest neighbors by cosine),
            `"edges"` (the data's own `edge_index`), or `"auto"`: the edges or similarity graph the data
            already has, else a new similarity graph.
        k: Neighbors of each node, for `graph="knn"`.
        similarity: Similarity of two items: `"cosine"`, `"shifted"` (for signed features) or `"auto"`; see
            `LowRankAdjacency`.
        normalize: Normalization of the adjacency: `"column"` as in the released code, `"row"` as printed in the
            paper.
        patience: Stop after this many epochs without a new lowest loss; None (as in the paper) never does.
        seed: Of the initial weights and of dropout.
    """

    requires: ClassVar[tuple[str, ...]] = ("x",)

    hidden_channels: int = 128
    dropout: float = 0.3
    epochs: int = 200
    lr: float = 1e-3
    weight_decay: float = 5e-4
    unlabelled_weight: float = 1.2
    graph: Literal["auto", "similarity", "knn", "edges"] = "auto"
    k: int = 10
    similarity: Similarity = "auto"
    normalize: Normalize = "column"
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("hidden_channels", self.hidden_channels)
        check_whole("epochs", self.epochs)
        check_whole("k", self.k)
        if self.patience is not None:
            check_whole("patience", self.patience)
        check_number("dropout", self.dropout, low=0, high=1, open_high=True)
        check_number("lr", self.lr, low=0, open_low=True)
        check_number("weight_decay", self.weight_decay, low=0)
        check_number("unlabelled_weight", self.unlabelled_weight, low=0)
        check_whole("seed", self.seed, low=0)
        check_choice("graph", self.graph, ("auto", "similarity", "knn", "edges"))
        check_weighting(self.similarity, self.normalize)

    def _fit(self, query: Query) -> ConfidenceFit:
        x = query.features()
        query.require_labels(type(self).__name__)
        graph = graph_of(
            query.data, x, method=self.graph, k=self.k, similarity=self.similarity, normalize=self.normalize
        )
        return fit_confidence(
            x,
            graph,
            query.labelled,
            query.candidates,
            hidden_channels=self.hidden_channels,
            dropout=self.dropout,
            epochs=self.epochs,
            lr=self.lr,
            weight_decay=self.weight_decay,
            unlabelled_weight=self.unlabelled_weight,
            patience=self.patience,
            seed=self.seed,
            progress=query.progress,
        )


@dataclass(frozen=True, kw_only=True)
class UncertainGCN(GCNSelector):
    r"""Picks the nodes whose confidence of being labeled is nearest to a margin.

    .. math:: \arg\min_{i \in U} \lvert f_i - s_{\mathrm{margin}} \rvert

    The paper prints arg max for this (equation 6); its released code takes the nearest, and so does
    `rule="nearest"`. `rule="farthest"` is the printed rule, kept for the record; benchmarks/evidence shows
    how it does.

    The score is minus the distance to the margin (plus, for `"farthest"`). Details: `confidence` `[n]`,
    `features` `[n, hidden_channels]`, `loss` `[epochs]`. The remaining arguments are those of `GCNSelector`.

    Args:
        margin: Confidence, 0 to 1, near which items are picked (s_margin).
        rule: Which items are picked: `"nearest"` to the margin (released code) or `"farthest"` from it (as printed).
    """

    margin: float = 0.1
    rule: Literal["nearest", "farthest"] = "nearest"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("margin", self.margin, low=0, high=1)
        check_choice("rule", self.rule, ("nearest", "farthest"))

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        fit = self._fit(query)
        distance = (fit.confidence - self.margin).abs()
        return query.highest(
            distance if self.rule == "farthest" else -distance,
            confidence=fit.confidence,
            features=fit.features,
            loss=fit.loss,
        )


@dataclass(frozen=True, kw_only=True)
class CoreGCN(GCNSelector):
    r"""Greedy k-center around the labeled nodes in the GCN's feature space (equation 7).

    The space of the released code is the hidden layer after the relu joined by the logit; the paper names the
    hidden layer alone, `include_logit=False`.

    The score is the distance to the nearest center when picked. Details: `confidence` `[n]`, `features`
    `[n, hidden_channels (+ 1)]`, `loss` `[epochs]`. The remaining arguments are those of `GCNSelector`.

    Args:
        include_logit: Whether the logit is a coordinate too.
    """

    include_logit: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bool("include_logit", self.include_logit)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        weights = self._weights(query)
        fit = self._fit(query)
        features = fit.features
        if self.include_logit:
            features = torch.cat([features, fit.logit.unsqueeze(1)], dim=1)
        index, distance = k_center(
            features,
            query.labelled.nonzero().squeeze(1),
            query.budget,
            candidates=query.candidates,
            weights=weights,
            progress=query.progress,
        )
        details = {"confidence": fit.confidence, "features": features, "loss": fit.loss}
        if weights is not None:
            details["uncertainty"] = weights
        return Selection(index=index, score=distance, details=details)

    def _weights(self, query: Query) -> Tensor | None:
        """What each node's distance counts times, `[n]`; None for all alike."""
        del query
        return None
