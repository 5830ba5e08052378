"""Power sampling: draws by a power of an acquisition."""

from typing import Any

import pytest
import torch
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors import Entropy, Power


def pool(prob: torch.Tensor) -> Data:
    return Data(prob=prob, train_mask=torch.zeros(len(prob), dtype=torch.bool))


def test_draws_are_proportional_to_the_acquisition() -> None:
    prob = torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.75, 0.25]], dtype=torch.float64)
    s = 1 - (prob[:, 0] - prob[:, 1])
    first = torch.zeros(3)
    for seed in range(3000):
        first[Power(acquisition="margin", seed=seed).select(pool(prob), 1).index] += 1
    assert torch.allclose(first / 3000, (s / s.sum()).float(), atol=0.03)


def test_a_high_power_is_ranking_and_none_is_uniform() -> None:
    draw = torch.Generator().manual_seed(0)
    data = pool((3 * torch.randn(30, 4, dtype=torch.float64, generator=draw)).softmax(dim=1))
    assert Power(beta=1e6).select(data, 5).index.tolist() == Entropy().select(data, 5).index.tolist()
    certain = pool(torch.eye(2).repeat(10, 1)[:20])
    assert len({tuple(Power(beta=0, seed=seed).select(certain, 2).index.tolist()) for seed in range(20)}) > 10


def test_what_is_certain_comes_last_by_index() -> None:
    prob = torch.tensor([[1.0, 0.0], [0.6, 0.4], [1.0, 0.0], [0.7, 0.3]])
    selection = Power().select(pool(prob), 4)
    assert set(selection.index[:2].tolist()) == {1, 3}
    assert selection.index[2:].tolist() == [0, 2]
    assert selection.score.isfinite().all()


def test_bald_reads_passes() -> None:
    assert Power(acquisition="bald").requires == ("prob_samples",)
    assert Power().requires == ("prob",)
    samples = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]])
    data = Data(prob_samples=samples, train_mask=torch.zeros(2, dtype=torch.bool))
    assert Power(acquisition="bald").select(data, 1).index.tolist() == [0]


@pytest.mark.parametrize("wrong", [{"acquisition": "mean"}, {"beta": -1.0}, {"seed": -1}])
def test_parameters_that_cannot_be_used(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        Power(**wrong)
