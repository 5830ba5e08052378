import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors import CoreGCN
from seqgcn.selectors.weighted import WeightedCoreGCN

N, BUDGET = 50, 15
QUICK: dict[str, Any] = {"epochs": 5, "hidden_channels": 8}


def pool() -> Data:
    draw = torch.Generator().manual_seed(0)
    return Data(
        x=torch.rand(N, 6, dtype=torch.float64, generator=draw),
        prob=torch.randn(N, 4, dtype=torch.float64, generator=draw).mul(2).softmax(dim=1),
        train_mask=torch.arange(N) % 8 == 0,
    )


def pick(features: Tensor, weight: Tensor, labelled: Tensor) -> list[int]:
    """Always the unlabeled node with the largest weighted distance to the labeled and picked ones."""
    centres = labelled.nonzero().flatten().tolist()
    picks: list[int] = []
    for _ in range(BUDGET):
        value = weight * (features.unsqueeze(1) - features[centres]).norm(dim=2).amin(dim=1)
        value[centres] = -1
        picks.append(int(value.argmax()))
        centres.append(picks[-1])
    return picks


def measures(prob: Tensor) -> dict[str, Tensor]:
    ranked = prob.sort(dim=1, descending=True).values
    return {
        "margin": 1 - ranked[:, 0] + ranked[:, 1],
        "least-confidence": 1 - ranked[:, 0],
        "entropy": -(prob * prob.log()).sum(dim=1),
    }


@pytest.mark.parametrize("measure", ["margin", "least-confidence", "entropy"])
@pytest.mark.parametrize("include_logit", [True, False])
def test_it_is_k_center_by_weighted_distances_in_the_features_of_core_gcn(measure: Any, include_logit: bool) -> None:
    data = pool()
    selection = WeightedCoreGCN(uncertainty=measure, include_logit=include_logit, **QUICK).select(data, BUDGET)
    core = CoreGCN(graph="knn", include_logit=include_logit, **QUICK).select(data, BUDGET)
    features, weight = core.details["features"], measures(data.prob)[measure]
    assert torch.equal(selection.details["features"], features)
    torch.testing.assert_close(selection.details["uncertainty"], weight)
    assert selection.index.tolist() == pick(features, weight, data.train_mask)
    assert (selection.score.diff() <= 0).all()
    assert selection.index.tolist() != core.index.tolist()


def test_poses_are_weighted_by_their_deviation() -> None:
    data = pool()
    draw = torch.Generator().manual_seed(1)
    spread = 20 * torch.rand(N, 1, 1, dtype=torch.float64, generator=draw)
    data.target_samples = spread * torch.randn(N, 4, 9, dtype=torch.float64, generator=draw)
    by_prob = WeightedCoreGCN(**QUICK).select(data, BUDGET)
    assert torch.equal(
        by_prob.details["uncertainty"], WeightedCoreGCN(**QUICK).select(pool(), 1).details["uncertainty"]
    )
    del data.prob
    selection = WeightedCoreGCN(**QUICK).select(data, BUDGET)
    deviation = data.target_samples.var(dim=1, correction=0).sum(dim=1).sqrt()
    torch.testing.assert_close(selection.details["uncertainty"], deviation)
    assert selection.index.tolist() == pick(selection.details["features"], deviation, data.train_mask)


def test_equal_uncertainty_is_core_gcn() -> None:
    data = pool()
    data.prob = torch.full((N, 4), 0.25, dtype=torch.float64)
    core = CoreGCN(graph="knn", **QUICK).select(data, BUDGET)
    selection = WeightedCoreGCN(uncertainty="least-confidence", **QUICK).select(data, BUDGET)
    assert torch.equal(selection.index, core.index)
    torch.testing.assert_close(selection.score, 0.75 * core.score)


@pytest.mark.parametrize("measure", ["margin", "least-confidence", "entropy"])
def test_certain_items_come_last_by_index(measure: Any) -> None:
    data = pool()
    data.prob[::3] = torch.eye(4, dtype=torch.float64)[0] * (1 + 1e-7)  # as rounding may leave it
    free = ~data.train_mask
    certain = [node for node in range(0, N, 3) if free[node]]
    selection = WeightedCoreGCN(uncertainty=measure, **QUICK).select(data, int(free.sum()))
    assert selection.index[-len(certain) :].tolist() == certain
    assert (selection.score >= 0).all()


def test_its_graph_is_that_of_nearest_neighbours_unless_another_is_asked_for() -> None:
    data = pool()
    default, knn, similarity = (
        WeightedCoreGCN(**QUICK, **graph).select(data, BUDGET)
        for graph in ({}, {"graph": "knn", "k": 10}, {"graph": "similarity"})
    )
    assert torch.equal(default.details["features"], knn.details["features"])
    assert not torch.equal(default.details["features"], similarity.details["features"])


def test_what_it_reads_besides_features_is_named() -> None:
    data = pool()
    del data.prob
    with pytest.raises(ArgumentError, match=r"attach them as data\.prob \[n, classes\] or data\.target_samples"):
        WeightedCoreGCN().select(data, 3)
    data.target_samples = torch.full((N, 2, 3), math.nan)
    with pytest.raises(ArgumentError, match="target_samples must be finite"):
        WeightedCoreGCN().select(data, 3)


def test_it_needs_a_label() -> None:
    data = pool()
    data.train_mask = torch.zeros(N, dtype=torch.bool)
    with pytest.raises(ArgumentError, match=r"WeightedCoreGCN learns .* start with Random or CoreSet"):
        WeightedCoreGCN().select(data, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uncertainty": "variance"}, "uncertainty must be one of 'least-confidence', 'margin', 'entropy'"),
        ({"include_logit": 1}, "include_logit must be True or False, got 1"),
        ({"graph": "grid"}, "graph must be one of"),
    ],
)
def test_unusable_parameters_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        WeightedCoreGCN(**change)
