import itertools
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call, jvp
from torch.utils._python_dispatch import TorchDispatchMode
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors import gradients
from seqgcn.selectors.gradients import BADGE, EMOC
from seqgcn.selectors.selector import Selection, Selector
from seqgcn.utils.seeding import generator

relaxed = settings(deadline=None, max_examples=50)
N, DIM, CLASSES = 40, 6, 4


def items(n: int = N, dim: int = DIM, classes: int = CLASSES, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    prob = torch.randn(n, classes, dtype=torch.float64, generator=draw).mul(2).softmax(dim=1)
    return torch.randn(n, dim, dtype=torch.float64, generator=draw), prob


def unlabelled(**attributes: Tensor) -> Data:
    return Data(train_mask=torch.zeros(len(attributes["x"]), dtype=torch.bool), **attributes)


def written_out(x: Tensor, prob: Tensor) -> Tensor:
    """BADGE's gradients `[n, c d]`, by autograd of the cross-entropy of each item's likeliest class."""
    rows = []
    for features, p in zip(x, prob, strict=True):
        weight = torch.zeros(prob.shape[1], x.shape[1], dtype=x.dtype, requires_grad=True)
        logits = p.log() + weight @ features  # any layer with these probabilities has this gradient
        loss = torch.nn.functional.cross_entropy(logits, p.argmax())
        rows.append(torch.autograd.grad(loss, weight)[0].flatten())
    return torch.stack(rows)


def potentials(gradient: Tensor, picks: list[int]) -> Tensor:
    """Squared distance of every gradient to the nearest pick's, to the origin before the first."""
    centres = gradient[picks] if picks else torch.zeros_like(gradient[:1])
    return (gradient.unsqueeze(1) - centres).square().sum(dim=2).amin(dim=1)


def slow_badge(gradient: Tensor, budget: int, seed: int) -> tuple[list[int], list[float]]:
    """k-means++ seeding by its definition, with the same draws."""
    draw = generator(seed, "badge")
    picks: list[int] = []
    scores = []
    for _ in range(budget):
        weight = potentials(gradient, picks).tolist()
        if picks:
            point = sum(weight) * float(torch.rand((), generator=draw, dtype=torch.float64))
            pick = next(i for i, upto in enumerate(itertools.accumulate(weight)) if upto > point)
        else:
            pick = weight.index(max(weight))
        scores.append(weight[pick] ** 0.5)
        picks.append(pick)
    return picks, scores


class LargestTensor(TorchDispatchMode):
    """Watches how many numbers the largest tensor made has."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.numbers = max(self.numbers, result.numel())
        return result


# BADGE


@pytest.mark.parametrize("seed", range(8))
def test_badge_picks_as_with_the_gradients_written_out(seed: int) -> None:
    x, prob = items(seed=seed)
    selection = BADGE(seed=seed).select(unlabelled(x=x, prob=prob), N - 5)
    picks, scores = slow_badge(written_out(x, prob), N - 5, seed)
    assert selection.index.tolist() == picks
    assert selection.score.tolist() == pytest.approx(scores, rel=1e-9)


def test_scikit_activeml_agrees_on_the_gradients_but_takes_the_origin_for_a_centre() -> None:
    pool = pytest.importorskip("skactiveml.pool")
    base = pytest.importorskip("skactiveml.base")
    x, prob = items()

    class Fixed(base.SkactivemlClassifier):  # type: ignore[misc, name-defined]
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Fixed":  # noqa: N803
            return self

        def predict_proba(self, X: Any) -> Any:  # noqa: N803
            return prob.numpy()

    labels = torch.full((N,), torch.nan).numpy()
    picks, utilities = pool.Badge(random_state=0).query(
        x.numpy(), labels, Fixed(classes=range(CLASSES)), fit_clf=False, batch_size=10, return_utilities=True
    )
    gradient = written_out(x, prob)
    for earlier in range(10):
        weight = torch.minimum(potentials(gradient, picks[:earlier]), potentials(gradient, []))
        theirs = torch.from_numpy(utilities[earlier]).nan_to_num()
        torch.testing.assert_close(theirs, weight / weight.sum(), rtol=1e-6, atol=1e-9)
    assert BADGE().select(unlabelled(x=x, prob=prob), 1).index.tolist() == picks[:1]


def test_badge_draws_in_proportion_to_squared_distances() -> None:
    # One certain class less than sure: the gradients are 0.5 (-1, 1) times 6, 0, 1, 2, 4, of which 6 is longest.
    data = unlabelled(x=torch.tensor([[6.0], [0.0], [1.0], [2.0], [4.0]]), prob=torch.full((5, 2), 0.5))
    draws = 1_500
    second = Counter(int(BADGE(seed=seed).select(data, 2).index[1]) for seed in range(draws))
    expected = {item: draws * weight / 81 for item, weight in {1: 36, 2: 25, 3: 16, 4: 4}.items()}
    assert second.keys() == expected.keys()
    chi_squared = sum((second[item] - expected[item]) ** 2 / expected[item] for item in expected)
    assert chi_squared < 16.3  # exceeded by chance once in a thousand


@pytest.mark.parametrize("offset", [0.0, 1_000.0])
@pytest.mark.parametrize("dim", [3, 700])
def test_badge_draws_duplicates_last_and_by_their_index(dim: int, offset: float) -> None:
    distinct, copies = 9, 23
    x, prob = (part.float() for part in items(distinct, dim))
    order = torch.randperm(distinct * copies, generator=torch.Generator().manual_seed(1))
    which = torch.arange(distinct).repeat(copies)[order]
    data = unlabelled(x=(x + offset)[which], prob=prob[which])
    for seed in range(3):
        selection = BADGE(seed=seed).select(data, len(which))
        assert sorted(which[selection.index[:distinct]].tolist()) == list(range(distinct))
        assert (selection.score[:distinct] > 0).all()
        assert selection.score[distinct:].tolist() == [0.0] * (len(which) - distinct)
        rest = selection.index[distinct:].tolist()
        assert rest == sorted(rest)


@relaxed
@given(st.integers(0, 1_000), st.sampled_from([0.0, 1e-6, 1e-4, 1e-2, 1.0]), st.sampled_from([0.0, 1e-5, 1e-2, 1.0]))
def test_badge_measures_small_distances_also_in_single_precision(seed: int, in_x: float, in_prob: float) -> None:
    x, prob = items(2, 50, seed=seed)
    x[1] = x[0] + in_x * x[1]
    prob[1] = (prob[0].log() + in_prob * prob[1]).softmax(dim=0)
    x, prob = x.float(), prob.float()
    selection = BADGE().select(unlabelled(x=x, prob=prob), 2)
    first, second = written_out(x.double(), prob.double())
    # The estimate is least precise just before differences take over.
    assert float(selection.score[1]) == pytest.approx(float((first - second).norm()), rel=0.02, abs=1e-6)


@pytest.mark.parametrize("size", [2.0**80, 2.0**-80])
def test_badge_takes_features_whose_squares_over_or_underflow(size: float) -> None:
    x, prob = (part.float() for part in items())
    plain = BADGE().select(unlabelled(x=x, prob=prob), 20)
    sized = BADGE().select(unlabelled(x=x * size, prob=prob), 20)
    assert torch.equal(sized.index, plain.index)
    torch.testing.assert_close(sized.score, plain.score * size)


def test_badge_goes_by_index_where_no_gradient_is_left() -> None:
    x, prob = items()
    for without in (
        unlabelled(x=x, prob=torch.eye(CLASSES, dtype=torch.float64)[prob.argmax(dim=1)]),
        unlabelled(x=x, prob=torch.ones(N, 1, dtype=torch.float64)),
        unlabelled(x=torch.zeros_like(x), prob=prob),
    ):
        selection = BADGE().select(without, 6)
        assert selection.index.tolist() == list(range(6))
        assert selection.score.tolist() == [0] * 6


def test_badge_takes_labelled_nodes_for_no_centres() -> None:
    x, prob = items()
    longest = int(BADGE().select(unlabelled(x=x, prob=prob), 1).index)
    data = unlabelled(x=torch.cat([x, x[[longest]]]), prob=torch.cat([prob, prob[[longest]]]))
    data.train_mask[N] = True
    assert int(BADGE().select(data, 1).index) == longest


def test_badge_tells_of_every_pick_also_of_duplicates() -> None:
    x, prob = items(3)
    data = unlabelled(x=x.repeat(4, 1), prob=prob.repeat(4, 1))
    heard: list[tuple[str, int, int]] = []
    BADGE().select(data, 12, progress=lambda stage, done, of: heard.append((stage, done, of)))
    assert heard == [("badge", done, 12) for done in range(1, 13)]


def test_badge_keeps_the_precision_of_the_features() -> None:
    x, prob = items()
    assert BADGE().select(unlabelled(x=x.float(), prob=prob), 3).score.dtype == torch.float32
    assert BADGE().select(unlabelled(x=x, prob=prob.float()), 3).score.dtype == torch.float64


# EMOC


def network(outputs: int, seed: int = 0) -> tuple[Tensor, torch.nn.Linear]:
    """Features of a small network's items, and its last layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body = torch.nn.Sequential(torch.nn.Linear(3, 7), torch.nn.Tanh()).double()
        head = torch.nn.Linear(7, outputs).double()
        x = body(torch.randn(12, 3, dtype=torch.float64)).detach()
    return x, head


def loss(output: Tensor, label: Tensor) -> Tensor:
    if label.is_floating_point():
        return (output - label).square().sum() / 2
    return torch.nn.functional.cross_entropy(output, label)


def change_by_gradients(head: torch.nn.Linear, x: Tensor, item: Tensor, label: Tensor) -> float:
    """Mean L1 change of the outputs to first order, by the gradients' inner products."""
    weights = {name: value.detach() for name, value in head.named_parameters()}
    step = torch.func.grad(lambda w: loss(functional_call(head, w, item), label))(weights)
    outputs: tuple[Tensor, Tensor] = jvp(lambda w: functional_call(head, w, x), (weights,), (step,))  # type: ignore[assignment]
    return float(outputs[1].abs().sum(dim=1).mean())


def change_by_a_step(head: torch.nn.Linear, x: Tensor, item: Tensor, label: Tensor, size: float = 1e-3) -> float:
    """Mean L1 change of the outputs a unit of step size, by a step of a copy of the layer."""
    copy = torch.nn.Linear(head.in_features, head.out_features).double()
    copy.load_state_dict(head.state_dict())
    optimiser = torch.optim.SGD(copy.parameters(), lr=size)
    loss(copy(item), label).backward()
    optimiser.step()
    return float((copy(x) - head(x)).detach().abs().sum(dim=1).mean()) / size


def scores(selector: Selector, data: Data) -> list[float]:
    """Score of every node of a pool with nothing labeled."""
    selection = selector.select(data, len(data.train_mask))
    return [float(value) for _, value in sorted(zip(selection.index.tolist(), selection.score, strict=True))]


@pytest.mark.parametrize("change", [change_by_gradients, change_by_a_step])
@pytest.mark.parametrize("top", [1, 3, 5])
def test_emoc_is_the_change_after_a_step_on_a_class(change: Any, top: int) -> None:
    x, head = network(5)
    prob = (3 * head(x)).softmax(dim=1).detach()
    head.load_state_dict({name: 3 * value for name, value in head.state_dict().items()})
    expected = []
    for item, p in zip(x, prob, strict=True):
        likely = p.argsort(descending=True)[:top]
        weighted = [float(p[label]) * change(head, x, item, label) for label in likely]
        expected.append(sum(weighted) / float(p[likely].sum()))
    assert scores(EMOC(top_classes=top), unlabelled(x=x, prob=prob)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("change", [change_by_gradients, change_by_a_step])
def test_emoc_is_the_change_after_a_step_on_a_target(change: Any) -> None:
    x, head = network(4)
    noise = torch.randn(len(x), 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    output = head(x).detach()
    expected = [
        sum(change(head, x, item, now + deviation) for deviation in passes - passes.mean(dim=0)) / 3
        for item, now, passes in zip(x, output, noise, strict=True)
    ]
    data = unlabelled(x=x, target_samples=output.unsqueeze(1) + noise)
    assert scores(EMOC(), data) == pytest.approx(expected, rel=1e-9)


def test_emoc_measures_on_some_candidates_only() -> None:
    x, prob = items()
    data = unlabelled(x=x, prob=prob)
    data.train_mask = torch.arange(N) < 10

    def ask(**parameters: Any) -> Selection:
        return EMOC(**parameters).select(data, N - 10)

    few = [ask(reference=6, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(few[0].score, few[1].score)
    assert not torch.equal(few[0].score, few[2].score)
    # Any of the subsets is one of candidates: each gives the mean over six of these kernels.
    kernel = (x[10:] @ x[10:].T + 1).abs()
    chosen = torch.randperm(30, generator=generator(1, "emoc", "reference"))[:6]
    error = 2 * (1 - prob.square().sum(dim=1))[10:]
    torch.testing.assert_close(few[2].score, (kernel[:, chosen].mean(dim=1) * error)[few[2].index - 10])
    everyone = ask(reference=30)
    torch.testing.assert_close(everyone.score, ask(reference=1_000, seed=4).score)
    data.x = torch.where(data.train_mask.unsqueeze(1), 1e6, x)
    assert torch.equal(ask(reference=30).score, everyone.score)


def test_emoc_is_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x, prob = items()
    whole = EMOC().select(unlabelled(x=x, prob=prob), N)
    monkeypatch.setattr(gradients, "_BLOCK_ELEMENTS", 100)
    assert torch.equal(EMOC().select(unlabelled(x=x, prob=prob), N).index, whole.index)


def test_emoc_reads_probabilities_before_targets() -> None:
    x, prob = items()
    samples = torch.zeros(N, 2, 3, dtype=torch.float64)
    both = unlabelled(x=x, prob=prob, target_samples=samples)
    assert scores(EMOC(), both) == scores(EMOC(), unlabelled(x=x, prob=prob))
    assert scores(EMOC(), unlabelled(x=x, target_samples=samples)) == [0] * N


def test_emoc_expects_no_change_from_what_is_certain() -> None:
    x, prob = items()
    for certain in (torch.eye(CLASSES, dtype=torch.float64)[prob.argmax(dim=1)], torch.ones(N, 1).double()):
        selection = EMOC().select(unlabelled(x=x, prob=certain), 5)
        assert selection.index.tolist() == list(range(5))
        assert selection.score.tolist() == [0] * 5


def test_unusable_parameters_are_named() -> None:
    for family, name, least in (
        (EMOC, "top_classes", 1),
        (EMOC, "reference", 1),
        (EMOC, "seed", 0),
        (BADGE, "seed", 0),
    ):
        message = f"{name} must be a whole number of at least {least}, got {least - 1}"
        with pytest.raises(ArgumentError, match=message):
            family(**{name: least - 1})


@pytest.mark.parametrize("selector", [BADGE(), EMOC()])
def test_nothing_larger_than_the_features_is_made(selector: Selector) -> None:
    x, prob = items(4_000, 300, 10)
    data = unlabelled(x=x, prob=prob)
    watch = LargestTensor()
    with watch:
        selector.select(data, 3)
    assert watch.numbers <= x.numel()
