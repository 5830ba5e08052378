import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv
from torch_geometric.utils import to_dense_adj

from seqgcn.exceptions import ArgumentError, SeqGCNWarning, TrainingError
from seqgcn.gcn import (
    ConfidenceFit,
    ConfidenceGCN,
    GraphConvolution,
    _DroppingReLU,
    _SparingLinear,
    confidence_loss,
    fit_confidence,
)
from seqgcn.graph import Graph, LowRankAdjacency, graph_of, knn_edges, normalise_edges
from seqgcn.selectors.sequential_gcn import CoreGCN, GCNSelector, UncertainGCN
from seqgcn.utils.seeding import seeded

relaxed = settings(deadline=None)
N, D = 16, 5


def features() -> Tensor:
    return torch.rand(N, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def graphs() -> dict[str, tuple[Graph, Tensor]]:
    """Each kind of graph over `features()` with its matrix: entry (i, j) is what j adds to i."""
    x = features()
    draw = torch.Generator().manual_seed(1)
    own = normalise_edges(torch.randint(0, N, (2, 40), generator=draw).unique(dim=1), None, x)
    near = normalise_edges(knn_edges(x, 3), None, x)
    low_rank = LowRankAdjacency(x)
    matrices = {
        name: to_dense_adj(graph.edge_index, edge_attr=graph.edge_weight, max_num_nodes=N)[0].T
        for name, graph in (("edges", own), ("knn", near))
    }
    return {
        "similarity": (low_rank, low_rank.to_dense()),
        "edges": (own, matrices["edges"]),
        "knn": (near, matrices["knn"]),
    }


def network(hidden: int = 7, dropout: float = 0.0) -> ConfidenceGCN:
    with seeded(0):
        return ConfidenceGCN(D, hidden, dropout).double()


def fit(**options: Any) -> ConfidenceFit:
    x, labelled = features(), torch.arange(N) < 4
    options = {"hidden_channels": 6, "epochs": 5} | options
    return fit_confidence(x, options.pop("graph", LowRankAdjacency(x)), labelled, ~labelled, **options)


# layers


@pytest.mark.parametrize("kind", ["similarity", "edges", "knn"])
def test_the_network_is_its_formula_on_every_graph(kind: str) -> None:
    graph, matrix = graphs()[kind]
    x, model = features(), network()
    w1, b1, w2, b2 = model.conv1.lin.weight, model.conv1.bias, model.conv2.lin.weight, model.conv2.bias
    unit = x / x.norm(dim=1, keepdim=True)
    hidden = (matrix @ unit @ w1.T + b1).relu()
    logit = (matrix @ hidden @ w2.T + b2).squeeze(1)
    for mode in (True, False):
        model.train(mode)
        mine = model(x, graph)
        torch.testing.assert_close(mine, (logit, hidden), rtol=1e-12, atol=1e-12)
    theirs = model.conv2(model.conv1(unit, graph).relu(), graph).squeeze(1)
    torch.testing.assert_close(mine[0], theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["similarity", "edges", "knn"])
def test_gradients_are_those_of_the_formula(kind: str) -> None:
    graph, matrix = graphs()[kind]
    x, model = features(), network()
    parameters = list(model.parameters())
    mine = torch.autograd.grad(model(x, graph)[0].square().sum(), parameters)
    b1, w1, b2, w2 = parameters
    unit = x / x.norm(dim=1, keepdim=True)
    logit = matrix @ (matrix @ unit @ w1.T + b1).relu() @ w2.T + b2
    theirs = torch.autograd.grad(logit.square().sum(), parameters)
    torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)


def test_it_is_a_pyg_layer_with_the_released_initialisation() -> None:
    with seeded(0):
        conv = GraphConvolution(300, 64)
    assert isinstance(conv, GCNConv)
    for parameter in conv.parameters():
        assert parameter.abs().max() <= 1 / math.sqrt(64)
    spread = conv.lin.weight.detach()
    assert spread.abs().max() > 0.99 / math.sqrt(64)
    assert spread.std().item() == pytest.approx(1 / math.sqrt(64 * 3), rel=0.02)
    assert conv.bias.detach().abs().max() > 0


def test_parameters_can_be_drawn_anew() -> None:
    model = network()
    before = [parameter.clone() for parameter in model.parameters()]
    with seeded(1):
        model.reset_parameters()
    assert all(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize(
    "arguments", [(0,), (5, 0), (5, 4, 1.0), (5, 4, -0.1), (5, 4, math.nan), (5.0,), (5, 4, "much")]
)
def test_unusable_sizes_and_dropouts_are_refused(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ArgumentError, match="must be"):
        ConfidenceGCN(*arguments)


# relu and dropout in one


def dropped(x: Tensor, dropout: float, seed: int = 0) -> Tensor:
    with seeded(seed):
        result: Tensor = _DroppingReLU.apply(x.clone(), dropout)  # type: ignore[no-untyped-call]
    return result


@pytest.mark.parametrize("dropout", [0.1, 0.3, 0.5, 0.9])
def test_units_are_dropped_at_the_rate_asked_for(dropout: float) -> None:
    x = torch.ones(500, 401)  # no multiple of four
    out = dropped(x, dropout)
    assert out.unique().tolist() == pytest.approx([0, 1 / (1 - dropout)])
    gone = (out == 0).double().flatten()
    for part in [gone, *(gone[start::4] for start in range(4))]:
        assert part.mean().item() == pytest.approx(dropout, abs=5 * math.sqrt(dropout * (1 - dropout) / len(part)))
    assert out.mean().item() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("shape", [(1,), (3,), (4,), (2, 3, 5), (0, 4)])
def test_any_shape_can_be_dropped(shape: tuple[int, ...]) -> None:
    assert dropped(torch.ones(shape), 0.5).shape == shape


@pytest.mark.parametrize("dropout", [1 - 2**-16, 1 - 1e-9])
def test_nearly_everything_can_be_dropped(dropout: float) -> None:
    assert (dropped(torch.ones(1000, 1000), dropout) == 0).double().mean() > 0.9999


@relaxed
@given(st.sampled_from([0.0, 0.3, 0.75]), st.sampled_from([torch.float32, torch.float64]), st.integers(0, 5))
def test_gradients_are_those_of_relu_times_the_mask(dropout: float, dtype: torch.dtype, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(20, 9, dtype=dtype, generator=draw).requires_grad_()
    upstream = torch.randn(20, 9, dtype=dtype, generator=draw)
    mask = (dropped(torch.ones(20, 9), dropout, seed) > 0).to(dtype) / (1 - dropout)
    mine, theirs = dropped(x, dropout, seed), x.relu() * mask
    torch.testing.assert_close(mine, theirs)
    (mine_grad,) = torch.autograd.grad(mine, x, upstream)
    (their_grad,) = torch.autograd.grad(theirs, x, upstream)
    torch.testing.assert_close(mine_grad, their_grad)


def test_without_dropout_it_is_relu_and_draws_nothing() -> None:
    x = torch.linspace(-1, 1, 9)
    before = torch.random.get_rng_state()
    out = _DroppingReLU.apply(x.clone(), 0.0)  # type: ignore[no-untyped-call]
    assert torch.equal(out, x.relu())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_only_training_drops() -> None:
    graph, _ = graphs()["similarity"]
    model, x = network(hidden=200, dropout=0.5), features()
    with seeded(0):
        model.eval()
        whole = model(x, graph)[1]
        assert torch.equal(model(x, graph)[1], whole)
        model.train()
        part = model(x, graph)[1]
    kept = part != 0
    assert 0.4 < kept[whole > 0].double().mean() < 0.6
    torch.testing.assert_close(part[kept], whole[kept] * 2)


# loss


@given(st.integers(1, 15), st.floats(0, 3))
def test_the_loss_is_its_formula(labelled: int, weight: float) -> None:
    logit = features()[:, 0] * 8 - 4
    known = torch.arange(N) < labelled
    counted = torch.arange(N) >= 15  # the rest passes messages only
    f = logit.sigmoid()
    expected = -f[known].log().mean() - weight * (1 - f[counted]).log().mean()
    assert float(confidence_loss(logit, known, counted, weight)) == pytest.approx(float(expected), rel=1e-12)


def test_the_loss_of_extreme_logits_is_finite() -> None:
    logit = torch.tensor([-1e4, 1e4])
    loss = confidence_loss(logit, torch.tensor([True, False]), torch.tensor([False, True]), 1.2)
    assert loss.item() == pytest.approx(1e4 + 1.2e4)


def test_without_unlabelled_nodes_the_first_term_is_left() -> None:
    logit = torch.tensor([0.0, 0.0])
    loss = confidence_loss(logit, torch.ones(2, dtype=torch.bool), torch.zeros(2, dtype=torch.bool))
    assert loss.item() == pytest.approx(math.log(2))


# fit


def test_the_fit_says_what_its_network_says() -> None:
    result = fit(hidden_channels=6, epochs=5)
    x = features()
    with torch.no_grad():
        logit, hidden = result.model.eval()(x / x.norm(dim=1, keepdim=True), LowRankAdjacency(x))
    torch.testing.assert_close((result.logit, result.features), (logit, hidden), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(result.confidence, 1 / (1 + (-logit).exp()))
    assert result.features.shape == (N, 6)
    assert result.loss.shape == (5,)
    assert not result.features.requires_grad


def test_the_network_learns_who_is_labelled() -> None:
    # Labeled nodes of a kind of their own: the confidence must tell them from the others.
    labelled = torch.arange(40) < 8
    x = torch.where(labelled.unsqueeze(1), torch.tensor([1.0, 0.1, 0.0]), torch.tensor([0.0, 0.1, 1.0]))
    result = fit_confidence(x, LowRankAdjacency(x), labelled, ~labelled, hidden_channels=16, lr=0.01)
    assert result.loss[-1] < 0.5 * result.loss[0]
    assert result.confidence[labelled].min() > 0.8
    assert result.confidence[~labelled].max() < 0.2


def test_patience_stops_early_and_only_when_asked() -> None:
    # Steps this large raise the loss at once.
    options = {"lr": 5.0, "epochs": 60}
    default, stopped = fit(**options).loss, fit(**options, patience=2).loss
    assert len(default) == 60
    assert len(stopped) < 20
    assert torch.equal(default[: len(stopped)], stopped)
    assert stopped[-3] == stopped.min()


def test_progress_hears_of_every_epoch() -> None:
    calls = []
    with_progress = fit(epochs=3, progress=lambda *call: calls.append(call))
    assert calls == [("gcn", 1, 3), ("gcn", 2, 3), ("gcn", 3, 3)]
    assert torch.equal(with_progress.logit, fit(epochs=3).logit)


def test_a_loss_that_breaks_is_an_error_and_leaves_the_random_state() -> None:
    before = torch.random.get_rng_state()
    with pytest.raises(TrainingError, match=r"gcn: the loss became (nan|inf) in epoch \d of 9; lower the learning"):
        fit(lr=1e200, epochs=9)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("kind", ["similarity", "edges", "knn"])
def test_the_same_seed_gives_the_same_bits(kind: str) -> None:
    graph, _ = graphs()[kind]
    before = torch.random.get_rng_state()
    first, again, other = (fit(graph=graph, dropout=0.5, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first.logit, again.logit)
    assert torch.equal(first.loss, again.loss)
    assert not torch.equal(first.logit, other.logit)


def test_a_network_can_be_trained_on() -> None:
    model = network(hidden=6)
    start = [parameter.detach().clone() for parameter in model.parameters()]
    result = fit(model=model)
    assert result.model is model
    assert any(not torch.equal(old, new) for old, new in zip(start, model.parameters(), strict=True))
    assert fit(model=model).loss[0] < result.loss[0]


def test_initial_weights_are_those_drawn_under_the_seed() -> None:
    with seeded(3):
        model = ConfidenceGCN(D, 6, 0.0).double()
    by_hand, by_seed = fit(model=model, dropout=0.0, seed=3), fit(dropout=0.0, seed=3)
    assert torch.equal(by_hand.logit, by_seed.logit)


def test_the_network_takes_plain_edges() -> None:
    x, model = features(), network()
    edge_index = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
    torch.testing.assert_close(model(x, edge_index), model(x, normalise_edges(edge_index, None, x)))


@pytest.mark.parametrize("graph", [None, "knn", Data(edge_index=torch.tensor([[0], [1]]))])
def test_what_is_no_graph_is_refused(graph: Any) -> None:
    with pytest.raises(ArgumentError, match=f"graph must be .*got {type(graph).__name__}; .*data.edge_index"):
        ConfidenceGCN(3)(torch.ones(4, 3), graph)


def test_the_fitted_network_gives_the_fit() -> None:
    x, (graph, _) = features(), graphs()["similarity"]
    labelled = torch.arange(len(x)) < 3
    fit = fit_confidence(x, graph, labelled, ~labelled, epochs=3)
    with torch.no_grad():
        torch.testing.assert_close(fit.model(x, graph), (fit.logit, fit.features))


def test_a_last_step_that_diverges_is_an_error() -> None:
    x, (graph, _) = features(), graphs()["similarity"]
    labelled = torch.arange(len(x)) < 3
    with pytest.raises(TrainingError, match="lower the learning rate"):
        fit_confidence(x, graph, labelled, ~labelled, epochs=1, lr=1e300)
    with pytest.raises(ArgumentError, match="at least one labeled node"):
        fit_confidence(x, graph, labelled & False, ~labelled)


# columns that are zero in every row


def with_dead_columns(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Features of which a third of the columns is zero, and which columns are not."""
    used = torch.arange(24) % 3 != 1
    draw = torch.Generator().manual_seed(2)
    return torch.rand(60, 24, dtype=torch.float64, generator=draw).to(dtype) * used, used


@pytest.fixture
def keep_all(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it to have nothing left out from there on."""

    def nothing_dead(x: Tensor) -> tuple[Tensor, None]:
        return x, None

    def keep() -> None:
        monkeypatch.setattr("seqgcn.gcn.live_columns", nothing_dead)
        monkeypatch.setattr("seqgcn.graph.live_columns", nothing_dead)

    return keep


DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["cosine", "shifted", "row", "knn"])
def test_leaving_out_dead_columns_changes_only_rounding(kind: str, device: str, keep_all: Callable[[], None]) -> None:
    x, used = (values.to(device) for values in with_dead_columns())
    labelled = torch.arange(len(x), device=device) < 9

    def fitted() -> ConfidenceFit:
        graph: Graph
        if kind == "knn":
            graph = normalise_edges(knn_edges(x, 4), None, x)
        elif kind == "row":
            graph = LowRankAdjacency(x, normalize="row")
        else:
            graph = LowRankAdjacency(x, similarity="shifted" if kind == "shifted" else "cosine")
        return fit_confidence(x, graph, labelled, ~labelled, hidden_channels=32, weight_decay=0.01, seed=4)

    narrow = fitted()
    keep_all()
    whole = fitted()
    assert narrow.model.conv1.lin.weight.shape == (32, 24)
    for name in ("confidence", "logit", "features", "loss"):
        torch.testing.assert_close(getattr(narrow, name), getattr(whole, name), rtol=1e-10, atol=1e-10)
    for mine, theirs in zip(narrow.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)
    # The unused weights still decay.
    with seeded(4, x.device):
        start = ConfidenceGCN(24, 32, 0.3).to(x).conv1.lin.weight
    assert (narrow.model.conv1.lin.weight[:, ~used].abs() < start[:, ~used].abs()).double().mean() > 0.9


@pytest.mark.parametrize("selector", [CoreGCN(), UncertainGCN(), CoreGCN(graph="knn")])
def test_the_picks_are_those_of_all_columns(selector: GCNSelector, keep_all: Callable[[], None]) -> None:
    x, _ = with_dead_columns()
    data = Data(x=x, train_mask=torch.arange(len(x)) < 9)
    narrow = selector.select(data, 20).index
    keep_all()
    assert torch.equal(narrow, selector.select(data, 20).index)


def test_features_without_any_value_are_still_answered() -> None:
    x, labelled = torch.zeros(8, 6), torch.arange(8) < 2
    with pytest.warns(SeqGCNWarning, match="all-zero rows"):
        graph = LowRankAdjacency(x)
    assert graph.factor.shape == x.shape
    result = fit_confidence(x, graph, labelled, ~labelled, epochs=2)
    assert result.logit.unique().shape == (1,)


def test_an_attached_graph_of_narrowed_features_is_used() -> None:
    x, _ = with_dead_columns(torch.float32)
    graph = LowRankAdjacency(x)
    assert graph.factor.shape == (60, 16)
    assert graph.describes(x)
    assert not graph.describes(x + 1)
    assert not graph.describes(x[:, :23])
    used = graph_of(Data(x=x, adjacency=graph), x, method="auto")
    assert isinstance(used, LowRankAdjacency)
    assert used.factor is graph.factor


# the backward pass without shut units


@pytest.mark.parametrize("shut", [0, 1, 5, 8])
def test_gradients_do_not_depend_on_units_being_left_out(shut: int) -> None:
    draw = torch.Generator().manual_seed(3)
    x, weight, bias, grad = (
        torch.randn(shape, dtype=torch.float64, generator=draw) for shape in ((30, 6), (8, 6), (8,), (30, 8))
    )
    grad[:, torch.randperm(8, generator=draw)[:shut]] = 0
    inputs = [each.requires_grad_() for each in (x, weight, bias)]
    mine, theirs = _SparingLinear.apply(*inputs), F.linear(*inputs)  # type: ignore[no-untyped-call]
    assert torch.equal(mine, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(mine, inputs, grad), torch.autograd.grad(theirs, inputs, grad), rtol=1e-14, atol=1e-14
    )


def test_a_gradient_that_cancels_out_is_not_left_out() -> None:
    x, weight, bias = torch.eye(2), torch.zeros(16, 2, requires_grad=True), torch.zeros(16)
    grad = torch.zeros(2, 16)
    grad[:, 3] = torch.tensor([1.0, -1.0])
    grad[0, 5] = math.nan
    (found,) = torch.autograd.grad(_SparingLinear.apply(x, weight, bias), weight, grad)  # type: ignore[no-untyped-call]
    assert found[3].tolist() == [1, -1]
    assert found[5].isnan().all()
    assert found.count_nonzero() == 4


def test_the_network_trains_in_mixed_precision() -> None:
    x, model = features().float(), network().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logit = model(x, LowRankAdjacency(x))[0]
    logit.float().square().sum().backward()
    assert model.conv1.lin.weight.grad is not None
    assert model.conv1.lin.weight.grad.dtype == torch.float32
