"""Networks of the learners: plain modules that know nothing of files, devices or training."""

from seqgcn.learners.nets.awr import AWR
from seqgcn.learners.nets.classification import Classifier, ResNet18, SmallCNN
from seqgcn.learners.nets.deep_prior import DeepPrior, deep_prior, deep_prior_no_pca, deep_prior_plus, pose_prior
from seqgcn.learners.nets.pose import PoseNet
from seqgcn.learners.nets.width import scaled

__all__ = [
    "AWR",
    "Classifier",
    "DeepPrior",
    "PoseNet",
    "ResNet18",
    "SmallCNN",
    "deep_prior",
    "deep_prior_no_pca",
    "deep_prior_plus",
    "pose_prior",
    "scaled",
]
