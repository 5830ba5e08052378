from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqgcn.datasets import ImageDataset
from seqgcn.exceptions import ArgumentError
from seqgcn.learners import (
    ImageClassifier,
    ResNet18Classifier,
    SmallCNNClassifier,
    resolve_device,
)
from seqgcn.learners.nets import SmallCNN


def small(**changes: Any) -> SmallCNNClassifier:
    return SmallCNNClassifier(**{"num_classes": 4, "epochs": 2, "batch_size": 8, "device": "cpu"} | changes)


def bits(learner: ImageClassifier) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in learner.state().values())


class Norms(nn.Module):
    """A linear net behind batch norm: the smallest that one item alone cannot train."""

    def __init__(self, pixels: int, classes: int) -> None:
        super().__init__()
        self.norm, self.head = nn.BatchNorm1d(pixels), nn.Linear(pixels, classes)
        self.batches: list[Tensor] = []

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        self.batches.append(batch)
        embedding = self.norm(batch.flatten(1))
        return embedding, self.head(embedding)


class NormsClassifier(ImageClassifier):
    def build(self, in_channels: int, num_classes: int) -> nn.Module:
        return Norms(64 * in_channels, num_classes)


def test_the_papers_recipe() -> None:
    recipe = {
        "epochs": 200,
        "batch_size": 128,
        "optimizer": "sgd",
        "lr": 0.1,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "milestones": (160,),
        "gamma": 0.1,
        "crop": 4,
        "flip": True,
    }
    assert recipe.items() <= ResNet18Classifier().get_params().items()
    optimizer = ResNet18Classifier().make_optimizer([*nn.Linear(1, 1).parameters()])
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.defaults["momentum"] == 0.9
    assert optimizer.defaults["weight_decay"] == 5e-4
    assert isinstance(small().make_optimizer([*nn.Linear(1, 1).parameters()]), torch.optim.Adam)


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 3},
        {"batch_size": 5},
        {"optimizer": "sgd"},
        {"lr": 0.01},
        {"weight_decay": 0.1},
        {"milestones": (1,), "gamma": 0.5},
        {"crop": 2},
        {"flip": True},
        {"precision": "bfloat16"},
    ],
)
def test_every_parameter_changes_the_result(images: Tensor, targets: Tensor, changes: dict[str, Any]) -> None:
    assert bits(small().fit(images, targets)) != bits(small(**changes).fit(images, targets))


@pytest.mark.parametrize(
    ("name", "values", "beside"),
    [("momentum", (0, 0.9), {"optimizer": "sgd"}), ("gamma", (0.1, 0.5), {"milestones": (1,)})],
)
def test_parameters_that_need_another(
    images: Tensor, targets: Tensor, name: str, values: tuple[float, float], beside: dict[str, Any]
) -> None:
    first, second = (small(**beside, **{name: value}).fit(images, targets) for value in values)
    assert bits(first) != bits(second)


def test_overfits_eight_images(toy: ImageDataset) -> None:
    images, targets = toy.train.inputs[:8], torch.arange(8) % 4
    learner = small(epochs=40).fit(images, targets)
    assert learner.score(images, targets) == 1
    assert torch.equal(learner.predict(images), targets)
    assert learner.loss_.shape == (40,)
    assert learner.loss_[-1] < 0.1 < learner.loss_[0]


def test_fitted_names(images: Tensor, targets: Tensor) -> None:
    learner = small(num_classes=None).fit(images, targets)
    assert learner.num_classes_ == 4
    assert not learner.module_.training
    np.testing.assert_allclose(learner.mean_, images.numpy().mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(learner.std_, images.numpy().std(axis=(0, 2, 3)), rtol=1e-5)
    probabilities = learner.predict_proba(images)
    assert probabilities.shape == (20, 4)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(20))


def test_describe_gives_what_is_asked_in_one_pass(
    images: Tensor, targets: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = small().fit(images, targets)
    passes: list[int] = []
    forward = SmallCNN.forward

    def counted(self: SmallCNN, batch: Tensor) -> tuple[Tensor, Tensor]:
        passes.append(len(batch))
        return forward(self, batch)

    monkeypatch.setattr(SmallCNN, "forward", counted)
    many = images.repeat(30, 1, 1, 1)
    data = learner.describe(many, ("x", "prob"))
    assert sum(passes) == len(many) == 600
    assert len(passes) == 2
    assert (data.x.shape, data.prob.shape) == ((600, 128), (600, 4))
    assert data.x.dtype == data.prob.dtype == torch.float32
    assert not data.x.requires_grad
    torch.testing.assert_close(data.prob[:20], learner.predict_proba(images))
    assert learner.describe(images, ["x"]).keys() == ["x"]
    assert learner.describe(images, {"prob"}).keys() == ["prob"]


def test_describe_refuses_what_it_cannot_provide(images: Tensor, targets: Tensor) -> None:
    fitted = small(dropout=0.0).fit(images, targets)
    with pytest.raises(ArgumentError, match="cannot output loss_pred, target_samples; it outputs x, prob, image") as e:
        fitted.describe(images, ("x", "loss_pred", "target_samples"))
    assert "A predicted loss needs loss_prediction=LossPrediction()" in str(e.value)
    with pytest.raises(ArgumentError, match=r"cannot output prob_samples.* \(learner\.dropout=0\.25\)"):
        fitted.describe(images, ("prob_samples",))


@pytest.mark.parametrize(("n", "batch_size", "sizes"), [(9, 4, [4, 5]), (8, 4, [4, 4]), (1, 4, [2]), (3, 1, [2, 2])])
def test_no_batch_of_one_item(toy: ImageDataset, n: int, batch_size: int, sizes: list[int]) -> None:
    learner = NormsClassifier(num_classes=4, epochs=1, batch_size=batch_size, device="cpu")
    learner.fit(toy.train.inputs[:n], toy.train.targets[:n])
    assert [len(batch) for batch in learner.module_.batches] == sizes


def test_every_image_once_an_epoch_in_another_order(images: Tensor, targets: Tensor) -> None:
    learner = NormsClassifier(num_classes=4, epochs=2, batch_size=8, device="cpu").fit(images, targets)
    seen = torch.cat(learner.module_.batches).flatten(1) * learner.std_ + learner.mean_
    rows = [tuple(row) for row in seen.round().int().tolist()]
    everything = sorted(tuple(row) for row in images.flatten(1).int().tolist())
    assert sorted(rows[:20]) == sorted(rows[20:]) == everything
    assert rows[:20] != rows[20:]


@pytest.mark.parametrize("kind", [SmallCNNClassifier, ResNet18Classifier])
def test_single_labelled_item_of_few_pixels(kind: type[ImageClassifier]) -> None:
    learner = kind(num_classes=3, epochs=1, device="cpu")
    image = torch.randint(0, 256, (1, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    learner.fit(image, torch.tensor([2]))
    assert learner.loss_.isfinite().all()
    assert learner.predict_proba(image).shape == (1, 3)


def test_warm_start_keeps_the_classes_of_the_first_fit(images: Tensor, targets: Tensor) -> None:
    few = targets < 2
    learner = small(num_classes=None, warm_start=True).fit(images[few], targets[few])
    assert learner.num_classes_ == 2
    with pytest.raises(ArgumentError, match="targets must be classes from 0 to 1, got 0 to 3; num_classes says"):
        learner.fit(images, targets)
    with pytest.raises(ArgumentError, match="images have 3 channels, but fit was given 1"):
        learner.fit(images.repeat(1, 3, 1, 1), targets)


def test_restore_needs_the_classes_that_a_state_does_not_hold(images: Tensor, targets: Tensor) -> None:
    with pytest.raises(ArgumentError, match="restore needs num_classes"):
        SmallCNNClassifier().restore(small().fit(images, targets).state())


def test_bfloat16_on_the_cpu(images: Tensor, targets: Tensor) -> None:
    learner = small(precision="bfloat16", epochs=20).fit(images, targets)
    data = learner.describe(images, ("x", "prob"))
    assert data.x.dtype == data.prob.dtype == torch.float32
    assert torch.equal(data.x, data.x.bfloat16().float())
    assert learner.score(images, targets) > 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"num_classes": 0}, "num_classes must be a whole number"),
        ({"optimizer": "lbfgs"}, "optimizer must be one of 'sgd', 'adam', got 'lbfgs'"),
        ({"momentum": 1.0}, "momentum must be a number in"),
        ({"gamma": 0.0}, "gamma must be a number in"),
        ({"milestones": 160}, r"milestones must be a tuple of epochs such as \(160,\), got 160"),
        ({"milestones": (1, 2.5)}, "milestones must be a whole number"),
        ({"crop": -1}, "crop must be a whole number"),
        ({"crop": 1.5}, "crop must be a whole number"),
        ({"device": "abacus"}, "device 'abacus' cannot be used here .* try auto or cpu"),
    ],
)
def test_wrong_parameter(images: Tensor, targets: Tensor, changes: dict[str, Any], message: str) -> None:
    learner = small(**changes)
    with pytest.raises(ArgumentError, match=message):
        learner.fit(images, targets)
    assert not hasattr(learner, "module_")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 1, 8, 8), r"got torch.float32 \[2, 1, 8, 8\]"),
        (torch.zeros(2, 8, 8, dtype=torch.uint8), r"got torch.uint8 \[2, 8, 8\]"),
        (torch.zeros(0, 1, 8, 8, dtype=torch.uint8), r"n > 0, got torch.uint8 \[0, 1, 8, 8\]"),
        (np.zeros((2, 8, 8), dtype=np.uint8), r"got torch.uint8 \[2, 8, 8\]"),
        (np.zeros((2, 1, 8, 8), dtype=object), "got ndarray"),
        (None, "got NoneType"),
    ],
)
def test_wrong_images(toy: ImageDataset, images: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=r"images must be a uint8 tensor or array .* " + message):
        small().fit(images, torch.zeros(2, dtype=torch.int64))
    learner = small().fit(toy.train.inputs, toy.train.targets)
    with pytest.raises(ArgumentError, match=message):
        learner.predict(images)


def test_other_channels_than_in_fit(images: Tensor, targets: Tensor) -> None:
    learner = small().fit(images.repeat(1, 3, 1, 1), targets)
    with pytest.raises(ArgumentError, match="images have 1 channels, but fit was given 3"):
        learner.predict(images)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.tensor([0, 4]), "targets must be classes from 0 to 3, got 0 to 4"),
        (torch.tensor([-1, 0]), "targets must be classes from 0 to 3, got -1 to 0"),
        (torch.tensor([0.0, 1.0]), r"targets must be an int64 tensor \[2\], got torch.float32 \[2\]"),
        (torch.tensor([0, 1], dtype=torch.int32), "got torch.int32"),
        (torch.tensor([0, 1, 2]), r"got torch.int64 \[3\]"),
        (torch.tensor([[0], [1]]), r"got torch.int64 \[2, 1\]"),
        ([0, 1], "got list"),
    ],
)
def test_wrong_targets(images: Tensor, targets: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        small().fit(images[:2], targets)


def test_devices() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for wrong in ("gpu", "cuda:99", "", None):
        with pytest.raises(ArgumentError, match=r"cannot be used here .*; try auto or cpu") as caught:
            resolve_device(wrong)  # type: ignore[arg-type]
        assert len(str(caught.value)) < 300
