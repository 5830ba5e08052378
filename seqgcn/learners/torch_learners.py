"""Any PyTorch network as a learner: of classes, and of hand poses."""

import copy
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from inspect import isfunction
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgcn.exceptions import ArgumentError, SeqGCNError
from seqgcn.learners.classification import A_PREDICTED_LOSS, ClassificationLearner
from seqgcn.learners.hand_pose import PoseLearner
from seqgcn.learners.loss_prediction import find_modules
from seqgcn.learners.nets.pose import known_or
from seqgcn.learners.network import NetworkLearner, Seen
from seqgcn.learners.torch_network import (
    check_fields,
    check_layers,
    checked_logits,
    dropping,
    load_checkpoint,
    read_checkpoint,
    watching,
)
from seqgcn.selectors.extensions import LossPrediction
from seqgcn.utils.seeding import derive_seed, seeded
from seqgcn.utils.validation import kind_of

_COULD_DROP = "Passes with dropout need a network with some, and samples (learner.samples=20)"


@dataclass(kw_only=True, eq=False, repr=False)
class TorchModel(NetworkLearner):
    """A learner of a user's own network; `TorchLearner` says what the parameters are."""

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
    loss_prediction: LossPrediction | None = None
    warm_start: bool = False
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    batch_seed: int | None = None
    seed: int = 0

    _purposes: ClassVar[tuple[tuple[str, ...], tuple[str, ...]]] = (
        ("torch learner", "train"),
        ("torch learner", "passes"),
    )
    _least: ClassVar[int] = 0
    later_parameters: ClassVar[tuple[str, ...]] = ("loss_prediction", "precision", "batch_seed")
    """Parameters that 0.1 did not have; runs and rounds hold them only where they are not as by default."""

    def build(self, count: int, /) -> nn.Module:
        """New network, under the learner's seed, of so many outputs; one that is given decides itself how many."""
        del count
        return self._given()

    @abstractmethod
    def loss(self, output: Any, targets: Tensor, /) -> Tensor:
        """What is minimized, of a batch."""

    def optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """What trains the parameters: Adam."""
        return super().make_optimizer(parameters)

    def make_optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """What `optimizer` gives."""
        return self.optimizer(parameters)

    def check_parameters(self) -> None:
        """Check the arguments, and that there is such a network.

        Raises:
            ArgumentError: One cannot be used.
            DataFileError: The checkpoint cannot be read.
        """
        self._check_values()
        count = getattr(self, self._count)
        # How many outputs there are may not be known yet; a checkpoint fits one number alone.
        sizes = self._usual_sizes if count is None else {f"{self._count}_": count}
        module = self._loaded(self.make_network(sizes), count)
        if options := self._loss_options(module):
            find_modules(module, options.modules)

    def make_network(self, sizes: Mapping[str, int]) -> nn.Module:
        """What `build` makes for so many outputs, under a seed of its own."""
        with seeded(derive_seed(self.seed, "torch learner", "weights")):
            module = self.build(sizes[f"{self._count}_"])
        check_layers(module, self.embedding, self.samples)
        return module

    def start_training(self, sizes: dict[str, int], inputs: Any, targets: Tensor, device: torch.device) -> None:
        """Make the network that training starts from, of the checkpoint's weights, unless the last fit's goes on."""
        del inputs, targets
        if not self._goes_on:
            self._take(sizes, self._loaded(self.make_network(sizes), True), device)

    def training_step(self, batch: Tensor, targets: Tensor) -> tuple[Tensor, Any]:
        """What `loss` says of what the network gives in training, as it is, and that."""
        output = self._trained_on(self.module_(batch), len(batch))
        return self.loss(output, self._known_targets(output, targets)), output

    def see_batch(self, batch: Tensor) -> Seen:
        """Output of the layer that embeds, and of the network; passes with dropout are of all its layers."""
        b = len(batch)
        with watching(self.module_, self.embedding) as embedded:
            output = self._checked(self.module_(batch), b)
            embedding = embedded(b)

        def passes() -> Tensor:
            with dropping(self.module_):
                return torch.stack([self._checked(self.module_(batch), b) for _ in range(self.samples)], dim=1)

        return Seen(embedding, output, passes)

    @abstractmethod
    def _checked(self, output: Any, b: int) -> Tensor:
        """What the network gave for b items, if it is of the right shape."""

    def _trained_on(self, output: Any, b: int) -> Any:
        """What the network gave for b items, as the loss takes it."""
        del b
        return output

    def _known_targets(self, output: Any, targets: Tensor) -> Tensor:
        """Targets, as the loss takes them."""
        del output
        return targets

    def _check_for_fit(self) -> None:
        self._check_values()  # the rest is checked while the network is made

    def _check_network(self, inputs: Any, targets: Tensor) -> None:
        del targets
        self._forward(inputs[torch.arange(min(2, len(inputs)))], (self._answer, "x"))

    def _check_values(self) -> None:
        check_fields(self)
        super()._check_values()
        for each in fields(self):
            if any(isfunction(vars(kind).get(each.name)) for kind in type(self).__mro__):
                raise ArgumentError(
                    f"{type(self).__name__} has both a parameter and a method {each.name}; rename the parameter"
                )
        kinds = (("embedding", str), ("prefix", str), ("checkpoint", str | None))
        for name, kind in kinds:
            if not isinstance(getattr(self, name), kind):
                what = "text" + (" or None" if name == "checkpoint" else "")
                raise ArgumentError(f"{name} must be {what}, got {getattr(self, name)!r}")

    def _loss_options(self, module: nn.Module) -> LossPrediction | None:
        options = self.loss_prediction
        if options is None or options.modules or getattr(module, "loss_modules", ()):
            return options
        return replace(options, modules=(self.embedding,))

    def _given(self) -> nn.Module:
        """The network that `module` is, copied, or makes."""
        made: Any = self.module
        if isinstance(made, nn.Module):
            return copy.deepcopy(made)
        if callable(made):
            try:
                made = made()
            except SeqGCNError:
                raise
            except Exception as error:  # whatever a user's function does
                name = getattr(self.module, "__name__", kind_of(self.module))
                raise ArgumentError(
                    f"module: {name}() failed with {type(error).__name__}: {error}; it is called without arguments, so "
                    "give a function that needs none, or override build"
                ) from error
        if not isinstance(made, nn.Module):
            kind = next(each.__name__ for each in (TorchLearner, TorchPoseLearner) if isinstance(self, each))
            raise ArgumentError(
                f"module must be a torch.nn.Module or make one, got {kind_of(made)}; or override build of {kind}"
            )
        return made

    def _loaded(self, module: nn.Module, fits: Any) -> nn.Module:
        """A network with the checkpoint's weights, if there is one; only read where they may not fit it."""
        if self.checkpoint is not None:
            weights = read_checkpoint(self.checkpoint, self.prefix)
            if fits:
                load_checkpoint(module, weights, self.checkpoint, self.prefix)
        return module


@dataclass(kw_only=True, eq=False, repr=False)
class TorchLearner(TorchModel, ClassificationLearner):
    """A `torch.nn.Module` that gives logits `[b, classes]`, trained with cross-entropy; scikit-learn's manners.

    In Python it is given the network: `TorchLearner(module=Net, embedding="features")`. On the command line, which
    knows classes alone, it is inherited from; new fields are parameters that `--set learner.NAME=VALUE` reaches:

        @dataclass
        class MyLearner(TorchLearner):
            embedding: str = "features"
            width: int = 64

            def build(self, num_classes):
                return Net(self.width, num_classes)

    `prepare`, `loss` and `optimizer` can be overridden too, and what `NetworkLearner` lists. After `fit`,
    `module_` is the network (in evaluation mode), `num_classes_` how many classes it was built for, `loss_` `[epochs]`
    the training loss, `validation_accuracy_` `[epochs]` the accuracy (%) on the labeled items held out, empty if there
    are none, and `curves_` both by name.

    Args:
        module: A class or function that makes the network, called in each `fit`; or a network, of which each `fit`
            trains a copy from the weights that it has.
        embedding: Path of the layer whose output is the embedding, as `module.named_modules()` has it. Feature maps
            `[b, c, h, w]` are averaged over h and w; all else is flattened.
        checkpoint: File of weights to start from: a `state_dict`, or a checkpoint of Lightning, which holds one.
        prefix: What the names of its weights begin with, `"model."` for one that a Lightning module calls
            `self.model`; all others are left out.
        epochs: Passes over the labeled items; 0 to train nothing, which `checkpoint` or a network as `module` is for.
        batch_size: Items a step, and at once in prediction.
        lr: Learning rate of Adam.
        weight_decay: L2 term added to the gradient.
        samples: Passes with the network's dropout behind `prob_samples`; 0 for none.
        validation: Share of the labeled items held out of training, if there are at least 10; none where `warm_start`
            goes on, as the weights have seen them.
        crop: Training images are shifted by up to this many pixels, after `prepare`; zeros move in. 0 for none.
        flip: Whether training images are mirrored left-right at random.
        num_classes: Classes there are, for `build`; by default the largest target seen in `fit` plus 1.
        loss_prediction: Train a module along that predicts each item's loss, and output `loss_pred`. It reads the
            layers that it names, else those that the network names as `loss_modules`, else the embedding.
        warm_start: Whether `fit` goes on from the last fit's weights.
        device: `"auto"` (a GPU if there is one), `"cpu"`, `"cuda"`, `"cuda:1"`, ...
        precision: `"float32"`, `"bfloat16"` (mixed), or `"auto"`: mixed on GPUs with bfloat16 (Ampere or newer).
        batch_seed: Of batch order, augmentation and held-out items; by default `seed`.
        seed: Of initial weights and dropout.
    """

    crop: int = 0
    flip: bool = False
    num_classes: int | None = None

    later_parameters: ClassVar[tuple[str, ...]] = (*TorchModel.later_parameters, "crop", "flip")
    optional_outputs: ClassVar[Mapping[str, str]] = {"prob_samples": _COULD_DROP, "loss_pred": A_PREDICTED_LOSS}

    def prepare(self, inputs: Any) -> Tensor:
        """A batch as the network takes it: of images `[b, c, h, w]` uint8, float32 in [0, 1]; else as it is."""
        if not isinstance(inputs, Tensor):
            raise ArgumentError(
                f"inputs must be a tensor or an array, an item a row, got {kind_of(inputs)}; or override prepare"
            )
        return inputs.float() / 255 if inputs.dtype == torch.uint8 else inputs

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What is minimized, of a batch: mean cross-entropy of logits `[b, classes]` and targets `[b]` int64."""
        return F.cross_entropy(logits, targets)

    def _checked(self, output: Any, b: int) -> Tensor:
        return checked_logits(output, b)

    def _check_network(self, inputs: Any, targets: Tensor) -> None:
        some = inputs[torch.arange(min(2, len(inputs)))]
        classes = self._forward(some, (self._answer, "x"))[self._answer].shape[1]
        if not 0 <= int(targets.min()) <= int(targets.max()) < classes:
            raise ArgumentError(
                f"targets must be classes from 0 to {classes - 1}, as the network gives {classes} logits, got "
                f"{int(targets.min())} to {int(targets.max())}"
            )


@dataclass(kw_only=True, eq=False, repr=False)
class TorchPoseLearner(TorchModel, PoseLearner):
    """A `torch.nn.Module` that estimates hand poses, trained with the mean squared error; scikit-learn's manners.

    The network is given crops `[b, 1, size, size]` float32 in [-1, 1] and gives joints, `[b, J, 3]` or `[b, 3J]` (x, y
    and z of one joint after the other), in the frame of reference that `HandPose` trains in:

        (joint - center) / (cube / 2)    in mm on the right: relative to the crop's center, in half cube sides

    with x to the right in the crop, y down and z away from the camera. A pixel is (z - z of the center) / (cube / 2)
    alike: -1 is the front of the cube, +1 its back and the background. Frames of left hands (`frames.mirror`) are
    mirrored before the network sees them, and what it gives is mirrored back, so that it only ever sees right hands.

    In Python it is given the network: `TorchPoseLearner(module=Net, embedding="features")`. On the command line, which
    knows classes alone, it is inherited from; new fields are parameters that `--set learner.NAME=VALUE` reaches:

        @dataclass
        class MyPose(TorchPoseLearner):
            embedding: str = "features"
            width: int = 64

            def build(self, num_joints):
                return Net(self.width, 3 * num_joints)

    `prepare`, `loss` and `optimizer` can be overridden too, and what `NetworkLearner` lists. After `fit`,
    `module_` is the network (in evaluation mode), `num_joints_` how many joints it was built for, `loss_` `[epochs]`
    the training loss, `validation_error_` `[epochs]` the mean joint error (mm) on the labeled frames held out, empty if
    there are none, and `curves_` both by name.

    Args:
        module: As all others that are not named here, as `TorchLearner` has it; an item is a frame, and `samples` is of
            the passes behind `target_samples`.
        augment: Whether each training crop is at random shifted, turned, resized or left as it is, its joints with it.
        shift: Standard deviation of the shift along each axis, mm; None for the localizer's error, or 5 without one.
        rotation: Largest angle turned by either way, degrees.
        scale: Standard deviation of the factor on the cube's side.
        num_joints: Joints there are, for `build`; by default as many as the targets of `fit` have. Before `fit`, a
            network is built for 21 to be checked; one that can only be of another number has it as its default.
    """

    augment: bool = False
    shift: float | None = 5.0
    rotation: float = 180.0
    scale: float = 0.02
    num_joints: int | None = None

    later_parameters: ClassVar[tuple[str, ...]] = (*TorchModel.later_parameters, "shift", "rotation", "scale")
    optional_outputs: ClassVar[Mapping[str, str]] = {"target_samples": _COULD_DROP, "loss_pred": A_PREDICTED_LOSS}

    def loss(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """What is minimized, of a batch: mean squared error of joints `[b, J, 3]`, both in half cube sides.

        Targets of joints without a label are what the network gave. What it gives in training is passed on as it is
        where that is no tensor, such as a tuple; targets of joints without a label are NaN then.
        """
        return F.mse_loss(predicted, targets)

    def _trained_on(self, output: Any, b: int) -> Any:
        return self._checked(output, b) if isinstance(output, Tensor) else output

    def _known_targets(self, output: Any, targets: Tensor) -> Tensor:
        return known_or(output, targets) if isinstance(output, Tensor) else targets

    def batch_losses(self, output: Any, targets: Tensor) -> Tensor:
        """Loss of each frame, `[b]`; joints without a label have none."""
        return super().batch_losses(output, self._known_targets(output, targets))

    def _checked(self, output: Any, b: int) -> Tensor:
        """What the network gave for b frames as joints `[b, J, 3]`."""
        shape = (b, self.num_joints_, 3)
        if not isinstance(output, Tensor) or output.shape not in (shape, (b, 3 * self.num_joints_)):
            raise ArgumentError(
                f"the network must give joints {list(shape)} or [{b}, {3 * self.num_joints_}], got {kind_of(output)}; "
                "build is told how many joints there are, and a network that gives something else must be wrapped"
            )
        return output.float().reshape(shape)
