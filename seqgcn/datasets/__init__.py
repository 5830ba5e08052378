"""Data sets of images: a pool to label from and a test part, read from files on disk.

Each class is imported when it is first asked for, so that a data set costs only the packages it needs.
"""

from typing import TYPE_CHECKING

from seqgcn.utils.lazy import lazy

if TYPE_CHECKING:
    from seqgcn.datasets.cifar import CIFAR10, CIFAR100
    from seqgcn.datasets.dataset import ImageDataset, Split
    from seqgcn.datasets.digits import Digits
    from seqgcn.datasets.features import Features
    from seqgcn.datasets.idx import MNIST, FashionMNIST
    from seqgcn.datasets.image_folder import ImageFolder
    from seqgcn.datasets.item_dataset import as_dataset
    from seqgcn.datasets.svhn import SVHN

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "SVHN",
    "Digits",
    "FashionMNIST",
    "Features",
    "ImageDataset",
    "ImageFolder",
    "Split",
    "as_dataset",
]

_MODULES = {
    "CIFAR10": "cifar",
    "CIFAR100": "cifar",
    "Digits": "digits",
    "FashionMNIST": "idx",
    "Features": "features",
    "ImageDataset": "dataset",
    "ImageFolder": "image_folder",
    "MNIST": "idx",
    "SVHN": "svhn",
    "Split": "dataset",
    "as_dataset": "item_dataset",
}

__getattr__, __dir__ = lazy(__name__, _MODULES)
