"""Labelled items that classifiers hold out of training, to tell how well they do."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqgcn.evaluation import accuracy
from seqgcn.exceptions import ArgumentError
from seqgcn.learners import SmallCNNClassifier, TorchLearner
from seqgcn.learners.common import count_held_out, hold_out


class Net(nn.Module):
    """4 classes of pictures of 8 x 8."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(64, 5)
        self.head = nn.Linear(5, 4)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.head(self.hidden(images.flatten(1)))
        return output


def small(**changes: Any) -> SmallCNNClassifier:
    return SmallCNNClassifier(**{"num_classes": 4, "epochs": 3, "batch_size": 8, "device": "cpu"} | changes)


def own(**changes: Any) -> TorchLearner:
    return TorchLearner(
        **{"module": Net, "embedding": "hidden", "num_classes": 4, "epochs": 3, "device": "cpu"} | changes
    )


Kind = Callable[..., Any]
both = pytest.mark.parametrize("kind", [small, own])


@pytest.fixture
def images() -> Tensor:
    return torch.randint(0, 256, (40, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture
def targets(images: Tensor) -> Tensor:
    return images.float().mean(dim=(1, 2, 3)).argsort().argsort() * 4 // 40


def weights(learner: Any) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in learner.state().values())


@both
def test_measured_and_never_trained_on(kind: Kind, images: Tensor, targets: Tensor) -> None:
    learner = kind(validation=0.25).fit(images, targets)
    seen: list[Tensor] = []

    def spy(n: int, share: float, unconfirmed: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        seen.extend(hold_out(n, share, unconfirmed, draw))
        return seen[0], seen[1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{type(learner).__mro__[1 if kind is small else 0].__module__}.hold_out", spy)
        kind(validation=0.25).fit(images, targets)
    held_out, kept = seen
    assert (len(held_out), len(kept)) == (10, 30)
    assert learner.validation_accuracy_.shape == (3,)
    last = 100 * accuracy(learner.predict(images[held_out]), targets[held_out])
    assert float(learner.validation_accuracy_[-1]) == pytest.approx(last)
    assert list(learner.curves_) == ["training loss", "validation accuracy (%)"]
    # Measuring leaves no trace: the same weights as if the others were all there is.
    assert weights(kind().fit(images[kept], targets[kept])) == weights(learner)


@both
def test_none_by_default_and_none_of_few(kind: Kind, images: Tensor, targets: Tensor) -> None:
    assert list(kind().fit(images, targets).curves_) == ["training loss"]
    assert list(kind(validation=0.5).fit(images[:9], targets[:9]).curves_) == ["training loss"]
    assert kind().curves_ == {}


def test_a_network_that_was_trained_elsewhere_is_measured(images: Tensor, targets: Tensor) -> None:
    net = Net()
    before = [weight.clone() for weight in net.parameters()]
    learner = own(module=net, epochs=0, validation=0.25).fit(images, targets)
    assert list(learner.curves_) == ["validation accuracy (%)"]
    assert learner.validation_accuracy_.shape == (1,)
    assert all(torch.equal(one, other) for one, other in zip(learner.module_.parameters(), before, strict=True))


@both
def test_none_where_training_goes_on(kind: Kind, images: Tensor, targets: Tensor) -> None:
    learner = kind(validation=0.5, warm_start=True).fit(images, targets)
    assert len(learner.validation_accuracy_) == 3
    assert len(learner.fit(images, targets).validation_accuracy_) == 0


@both
def test_what_nobody_confirmed_is_trained_on(kind: Kind, images: Tensor, targets: Tensor) -> None:
    learner = kind(validation=0.9).fit(images, targets, unconfirmed=31)  # nine are sure, too few to hold out
    assert list(learner.curves_) == ["training loss"]


@both
@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_wrong_share(kind: Kind, share: float, images: Tensor, targets: Tensor) -> None:
    with pytest.raises(ArgumentError, match="validation must be"):
        kind(validation=share).fit(images, targets)


@pytest.mark.parametrize(
    ("n", "share", "count"), [(9, 0.5, 0), (10, 0.1, 1), (10, 0.01, 1), (40, 0.99, 39), (99, 0, 0)]
)
@pytest.mark.parametrize("unconfirmed", [0, 7])
def test_how_many(n: int, share: float, count: int, unconfirmed: int) -> None:
    held_out, kept = hold_out(n + unconfirmed, share, unconfirmed, torch.Generator().manual_seed(1))
    assert len(held_out) == count == count_held_out(n, share)
    assert torch.equal(torch.cat((held_out, kept)).sort().values, torch.arange(n + unconfirmed))
    assert torch.equal(kept, kept.sort().values)
    assert (held_out < n).all()
