"""Choose which items to label: sequential GCN active learning on PyTorch Geometric."""

from typing import TYPE_CHECKING

from seqgcn.utils import moved
from seqgcn.utils.lazy import lazy

if TYPE_CHECKING:
    from seqgcn.coverage import k_center_greedy
    from seqgcn.gcn import ConfidenceGCN
    from seqgcn.graph import FeatureGraph, LowRankAdjacency, to_networkx
    from seqgcn.runs.active_learner import ActiveLearner
    from seqgcn.selectors import (
        BADGE,
        BALD,
        BGADL,
        CEAL,
        EMOC,
        LCMD,
        VAAL,
        CoreGCN,
        CoreSet,
        DiscriminativeAL,
        EnsembleSelector,
        Entropy,
        LearningLoss,
        LeastConfidence,
        Margin,
        MaxEntropy,
        MaxHerding,
        MeanSTD,
        ProbCover,
        Random,
        Selection,
        Selector,
        SuggestiveAnnotation,
        TypiClust,
        UncertainGCN,
        Variance,
        VariationRatio,
        WeightedCoreGCN,
    )

__version__ = "0.1.0"

_HOMES = {
    "ActiveLearner": "runs.active_learner",
    "BADGE": "selectors",
    "BALD": "selectors",
    "BGADL": "selectors",
    "CEAL": "selectors",
    "ConfidenceGCN": "gcn",
    "CoreGCN": "selectors",
    "CoreSet": "selectors",
    "DiscriminativeAL": "selectors",
    "EMOC": "selectors",
    "EnsembleSelector": "selectors",
    "Entropy": "selectors",
    "FeatureGraph": "graph",
    "LCMD": "selectors",
    "LearningLoss": "selectors",
    "LeastConfidence": "selectors",
    "LowRankAdjacency": "graph",
    "Margin": "selectors",
    "MaxEntropy": "selectors",
    "MaxHerding": "selectors",
    "MeanSTD": "selectors",
    "ProbCover": "selectors",
    "Random": "selectors",
    "Selection": "selectors",
    "Selector": "selectors",
    "SuggestiveAnnotation": "selectors",
    "TypiClust": "selectors",
    "UncertainGCN": "selectors",
    "VAAL": "selectors",
    "Variance": "selectors",
    "VariationRatio": "selectors",
    "WeightedCoreGCN": "selectors",
    "k_center_greedy": "coverage",
    "to_networkx": "graph",
}

__all__ = [
    "BADGE",
    "BALD",
    "BGADL",
    "CEAL",
    "EMOC",
    "LCMD",
    "VAAL",
    "ActiveLearner",
    "ConfidenceGCN",
    "CoreGCN",
    "CoreSet",
    "DiscriminativeAL",
    "EnsembleSelector",
    "Entropy",
    "FeatureGraph",
    "LearningLoss",
    "LeastConfidence",
    "LowRankAdjacency",
    "Margin",
    "MaxEntropy",
    "MaxHerding",
    "MeanSTD",
    "ProbCover",
    "Random",
    "Selection",
    "Selector",
    "SuggestiveAnnotation",
    "TypiClust",
    "UncertainGCN",
    "Variance",
    "VariationRatio",
    "WeightedCoreGCN",
    "__version__",
    "k_center_greedy",
    "to_networkx",
]

__getattr__, __dir__ = lazy(__name__, _HOMES)

moved.install()
