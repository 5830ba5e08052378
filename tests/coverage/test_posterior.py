"""Greedy design on a low-rank graph, against the direct formula."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqgcn.coverage.posterior import cosine_factor, design_greedily, gaussian_factor


def variances(phi: Tensor, labeled: list[int], v: Tensor, noise: float) -> Tensor:
    """phi^T S phi of every node, by the definition."""
    known = phi[labeled]
    a = noise * torch.eye(phi.shape[1], dtype=phi.dtype) + known.T @ torch.diag(v[labeled]) @ known
    return torch.einsum("nr,rs,ns->n", phi, torch.linalg.inv(a), phi)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), n=st.integers(4, 14), r=st.integers(1, 5))
def test_each_pick_takes_most_of_the_weighted_variance_away(seed: int, n: int, r: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    phi = torch.randn(n, r, dtype=torch.float64, generator=draw)
    v, w, u = (torch.rand(n, dtype=torch.float64, generator=draw) + 0.1 for _ in range(3))
    labeled = torch.arange(n) < 2
    candidates = torch.arange(n) >= 3  # one node is neither
    design = design_greedily(phi, labeled, candidates, n - 3, precision=v, weight=w, factor_of_score=u, noise=0.3)
    held = [0, 1]
    left = list(range(3, n))
    for pick, gain in zip(design.index.tolist(), design.gain.tolist(), strict=True):
        before = variances(phi, held, v, 0.3)
        gains = {
            i: float(u[i] * (w[candidates] @ (before - variances(phi, [*held, i], v, 0.3))[candidates])) for i in left
        }
        assert gain == pytest.approx(max(gains.values()), rel=1e-6)
        assert gains[pick] == pytest.approx(gain, rel=1e-6)
        held.append(pick)
        left.remove(pick)


def test_confidence_is_high_where_nodes_are_like_labeled_ones() -> None:
    phi = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    one = torch.ones(4, dtype=torch.float64)
    labeled = torch.tensor([True, False, False, False])
    design = design_greedily(phi, labeled, ~labeled, 1, precision=one, weight=one, factor_of_score=one, noise=0.25)
    assert design.confidence[:3].tolist() == pytest.approx([0.8, 0.8, 0.0])  # 1 / (1 + noise)
    assert design.index.tolist() == [2]


def test_the_cosine_factor_is_the_centered_similarity_graph() -> None:
    x = torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    unit = x / x.norm(dim=1, keepdim=True)
    centered = unit - unit.mean(dim=0)
    factor = cosine_factor(x, 20)
    assert torch.allclose(factor @ factor.T, centered @ centered.T + 1)
    assert cosine_factor(x, 3).shape == (9, 3)
    lower = cosine_factor(x, 3)[:, :2]
    assert float(lower.square().sum()) <= float(centered.square().sum())
    assert float(lower.square().sum()) >= 0.5 * float(centered.square().sum())


def test_all_rows_as_landmarks_give_the_gaussian_kernel() -> None:
    x = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    factor = gaussian_factor(x, 50, torch.Generator().manual_seed(1), sigma=2.0)
    kernel = (-torch.cdist(x, x).square() / 8).exp()
    assert torch.allclose(factor @ factor.T, kernel, atol=1e-4)


def test_rows_that_are_all_the_same_have_a_factor() -> None:
    x = torch.ones(5, 3)
    for factor in (cosine_factor(x, 4), gaussian_factor(x, 4, torch.Generator().manual_seed(0))):
        assert factor.isfinite().all()
