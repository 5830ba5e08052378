"""Learners: trained on the labelled items, they describe the whole pool to a selector."""

from seqgcn.learners.base import Learner, RestorableLearner
from seqgcn.learners.classifier import ImageClassifier, ResNet18Classifier, SmallCNNClassifier
from seqgcn.learners.common import resolve_device
from seqgcn.learners.handpose import HandPose

__all__ = [
    "HandPose",
    "ImageClassifier",
    "Learner",
    "ResNet18Classifier",
    "RestorableLearner",
    "SmallCNNClassifier",
    "resolve_device",
]
