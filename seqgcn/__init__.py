"""Choose which items to label: sequential GCN active learning on PyTorch Geometric."""

from typing import TYPE_CHECKING

from seqgcn.lazy import lazy

if TYPE_CHECKING:
    from seqgcn.coverage import k_center_greedy
    from seqgcn.gcn import ConfidenceGCN
    from seqgcn.graph import FeatureGraph, LowRankAdjacency, to_networkx
    from seqgcn.selectors import (
        CoreGCN,
        CoreSet,
        Entropy,
        LeastConfidence,
        Margin,
        Random,
        Selection,
        Selector,
        UncertainGCN,
    )

__version__ = "0.1.0"

_HOMES = {
    "ConfidenceGCN": "gcn",
    "CoreGCN": "selectors",
    "CoreSet": "selectors",
    "Entropy": "selectors",
    "FeatureGraph": "graph",
    "LeastConfidence": "selectors",
    "LowRankAdjacency": "graph",
    "Margin": "selectors",
    "Random": "selectors",
    "Selection": "selectors",
    "Selector": "selectors",
    "UncertainGCN": "selectors",
    "k_center_greedy": "coverage",
    "to_networkx": "graph",
}

__all__ = [
    "ConfidenceGCN",
    "CoreGCN",
    "CoreSet",
    "Entropy",
    "FeatureGraph",
    "LeastConfidence",
    "LowRankAdjacency",
    "Margin",
    "Random",
    "Selection",
    "Selector",
    "UncertainGCN",
    "__version__",
    "k_center_greedy",
    "to_networkx",
]

__getattr__, __dir__ = lazy(__name__, _HOMES)
