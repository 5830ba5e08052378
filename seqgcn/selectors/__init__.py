"""Selectors: each reads a PyG `Data` that describes the pool and names the next items to label."""

from seqgcn.selectors.adapter import as_selector
from seqgcn.selectors.bayesian import BALD, EnsembleSelector, MaxEntropy, MeanSTD, Variance, VariationRatio
from seqgcn.selectors.bgadl import BGADL
from seqgcn.selectors.ceal import CEAL
from seqgcn.selectors.coreset import CoreSet
from seqgcn.selectors.discriminative import DiscriminativeAL
from seqgcn.selectors.gradients import BADGE, EMOC
from seqgcn.selectors.graph_herding import GraphHerding
from seqgcn.selectors.herding import MaxHerding, SuggestiveAnnotation
from seqgcn.selectors.lcmd import LCMD
from seqgcn.selectors.learning_loss import LearningLoss
from seqgcn.selectors.posterior_design import PosteriorDesign
from seqgcn.selectors.power import Power
from seqgcn.selectors.probcover import ProbCover
from seqgcn.selectors.random import Random
from seqgcn.selectors.selector import Query, Selection, Selector, for_cycle
from seqgcn.selectors.sequential_gcn import CoreGCN, UncertainGCN
from seqgcn.selectors.typiclust import TypiClust
from seqgcn.selectors.uncertainty import Entropy, LeastConfidence, Margin
from seqgcn.selectors.uncertainty_herding import UncertaintyHerding
from seqgcn.selectors.vaal import VAAL
from seqgcn.selectors.weighted import WeightedCoreGCN

__all__ = [
    "BADGE",
    "BALD",
    "BGADL",
    "CEAL",
    "EMOC",
    "LCMD",
    "VAAL",
    "CoreGCN",
    "CoreSet",
    "DiscriminativeAL",
    "EnsembleSelector",
    "Entropy",
    "GraphHerding",
    "LearningLoss",
    "LeastConfidence",
    "Margin",
    "MaxEntropy",
    "MaxHerding",
    "MeanSTD",
    "PosteriorDesign",
    "Power",
    "ProbCover",
    "Query",
    "Random",
    "Selection",
    "Selector",
    "SuggestiveAnnotation",
    "TypiClust",
    "UncertainGCN",
    "UncertaintyHerding",
    "Variance",
    "VariationRatio",
    "WeightedCoreGCN",
    "as_selector",
    "for_cycle",
]
