"""Uncertainty herding, against its definition."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.selectors import MaxHerding, UncertaintyHerding
from seqgcn.selectors.uncertainty import uncertainty
from seqgcn.selectors.uncertainty_herding import closest, tempered


def make_pool(seed: int, n: int = 14) -> Data:
    draw = torch.Generator().manual_seed(seed)
    return Data(
        x=torch.randn(n, 3, dtype=torch.float64, generator=draw),
        prob=(2 * torch.randn(n, 3, dtype=torch.float64, generator=draw)).softmax(dim=1),
        train_mask=torch.arange(n) < 4,
    )


def plain(data: Data, budget: int, sigma: float) -> tuple[list[int], list[float]]:
    """The definition, every gain anew."""
    u = uncertainty(data.prob, "margin")
    kernel = (-torch.cdist(data.x, data.x).square() / (2 * sigma**2)).exp()
    free, held = ~data.train_mask, data.train_mask.nonzero().flatten().tolist()
    covered, picks, gains = kernel[:, held].amax(dim=1), list[int](), list[float]()
    for _ in range(budget):
        gain = (u.unsqueeze(1) * (kernel - covered.unsqueeze(1)).clamp(min=0))[free].sum(dim=0)
        gain[[*held, *picks]] = -1
        picks.append(int(gain.argmax()))
        gains.append(float(gain.max()))
        covered = torch.maximum(covered, kernel[:, picks[-1]])
    return picks, gains


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_picks_are_those_of_the_definition(seed: int) -> None:
    data = make_pool(seed)
    sigma = float(torch.pdist(data.x[:4]).min())
    selection = UncertaintyHerding(normalize=False).select(data, 6)
    picks, gains = plain(data, 6, sigma)
    assert selection.score.tolist() == pytest.approx(gains, rel=1e-5, abs=1e-9)
    assert selection.index.tolist() == picks


def test_without_uncertainty_it_is_coverage() -> None:
    data = make_pool(3)
    data.prob = torch.eye(3, dtype=torch.float64)[torch.arange(14) % 3]
    herding = UncertaintyHerding(sigma=1.0).select(data, 5)
    assert herding.index.tolist() == MaxHerding(sigma=1.0).select(data, 5).index.tolist()


def test_the_width_is_the_smallest_distance_of_labels_that_differ() -> None:
    points = torch.tensor([[0.0], [0.0], [3.0], [5.0]])
    assert closest(points) == 2.0
    assert closest(points[:2]) is None
    assert closest(points[:0]) is None


def test_a_temperature_divides_the_logits() -> None:
    logits = torch.tensor([[1.0, 3.0, -2.0]], dtype=torch.float64)
    assert tempered(logits.softmax(dim=1), 2.0).allclose((logits / 2).softmax(dim=1))
    certain = torch.tensor([[1.0, 0.0]])
    warm: Tensor = tempered(certain, 4.0)
    assert warm.isfinite().all()
