"""What a round picks from: items with names, some of them labeled, and what describes them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from torch import Tensor

from seqgcn.training import Progress

if TYPE_CHECKING:
    from seqgcn.datasets.dataset import Dataset
    from seqgcn.datasets.hands.centers.found import Centers
    from seqgcn.datasets.hands.hand_dataset import HandDataset


@dataclass(frozen=True, eq=False, kw_only=True)
class RoundPool:
    """Items of which some are labeled.

    Args:
        name: Of the data set or file, for titles.
        items: Name of each item, n of them.
        labelled: Numbers of the labeled ones, `[m]` int64.
        x: Embeddings `[n, d]`, where the user brought them.
        inputs: Else what a learner sees, n items; `inputs[ids]` are those of some.
        targets: Labels of the labeled ones, `[m, ...]`, for the learner.
        classes: Names of the classes, where there are any.
        known: Class of labeled items, by number, where it is told and there is nothing to train on.
        picture: Tells the file of an item's picture, by number, where there may be one.
        frames: The hand frames behind the items.
        centers: Where the hand is in each of them.
        unfit: Items that cannot be picked, whatever lists say, `[n]` bool.
        left_out: Names of items that are left out although lists may name them.
        named: Whether items have names, not numbers alone.
        fingerprint: Short hash of it all; another value means other data or labels.
    """

    name: str
    items: Sequence[str]
    labelled: Tensor
    fingerprint: str
    x: Tensor | None = None
    inputs: Any = None
    targets: Tensor | None = None
    classes: tuple[str, ...] = ()
    known: Mapping[int, str] = field(default_factory=dict)
    picture: Callable[[int], Path | None] | None = None
    frames: "HandDataset | None" = None
    centers: "Centers | None" = None
    unfit: Tensor | None = None
    left_out: tuple[str, ...] = ()
    named: bool = True

    @property
    def names(self) -> Sequence[str] | None:
        """What lists call the items by; None where it is their numbers."""
        return self.items if self.named else None

    def __len__(self) -> int:
        return len(self.items)

    @property
    def has_classes(self) -> bool:
        """Whether labels are classes, or may be: nothing says that they are numbers."""
        return self.frames is None and (self.targets is None or not self.targets.is_floating_point())

    def label_names(self) -> dict[str, str]:
        """Class of each labeled item, by name; empty where only that it is labeled is known."""
        ids = self.labelled.tolist()
        if self.targets is None:
            return {self.items[i]: self.known.get(i, "") for i in ids}
        numbers = self.targets.tolist()
        return {self.items[i]: class_name(self.classes, number) for i, number in zip(ids, numbers, strict=True)}


class RoundFiles(Protocol):
    """The user's files about the items of a round."""

    @property
    def labels(self) -> Path | None:
        """The file of what is labeled, if one is given."""

    def is_list(self, root: Path) -> bool:
        """Whether that file is a list of names of files below a folder, not one of labels."""

    def labeled(self, names: Sequence[str] | None, n: int) -> Tensor:
        """Numbers of the n items that it lists, `[m]` int64; none without a file."""

    def labeled_frames(self, hands: "HandDataset", listed: Path | None) -> Tensor:
        """Numbers of the labeled frames, `[m]` int64: those of a list, or all that have a pose."""

    def classes(self, names: Sequence[str]) -> tuple[dict[str, int], dict[int, int]]:
        """Number of each class by name, and class of each labeled item by number, as a table of both says."""

    def more_classes(self, classes: Sequence[str]) -> tuple[str, ...]:
        """Names of a data set's classes and of those that the user names beside them."""

    def class_table(self, names: Sequence[str] | None, n: int, classes: Sequence[str]) -> dict[int, int] | None:
        """Class of each labeled item by number, as a table item,class says; None if the file is no such table."""

    def check(self, names: Sequence[str]) -> None:
        """Find what is wrong with the other files before anything takes long."""


def pool_of_items(
    dataset: "Dataset",
    files: RoundFiles,
    *,
    frames: "HandDataset | None" = None,
    progress: Progress | None = None,
) -> RoundPool:
    """The pool of a data set that has all targets: those of listed items count as known.

    Args:
        dataset: Pool and test part.
        files: What is listed.
        frames: Hand frames behind the items, prepared.
        progress: Told about preparations.

    Raises:
        DataFileError: A file cannot be used.
    """
    dataset.prepare(progress)
    train = dataset.train
    names: Sequence[str] | None = getattr(train, "files", None)
    labels = labels_of(files, names, train.targets, tuple(getattr(dataset, "classes", ())))
    return RoundPool(
        name=dataset.name,
        items=names or [str(number) for number in range(len(train))],
        labelled=labels.ids,
        named=names is not None,
        inputs=train.inputs,
        targets=labels.targets,
        classes=labels.classes,
        frames=frames,
        centers=None if frames is None else frames.centers,
        fingerprint=short_hash(dataset.fingerprint, *labels.asked),
    )


class Labels(NamedTuple):
    """What is labeled of a data set that has targets.

    Args:
        ids: Numbers of the items, `[m]` int64.
        targets: Their labels, `[m, ...]`.
        classes: Names of all classes; empty where labels are none.
        own: Whether the labels are those of the data set, and not of a table of the user's.
    """

    ids: Tensor
    targets: Tensor
    classes: tuple[str, ...]
    own: bool = True

    @property
    def asked(self) -> tuple[Any, ...]:
        """What a fingerprint of the data set lacks."""
        ids = self.ids.tolist()
        return (ids,) if self.own else (ids, self.targets.tolist(), self.classes)


def labels_of(files: RoundFiles, names: Sequence[str] | None, targets: Tensor, classes: tuple[str, ...]) -> Labels:
    """What is labeled of a data set that has targets.

    Args:
        files: A list of items whose targets count as known, or a table of classes, which overrules the targets.
        names: Of the items.
        targets: Of all of them, `[n, ...]`.
        classes: Of the data set; without names, classes are called by their numbers.
    """
    n = len(targets)
    if not targets.is_floating_point() and targets.dim() == 1:
        most = int(targets.max()) + 1 if n else 0
        called = classes or tuple(str(number) for number in range(most))
        known = files.class_table(names, n, called)
        if known is not None:
            ids = torch.tensor(list(known), dtype=torch.int64)
            held = torch.tensor(list(known.values()), dtype=targets.dtype)
            return Labels(ids, held, files.more_classes(called), own=False)
        classes = files.more_classes(classes)
    ids = files.labeled(names, n)
    return Labels(ids, targets[ids], classes)


def class_name(classes: Sequence[str], number: int) -> str:
    """The name of a class; its number, where it has none."""
    return classes[number] if 0 <= number < len(classes) else str(number)


def short_hash(*parts: Any) -> str:
    """Another one for anything that is written in another way."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
