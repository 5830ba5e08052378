"""Image classifiers as learners."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Parameter
from torch_geometric.data import Data

from seqgcn.evaluation import ACCURACY, Metric, accuracy
from seqgcn.exceptions import ArgumentError
from seqgcn.learners.common import (
    TRAINING_LOSS,
    VALIDATION_ACCURACY,
    check_attributes,
    check_classes,
    check_fitted,
    copy_weights,
    curves_by,
    hold_out,
    in_batches,
    load_weights,
    mixed_precision,
    place,
    resolve_device,
    shuffled_batches,
)
from seqgcn.learners.images import channel_statistics, crop_and_flip, normalise
from seqgcn.learners.loss_prediction import LossPredictor
from seqgcn.learners.nets import Classifier, ResNet18, SmallCNN, scaled
from seqgcn.learners.network import NetworkLearner
from seqgcn.selectors.extensions import LossPrediction
from seqgcn.training import Progress, train
from seqgcn.utils.seeding import derive_seed, generator, seeded
from seqgcn.utils.validation import check_choice, check_number, check_whole, kind_of


@dataclass(kw_only=True, eq=False, repr=False)
class ImageClassifier(NetworkLearner, ABC):
    """A network trained with cross-entropy on uint8 images; scikit-learn's manners.

    Pixels are normalised by the channel means and deviations of the training images. After `fit`, `module_` is
    the network (in evaluation mode), `num_classes_` the classes it tells apart, `loss_` `[epochs]` the training
    loss, `validation_accuracy_` `[epochs]` the accuracy (%) on the labelled images held out, empty if there are none,
    `curves_` both by name, for plots, and `mean_` and `std_` `[c]` the normalisation in grey levels. Nothing is stopped
    or tuned by the validation accuracy.

    Args:
        num_classes: Classes; by default the largest target seen in `fit` plus 1.
        epochs: Passes over the labelled images.
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
        validation: Share of the labelled images held out of training, if there are at least 10; none where `warm_start`
            goes on, as the weights have seen them.
        width: Factor on the network's channels, its capacity.
        loss_prediction: Train a module along that predicts each image's loss, and provide `loss_pred`.
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

    metric: ClassVar[Metric] = ACCURACY
    could_provide: ClassVar[Mapping[str, str]] = {
        "prob_samples": "Passes with dropout need a dropout above 0 (learner.dropout=0.25)",
        "loss_pred": "A predicted loss needs loss_prediction=LossPrediction()",
    }
    module_: Classifier = field(init=False)
    predictor_: LossPredictor | None = field(init=False)
    num_classes_: int = field(init=False)
    loss_: Tensor = field(init=False)
    validation_accuracy_: Tensor = field(init=False)
    mean_: Tensor = field(init=False)
    std_: Tensor = field(init=False)

    @abstractmethod
    def build(self, in_channels: int, num_classes: int) -> Classifier:
        """New network, of the learner's `width` and `dropout`."""

    @property
    def provides(self) -> tuple[str, ...]:
        """Attributes that `describe` can give."""
        samples = ("prob_samples",) if self.dropout > 0 else ()
        return ("x", "prob", *samples, *(("loss_pred",) if self.loss_prediction else ()), "image")

    def fit(self, inputs: Tensor, targets: Tensor, *, unconfirmed: int = 0, progress: Progress | None = None) -> Self:
        """Train on labelled images.

        Args:
            inputs: `[n, c, h, w]` uint8.
            targets: `[n]` int64 classes.
            unconfirmed: How many of the last images have a class that nobody confirmed; they are never held out.
            progress: Told about every epoch, as stage `"train"`.

        Raises:
            ArgumentError: Images, targets or a parameter cannot be used.
            TrainingError: The loss became NaN or infinite.
        """
        self.check_parameters()
        _check_images(inputs)
        check_classes(targets, len(inputs))
        device = resolve_device(self.device)
        share = 0.0 if self.warm_start and hasattr(self, "module_") else self.validation
        held_out, kept = hold_out(len(inputs), share, unconfirmed, generator(self._batch_seed, "validation"))
        everything, accuracies = (inputs, targets), list[float]()

        def validate(_epoch: int) -> None:
            if len(held_out):
                module.eval()
                accuracies.append(100 * self.score(*(values[held_out] for values in everything)))

        with seeded(derive_seed(self.seed, "classifier"), device):
            module = self._start(inputs, targets, device)
            if len(held_out):
                inputs, targets = inputs[kept], targets[kept]
            mean, std = channel_statistics(inputs)
            self.mean_, self.std_ = mean.to(device), std.to(device)
            example = normalise(inputs[:1].to(device), self.mean_, self.std_)
            predictor = self._attach(module, example)

            def objective(batch: tuple[Tensor, Tensor]) -> Tensor:
                losses = F.cross_entropy(module(batch[0])[1], batch[1], reduction="none")
                return losses.mean() if predictor is None else losses.mean() + predictor.loss(losses)

            optimizer = self._optimizer([*module.parameters(), *(predictor.parameters() if predictor else ())])
            self.loss_ = train(
                module,
                lambda epoch: self._batches(inputs, targets, device, epoch),
                objective,
                optimizer=optimizer,
                epochs=self.epochs,
                scheduler=torch.optim.lr_scheduler.MultiStepLR(optimizer, list(self.milestones), self.gamma),
                autocast=mixed_precision(self.precision, device),
                after_epoch=validate,
                progress=progress,
            )
        module.eval()
        self.validation_accuracy_ = torch.tensor(accuracies)
        return self

    @property
    def curves_(self) -> dict[str, Tensor]:
        """What was measured after each epoch, by name and unit."""
        return curves_by(self, {TRAINING_LOSS: "loss_", VALIDATION_ACCURACY: "validation_accuracy_"})

    def predict(self, inputs: Tensor, *, progress: Progress | None = None) -> Tensor:
        """Most probable class of each image, `[n]` int64."""
        return self.predict_proba(inputs, progress=progress).argmax(dim=1)

    def predict_proba(self, inputs: Tensor, *, progress: Progress | None = None) -> Tensor:
        """Class probabilities, `[n, num_classes]` float32."""
        return self._forward(inputs, ("prob",), progress, "predict")["prob"]

    def score(self, inputs: Tensor, targets: Tensor, *, progress: Progress | None = None) -> float:
        """Accuracy, from 0 to 1."""
        return self.measure(self.predict(inputs, progress=progress), targets)

    @staticmethod
    def measure(predictions: Tensor, targets: Tensor) -> float:
        """The metric of predicted classes: accuracy."""
        return accuracy(predictions, targets)

    def item_losses(self, inputs: Tensor, targets: Tensor, *, progress: Progress | None = None) -> Tensor:
        """Cross-entropy of each image, `[n]`, nats."""
        return F.cross_entropy(
            self._forward(inputs, ("logits",), progress, "test")["logits"], targets, reduction="none"
        )

    def describe(self, inputs: Tensor, attributes: Collection[str], *, progress: Progress | None = None) -> Data:
        """Describe every image by the attributes asked for, in one pass.

        `x` `[n, d]` is the embedding, `prob` `[n, num_classes]` the class probabilities, `prob_samples`
        `[n, samples, num_classes]` those of passes with dropout, `loss_pred` `[n]` the predicted loss, and `image` the
        images themselves.

        Raises:
            ArgumentError: Another attribute is asked for, `prob_samples` without dropout, or `loss_pred` without
                `loss_prediction`.
        """
        check_fitted(self)
        check_attributes(self, attributes, self.provides)
        self._check_fitted_with(attributes)
        computed = set(attributes) - {"image"}
        images = {"image": inputs} if "image" in attributes else {}
        if not computed:
            _check_images(inputs)
            return Data(**images)
        with seeded(derive_seed(self.seed, "dropout"), self.mean_.device):
            return Data(**self._forward(inputs, computed, progress, "embed"), **images)

    def state(self) -> dict[str, Tensor]:
        """Copies of the fitted learner's weights and normalisation, by name, for `torch.save`.

        Raises:
            ArgumentError: The learner is not fitted.
        """
        check_fitted(self)
        return copy_weights(self.module_, self.predictor_, mean_=self.mean_, std_=self.std_)

    def restore(self, state: dict[str, Tensor]) -> Self:
        """Take over an earlier `state()`; needs `num_classes`.

        Raises:
            ArgumentError: `num_classes` is None.
        """
        if self.num_classes is None:
            raise ArgumentError("restore needs num_classes to be given to the constructor")
        self.num_classes_ = self.num_classes
        device = resolve_device(self.device)
        channels = len(state["mean_"])
        with seeded(0, device):
            self.module_ = self._new(channels, self.num_classes, device)
            self.predictor_ = None
            # Any size will do: what is predicted from are channels.
            self._attach(self.module_, torch.zeros(1, channels, 32, 32, device=device))
        load_weights(self.module_, state, self.predictor_)
        self.mean_, self.std_ = state["mean_"].to(device), state["std_"].to(device)
        return self

    def check_parameters(self) -> None:
        """Check the constructor's arguments, as `fit` does first.

        Raises:
            ArgumentError: One cannot be used.
        """
        for name in ("epochs", "batch_size"):
            check_whole(name, getattr(self, name))
        if self.num_classes is not None:
            check_whole("num_classes", self.num_classes)
        check_choice("optimizer", self.optimizer, ("sgd", "adam"))
        check_choice("precision", self.precision, ("auto", "float32", "bfloat16"))
        check_number("lr", self.lr, low=0, open_low=True)
        check_number("momentum", self.momentum, low=0, high=1, open_high=True)
        check_number("weight_decay", self.weight_decay, low=0)
        check_number("gamma", self.gamma, low=0, open_low=True)
        check_number("dropout", self.dropout, low=0, high=1, open_high=True)
        check_number("validation", self.validation, low=0, high=1, open_high=True)
        self._check_network()
        if not isinstance(self.milestones, list | tuple):
            raise ArgumentError(f"milestones must be a tuple of epochs such as (160,), got {self.milestones!r}")
        for milestone in self.milestones:
            check_whole("milestones", milestone)
        if self.crop != 0:
            check_whole("crop", self.crop)

    def _start(self, inputs: Tensor, targets: Tensor, device: torch.device) -> Classifier:
        """The network that training starts from: the last fit's for `warm_start`, else a new one."""
        goes_on = self.warm_start and hasattr(self, "module_")
        if goes_on:
            self._check_channels(inputs)
        low, high = int(targets.min()), int(targets.max())
        given = self.num_classes_ if goes_on else self.num_classes
        num_classes = high + 1 if given is None else given
        if low < 0 or high >= num_classes:
            raise ArgumentError(
                f"targets must be classes from 0 to {num_classes - 1}, got {low} to {high}; "
                "num_classes says how many classes there are"
            )
        if not goes_on:
            self.module_ = self._new(inputs.shape[1], num_classes, device)
            self.predictor_ = None
            self.num_classes_ = num_classes
        return self.module_

    def _blueprint(self) -> Classifier:
        return self.build(1, self.num_classes or 2)

    def _new(self, in_channels: int, num_classes: int, device: torch.device) -> Classifier:
        return place(self.build(in_channels, num_classes), device)

    @torch.no_grad()
    def _forward(
        self, inputs: Tensor, attributes: Collection[str], progress: Progress | None, stage: str
    ) -> dict[str, Tensor]:
        check_fitted(self)
        _check_images(inputs)
        self._check_channels(inputs)
        device, module = self.mean_.device, self.module_

        def answer(ids: Tensor) -> dict[str, Tensor]:
            images = normalise(inputs[ids].to(device, non_blocking=True), self.mean_, self.std_)
            part: dict[str, Tensor] = {}
            with mixed_precision(self.precision, device):
                embedding, logits = module(images.contiguous(memory_format=torch.channels_last))
                # Before further passes, which would leave other features behind.
                if "loss_pred" in attributes and self.predictor_ is not None:
                    part["loss_pred"] = self.predictor_.predict(detach=True)
                if "prob_samples" in attributes:
                    passes = module.classify(embedding.expand(self.samples, -1, -1), drop=True)
                    part["prob_samples"] = passes.transpose(0, 1).float().softmax(dim=2)
            part |= {"x": embedding, "logits": logits, "prob": logits.float().softmax(dim=1)}
            return {name: part[name] for name in attributes}

        # Larger batches than in training: nothing is kept for a backward pass.
        return in_batches(len(inputs), 512, answer, progress, stage)

    def _batches(
        self, inputs: Tensor, targets: Tensor, device: torch.device, epoch: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        if self.predictor_ is not None:
            self.predictor_.begin(epoch, self.epochs)
        draw = generator(self._batch_seed, "batches", epoch)
        for ids in shuffled_batches(len(inputs), self.batch_size, draw):
            images = normalise(inputs[ids].to(device, non_blocking=True), self.mean_, self.std_)
            if self.crop or self.flip:
                images = crop_and_flip(images, self.crop, self.flip, draw)
            yield images.contiguous(memory_format=torch.channels_last), targets[ids].to(device, non_blocking=True)

    def _optimizer(self, parameters: list[Parameter]) -> torch.optim.Optimizer:
        if self.optimizer == "adam":
            return torch.optim.Adam(parameters, lr=self.lr, weight_decay=self.weight_decay)
        return torch.optim.SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    def _check_channels(self, inputs: Tensor) -> None:
        # One channel would silently be spread over three by broadcasting.
        if inputs.shape[1] != len(self.mean_):
            raise ArgumentError(f"images have {inputs.shape[1]} channels, but fit was given {len(self.mean_)}")


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
        raise ArgumentError(f"images must be a uint8 tensor [n, channels, height, width], n > 0, got {kind_of(images)}")
    if min(images.shape[2:]) < 4:
        raise ArgumentError(f"images must be at least 4 x 4 pixels, got {list(images.shape[2:])}")
