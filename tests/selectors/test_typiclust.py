import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.graph import unit_rows
from seqgcn.selectors import Selection, typiclust
from seqgcn.selectors.typiclust import TypiClust, clusters, typicality


def blobs(n: int = 300, groups: int = 12, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Groups of unequal size around random directions."""
    draw = torch.Generator().manual_seed(seed)
    share = torch.rand(groups, generator=draw, dtype=torch.float64) + 0.1
    member = torch.multinomial(share, n, replacement=True, generator=draw)
    centres = 4 * torch.randn(groups, 8, generator=draw, dtype=torch.float64)
    return (centres[member] + torch.randn(n, 8, generator=draw, dtype=torch.float64)).to(dtype)


def pool_of(x: Tensor, labelled: int = 0) -> Data:
    return Data(x=x, train_mask=torch.arange(len(x)) < labelled)


def assigning(monkeypatch: pytest.MonkeyPatch, assigned: list[int] | Tensor) -> list[int]:
    """Replace the clustering by a given one; returns the numbers of clusters it is asked for."""
    asked: list[int] = []

    def given(x: Tensor, count: int, seed: int) -> Tensor:
        asked.append(count)
        return torch.as_tensor(assigned)

    monkeypatch.setattr(typiclust, "clusters", given)
    return asked


def plain_typicality(x: Tensor, cluster: list[int], neighbours: int) -> list[float]:
    """Equation and convention written out, node by node."""
    result = []
    for i in range(len(x)):
        apart = sorted(
            math.dist(x[i].tolist(), x[j].tolist()) for j in range(len(x)) if cluster[j] == cluster[i] and j != i
        )
        nearest = apart[:neighbours]
        result.append(len(nearest) / sum(nearest) if nearest else 0.0)
    return result


def plain_picks(
    x: Tensor, cluster: list[int], labelled: list[bool], candidates: list[bool], selector: TypiClust, budget: int
) -> tuple[list[int], list[float]]:
    """The greedy rule, one pick after another."""
    value = plain_typicality(x, cluster, selector.neighbours)
    covered = [sum(labelled[i] for i in range(len(x)) if cluster[i] == c) for c in range(max(cluster) + 1)]
    size = [cluster.count(c) for c in range(len(covered))]
    free = {i for i in range(len(x)) if candidates[i]}
    picks: list[int] = []
    for _ in range(budget):
        left = {cluster[i] for i in free}
        c = min(left, key=lambda c: (size[c] < selector.min_cluster_size, covered[c], -size[c], c))
        pick = min((i for i in free if cluster[i] == c), key=lambda i: (-value[i], i))
        free.remove(pick)
        covered[c] += 1
        picks.append(pick)
    return picks, [value[i] for i in picks]


@pytest.mark.parametrize(
    ("options", "labelled", "budget"),
    [
        ({}, 0, 20),
        ({}, 15, 30),
        ({"max_clusters": 7}, 15, 60),
        ({"max_clusters": 7, "neighbours": 3}, 0, 300),
        ({"min_cluster_size": 1}, 100, 100),
        ({"min_cluster_size": 30, "max_clusters": 40}, 10, 290),
        ({"max_clusters": 1}, 4, 5),
    ],
)
def test_picks_are_those_of_the_rule_written_out(options: dict[str, int], labelled: int, budget: int) -> None:
    x = blobs()
    selector = TypiClust(**options)
    selection = selector.select(pool_of(x, labelled), budget)
    cluster = selection.details["cluster"].tolist()
    assert max(cluster) < min(labelled + budget, selector.max_clusters)
    mask = [i < labelled for i in range(len(x))]
    picks, scores = plain_picks(unit_rows(x)[0], cluster, mask, [not known for known in mask], selector, budget)
    assert selection.index.tolist() == picks
    assert selection.score.tolist() == pytest.approx(scores)


def test_nodes_outside_the_pool_take_no_part() -> None:
    x = blobs()
    data = pool_of(x, labelled=20)
    data.pool_mask = torch.arange(300) % 3 > 0
    selection = TypiClust().select(data, 50)
    taking_part = data.pool_mask | data.train_mask
    assert selection.details["cluster"][~taking_part].unique().tolist() == [-1]
    assert (selection.details["cluster"][taking_part] >= 0).all()
    alone = Data(x=x[taking_part], train_mask=data.train_mask[taking_part])
    again = TypiClust().select(alone, 50)
    assert torch.equal(taking_part.nonzero().squeeze(1)[again.index], selection.index)


def theirs(x: Tensor, cluster: Tensor, labelled: int, budget: int, neighbours: int) -> list[int]:
    """Picks of scikit-activeml for a given clustering, ties by the lowest index instead of at random."""
    module = pytest.importorskip("skactiveml.pool._typi_clust")

    class Given:
        def __init__(self, n_clusters: int) -> None:
            del n_clusters

        def fit_predict(self, points: Any) -> Any:
            return cluster.numpy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "rand_argmax", lambda a, random_state: [int(np.nanargmax(a))])
        labels = np.where(np.arange(len(x)) < labelled, 0.0, np.nan)
        strategy = module.TypiClust(cluster_algo=Given, k=neighbours, random_state=0)
        picks: list[int] = strategy.query(x.numpy(), labels, batch_size=budget).tolist()
    return picks


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("labelled", "budget"), [(0, 10), (0, 60), (12, 25)])
def test_the_same_clusters_give_the_picks_of_scikit_activeml(labelled: int, budget: int) -> None:
    x = unit_rows(blobs())[0]
    selection = TypiClust(neighbours=5, min_cluster_size=1).select(pool_of(x, labelled), budget)
    cluster = selection.details["cluster"]
    expected = theirs(x, cluster, labelled, budget, neighbours=5)
    # Where clusters are left empty, scikit-activeml draws the last picks from all, possibly the same node twice.
    free = len(set(cluster.tolist()) - set(cluster[:labelled].tolist()))
    assert free > 0.9 * budget
    mine, other = selection.index[:free], torch.tensor(expected[:free])
    assert torch.equal(cluster[mine], cluster[other])
    # Two nodes alone together are equally typical; there it lets rounding choose.
    two = cluster.bincount()[cluster[mine]] == 2
    assert two.double().mean() < 0.2
    assert torch.equal(mine[~two], other[~two])


def test_clusters_with_the_fewest_labels_come_first_then_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.eye(3, dtype=torch.float64).repeat_interleave(torch.tensor([6, 5, 7]), dim=0) + blobs(18)[:, :3] / 50
    cluster = [0] * 6 + [1] * 5 + [2] * 7
    asked = assigning(monkeypatch, cluster)
    data = pool_of(x)
    data.train_mask[[6, 11, 12]] = True
    visited = [cluster[i] for i in TypiClust().select(data, 12).index.tolist()]
    assert visited == [0, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]
    assert asked == [15]
    TypiClust(max_clusters=4).select(data, 12)
    assert asked == [15, 4]


def test_small_clusters_wait_for_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = [0] * 4 + [1] * 6 + [2] * 3
    assigning(monkeypatch, cluster)
    data = pool_of(blobs(13))
    data.train_mask[4] = True
    visited = [cluster[i] for i in TypiClust().select(data, 12).index.tolist()]
    assert visited == [1] * 5 + [0, 2, 0, 2, 0, 2, 0]
    visited = [cluster[i] for i in TypiClust(min_cluster_size=1).select(data, 3).index.tolist()]
    assert visited == [0, 2, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_typicality_by_hand(dtype: torch.dtype) -> None:
    line = torch.tensor([[0.0], [1.0], [3.0], [3.0]], dtype=dtype)
    everyone = torch.arange(4)
    assert typicality(line, everyone, 1).tolist() == pytest.approx([1, 1, 1e5, 1e5])
    assert typicality(line, everyone, 2).tolist() == pytest.approx([1 / 2, 2 / 3, 1, 1])
    assert typicality(line, everyone, 20).tolist() == pytest.approx([3 / 7, 3 / 5, 3 / 5, 3 / 5])
    assert typicality(line, torch.tensor([2, 0]), 2).tolist() == pytest.approx([1, 1 / 2])
    assert typicality(line[:1], everyone[:1], 20).tolist() == [0]
    assert typicality(line, everyone, 2).dtype == dtype


def test_typicality_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x = blobs(60)
    whole = typicality(x, torch.arange(60), 7)
    monkeypatch.setattr(typiclust, "_BLOCK_ELEMENTS", 100)
    torch.testing.assert_close(typicality(x, torch.arange(60), 7), whole)


@pytest.mark.parametrize("count", [1, 7, 50, 51, 120])
def test_clusters_gather_what_is_close(count: int) -> None:
    x = blobs(400, dtype=torch.float32)
    found = clusters(x, count, seed=0)
    assert found.dtype == torch.int64
    assert 0 <= int(found.min()) <= int(found.max()) < count
    assert torch.equal(found, clusters(x, count, seed=0))
    assert count == 1 or not torch.equal(found, clusters(x, count, seed=1))
    centres = torch.stack([x[found == c].mean(dim=0) for c in found.unique()])
    own = (x - centres[torch.searchsorted(found.unique(), found)]).square().sum()
    assert (
        own
        <= 1.3
        * torch.cdist(x, x[torch.randperm(400, generator=torch.Generator().manual_seed(0))[:count]])
        .amin(dim=1)
        .square()
        .sum()
    )


@pytest.mark.parametrize("call", [lambda: clusters(blobs(), 10, 0), lambda: clusters(blobs(), 100, 0)])
def test_clustering_leaves_numpys_random_state_alone(call: Callable[[], Tensor]) -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    call()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("budget", [1, 30, 90, 100])
def test_equal_points_go_by_their_index(budget: int, dtype: torch.dtype) -> None:
    selection = TypiClust().select(pool_of(torch.full((100, 5), 0.3, dtype=dtype)), budget)
    assert selection.index.tolist() == list(range(budget))
    assert selection.score.isfinite().all()
    assert selection.score.dtype == dtype


@pytest.mark.parametrize("labelled", [0, 70])
def test_the_whole_pool_can_be_picked(labelled: int) -> None:
    x = blobs(150)
    x[3] = 0  # a row without direction
    for max_clusters in (3, 500):
        index = TypiClust(max_clusters=max_clusters).select(pool_of(x, labelled), 150 - labelled).index
        assert sorted(index.tolist()) == list(range(labelled, 150))


def test_a_single_node_and_a_single_column() -> None:
    one: Selection = TypiClust().select(pool_of(torch.ones(1, 1)), 1)
    assert (one.index.tolist(), one.score.tolist()) == ([0], [0])
    assert len(TypiClust().select(pool_of(torch.arange(1.0, 9).unsqueeze(1)), 5)) == 5


def test_the_scale_of_a_row_does_not_matter() -> None:
    x = blobs()
    factor = 2.0 ** torch.randint(-40, 40, (300, 1), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, scaled = (TypiClust().select(pool_of(rows, 10), 40) for rows in (x, x * factor))
    assert torch.equal(first.index, scaled.index)


@pytest.mark.parametrize("name", ["neighbours", "max_clusters", "min_cluster_size"])
def test_unusable_parameters_are_refused(name: str) -> None:
    for value in (0, -1, 2.5, True, "3"):
        with pytest.raises(ArgumentError, match=f"{name} must be a whole number of at least 1"):
            TypiClust(**{name: value})
    with pytest.raises(ArgumentError, match="seed must be a whole number of at least 0"):
        TypiClust(seed=-1)


def test_the_order_of_the_data_does_not_decide_where_clusters_start() -> None:
    # 60 tight groups, one after the other: k-means that began with the first rows would find the first few only.
    draw = torch.Generator().manual_seed(1)
    centres = torch.randn(60, 16, generator=draw, dtype=torch.float64)
    x = unit_rows(centres.repeat_interleave(20, dim=0) + 0.01 * torch.randn(1200, 16, generator=draw).double())[0]
    assigned = clusters(x, 60, seed=0)
    found = {group for group in range(60) if len(assigned[20 * group : 20 * group + 20].unique()) == 1}
    held = {int(assigned[20 * group]) for group in found}
    assert len(held) >= 40
