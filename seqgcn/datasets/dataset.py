"""What a data set looks like to the rest of the package, and one of images."""

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol, Self, overload

import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from seqgcn.datasets.round_pool import RoundFiles, RoundPool, pool_of_items
from seqgcn.datasets.selection import Ids, indices_of, one_index, random_items, selects_several
from seqgcn.exceptions import ArgumentError
from seqgcn.training import Progress
from seqgcn.utils.validation import check_instance


class Part(Protocol):
    """Items with their true targets."""

    @property
    def inputs(self) -> Any:
        """What learners see; `inputs[ids]` are those of some items."""

    @property
    def targets(self) -> Tensor:
        """Of each item, `[n]` or `[n, ...]`."""

    def __len__(self) -> int:
        """Number of items."""


class Dataset(Protocol):
    """What the loop runs on: a pool (`train`) whose targets are revealed as they are asked for, and a test part."""

    @property
    def name(self) -> str:
        """For tables and pictures."""

    @property
    def task(self) -> str:
        """`"classification"` or `"pose"`: which learners fit."""

    @property
    def references(self) -> Mapping[str, float]:
        """Published results of systems trained on all labels, in the metric's unit."""

    @property
    def train(self) -> Part:
        """The pool. Selection only ever sees its inputs."""

    @property
    def test(self) -> Part:
        """What the learner is scored on."""

    @property
    def fingerprint(self) -> str:
        """Short hash of inputs and targets; another value means other data."""

    def limit(self, pool_size: int | None = None, test_size: int | None = None) -> Self:
        """The same data set with fewer items."""

    def prepare(self, progress: Progress | None = None) -> None:
        """Do what takes long before the first use."""


def check_dataset(dataset: Any, *, otherwise: str = "") -> None:
    """Raise an `ArgumentError` unless a data set has a pool and a test part, as the loop needs.

    Args:
        dataset: The data set.
        otherwise: Another way out, for the end of the message.
    """
    check_instance("dataset", dataset)
    # Statically: a fingerprint is a hash of everything.
    missing = [name for name in ("name", "train", "test", "fingerprint") if not _has(dataset, name)]
    if missing:
        raise ArgumentError(
            f"{type(dataset).__name__} is no data set of a pool and a test part: it lacks {', '.join(missing)}; "
            "seqgcn.datasets.ImageDataset makes one of tensors: ImageDataset(name=NAME, train=Split(images, targets), "
            "test=Split(images, targets), classes=NAMES), and "
            f"seqgcn.datasets.hands.HandSplits(train, test) one of hand frames{otherwise and f'; {otherwise}'}"
        )


def _has(value: Any, name: str) -> bool:
    return inspect.getattr_static(value, name, None) is not None


@dataclass(frozen=True, eq=False)
class Split(TorchDataset[tuple[Tensor, Tensor]]):
    """Items of one part of a data set with their true targets, as a torch `Dataset`.

    Item i is the pair of its image, `[channels, height, width]` uint8, and its class. A slice, a list or a tensor of
    indices or a mask `[n]` bool selects items: a `Split`.

    Args:
        inputs: Images, `[n, channels, height, width]` uint8.
        targets: Class of each image, `[n]` int64.
    """

    inputs: Tensor
    targets: Tensor

    def __post_init__(self) -> None:
        if self.inputs.dim() != 4 or self.inputs.dtype != torch.uint8:
            raise ArgumentError(
                f"images must be uint8 [n, channels, height, width], got {self.inputs.dtype} {list(self.inputs.shape)}"
            )
        if self.targets.shape != self.inputs.shape[:1] or self.targets.dtype != torch.int64:
            raise ArgumentError(
                f"{len(self.inputs)} images need int64 targets [{len(self.inputs)}], "
                f"got {self.targets.dtype} {list(self.targets.shape)}"
            )

    def __len__(self) -> int:
        return len(self.targets)

    @overload
    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]: ...

    @overload
    def __getitem__(self, index: Ids) -> "Split": ...

    def __getitem__(self, index: int | Ids) -> "tuple[Tensor, Tensor] | Split":
        """Item `index`, image and class; or the selected items."""
        if selects_several(index):
            ids = indices_of(index, len(self), "the part")
            return Split(self.inputs[ids], self.targets[ids])
        i = one_index(index, len(self), "the part")
        return self.inputs[i], self.targets[i]

    def sample(self, size: int | None, purpose: str) -> "Split":
        """Random `size` items (all for None), the same ones in every run."""
        return random_items(self, size, purpose)


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageDataset:
    """A pool to label from (`train`, its targets hidden until asked for), and a test part.

    Args:
        name: What to call it in tables and pictures.
        train: The pool. Selection only ever sees its inputs.
        test: What the learner is scored on.
        classes: Names of the classes; target `i` is `classes[i]`.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...] = field(repr=False)

    task: ClassVar[str] = "classification"
    references: ClassVar[Mapping[str, float]] = {}

    def __post_init__(self) -> None:
        for part, split in (("train", self.train), ("test", self.test)):
            if len(split) == 0:
                raise ArgumentError(f"{self.name}: the {part} part holds no image")
            low, high = int(split.targets.min()), int(split.targets.max())
            if low < 0 or high >= len(self.classes):
                raise ArgumentError(
                    f"{self.name}: {part} targets run from {low} to {high}, but there are {len(self.classes)} classes"
                )

    def limit(self, pool_size: int | None = None, test_size: int | None = None) -> "ImageDataset":
        """The same data set with fewer items: a fixed random subset of the pool and of the test part.

        Raises:
            ArgumentError: A size is not between 1 and the number of items there are.
        """
        if pool_size is None and test_size is None:
            return self
        # Not `replace`, which calls the class: that of a subclass takes other arguments.
        return ImageDataset(
            name=self.name,
            train=self.train.sample(pool_size, "pool"),
            test=self.test.sample(test_size, "test"),
            classes=self.classes,
        )

    def prepare(self, progress: Progress | None = None) -> None:
        """Nothing: images are in memory already."""

    def round_pool(self, files: RoundFiles, progress: Progress | None = None) -> RoundPool:
        """What a round picks from: the pool, of which the listed items are labeled.

        Raises:
            DataFileError: A file cannot be used.
        """
        return pool_of_items(self, files, progress=progress)

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of all pixels and targets; another value means other data."""
        digest = hashlib.blake2b(digest_size=8)
        for split in (self.train, self.test):
            for tensor in (split.inputs, split.targets):
                digest.update(str(tuple(tensor.shape)).encode())
                digest.update(tensor.contiguous().numpy().data)
        return digest.hexdigest()
