"""What a round picks from: items with names, some of them labeled, and what describes them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

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
    ids = files.labeled(names, len(train))
    return RoundPool(
        name=dataset.name,
        items=names or [str(number) for number in range(len(train))],
        labelled=ids,
        named=names is not None,
        inputs=train.inputs,
        targets=train.targets[ids],
        classes=getattr(dataset, "classes", ()),
        frames=frames,
        centers=None if frames is None else frames.centers,
        fingerprint=short_hash(dataset.fingerprint, ids.tolist()),
    )


def short_hash(*parts: Any) -> str:
    """Another one for anything that is written in another way."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
