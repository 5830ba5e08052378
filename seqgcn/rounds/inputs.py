"""What a round picks from: items with names, some of them labeled, and what describes them."""

import hashlib
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.config.select import SelectConfig
from seqgcn.datasets.feature_files import read_features
from seqgcn.datasets.features import Features
from seqgcn.datasets.hands.folder_splits import FolderSplits
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.image_folder import SUFFIXES
from seqgcn.datasets.item_lists import find_file, read_costs, read_ids, read_items
from seqgcn.datasets.registry import dataset_maker
from seqgcn.datasets.round_pool import RoundPool as RoundPool
from seqgcn.datasets.round_pool import pool_of_items
from seqgcn.datasets.round_pool import short_hash as short_hash
from seqgcn.exceptions import DataFileError
from seqgcn.rounds.known_classes import is_class_table, read_class_folders, read_class_table
from seqgcn.runs.cold_start import thumbnails_of as thumbnails_of
from seqgcn.training import Progress
from seqgcn.utils.validation import name_some


def pool_of_features(config: SelectConfig) -> RoundPool:
    """The pool of a user's own embeddings.

    Raises:
        DataFileError: A file cannot be used.
    """
    assert config.features is not None  # noqa: S101  # for mypy
    if config.targets is not None:
        pool = Features(config.features, config.targets, config.items).round_pool(ListedFiles(config))
        return replace(pool, picture=_pictures(config, pool.names))
    values = read_features(config.features)
    items: Sequence[str] | None = None
    if config.items is not None:
        items = read_items(config.items)
        if len(items) != len(values):
            raise DataFileError(
                f"{config.items} names {len(items):,} items, but {config.features} has {len(values):,} rows"
            )
    classes, known, labelled = config.classes, dict[int, int](), list[int]()
    if config.labelled is not None and is_class_table(find_file(config.labelled), items):
        classes, known = read_class_table(config.labelled, items, len(values), classes, blank=True)
        labelled = list(known)
    elif config.labelled is not None:
        labelled = read_ids(config.labelled, items, len(values))
    asked = (values.shape, str(values.dtype), items, labelled, *([known, classes] if known else []))
    digest = hashlib.blake2b(repr(asked).encode(), digest_size=8)
    for block in np.array_split(values, max(1, values.nbytes // 2**24)):
        digest.update(np.ascontiguousarray(block).data)
    return RoundPool(
        name=Path(config.features).name,
        items=items or [str(number) for number in range(len(values))],
        labelled=torch.tensor(labelled, dtype=torch.int64),
        named=items is not None,
        x=_tensor(values),
        classes=classes,
        known={item: classes[number] for item, number in known.items() if number >= 0},
        picture=_pictures(config, items),
        fingerprint=digest.hexdigest(),
    )


def _pictures(config: SelectConfig, names: Sequence[str] | None) -> Callable[[int], Path | None] | None:
    """What tells the pictures that rows of features are named after, if they are."""
    return None if names is None or config.items is None else partial(_picture, Path(config.items).parent, names)


def _picture(folder: Path, items: Sequence[str], item: int) -> Path | None:
    """The picture that a name is the path of, from the folder of the file of names, if there is one."""
    path = folder.expanduser() / items[item]
    return path if path.suffix.lower() in SUFFIXES and os.path.isfile(path) else None


def _tensor(values: NDArray[np.floating[Any]]) -> Tensor:
    """The same memory, where that is not of half precision; nobody writes into it."""
    with warnings.catch_warnings():
        # Of a file that may not be written into.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(values.astype(np.float32) if values.dtype == np.float16 else values)


def pool_of_dataset(
    config: SelectConfig,
    parameters: Mapping[str, Any],
    *,
    crop_check: Any = None,
    progress: Progress | None = None,
) -> RoundPool:
    """The pool of a data set: the frames in its folders where it lists them, else the items of its pool.

    Args:
        config: Which data set, and what is labeled.
        parameters: The data set's own.
        crop_check: Called with the size of the crops, px, before any is made.
        progress: Told about the making of crops.

    Raises:
        ConfigError: The folder or the labels are missing on the command line.
        DataFileError: A file cannot be used.
    """
    assert config.dataset is not None  # noqa: S101  # for mypy
    dataset = dataset_maker(config.dataset, config.root, unsplit=True)(**parameters)
    if crop_check is not None and hasattr(dataset, "crop_size"):
        crop_check(dataset.crop_size)
    pool_of: Callable[..., RoundPool] = getattr(dataset, "round_pool", partial(pool_of_items, dataset))
    return pool_of(ListedFiles(config), progress=progress)


@dataclass(frozen=True)
class ListedFiles:
    """The files that a configuration names about a data set's items; see `RoundFiles`."""

    config: SelectConfig

    @property
    def labels(self) -> Path | None:
        """The file of what is labeled."""
        return None if self.config.labelled is None else find_file(self.config.labelled)

    def is_list(self, root: Path) -> bool:
        """Whether that file is a list of names of files below a folder."""
        return self.labels is not None and _is_list(self.labels, root)

    def labeled(self, names: Sequence[str] | None, n: int) -> Tensor:
        """Numbers of the items it lists, `[m]` int64."""
        ids = [] if self.config.labelled is None else read_ids(self.config.labelled, names, n)
        return torch.tensor(ids, dtype=torch.int64)

    def labeled_frames(self, hands: HandDataset, listed: Path | None) -> Tensor:
        """The same of frames; see `labelled_hands`."""
        return labelled_hands(hands, listed)

    def classes(self, names: Sequence[str]) -> tuple[dict[str, int], dict[int, int]]:
        """Number of each class, and the class of each item, of a table of both or of folders named after classes."""
        config, labels = self.config, self.config.labelled
        classes: tuple[str, ...] = config.classes
        known: dict[int, int] = {}
        if labels is not None and os.path.isdir(os.path.expanduser(labels)):
            classes, known = read_class_folders(labels, config.root, names, classes)
        elif labels is not None:
            classes, known = read_class_table(labels, names, classes=classes)
        return {name: number for number, name in enumerate(classes)}, known

    def more_classes(self, classes: Sequence[str]) -> tuple[str, ...]:
        """Classes of a data set and those that are named beside them."""
        return tuple(dict.fromkeys((*classes, *self.config.classes)))

    def class_table(self, names: Sequence[str] | None, n: int, classes: Sequence[str]) -> dict[int, int] | None:
        """Class of each labeled item by number, of a table item,class; None if the file is another."""
        path = self.labels
        if path is None or not is_class_table(path, names):
            return None
        return read_class_table(str(path), names, n, self.more_classes(classes))[1]

    def check(self, names: Sequence[str]) -> None:
        """Find what is wrong with the other lists; see `check_lists`."""
        check_lists(self.config, names)


def list_hands(config: SelectConfig, dataset: FolderSplits) -> tuple[HandDataset, Path | None]:
    """Frames of a data set, not cropped yet, and the list of those that count as labeled, if there is one.

    Raises:
        DataFileError: A file cannot be used.
    """
    return dataset.list_frames(ListedFiles(config))


def labelled_hands(hands: HandDataset, listed: Path | None) -> Tensor:
    """Numbers of the labeled frames, `[m]` int64: those of a list, if there is one, in its order.

    Raises:
        DataFileError: The list cannot be read, or names a frame that has no pose.
    """
    if listed is None:
        return hands.labelled.nonzero().squeeze(1)
    chosen = torch.tensor(_there(listed, hands.files, hands.left_out, len(hands)), dtype=torch.int64)
    unknown = chosen[~hands.labelled[chosen]]
    if len(unknown):
        raise DataFileError(
            f"{listed}: {hands.files[int(unknown[0])]} is listed as labeled, but the data set's labels have no pose "
            f"of it; {len(unknown) - 1:,} more are like it"
        )
    return chosen


def candidates_of(config: SelectConfig, pool: RoundPool) -> Tensor:
    """Items that may be picked, `[n]` bool, none of them labeled.

    Raises:
        DataFileError: A list cannot be used.
    """
    mask = torch.full((len(pool),), config.candidates is None)
    if config.candidates is not None:
        mask[_there(config.candidates, pool.names, pool.left_out, len(pool))] = True
    if config.exclude is not None:
        mask[_there(config.exclude, pool.names, pool.left_out, len(pool))] = False
    mask[pool.labelled] = False
    if pool.unfit is not None:
        mask &= ~pool.unfit
    return mask


def _there(path: str | Path, names: Sequence[str] | None, left_out: Sequence[str], n: int) -> list[int]:
    """Items that a list names, without those that were left out."""
    if names is None:
        return read_ids(path, None, n)
    return [item for item in read_ids(path, [*names, *left_out], n + len(left_out)) if item < n]


def check_lists(config: SelectConfig, items: Sequence[str]) -> None:
    """Find what is wrong with a list before an hour of cropping.

    Args:
        config: Names the lists.
        items: Names of all items.

    Raises:
        DataFileError: A list cannot be used.
    """
    for path in (config.candidates, config.exclude):
        if path is not None:
            read_ids(path, items, len(items))
    if config.cost is not None:
        read_costs(config.cost, items, len(items))


def costs_of(config: SelectConfig, pool: RoundPool, candidates: Tensor) -> Tensor | None:
    """What it costs to label each item, `[n]`, NaN of those that may not be picked and have none.

    Raises:
        DataFileError: The file cannot be used, or has no cost of a candidate.
    """
    if config.cost is None:
        return None
    names = None if pool.names is None else [*pool.names, *pool.left_out]
    costs = read_costs(config.cost, names, len(pool) + len(pool.left_out))[: len(pool)]
    unpriced = np.flatnonzero(candidates.numpy() & np.isnan(costs)).tolist()
    if unpriced:
        raise DataFileError(
            f"{config.cost} has no cost of {name_some([pool.items[i] for i in unpriced])}; add it, or leave them out "
            "with --exclude"
        )
    return torch.from_numpy(costs)


def _is_list(path: Path, root: Path) -> bool:
    """Whether the first line of a file is one name, of a file below a folder or without any number behind it."""
    with open(path, "rb") as file:
        line = os.fsdecode(file.readline(4096).removeprefix(b"\xef\xbb\xbf").strip())
    if not line or "\0" in line:
        return False
    return len(line.replace(",", " ").split()) == 1 or os.path.isfile(root / line)
