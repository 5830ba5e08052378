"""Nearest neighbors, against all pairs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgcn.coverage import neighbors
from seqgcn.coverage.neighbors import nearest_neighbors


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 30), k=st.integers(1, 8))
def test_they_are_the_nearest(seed: int, n: int, k: int) -> None:
    points = torch.rand(n, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    found = nearest_neighbors(points, k)
    apart = torch.cdist(points, points).numpy()
    np.fill_diagonal(apart, np.inf)
    assert found.index.shape == found.distance.shape == (n, min(k, n - 1))
    assert np.allclose(found.distance, np.sort(apart, axis=1)[:, : min(k, n - 1)])
    assert np.allclose(np.take_along_axis(apart, found.index, axis=1), found.distance)


def test_of_equally_near_ones_the_lowest_comes_first() -> None:
    points = torch.tensor([[0.0], [1.0], [-1.0], [1.0]])
    assert nearest_neighbors(points, 3).index[0].tolist() == [1, 2, 3]
    assert nearest_neighbors(points, 3).distance[1].tolist() == [0.0, 1.0, 2.0]


def test_large_numbers_lose_no_neighbors() -> None:
    points = torch.arange(20, dtype=torch.float32).unsqueeze(1) + 1e6
    assert nearest_neighbors(points, 1).distance.max() == 1.0


@pytest.mark.parametrize(("clusters", "share"), [(1, 0.8), (40, 0.95)])
def test_cells_miss_few(clusters: int, share: float) -> None:
    draw = torch.Generator().manual_seed(0)
    points = (
        torch.randn(3000, 8, generator=draw)
        + 6 * torch.randn(clusters, 8, generator=draw)[torch.randint(clusters, (3000,), generator=draw)]
    )
    exact, near = nearest_neighbors(points, 10), nearest_neighbors(points, 10, exact=100)
    shared = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(exact.index, near.index, strict=True)])
    assert shared > share
    assert (near.distance[:, 0] >= exact.distance[:, 0] - 1e-6).all()
    again = nearest_neighbors(points, 10, exact=100)
    assert (again.index == near.index).all()


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1e12, 1e25])
def test_the_unit_of_the_points_does_not_matter(scale: float) -> None:
    points = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
    found, scaled = nearest_neighbors(points, 4), nearest_neighbors(points * scale, 4)
    assert (found.index == scaled.index).all()
    assert np.allclose(found.distance * scale, scaled.distance, rtol=1e-5, atol=0)


def test_small_distances_within_far_groups_are_told_apart_in_single_precision() -> None:
    draw = torch.Generator().manual_seed(0)
    points = 1000 * torch.randn(8, 6, generator=draw).repeat_interleave(20, dim=0)
    points += torch.randint(200, points.shape, generator=draw) / 128
    found, exact = nearest_neighbors(points, 5), nearest_neighbors(points.double(), 5)
    assert np.mean(found.index == exact.index) > 0.95
    assert np.allclose(found.distance, exact.distance, rtol=1e-2)


def test_many_duplicates_need_no_memory_for_all_their_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    original = neighbors._squared
    monkeypatch.setattr(neighbors, "_BLOCK", 2**14)
    monkeypatch.setattr(neighbors, "_squared", lambda a, b: sizes.append(len(a) * len(b)) or original(a, b))
    points = torch.cat([torch.zeros(900, 3), torch.randn(600, 3, generator=torch.Generator().manual_seed(0))])
    found = nearest_neighbors(points, 4, exact=100)
    assert max(sizes[1:]) <= 2**14  # the first is the distances to the cells' centers
    assert (found.distance[:900] == 0).all()
