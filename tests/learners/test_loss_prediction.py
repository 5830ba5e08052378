import copy
import pickle
from collections.abc import Callable
from math import isnan, nan
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from seqgcn.exceptions import ArgumentError
from seqgcn.learners.loss_prediction import (
    LossPredictor,
    attach,
    detached,
    prediction_loss,
    rank_correlation,
    ranking_loss,
)
from seqgcn.learners.nets import AWR, ResNet18, SmallCNN, deep_prior, deep_prior_no_pca, deep_prior_plus
from seqgcn.selectors.extensions import LossPrediction
from seqgcn.utils.seeding import seeded

NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "small-cnn": (lambda: SmallCNN(1, 3, width=4, embedding=8), 8),
    "resnet-18": (lambda: ResNet18(1, 3, widths=(4, 4, 8, 8)), 8),
    "deep-prior": (lambda: deep_prior(48, 3, 4), 48),
    "deep-prior-no-pca": (lambda: deep_prior_no_pca(60, 3, dropout=0.3), 60),
    "deep-prior-plus": (lambda: deep_prior_plus(32, 3, 4, widths=(8, 8, 8, 8), blocks=1), 32),
    "awr": (lambda: AWR(32, 3, widths=(4, 4, 8, 8), deconvolution=4), 32),
}


class Net(nn.Module):
    """A module of every kind that may or may not be named."""

    loss_modules = ("map", "hidden")

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Conv2d(1, 2, 3)
        self.after = nn.Sequential(nn.ReLU(inplace=True), nn.BatchNorm2d(2), nn.Dropout(0.5))
        self.hidden, self.rectify = nn.Linear(2, 3), nn.ReLU(inplace=True)
        self.sequence = nn.Linear(2, 2)
        self.head = nn.Linear(3, 1)
        self.unused = nn.ModuleList([nn.Linear(1, 1)])

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        y = self.after(self.map(images))
        self.sequence(y.flatten(2).transpose(1, 2))
        hidden = self.rectify(self.hidden(y.mean(dim=(2, 3))))
        return hidden, self.rectify(self.head(hidden))


@pytest.fixture
def net() -> Net:
    with seeded(0):
        return Net()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(4, 1, 5, 5, generator=torch.Generator().manual_seed(0))


def wired(network: nn.Module, images: Tensor, **options: Any) -> LossPredictor:
    with seeded(1):
        return LossPredictor(network, LossPrediction(**options), images)


def gradients(network: nn.Module) -> float:
    return sum(float(p.grad.abs().sum()) for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_each_network_until_they_are_detached(name: str) -> None:
    build, size = NETWORKS[name]
    with seeded(0):
        network, images = build(), torch.rand(4, 1, size, size)
    predictor = wired(network, images, hidden_channels=8)
    assert len(predictor.paths) > 2
    for detach in (False, True):
        with seeded(2):
            network(images)
        predicted = predictor.predict(detach=detach)
        assert predicted.shape == (4,)
        assert predicted.dtype == torch.float32
        # Not a plain sum, whose gradient with respect to a batch-normalised map is zero.
        predicted.square().sum().backward()
        assert (gradients(network) == 0) == detach
        assert gradients(predictor) > 0
        network.zero_grad()
        predictor.zero_grad()


def test_is_the_formula(net: Net, images: Tensor) -> None:
    predictor = wired(net.eval(), images, hidden_channels=5)
    net(images)
    predicted = predictor.predict()
    maps = net.map(images)
    # A copy, as the rectifier would change the maps.
    hidden = net.hidden(net.after(maps.clone()).mean(dim=(2, 3)))
    first, second = predictor.features
    features = torch.cat((first(maps.mean(dim=(2, 3))).relu(), second(hidden).relu()), dim=1)
    assert features.shape == (4, 10)
    torch.testing.assert_close(predicted, (features @ predictor.head.weight.T + predictor.head.bias).squeeze(1))


def test_modules_that_work_in_place_behind_the_named_ones(net: Net, images: Tensor) -> None:
    predictor = wired(net, images)
    predicted = predictor.predict() if net(images) else None
    assert predicted is not None
    predicted.square().sum().backward()
    assert net.map.weight.grad is not None
    assert net.hidden.weight.grad is not None


def test_the_network_stays_what_it_was(net: Net, images: Tensor) -> None:
    net.after[2].eval()
    before, modes = copy.deepcopy(net.state_dict()), [module.training for module in net.modules()]
    random = torch.get_rng_state()
    predictor = wired(net, images)
    assert [module.training for module in net.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    after = net.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert list(net.children()) == [net.map, net.after, net.hidden, net.rectify, net.sequence, net.head, net.unused]
    assert {name.split(".")[0] for name in predictor.state_dict()} == {"features", "head"}
    assert not {*predictor.modules()} & {*net.modules()}


def test_a_failing_example_leaves_no_trace(net: Net, images: Tensor) -> None:
    with pytest.raises(RuntimeError, match="channels"):
        wired(net, images.repeat(1, 2, 1, 1))
    assert net.training
    assert not any(module._forward_hooks for module in net.modules())


def test_remove(net: Net, images: Tensor) -> None:
    predictor, other = wired(net, images), wired(net, images)
    predictor.remove()
    net(images)
    with pytest.raises(ArgumentError, match="nothing has gone through map, hidden"):
        predictor.predict()
    assert other.predict().shape == (4,)
    other.remove()
    assert not any(module._forward_hooks for module in net.modules())


def test_each_pass_predicts_once(net: Net, images: Tensor) -> None:
    predictor = wired(net.eval(), images)
    with pytest.raises(ArgumentError, match="call the network on a batch, then predict"):
        predictor.predict()
    net(images)
    net(images[:3])
    last = predictor.predict()
    assert last.shape == (3,)
    with pytest.raises(ArgumentError, match="nothing has gone through"):
        predictor.predict()
    net(images)
    torch.testing.assert_close(predictor.predict()[:3], last)
    net.map(images)
    with pytest.raises(ArgumentError, match="nothing has gone through hidden of the network"):
        predictor.predict()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
@pytest.mark.parametrize("order", [1, -1])
def test_copies_are_wired_to_themselves(
    net: Net, images: Tensor, duplicate: Callable[[list[Any]], list[Any]], order: int
) -> None:
    predictor = wired(net.eval(), images)
    net(images)  # what this leaves in the predictor is part of a graph
    network, twin = duplicate([net, predictor][::order])[::order]
    with pytest.raises(ArgumentError, match="nothing has gone"):
        twin.predict()
    expected = predictor.predict()
    network(images)
    assert torch.equal(twin.predict(), expected)
    with pytest.raises(ArgumentError, match="nothing has gone"):
        predictor.predict()
    twin.remove()
    assert not network.map._forward_hooks
    net(images)
    assert torch.equal(predictor.predict(), expected)


def test_weights_by_name(net: Net, images: Tensor) -> None:
    predictor = wired(net.eval(), images)
    again = LossPredictor(net, LossPrediction(), images)
    net(images)
    assert not torch.equal(again.predict(), predictor.predict())
    again.load_state_dict(predictor.state_dict())
    net(images)
    assert torch.equal(again.predict(), predictor.predict())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_predictions_are_float32_whatever_the_network_is(net: Net, images: Tensor, dtype: torch.dtype) -> None:
    predictor = wired(net.to(dtype), images.to(dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        net(images.to(dtype))
        assert predictor.predict().dtype == torch.float32


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (("nowhere", "map"), "no module 'nowhere'; Net has map, after, hidden, .*head, unused, after.0, after.1"),
        (("",), "no module ''"),
        (("sequence",), r"'sequence' must put out \[b, c, h, w\] or \[b, c\], got \[4, 9, 2\] for b = 4"),
        (("rectify",), "'rectify' is run 2 times"),
        (("unused.0",), "'unused.0' is run 0 times in a pass"),
    ],
)
def test_paths_that_cannot_be_used(net: Net, images: Tensor, modules: tuple[str, ...], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        wired(net, images, modules=modules)
    assert not any(module._forward_hooks for module in net.modules())


def test_outputs_that_cannot_be_used(net: Net, images: Tensor) -> None:
    wrapped = nn.Sequential(net, nn.Identity())
    with pytest.raises(ArgumentError, match=r"'0' must put out .* got a tuple for b = 4"):
        wired(wrapped, images, modules=("0",))
    with pytest.raises(ArgumentError, match=r"Sequential does not say which modules .* LossPrediction\(modules="):
        wired(wrapped, images)


def test_many_paths_are_not_all_listed() -> None:
    with pytest.raises(ArgumentError, match=r"ResNet18 has .*stages, .*stages\.3, .* and \d+ more") as caught:
        wired(ResNet18(1, 3, widths=(4, 4, 4, 4)), torch.zeros(1, 1, 8, 8), modules=("layer1",))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("actual", "predicted", "expected"),
    [((0.7, 0.5), (0.5, 0.4), 0.9), ((0.7, 0.5), (0.6, 0.3), 0.7), ((0.7, 0.5), (0.4, 0.5), 1.1)],
)
def test_the_worked_values(actual: tuple[float, float], predicted: tuple[float, float], expected: float) -> None:
    loss = ranking_loss(torch.tensor(predicted), torch.tensor(actual), 1.0)
    assert float(loss) == pytest.approx(expected)
    # Turned round, the pair is the same one.
    assert float(ranking_loss(torch.tensor(predicted[::-1]), torch.tensor(actual[::-1]), 1.0)) == pytest.approx(
        expected
    )


losses = st.lists(st.tuples(st.integers(-8, 8), st.integers(0, 8)), max_size=9)


@settings(deadline=None)
@given(losses, st.sampled_from([0.0, 0.5, 1.0]))
def test_is_the_mean_over_pairs(values: list[tuple[int, int]], margin: float) -> None:
    predicted = torch.tensor([p for p, _ in values], dtype=torch.float64, requires_grad=True)
    actual = torch.tensor([a for _, a in values], dtype=torch.float64, requires_grad=True)
    loss = ranking_loss(predicted, actual, margin)
    pairs = [(values[i], values[-1 - i]) for i in range(len(values) // 2)]
    terms = [max(0.0, -(1 if a > other_a else -1) * (p - other_p) + margin) for (p, a), (other_p, other_a) in pairs]
    assert loss.item() == pytest.approx(sum(terms) / max(len(pairs), 1))
    loss.backward()
    assert actual.grad is None
    assert predicted.grad is not None
    assert float(predicted.grad.sum()) == pytest.approx(0, abs=1e-12)
    if len(values) % 2:
        assert predicted.grad[len(values) // 2] == 0


def test_the_loss_of_the_options() -> None:
    predicted = torch.tensor([0.5, 0.4, 1.0], requires_grad=True)
    actual = torch.tensor([0.7, 0.5, 0.2], requires_grad=True)
    ranking = prediction_loss(LossPrediction(weight=2.0, margin=0.25), predicted, actual)
    assert ranking.item() == pytest.approx(2 * (0.25 + 0.5))
    mse = prediction_loss(LossPrediction(weight=3.0, loss="mse"), predicted, actual)
    assert mse.item() == pytest.approx(0.04 + 0.01 + 0.64)
    (ranking + mse).backward()
    assert predicted.grad is not None
    assert actual.grad is None


@pytest.mark.parametrize("loss", ["ranking", "mse"])
def test_losses_of_other_shapes(loss: Any) -> None:
    for predicted, actual in ((torch.zeros(4), torch.zeros(4, 1)), (torch.zeros(4, 1), torch.zeros(4, 1))):
        with pytest.raises(ArgumentError, match=r"must be one number an item, both \[b\], got \[4"):
            prediction_loss(LossPrediction(loss=loss), predicted, actual)


def test_stops_training_the_network_after_the_share_of_epochs(net: Net, images: Tensor) -> None:
    predictor = wired(net, images, detach_after=0.5, margin=3.0, weight=2.0)
    actual = torch.arange(4.0)
    for epoch, trained in ((0, True), (1, True), (2, False), (3, False), (0, True)):
        predictor.begin(epoch, 4)
        with seeded(epoch):
            net(images)
        predictor.loss(actual).backward()
        assert (gradients(net) > 0) == trained
        assert gradients(predictor) > 0
        net.zero_grad()
        predictor.zero_grad()
    net.eval()(images)
    predicted = predictor.predict()
    net(images)
    assert predictor.loss(actual).item() == pytest.approx(2 * ranking_loss(predicted, actual, 3.0).item())


def test_a_learner_keeps_its_predictor_while_the_options_stay(net: Net, images: Tensor) -> None:
    assert attach(None, net, images) is None
    first = attach(LossPrediction(), net, images)
    assert first is not None
    assert attach(LossPrediction(), net, images, first) is first
    second = attach(LossPrediction(margin=0.5), net, images, first)
    assert second is not None
    assert second.options.margin == 0.5
    assert len(net.map._forward_hooks) == 1
    assert attach(None, net, images, second) is None
    assert not net.map._forward_hooks


def test_the_share_of_epochs() -> None:
    for share, epochs, attached in ((0.6, 200, 120), (0.6, 3, 2), (0.0, 5, 0), (1.0, 5, 5), (0.07, 100, 7)):
        assert sum(not detached(epoch, epochs, share) for epoch in range(epochs)) == attached


def test_rank_correlation() -> None:
    actual = torch.tensor([0.1, 0.2, 0.4, 3.0])
    assert rank_correlation(actual.exp(), actual) == pytest.approx(1)
    assert rank_correlation(-actual, actual) == pytest.approx(-1)
    # 1 - 6 (1 + 1) / (4 * 15)
    assert rank_correlation(torch.tensor([2.0, 1.0, 3.0, 4.0], requires_grad=True), actual) == pytest.approx(0.8)
    assert rank_correlation(actual[:2], actual[2:]) == pytest.approx(1)
    for constant in (torch.ones(4), torch.full((4,), nan)):
        assert isnan(rank_correlation(constant, actual))
        assert isnan(rank_correlation(actual, constant))
    assert isnan(rank_correlation(actual[:1], actual[:1]))
    assert isnan(rank_correlation(actual[:0], actual[:0]))
    with pytest.raises(ArgumentError, match="one number an item"):
        rank_correlation(actual, actual[:2])


def test_learns_to_rank(net: Net) -> None:
    """Losses that can be read off the images are ranked right by a predictor trained on another batch."""
    draw = torch.Generator().manual_seed(3)
    images = torch.rand(96, 1, 1, 1, generator=draw) * torch.ones(5, 5)
    actual = images.flatten(1).mean(dim=1)
    predictor = wired(net.eval(), images)
    optimizer = torch.optim.Adam(predictor.parameters(), lr=0.01)
    for _ in range(40):
        optimizer.zero_grad()
        ids = torch.randperm(64, generator=draw)
        net(images[ids])
        prediction_loss(LossPrediction(), predictor.predict(detach=True), actual[ids]).backward()
        optimizer.step()
    net(images[64:])
    assert rank_correlation(predictor.predict(), actual[64:]) > 0.95
