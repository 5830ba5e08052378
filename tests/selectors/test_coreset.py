import torch
from torch_geometric.data import Data

from seqgcn import k_center_greedy
from seqgcn.selectors import CoreSet


def points() -> torch.Tensor:
    return torch.randn(40, 3, generator=torch.Generator().manual_seed(0))


def test_it_is_k_center_around_the_labelled() -> None:
    x = points()
    mask = torch.arange(40) % 9 == 0
    selection = CoreSet().select(Data(x=x, train_mask=mask), 15)
    assert torch.equal(selection.index, k_center_greedy(x, mask.nonzero().flatten(), 15))
    centres = mask.nonzero().flatten().tolist()
    for pick, score in zip(selection.index.tolist(), selection.score, strict=True):
        torch.testing.assert_close(score, (x[pick] - x[centres]).norm(dim=1).min())
        centres.append(pick)


def test_labelled_nodes_outside_the_pool_are_centres_and_validation_nodes_are_not() -> None:
    x = torch.tensor([[0.0], [10.0], [9.0], [5.0], [4.0]])
    train_mask = torch.tensor([True, False, False, False, False])
    pool_mask = torch.tensor([False, False, True, True, True])
    selection = CoreSet().select(Data(x=x, train_mask=train_mask, pool_mask=pool_mask), 3)
    assert selection.index.tolist() == [2, 3, 4]
    assert selection.score.tolist() == [9, 4, 1]


def test_without_labels_it_starts_in_the_middle() -> None:
    x = torch.tensor([[0.0], [4.0], [5.0], [11.0]])
    selection = CoreSet().select(Data(x=x, train_mask=torch.zeros(4, dtype=torch.bool)), 2)
    assert selection.index.tolist() == [2, 3]
    assert selection.score.tolist() == [6, 6]
