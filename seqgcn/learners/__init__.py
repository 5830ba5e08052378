"""Learners: trained on the labeled items, they describe the whole pool to a selector."""

from seqgcn.learners.classification import (
    ClassificationLearner,
    ImageClassifier,
    ResNet18Classifier,
    SmallCNNClassifier,
)
from seqgcn.learners.devices import resolve_device
from seqgcn.learners.ensemble import Ensemble
from seqgcn.learners.extend_learner import check_served, extended
from seqgcn.learners.hand_pose import HandPose, PoseLearner
from seqgcn.learners.landmarks import MediapipeHands
from seqgcn.learners.network import NetworkLearner
from seqgcn.learners.protocol import Diagnosed, Learner, MemberLearner, RestorableLearner
from seqgcn.learners.sklearn_learner import (
    EstimatorLearner,
    GaussianProcessLearner,
    KNNLearner,
    LinearLearner,
    SklearnLearner,
)
from seqgcn.learners.torch_learners import TorchLearner, TorchPoseLearner

__all__ = [
    "ClassificationLearner",
    "Diagnosed",
    "Ensemble",
    "EstimatorLearner",
    "GaussianProcessLearner",
    "HandPose",
    "ImageClassifier",
    "KNNLearner",
    "Learner",
    "LinearLearner",
    "MediapipeHands",
    "MemberLearner",
    "NetworkLearner",
    "PoseLearner",
    "ResNet18Classifier",
    "RestorableLearner",
    "SklearnLearner",
    "SmallCNNClassifier",
    "TorchLearner",
    "TorchPoseLearner",
    "check_served",
    "extended",
    "resolve_device",
]
