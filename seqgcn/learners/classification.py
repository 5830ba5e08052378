"""Classifiers as learners."""

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgcn.evaluation import ACCURACY, Metric, accuracy
from seqgcn.exceptions import ArgumentError
from seqgcn.learners.batches import as_tensor
from seqgcn.learners.devices import channels_last
from seqgcn.learners.fitted import VALIDATION_ACCURACY, check_classes
from seqgcn.learners.images import channel_statistics, crop_and_flip, normalise
from seqgcn.learners.nets import Classifier, ResNet18, SmallCNN, scaled
from seqgcn.learners.network import Batch, NetworkLearner, Outputs, Schedule, Seen, Training
from seqgcn.selectors.extensions import LossPrediction
from seqgcn.training import Progress
from seqgcn.utils.validation import check_bool, check_choice, check_number, check_whole, kind_of

A_PREDICTED_LOSS = "A predicted loss needs loss_prediction=LossPrediction()"


class ClassificationLearner(NetworkLearner):
    """What learners of networks that give logits share, whatever the network is."""

    num_classes: int | None
    crop: int
    flip: bool

    task: ClassVar[str] = "classification"
    metric: ClassVar[Metric] = ACCURACY
    _count: ClassVar[str] = "num_classes"
    _usual_sizes: ClassVar[Mapping[str, int]] = {"num_classes_": 2}
    _fitted: ClassVar[tuple[str, ...]] = ("num_classes_",)
    _answer: ClassVar[str] = "prob"
    _always: ClassVar[tuple[str, ...]] = ("x", "prob")
    _passes: ClassVar[str] = "prob_samples"
    _curve: ClassVar[tuple[str, str]] = (VALIDATION_ACCURACY, "validation_accuracy_")
    num_classes_: int
    validation_accuracy_: Tensor

    @abstractmethod
    def prepare(self, inputs: Any, /) -> Tensor:
        """A batch of items as the network takes them, before they are augmented."""

    def check_items(self, inputs: Any, targets: Any) -> tuple[Tensor, dict[str, int]]:
        """Class numbers, and how many classes there are."""
        check_classes(targets, len(inputs))
        if len(targets) == 0:
            raise ArgumentError("there are no items; give at least one")
        return targets, {"num_classes_": self.num_classes or int(targets.max()) + 1}

    def make_batch(self, inputs: Any, ids: Tensor, device: torch.device, training: Training | None) -> Batch:
        """Some items, prepared; in training shifted by up to `crop` pixels and, with `flip`, mirrored."""
        batch = self.prepare(inputs[ids]).to(device)
        if training is None:
            return batch, None
        if self.crop or self.flip:
            if batch.dim() != 4:
                raise ArgumentError(f"crop and flip need images [b, channels, height, width], got {kind_of(batch)}")
            batch = crop_and_flip(batch, self.crop, self.flip, training.draw)
        return batch, training.targets[ids].to(device, non_blocking=True)

    def make_outputs(self, inputs: Any, ids: Tensor, items: Any, seen: Seen, wanted: Collection[str]) -> Outputs:
        """Logits and probabilities `[b, classes]`, and those of passes with dropout `[b, t, classes]`."""
        del inputs, ids, items
        said = {"logits": seen.output, "prob": seen.output.float().softmax(dim=1)}
        return said | ({self._passes: seen.passes().float().softmax(dim=2)} if self._passes in wanted else {})

    def predict_proba(self, inputs: Any, *, progress: Progress | None = None) -> Tensor:
        """Class probabilities, `[n, classes]` float32."""
        return self._forward(inputs, ("prob",), progress, "predict")["prob"]

    @staticmethod
    def measure(predictions: Tensor, targets: Any) -> float:
        """The metric of predicted classes: accuracy."""
        return accuracy(predictions, as_tensor(targets, whole=torch.int64))

    def item_losses(self, inputs: Any, targets: Any, *, progress: Progress | None = None) -> Tensor:
        """Loss of each item, `[n]`: its cross-entropy, nats, unless `loss` is another."""
        logits = self._forward(inputs, ("logits",), progress, "test")["logits"]
        return self.batch_losses(logits, as_tensor(targets, whole=torch.int64))

    def _decide(self, values: Tensor) -> Tensor:
        return values.argmax(dim=1)

    def _measure_held_out(self, inputs: Any, targets: Tensor) -> float:
        return 100 * self.score(inputs, targets)

    def _check_values(self) -> None:
        super()._check_values()
        check_bool("flip", self.flip)
        check_whole("crop", self.crop, low=0)


@dataclass(kw_only=True, eq=False, repr=False)
class ImageClassifier(ClassificationLearner):
    """A network trained with cross-entropy on uint8 images; scikit-learn's manners.

    Pixels are normalized by the channel means and deviations of the training images. After `fit`, `module_` is
    the network (in evaluation mode), `num_classes_` the classes it tells apart, `loss_` `[epochs]` the training
    loss, `validation_accuracy_` `[epochs]` the accuracy (%) on the labeled images held out, empty if there are none,
    `curves_` both by name, for plots, and `mean_` and `std_` `[c]` the normalization in gray levels. Nothing is stopped
    or tuned by the validation accuracy.

    Args:
        num_classes: Classes; by default the largest target seen in `fit` plus 1.
        epochs: Passes over the labeled images.
        batch_size: Images a step.
        optimizer: `"sgd"` or `"adam"`.
        lr: Learning rate.
        momentum: Of SGD.
        weight_decay: L2 term added to the gradient.
        milestones: Epochs after which the learning rate is multiplied by `gamma`.
        gamma: That factor.
        crop: Training images are shifted by up to this many pixels; 0 for none.
        flip: Whether training images are mirrored left-right at random.
        dropout: Share of the embedding's units dropped in training, and in the passes behind `prob_samples`.
        samples: Those passes.
        validation: Share of the labeled images held out of training, if there are at least 10; none where `warm_start`
            goes on, as the weights have seen them.
        width: Factor on the network's channels, its capacity.
        loss_prediction: Train a module along that predicts each image's loss, and output `loss_pred`.
        warm_start: Whether `fit` goes on from the last fit's weights instead of fresh ones.
        device: `"auto"` (a GPU if there is one), `"cpu"`, `"cuda"`, `"cuda:1"`, ...
        precision: `"float32"`, `"bfloat16"` (mixed), or `"auto"`: mixed on GPUs with bfloat16 (Ampere or newer).
        batch_seed: Of batch order and augmentation; by default `seed`.
        seed: Of initial weights and dropout.
    """

    num_classes: int | None = None
    epochs: int = 30
    batch_size: int = 32
    optimizer: Literal["sgd", "adam"] = "adam"
    lr: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 5e-4
    milestones: tuple[int, ...] = (24,)
    gamma: float = 0.1
    crop: int = 0
    flip: bool = False
    dropout: float = 0.0
    samples: int = 50
    validation: float = 0.0
    width: float = 1.0
    loss_prediction: LossPrediction | None = None
    warm_start: bool = False
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    batch_seed: int | None = None
    seed: int = 0

    optional_outputs: ClassVar[Mapping[str, str]] = {
        "prob_samples": "Passes with dropout need a dropout above 0 (learner.dropout=0.25)",
        "loss_pred": A_PREDICTED_LOSS,
    }
    _usual_sizes: ClassVar[Mapping[str, int]] = {"in_channels_": 1, "num_classes_": 2}
    _fitted: ClassVar[tuple[str, ...]] = ("mean_", "std_")
    _purposes: ClassVar[tuple[tuple[str, ...], tuple[str, ...]]] = (("classifier",), ("dropout",))
    # Larger batches than in training: nothing is kept for a backward pass.
    _predict_batch: ClassVar[int | None] = 512
    module_: Classifier = field(init=False)
    in_channels_: int = field(init=False)
    mean_: Tensor = field(init=False)
    std_: Tensor = field(init=False)

    @abstractmethod
    def build(self, in_channels: int, num_classes: int) -> Classifier:
        """New network, of the learner's `width` and `dropout`."""

    def make_network(self, sizes: Mapping[str, int]) -> Classifier:
        """New network for so many channels and classes."""
        return channels_last(self.build(sizes["in_channels_"], sizes["num_classes_"]))

    @property
    def has_passes(self) -> bool:
        """Whether there are passes with dropout."""
        return self.dropout > 0

    def check_inputs(self, inputs: Any, targets: Any = None) -> None:
        """Raise an `ArgumentError` unless these are images, of as many channels as `fit` was given."""
        del targets
        _check_images(inputs)
        # One channel would silently be spread over three by broadcasting.
        if inputs.shape[1] != len(self.mean_):
            raise ArgumentError(f"images have {inputs.shape[1]} channels, but fit was given {len(self.mean_)}")

    def check_items(self, inputs: Any, targets: Any) -> tuple[Tensor, dict[str, int]]:
        """Class numbers, and how many channels and classes there are."""
        _check_images(inputs)
        targets, sizes = super().check_items(inputs, targets)
        if self._goes_on:
            self.check_inputs(inputs)
            sizes["num_classes_"] = self.num_classes_
        low, high, count = int(targets.min()), int(targets.max()), sizes["num_classes_"]
        if low < 0 or high >= count:
            raise ArgumentError(
                f"targets must be classes from 0 to {count - 1}, got {low} to {high}; "
                "num_classes says how many classes there are"
            )
        return targets, {"in_channels_": inputs.shape[1], **sizes}

    def start_training(self, sizes: dict[str, int], inputs: Tensor, targets: Tensor, device: torch.device) -> None:
        """Make the network, and take the mean and deviation of each channel of the training images."""
        super().start_training(sizes, inputs, targets, device)
        mean, std = channel_statistics(inputs)
        self.mean_, self.std_ = mean.to(device), std.to(device)

    def prepare(self, inputs: Tensor) -> Tensor:
        """Images normalized by the statistics of the training images, float32."""
        return normalise(inputs.to(self.mean_.device, non_blocking=True), self.mean_, self.std_)

    def make_batch(self, inputs: Any, ids: Tensor, device: torch.device, training: Training | None) -> Batch:
        """The same, in the layout that convolutions are fastest in."""
        batch, others = super().make_batch(inputs, ids, device, training)
        return batch.contiguous(memory_format=torch.channels_last), others

    def training_step(self, batch: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy, and the logits."""
        logits = self.module_(batch)[1]
        return self.batch_losses(logits, targets).mean(), logits

    def batch_losses(self, output: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each image, `[b]`."""
        return F.cross_entropy(output, targets, reduction="none")

    def see_batch(self, batch: Tensor) -> Seen:
        """Embedding and logits; passes with dropout share the embedding."""
        embedding, logits = self.module_(batch)

        def passes() -> Tensor:
            return self.module_.classify(embedding.expand(self.samples, -1, -1), drop=True).transpose(0, 1)

        return Seen(embedding, logits, passes)

    def make_optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam or SGD, as `optimizer` says."""
        if self.optimizer == "adam":
            return super().make_optimizer(parameters)
        return torch.optim.SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    def make_schedule(self, optimizer: torch.optim.Optimizer, epochs: int) -> Schedule:
        """The learning rate times `gamma` after each of the `milestones`."""
        del epochs
        return torch.optim.lr_scheduler.MultiStepLR(optimizer, list(self.milestones), self.gamma)

    def _check_values(self) -> None:
        super()._check_values()
        check_choice("optimizer", self.optimizer, ("sgd", "adam"))
        for name in ("momentum", "dropout"):
            check_number(name, getattr(self, name), low=0, high=1, open_high=True)
        for name in ("gamma", "width"):
            check_number(name, getattr(self, name), low=0, open_low=True)
        if not isinstance(self.milestones, list | tuple):
            raise ArgumentError(f"milestones must be a tuple of epochs such as (160,), got {self.milestones!r}")
        for milestone in self.milestones:
            check_whole("milestones", milestone)

    def _sizes(self, state: Mapping[str, Tensor]) -> dict[str, int]:
        return super()._sizes({"in_channels_": torch.tensor(len(state["mean_"])), **state})


@dataclass(kw_only=True, eq=False, repr=False)
class SmallCNNClassifier(ImageClassifier):
    """`SmallCNN` with Adam: seconds on a CPU for a few hundred small images. Arguments: `ImageClassifier`."""

    dropout: float = 0.25

    def build(self, in_channels: int, num_classes: int) -> Classifier:
        """New network."""
        width, embedding = scaled(self.width, (32, 128))
        return SmallCNN(in_channels, num_classes, width, embedding, self.dropout)


@dataclass(kw_only=True, eq=False, repr=False)
class ResNet18Classifier(ImageClassifier):
    """CIFAR `ResNet18` with the recipe of the sequential GCN paper (section 4.1). Arguments: `ImageClassifier`."""

    epochs: int = 200
    batch_size: int = 128
    optimizer: Literal["sgd", "adam"] = "sgd"
    lr: float = 0.1
    milestones: tuple[int, ...] = (160,)
    crop: int = 4
    flip: bool = True

    def build(self, in_channels: int, num_classes: int) -> Classifier:
        """New network."""
        return ResNet18(in_channels, num_classes, scaled(self.width, (64, 128, 256, 512)), self.dropout)


def _check_images(images: Any) -> None:
    if not isinstance(images, Tensor) or images.dim() != 4 or images.dtype != torch.uint8 or len(images) == 0:
        raise ArgumentError(
            f"images must be a uint8 tensor or array [n, channels, height, width], n > 0, got {kind_of(images)}"
        )
    if min(images.shape[2:]) < 4:
        raise ArgumentError(f"images must be at least 4 x 4 pixels, got {list(images.shape[2:])}")
