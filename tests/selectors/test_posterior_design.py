"""Posterior design: where it looks, and what it says of confidence."""

import torch
from torch_geometric.data import Data

from seqgcn.selectors import PosteriorDesign


def two_groups() -> Data:
    draw = torch.Generator().manual_seed(0)
    centers = torch.tensor([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0]]).repeat_interleave(20, dim=0)
    x = centers + 0.3 * torch.randn(40, 3, generator=draw)
    return Data(x=x, train_mask=torch.arange(40) < 3)


def test_it_asks_where_nothing_is_labeled() -> None:
    for kernel in ("cosine", "gaussian"):
        selection = PosteriorDesign(kernel=kernel).select(two_groups(), 1)  # type: ignore[arg-type]
        assert int(selection.index[0]) >= 20
        confidence = selection.details["confidence"]
        assert float(confidence[3:20].mean()) > float(confidence[20:].mean()) + 0.2
        assert ((confidence >= 0) & (confidence <= 1)).all()


def test_where_classes_are_certain_less_is_asked() -> None:
    data = two_groups()
    data.train_mask = torch.zeros(40, dtype=torch.bool)
    data.prob = torch.tensor([[0.5, 0.5], [0.999, 0.001]]).repeat_interleave(20, dim=0)
    assert (PosteriorDesign().select(data, 3).index < 20).all()
    assert (PosteriorDesign(fisher=False, margin=True).select(data, 1).index < 20).all()


def test_certain_everywhere_is_as_without_probabilities() -> None:
    data = two_groups()
    plain = PosteriorDesign().select(data, 4)
    data.prob = torch.tensor([[1.0, 0.0]]).repeat(40, 1)
    assert PosteriorDesign().select(data, 4).index.tolist() == plain.index.tolist()
    by_margin = PosteriorDesign(fisher=False, margin=True).select(data, 4)
    assert by_margin.index.tolist() == plain.index.tolist()


def test_the_same_picks_in_single_and_double_precision() -> None:
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(300, 20, dtype=torch.float64, generator=draw)
    mask = torch.arange(300) < 20
    double = PosteriorDesign().select(Data(x=x, train_mask=mask), 30).index
    single = PosteriorDesign().select(Data(x=x.float(), train_mask=mask), 30).index
    assert len(set(double.tolist()) & set(single.tolist())) >= 29


def test_no_score_is_below_zero_where_only_rounding_is_left() -> None:
    x = torch.zeros(60, 4)
    x[::3] = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    data = Data(x=x, train_mask=torch.arange(60) < 5)
    selection = PosteriorDesign(kernel="cosine", noise=1e-12).select(data, 55)
    assert (selection.score >= 0).all()
    assert selection.score.isfinite().all()
