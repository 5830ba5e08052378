"""Any PyTorch network as a learner: what is shared whatever it predicts, and the learner of classifiers."""

import copy
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator
from torch import Tensor, nn
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
    resolve_device,
    shuffled_batches,
)
from seqgcn.learners.torch_network import (
    check_fields,
    check_layers,
    checked_logits,
    dropping,
    load_checkpoint,
    read_checkpoint,
    watching,
)
from seqgcn.training import Progress, train
from seqgcn.utils.seeding import derive_seed, generator, seeded
from seqgcn.utils.validation import check_number, check_whole, kind_of


@dataclass(kw_only=True, eq=False, repr=False)
class TorchModel(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """What learners of a user's own network share; `TorchLearner` says what the parameters are.

    A subclass has a parameter for how many outputs there are, which `build` is told; `_outputs` is its name.
    """

    module: nn.Module | Callable[[], nn.Module] | None = None
    embedding: str = ""
    checkpoint: str | None = None
    prefix: str = ""
    epochs: int = 30
    batch_size: int = 32
    lr: float = 1e-3
    weight_decay: float = 0.0
    samples: int = 0
    validation: float = 0.0
    warm_start: bool = False
    device: str = "auto"
    seed: int = 0

    _outputs: ClassVar[str]
    _usual: ClassVar[int]
    """How many outputs a network is built with to be checked, where nobody says how many there are."""
    _curve: ClassVar[tuple[str, str]]
    """What the curve of the items held out is called, and the attribute that keeps it."""
    module_: nn.Module = field(init=False, repr=False)
    loss_: Tensor = field(init=False, repr=False)

    @abstractmethod
    def build(self, count: int, /) -> nn.Module:
        """New network of so many outputs, under the learner's seed."""

    @abstractmethod
    def loss(self, output: Any, targets: Tensor, /) -> Tensor:
        """What is minimised, of a batch."""

    def optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """What trains the parameters: Adam."""
        return torch.optim.Adam(parameters, lr=self.lr, weight_decay=self.weight_decay)

    def check_parameters(self) -> None:
        """Check the arguments, and that there is such a network.

        Raises:
            ArgumentError: One cannot be used.
            DataFileError: The checkpoint cannot be read.
        """
        self._check_values()
        # How many outputs there are may not be known yet; a checkpoint fits one number alone.
        self._new(self._asked or self._usual, load=self._asked is not None)

    def fit(self, inputs: Any, targets: Tensor, *, unconfirmed: int = 0, progress: Progress | None = None) -> Self:
        """Train on labelled items.

        Args:
            inputs: n items; `inputs[ids]` are those of some.
            targets: Their classes `[n]` int64, or their joints `[n, J, 3]` floating point, mm.
            unconfirmed: How many of the last items have a target that nobody confirmed; they are never held out.
            progress: Told about every epoch, as stage `"train"`.

        Raises:
            ArgumentError: Items, targets or a parameter cannot be used.
            TrainingError: The loss became NaN or infinite.
        """
        self._check_values()
        goes_on = self.warm_start and hasattr(self, "module_")
        self._check_items(inputs, targets, goes_on)
        device = resolve_device(self.device)
        share = 0.0 if goes_on else self.validation
        held_out, kept = hold_out(len(inputs), share, unconfirmed, generator(self.seed, "validation"))
        everything, measured = (inputs, targets), list[float]()

        def validate(_epoch: int) -> None:
            if len(held_out):
                measured.append(self._measure(*(values[held_out] for values in everything)))

        if not goes_on:
            self._take(self._asked or self._count(targets), device)
        self._check_output(inputs[torch.arange(min(2, len(inputs)))], targets)
        if len(held_out):
            inputs, targets = inputs[kept], targets[kept]
        trained = [parameter for parameter in self.module_.parameters() if parameter.requires_grad]
        if self.epochs and not trained:
            raise ArgumentError("no parameter of the network requires a gradient; epochs=0 trains nothing")
        self.loss_ = torch.empty(0)
        if self.epochs:  # a network may have no parameter at all, which no optimiser takes
            with seeded(derive_seed(self.seed, "torch learner", "train"), device):
                self.loss_ = train(
                    self.module_,
                    lambda epoch: self._batches(inputs, targets, device, epoch),
                    lambda batch: self.loss(self._trained_on(self.module_(batch[0]), len(batch[1])), batch[1]),
                    optimizer=self.optimizer(trained),
                    epochs=self.epochs,
                    after_epoch=validate,
                    progress=progress,
                )
        else:
            validate(0)  # a network that was trained elsewhere is measured too
        self.module_.eval()
        setattr(self, self._curve[1], torch.tensor(measured))
        return self

    @property
    def curves_(self) -> dict[str, Tensor]:
        """What was measured after each epoch, by name and unit."""
        return curves_by(self, {TRAINING_LOSS: "loss_", self._curve[0]: self._curve[1]})

    def state(self) -> dict[str, Tensor]:
        """Everything `fit` has learned, by name."""
        check_fitted(self)
        fitted = f"{self._outputs}_"
        return copy_weights(self.module_, None, **{fitted: torch.tensor(getattr(self, fitted))})

    def restore(self, state: dict[str, Tensor]) -> Self:
        """Take over an earlier `state()` and return self, as if just fitted.

        Raises:
            ArgumentError: It is the state of another network.
        """
        fitted = f"{self._outputs}_"
        count = int(state[fitted]) if fitted in state else self._asked or self._usual
        self._take(count, resolve_device(self.device), load=False)
        load_weights(self.module_, state)
        return self

    @abstractmethod
    def _check_items(self, inputs: Any, targets: Any, goes_on: bool) -> None:
        """Raise an `ArgumentError` if these cannot be trained on, or, where training goes on, not with the network."""

    @abstractmethod
    def _count(self, targets: Tensor) -> int:
        """How many outputs the network needs for these targets."""

    @abstractmethod
    def _check_output(self, some: Any, targets: Tensor) -> None:
        """Raise an `ArgumentError` if what the network gives for some items does not fit the targets."""

    @abstractmethod
    def _batch(
        self, inputs: Any, targets: Tensor, ids: Tensor, device: torch.device, draw: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Some items to train on, as the network takes them, and their targets, as the loss takes them."""

    @abstractmethod
    def _measure(self, inputs: Any, targets: Tensor) -> float:
        """What the curve of the items held out says, of these items."""

    @abstractmethod
    def _answer(
        self, inputs: Any, ids: Tensor, device: torch.device, wanted: Collection[str], embedded: Callable[[int], Tensor]
    ) -> dict[str, Tensor]:
        """What the network says of some items, by name; at least what is wanted."""

    def _trained_on(self, output: Any, b: int) -> Any:
        """What the network gives in training for b items, as the loss takes it."""
        del b
        return output

    @property
    def _asked(self) -> int | None:
        count: int | None = getattr(self, self._outputs)
        return count

    def _check_values(self) -> None:
        check_fields(self)
        check_whole("epochs", self.epochs, low=0)
        check_whole("batch_size", self.batch_size)
        check_number("lr", self.lr, low=0, open_low=True)
        check_number("weight_decay", self.weight_decay, low=0)
        check_number("validation", self.validation, low=0, high=1, open_high=True)
        if check_whole("samples", self.samples, low=0) == 1:
            raise ArgumentError("samples must be 0 or at least 2, as one pass never disagrees with itself, got 1")

    def _made(self, name: str) -> nn.Module:
        """The network that `module` is, copied, or makes; `name` is the class whose `build` makes another."""
        made = copy.deepcopy(self.module) if isinstance(self.module, nn.Module) else self.module and self.module()
        if not isinstance(made, nn.Module):
            raise ArgumentError(
                f"module must be a torch.nn.Module or make one, got {kind_of(made)}; or override build of {name}"
            )
        return made

    def _new(self, count: int, load: bool = True) -> nn.Module:
        with seeded(derive_seed(self.seed, "torch learner", "weights")):
            module = self.build(count)
        check_layers(module, self.embedding, self.samples)
        if self.checkpoint is not None:
            weights = read_checkpoint(self.checkpoint, self.prefix)
            if load:
                load_checkpoint(module, weights, self.checkpoint, self.prefix)
        return module

    def _take(self, count: int, device: torch.device, load: bool = True) -> None:
        setattr(self, f"{self._outputs}_", count)
        self.module_ = self._new(count, load).to(device)

    def _batches(
        self, inputs: Any, targets: Tensor, device: torch.device, epoch: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        draw = generator(self.seed, "batches", epoch)
        for ids in shuffled_batches(len(inputs), self.batch_size, draw):
            yield self._batch(inputs, targets, ids, device, draw)

    @torch.no_grad()
    def _forward(
        self, inputs: Any, wanted: Collection[str], progress: Progress | None = None, stage: str = ""
    ) -> dict[str, Tensor]:
        check_fitted(self)
        module = self.module_.eval()
        device = next((tensor.device for tensor in module.state_dict().values()), torch.device("cpu"))

        with watching(module, self.embedding) as embedded:

            def answer(ids: Tensor) -> dict[str, Tensor]:
                part = self._answer(inputs, ids, device, wanted, embedded)
                return {name: part[name] for name in wanted}

            with seeded(derive_seed(self.seed, "torch learner", "passes"), device):
                return in_batches(len(inputs), self.batch_size, answer, progress, stage)

    def _passes(self, batch: Tensor, said: Callable[[Any], Tensor]) -> Tensor:
        """What passes with dropout say, `[b, samples, ...]`; `said` makes that of what the network gives."""
        with dropping(self.module_):
            return torch.stack([said(self.module_(batch)) for _ in range(self.samples)], dim=1)


@dataclass(kw_only=True, eq=False, repr=False)
class TorchLearner(TorchModel):
    """A `torch.nn.Module` that gives logits `[b, classes]`, trained with cross-entropy; scikit-learn's manners.

    In Python it is given the network: `TorchLearner(module=Net, embedding="features")`. On the command line, which
    knows classes alone, it is inherited from; new fields are parameters that `--set learner.NAME=VALUE` reaches:

        @dataclass
        class MyLearner(TorchLearner):
            embedding: str = "features"
            width: int = 64

            def build(self, num_classes):
                return Net(self.width, num_classes)

    `prepare`, `loss` and `optimizer` can be overridden too. After `fit`, `module_` is the network (in evaluation mode),
    `num_classes_` how many classes it was built for, `loss_` `[epochs]` the training loss, `validation_accuracy_`
    `[epochs]` the accuracy (%) on the labelled items held out, empty if there are none, and `curves_` both by name.

    Args:
        module: A class or function that makes the network, called in each `fit`; or a network, of which each `fit`
            trains a copy from the weights that it has.
        embedding: Path of the layer whose output is the embedding, as `module.named_modules()` has it. Feature maps
            `[b, c, h, w]` are averaged over h and w; all else is flattened.
        checkpoint: File of weights to start from: a `state_dict`, or a checkpoint of Lightning, which holds one.
        prefix: What the names of its weights begin with, `"model."` for one that a Lightning module calls
            `self.model`; all others are left out.
        epochs: Passes over the labelled items; 0 to train nothing, which `checkpoint` or a network as `module` is for.
        batch_size: Items a step, and at once in prediction.
        lr: Learning rate of Adam.
        weight_decay: L2 term added to the gradient.
        samples: Passes with the network's dropout behind `prob_samples`; 0 for none.
        validation: Share of the labelled items held out of training, if there are at least 10; none where `warm_start`
            goes on, as the weights have seen them.
        num_classes: Classes there are, for `build`; by default the largest target seen in `fit` plus 1.
        warm_start: Whether `fit` goes on from the last fit's weights.
        device: `"auto"` (a GPU if there is one), `"cpu"`, `"cuda"`, `"cuda:1"`, ...
        seed: Of initial weights, batch order and dropout.
    """

    num_classes: int | None = None

    task: ClassVar[str] = "classification"
    metric: ClassVar[Metric] = ACCURACY
    could_provide: ClassVar[Mapping[str, str]] = {
        "prob_samples": "Passes with dropout need a network with some, and samples (learner.samples=20)"
    }
    _outputs: ClassVar[str] = "num_classes"
    _usual: ClassVar[int] = 2
    _curve: ClassVar[tuple[str, str]] = (VALIDATION_ACCURACY, "validation_accuracy_")
    num_classes_: int = field(init=False, repr=False)
    validation_accuracy_: Tensor = field(init=False, repr=False)

    def build(self, num_classes: int) -> nn.Module:
        """New network, under the learner's seed; one that is given decides itself how many classes it tells apart."""
        del num_classes
        return self._made("TorchLearner")

    def prepare(self, inputs: Any) -> Tensor:
        """A batch as the network takes it: of images `[b, c, h, w]` uint8, float32 in [0, 1]; else as it is."""
        if not isinstance(inputs, Tensor):
            raise ArgumentError(f"inputs must be a tensor, an item a row, got {kind_of(inputs)}; or override prepare")
        return inputs.float() / 255 if inputs.dtype == torch.uint8 else inputs

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What is minimised, of a batch: mean cross-entropy of logits `[b, classes]` and targets `[b]` int64."""
        return F.cross_entropy(logits, targets)

    @property
    def provides(self) -> tuple[str, ...]:
        """Attributes that `describe` can give."""
        return ("x", "prob", *(("prob_samples",) if self.samples else ()), "image")

    def predict(self, inputs: Any, *, progress: Progress | None = None) -> Tensor:
        """Most probable class of each item, `[n]` int64."""
        return self.predict_proba(inputs, progress=progress).argmax(dim=1)

    def predict_proba(self, inputs: Any, *, progress: Progress | None = None) -> Tensor:
        """Class probabilities, `[n, classes]` float32."""
        return self._forward(inputs, ("prob",), progress, "predict")["prob"]

    def score(self, inputs: Any, targets: Tensor, *, progress: Progress | None = None) -> float:
        """Accuracy, from 0 to 1."""
        return accuracy(self.predict(inputs, progress=progress), targets)

    def describe(self, inputs: Any, attributes: Collection[str], *, progress: Progress | None = None) -> Data:
        """Describe every item by the attributes asked for, in one pass.

        `x` `[n, d]` is the embedding, `prob` `[n, classes]` the class probabilities, `prob_samples`
        `[n, samples, classes]` those of passes with dropout, and `image` the items themselves.

        Raises:
            ArgumentError: Another attribute is asked for, or `prob_samples` of a network without dropout.
        """
        check_attributes(self, attributes, self.provides)
        wanted = [name for name in attributes if name != "image"]
        data = Data(**self._forward(inputs, wanted, progress, "embed")) if wanted else Data()
        if "image" in attributes:
            data.image = inputs
        return data

    def _check_items(self, inputs: Any, targets: Any, goes_on: bool) -> None:
        del goes_on
        check_classes(targets, len(inputs))

    def _count(self, targets: Tensor) -> int:
        return int(targets.max()) + 1

    def _check_output(self, some: Any, targets: Tensor) -> None:
        classes = self._forward(some, ("prob", "x"))["prob"].shape[1]
        if not 0 <= int(targets.min()) <= int(targets.max()) < classes:
            raise ArgumentError(
                f"targets must be classes from 0 to {classes - 1}, as the network gives {classes} logits, got "
                f"{int(targets.min())} to {int(targets.max())}"
            )

    def _batch(
        self, inputs: Any, targets: Tensor, ids: Tensor, device: torch.device, draw: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        del draw
        return self.prepare(inputs[ids]).to(device), targets[ids].to(device)

    def _measure(self, inputs: Any, targets: Tensor) -> float:
        return 100 * self.score(inputs, targets)

    def _answer(
        self, inputs: Any, ids: Tensor, device: torch.device, wanted: Collection[str], embedded: Callable[[int], Tensor]
    ) -> dict[str, Tensor]:
        batch = self.prepare(inputs[ids]).to(device)
        logits = checked_logits(self.module_(batch), len(ids))
        part = {"x": embedded(len(ids)), "prob": logits.float().softmax(dim=1)}
        if "prob_samples" in wanted:
            part["prob_samples"] = self._passes(batch, lambda logits: logits.float().softmax(dim=1))
        return part
