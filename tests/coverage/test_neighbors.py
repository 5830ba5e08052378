"""Nearest neighbors, against all pairs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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
