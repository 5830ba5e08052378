"""Covering a set of points by few of them: pure tensor functions, shared by the selectors."""

from typing import TYPE_CHECKING

from seqgcn.utils.lazy import lazy

if TYPE_CHECKING:
    from seqgcn.coverage.facility_location import Similarity, cosine, facility_location, gaussian
    from seqgcn.coverage.k_center import k_center, k_center_greedy, nearest_centre

_HOMES = {
    "Similarity": "facility_location",
    "cosine": "facility_location",
    "facility_location": "facility_location",
    "gaussian": "facility_location",
    "k_center": "k_center",
    "k_center_greedy": "k_center",
    "nearest_centre": "k_center",
}

__all__ = ["Similarity", "cosine", "facility_location", "gaussian", "k_center", "k_center_greedy", "nearest_centre"]

__getattr__, __dir__ = lazy(__name__, _HOMES)
