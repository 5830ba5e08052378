"""The joints that annotators start from: the learner's predictions, or where nothing was trained, mediapipe's."""

from typing import NamedTuple

from torch import Tensor

from seqgcn.datasets.hands.centers.detector import detector_available
from seqgcn.datasets.hands.hand_dataset import HandDataset, HandFrames
from seqgcn.datasets.hands.landmarks.names import unmapped
from seqgcn.exceptions import MissingPackageError
from seqgcn.learners.landmarks import MediapipeHands
from seqgcn.learners.protocol import Learner
from seqgcn.training import Progress
from seqgcn.utils.messages import log
from seqgcn.utils.validation import name_some


class FirstJoints(NamedTuple):
    """Joints to start from.

    Args:
        joints: `[m, J, 3]` mm, NaN where there is none; None if nothing predicts any.
        predicted_by: What predicted them, if it was no network trained on labels; else empty.
    """

    joints: Tensor | None
    predicted_by: str = ""


def first_joints(
    hands: HandDataset, frames: HandFrames, index: Tensor, learner: Learner | None, progress: Progress | None
) -> FirstJoints:
    """Predict the joints of frames that people will label.

    Args:
        hands: The frames.
        frames: Their crops.
        index: Numbers of those to predict, `[m]` int64.
        learner: What predicts; None if nothing was trained, which leaves it to mediapipe, if it is installed.
        progress: Told about it.
    """
    if learner is None and detector_available():
        learner = MediapipeHands()
    if learner is None:
        return FirstJoints(None)
    try:
        joints = learner.predict(frames[index], progress=progress)
    except MissingPackageError as error:  # of another version, say; the picks do without
        log.warning(f"no joints to start from: {error}")
        return FirstJoints(None)
    by: str = getattr(learner, "predicted_by", "")
    if by:
        seen = int(joints.isfinite().all(dim=2).any(dim=1).sum())
        nameless = unmapped(hands.skeleton, hands.landmark_weights)
        rest = f"; none for {name_some(nameless)} (detector_joints in camera.yaml says which they are)"
        log.info(f"joints to start from: {by}'s, in {seen:,} of {len(index):,} frames{rest if nameless else ''}")
    return FirstJoints(joints, by)
