"""Depth-based hand pose data sets: frames on disk, their poses and the crops networks see.

Each class is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqgcn.datasets.hands.base import CropOptions, HandDataset, HandFrames
    from seqgcn.datasets.hands.bighand import BigHand
    from seqgcn.datasets.hands.camera import Camera
    from seqgcn.datasets.hands.folder import DepthFolder
    from seqgcn.datasets.hands.icvl import ICVL
    from seqgcn.datasets.hands.msra import MSRA
    from seqgcn.datasets.hands.nyu import NYU
    from seqgcn.datasets.hands.skeleton import Skeleton

__all__ = [
    "ICVL",
    "MSRA",
    "NYU",
    "BigHand",
    "Camera",
    "CropOptions",
    "DepthFolder",
    "HandDataset",
    "HandFrames",
    "Skeleton",
]

_MODULES = {
    "BigHand": "bighand",
    "Camera": "camera",
    "CropOptions": "base",
    "DepthFolder": "folder",
    "HandDataset": "base",
    "HandFrames": "base",
    "ICVL": "icvl",
    "MSRA": "msra",
    "NYU": "nyu",
    "Skeleton": "skeleton",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value  # the next access finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
