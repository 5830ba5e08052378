"""Graph herding: covering uncertainty on a graph."""

import torch
from torch_geometric.data import Data

from seqgcn.selectors import GraphHerding


def test_of_two_groups_the_uncertain_one_is_covered_first() -> None:
    draw = torch.Generator().manual_seed(0)
    groups = torch.tensor([[5.0, 0.0], [0.0, 5.0]]).repeat_interleave(20, dim=0)
    x = groups + 0.1 * torch.randn(40, 2, generator=draw)
    prob = torch.tensor([[0.99, 0.01], [0.5, 0.5]]).repeat_interleave(20, dim=0)
    data = Data(x=x, prob=prob, train_mask=torch.zeros(40, dtype=torch.bool))
    selection = GraphHerding(k=10).select(data, 2)
    assert int(selection.index[0]) >= 20
    assert selection.details["uncertainty"].unique().allclose(torch.tensor([0.0198, 0.5]))
    without = GraphHerding(k=10).select(Data(x=x, train_mask=data.train_mask), 2).index
    assert sorted((without >= 20).tolist()) == [False, True]  # one of each


def test_a_node_beside_a_labeled_one_comes_late() -> None:
    x = torch.tensor([[0.0], [0.01], [1.0], [1.01], [2.0], [2.01]])
    data = Data(x=x, train_mask=torch.tensor([True, False, False, False, False, False]))
    picks = GraphHerding(k=3, normalize=False).select(data, 5)
    assert int(picks.index[-1]) in (1, 3, 5)
    assert {2, 3} & set(picks.index[:2].tolist())
    assert {4, 5} & set(picks.index[:2].tolist())
    assert float(picks.details["covered"].min()) == 1.0


def test_edges_of_the_data_are_the_graph() -> None:
    # A star: its center covers all.
    edges = torch.tensor([[0, 0, 0, 0], [1, 2, 3, 4]])
    edges = torch.cat([edges, edges.flip(0)], dim=1)
    data = Data(x=torch.eye(6), edge_index=edges, train_mask=torch.zeros(6, dtype=torch.bool))
    assert GraphHerding().select(data, 1).index.tolist() == [0]
    assert GraphHerding(graph="edges").select(data, 1).index.tolist() == [0]
    weighted = GraphHerding().select(data, 2)
    assert int(weighted.index[1]) == 5  # what no edge reaches


def test_nothing_uncertain_is_coverage() -> None:
    x = torch.tensor([[0.0], [0.1], [0.2], [9.0]])
    prob = torch.tensor([[1.0, 0.0]]).repeat(4, 1)
    data = Data(x=x, prob=prob, train_mask=torch.zeros(4, dtype=torch.bool))
    assert GraphHerding(k=2, scale_neighbor=1, normalize=False).select(data, 2).score.min() > 0
