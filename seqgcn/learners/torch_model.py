"""Any PyTorch classifier as a learner: a network, and the name of the layer that embeds."""

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator
from torch import Tensor, nn
from torch_geometric.data import Data

from seqgcn.checks import check_number, check_whole, kind_of, name_some
from seqgcn.errors import ArgumentError, DataFileError, MissingFileError
from seqgcn.evaluation import ACCURACY, Metric, accuracy
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
from seqgcn.seeding import derive_seed, generator, seeded
from seqgcn.training import Progress, train

_DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


@dataclass(kw_only=True, eq=False, repr=False)
class TorchLearner(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
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
    num_classes: int | None = None
    warm_start: bool = False
    device: str = "auto"
    seed: int = 0

    task: ClassVar[str] = "classification"
    metric: ClassVar[Metric] = ACCURACY
    could_provide: ClassVar[Mapping[str, str]] = {
        "prob_samples": "Passes with dropout need a network with some, and samples (learner.samples=20)"
    }
    module_: nn.Module = field(init=False, repr=False)
    num_classes_: int = field(init=False, repr=False)
    loss_: Tensor = field(init=False, repr=False)
    validation_accuracy_: Tensor = field(init=False, repr=False)

    def build(self, num_classes: int) -> nn.Module:
        """New network, under the learner's seed; one that is given decides itself how many classes it tells apart."""
        del num_classes
        made = copy.deepcopy(self.module) if isinstance(self.module, nn.Module) else self.module and self.module()
        if not isinstance(made, nn.Module):
            raise ArgumentError(
                f"module must be a torch.nn.Module or make one, got {kind_of(made)}; or override build of TorchLearner"
            )
        return made

    def prepare(self, inputs: Any) -> Tensor:
        """A batch as the network takes it: of images `[b, c, h, w]` uint8, float32 in [0, 1]; else as it is."""
        if not isinstance(inputs, Tensor):
            raise ArgumentError(f"inputs must be a tensor, an item a row, got {kind_of(inputs)}; or override prepare")
        return inputs.float() / 255 if inputs.dtype == torch.uint8 else inputs

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What is minimised, of a batch: mean cross-entropy of logits `[b, classes]` and targets `[b]` int64."""
        return F.cross_entropy(logits, targets)

    def optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """What trains the parameters: Adam."""
        return torch.optim.Adam(parameters, lr=self.lr, weight_decay=self.weight_decay)

    @property
    def provides(self) -> tuple[str, ...]:
        """Attributes that `describe` can give."""
        return ("x", "prob", *(("prob_samples",) if self.samples else ()), "image")

    def check_parameters(self) -> None:
        """Check the arguments, and that there is such a network.

        Raises:
            ArgumentError: One cannot be used.
            DataFileError: The checkpoint cannot be read.
        """
        self._check_values()
        # How many classes there are may not be known yet; a checkpoint fits one number alone.
        self._new(self.num_classes or 2, load=self.num_classes is not None)

    def _check_values(self) -> None:
        for each in fields(self):
            default = vars(type(self)).get(each.name, MISSING)
            if each.init and default is not MISSING and default is not each.default:
                raise ArgumentError(
                    f"{type(self).__name__}.{each.name} has no effect; write @dataclass above the class, and a type "
                    f"behind the name ({each.name}: {type(default).__name__} = {default!r})"
                )
        check_whole("epochs", self.epochs, low=0)
        check_whole("batch_size", self.batch_size)
        check_number("lr", self.lr, low=0, open_low=True)
        check_number("weight_decay", self.weight_decay, low=0)
        check_number("validation", self.validation, low=0, high=1, open_high=True)
        if check_whole("samples", self.samples, low=0) == 1:
            raise ArgumentError("samples must be 0 or at least 2, as one pass never disagrees with itself, got 1")

    def fit(self, inputs: Any, targets: Tensor, *, unconfirmed: int = 0, progress: Progress | None = None) -> Self:
        """Train on labelled items.

        Args:
            inputs: n items; `inputs[ids]` are those of some.
            targets: `[n]` int64 classes.
            unconfirmed: How many of the last items have a class that nobody confirmed; they are never held out.
            progress: Told about every epoch, as stage `"train"`.

        Raises:
            ArgumentError: Items, targets or a parameter cannot be used.
            TrainingError: The loss became NaN or infinite.
        """
        self._check_values()
        check_classes(targets, len(inputs))
        device = resolve_device(self.device)
        goes_on = self.warm_start and hasattr(self, "module_")
        share = 0.0 if goes_on else self.validation
        held_out, kept = hold_out(len(inputs), share, unconfirmed, generator(self.seed, "validation"))
        everything, accuracies = (inputs, targets), list[float]()

        def validate(_epoch: int) -> None:
            if len(held_out):
                accuracies.append(100 * self.score(*(values[held_out] for values in everything)))

        if not goes_on:
            self.num_classes_ = self.num_classes or int(targets.max()) + 1
            self.module_ = self._new(self.num_classes_).to(device)
        classes = self._forward(inputs[torch.arange(min(2, len(inputs)))], ("prob", "x"))["prob"].shape[1]
        if not 0 <= int(targets.min()) <= int(targets.max()) < classes:
            raise ArgumentError(
                f"targets must be classes from 0 to {classes - 1}, as the network gives {classes} logits, got "
                f"{int(targets.min())} to {int(targets.max())}"
            )
        if len(held_out):
            inputs, targets = inputs[kept], targets[kept]
        trained = [parameter for parameter in self.module_.parameters() if parameter.requires_grad]
        if self.epochs and not trained:
            raise ArgumentError("no parameter of the network requires a gradient; epochs=0 trains nothing")
        with seeded(derive_seed(self.seed, "torch learner", "train"), device):
            self.loss_ = train(
                self.module_,
                lambda epoch: self._batches(inputs, targets, device, epoch),
                lambda batch: self.loss(self.module_(batch[0]), batch[1]),
                optimizer=self.optimizer(trained or list(self.module_.parameters())),
                epochs=self.epochs,
                after_epoch=validate,
                progress=progress,
            )
        self.module_.eval()
        self.validation_accuracy_ = torch.tensor(accuracies)
        return self

    @property
    def curves_(self) -> dict[str, Tensor]:
        """What was measured after each epoch, by name and unit."""
        return curves_by(self, {TRAINING_LOSS: "loss_", VALIDATION_ACCURACY: "validation_accuracy_"})

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

    def state(self) -> dict[str, Tensor]:
        """Everything `fit` has learned, by name."""
        check_fitted(self)
        return copy_weights(self.module_, num_classes_=torch.tensor(self.num_classes_))

    def restore(self, state: dict[str, Tensor]) -> Self:
        """Take over an earlier `state()` and return self, as if just fitted.

        Raises:
            ArgumentError: It is the state of another network.
        """
        self.num_classes_ = int(state["num_classes_"]) if "num_classes_" in state else self.num_classes or 2
        self.module_ = self._new(self.num_classes_, load=False).to(resolve_device(self.device))
        load_weights(self.module_, state)
        return self

    def _new(self, num_classes: int, load: bool = True) -> nn.Module:
        with seeded(derive_seed(self.seed, "torch learner", "weights")):
            module = self.build(num_classes)
        known = [path for path, _ in module.named_modules() if path]
        if self.embedding not in known:
            raise ArgumentError(
                f"embedding must name a layer of the network, got {self.embedding!r}; {type(module).__name__} has "
                f"{name_some(sorted(known, key=lambda path: path.count('.')), 20)}"
            )
        if self.samples and not any(isinstance(layer, _DROPOUT) for layer in module.modules()):
            raise ArgumentError(f"samples is {self.samples}, but {type(module).__name__} has no layer of dropout")
        if self.checkpoint is not None:
            weights = _read(self.checkpoint, self.prefix)
            if load:
                _load(module, weights, self.checkpoint)
        return module

    def _batches(
        self, inputs: Any, targets: Tensor, device: torch.device, epoch: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        for ids in shuffled_batches(len(inputs), self.batch_size, generator(self.seed, "batches", epoch)):
            yield self.prepare(inputs[ids]).to(device), targets[ids].to(device)

    @torch.no_grad()
    def _forward(
        self, inputs: Any, wanted: Collection[str], progress: Progress | None = None, stage: str = ""
    ) -> dict[str, Tensor]:
        check_fitted(self)
        module, seen = self.module_.eval(), {}
        device = next((tensor.device for tensor in module.state_dict().values()), torch.device("cpu"))

        def keep(_layer: nn.Module, _inputs: Any, output: Any) -> None:
            seen["x"] = output.clone() if isinstance(output, Tensor) else output  # as the next may work in place

        def answer(ids: Tensor) -> dict[str, Tensor]:
            batch = self.prepare(inputs[ids]).to(device)
            logits = _checked_logits(module(batch), len(ids))
            part = {"x": self._flat(seen.pop("x", None), len(ids)), "prob": logits.float().softmax(dim=1)}
            if "prob_samples" in wanted:
                with _dropping(module):
                    passes = [module(batch).float().softmax(dim=1) for _ in range(self.samples)]
                part["prob_samples"] = torch.stack(passes, dim=1)
            return {name: part[name] for name in wanted}

        handle = module.get_submodule(self.embedding).register_forward_hook(keep)
        try:
            with seeded(derive_seed(self.seed, "torch learner", "passes"), device):
                return in_batches(len(inputs), self.batch_size, answer, progress, stage)
        finally:
            handle.remove()

    def _flat(self, output: Any, b: int) -> Tensor:
        """The embedding `[b, d]` of a layer's output."""
        if not isinstance(output, Tensor) or output.dim() < 2 or len(output) != b:
            raise ArgumentError(
                f"the layer {self.embedding} must put out a tensor of {b} rows, one an item, got {kind_of(output)}; "
                "name another with embedding"
            )
        return output.mean(dim=(2, 3)) if output.dim() == 4 else output.flatten(1)


def _checked_logits(output: Any, b: int) -> Tensor:
    if not isinstance(output, Tensor) or output.dim() != 2 or len(output) != b:
        raise ArgumentError(
            f"the network must give logits [{b}, classes], got {kind_of(output)}; wrap it in one that does"
        )
    return output


@contextmanager
def _dropping(module: nn.Module) -> Iterator[None]:
    """The network in evaluation mode but for its dropout."""
    for layer in module.modules():
        if isinstance(layer, _DROPOUT):
            layer.train()
    try:
        yield
    finally:
        module.eval()


def _read(path: str, prefix: str) -> dict[str, Tensor]:
    """Weights of a checkpoint, by name without the prefix.

    Raises:
        MissingFileError: There is no such file.
        DataFileError: It holds no such weights that can be read safely.
    """
    try:
        held = torch.load(Path(path).expanduser(), map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise MissingFileError(f"checkpoint {path} does not exist") from error
    except Exception as error:  # a damaged file can make torch's reader trip over anything
        raise DataFileError(
            f"cannot read the checkpoint {path} ({type(error).__name__}). Only tensors and plain values are read, as "
            "anything else in a checkpoint could run code. If you trust it, save its weights alone: "
            "torch.save(torch.load(PATH, weights_only=False)['state_dict'], 'weights.pt')"
        ) from error
    held = held.get("state_dict", held) if isinstance(held, dict) else {}
    state = {key: value for key, value in held.items() if isinstance(key, str) and isinstance(value, Tensor)}
    chosen = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    if not chosen:
        names = f"it has {name_some(list(state))}" if state else "it has none at all"
        raise DataFileError(f"the checkpoint {path} has no weights that begin with {prefix!r}; {names}")
    return chosen


def _load(module: nn.Module, weights: dict[str, Tensor], path: str) -> None:
    """Put weights into a network.

    Raises:
        DataFileError: They are those of another network.
    """
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split(":", 1)[-1].split())
        raise DataFileError(
            f"the checkpoint {path} is of another network than {type(module).__name__}, or its names have another "
            f"prefix: {reason[:500]}"
        ) from error
