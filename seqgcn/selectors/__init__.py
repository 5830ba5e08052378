"""Selectors: each reads a PyG `Data` that describes the pool and names the next items to label."""

from seqgcn.selectors.base import Query, Selection, Selector, replace_seed
from seqgcn.selectors.coreset import CoreSet
from seqgcn.selectors.gcn import CoreGCN, UncertainGCN
from seqgcn.selectors.random import Random
from seqgcn.selectors.uncertainty import Entropy, LeastConfidence, Margin

__all__ = [
    "CoreGCN",
    "CoreSet",
    "Entropy",
    "LeastConfidence",
    "Margin",
    "Query",
    "Random",
    "Selection",
    "Selector",
    "UncertainGCN",
    "replace_seed",
]
