"""A data set of one's own: made of whatever holds items and labels, and split where it has no test part."""

import hashlib
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, cast, overload

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset
from torch.utils.data import Dataset as TorchDataset

from seqgcn.datasets.conversion import LABELS, WAYS, read_source
from seqgcn.datasets.dataset import Dataset, check_dataset
from seqgcn.datasets.hands.hand_dataset import HandFrames
from seqgcn.datasets.round_pool import RoundFiles, RoundPool, labels_of, short_hash
from seqgcn.datasets.selection import Ids, indices_of, one_index, random_items, selects_several
from seqgcn.exceptions import ArgumentError, DataFileError, SeqGCNWarning
from seqgcn.training import Progress
from seqgcn.utils.messages import log
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_instance, kind_of, name_some

TEST_FRACTION = 0.25
"""Share of the labeled items set aside to test on, where no test part is given."""

UNNAMED_CLASSES = 1000
"""Up to this number, a class needs no name however few items there are."""

MEMBERS = ("name", "train", "test", "fingerprint")
"""What a data set of the package has; see `seqgcn.datasets.dataset.Dataset`."""


@dataclass(frozen=True, eq=False)
class Items(TorchDataset[tuple[Any, Tensor]]):
    """Items with the labels that are known of them.

    Args:
        inputs: Of n items; `inputs[ids]` are those of some.
        targets: Of each, `[n]` int64 classes, -1 where it has none, or `[n, ...]` float32, NaN where it has none.
        files: Of the items, where these are files; else None.
    """

    inputs: Any
    targets: Tensor
    files: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @overload
    def __getitem__(self, index: int) -> tuple[Any, Tensor]: ...

    @overload
    def __getitem__(self, index: Ids) -> "Items": ...

    def __getitem__(self, index: int | Ids) -> "tuple[Any, Tensor] | Items":
        """Item `index`, its input and target; or the selected items."""
        if not selects_several(index):
            i = one_index(index, len(self), "the part")
            return self.inputs[i], self.targets[i]
        ids = indices_of(index, len(self), "the part")
        files = None if self.files is None else tuple(self.files[item] for item in ids.tolist())
        return Items(self.inputs[ids], self.targets[ids], files)

    @property
    def labeled(self) -> Tensor:
        """Which items have a label, `[n]` bool."""
        if self.targets.is_floating_point():
            return self.targets.isfinite().flatten(1).all(dim=1) if self.targets.dim() > 1 else self.targets.isfinite()
        return self.targets >= 0

    def sample(self, size: int | None, purpose: str) -> "Items":
        """Random `size` items (all for None), the same ones in every run."""
        return random_items(self, size, purpose)


class ItemDataset:
    """A pool to label from and a test part, of one's own items; `as_dataset` makes one.

    Args:
        everything: The items that may be labeled; all there are, where there is no test part.
        test: To test on; by default a random quarter of the labeled items is set aside, the same in every run.
        name: For tables and pictures.
        classes: Names of the classes; empty where labels are no classes.
    """

    references: ClassVar[Mapping[str, float]] = {}

    def __init__(self, everything: Items, test: Items | None, *, name: str, classes: tuple[str, ...] = ()) -> None:
        self.everything, self.name, self.classes = everything, name, classes
        self._given, self._said = test, False
        self._sizes: tuple[int | None, int | None] = (None, None)

    @property
    def task(self) -> str:
        """`"classification"`, or `"pose"` where labels are numbers."""
        return "pose" if self.everything.targets.is_floating_point() else "classification"

    @property
    def train(self) -> Items:
        """The pool."""
        return self._parts[0]

    @property
    def test(self) -> Items:
        """What learners are scored on."""
        return self._parts[1]

    def limit(self, pool_size: int | None = None, test_size: int | None = None) -> "ItemDataset":
        """The same with a fixed random part of the pool and of the test part."""
        limited = ItemDataset(self.everything, self._given, name=self.name, classes=self.classes)
        limited._sizes = (pool_size or self._sizes[0], test_size or self._sizes[1])
        return limited

    def prepare(self, progress: Progress | None = None) -> None:
        """Set a test part aside if none is given, and say so; all is in memory already."""
        del progress
        if self._given is None:
            log.info(self._set_aside)
            self._said = True

    def round_pool(self, files: RoundFiles, progress: Progress | None = None) -> RoundPool:
        """What a round picks from: all items, of which some may have no label; a round needs no test part.

        Args:
            files: The user's list of labeled items, if there is one. Without it, the items with a label count as
                labeled, unless all have one.
            progress: Not needed: all is in memory already.

        Raises:
            DataFileError: The list cannot be used, or names an item without a label.
        """
        del progress
        items, known = self.everything, self.everything.labeled
        labels = labels_of(files, items.files, items.targets, self.classes)
        if files.labels is None and not bool(known.all()):
            ids = known.nonzero().flatten()
            labels = labels._replace(ids=ids, targets=items.targets[ids])
        if labels.own and (unknown := labels.ids[~known[labels.ids]].tolist()):
            raise DataFileError(
                f"{files.labels}: item {unknown[0]} is listed as labeled, but the data set has no label of it"
            )
        return RoundPool(
            name=self.name,
            items=items.files or [str(number) for number in range(len(items))],
            labelled=labels.ids,
            named=items.files is not None,
            inputs=items.inputs,
            targets=labels.targets,
            classes=labels.classes,
            picture=None if items.files is None else partial(_picture, items.files),
            fingerprint=short_hash(self.fingerprint, *labels.asked),
        )

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of inputs and labels; another value means other data."""
        parts = (self.everything,) if self._given is None else (self.everything, self._given)
        return hash_of(*(value for part in parts for value in (part.inputs, part.targets)), self._sizes)

    @cached_property
    def _parts(self) -> tuple[Items, Items]:
        train, test = self.everything, self._given
        self._check_labeled("pool", train)
        if test is None:
            train, test = self._split()
        self._check_labeled("test part", test)
        return train.sample(self._sizes[0], "pool"), test.sample(self._sizes[1], "test")

    def _check_labeled(self, part: str, items: Items) -> None:
        missing = int((~items.labeled).sum())
        if missing:
            raise ArgumentError(
                f"{self.name}: {missing} of {len(items)} items of the {part} have no label, and labels that nobody "
                "knows cannot be replayed; leave these items out, or ask for their labels with "
                "seqgcn.ActiveLearner or seqgcn select"
            )

    def _split(self) -> tuple[Items, Items]:
        n = len(self.everything)
        if n < 2:
            raise ArgumentError(f"{self.name}: {n} item cannot be split into a pool and a test part; give more")
        aside = torch.zeros(n, dtype=torch.bool)
        aside[torch.randperm(n, generator=generator(0, "test"))[: self._test_size]] = True
        if not self._said:
            warnings.warn(self._set_aside, SeqGCNWarning, stacklevel=2)
        return self.everything[(~aside).nonzero().flatten()], self.everything[aside.nonzero().flatten()]

    @property
    def _test_size(self) -> int:
        return math.ceil(TEST_FRACTION * len(self.everything))

    @property
    def _set_aside(self) -> str:
        return (
            f"{self.name} has no test part: {self._test_size:,} of {len(self.everything):,} items, a random quarter "
            "that is always the same, are set aside to test on; give (train, test) to choose"
        )


def _picture(files: Sequence[str], item: int) -> Path | None:
    """The file of an item, where it is there."""
    path = Path(files[item]).expanduser()
    return path if path.is_file() else None


def as_dataset(value: Any, *, name: str | None = None, image_size: int | None = None) -> Dataset:
    """A data set of anything that holds items and their labels.

    Args:
        value: A data set of this package; or items with labels: arrays `(inputs, labels)`, a torch `Dataset` of
            `(input, label)`, a Hugging Face dataset, a DataFrame with the columns path and label; or `(train, test)` of
            these, a mapping with the keys train and test, or a DataFrame with a column split. Without a test part a
            random quarter is set aside, the same in every run. Labels are classes, as whole numbers or names, or
            floating-point numbers; None, -1 or NaN stand for labels that are not known.
        name: For tables and pictures; by default that of the type.
        image_size: Side in pixels of the square to which images in files are resized.

    Raises:
        ArgumentError: It is something else, or has no labels.
        DataFileError: A file cannot be read.

    >>> import numpy as np
    >>> from torch.utils.data import TensorDataset
    >>> part = TensorDataset(torch.rand(8, 3), torch.arange(8) % 2)
    >>> dataset = as_dataset((part, part), name="mine")
    >>> len(dataset.train), len(dataset.test), dataset.classes
    (8, 8, ('0', '1'))
    """
    check_instance("dataset", value)
    if all(hasattr(type(value), member) or member in getattr(value, "__dict__", {}) for member in MEMBERS):
        return cast(Dataset, value)
    train, test = _parts_of(value)
    if train is None:
        check_dataset(value, otherwise=f"of your own data, {WAYS}")
    sources = [read_source(part, image_size) for part in (train, test) if part is not None]
    for source in sources:
        if source.labels is None:
            raise ArgumentError(
                f"{type(value).__name__} has no labels to replay: {WAYS}; labels are looked for in columns and keys "
                f"called {', '.join(LABELS)}. To be asked for labels, use seqgcn.ActiveLearner"
            )
    names = sources[0].classes
    labels = [match_classes(source.labels, source.classes, names, what="the test part") for source in sources]
    targets, classes = targets_of(labels, names)
    parts = [
        Items(source.inputs, values, source.files or None) for source, values in zip(sources, targets, strict=True)
    ]
    kind = type(train).__name__
    called = name or getattr(value, "name", None) or (kind if kind not in ("tuple", "list") else "arrays")
    return cast(Dataset, ItemDataset(parts[0], parts[1] if len(parts) > 1 else None, name=called, classes=classes))


def _parts_of(value: Any) -> tuple[Any, Any]:
    """The pool and, if there is one, the test part; None for what holds no items."""
    if isinstance(value, Mapping) and "train" in value:
        return value["train"], next((value[key] for key in ("test", "validation", "val") if key in value), None)
    if isinstance(value, tuple) and len(value) == 2 and not _is_array(value[0]):
        return value[0], value[1]
    if hasattr(value, "columns") and hasattr(value, "iloc") and "split" in value.columns:
        return value[value["split"] == "train"], value[value["split"] == "test"]
    if isinstance(value, DataLoader | IterableDataset):  # which has a message of its own
        return value, None
    tables = hasattr(value, "column_names") or hasattr(value, "columns")
    items = hasattr(value, "__len__") and hasattr(value, "__getitem__") and not isinstance(value, str | Mapping)
    graph = type(value).__module__.startswith("torch_geometric.data")
    return (value if (tables or items or hasattr(value, "inputs")) and not graph else None), None


def _is_array(value: Any) -> bool:
    """Whether this is the inputs of a pair (inputs, labels), not a whole part."""
    if isinstance(value, list):
        return not (value and isinstance(value[0], tuple | Mapping))
    return isinstance(value, Tensor | np.ndarray | HandFrames)


def largest_class(n: int) -> int:
    """Largest number that counts as a class of n items without class names; a larger one is taken for a typo."""
    return max(n - 1, UNNAMED_CLASSES)


def targets_of(
    parts: Sequence[Any], classes: tuple[str, ...] = (), *, largest: int | None = None
) -> tuple[list[Tensor], tuple[str, ...]]:
    """Labels of several parts as tensors, and the names of the classes, if they are classes.

    Args:
        parts: Labels of the items of each part; None, NaN, or -1 of a class, where there is none.
        classes: Their names, if these are known; class `i` is `classes[i]`.
        largest: Largest number of a class that has no name; by default as many as there are items, and at least 1,000.

    Raises:
        ArgumentError: They are no labels, not of one kind, or so large that they can hardly be classes.
    """
    arrays: list[Any] = [np.asarray(part) if isinstance(part, Tensor | np.ndarray) else None for part in parts]
    if any(values is None or values.dtype.kind not in "biuf" for values in arrays):
        listed = [list(part) for part in parts]
        known = [label for part in listed for label in part if not _is_missing(label)]
        if any(isinstance(label, str) for label in known):
            return _named(listed, known, classes)
        arrays = _numbers(listed, known)
    for values in arrays:
        if values.dtype.kind not in "biuf":
            raise ArgumentError(f"labels must be classes or numbers, got {kind_of(parts[0][0])}")
    if all(values.ndim == 1 and _are_whole(values) for values in arrays):
        tensors = [torch.from_numpy(np.where(np.isnan(each), -1, each).astype(np.int64)) for each in _float(arrays)]
        count = max(int(each.max()) for each in tensors) + 1
        n = sum(map(len, parts))
        if count - 1 > max(largest_class(n) if largest is None else largest, len(classes) - 1):
            raise ArgumentError(
                f"the label {count - 1} is too large for a class of {n:,} items; number classes from 0, or name them, "
                "or give labels that are no classes as floating-point numbers"
            )
        names = classes if len(classes) >= count else tuple(map(str, range(count)))
        return tensors, names
    return [torch.from_numpy(values.astype(np.float32)) for values in arrays], ()


def match_classes(labels: Any, own: tuple[str, ...], names: tuple[str, ...], *, what: str) -> Any:
    """Labels of a part that numbers classes in its own order, as numbers of the pool's classes.

    Args:
        labels: Of the part; names of classes, and numbers that are no classes, stay as they are.
        own: Names of the part's classes, if it has any.
        names: Names of the pool's classes, if they are known.
        what: The part, for messages.

    Raises:
        ArgumentError: The part has items of a class that the pool does not name, or names twice.
    """
    if not own or not names or own == names or any(isinstance(label, str) for label in labels):
        return labels
    (targets,), _ = targets_of([labels], own)
    if targets.is_floating_point():
        return labels
    numbers = torch.full((len(own) + 1,), -1)  # the last one is for -1, no label
    for number in targets[targets >= 0].unique().tolist():
        name = own[number] if number < len(own) else None
        if name is None or own.count(name) > 1 or names.count(name) != 1:
            raise ArgumentError(
                f"class {number if name is None else repr(name)} of {what} is not one of the pool's classes by name: "
                f"{what} has {name_some(own)}, the pool {name_some(names)}; name the classes alike in both"
            )
        numbers[number] = names.index(name)
    return numbers[targets.clamp(min=-1)]


def _named(listed: list[list[Any]], known: list[Any], classes: tuple[str, ...]) -> tuple[list[Tensor], tuple[str, ...]]:
    """Numbers of classes that are given by name."""
    if other := [label for label in known if not isinstance(label, str)]:
        raise ArgumentError(f"labels must be all names of classes or all numbers, got {other[0]!r} among names")
    names = classes if set(known) <= set(classes) else tuple(sorted(set(known)))
    number = {name: place for place, name in enumerate(names)}
    return [torch.tensor([number.get(label, -1) for label in part]) for part in listed], names


def _numbers(listed: list[list[Any]], known: list[Any]) -> list[Any]:
    """Arrays of labels that are numbers, -1 or NaN where there is none."""
    try:
        first = np.asarray(known[0]) if known else np.asarray(0)
        missing = np.full(first.shape, np.nan) if first.dtype.kind == "f" or first.ndim else np.asarray(-1)
        return [np.asarray([missing if _is_missing(each) else np.asarray(each) for each in part]) for part in listed]
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"labels must be numbers of one shape, or names: {error}") from error


def _float(arrays: list[Any]) -> list[Any]:
    return [values.astype(np.float64) for values in arrays]


def _are_whole(values: Any) -> bool:
    """Whether these are classes: whole numbers, or what a table makes of them where some are missing."""
    if values.dtype.kind in "biu":
        return True
    return bool(np.isnan(values).any() and (np.isnan(values) | (values == np.round(values))).all())


def _is_missing(label: Any) -> bool:
    return label is None or (isinstance(label, float) and math.isnan(label))


def hash_of(*values: Any) -> str:
    """Short hash of tensors, hand frames and plain values."""
    digest = hashlib.blake2b(digest_size=8)
    for value in values:
        if isinstance(value, HandFrames):
            for rows in value.index.split(1024):
                digest.update(np.ascontiguousarray(value.crops[rows.numpy()]).data)
            digest.update(hash_of(value.centre, value.cube, torch.as_tensor(value.mirror)).encode())
        elif isinstance(value, Tensor):
            digest.update(f"{value.dtype} {tuple(value.shape)}".encode())
            dense = value.detach().cpu().contiguous()
            digest.update(dense.view(-1).view(torch.uint8).numpy().data if dense.numel() else b"")
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()
