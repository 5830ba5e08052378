"""Selectors: each reads a PyG `Data` that describes the pool and names the next items to label."""

from seqgcn.selectors.base import Query, Selection, Selector, for_cycle
from seqgcn.selectors.bayesian import BALD, EnsembleSelector, MaxEntropy, MeanSTD, Variance, VariationRatio
from seqgcn.selectors.ceal import CEAL
from seqgcn.selectors.coreset import CoreSet
from seqgcn.selectors.gcn import CoreGCN, UncertainGCN
from seqgcn.selectors.gradients import BADGE, EMOC
from seqgcn.selectors.learning_loss import LearningLoss
from seqgcn.selectors.random import Random
from seqgcn.selectors.uncertainty import Entropy, LeastConfidence, Margin
from seqgcn.selectors.weighted import WeightedCoreGCN

__all__ = [
    "BADGE",
    "BALD",
    "CEAL",
    "EMOC",
    "CoreGCN",
    "CoreSet",
    "EnsembleSelector",
    "Entropy",
    "LearningLoss",
    "LeastConfidence",
    "Margin",
    "MaxEntropy",
    "MeanSTD",
    "Query",
    "Random",
    "Selection",
    "Selector",
    "UncertainGCN",
    "Variance",
    "VariationRatio",
    "WeightedCoreGCN",
    "for_cycle",
]
