"""mediapipe's hand landmarks as a learner that needs no label."""

import math
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from sklearn.base import BaseEstimator
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.datasets.hands.centers.detector import detector_available, missing_mediapipe
from seqgcn.datasets.hands.hand_dataset import HandFrames
from seqgcn.datasets.hands.landmarks.found import LANDMARKS, Landmarks, LandmarkSource
from seqgcn.datasets.hands.landmarks.names import unmapped
from seqgcn.evaluation import MEAN_JOINT_ERROR, Metric, mean_joint_error
from seqgcn.exceptions import ArgumentError, SeqGCNWarning
from seqgcn.learners.batches import in_batches
from seqgcn.learners.fitted import check_attributes
from seqgcn.learners.frame_checks import check_frames, check_joints
from seqgcn.learners.hand_pose import crop_images
from seqgcn.training import Progress
from seqgcn.utils.validation import check_whole, name_some

ONE_ANSWER = (
    "mediapipe gives one answer and is not trained; take another learner, or a selector that reads embeddings alone "
    "(core-gcn, core-set, typiclust)"
)


@dataclass(kw_only=True, eq=False, repr=False)
class MediapipeHands(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """The joints that mediapipe's landmark model sees in shaded depth: a learner that is not trained.

    It looks at the frames' own files, around the centers of their crops (extra `[mediapipe]`); what it finds is kept
    beside the crops. Joints are those landmarks, or means of them, that the skeleton's names or the data set's
    `detector_joints` say. The embedding of a frame is its 21 landmarks relative to the wrist, of left hands mirrored,

        x = (p_1 - p_0, ..., p_20 - p_0) / sqrt(21)    [n, 63], mm

    so that the distance of two embeddings is the root mean square of how far their landmarks are apart, in mm. A frame
    in which it sees no hand has the embedding 0, all landmarks at the wrist, which is far from that of every hand.

    Args:
        seed: As every learner has one; nothing here is random.
    """

    seed: int = 0

    task: ClassVar[str] = "pose"
    metric: ClassVar[Metric] = MEAN_JOINT_ERROR
    needs_labels: ClassVar[bool] = False
    """Whether `fit` must come first, as in all other learners."""
    predicted_by: ClassVar[str] = "mediapipe"
    """What its predictions are called where they are written down."""
    outputs: ClassVar[tuple[str, ...]] = ("x", "image")
    optional_outputs: ClassVar[Mapping[str, str]] = dict.fromkeys(("target_samples", "loss_pred"), ONE_ANSWER)

    def check_parameters(self) -> None:
        """Raise an `ArgumentError` if the seed cannot be used, a `MissingPackageError` without mediapipe."""
        check_whole("seed", self.seed, low=0)
        if not detector_available():
            raise missing_mediapipe()

    def fit(
        self, inputs: HandFrames, targets: Tensor, *, unconfirmed: int = 0, progress: Progress | None = None
    ) -> Self:
        """Check frames and joints `[n, J, 3]` mm; there is nothing to train.

        Raises:
            ArgumentError: They cannot be used.
            MissingPackageError: mediapipe is not installed.
        """
        del unconfirmed, progress
        self.check_parameters()
        _source(inputs)
        check_joints(targets, len(inputs), len(inputs.skeleton))
        return self

    def predict(self, inputs: HandFrames, *, progress: Progress | None = None) -> Tensor:
        """Joints of each frame, `[n, J, 3]` float32, mm; NaN where no hand is seen, or no landmark is the joint."""
        source = _source(inputs)
        return source.find(inputs.index, progress).joints(source.weights)

    def score(self, inputs: HandFrames, targets: Tensor, *, progress: Progress | None = None) -> float:
        """Mean distance of predicted from true joints, mm; where no hand is seen, all joints count as at the center.

        Raises:
            ArgumentError: A joint has no landmark, so that there is no error of it; or joints cannot be used.
        """
        source = _source(inputs)
        check_joints(targets, len(inputs), len(inputs.skeleton))
        if nameless := unmapped(inputs.skeleton, source.weights):
            raise ArgumentError(
                f"mediapipe has no landmark for {name_some(nameless)}, so that there is no joint error; say which they "
                "are with detector_joints in camera.yaml, or take another learner"
            )
        predicted = self.predict(inputs, progress=progress)
        center = inputs.centre.unsqueeze(1).expand_as(predicted)
        return mean_joint_error(torch.where(predicted.isfinite(), predicted, center), targets.float())

    def describe(self, inputs: HandFrames, attributes: Collection[str], *, progress: Progress | None = None) -> Data:
        """`Data` with the embedding `x` `[n, 63]` mm and the crops `image` `[n, 1, size, size]` uint8, as asked for.

        Raises:
            ArgumentError: Another attribute is asked for.
        """
        check_attributes(self, attributes, self.outputs)
        source, values = _source(inputs), {}
        if "x" in attributes:
            values["x"] = embed(source.find(inputs.index, progress), inputs)
        if "image" in attributes:

            def picture(ids: Tensor) -> dict[str, Tensor]:
                return {"image": crop_images(inputs.batch(ids).images)}

            values |= in_batches(len(inputs), 256, picture, progress, "embed")
        return Data(**values)


def embed(landmarks: Landmarks, frames: HandFrames) -> Tensor:
    """Landmarks relative to the wrist over sqrt(21), `[n, 63]` mm; 0 in frames without a hand, which are counted."""
    relative = landmarks.points - landmarks.points[:, :1]
    missing = int((~landmarks.found).sum())
    if missing:
        warnings.warn(
            f"mediapipe sees no hand in {missing:,} of {len(frames):,} frames; they are described as all alike",
            SeqGCNWarning,
            stacklevel=4,
        )
    return frames.reflect(relative).nan_to_num(0.0).flatten(1) / math.sqrt(len(LANDMARKS))


def _source(frames: Any) -> LandmarkSource:
    check_frames(frames)
    if frames.landmarks is None:
        raise ArgumentError(
            "mediapipe looks at whole frames, and these crops do not say of which files they are; give the frames of a "
            "hand pose data set, dataset.frames"
        )
    source: LandmarkSource = frames.landmarks
    return source
