"""Any PyTorch network that estimates hand poses as a learner."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.data import Data

from seqgcn.datasets.hands.crop import normalise_pose, pose_in_mm
from seqgcn.datasets.hands.hand_dataset import CropBatch, HandFrames
from seqgcn.evaluation import MEAN_JOINT_ERROR, Metric, mean_joint_error
from seqgcn.exceptions import ArgumentError
from seqgcn.learners.answers import crop_images, mean_distance
from seqgcn.learners.augmentation import Augmentation
from seqgcn.learners.common import VALIDATION_ERROR, check_attributes, check_fitted
from seqgcn.learners.inputs import check_frames, check_joints
from seqgcn.learners.torch_model import TorchModel
from seqgcn.training import Progress
from seqgcn.utils.validation import check_bool, check_whole, kind_of

AUGMENTATION = Augmentation(shift=5.0, rotation=180.0, scale=0.02)
"""As `HandPose` has it by default."""


@dataclass(kw_only=True, eq=False, repr=False)
class TorchPoseLearner(TorchModel):
    """A `torch.nn.Module` that estimates hand poses, trained with the mean squared error; scikit-learn's manners.

    The network is given crops `[b, 1, size, size]` float32 in [-1, 1] and gives joints, `[b, J, 3]` or `[b, 3J]` (x, y
    and z of one joint after the other), in the frame of reference that `HandPose` trains in:

        (joint - centre) / (cube / 2)    in mm on the right: relative to the crop's centre, in half cube sides

    with x to the right in the crop, y down and z away from the camera. A pixel is (z - z of the centre) / (cube / 2)
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

    `prepare`, `loss` and `optimizer` can be overridden too. After `fit`, `module_` is the network (in evaluation mode),
    `num_joints_` how many joints it was built for, `loss_` `[epochs]` the training loss, `validation_error_` `[epochs]`
    the mean joint error (mm) on the labelled frames held out, empty if there are none, and `curves_` both by name.

    Args:
        module: As all others that are not named here, as `TorchLearner` has it; an item is a frame, and `samples` is of
            the passes behind `target_samples`.
        augment: Whether each training crop is at random shifted (5 mm), turned (up to 180 degrees), resized (2 %) or
            left as it is, its joints with it.
        num_joints: Joints there are, for `build`; by default as many as the targets of `fit` have. Before `fit`, a
            network is built for 21 to be checked; one that can only be of another number has it as its default.
    """

    augment: bool = False
    num_joints: int | None = None

    task: ClassVar[str] = "pose"
    metric: ClassVar[Metric] = MEAN_JOINT_ERROR
    could_provide: ClassVar[Mapping[str, str]] = {
        "target_samples": "Passes with dropout need a network with some, and samples (learner.samples=20)"
    }
    _outputs: ClassVar[str] = "num_joints"
    _usual: ClassVar[int] = 21
    _curve: ClassVar[tuple[str, str]] = (VALIDATION_ERROR, "validation_error_")
    num_joints_: int = field(init=False, repr=False)
    validation_error_: Tensor = field(init=False, repr=False)

    def build(self, num_joints: int) -> nn.Module:
        """New network, under the learner's seed; one that is given decides itself how many joints it estimates."""
        del num_joints
        return self._made("TorchPoseLearner")

    def prepare(self, crops: CropBatch) -> Tensor:
        """A batch as the network takes it: its `images` `[b, 1, size, size]`.

        Args:
            crops: Also with `centre` `[b, 3]` and `cube` `[b]`, mm, for a network that takes points; on the network's
                device, mirrored if the frames are.
        """
        return crops.images

    def loss(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """What is minimised, of a batch: mean squared error of joints `[b, J, 3]`, both in half cube sides.

        What the network gives in training is passed on as it is where that is no tensor, such as a tuple.
        """
        return F.mse_loss(predicted, targets)

    @property
    def provides(self) -> tuple[str, ...]:
        """Attributes that `describe` can give."""
        return ("x", *(("target_samples",) if self.samples else ()), "image")

    def predict(self, inputs: HandFrames, *, progress: Progress | None = None) -> Tensor:
        """Joints of each frame, `[n, J, 3]` float32, mm, x right, y down, z away from the camera."""
        check_fitted(self)
        check_frames(inputs)
        return self._forward(inputs, ("joints",), progress, "predict")["joints"]

    def score(self, inputs: HandFrames, targets: Tensor, *, progress: Progress | None = None) -> float:
        """Mean distance of predicted from true joints, mm."""
        check_fitted(self)
        check_frames(inputs)
        check_joints(targets, len(inputs), self.num_joints_)
        return mean_joint_error(self.predict(inputs, progress=progress), targets.float())

    def describe(self, inputs: HandFrames, attributes: Collection[str], *, progress: Progress | None = None) -> Data:
        """Describe every frame by the attributes asked for, in one pass over the frames.

        `x` `[n, d]` is the embedding, `target_samples` `[n, samples, 3J]` the joints relative to the crop's centre, mm,
        of passes with dropout, and `image` `[n, 1, size, size]` uint8 the crops, background 255.

        Raises:
            ArgumentError: Another attribute is asked for, or `target_samples` of a network without dropout.
        """
        check_fitted(self)
        check_attributes(self, attributes, self.provides)
        check_frames(inputs)
        return Data(**self._forward(inputs, attributes, progress, "embed"))

    def _check_values(self) -> None:
        super()._check_values()
        check_bool("augment", self.augment)
        if self.num_joints is not None:
            check_whole("num_joints", self.num_joints)

    def _check_items(self, inputs: Any, targets: Any, goes_on: bool) -> None:
        check_frames(inputs)
        check_joints(targets, len(inputs), self.num_joints_ if goes_on else self.num_joints)

    def _count(self, targets: Tensor) -> int:
        return targets.shape[1]

    def _check_output(self, some: Any, targets: Tensor) -> None:
        del targets
        self._forward(some, ("joints", "x"))

    def _batch(
        self, inputs: Any, targets: Tensor, ids: Tensor, device: torch.device, draw: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        crops, pose = inputs.batch(ids, device), inputs.reflect(targets[ids].detach().float().to(device), ids)
        if self.augment:
            crops, pose = AUGMENTATION.batch(crops, pose, draw)
        return self.prepare(crops).to(device), normalise_pose(pose, crops.centre, crops.cube)

    def _trained_on(self, output: Any, b: int) -> Any:
        return self._pose(output, b) if isinstance(output, Tensor) else output

    def _measure(self, inputs: Any, targets: Tensor) -> float:
        return mean_distance(self.predict(inputs), targets.detach().float().cpu())

    def _answer(
        self, inputs: Any, ids: Tensor, device: torch.device, wanted: Collection[str], embedded: Callable[[int], Tensor]
    ) -> dict[str, Tensor]:
        crops, part = inputs.batch(ids, device), {}
        if "image" in wanted:
            part["image"] = crop_images(crops.images)
        if set(wanted) <= {"image"}:
            return part
        batch, b = self.prepare(crops).to(device), len(ids)
        joints = pose_in_mm(self._pose(self.module_(batch), b), crops.centre, crops.cube)
        part |= {"x": embedded(b), "joints": inputs.reflect(joints, ids)}
        if "target_samples" in wanted:
            passes = self._passes(batch, lambda output: self._pose(output, b))
            half = (crops.cube / 2).view(-1, 1, 1, 1)
            part["target_samples"] = inputs.reflect(passes * half, ids).flatten(2)
        return part

    def _pose(self, output: Any, b: int) -> Tensor:
        """What the network gave for b frames as joints `[b, J, 3]`."""
        shape = (b, self.num_joints_, 3)
        if not isinstance(output, Tensor) or output.shape not in (shape, (b, 3 * self.num_joints_)):
            raise ArgumentError(
                f"the network must give joints {list(shape)} or [{b}, {3 * self.num_joints_}], got {kind_of(output)}; "
                "build is told how many joints there are, and a network that gives something else must be wrapped"
            )
        return output.float().reshape(shape)
