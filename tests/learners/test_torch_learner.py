"""Any PyTorch network as a learner, on networks of a few weights."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.base import clone
from torch import Tensor, nn

from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError
from seqgcn.learners import TorchLearner
from seqgcn.selectors.extensions import LossPrediction

CALLS: list[str] = []


class Net(nn.Module):
    """4 classes of pictures of 8 x 8."""

    def __init__(self, width: int = 6, classes: int = 4) -> None:
        super().__init__()
        self.maps = nn.Conv2d(1, width, 3)
        self.hidden = nn.Linear(width, 5)
        self.drop = nn.Dropout(0.5)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(5, classes)

    def forward(self, images: Tensor) -> Tensor:
        pooled = self.maps(images).mean(dim=(2, 3))
        output: Tensor = self.head(self.drop(self.act(self.hidden(pooled))))
        return output


@dataclass
class Mine(TorchLearner):
    embedding: str = "hidden"
    width: int = 3

    def build(self, num_classes: int) -> nn.Module:
        return Net(self.width, num_classes)


@pytest.fixture
def images() -> Tensor:
    return torch.randint(0, 256, (30, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture
def targets(images: Tensor) -> Tensor:
    return images.float().mean(dim=(1, 2, 3)).argsort().argsort() * 4 // 30


def learner(**options: Any) -> TorchLearner:
    return TorchLearner(**{"module": Net, "embedding": "hidden", "epochs": 2, "device": "cpu", **options})


def test_describes_in_the_order_of_the_items(images: Tensor, targets: Tensor) -> None:
    fitted = learner(samples=7, batch_size=8).fit(images, targets)
    data = fitted.describe(images, ("x", "prob", "prob_samples", "image"))
    assert data.x.shape == (30, 5)
    assert data.prob_samples.shape == (30, 7, 4)
    assert data.image is images
    torch.testing.assert_close(data.prob.sum(dim=1), torch.ones(30))
    torch.testing.assert_close(fitted.describe(images[20:], ("x",)).x, data.x[20:])
    # What the layer put out, although the next one works in place.
    assert (data.x < 0).any()
    torch.testing.assert_close(fitted.module_.head(data.x.relu()).softmax(dim=1), data.prob)
    assert not torch.equal(data.prob_samples[:, 0], data.prob_samples[:, 1])
    assert not fitted.module_.training
    assert torch.equal(fitted.predict(images), data.prob.argmax(dim=1))
    assert fitted.score(images, fitted.predict(images)) == 1
    assert fitted.loss_.shape == (2,)


def test_feature_maps_are_averaged(images: Tensor, targets: Tensor) -> None:
    fitted = learner(embedding="maps").fit(images, targets)
    expected = fitted.module_.maps(images.float() / 255).mean(dim=(2, 3))
    torch.testing.assert_close(fitted.describe(images, ("x",)).x, expected)


def test_learns(images: Tensor, targets: Tensor) -> None:
    two = (targets > 1).long()
    bright = (images.float() * torch.where(two == 1, 1.0, 0.2).view(-1, 1, 1, 1)).to(torch.uint8)
    assert learner(epochs=40, lr=0.02).fit(bright, two).score(bright, two) == 1


def test_a_network_is_copied_and_a_class_called_anew(images: Tensor, targets: Tensor) -> None:
    net = Net()
    weights = copy.deepcopy(net.state_dict())
    given = learner(module=net, epochs=0).fit(images, targets)
    assert torch.equal(given.module_.head.weight, weights["head.weight"])
    learner(module=net, epochs=1).fit(images, targets)
    assert torch.equal(net.head.weight, weights["head.weight"])
    made = learner(epochs=0)
    first = made.fit(images, targets).module_
    assert torch.equal(made.fit(images, targets).module_.head.weight, first.head.weight)
    assert not torch.equal(made.set_params(seed=1).fit(images, targets).module_.head.weight, first.head.weight)


def test_inheriting_adds_parameters(images: Tensor, targets: Tensor) -> None:
    mine = clone(Mine(width=9, epochs=1, num_classes=6)).fit(images, targets)
    assert mine.module_.maps.out_channels == 9
    assert mine.predict_proba(images).shape == (30, 6)
    assert "width" in mine.get_params()
    assert "Mine" in repr(mine)


def test_what_can_be_overridden_is_used(images: Tensor, targets: Tensor) -> None:
    class Other(Mine):
        def prepare(self, inputs: Any) -> Tensor:
            CALLS.append("prepare")
            return 1 - super().prepare(inputs)

        def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
            CALLS.append("loss")
            return super().loss(logits, targets) * 2

        def optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
            CALLS.append("optimizer")
            return torch.optim.SGD(parameters, lr=self.lr)

    CALLS.clear()
    Other(epochs=1).fit(images, targets)
    assert set(CALLS) == {"prepare", "loss", "optimizer"}


def test_inputs_need_not_be_images() -> None:
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    fitted = TorchLearner(module=net, embedding="1", epochs=1).fit(x, (x[:, 0] > 0).long())
    assert fitted.describe(x, ("x",)).x.shape == (20, 4)


@pytest.mark.parametrize(("wrap", "prefix"), [(False, ""), (True, "model.")])
def test_starts_from_a_checkpoint(tmp_path: Path, images: Tensor, targets: Tensor, wrap: bool, prefix: str) -> None:
    trained = Net()
    state: dict[str, Any] = {f"{prefix}{key}": value for key, value in trained.state_dict().items()}
    if wrap:
        # As Lightning writes them: the module's own buffers beside the network's weights, and much else.
        state = {"epoch": 3, "state_dict": {**state, "criterion.weight": torch.ones(4)}, "hyper_parameters": {"lr": 1}}
    torch.save(state, tmp_path / "last.ckpt")
    mine = learner(checkpoint=str(tmp_path / "last.ckpt"), prefix=prefix, epochs=0)
    mine.check_parameters()
    torch.testing.assert_close(
        mine.fit(images, targets).predict_proba(images), trained.eval()(images.float() / 255).softmax(dim=1)
    )


class NotPlain:
    """Stands for a class of Lightning's in a checkpoint."""


def test_refuses_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"

    def refuse(error: type[Exception], message: str, **options: Any) -> None:
        with pytest.raises(error, match=message):
            learner(checkpoint=str(path), **options).check_parameters()

    refuse(MissingFileError, "last.ckpt does not exist")
    path.write_bytes(b"nothing of the kind")
    refuse(DataFileError, "cannot read the checkpoint")
    torch.save({"state_dict": Net().state_dict(), "hyper_parameters": NotPlain()}, path)
    refuse(DataFileError, "save its weights alone")
    torch.save(Net(width=2).state_dict(), path)
    refuse(DataFileError, "of another network than Net, or .* size mismatch for maps.weight", num_classes=4)
    refuse(DataFileError, "no weights that begin with 'model.'; it has maps.weight, ", prefix="model.")
    torch.save([1, 2], path)
    refuse(DataFileError, "it has none")


class Pair(nn.Module):
    """Puts out what a learner cannot use, by way of a layer that does not either."""

    def __init__(self, logits: bool) -> None:
        super().__init__()
        self.logits, self.layer, self.unused = logits, nn.LSTM(8, 4), nn.Linear(2, 2)

    def forward(self, images: Tensor) -> Any:
        hidden, state = self.layer(images.squeeze(1))
        return hidden.mean(dim=1) if self.logits else (hidden, state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"module": None}, "module must be a torch.nn.Module or make one, got NoneType; or override build"),
        ({"module": dict}, "or make one, got dict"),
        (
            {"embedding": ""},
            "embedding must name a layer of the network, got ''; Net has maps, hidden, drop, act, head",
        ),
        ({"embedding": "hiden"}, "got 'hiden'"),
        ({"samples": 1}, "samples must be 0 or at least 2"),
        ({"module": nn.Sequential(nn.Linear(2, 2)), "embedding": "0", "samples": 3}, "Sequential has no layer of drop"),
    ],
)
def test_refuses_parameters(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        learner(**options).check_parameters()


def test_a_class_that_sets_parameters_without_being_a_dataclass_is_told() -> None:
    class Forgetful(TorchLearner):
        embedding = "hidden"

    with pytest.raises(ArgumentError, match=r"write @dataclass above the class.* \(embedding: str = 'hidden'\)"):
        Forgetful(module=Net).check_parameters()


def test_refuses_what_it_cannot_use(images: Tensor, targets: Tensor) -> None:
    with pytest.raises(ArgumentError, match="not fitted yet"):
        learner().predict(images)
    with pytest.raises(ArgumentError, match=r"targets must be an int64 tensor \[30\], got torch.float32"):
        learner().fit(images, targets.float())
    with pytest.raises(ArgumentError, match="classes from 0 to 3, as the network gives 4 logits, got 2 to 5"):
        learner().fit(images, targets + 2)
    with pytest.raises(ArgumentError, match=r"inputs must be a tensor .* got ndarray; or override prepare"):
        learner().fit(images.numpy().astype(object), targets)
    with pytest.raises(ArgumentError, match=r"must give logits \[2, classes\], got tuple; wrap it"):
        learner(module=Pair(logits=False), embedding="layer").fit(images, targets)
    with pytest.raises(ArgumentError, match="the layer layer must put out a tensor of 2 rows, one an item, got tuple"):
        learner(module=Pair(logits=True), embedding="layer").fit(images, targets)
    with pytest.raises(ArgumentError, match=r"the layer unused must put out .* got NoneType"):
        learner(module=Pair(logits=True), embedding="unused").fit(images, targets)
    with pytest.raises(ArgumentError, match=r"cannot output prob_samples.*learner.samples=20"):
        learner().fit(images, targets).describe(images, ("prob_samples",))
    frozen = Net().requires_grad_(False)
    with pytest.raises(ArgumentError, match="epochs=0 trains nothing"):
        learner(module=frozen).fit(images, targets)
    learner(module=frozen, epochs=0).fit(images, targets)


def test_a_network_that_was_trained_elsewhere_is_measured(images: Tensor, targets: Tensor) -> None:
    net = Net()
    before = [weight.clone() for weight in net.parameters()]
    fitted = learner(module=net, epochs=0, validation=0.25).fit(images, targets)
    assert list(fitted.curves_) == ["validation accuracy (%)"]
    assert fitted.validation_accuracy_.shape == (1,)
    assert all(torch.equal(one, other) for one, other in zip(fitted.module_.parameters(), before, strict=True))


def test_losses_are_predicted_from_the_embedding_unless_layers_are_named(images: Tensor, targets: Tensor) -> None:
    assert learner(loss_prediction=LossPrediction()).fit(images, targets).predictor_.paths == ("hidden",)
    named = LossPrediction(modules=("maps", "head"))
    assert learner(loss_prediction=named).fit(images, targets).predictor_.paths == ("maps", "head")

    class Naming(Net):
        loss_modules = ("act",)

    assert learner(module=Naming, loss_prediction=LossPrediction()).fit(images, targets).predictor_.paths == ("act",)


def test_the_loss_of_an_item_is_what_loss_says_of_it_alone(images: Tensor, targets: Tensor) -> None:
    fitted = learner().fit(images, targets)
    expected = nn.functional.cross_entropy(fitted.predict_proba(images).log(), targets, reduction="none")
    torch.testing.assert_close(fitted.item_losses(images, targets), expected)

    class Doubled(TorchLearner):
        def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
            return 2 * super().loss(logits, targets)

    doubled = Doubled(module=Net, embedding="hidden", epochs=2, device="cpu").restore(fitted.state())
    torch.testing.assert_close(doubled.item_losses(images, targets), 2 * expected)


def test_losses_of_networks_that_give_more_in_training(images: Tensor, targets: Tensor) -> None:
    class Two(Net):
        def forward(self, images: Tensor) -> Any:
            logits = super().forward(images)
            return (logits, -logits) if self.training else logits

    class Both(TorchLearner):
        def loss(self, logits: Any, targets: Tensor) -> Tensor:
            given = logits if isinstance(logits, tuple) else (logits,)
            return sum((super(Both, self).loss(each, targets) for each in given), torch.zeros(()))

    options = {"module": Two, "embedding": "hidden", "epochs": 2, "device": "cpu"}
    fitted = Both(**options, loss_prediction=LossPrediction()).fit(images, targets)
    assert fitted.describe(images, ("loss_pred",)).loss_pred.shape == (30,)


def test_augmentation_changes_the_training_and_needs_images(images: Tensor, targets: Tensor) -> None:
    plain = learner().fit(images, targets)
    for change in ({"crop": 2}, {"flip": True}):
        assert not torch.equal(learner(**change).fit(images, targets).loss_, plain.loss_)
        net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4))
        with pytest.raises(ArgumentError, match=r"crop and flip need images .* \[\d+, 3\]"):
            learner(module=net, embedding="0", **change).fit(torch.randn(30, 3), targets)


def test_a_schedule_and_an_optimizer_of_ones_own(images: Tensor, targets: Tensor) -> None:
    rates: list[float] = []

    class Scheduled(Mine):
        def make_schedule(self, optimizer: torch.optim.Optimizer, epochs: int) -> Any:
            def factor(done: int) -> float:
                rates.append(done / epochs)
                return 0.5

            return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)

    fitted = Scheduled(epochs=4).fit(images, targets)
    assert rates == [0, 0.25, 0.5, 0.75, 1]
    halved, whole = Mine(epochs=1, lr=5e-4).fit(images, targets), Scheduled(epochs=1).fit(images, targets)
    assert torch.equal(halved.module_.head.weight, whole.module_.head.weight)
    assert fitted.loss_.shape == (4,)


def failing() -> nn.Module:
    raise KeyError("weights")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"module": "x"}, "module must be a torch.nn.Module or make one, got str"),
        ({"module": Mine}, "make one, got Mine"),
        ({"module": nn.Linear}, r"module: Linear\(\) failed with TypeError: .*in_features.*; it is called without arg"),
        ({"module": failing}, "failing.* failed with KeyError: 'weights'"),
        ({"embedding": 3}, "embedding must be text, got 3"),
        ({"prefix": None}, "prefix must be text, got None"),
        ({"checkpoint": 3}, "checkpoint must be text or None, got 3"),
        ({"num_classes": "4"}, "num_classes must be a whole number of at least 1, got '4'"),
        ({"crop": 1.5}, "crop must be a whole number of at least 0, got 1.5"),
        ({"flip": "no"}, "flip must be True or False, got 'no'"),
    ],
)
def test_refuses_arguments_of_another_type(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        learner(**options).check_parameters()


def test_a_parameter_cannot_be_called_like_a_method(images: Tensor, targets: Tensor) -> None:
    @dataclass
    class Shadowing(Mine):
        make_schedule: str = "cosine"  # type: ignore[assignment]

    with pytest.raises(ArgumentError, match="both a parameter and a method make_schedule"):
        Shadowing().fit(images, targets)
