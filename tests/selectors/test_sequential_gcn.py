"""UncertainGCN and CoreGCN against the formulas on plain matrices, written here without the package's help."""

import warnings
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torch_geometric.transforms as T
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv
from torch_geometric.utils import dense_to_sparse

from seqgcn import ConfidenceGCN, CoreGCN, FeatureGraph, UncertainGCN
from seqgcn.exceptions import ArgumentError, SeqGCNWarning
from seqgcn.utils.seeding import seeded

N, D, HIDDEN, LABELLED, BUDGET, SEED = 60, 16, 128, 9, 20, 5


@dataclass
class Nodes:
    """What a fit says about the nodes: logits `[n]`, hidden features `[n, h]` and the loss of each epoch."""

    logit: Tensor
    hidden: Tensor
    loss: list[float]


def pool(dtype: torch.dtype = torch.float64, *, signed: bool = False) -> Data:
    draw = torch.Generator().manual_seed(11)
    x = torch.rand(N, D, dtype=torch.float64, generator=draw) ** 2 - (0.2 if signed else 0)
    train_mask = torch.zeros(N, dtype=torch.bool)
    train_mask[torch.randperm(N, generator=draw)[:LABELLED]] = True
    return Data(x=x.to(dtype), train_mask=train_mask)


def dense_adjacency(x: Tensor, normalize: str = "column", *, shifted: bool = False) -> Tensor:
    """A = (S - I) D^-1 + I with D the column sums, or D^-1 (S - I) + I with the row sums."""
    unit = x / x.pow(2).sum(dim=1, keepdim=True).sqrt()
    s = unit @ unit.T
    identity = torch.eye(len(x), dtype=x.dtype)
    s = ((1 + s) / 2 if shifted else s) - identity
    return (s / s.sum(dim=0, keepdim=True) if normalize == "column" else s / s.sum(dim=1, keepdim=True)) + identity


def dense_edges(edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
    """D^-1/2 (A + I) D^-1/2 of Kipf and Welling, entry (i, j) of the weight from j to i."""
    a = torch.eye(N, dtype=torch.float64)
    for number, (source, target) in enumerate(edge_index.T.tolist()):
        a[target, source] += 1.0 if edge_weight is None else float(edge_weight[number])
    root = a.sum(dim=1).sqrt()
    return a / (root.unsqueeze(1) * root)


def initial_weights(dtype: torch.dtype) -> list[Tensor]:
    with seeded(SEED):
        model = ConfidenceGCN(D, HIDDEN, 0.0).to(dtype)
    convs = (model.conv1, model.conv2)
    return [p.detach().clone().requires_grad_() for conv in convs for p in (conv.lin.weight, conv.bias)]


def loss_of(logit: Tensor, labelled: Tensor) -> Tensor:
    return -F.logsigmoid(logit[labelled]).mean() - 1.2 * F.logsigmoid(-logit[~labelled]).mean()


def dense_fit(data: Data, a: Tensor, epochs: int) -> Nodes:
    """The network as matrix products and Adam with L2 as printed by Kingma and Ba."""
    unit = data.x / data.x.pow(2).sum(dim=1, keepdim=True).sqrt()
    parameters = initial_weights(data.x.dtype)
    mean = [torch.zeros_like(p) for p in parameters]
    square = [torch.zeros_like(p) for p in parameters]

    def forward() -> tuple[Tensor, Tensor]:
        w1, b1, w2, b2 = parameters
        hidden = (a @ (unit @ w1.T) + b1).clamp(min=0)
        return (a @ hidden @ w2.T + b2)[:, 0], hidden

    losses = []
    for step in range(1, epochs + 1):
        loss = loss_of(forward()[0], data.train_mask)
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for p, g, m, v in zip(parameters, gradients, mean, square, strict=True):
                g = g + 5e-4 * p
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g * g)
                p -= 1e-3 * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
    with torch.no_grad():
        logit, hidden = forward()
    return Nodes(logit, hidden, losses)


def pyg_fit(data: Data, a: Tensor, epochs: int, *, transposed: bool = True) -> Nodes:
    """The same network of PyG's own layers on the edge list of the matrix."""
    edge_index, edge_weight = dense_to_sparse(a.T if transposed else a)
    options = {"normalize": False, "add_self_loops": False}
    conv1 = GCNConv(D, HIDDEN, **options).to(data.x.dtype)
    conv2 = GCNConv(HIDDEN, 1, **options).to(data.x.dtype)
    parameters = [conv1.lin.weight, conv1.bias, conv2.lin.weight, conv2.bias]
    with torch.no_grad():
        for p, start in zip(parameters, initial_weights(data.x.dtype), strict=True):
            p.copy_(start)
    adam = torch.optim.Adam(parameters, lr=1e-3, weight_decay=5e-4)
    unit = F.normalize(data.x, dim=1)

    def forward() -> tuple[Tensor, Tensor]:
        hidden = conv1(unit, edge_index, edge_weight).relu()
        return conv2(hidden, edge_index, edge_weight).squeeze(1), hidden

    losses = []
    for _ in range(epochs):
        adam.zero_grad()
        loss = loss_of(forward()[0], data.train_mask)
        loss.backward()
        adam.step()
        losses.append(loss.item())
    with torch.no_grad():
        logit, hidden = forward()
    return Nodes(logit, hidden, losses)


def nearest_to_margin(logit: Tensor, labelled: Tensor, margin: float = 0.1) -> list[int]:
    f = (1 / (1 + (-logit.double()).exp())).tolist()
    return sorted((~labelled).nonzero().flatten().tolist(), key=lambda i: abs(f[i] - margin))[:BUDGET]


def farthest_first(points: Tensor, labelled: Tensor) -> list[int]:
    distance = torch.cdist(points.double(), points.double(), compute_mode="donot_use_mm_for_euclid_dist").tolist()
    centres, picks = labelled.nonzero().flatten().tolist(), []
    left = (~labelled).nonzero().flatten().tolist()
    for _ in range(BUDGET):
        pick = max(left, key=lambda i: min(distance[i][c] for c in centres))
        left.remove(pick)
        centres.append(pick)
        picks.append(pick)
    return picks


def agrees(data: Data, nodes: Nodes, epochs: int, tolerance: float, *, picks: bool = True, **options: Any) -> None:
    """Both samplers tell the same confidences, features and losses, and pick the same."""
    options = {"dropout": 0.0, "epochs": epochs, "seed": SEED} | options
    joined = torch.cat([nodes.hidden, nodes.logit.unsqueeze(1)], dim=1)
    cases = [
        (UncertainGCN(**options), nodes.hidden, nearest_to_margin(nodes.logit, data.train_mask)),
        (CoreGCN(**options), joined, farthest_first(joined, data.train_mask)),
        (CoreGCN(include_logit=False, **options), nodes.hidden, farthest_first(nodes.hidden, data.train_mask)),
    ]
    for selector, features, expected in cases:
        selection = selector.select(data, BUDGET)
        for mine, theirs in (
            (selection.details["confidence"], nodes.logit.sigmoid()),
            (selection.details["features"], features),
        ):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=tolerance)
        assert selection.details["loss"].tolist() == pytest.approx(nodes.loss, abs=max(tolerance, 1e-6))
        if picks:
            assert selection.index.tolist() == expected


@pytest.mark.parametrize("fit", [dense_fit, pyg_fit])
@pytest.mark.parametrize("normalize", ["column", "row"])
def test_double_precision_200_epochs(normalize: Any, fit: Any) -> None:
    data = pool()
    nodes = fit(data, dense_adjacency(data.x, normalize), 200)
    assert nodes.loss[-1] < 0.98 * nodes.loss[0]
    agrees(data, nodes, 200, 1e-10, normalize=normalize)


@pytest.mark.parametrize("fit", [dense_fit, pyg_fit])
@pytest.mark.parametrize("normalize", ["column", "row"])
def test_single_precision_20_epochs(normalize: Any, fit: Any) -> None:
    data = pool(torch.float32)
    agrees(data, fit(data, dense_adjacency(data.x, normalize), 20), 20, 1e-5, normalize=normalize)


def test_shifted_similarity_of_signed_features() -> None:
    data = pool(signed=True)
    agrees(data, dense_fit(data, dense_adjacency(data.x, shifted=True), 50), 50, 1e-10, similarity="shifted")


def test_the_edge_list_of_the_untransposed_matrix_is_another_graph() -> None:
    data = pool()
    a = dense_adjacency(data.x)
    right, wrong = (pyg_fit(data, a, 20, transposed=transposed) for transposed in (True, False))
    dense = dense_fit(data, a, 20)
    assert (right.hidden - dense.hidden).abs().max() < 1e-10
    assert (wrong.hidden - dense.hidden).abs().max() > 1e-3
    assert (wrong.logit - dense.logit).abs().max() > 1e-3


@pytest.mark.parametrize("weighted", [False, True])
def test_own_edges(weighted: bool) -> None:
    data = pool()
    draw = torch.Generator().manual_seed(2)
    edges = torch.randint(0, N, (2, 200), generator=draw).unique(dim=1)
    data.edge_index = edges[:, edges[0] != edges[1]]
    if weighted:
        data.edge_weight = torch.rand(data.edge_index.shape[1], dtype=torch.float64, generator=draw)
    agrees(data, dense_fit(data, dense_edges(data.edge_index, data.edge_weight), 50), 50, 1e-10)


def test_nearest_neighbours() -> None:
    data = pool()
    unit = F.normalize(data.x, dim=1)
    near = (unit @ unit.T).fill_diagonal_(-2).topk(4, dim=1).indices
    joined = torch.zeros(N, N)
    joined[torch.arange(N).unsqueeze(1), near] = 1
    edge_index, _ = dense_to_sparse(torch.maximum(joined, joined.T))
    nodes = dense_fit(data, dense_edges(edge_index), 50)
    agrees(data, nodes, 50, 1e-10, graph="knn", k=4)
    agrees(FeatureGraph("knn", k=4)(data), nodes, 50, 1e-10)


# what else is particular to them

QUICK: dict[str, Any] = {"hidden_channels": 8, "epochs": 10}


@pytest.mark.parametrize("family", [UncertainGCN, CoreGCN])
def test_a_graph_attached_beforehand_changes_nothing(family: Any) -> None:
    data, selector = pool(), family(**QUICK)
    attached = T.Compose([FeatureGraph()])(data)
    assert torch.equal(selector.select(attached, BUDGET).index, selector.select(data, BUDGET).index)


@pytest.mark.parametrize("family", [UncertainGCN, CoreGCN])
def test_a_graph_that_no_longer_fits_is_computed_anew(family: Any) -> None:
    data, selector = FeatureGraph()(pool()), family(**QUICK)
    some = torch.arange(10, 50)
    stale = data.subgraph(some)
    assert stale.adjacency.shape != (len(some), len(some))
    fresh = Data(x=data.x[some], train_mask=data.train_mask[some])
    assert torch.equal(selector.select(stale, 10).index, selector.select(fresh, 10).index)
    stale = data.clone()
    stale.x = data.x.flip(0)  # the same number of nodes, another embedding
    fresh = Data(x=data.x.flip(0), train_mask=data.train_mask)
    assert torch.equal(selector.select(stale, 10).index, selector.select(fresh, 10).index)


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
@pytest.mark.parametrize("family", [UncertainGCN, CoreGCN])
def test_a_sparse_transposed_matrix_picks_the_same(family: Any) -> None:
    data, selector = pool(), family(**QUICK)
    data.edge_index = torch.randint(0, N, (2, 200), generator=torch.Generator().manual_seed(0)).unique(dim=1)
    sparse = T.ToSparseTensor()(data)
    assert "edge_index" not in sparse
    assert torch.equal(selector.select(sparse, BUDGET).index, selector.select(data, BUDGET).index)
    edges = family(graph="edges", **QUICK)
    assert torch.equal(edges.select(sparse, BUDGET).index, edges.select(data, BUDGET).index)


def test_own_edges_are_used_only_where_asked_for() -> None:
    data = pool()
    data.edge_index = torch.randint(0, N, (2, 200), generator=torch.Generator().manual_seed(0))
    without = pool()

    def confidence(graph: Any, data: Data) -> Tensor:
        return UncertainGCN(graph=graph, **QUICK).select(data, 1).details["confidence"]

    assert torch.equal(confidence("auto", data), confidence("edges", data))
    assert torch.equal(confidence("similarity", data), confidence("auto", without))
    assert not torch.equal(confidence("auto", data), confidence("similarity", data))


def test_weights_that_need_gradients_are_left_alone() -> None:
    data = pool()
    data.edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
    data.edge_weight = torch.rand(3, requires_grad=True)
    CoreGCN(**QUICK).select(data, 1)
    assert data.edge_weight.grad is None


def test_nodes_outside_the_pool_pass_messages_only() -> None:
    data = pool()
    data.pool_mask = torch.arange(N) < 40
    inside = UncertainGCN(**QUICK).select(data, 5).details
    assert inside["confidence"].shape == (N,)
    del data.pool_mask
    assert not torch.equal(inside["loss"], UncertainGCN(**QUICK).select(data, 5).details["loss"])


def test_rules_are_opposite_ends() -> None:
    data = pool()
    unlabelled = int((~data.train_mask).sum())
    nearest = UncertainGCN(**QUICK).select(data, unlabelled)
    farthest = UncertainGCN(rule="farthest", **QUICK).select(data, unlabelled)
    assert torch.equal(nearest.index, farthest.index.flip(0))
    distance = (nearest.details["confidence"] - 0.1).abs()
    torch.testing.assert_close(nearest.score, -distance[nearest.index])
    torch.testing.assert_close(farthest.score, distance[farthest.index])


def test_signed_features_warn_once_and_zero_rows_once() -> None:
    data = pool()
    data.x -= 0.5
    data.x[3] = 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(CoreGCN(**QUICK).select(data, 3)) == 3
    assert [w.category for w in caught if w.category is not DeprecationWarning] == [SeqGCNWarning] * 2
    with pytest.warns(SeqGCNWarning, match="rows 3"), pytest.raises(ArgumentError, match="positive column sums"):
        CoreGCN(similarity="cosine", **QUICK).select(data, 3)


def test_progress_hears_of_training_and_picks() -> None:
    calls = []
    CoreGCN(**QUICK).select(pool(), 4, progress=lambda *call: calls.append(call))
    assert calls == [("gcn", i, 10) for i in range(1, 11)] + [("k-center", i, 4) for i in range(1, 5)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("hidden_channels", [0, 1.5, True]),
        ("epochs", [0, 2.0]),
        ("k", [0, None]),
        ("patience", [0, -1, 1.0]),
        ("dropout", [1, -0.1, float("nan"), "0.3"]),
        ("lr", [0, -1e-3, float("inf")]),
        ("weight_decay", [-1e-9]),
        ("unlabelled_weight", [-1.2, None]),
        ("graph", ["cosine", None]),
        ("similarity", ["euclidean"]),
        ("normalize", ["both"]),
        ("margin", [-0.1, 1.1]),
        ("rule", ["far"]),
    ],
)
def test_unusable_parameters_are_refused_at_once(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ArgumentError, match=f"^{name} must be .*, got"):
            UncertainGCN(**{name: value})
