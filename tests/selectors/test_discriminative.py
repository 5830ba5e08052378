from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.datasets import Digits
from seqgcn.exceptions import ArgumentError, TrainingError
from seqgcn.selectors.discriminative import DiscriminativeAL

SMALL = {"hidden_channels": 16, "epochs": 20}


def cloud(n: int, *centre: float, seed: int = 0) -> Tensor:
    noise = torch.randn(n, len(centre), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.tensor(centre, dtype=torch.float64) + noise


def lopsided() -> Data:
    """Half labeled around the origin, and two clouds of 20 that have no label."""
    x = torch.cat([cloud(40, 0, 0, seed=1), cloud(20, 9, 0, seed=2), cloud(20, 0, 7, seed=3)])
    return Data(x=x, train_mask=torch.arange(80) < 20)


@pytest.mark.parametrize("missing", [[7], [3, 8]])
def test_digits_that_no_label_shows_are_picked(missing: list[int]) -> None:
    split = Digits().train
    absent = torch.isin(split.targets, torch.tensor(missing))
    shown = (~absent).nonzero().squeeze(1)
    train_mask = torch.zeros(len(split), dtype=torch.bool)
    train_mask[shown[torch.randperm(len(shown), generator=torch.Generator().manual_seed(0))[:300]]] = True
    data = Data(x=split.inputs.flatten(1).float(), train_mask=train_mask)

    selector = DiscriminativeAL(queries=4, hidden_channels=64, batch_size=64)
    picks = selector.select(data, 60)
    assert absent[picks.index].float().mean() > 2 * absent[~train_mask].float().mean()


def test_mini_queries_share_the_budget_between_what_is_missing() -> None:
    index = DiscriminativeAL(queries=5, hidden_channels=32).select(lopsided(), 20).index
    clouds = [int(((index >= start) & (index < start + 20)).sum()) for start in (40, 60)]
    assert min(clouds) >= 5
    assert sum(clouds) >= 16


def test_each_mini_query_counts_all_picks_before_it_as_labelled(monkeypatch: pytest.MonkeyPatch) -> None:
    data, fit = lopsided(), DiscriminativeAL._fit
    data.pool_mask = torch.arange(80) < 70
    seen: list[tuple[Tensor, Tensor]] = []

    def spy(self: DiscriminativeAL, x: Tensor, labelled: Tensor, unlabelled: Tensor, number: int) -> Any:
        seen.append((labelled.clone(), unlabelled.clone()))
        return fit(self, x, labelled, unlabelled, number)

    monkeypatch.setattr(DiscriminativeAL, "_fit", spy)
    shares = DiscriminativeAL(queries=3, **SMALL).select(data, 12).index.split(4)
    assert len(seen) == 3
    for number, (labelled, unlabelled) in enumerate(seen):
        picked = torch.isin(torch.arange(80), torch.cat([torch.empty(0).long(), *shares[:number]]))
        assert torch.equal(labelled, data.train_mask | picked)
        assert torch.equal(unlabelled, data.pool_mask & ~labelled)


def test_a_cloud_once_taken_makes_room_for_another() -> None:
    far, near = cloud(12, 40, 0, seed=2), cloud(12, 0, 12, seed=3)
    data = Data(x=torch.cat([cloud(20, 0, 0, seed=1), far, near]), train_mask=torch.arange(44) < 20)
    first, second = DiscriminativeAL(queries=2, hidden_channels=32).select(data, 8).index.split(4)
    sides = [set((nodes < 32).tolist()) for nodes in (first, second)]
    assert sides in ([{True}, {False}], [{False}, {True}])


@pytest.mark.parametrize(
    ("budget", "queries", "trained"), [(1, 10, 1), (3, 10, 3), (10, 4, 4), (60, 7, 7)], ids=lambda value: str(value)
)
def test_there_are_as_many_classifiers_as_mini_queries_with_a_pick(budget: int, queries: int, trained: int) -> None:
    calls: list[tuple[str, int, int]] = []
    selector = DiscriminativeAL(queries=queries, **SMALL)
    selection = selector.select(lopsided(), budget, progress=lambda *call: calls.append(call))
    assert len(selection.index.unique()) == budget
    assert selection.details["epochs"].shape == selection.details["accuracy"].shape == (trained,)
    assert calls == [("discriminate", number + 1, trained) for number in range(trained)]


def test_one_mini_query_ranks_by_what_looks_unlabelled() -> None:
    selection = DiscriminativeAL(queries=1, **SMALL).select(lopsided(), 60)
    torch.testing.assert_close(selection.score, 1 - selection.details["confidence"][selection.index])
    assert (selection.score.diff() <= 0).all()


def test_training_stops_once_the_kinds_are_told_apart() -> None:
    apart = Data(x=torch.cat([cloud(20, 0, 0), cloud(20, 30, 0)]), train_mask=torch.arange(40) < 20)
    details = DiscriminativeAL(queries=1).select(apart, 5).details
    assert float(details["accuracy"]) >= 0.98
    assert int(details["epochs"]) < 60
    sooner, later = (DiscriminativeAL(queries=1, accuracy=share).select(lopsided(), 5) for share in (0.7, 0.9))
    assert int(sooner.details["epochs"]) < int(later.details["epochs"])
    alike = Data(x=torch.ones(40, 2), train_mask=torch.arange(40) < 20)
    details = DiscriminativeAL(queries=1, epochs=7).select(alike, 5).details
    assert int(details["epochs"]) == 7
    assert float(details["accuracy"]) < 0.98


def test_equal_nodes_go_by_their_index() -> None:
    alike = Data(x=torch.ones(12, 2), train_mask=torch.arange(12) == 3)
    assert DiscriminativeAL(**SMALL).select(alike, 5).index.tolist() == [0, 1, 2, 4, 5]


def test_scales_of_features_do_not_matter() -> None:
    data = lopsided()
    constant = torch.ones(80, 1, dtype=torch.float64)
    first, second = (
        DiscriminativeAL(**SMALL).select(Data(x=x, train_mask=data.train_mask), 20)
        for x in (torch.cat([data.x, constant], 1), torch.cat([data.x * torch.tensor([1024, 2**-9]), -8 * constant], 1))
    )
    assert torch.equal(first.index, second.index)
    assert torch.equal(first.score, second.score)


def test_nodes_that_are_neither_labelled_nor_candidates_teach_nothing() -> None:
    data = lopsided()
    data.pool_mask = torch.arange(80) < 60
    other = data.clone()
    other.x[60:] = 1e6
    first, second = (DiscriminativeAL(**SMALL).select(some, 12) for some in (data, other))
    assert torch.equal(first.index, second.index)
    assert torch.equal(first.score, second.score)


def test_it_needs_a_label() -> None:
    data = lopsided()
    data.train_mask = torch.zeros(80, dtype=torch.bool)
    with pytest.raises(ArgumentError, match=r"DiscriminativeAL learns .* no node is labeled; start with Random or"):
        DiscriminativeAL().select(data, 1)


def test_divergence_is_reported() -> None:
    with pytest.raises(TrainingError, match=r"discriminate: .* lower the learning rate"):
        DiscriminativeAL(lr=1e30, batch_size=8, **SMALL).select(
            Data(x=lopsided().x.float(), train_mask=lopsided().train_mask), 5
        )
    with pytest.raises(TrainingError, match="discriminate: the last step diverged"):
        DiscriminativeAL(lr=1e200, epochs=1, hidden_channels=4).select(lopsided(), 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queries": 0}, "queries must be a whole number of at least 1, got 0"),
        ({"hidden_channels": 0}, "hidden_channels must be"),
        ({"epochs": 0}, "epochs must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"accuracy": 0}, r"accuracy must be a number in \(0, 1\], got 0"),
        ({"accuracy": 98}, r"accuracy must be a number in \(0, 1\], got 98"),
        ({"lr": 0}, "lr must be a number in"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
)
def test_unusable_parameters_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        DiscriminativeAL(**change)
