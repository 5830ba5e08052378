"""Depth-based hand pose data sets: frames on disk, their poses and the crops networks see.

Each class is imported when it is first asked for.
"""

from typing import TYPE_CHECKING

from seqgcn.utils.lazy import lazy

if TYPE_CHECKING:
    from seqgcn.datasets.hands.bighand import BigHand
    from seqgcn.datasets.hands.camera import Camera
    from seqgcn.datasets.hands.centers.candidates import hand_candidates
    from seqgcn.datasets.hands.checks import CheckReport, check_dataset
    from seqgcn.datasets.hands.depth_folder import DepthFolder
    from seqgcn.datasets.hands.hand_dataset import CropBatch, CropOptions, HandDataset, HandFrames
    from seqgcn.datasets.hands.icvl import ICVL
    from seqgcn.datasets.hands.msra import MSRA
    from seqgcn.datasets.hands.nyu import NYU
    from seqgcn.datasets.hands.skeleton import Skeleton
    from seqgcn.datasets.hands.splits import HandSplits

__all__ = [
    "ICVL",
    "MSRA",
    "NYU",
    "BigHand",
    "Camera",
    "CheckReport",
    "CropBatch",
    "CropOptions",
    "DepthFolder",
    "HandDataset",
    "HandFrames",
    "HandSplits",
    "Skeleton",
    "check_dataset",
    "hand_candidates",
]

_MODULES = {
    "BigHand": "bighand",
    "Camera": "camera",
    "CheckReport": "checks",
    "CropBatch": "hand_dataset",
    "CropOptions": "hand_dataset",
    "DepthFolder": "depth_folder",
    "HandDataset": "hand_dataset",
    "HandFrames": "hand_dataset",
    "HandSplits": "splits",
    "ICVL": "icvl",
    "MSRA": "msra",
    "NYU": "nyu",
    "Skeleton": "skeleton",
    "check_dataset": "checks",
    "hand_candidates": "centers.candidates",
}

__getattr__, __dir__ = lazy(__name__, _MODULES)
