"""Data sets of images: a pool to label from and a test part, read from files on disk.

Each class is imported when it is first asked for, so that a data set costs only the packages it needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqgcn.datasets.base import ImageDataset, Split
    from seqgcn.datasets.cifar import CIFAR10, CIFAR100
    from seqgcn.datasets.digits import Digits
    from seqgcn.datasets.folder import ImageFolder
    from seqgcn.datasets.idx import MNIST, FashionMNIST
    from seqgcn.datasets.svhn import SVHN

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "SVHN",
    "Digits",
    "FashionMNIST",
    "ImageDataset",
    "ImageFolder",
    "Split",
]

_MODULES = {
    "CIFAR10": "cifar",
    "CIFAR100": "cifar",
    "Digits": "digits",
    "FashionMNIST": "idx",
    "ImageDataset": "base",
    "ImageFolder": "folder",
    "MNIST": "idx",
    "SVHN": "svhn",
    "Split": "base",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value  # the next access finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
