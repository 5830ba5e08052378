"""Hand pose estimators as learners."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor

from seqgcn.datasets.hands.crop import normalise_pose
from seqgcn.datasets.hands.hand_dataset import CropBatch, HandFrames
from seqgcn.evaluation import MEAN_JOINT_ERROR, Metric, mean_joint_error
from seqgcn.exceptions import ArgumentError
from seqgcn.learners.augmentation import Augmentation
from seqgcn.learners.batches import as_tensor
from seqgcn.learners.classification import A_PREDICTED_LOSS
from seqgcn.learners.devices import channels_last
from seqgcn.learners.fitted import VALIDATION_ERROR
from seqgcn.learners.frame_checks import check_frames, check_joints, shows_pose
from seqgcn.learners.nets import DeepPrior, PoseNet, pose_prior
from seqgcn.learners.network import NetworkLearner, Outputs, Schedule, Seen, Training
from seqgcn.learners.recipes import RECIPES
from seqgcn.selectors.extensions import LossPrediction
from seqgcn.training import Progress
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_bool, check_choice, check_number, check_whole

Net = Literal["deep-prior", "deep-prior-no-pca", "deep-prior-plus", "awr"]

COMPONENTS = 30
"""Principal axes of the poses, as published."""


class PoseLearner(NetworkLearner):
    """What learners of networks that estimate the joints of a hand from a depth crop share, whatever the network is.

    Networks see right hands alone: frames of left hands (`frames.mirror`) are mirrored before the network sees them,
    and what it gives is mirrored back.
    """

    augment: bool
    shift: float | None
    rotation: float
    scale: float

    task: ClassVar[str] = "pose"
    metric: ClassVar[Metric] = MEAN_JOINT_ERROR
    _count: ClassVar[str] = "num_joints"
    _usual_sizes: ClassVar[Mapping[str, int]] = {"num_joints_": 21}
    _fitted: ClassVar[tuple[str, ...]] = ("num_joints_",)
    _answer: ClassVar[str] = "joints"
    _always: ClassVar[tuple[str, ...]] = ("x",)
    _passes: ClassVar[str] = "target_samples"
    _curve: ClassVar[tuple[str, str]] = (VALIDATION_ERROR, "validation_error_")
    _items_are_images: ClassVar[bool] = False
    num_joints_: int
    validation_error_: Tensor

    def prepare(self, crops: CropBatch) -> Tensor:
        """A batch as the network takes it: its `images` `[b, 1, size, size]`.

        Args:
            crops: Also with `centre` `[b, 3]` and `cube` `[b]`, mm, for a network that takes points; on the network's
                device, mirrored if the frames are.
        """
        return crops.images

    @property
    def reference_frame(self) -> PoseNet | type[PoseNet]:
        """The network's frame of reference: (xyz - center) / (cube / 2)."""
        return PoseNet

    def check_inputs(self, inputs: Any, targets: Any = None) -> None:
        """Raise an `ArgumentError` unless these are frames, and targets as many joints as the network gives."""
        check_frames(inputs)
        if targets is not None:
            check_joints(targets, len(inputs), self.num_joints_)

    def check_items(self, inputs: Any, targets: Any) -> tuple[Tensor, dict[str, int]]:
        """Joints, float32 on the CPU, and how many there are."""
        check_frames(inputs)
        asked = self.num_joints_ if self._goes_on else getattr(self, self._count, None)
        check_joints(targets, len(inputs), asked)
        return targets.detach().float().cpu(), {"num_joints_": asked or targets.shape[1]}

    def make_batch(
        self, inputs: HandFrames, ids: Tensor, device: torch.device, training: Training | None
    ) -> tuple[Tensor, Any]:
        """Some crops, prepared; in training with `augment` each at random shifted, turned, resized or left as it is."""
        crops = inputs.batch(ids, device)
        if training is None:
            return self.prepare(crops).to(device), crops
        pose = inputs.reflect(training.targets[ids].to(device, non_blocking=True), ids)
        if self.augment:
            crops, pose = self._augmentation(inputs.offset).batch(crops, pose, training.draw)
        return self.prepare(crops).to(device), self.reference_frame.to_frame(pose, crops.centre, crops.cube)

    def make_outputs(self, inputs: Any, ids: Tensor, items: Any, seen: Seen, wanted: Collection[str]) -> Outputs:
        """Joints `[b, J, 3]` mm; of passes with dropout `[b, t, 3J]` mm relative to the crop's center."""
        centre, cube = items.centre, items.cube
        said = {"joints": inputs.reflect(self.reference_frame.from_frame(seen.output, centre, cube), ids)}
        if self._passes in wanted:
            said[self._passes] = inputs.reflect(self._relative(seen.passes(), items), ids).flatten(2)
        return said

    @staticmethod
    def measure(predictions: Tensor, targets: Any) -> float:
        """The metric of predicted joints: mean distance from the true ones, mm."""
        return mean_joint_error(predictions, as_tensor(targets).float())

    def item_losses(self, inputs: HandFrames, targets: Any, *, progress: Progress | None = None) -> Tensor:
        """Loss of each frame, `[n]`: the squared distance of predicted from true joints, averaged over the joints.

        In half cube sides, unless `loss` is another.
        """
        poses = (self.predict(inputs, progress=progress), as_tensor(targets).float())
        return self.batch_losses(*(normalise_pose(pose, inputs.centre, inputs.cube) for pose in poses))

    def shift_of(self, frames: HandFrames) -> float:
        """Standard deviation of the shift of training crops along each axis, mm."""
        return self._augmentation(frames.offset).shift if self.augment else 0.0

    def _relative(self, passes: Tensor, crops: CropBatch) -> Tensor:
        """Poses `[b, t, J, 3]` in the network's frame as joints relative to the crop's center, mm."""
        return passes * (crops.cube / 2).view(-1, 1, 1, 1)

    def _augmentation(self, offset: float | None = None) -> Augmentation:
        return Augmentation.of(self.shift, offset, rotation=self.rotation, scale=self.scale)

    def _check_values(self) -> None:
        super()._check_values()
        check_bool("augment", self.augment)
        self._augmentation()

    def _measure_held_out(self, inputs: Any, targets: Tensor) -> float:
        # Unlike `measure`, it does not refuse what a network predicts that is about to diverge.
        off = (self.predict(inputs) - targets).norm(dim=2)
        return float(off[targets.isfinite().all(dim=2)].mean())

    def _pictures(self, items: CropBatch) -> dict[str, Tensor]:
        return {"image": crop_images(items.images)}


@dataclass(kw_only=True, eq=False, repr=False)
class HandPose(PoseLearner):
    """A network that estimates the joints of a hand from a depth crop; scikit-learn's manners.

    After `fit`, `module_` is the network (in evaluation mode), `loss_` `[epochs]` the training loss,
    `validation_error_` `[epochs]` the mean joint error (mm) on the labeled frames held out, empty if there are none,
    and `curves_` both by name, for plots. Nothing is stopped or tuned by the validation error. `left_out_` is the
    number of labeled frames that were not trained on as their crops do not show the hand: the mean of the joints lies
    outside the cube.

    Args:
        net: `"deep-prior"`, `"deep-prior-no-pca"` (of the sampler's authors), `"deep-prior-plus"` (DeepPrior++) or
            `"awr"`. `RECIPES` has what the next three and `dropout` are by default, and the schedule of the learning
            rate, which is stretched to other numbers of epochs.
        epochs: Passes over the labeled frames.
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
        validation: Share of the labeled frames held out of training, if there are at least 10. In a video they are
            near-duplicates of frames trained on, so that their error is an optimist's. None are held out where
            `warm_start` goes on, as the weights have seen them.
        samples: Passes with dropout behind `target_samples`.
        width: Factor on the network's channels and hidden units, its capacity.
        loss_prediction: Train a module along that predicts each frame's loss, and output `loss_pred`.
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

    optional_outputs: ClassVar[Mapping[str, str]] = {
        "target_samples": "Passes with dropout need a network that has some (deep-prior, deep-prior-plus), or "
        "a dropout above 0 (learner.dropout=0.3); awr has none",
        "loss_pred": A_PREDICTED_LOSS,
    }
    _usual_sizes: ClassVar[Mapping[str, int]] = {"num_joints_": 1, "size_": 128, "components_": 1}
    _fitted: ClassVar[tuple[str, ...]] = ("num_joints_", "size_", "components_")
    _purposes: ClassVar[tuple[tuple[str, ...], tuple[str, ...]]] = (("handpose",), ("dropout",))
    _optional: ClassVar[tuple[str, ...]] = ("epochs", "batch_size", "lr", "dropout", "batch_seed")
    # Small batches: a crop becomes 64 maps of its size on the way.
    _predict_batch: ClassVar[int | None] = 64
    module_: PoseNet = field(init=False)
    size_: int = field(init=False)
    components_: int = field(init=False)
    left_out_: int = field(init=False)

    def resolved(self, name: str) -> Any:
        """A parameter's value, or what the recipe has where it is None."""
        value = getattr(self, name)
        return self.defaults(self.net).get(name) if value is None else value

    @property
    def has_passes(self) -> bool:
        """Whether there are passes with dropout."""
        return bool(self.resolved("dropout"))

    def make_network(self, sizes: Mapping[str, int]) -> PoseNet:
        """New network for a crop size, px, and so many joints and principal axes."""
        size, joints, components = (sizes[name] for name in ("size_", "num_joints_", "components_"))
        dropout = self.resolved("dropout") or 0.0
        return channels_last(RECIPES[self.net].build(size, joints, components, dropout, self.width))

    def check_inputs(self, inputs: Any, targets: Any = None) -> None:
        """Raise an `ArgumentError` unless the crops are, besides, as large as those that `fit` was given."""
        super().check_inputs(inputs, targets)
        if inputs.size != self.size_:
            raise ArgumentError(f"crops are {inputs.size} px, but fit was given {self.size_} px")

    def check_items(self, inputs: Any, targets: Any) -> tuple[Tensor, dict[str, int]]:
        """Joints, float32 on the CPU, and the sizes of a network without principal axes."""
        targets, sizes = super().check_items(inputs, targets)
        if self._goes_on:
            self.check_inputs(inputs)
        return targets, {**sizes, "size_": inputs.size, "components_": 0}

    def start_training(self, sizes: dict[str, int], inputs: HandFrames, targets: Tensor, device: torch.device) -> None:
        """Make the network, with the principal axes of the training poses if it composes poses of them."""
        if self._goes_on or not RECIPES[self.net].prior:
            super().start_training(sizes, inputs, targets, device)
            return
        poses = filled_in(self._prior_poses(inputs, inputs.reflect(targets)))
        mean, axes = pose_prior(poses, self.components or COMPONENTS)
        sizes["components_"] = len(axes)
        module = self.make_network(sizes)
        module.get_submodule("prior").load_state_dict({"weight": axes.T, "bias": mean})
        self._take(sizes, module, device)

    def prepare(self, crops: CropBatch) -> Tensor:
        """Crops `[b, 1, size, size]`, in the layout that convolutions are fastest in."""
        return crops.images.contiguous(memory_format=torch.channels_last)

    @property
    def reference_frame(self) -> PoseNet:
        """The network's own frame of reference."""
        return self.module_

    def training_step(self, batch: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The network's own loss, and the pose."""
        return self.module_.loss(batch, targets)

    def batch_losses(self, output: Tensor, targets: Tensor) -> Tensor:
        """Squared distance of predicted from true joints, averaged over the joints, `[b]`."""
        return PoseNet.item_losses(output, targets)

    def see_batch(self, batch: Tensor) -> Seen:
        """Embedding and pose; passes with dropout share the convolutions."""
        module = self.module_
        if not isinstance(module, DeepPrior):  # has no dropout
            embedding, pose = module(batch)
            return Seen(embedding, pose, lambda: pose.unsqueeze(1))
        features = module.body(batch)

        def passes() -> Tensor:
            return torch.stack([module.regress(features, drop=True)[1] for _ in range(self.samples)], dim=1)

        return Seen(*module.regress(features, drop=False), passes)

    def make_schedule(self, optimizer: torch.optim.Optimizer, epochs: int) -> Schedule:
        """As published, stretched to other numbers of epochs."""
        factor = RECIPES[self.net].schedule
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: factor(done / epochs))

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

    def _check_values(self) -> None:
        check_choice("net", self.net, get_args(Net))
        super()._check_values()
        check_number("width", self.width, low=0, open_low=True)
        if self.components is not None:
            check_whole("components", self.components)
            if not RECIPES[self.net].prior:
                raise ArgumentError(f"net={self.net!r} has no principal axes; leave components=None")
        if self.dropout is not None:
            check_number("dropout", self.dropout, low=0, high=1, open_high=True)
            if RECIPES[self.net].dropout is None:
                raise ArgumentError(f"net={self.net!r} has no dropout; leave dropout=None")

    def _leave_out(self, inputs: HandFrames, targets: Tensor, kept: Tensor) -> Tensor:
        shown = shows_pose(inputs[kept], targets[kept])
        self.left_out_ = int((~shown).sum())
        return kept[shown]

    @property
    def _named(self) -> str:
        return f"a HandPose with net={self.net!r}"

    def _relative(self, passes: Tensor, crops: CropBatch) -> Tensor:
        joints = self.reference_frame.from_frame(passes.flatten(1, 2), crops.centre, crops.cube)
        relative: Tensor = (joints - crops.centre.unsqueeze(1)).unflatten(1, passes.shape[1:3])
        return relative

    def _prior_poses(self, frames: HandFrames, joints: Tensor) -> Tensor:
        """Normalized training poses, augmented if the frames are, `[m, J, 3]`."""
        if self.augment:
            return self._augmentation(frames.offset).poses(frames, joints, generator(self.seed, "prior"))
        return normalise_pose(joints, frames.reflect(frames.centre), frames.cube)


def filled_in(poses: Tensor) -> Tensor:
    """Poses for a prior: the whole ones alone, if they are half of all; else unknown joints are at their mean place.

    Args:
        poses: Normalized, `[m, J, 3]`; NaN of joints that are not labeled.
    """
    whole = poses.isfinite().flatten(1).all(dim=1)
    if 2 * int(whole.sum()) >= len(poses):
        return poses if bool(whole.all()) else poses[whole]
    return torch.where(poses.isfinite(), poses, poses.nanmean(dim=0).nan_to_num(nan=0.0))


def crop_images(images: Tensor) -> Tensor:
    """Crops in [-1, 1] as the images `[b, 1, size, size]` uint8 that selectors take, background 255."""
    return ((images + 1) * 127.5).round().to(torch.uint8)
