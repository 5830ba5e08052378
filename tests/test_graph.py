import math
import warnings
from typing import Any, cast

import pytest
import torch
import torch_geometric.transforms as T
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Batch, Data, HeteroData

from seqgcn.exceptions import ArgumentError, SeqGCNWarning
from seqgcn.graph import (
    EdgeList,
    FeatureGraph,
    LowRankAdjacency,
    Normalize,
    Similarity,
    graph_of,
    knn_edges,
    live_columns,
    normalise_edges,
    unit_rows,
)

relaxed = settings(deadline=None)  # timings vary on a busy machine
NORMALIZE = ["column", "row"]


def features(n: int = 12, d: int = 5, *, signed: bool = False, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    x = torch.rand(n, d, dtype=torch.float64, generator=draw)
    return x - 0.5 if signed else x


@st.composite
def grids(draw: st.DrawFn, low: int = -2) -> Tensor:
    """Small whole-number features: zero rows, duplicates, opposite and orthogonal rows are common."""
    n, d = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    values = draw(st.lists(st.integers(low, 3), min_size=n * d, max_size=n * d))
    return torch.tensor(values, dtype=torch.float64).view(n, d)


def dense(x: Tensor, *, shifted: bool = False, normalize: str = "column") -> Tensor:
    """The formulas on a plain matrix: A = (S - I) D^-1 + I, zero rows (and rows without neighbors) isolated."""
    n = len(x)
    similarity = torch.zeros(n, n, dtype=x.dtype)
    there = [i for i in range(n) if x[i].abs().max() > 0]
    for i in there:
        for j in there:
            if i != j:
                cosine = (x[i] / x[i].norm()) @ (x[j] / x[j].norm())
                similarity[i, j] = (1 + cosine) / 2 if shifted else cosine
    sums = similarity.sum(dim=0)
    sums[sums.abs() < 1e-12] = torch.inf
    return (similarity / sums if normalize == "column" else similarity / sums.unsqueeze(1)) + torch.eye(n).to(x)


def quietly(x: Tensor, similarity: Similarity = "auto", normalize: Normalize = "column") -> LowRankAdjacency:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeqGCNWarning)
        return LowRankAdjacency(x, similarity=similarity, normalize=normalize)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


# the low-rank similarity graph


@relaxed
@given(grids(), st.sampled_from(["auto", "shifted"]), st.sampled_from(NORMALIZE))
def test_it_is_the_dense_matrix(x: Tensor, similarity: Similarity, normalize: Normalize) -> None:
    adjacency = quietly(x, similarity, normalize)
    expected = dense(x, shifted=adjacency.similarity == "shifted", normalize=normalize)
    close(adjacency.to_dense(), expected)
    h = torch.arange(float(len(x) * 3), dtype=torch.float64).view(-1, 3).sin()
    close(adjacency @ h, expected @ h)
    close(adjacency @ h[:, 0], expected @ h[:, 0])


def test_a_single_node_is_alone_whatever_rounding_leaves() -> None:
    for last in range(1, 40):
        x = torch.tensor([[2.0, 2.0, 2.0, last]], dtype=torch.float64)
        assert quietly(x).to_dense().tolist() == [[1.0]]


@relaxed
@given(grids(low=0), st.sampled_from(NORMALIZE))
def test_automatic_similarity_shifts_only_where_cosine_fails(x: Tensor, normalize: Normalize) -> None:
    unit = x / x.norm(dim=1, keepdim=True).clamp(min=1e-300)
    present = x.abs().amax(dim=1) > 0
    connected = ((unit @ unit.T).sum(dim=0) - 1 > 1e-9)[present]
    adjacency = quietly(x, normalize=normalize)
    assert adjacency.similarity == ("cosine" if connected.all() else "shifted")
    if connected.all():
        close(quietly(x, "cosine", normalize).to_dense(), adjacency.to_dense(), 0)
    else:
        with pytest.raises(ArgumentError, match="positive column sums"):
            quietly(x, "cosine", normalize)


@pytest.mark.parametrize("normalize", NORMALIZE)
def test_columns_or_rows_sum_to_two(normalize: Normalize) -> None:
    matrix = LowRankAdjacency(features(), normalize=normalize).to_dense()
    close(matrix.sum(dim=0 if normalize == "column" else 1), torch.full((12,), 2.0, dtype=torch.float64))
    close(matrix.diagonal(), torch.ones(12, dtype=torch.float64))
    assert not torch.allclose(matrix, matrix.T)


def test_single_precision_is_single_precise() -> None:
    x = features(300, 20)
    close(LowRankAdjacency(x.float()).to_dense().double(), LowRankAdjacency(x).to_dense(), 1e-5)


@pytest.mark.parametrize("normalize", NORMALIZE)
@pytest.mark.parametrize("similarity", ["cosine", "shifted"])
def test_gradients_are_those_of_the_matrix(similarity: Similarity, normalize: Normalize) -> None:
    x = features()
    adjacency = LowRankAdjacency(x, similarity=similarity, normalize=normalize)
    h = features(12, 3, signed=True, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda h: adjacency @ h, h)
    upstream = features(12, 3, signed=True, seed=2)
    (mine,) = torch.autograd.grad(adjacency @ h, h, upstream)
    (theirs,) = torch.autograd.grad(dense(x, shifted=similarity == "shifted", normalize=normalize) @ h, h, upstream)
    close(mine, theirs)


def test_positive_features_need_no_warning() -> None:
    assert LowRankAdjacency(features()).similarity == "cosine"  # warnings are errors here


def test_signed_features_are_shifted_with_one_warning() -> None:
    with pytest.warns(SeqGCNWarning, match=r'^\d+ of 40 column sums .* using similarity="shifted"$') as caught:
        assert LowRankAdjacency(features(40, signed=True)).similarity == "shifted"
    assert len(caught) == 1
    assert LowRankAdjacency(features(40, signed=True), similarity="shifted").similarity == "shifted"  # as told: quiet


def test_cosine_on_signed_features_names_the_rows() -> None:
    x = torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [1.0, 0.2]])
    with pytest.raises(ArgumentError, match=r"1 of 4 are not \(rows 2\)\. Use similarity=\"shifted\" or \"auto\""):
        LowRankAdjacency(x, similarity="cosine")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_orthogonal_rows_are_no_cosine_graph_whatever_the_rounding(dtype: torch.dtype) -> None:
    # Blocks on columns of their own, of one row each: S - I is zero, but computed as rounding noise around it.
    x = torch.block_diag(*torch.rand(40, 1, 7, dtype=dtype, generator=torch.Generator().manual_seed(0)))
    with pytest.raises(ArgumentError, match="40 of 40"):
        LowRankAdjacency(x, similarity="cosine")
    with pytest.warns(SeqGCNWarning, match="shifted"):
        adjacency = LowRankAdjacency(x)
    close(adjacency.to_dense(), torch.eye(40, dtype=dtype) * (1 - 1 / 39) + 1 / 39, 1e-5)


@pytest.mark.parametrize("normalize", NORMALIZE)
@pytest.mark.parametrize("signed", [False, True])
def test_zero_rows_keep_only_their_self_loop(signed: bool, normalize: Normalize) -> None:
    x = features(signed=signed)
    x[[2, 7]] = 0
    with pytest.warns(SeqGCNWarning, match=r"x has 2 all-zero rows \(rows 2, 7\)"):
        matrix = LowRankAdjacency(x, similarity="shifted" if signed else "auto", normalize=normalize).to_dense()
    identity = torch.eye(12, dtype=torch.float64)
    assert torch.equal(matrix[[2, 7]], identity[[2, 7]])
    assert torch.equal(matrix[:, [2, 7]], identity[:, [2, 7]])
    others = [i for i in range(12) if i not in (2, 7)]
    close(matrix[others][:, others], dense(x[others], shifted=signed, normalize=normalize))


def test_only_zero_rows_are_the_identity() -> None:
    assert torch.equal(quietly(torch.zeros(3, 2)).to_dense(), torch.eye(3))


def test_a_single_node_has_only_itself() -> None:
    assert torch.equal(LowRankAdjacency(torch.ones(1, 3)).to_dense(), torch.eye(1))


def test_opposite_rows_are_not_joined() -> None:
    close(quietly(torch.tensor([[1.0], [-1.0]])).to_dense(), torch.eye(2))


@pytest.mark.parametrize("power", [-140, -126, -100, -60, 60, 100, 126])
def test_magnitudes_do_not_matter(power: int) -> None:
    x = torch.randint(1, 256, (10, 4), generator=torch.Generator().manual_seed(0)).float() / 256
    scaled = torch.ldexp(x.double(), torch.tensor(power)).float()  # subnormal for the smallest powers
    if power > -126:
        assert torch.equal(LowRankAdjacency(scaled).to_dense(), LowRankAdjacency(x).to_dense())
    close(LowRankAdjacency(scaled).to_dense(), LowRankAdjacency(x).to_dense(), 1e-2 if power < -126 else 1e-5)


@relaxed
@given(st.floats(-300, 300), st.integers(1, 5))
def test_unit_rows_have_length_one(exponent: float, d: int) -> None:
    x = torch.full((2, d), 10.0**exponent, dtype=torch.float64)
    x[1] = 0
    unit, present = unit_rows(x)
    close(unit[0], torch.full((d,), d**-0.5, dtype=torch.float64), 1e-14)
    assert unit[1].tolist() == [0] * d
    assert present.tolist() == [True, False]


def test_half_precision_features_are_taken_as_single() -> None:
    x = features().half()
    assert torch.equal(LowRankAdjacency(x).to_dense(), LowRankAdjacency(x.float()).to_dense())


def test_products_of_another_size_are_refused() -> None:
    adjacency = LowRankAdjacency(features())
    for other in (torch.ones(11, 2), torch.ones(12, 2, 2), torch.ones(())):
        with pytest.raises(ArgumentError, match=r"cannot multiply a \[12, 12\] adjacency with a "):
            adjacency @ other.double()


@pytest.mark.parametrize("option", ["similarity", "normalize"])
def test_unknown_choices_are_refused(option: str) -> None:
    with pytest.raises(ArgumentError, match=f"{option} must be one of"):
        LowRankAdjacency(features(), **cast(Any, {option: "other"}))
    with pytest.raises(ArgumentError, match=f"{option} must be one of"):
        FeatureGraph(**cast(Any, {option: "other"}))


def test_it_says_what_it_is() -> None:
    assert repr(LowRankAdjacency(features())) == "LowRankAdjacency(12 nodes, rank 5, cosine, normalize='column')"
    shifted = LowRankAdjacency(features(), similarity="shifted", normalize="row")
    assert repr(shifted) == "LowRankAdjacency(12 nodes, rank 6, shifted, normalize='row')"
    assert shifted.shape == (12, 12)


# riding on a Data


@pytest.mark.parametrize("move", [lambda d: d.to("meta"), lambda d: d.to(torch.device("meta"), non_blocking=True)])
def test_it_moves_with_its_data(move: Any) -> None:
    # PyG passes keywords and swallows what goes wrong; "meta" is a device every machine has.
    data = Data(x=features(), adjacency=LowRankAdjacency(features()))
    moved = move(data)
    assert moved.adjacency.device.type == "meta"
    assert (moved.adjacency @ moved.x).device.type == "meta"
    assert LowRankAdjacency(features()).device.type == "cpu"


def test_it_comes_back_to_main_memory_with_its_data() -> None:
    data = Data(x=features(), adjacency=LowRankAdjacency(features())).cpu()
    assert data.adjacency.device.type == "cpu"
    close(data.adjacency.to_dense(), dense(features()))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_it_goes_to_a_gpu_with_its_data() -> None:
    data = Data(x=features(), adjacency=LowRankAdjacency(features()))
    for moved in (data.clone().cuda(), data.clone().to("cuda")):
        assert moved.adjacency.device.type == "cuda"
        close((moved.adjacency @ moved.x).cpu(), dense(features()) @ features())


def test_its_precision_changes_on_a_copy() -> None:
    adjacency = LowRankAdjacency(features(), normalize="row")
    single = adjacency.to(torch.float32)
    assert (single.dtype, adjacency.dtype) == (torch.float32, torch.float64)
    assert (single.normalize, single.similarity, single.requested) == ("row", "cosine", "auto")
    close(single.to_dense().double(), adjacency.to_dense(), 1e-5)


@pytest.mark.parametrize("signed", [False, True])
def test_it_knows_its_features(signed: bool) -> None:
    x = features(30, signed=signed)
    adjacency = quietly(x)
    assert adjacency.describes(x)
    assert adjacency.describes(x * 4)  # the same directions
    assert not adjacency.describes(x[:20])
    assert not adjacency.describes(x.flip(0))
    assert not adjacency.describes(x[:, :-1])
    assert not adjacency.describes(torch.cat([x, x[:, :1]], dim=1))
    assert not adjacency.describes(x + 1e-9)
    assert quietly(x.half()).describes(x.half())


# the transform


def test_the_transform_attaches_the_similarity_graph() -> None:
    data = Data(x=features(), train_mask=torch.ones(12, dtype=torch.bool))
    result = FeatureGraph(similarity="shifted", normalize="row")(data)
    close(result.adjacency.to_dense(), dense(features(), shifted=True, normalize="row"))
    assert "adjacency" not in data
    assert torch.equal(result.x, data.x)


def test_the_transform_composes() -> None:
    x = features(signed=True)
    data = T.Compose([T.NormalizeFeatures(), FeatureGraph("knn", k=3), T.AddSelfLoops(), FeatureGraph()])(Data(x=x))
    normal = T.NormalizeFeatures()(Data(x=x)).x
    assert isinstance(data.adjacency, LowRankAdjacency)
    assert data.adjacency.describes(normal)
    assert data.edge_index.shape[1] == knn_edges(normal, 3).shape[1] + 12


def test_older_edges_are_replaced() -> None:
    edge_index = torch.tensor([[0], [1]])
    data = Data(x=features(), edge_index=edge_index, edge_weight=torch.ones(1), edge_attr=torch.ones(1, 2))
    data.adj_t = torch.eye(12)
    result = FeatureGraph("knn", k=2)(data)
    assert torch.equal(result.edge_index, knn_edges(features(), 2))
    assert not {"edge_weight", "edge_attr", "adj_t"} & set(result.keys())
    assert torch.equal(data.edge_index, edge_index)


def test_the_transform_says_what_it_does() -> None:
    assert repr(FeatureGraph()) == "FeatureGraph(method='similarity', similarity='auto', normalize='column')"
    assert repr(FeatureGraph("knn", 5)) == "FeatureGraph(method='knn', k=5)"


@pytest.mark.parametrize(("arguments", "name"), [(("nearest",), "method"), (("knn", 0), "k"), (("knn", 2.0), "k")])
def test_the_transform_checks_its_arguments(arguments: tuple[Any, ...], name: str) -> None:
    with pytest.raises(ArgumentError, match=f"{name} must be"):
        FeatureGraph(*arguments)


@pytest.mark.parametrize("method", ["similarity", "knn"])
def test_the_transform_needs_features(method: Any) -> None:
    with pytest.raises(ArgumentError, match=r"attach them as data\.x"):
        FeatureGraph(method)(Data(edge_index=torch.tensor([[0], [1]])))
    with pytest.raises(ArgumentError, match="NaN or infinite values in rows 1;"):
        FeatureGraph(method)(Data(x=torch.tensor([[1.0], [math.nan]])))


@pytest.mark.parametrize("method", ["similarity", "knn"])
def test_the_transform_is_of_one_graph(method: Any) -> None:
    data = Data(x=features())
    for wrong in (None, features(), [data], HeteroData(), Batch.from_data_list([data, data])):
        with pytest.raises(ArgumentError, match="data must be"):
            FeatureGraph(method)(wrong)


# which graph is used


def test_attached_edges_come_before_a_similarity_graph() -> None:
    x, edge_index = features(), torch.tensor([[0, 1], [1, 0]])
    data = FeatureGraph()(Data(x=x, edge_index=edge_index))
    assert isinstance(graph_of(data, x), EdgeList)
    assert isinstance(graph_of(data, x, method="edges"), EdgeList)
    assert isinstance(graph_of(data, x, method="similarity"), LowRankAdjacency)
    neighbours = graph_of(data, x, method="knn", k=3)
    assert isinstance(neighbours, EdgeList)
    assert torch.equal(neighbours.edge_index, normalise_edges(knn_edges(x, 3), None, x).edge_index)


def test_a_similarity_graph_is_used_as_it_was_attached() -> None:
    x = features()
    graph = graph_of(FeatureGraph(similarity="shifted", normalize="row")(Data(x=x)), x)
    assert isinstance(graph, LowRankAdjacency)
    assert (graph.similarity, graph.normalize) == ("shifted", "row")


def test_a_stale_similarity_graph_is_computed_anew_in_its_own_way() -> None:
    x = features()
    data = FeatureGraph(similarity="shifted", normalize="row")(Data(x=x)).subgraph(torch.arange(2, 9))
    graph = graph_of(data, data.x)
    assert isinstance(graph, LowRankAdjacency)
    assert (graph.similarity, graph.normalize) == ("shifted", "row")
    close(graph.to_dense(), dense(x[2:9], shifted=True, normalize="row"))


def test_the_graph_takes_the_precision_of_the_features() -> None:
    x = features().float()
    graph = graph_of(Data(x=x, edge_index=torch.tensor([[0], [1]]), edge_weight=torch.ones(1).double()), x)
    assert isinstance(graph, EdgeList)
    assert graph.edge_weight.dtype == torch.float32


def test_graphs_of_the_graphs_of_a_batch_are_no_graph_of_all_nodes() -> None:
    batch = Batch.from_data_list([FeatureGraph()(Data(x=features()))])
    with pytest.raises(
        ArgumentError, match=r"data\.adjacency must be a LowRankAdjacency .*got list; .*FeatureGraph\(\)"
    ):
        graph_of(batch, batch.x)
    for method in ("similarity", "knn"):
        assert graph_of(batch, batch.x, method=method) is not None
    assert isinstance(graph_of(FeatureGraph()(batch), batch.x), LowRankAdjacency)


def test_edges_are_required_where_they_are_asked_for() -> None:
    with pytest.raises(ArgumentError, match=r'graph="edges" needs data\.edge_index .*FeatureGraph\("knn"\)'):
        graph_of(Data(x=features()), features(), method="edges")


def test_columns_without_a_value_are_left_out_where_they_are_many() -> None:
    x = torch.rand(5, 32)
    x[:, 7] = 0
    assert live_columns(x)[0] is x  # one is not worth a copy
    x[:, [0, 31]] = 0
    live, used = live_columns(x)
    assert used is not None
    assert used.tolist() == [column for column in range(32) if column not in (0, 7, 31)]
    assert torch.equal(live, x[:, used])
    assert live_columns(torch.zeros(3, 4))[1] is None


def test_a_graph_without_the_columns_that_are_zero_is_the_same() -> None:
    x = torch.rand(9, 8, dtype=torch.float64) - 0.2
    x[:, 3:6] = 0
    for normalize in ("column", "row"):
        for similarity in ("cosine", "shifted"):
            narrow = LowRankAdjacency(x.abs(), similarity=similarity, normalize=normalize)
            whole = LowRankAdjacency(x.abs()[:, [0, 1, 2, 6, 7]], similarity=similarity, normalize=normalize)
            assert torch.equal(narrow.to_dense(), whole.to_dense())
