"""Greedy covering on a sparse graph, against the plain loop."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from seqgcn.coverage.graph_cover import cover_greedily, self_tuning_graph
from seqgcn.coverage.neighbors import nearest_neighbors


def plain(
    dense: NDArray[np.float64], weight: NDArray[np.float64], rows: list[int], budget: int, centers: list[int]
) -> tuple[list[int], list[float]]:
    """The definition, with every gain looked at anew."""
    similar = dense.copy()
    np.fill_diagonal(similar, 1.0)
    covered = similar[:, centers].max(axis=1) if centers else np.zeros(len(weight))
    picks, gains, left = [], [], sorted(rows)
    for _ in range(budget):
        gain = [float(weight @ np.maximum(similar[:, i] - covered, 0)) for i in left]
        best = int(np.argmax(np.round(gain, 12)))
        picks.append(left.pop(best))
        gains.append(gain[best])
        covered = np.maximum(covered, similar[:, picks[-1]])
    return picks, gains


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 18), k=st.integers(1, 6))
def test_the_lazy_search_picks_as_the_plain_loop(seed: int, n: int, k: int) -> None:
    draw = np.random.default_rng(seed)
    graph = self_tuning_graph(nearest_neighbors(torch.from_numpy(draw.random((n, 3))), k), 2)
    weight = draw.random(n)
    centers = draw.choice(n, n // 4, replace=False)
    rows = np.setdiff1d(np.arange(n), centers)
    budget = int(draw.integers(1, len(rows) + 1))
    cover = cover_greedily(graph, weight, rows, budget, centers=centers)
    picks, gains = plain(graph.toarray(), weight, rows.tolist(), budget, centers.tolist())
    assert np.allclose(cover.gain, gains)
    assert cover.index.tolist() == picks


def test_equal_gains_go_to_the_lowest_node() -> None:
    cover = cover_greedily(csr_matrix((4, 4)), np.array([1.0, 2.0, 2.0, 1.0]), np.array([3, 2, 1, 0]), 4)
    assert cover.index.tolist() == [1, 2, 0, 3]
    assert cover.gain.tolist() == [2.0, 2.0, 1.0, 1.0]
    assert cover.covered.tolist() == [1.0] * 4


def test_a_node_that_counts_for_nothing_may_cover_others() -> None:
    graph = csr_matrix(([0.9, 0.9, 0.9, 0.9], ([0, 1, 0, 2], [1, 0, 2, 0])), shape=(3, 3))
    cover = cover_greedily(graph, np.array([0.0, 1.0, 1.0]), np.array([0, 1, 2]), 1)
    assert cover.index.tolist() == [0]
    assert cover.gain.tolist() == pytest.approx([1.8])


def test_similarities_are_self_tuned() -> None:
    points = torch.tensor([[0.0], [1.0], [3.0]])
    graph = self_tuning_graph(nearest_neighbors(points, 2), 1).toarray()
    # Scales 1, 1 and 2: the distances to the nearest neighbor.
    assert graph[0, 1] == pytest.approx(np.exp(-1.0))
    assert graph[1, 2] == graph[2, 1] == pytest.approx(np.exp(-4 / 2))
    assert graph[0, 2] == pytest.approx(np.exp(-9 / 2))


def test_duplicates_are_covered_by_one_another() -> None:
    points = torch.zeros(5, 2)
    graph = self_tuning_graph(nearest_neighbors(points, 2))
    assert set(graph.data.tolist()) == {1.0}
    one_apart = self_tuning_graph(nearest_neighbors(torch.cat([points, torch.ones(1, 2)]), 5), 2).toarray()
    assert np.isfinite(one_apart).all()


@pytest.mark.parametrize("scale", [2.0**-520, 2.0**-10, 2.0**10, 2.0**600])
def test_similarities_do_not_hang_on_the_unit(scale: float) -> None:
    points = torch.cat([torch.zeros(6, 2), torch.rand(9, 2, generator=torch.Generator().manual_seed(0))]).double()
    one, other = (self_tuning_graph(nearest_neighbors(each, 3), 2).toarray() for each in (points, points * scale))
    assert np.allclose(one, other)


def test_progress_is_told_of_every_pick() -> None:
    told: list[tuple[str, int, int]] = []
    cover_greedily(csr_matrix((3, 3)), np.ones(3), np.arange(3), 2, progress=lambda *args: told.append(args))
    assert told == [("graph herding", 1, 2), ("graph herding", 2, 2)]
