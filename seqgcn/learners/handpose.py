"""Hand pose estimators as learners."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self, get_args

import torch
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.datasets.hands.crop import normalise_pose
from seqgcn.datasets.hands.hand_dataset import HandFrames
from seqgcn.evaluation import MEAN_JOINT_ERROR, Metric, mean_joint_error
from seqgcn.exceptions import ArgumentError
from seqgcn.learners.answers import answers, mean_distance
from seqgcn.learners.augmentation import Augmentation
from seqgcn.learners.common import (
    TRAINING_LOSS,
    VALIDATION_ERROR,
    check_attributes,
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
from seqgcn.learners.inputs import check_frames, check_joints, shows_pose
from seqgcn.learners.loss_prediction import LossPredictor, attach
from seqgcn.learners.nets import PoseNet, pose_prior
from seqgcn.learners.network import NetworkLearner
from seqgcn.learners.recipes import RECIPES
from seqgcn.selectors.extensions import LossPrediction
from seqgcn.training import Progress, train
from seqgcn.utils.seeding import derive_seed, generator, seeded
from seqgcn.utils.validation import check_bool, check_choice, check_number, check_whole

Net = Literal["deep-prior", "deep-prior-no-pca", "deep-prior-plus", "awr"]

COMPONENTS = 30
"""Principal axes of the poses, as published."""


@dataclass(kw_only=True, eq=False, repr=False)
class HandPose(NetworkLearner):
    """A network that estimates the joints of a hand from a depth crop; scikit-learn's manners.

    After `fit`, `module_` is the network (in evaluation mode), `loss_` `[epochs]` the training loss,
    `validation_error_` `[epochs]` the mean joint error (mm) on the labelled frames held out, empty if there are none,
    and `curves_` both by name, for plots. Nothing is stopped or tuned by the validation error. `left_out_` is the
    number of labelled frames that were not trained on as their crops do not show the hand: the mean of the joints lies
    outside the cube.

    Args:
        net: `"deep-prior"`, `"deep-prior-no-pca"` (of the sampler's authors), `"deep-prior-plus"` (DeepPrior++) or
            `"awr"`. `RECIPES` has what the next three and `dropout` are by default, and the schedule of the learning
            rate, which is stretched to other numbers of epochs.
        epochs: Passes over the labelled frames.
        batch_size: Frames a step.
        lr: Adam's learning rate.
        weight_decay: L2 term added to the gradient.
        dropout: Share of hidden units dropped; `awr` has no dropout.
        augment: Whether each training crop is at random shifted, turned, resized or left as it is.
        shift: Standard deviation of the shift along each axis, mm; by default the localizer's error, else 5.
        rotation: Largest angle turned by either way, degrees.
        scale: Standard deviation of the factor on the cube's side.
        components: Principal axes of the training poses that the pose is composed of (`deep-prior`,
            `deep-prior-plus`), 30 by default; fewer if the poses have fewer. With `warm_start` they stay those of the
            first fit.
        validation: Share of the labelled frames held out of training, if there are at least 10. In a video they are
            near-duplicates of frames trained on, so that their error is an optimist's. None are held out where
            `warm_start` goes on, as the weights have seen them.
        samples: Passes with dropout behind `target_samples`.
        width: Factor on the network's channels and hidden units, its capacity.
        loss_prediction: Train a module along that predicts each frame's loss, and provide `loss_pred`.
        warm_start: Whether `fit` goes on from the last fit's weights instead of fresh ones.
        device: `"auto"` (a GPU if there is one), `"cpu"`, `"cuda"`, `"cuda:1"`, ...
        precision: `"float32"`, `"bfloat16"` (mixed), or `"auto"`: mixed on GPUs with bfloat16 (Ampere or newer).
        batch_seed: Of batch order, augmentation and held-out frames; by default `seed`.
        seed: Of initial weights and dropout.
    """

    net: Net = "deep-prior"
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    weight_decay: float = 0.0
    dropout: float | None = None
    augment: bool = True
    shift: float | None = None
    rotation: float = 180.0
    scale: float = 0.02
    components: int | None = None
    validation: float = 0.1
    samples: int = 10
    width: float = 1.0
    loss_prediction: LossPrediction | None = None
    warm_start: bool = False
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    batch_seed: int | None = None
    seed: int = 0

    metric: ClassVar[Metric] = MEAN_JOINT_ERROR
    could_provide: ClassVar[Mapping[str, str]] = {
        "target_samples": "Passes with dropout need a network that has some (deep-prior, deep-prior-plus), or "
        "a dropout above 0 (learner.dropout=0.3); awr has none",
        "loss_pred": "A predicted loss needs loss_prediction=LossPrediction()",
    }
    module_: PoseNet = field(init=False)
    predictor_: LossPredictor | None = field(init=False)
    num_joints_: int = field(init=False)
    size_: int = field(init=False)
    components_: int = field(init=False)
    loss_: Tensor = field(init=False)
    validation_error_: Tensor = field(init=False)
    left_out_: int = field(init=False)

    @property
    def provides(self) -> tuple[str, ...]:
        """Attributes that `describe` can give."""
        samples = ("target_samples",) if self._dropout > 0 else ()
        return ("x", *samples, *(("loss_pred",) if self.loss_prediction else ()), "image")

    def fit(
        self, inputs: HandFrames, targets: Tensor, *, unconfirmed: int = 0, progress: Progress | None = None
    ) -> Self:
        """Train on labelled frames.

        Args:
            inputs: The n frames.
            targets: Their joints, `[n, J, 3]` floating point, mm, x right, y down, z away from the camera.
            unconfirmed: How many of the last frames have joints that nobody confirmed; they are never held out.
            progress: Told about every epoch, as stage `"train"`.

        Raises:
            ArgumentError: Frames, joints or a parameter cannot be used.
            TrainingError: The loss became NaN or infinite.
        """
        self.check_parameters()
        check_frames(inputs)
        check_joints(targets, len(inputs))
        targets = targets.detach().float().cpu()
        recipe, device = RECIPES[self.net], resolve_device(self.device)
        epochs = self.epochs or recipe.epochs
        held_out, kept = self._split(len(inputs), unconfirmed)
        shown = shows_pose(inputs[kept], targets[kept])
        self.left_out_, kept = int((~shown).sum()), kept[shown]
        frames, joints = inputs[kept], inputs.reflect(targets[kept], kept)
        errors: list[float] = []

        def validate(_epoch: int) -> None:
            if len(held_out):
                module.eval()
                predicted = self._forward(inputs[held_out], ("joints",))["joints"]
                errors.append(mean_distance(predicted, targets[held_out]))

        with seeded(derive_seed(self.seed, "handpose"), device):
            module = self._start(frames, joints, device)
            predictor = self._attach(module, _blank(frames.size, device))

            def objective(batch: tuple[Tensor, Tensor]) -> Tensor:
                loss, predicted = module.loss(*batch)
                return loss if predictor is None else loss + predictor.loss(module.item_losses(predicted, batch[1]))

            trained = [*module.parameters(), *(predictor.parameters() if predictor else ())]
            optimizer = torch.optim.Adam(
                [parameter for parameter in trained if parameter.requires_grad],
                lr=self.lr or recipe.lr,
                weight_decay=self.weight_decay,
            )
            scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: recipe.schedule(done / epochs))
            try:
                self.loss_ = train(
                    module,
                    lambda epoch: self._batches(frames, joints, device, epoch, epochs),
                    objective,
                    optimizer=optimizer,
                    epochs=epochs,
                    scheduler=scheduler,
                    autocast=mixed_precision(self.precision, device),
                    after_epoch=validate,
                    progress=progress,
                )
            finally:
                # Also of a training that was broken off: dropout must not stay on.
                module.eval()
        self.validation_error_ = torch.tensor(errors)
        return self

    @property
    def curves_(self) -> dict[str, Tensor]:
        """What was measured after each epoch, by name and unit."""
        return curves_by(self, {TRAINING_LOSS: "loss_", VALIDATION_ERROR: "validation_error_"})

    def predict(self, inputs: HandFrames, *, progress: Progress | None = None) -> Tensor:
        """Joints of each frame, `[n, J, 3]` float32, mm, x right, y down, z away from the camera."""
        check_fitted(self)
        return self._forward(inputs, ("joints",), progress, "predict")["joints"]

    def score(self, inputs: HandFrames, targets: Tensor, *, progress: Progress | None = None) -> float:
        """Mean distance of predicted from true joints, mm."""
        check_fitted(self)
        check_frames(inputs)
        check_joints(targets, len(inputs), self.num_joints_)
        return self.measure(self.predict(inputs, progress=progress), targets)

    @staticmethod
    def measure(predictions: Tensor, targets: Tensor) -> float:
        """The metric of predicted joints: mean distance from the true ones, mm."""
        return mean_joint_error(predictions, targets.float())

    def item_losses(self, inputs: HandFrames, targets: Tensor, *, progress: Progress | None = None) -> Tensor:
        """Squared distance of predicted from true joints, averaged over the joints, `[n]`, in half cube sides."""
        poses = (self.predict(inputs, progress=progress), targets.float())
        return PoseNet.item_losses(*(normalise_pose(pose, inputs.centre, inputs.cube) for pose in poses))

    def describe(self, inputs: HandFrames, attributes: Collection[str], *, progress: Progress | None = None) -> Data:
        """Describe every frame by the attributes asked for, in one pass over the frames.

        `x` `[n, d]` is the last hidden layer before the pose (1024 units; for `awr` the 512 pooled features),
        `target_samples` `[n, samples, 3J]` the joints relative to the crop's centre, mm, of passes with dropout,
        `loss_pred` `[n]` the predicted loss, and `image` `[n, 1, size, size]` uint8 the crops, background 255.

        Raises:
            ArgumentError: Another attribute is asked for, `target_samples` of a network without dropout, or `loss_pred`
                without `loss_prediction`.
        """
        check_fitted(self)
        check_attributes(self, attributes, self.provides)
        self._check_fitted_with(attributes)
        with seeded(derive_seed(self.seed, "dropout"), self._device):
            return Data(**self._forward(inputs, attributes, progress, "embed"))

    def state(self) -> dict[str, Tensor]:
        """Copies of the fitted learner's weights and sizes, by name, for `torch.save`.

        Raises:
            ArgumentError: The learner is not fitted.
        """
        check_fitted(self)
        sizes = {name: torch.tensor(getattr(self, name)) for name in ("num_joints_", "size_", "components_")}
        return copy_weights(self.module_, self.predictor_, **sizes)

    def restore(self, state: dict[str, Tensor]) -> Self:
        """Take over an earlier `state()` of the same `net`.

        Raises:
            ArgumentError: The state is that of another network.
        """
        self.check_parameters()
        device = resolve_device(self.device)
        try:
            size, joints, components = (int(state[name]) for name in ("size_", "num_joints_", "components_"))
            with seeded(0, device):
                module = self._build(size, joints, components, device)
                predictor = attach(self.loss_prediction, module, _blank(size, device))
            load_weights(module, state, predictor)
        except (KeyError, RuntimeError, ArgumentError) as error:
            raise ArgumentError(f"this state is not that of a HandPose with net={self.net!r}") from error
        self._take(module, size, joints, components)
        self.predictor_ = predictor
        return self

    @staticmethod
    def defaults(net: Net) -> dict[str, Any]:
        """What the arguments that are None by default are for a network."""
        recipe = RECIPES[net]
        values = {name: getattr(recipe, name) for name in ("epochs", "batch_size", "lr", "dropout")}
        return {**values, "components": COMPONENTS if recipe.prior else None}

    def check_size(self, size: int) -> None:
        """Check that the network can take crops of this size, px.

        Raises:
            ArgumentError: It cannot; the message says which it can.
        """
        with torch.device("meta"):
            RECIPES[self.net].build(size, 1, 1, 0.0, 1.0)

    def check_parameters(self) -> None:
        """Check the constructor's arguments, as `fit` does first.

        Raises:
            ArgumentError: One cannot be used.
        """
        check_choice("net", self.net, get_args(Net))
        check_choice("precision", self.precision, ("auto", "float32", "bfloat16"))
        for name in ("epochs", "batch_size"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name))
        if self.components is not None:
            check_whole("components", self.components)
            if not RECIPES[self.net].prior:
                raise ArgumentError(f"net={self.net!r} has no principal axes; leave components=None")
        if self.lr is not None:
            check_number("lr", self.lr, low=0, open_low=True)
        if self.dropout is not None:
            check_number("dropout", self.dropout, low=0, high=1, open_high=True)
            if RECIPES[self.net].dropout is None:
                raise ArgumentError(f"net={self.net!r} has no dropout; leave dropout=None")
        check_bool("augment", self.augment)
        check_number("weight_decay", self.weight_decay, low=0)
        self._augmentation()
        self._check_network()
        check_number("validation", self.validation, low=0, high=1, open_high=True)

    def _blueprint(self) -> PoseNet:
        return RECIPES[self.net].build(128, 1, 1, self._dropout, self.width)

    @property
    def _goes_on(self) -> bool:
        return self.warm_start and hasattr(self, "module_")

    @property
    def _dropout(self) -> float:
        return (RECIPES[self.net].dropout or 0.0) if self.dropout is None else self.dropout

    @property
    def _device(self) -> torch.device:
        return next(self.module_.parameters()).device

    def _split(self, n: int, unconfirmed: int = 0) -> tuple[Tensor, Tensor]:
        """Numbers of the frames held out for validation and of the others."""
        share = 0.0 if self._goes_on else self.validation
        return hold_out(n, share, unconfirmed, generator(self._batch_seed, "validation"))

    def _start(self, frames: HandFrames, joints: Tensor, device: torch.device) -> PoseNet:
        """The network that training starts from: the last fit's for `warm_start`, else a new one."""
        if self._goes_on:
            self._check_size(frames)
            check_joints(joints, len(frames), self.num_joints_)
            return self.module_
        prior: tuple[Tensor, Tensor] | None = None
        if RECIPES[self.net].prior:
            prior = pose_prior(self._prior_poses(frames, joints), self.components or COMPONENTS)
        sizes = (frames.size, joints.shape[1], 0 if prior is None else len(prior[1]))
        module = self._build(*sizes, device)
        if prior is not None:
            module.get_submodule("prior").load_state_dict({"weight": prior[1].T, "bias": prior[0]})
        self._take(module, *sizes)
        return module

    def _prior_poses(self, frames: HandFrames, joints: Tensor) -> Tensor:
        """Normalised training poses, augmented if the frames are, `[m, J, 3]`."""
        if self.augment:
            return self._augmentation(frames.offset).poses(frames, joints, generator(self.seed, "prior"))
        return normalise_pose(joints, frames.reflect(frames.centre), frames.cube)

    def _build(self, size: int, joints: int, components: int, device: torch.device) -> PoseNet:
        return place(RECIPES[self.net].build(size, joints, components, self._dropout, self.width), device)

    def _take(self, module: PoseNet, size: int, joints: int, components: int) -> None:
        self.module_, self.size_, self.num_joints_, self.components_ = module, size, joints, components
        self.predictor_ = None

    def _batches(
        self, frames: HandFrames, joints: Tensor, device: torch.device, epoch: int, epochs: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        if self.predictor_ is not None:
            self.predictor_.begin(epoch, epochs)
        draw = generator(self._batch_seed, "batches", epoch)
        for ids in shuffled_batches(len(frames), self.batch_size or RECIPES[self.net].batch_size, draw):
            crops, pose = frames.batch(ids, device), joints[ids].to(device, non_blocking=True)
            if self.augment:
                crops, pose = self._augmentation(frames.offset).batch(crops, pose, draw)
            images, centre, cube = crops
            yield images.contiguous(memory_format=torch.channels_last), self.module_.to_frame(pose, centre, cube)

    def shift_of(self, frames: HandFrames) -> float:
        """Standard deviation of the shift of training crops along each axis, mm."""
        return self._augmentation(frames.offset).shift if self.augment else 0.0

    def _augmentation(self, offset: float | None = None) -> Augmentation:
        return Augmentation.of(self.shift, offset, rotation=self.rotation, scale=self.scale)

    @torch.no_grad()
    def _forward(
        self,
        frames: HandFrames,
        wanted: Collection[str],
        progress: Progress | None = None,
        stage: str = "predict",
    ) -> dict[str, Tensor]:
        check_frames(frames)
        self._check_size(frames)

        def answer(ids: Tensor) -> dict[str, Tensor]:
            batch = frames.batch(ids, self._device)
            with mixed_precision(self.precision, self._device):
                return answers(self.module_, self.predictor_, frames[ids], batch, wanted, self.samples)

        # Small batches: a crop becomes 64 maps of its size on the way.
        return in_batches(len(frames), 64, answer, progress, stage)

    def _check_size(self, frames: HandFrames) -> None:
        if frames.size != self.size_:
            raise ArgumentError(f"crops are {frames.size} px, but fit was given {self.size_} px")


def _blank(size: int, device: torch.device) -> Tensor:
    return torch.zeros(1, 1, size, size, device=device)
