"""Learners: trained on the labelled items, they describe the whole pool to a selector."""

from seqgcn.learners.base import Diagnosed, Learner, MemberLearner, RestorableLearner
from seqgcn.learners.classifier import ImageClassifier, ResNet18Classifier, SmallCNNClassifier
from seqgcn.learners.common import resolve_device
from seqgcn.learners.ensemble import Ensemble
from seqgcn.learners.extend import check_served, extended
from seqgcn.learners.handpose import HandPose
from seqgcn.learners.landmarks import MediapipeHands
from seqgcn.learners.torch_model import TorchLearner
from seqgcn.learners.torch_pose import TorchPoseLearner

__all__ = [
    "Diagnosed",
    "Ensemble",
    "HandPose",
    "ImageClassifier",
    "Learner",
    "MediapipeHands",
    "MemberLearner",
    "ResNet18Classifier",
    "RestorableLearner",
    "SmallCNNClassifier",
    "TorchLearner",
    "TorchPoseLearner",
    "check_served",
    "extended",
    "resolve_device",
]
