import importlib.machinery
import importlib.util
import sys
import types
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
import torch_geometric.transforms as T
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import to_dense_adj

from seqgcn.exceptions import ArgumentError
from seqgcn.graph import (
    EdgeList,
    FeatureGraph,
    LowRankAdjacency,
    graph_of,
    knn_edges,
    normalise_edges,
    to_networkx,
    unit_rows,
)


def features(n: int = 12, d: int = 5, *, signed: bool = False, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    x = torch.rand(n, d, dtype=torch.float64, generator=draw)
    return x - 0.5 if signed else x


@st.composite
def grids(draw: st.DrawFn) -> Tensor:
    """Small whole-number features: zero rows, duplicates, opposite and orthogonal rows are common."""
    n, d = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    values = draw(st.lists(st.integers(-2, 3), min_size=n * d, max_size=n * d))
    return torch.tensor(values, dtype=torch.float64).view(n, d)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


# nearest neighbors


def neighbour_sets(edge_index: Tensor, n: int) -> list[set[int]]:
    """Neighbors of each node, after checking what every undirected graph keeps to."""
    pairs = {(u, v) for u, v in edge_index.T.tolist()}
    assert len(pairs) == edge_index.shape[1], "an edge is there twice"
    assert all(u != v and (v, u) in pairs for u, v in pairs)
    return [{v for u, v in pairs if u == i} for i in range(n)]


@pytest.mark.parametrize(("n", "k", "signed"), [(30, 4, False), (30, 4, True), (8, 7, False), (8, 100, True)])
def test_nearest_neighbours_are_those_of_brute_force(n: int, k: int, signed: bool) -> None:
    x = features(n, 5, signed=signed)
    unit = x / x.norm(dim=1, keepdim=True)
    closest = (unit @ unit.T).fill_diagonal_(-2).argsort(dim=1, descending=True)[:, :k]
    wanted = {(i, j) for i in range(n) for j in closest[i].tolist() if i != j}
    found = neighbour_sets(knn_edges(x, k), n)
    assert found == [{j for j in range(n) if (i, j) in wanted or (j, i) in wanted} for i in range(n)]


@settings(deadline=None, max_examples=50)
@given(grids(), st.integers(1, 14))
def test_everyone_finds_neighbours_as_near_as_the_kth(x: Tensor, k: int) -> None:
    edge_index = knn_edges(x, k)
    unit, present = unit_rows(x)
    near = (unit @ unit.T).fill_diagonal_(-2)
    near[:, ~present] = -2
    k = min(k, int(present.sum()) - 1)
    for i, found in enumerate(neighbour_sets(edge_index, len(x))):
        if not present[i]:
            assert not found
        elif k > 0:
            assert len(found) >= k
            nearest = near[i, sorted(found)].sort(descending=True).values[:k]
            close(nearest, near[i].sort(descending=True).values[:k])


def test_more_duplicates_than_neighbours() -> None:
    x = torch.cat([torch.ones(6, 2), torch.tensor([[1.0, -1.0]])])
    found = neighbour_sets(knn_edges(x, 2), 7)
    assert all(len(neighbours - {6}) >= 2 for neighbours in found)
    assert len(found[6]) == 2


@pytest.mark.parametrize("x", [torch.ones(1, 2), torch.zeros(4, 2), torch.eye(4)[:, :1]])
def test_nothing_to_join(x: Tensor) -> None:
    assert knn_edges(x, 3).shape == (2, 0)


class FakeFaiss:
    """What is used of FAISS: an exact index by inner product."""

    def __init__(self, d: int) -> None:
        self.rows = np.empty((0, d), dtype=np.float32)

    def add(self, rows: np.ndarray[Any, Any]) -> None:
        assert rows.dtype == np.float32
        assert rows.flags.c_contiguous
        self.rows = np.concatenate([self.rows, rows])

    def search(self, rows: np.ndarray[Any, Any], k: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        products = rows @ self.rows.T
        order = np.argsort(-products, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(products, order, axis=1), order


def test_faiss_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    def index(d: int) -> FakeFaiss:
        used.append(d)
        return FakeFaiss(d)

    x = features(25, 5)
    x[3] = 0
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    without = knn_edges(x, 4)
    module = types.ModuleType("faiss")
    module.IndexFlatIP = index  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faiss", module)
    for origin, expected in ((None, []), ("faiss/__init__.py", [5])):  # a mere folder called faiss, and the package
        spec = importlib.machinery.ModuleSpec("faiss", None, origin=origin)
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name, spec=spec: spec)
        assert torch.equal(knn_edges(x, 4), without)
        assert used == expected


# a user's own edges


def normal_matrix(edges: EdgeList, n: int) -> Tensor:
    """Entry (i, j): weight with which j adds to i."""
    matrix: Tensor = to_dense_adj(edges.edge_index, edge_attr=edges.edge_weight, max_num_nodes=n)[0].T
    return matrix


@pytest.mark.parametrize("weighted", [False, True])
def test_own_edges_are_normalised_as_in_pyg(weighted: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    n, x = 12, features()
    edge_index = torch.randint(0, n, (2, 40), generator=draw).unique(dim=1)
    weight = torch.rand(edge_index.shape[1], dtype=torch.float64, generator=draw) if weighted else None
    mine = normal_matrix(normalise_edges(edge_index, weight, x), n)
    theirs = EdgeList(*gcn_norm(edge_index, weight, n, add_self_loops=True, dtype=torch.float64))
    close(mine, normal_matrix(theirs, n), 0)

    matrix = torch.zeros(n, n, dtype=torch.float64)
    matrix[edge_index[1], edge_index[0]] = 1.0 if weight is None else weight
    loops = matrix.diagonal()
    loops[torch.isin(torch.arange(n), edge_index[0, edge_index[0] == edge_index[1]], invert=True)] = 1
    degree = matrix.sum(dim=1)
    close(mine, matrix / (degree.unsqueeze(1) * degree).sqrt())


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
@pytest.mark.parametrize("weighted", [False, True])
def test_a_sparse_transposed_matrix_is_the_same_graph(weighted: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    x = features()
    edge_index = torch.randint(0, 12, (2, 40), generator=draw).unique(dim=1)
    data = Data(x=x, edge_index=edge_index)
    if weighted:
        data.edge_weight = torch.rand(edge_index.shape[1], generator=draw)
    sparse = T.ToSparseTensor(attr="edge_weight")(data)
    assert sparse.edge_index is None
    theirs, mine = graph_of(sparse, x), graph_of(data, x)
    assert isinstance(theirs, EdgeList)
    assert isinstance(mine, EdgeList)
    close(normal_matrix(theirs, 12), normal_matrix(mine, 12), 1e-12)


# export


def masked(**attributes: Any) -> Data:
    return Data(train_mask=torch.tensor([True, False, False, True]), **attributes)


def test_edges_are_exported_with_what_is_known_of_the_nodes() -> None:
    data = masked(edge_index=torch.tensor([[0, 1, 1], [1, 0, 2]]), edge_weight=torch.tensor([0.5, 0.5, 2.0]))
    graph = to_networkx(data, picked=torch.tensor([2]), confidence=torch.tensor([0.9, 0.1, 0.2, 0.8]))
    assert dict(graph.nodes) == {
        0: {"labelled": True, "picked": False, "confidence": pytest.approx(0.9)},
        1: {"labelled": False, "picked": False, "confidence": pytest.approx(0.1)},
        2: {"labelled": False, "picked": True, "confidence": pytest.approx(0.2)},
        3: {"labelled": True, "picked": False, "confidence": pytest.approx(0.8)},
    }
    assert {(u, v): w for u, v, w in graph.edges(data="weight")} == {(0, 1): 0.5, (1, 2): 2.0}
    assert nx.number_connected_components(graph) == 2


def test_edges_without_weights_weigh_one() -> None:
    graph = to_networkx(masked(edge_index=torch.tensor([[0], [3]])))
    assert list(graph.edges(data="weight")) == [(0, 3, 1.0)]
    assert dict(graph.nodes)[0] == {"labelled": True, "picked": False}


def test_the_similarity_graph_is_exported_with_the_mean_of_both_directions() -> None:
    x = features(4)
    graph = to_networkx(masked(x=x))
    matrix = LowRankAdjacency(x).to_dense()
    assert graph.number_of_edges() == 6
    for u, v, weight in graph.edges(data="weight"):
        assert weight == pytest.approx(float(matrix[u, v] + matrix[v, u]) / 2)


def test_a_large_similarity_graph_is_not_written_out() -> None:
    with pytest.raises(ArgumentError, match=r'of 4 nodes has 6 edges; export a FeatureGraph\("knn"\).* \(now 3\)'):
        to_networkx(masked(x=features(4)), max_nodes=3)
    data = FeatureGraph("knn", k=1)(masked(x=features(4)))
    assert to_networkx(data, max_nodes=3).number_of_nodes() == 4


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (masked(x=features(4)), {"confidence": torch.ones(3)}, r"confidence must be \[4\], got \[3\]"),
        (masked(edge_index=torch.tensor([[0], [4]])), {}, "out of range for 4 nodes"),
        (masked(), {}, r"attach them as data\.x"),
        (Data(x=features(4)), {}, r"data\.train_mask is missing"),
    ],
)
def test_what_cannot_be_exported_is_named(data: Data, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        to_networkx(data, **options)


@pytest.mark.parametrize(
    "picked", [torch.tensor([True, False, False, True]), torch.tensor([4]), torch.tensor([-1]), torch.tensor([[0]])]
)
def test_export_refuses_picks_that_are_no_node_indices(picked: torch.Tensor) -> None:
    with pytest.raises(ArgumentError, match="picked must hold node indices from 0 to 3"):
        to_networkx(masked(edge_index=torch.tensor([[0], [3]])), picked=picked)
