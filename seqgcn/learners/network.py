"""The one learner that trains a network: what it trains, and on what, is decided by ten small methods."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator
from typing import Any, ClassVar, Literal, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from seqgcn.evaluation import Metric
from seqgcn.exceptions import ArgumentError
from seqgcn.learners.batches import as_tensor, hold_out, in_batches, shuffled_batches
from seqgcn.learners.devices import mixed_precision, resolve_device
from seqgcn.learners.fitted import TRAINING_LOSS, check_attributes, check_fitted, curves_by
from seqgcn.learners.loss_prediction import (
    RANK_CORRELATION,
    LossPredictor,
    attach,
    find_modules,
    rank_correlation,
)
from seqgcn.learners.restorable_network import RestorableNetwork
from seqgcn.training import Progress, train
from seqgcn.utils.former_names import FormerName, take_former_names
from seqgcn.utils.seeding import derive_seed, generator, seeded


class Seen(NamedTuple):
    """What a network makes of a batch."""

    embedding: Tensor
    """`[b, d]`."""
    output: Tensor
    """Logits `[b, classes]`, or joints `[b, J, 3]` in the network's frame of reference."""
    passes: Callable[[], Tensor]
    """Outputs of passes with dropout, `[b, t, ...]`."""


class Training(NamedTuple):
    """What a batch to train on is made with."""

    targets: Tensor
    """Of all items."""
    draw: torch.Generator
    """Augments it."""


Batch = tuple[Tensor, Any]
"""What the network takes; and in training the targets as the loss takes them, else what the outputs depend on."""

Outputs = dict[str, Tensor]
"""What a network says of a batch, by name."""

Schedule = torch.optim.lr_scheduler.LRScheduler


class NetworkLearner(RestorableNetwork):
    """A learner that trains one network; scikit-learn's manners.

    Every learner of this package that has a network is one of these, and so is every learner of your own that inherits
    from `TorchLearner` or `TorchPoseLearner`. Subclasses are dataclasses with the parameters named below. Ten methods
    say what is trained; `ClassificationLearner` and `PoseLearner` have most of them:

    - `make_network`: a new network
    - `check_items`: raises what is wrong with items or targets, and says how large a network they need
    - `start_training`: prepares the network, and what depends on the training items, before training
    - `make_batch`: some items as the network takes them, in training augmented
    - `training_step`: the loss of a batch
    - `batch_losses`: the loss of each item, which Learning Loss predicts
    - `see_batch`: embedding, output and passes with dropout of a batch
    - `make_outputs`: what predictions and descriptions are made of
    - `make_optimizer` and `make_schedule`: how the weights are changed
    """

    epochs: int | None
    batch_size: int | None
    lr: float | None
    weight_decay: float
    samples: int
    validation: float
    warm_start: bool
    precision: Literal["auto", "float32", "bfloat16"]
    batch_seed: int | None
    seed: int

    metric: ClassVar[Metric]
    _answer: ClassVar[str]
    """Of `make_outputs`, what `predict` is made of."""
    _always: ClassVar[tuple[str, ...]]
    """Attributes that every such learner outputs."""
    _passes: ClassVar[str]
    """Attribute that holds the passes with dropout."""
    _curve: ClassVar[tuple[str, str]]
    """Name of the curve of the items held out, and the fitted attribute that keeps it."""
    _purposes: ClassVar[tuple[tuple[str, ...], tuple[str, ...]]]
    """What seeds are derived for: training, and passes with dropout."""
    _items_are_images: ClassVar[bool] = True
    """Whether the attribute `image` is the items as they were given."""
    _predict_batch: ClassVar[int | None] = None
    """Items predicted at once; by default `batch_size`."""

    loss_: Tensor

    provides = FormerName("outputs")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        take_former_names(cls, {"provides": "outputs", "could_provide": "optional_outputs"}, stacklevel=4)

    # What a subclass decides.

    @abstractmethod
    def check_items(self, inputs: Any, targets: Any) -> tuple[Tensor, dict[str, int]]:
        """Targets as they are trained on, and the sizes of a network for them.

        Raises:
            ArgumentError: Items or targets cannot be trained on, or not with the network where training goes on.
        """

    def start_training(self, sizes: dict[str, int], inputs: Any, targets: Tensor, device: torch.device) -> None:
        """Make the network that training starts from, unless the last fit's goes on."""
        del inputs, targets
        if not self._goes_on:
            self._take(sizes, self.make_network(sizes), device)

    @abstractmethod
    def make_batch(self, inputs: Any, ids: Tensor, device: torch.device, training: Training | None) -> Batch:
        """Some items as the network takes them, in training with their targets, and augmented."""

    @abstractmethod
    def training_step(self, batch: Tensor, targets: Tensor) -> tuple[Tensor, Any]:
        """Training loss of a batch, and the network's output."""

    def batch_losses(self, output: Any, targets: Tensor) -> Tensor:
        """Loss of each item, `[b]`, by which Learning Loss ranks them; here `self.loss` of each item alone."""
        loss: Callable[[Any, Tensor], Tensor] = getattr(self, "loss")  # noqa: B009  # of a subclass
        return torch.stack([loss(_row(output, i), targets[i : i + 1]) for i in range(len(targets))])

    @abstractmethod
    def see_batch(self, batch: Tensor) -> Seen:
        """What the network, in evaluation mode, makes of a batch."""

    @abstractmethod
    def make_outputs(self, inputs: Any, ids: Tensor, items: Any, seen: Seen, wanted: Collection[str]) -> Outputs:
        """What the network says of items, by name: at least what is wanted.

        Args:
            inputs: All items.
            ids: Which of them.
            items: What `make_batch` gave beside what the network takes.
            seen: What `see_batch` made of the batch.
            wanted: Names.
        """

    def make_optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """What trains the parameters: Adam."""
        return torch.optim.Adam(parameters, lr=self.resolved("lr"), weight_decay=self.weight_decay)

    def make_schedule(self, optimizer: torch.optim.Optimizer, epochs: int) -> Schedule | None:
        """What changes the learning rate after each epoch: nothing."""
        del optimizer, epochs
        return None

    # What every learner does the same way.

    def resolved(self, name: str) -> Any:
        """A parameter's value, or what None stands for."""
        return getattr(self, name)

    @property
    def has_passes(self) -> bool:
        """Whether there are passes with dropout."""
        return self.samples > 0

    @property
    def outputs(self) -> tuple[str, ...]:
        """Attributes that `describe` can give."""
        passes = (self._passes,) if self.has_passes else ()
        return (*self._always, *passes, *(("loss_pred",) if self.loss_prediction else ()), "image")

    def check_parameters(self) -> None:
        """Check the constructor's arguments, as `fit` does first.

        Raises:
            ArgumentError: One cannot be used.
        """
        self._check_values()
        if self.loss_prediction is not None:
            with torch.device("meta"):
                find_modules(self.make_network(self._usual_sizes), self.loss_prediction.modules)

    def fit(self, inputs: Any, targets: Any, *, unconfirmed: int = 0, progress: Progress | None = None) -> Self:
        """Train on labeled items.

        Args:
            inputs: n items, a tensor, an array or what else `inputs[ids]` gives some of.
            targets: Their classes `[n]` int64, or their joints `[n, J, 3]` floating point, mm; tensor or array.
            unconfirmed: How many of the last items have a target that nobody confirmed; they are never held out.
            progress: Told about every epoch, as stage `"train"`.

        Raises:
            ArgumentError: Items, targets or a parameter cannot be used.
            TrainingError: The loss became NaN or infinite.
        """
        self._check_for_fit()
        inputs = as_tensor(inputs)
        targets, sizes = self.check_items(inputs, as_tensor(targets, whole=torch.int64))
        device, epochs = resolve_device(self.device), self.resolved("epochs")
        held_out, kept = self._split(len(inputs), unconfirmed)
        everything, measured = (inputs, targets), list[float]()

        def validate(_epoch: int) -> None:
            if len(held_out):
                measured.append(self._measure_held_out(*(values[held_out] for values in everything)))

        kept = self._leave_out(inputs, targets, kept)
        if len(kept) < len(inputs):
            inputs, targets = inputs[kept], targets[kept]
        with seeded(derive_seed(self.seed, *self._purposes[0]), device):
            self.start_training(sizes, inputs, targets, device)
            self._check_network(*everything)
            predictor = self._attach(inputs, device)
            parameters = [*self.module_.parameters(), *(predictor.parameters() if predictor else ())]
            parameters = [parameter for parameter in parameters if parameter.requires_grad]
            if epochs and not parameters:
                raise ArgumentError("no parameter of the network requires a gradient; epochs=0 trains nothing")

            def objective(batch: tuple[Tensor, Tensor]) -> Tensor:
                loss, output = self.training_step(*batch)
                return loss if predictor is None else loss + predictor.loss(self.batch_losses(output, batch[1]))

            self.loss_ = torch.empty(0)
            try:
                if epochs:
                    optimizer = self.make_optimizer(parameters)
                    self.loss_ = train(
                        self.module_,
                        lambda epoch: self._batches(inputs, targets, device, epoch, epochs),
                        objective,
                        optimizer=optimizer,
                        epochs=epochs,
                        scheduler=self.make_schedule(optimizer, epochs),
                        autocast=mixed_precision(self.precision, device),
                        after_epoch=validate,
                        progress=progress,
                    )
                else:
                    validate(0)  # a network that was trained elsewhere is measured too
            finally:
                # Also of a training that was broken off: dropout must not stay on.
                self.module_.eval()
        setattr(self, self._curve[1], torch.tensor(measured))
        return self

    @property
    def curves_(self) -> dict[str, Tensor]:
        """What was measured after each epoch, by name and unit."""
        return curves_by(self, {TRAINING_LOSS: "loss_", self._curve[0]: self._curve[1]})

    def predict(self, inputs: Any, *, progress: Progress | None = None) -> Tensor:
        """Most probable class of each item, `[n]` int64, or its joints `[n, J, 3]` float32, mm."""
        return self._decide(self._forward(inputs, (self._answer,), progress, "predict")[self._answer])

    def score(self, inputs: Any, targets: Any, *, progress: Progress | None = None) -> float:
        """The learner's `metric`: accuracy from 0 to 1, or the mean distance of predicted from true joints, mm."""
        inputs, targets = as_tensor(inputs), as_tensor(targets, whole=torch.int64)
        check_fitted(self)
        self.check_inputs(inputs, targets)
        return self.measure(self.predict(inputs, progress=progress), targets)

    @staticmethod
    @abstractmethod
    def measure(predictions: Tensor, targets: Any) -> float:
        """The learner's `metric` of predictions."""

    @abstractmethod
    def item_losses(self, inputs: Any, targets: Any, *, progress: Progress | None = None) -> Tensor:
        """Loss of each item, `[n]`."""

    def diagnose(self, inputs: Any, targets: Any, *, progress: Progress | None = None) -> dict[str, float]:
        """Rank correlation of predicted and real loss, where the loss is predicted."""
        if self.loss_prediction is None:
            return {}
        predicted = self._forward(inputs, ("loss_pred",), progress, "test")["loss_pred"]
        return {RANK_CORRELATION: rank_correlation(predicted, self.item_losses(inputs, targets, progress=progress))}

    def describe(self, inputs: Any, attributes: Collection[str], *, progress: Progress | None = None) -> Data:
        """Describe every item by the attributes asked for, in one pass.

        `x` `[n, d]` is the embedding, `loss_pred` `[n]` the predicted loss. Of classes, `prob` `[n, classes]` are the
        probabilities, `prob_samples` `[n, samples, classes]` those of passes with dropout, and `image` the items
        themselves; of poses, `target_samples` `[n, samples, 3J]` are the joints relative to the crop's center, mm, of
        passes with dropout, and `image` `[n, 1, size, size]` uint8 the crops, background 255.

        Raises:
            ArgumentError: Another attribute is asked for, passes of a network without dropout, or `loss_pred` without
                `loss_prediction`.
        """
        inputs = as_tensor(inputs)
        check_fitted(self)
        check_attributes(self, attributes, self.outputs)
        self._check_fitted_with(attributes)
        given = {"image": inputs} if self._items_are_images and "image" in attributes else {}
        computed = [name for name in attributes if name not in given]
        if not computed:
            self.check_inputs(inputs)
        return Data(**(self._forward(inputs, computed, progress, "embed") if computed else {}), **given)

    # Below: small differences between the tasks, and what is shared by the methods above.

    def check_inputs(self, inputs: Any, targets: Any = None) -> None:
        """Raise an `ArgumentError` if the fitted network cannot be asked about these items, or scored by targets."""

    def _check_network(self, inputs: Any, targets: Tensor) -> None:
        """Raise an `ArgumentError` if what the network gives does not fit the targets."""

    def _leave_out(self, inputs: Any, targets: Tensor, kept: Tensor) -> Tensor:
        """Numbers of the items to train on, of those that are not held out: all of them."""
        del inputs, targets
        return kept

    def _check_for_fit(self) -> None:
        self.check_parameters()

    @abstractmethod
    def _measure_held_out(self, inputs: Any, targets: Tensor) -> float:
        """What the curve of the items held out says of these items."""

    def _decide(self, values: Tensor) -> Tensor:
        """A prediction, of what `make_outputs` gives for it."""
        return values

    @property
    def _goes_on(self) -> bool:
        return self.warm_start and hasattr(self, "module_")

    @property
    def _batch_seed(self) -> int:
        return self.seed if self.batch_seed is None else self.batch_seed

    def _check_fitted_with(self, attributes: Collection[str]) -> None:
        """Raise an `ArgumentError` if the network was fitted under parameters that cannot give what is asked for."""
        without_predictor = "loss_pred" in attributes and self.predictor_ is None
        without_dropout = getattr(self.module_, "dropout", 1.0) == 0
        if without_predictor or (without_dropout and self._passes in attributes):
            what = "loss_prediction" if without_predictor else "dropout"
            raise ArgumentError(f"{what} was set after this {type(self).__name__} was fitted; fit it again")

    def _split(self, n: int, unconfirmed: int = 0) -> tuple[Tensor, Tensor]:
        """Numbers of the items held out for validation, none where training goes on, and of the others."""
        share = 0.0 if self._goes_on else self.validation
        return hold_out(n, share, unconfirmed, generator(self._batch_seed, "validation"))

    def _attach(self, inputs: Any, device: torch.device) -> LossPredictor | None:
        """Give the network what predicts its loss, if asked for; what it already has stays."""
        if self.loss_prediction is None and self.predictor_ is None:
            return None
        example, _ = self.make_batch(inputs, torch.arange(1), device, None)
        # Under a seed of its own, so that the network's own training draws what it would draw without.
        with seeded(derive_seed(self.seed, "loss prediction"), device):
            self.predictor_ = attach(self._loss_options(self.module_), self.module_, example, self.predictor_)
        return self.predictor_

    def _batches(
        self, inputs: Any, targets: Tensor, device: torch.device, epoch: int, epochs: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        if self.predictor_ is not None:
            self.predictor_.begin(epoch, epochs)
        draw = generator(self._batch_seed, "batches", epoch)
        for ids in shuffled_batches(len(inputs), self.resolved("batch_size"), draw):
            yield self.make_batch(inputs, ids, device, Training(targets, draw))

    @torch.no_grad()
    def _forward(
        self, inputs: Any, wanted: Collection[str], progress: Progress | None = None, stage: str = ""
    ) -> dict[str, Tensor]:
        """What the network says of all items, by name."""
        check_fitted(self)
        inputs = as_tensor(inputs)
        self.check_inputs(inputs)
        module = self.module_.eval()
        device = next((tensor.device for tensor in module.state_dict().values()), torch.device("cpu"))

        def answer(ids: Tensor) -> dict[str, Tensor]:
            batch, items = self.make_batch(inputs, ids, device, None)
            part = self._pictures(items) if "image" in wanted else {}
            if set(wanted) - set(part):
                with mixed_precision(self.precision, device):
                    seen = self.see_batch(batch)
                    # Before further passes, which would leave other features behind.
                    if "loss_pred" in wanted and self.predictor_ is not None:
                        part["loss_pred"] = self.predictor_.predict(detach=True)
                    part |= {"x": seen.embedding, **self.make_outputs(inputs, ids, items, seen, wanted)}
            return {name: part[name] for name in wanted}

        with seeded(derive_seed(self.seed, *self._purposes[1]), device):
            return in_batches(len(inputs), self._predict_batch or self.resolved("batch_size"), answer, progress, stage)

    def _pictures(self, items: Any) -> dict[str, Tensor]:
        """The attribute `image` of some items, where it is not the items themselves."""
        del items
        return {}


def _row(output: Any, i: int) -> Any:
    """Output of one item of a batch, also of networks that put out several tensors."""
    if isinstance(output, Tensor):
        return output[i : i + 1]
    return type(output)(_row(part, i) for part in output) if isinstance(output, tuple | list) else output
