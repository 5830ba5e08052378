"""What a round picks from: items with names, some of them labelled, and what describes them."""

import hashlib
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.config.select import SelectConfig
from seqgcn.datasets.dataset import Dataset
from seqgcn.datasets.hands.centers.doubt import check_crops, check_mass
from seqgcn.datasets.hands.centers.found import Centers
from seqgcn.datasets.hands.hand_dataset import HandDataset, HandFrames, in_words
from seqgcn.datasets.hands.poses import PoseDataset, PoseFiles
from seqgcn.datasets.image_folder import read_images_below
from seqgcn.datasets.registry import dataset_maker
from seqgcn.exceptions import DataFileError
from seqgcn.rounds.features import read_features
from seqgcn.rounds.item_lists import find_file, find_ids, read_costs, read_ids, read_items, read_table
from seqgcn.training import Progress
from seqgcn.utils.messages import log
from seqgcn.utils.validation import name_some

THUMBNAIL = 16
"""Pixels along the side of the thumbnails that describe items before anything is learned."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RoundPool:
    """Items of which some are labelled.

    Args:
        name: Of the data set or file, for titles.
        items: Name of each item, n of them.
        labelled: Numbers of the labelled ones, `[m]` int64.
        x: Embeddings `[n, d]`, where the user brought them.
        inputs: Else what a learner sees, n items; `inputs[ids]` are those of some.
        targets: Labels of the labelled ones, `[m, ...]`, for the learner.
        classes: Names of the classes, where there are any.
        frames: The hand frames behind the items.
        centers: Where the hand is in each of them.
        unfit: Items that cannot be picked, whatever lists say, `[n]` bool.
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
    frames: HandDataset | None = None
    centers: Centers | None = None
    unfit: Tensor | None = None
    named: bool = True

    @property
    def names(self) -> Sequence[str] | None:
        """What lists call the items by; None where it is their numbers."""
        return self.items if self.named else None

    def __len__(self) -> int:
        return len(self.items)


def thumbnails_of(inputs: HandFrames | Tensor) -> Tensor:
    """What describes items of which none is labelled: small grey pictures as vectors, `[n, d]` float32.

    Args:
        inputs: Hand frames, or images `[n, c, h, w]` uint8.
    """
    blocks: Iterable[Tensor]
    if isinstance(inputs, HandFrames):
        blocks = (inputs.batch(ids).images for ids in torch.arange(len(inputs)).split(1024))
    else:
        blocks = (part.float().mean(dim=1, keepdim=True) / 255 for part in inputs.split(1024))
    # Of pictures smaller than that, as many pixels as there are.
    return torch.cat([F.adaptive_avg_pool2d(part, min(THUMBNAIL, *part.shape[2:])).flatten(1) for part in blocks])


def pool_of_features(config: SelectConfig) -> RoundPool:
    """The pool of a user's own embeddings.

    Raises:
        DataFileError: A file cannot be used.
    """
    assert config.features is not None  # noqa: S101  # for mypy
    values = read_features(config.features)
    items: Sequence[str] | None = None
    if config.items is not None:
        items = read_items(config.items)
        if len(items) != len(values):
            raise DataFileError(
                f"{config.items} names {len(items):,} items, but {config.features} has {len(values):,} rows"
            )
    labelled = [] if config.labelled is None else read_ids(config.labelled, items, len(values))
    digest = hashlib.blake2b(repr((values.shape, str(values.dtype), items, labelled)).encode(), digest_size=8)
    for block in np.array_split(values, max(1, values.nbytes // 2**24)):
        digest.update(np.ascontiguousarray(block).data)
    return RoundPool(
        name=Path(config.features).name,
        items=items or [str(number) for number in range(len(values))],
        labelled=torch.tensor(labelled, dtype=torch.int64),
        named=items is not None,
        x=_tensor(values),
        fingerprint=digest.hexdigest(),
    )


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
    """The pool of a data set: frames in its folders, or the items of its pool, whichever it can tell.

    Args:
        config: Which data set, and what is labelled.
        parameters: The data set's own.
        crop_check: Called with the size of the crops, px, before any is made.
        progress: Told about the making of crops.

    Raises:
        ConfigError: The folder or the labels are missing on the command line.
        DataFileError: A file cannot be used.
    """
    assert config.dataset is not None  # noqa: S101  # for mypy
    make = dataset_maker(config.dataset, config.root)
    if config.dataset == "image-folder":
        return _pool_of_images(config, parameters["image_size"])
    dataset = make(**parameters)
    if crop_check is not None and hasattr(dataset, "crop_size"):
        crop_check(dataset.crop_size)
    if isinstance(dataset, PoseFiles):
        return _pool_of_frames(config, dataset, progress)
    return _pool_of_items(config, dataset, progress)


def _pool_of_frames(config: SelectConfig, dataset: PoseFiles, progress: Progress | None) -> RoundPool:
    hands, listed = list_hands(config, dataset)
    if hands.skipped:
        log.info(f"{hands.name}: {len(hands):,} frames; left out: {in_words(hands.skipped)}")
    check_lists(config, hands.files)
    hands.learn_from(labelled_hands(hands, listed))
    hands.locate(progress)
    check_crops(hands, dataset.accept_crops)
    hands.prepare(progress)
    check_mass(hands, dataset.accept_crops)
    # Once more, as frames that turned out to be empty may have been left out.
    labelled = labelled_hands(hands, listed)
    return RoundPool(
        name=dataset.name,
        items=hands.files,
        labelled=labelled,
        inputs=hands.frames,
        targets=hands.joints[labelled],
        frames=hands,
        centers=hands.centers,
        fingerprint=short_hash(hands.fingerprint, labelled.tolist()),
    )


def list_hands(config: SelectConfig, dataset: PoseFiles) -> tuple[HandDataset, Path | None]:
    """Frames of a data set, not cropped yet, and the list of those that count as labelled, if there is one.

    Raises:
        DataFileError: A file cannot be used.
    """
    file = None if config.labelled is None else find_file(config.labelled)
    listed = file is not None and (not dataset.lists_frames or _is_list(file, Path(dataset.root).expanduser()))
    return dataset.every_frame(None if listed or file is None else str(file)), file if listed else None


def labelled_hands(hands: HandDataset, listed: Path | None) -> Tensor:
    """Numbers of the labelled frames, `[m]` int64: those of a list, if there is one, in its order.

    Raises:
        DataFileError: The list cannot be read, or names a frame that has no pose.
    """
    if listed is None:
        return hands.labelled.nonzero().squeeze(1)
    chosen = torch.tensor(read_ids(listed, hands.files, len(hands)), dtype=torch.int64)
    unknown = chosen[~hands.labelled[chosen]]
    if len(unknown):
        raise DataFileError(
            f"{listed}: {hands.files[int(unknown[0])]} is listed as labelled, but the data set's labels have no pose "
            f"of it; {len(unknown) - 1:,} more are like it"
        )
    return chosen


def candidates_of(config: SelectConfig, pool: RoundPool) -> Tensor:
    """Items that may be picked, `[n]` bool, none of them labelled.

    Raises:
        DataFileError: A list cannot be used.
    """
    mask = torch.full((len(pool),), config.candidates is None)
    if config.candidates is not None:
        mask[read_ids(config.candidates, pool.names, len(pool))] = True
    if config.exclude is not None:
        mask[read_ids(config.exclude, pool.names, len(pool))] = False
    mask[pool.labelled] = False
    if pool.unfit is not None:
        mask &= ~pool.unfit
    return mask


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
    costs = read_costs(config.cost, pool.names, len(pool))
    unpriced = np.flatnonzero(candidates.numpy() & np.isnan(costs)).tolist()
    if unpriced:
        raise DataFileError(
            f"{config.cost} has no cost of {name_some([pool.items[i] for i in unpriced])}; add it, or leave them out "
            "with --exclude"
        )
    return torch.from_numpy(costs)


def _pool_of_items(config: SelectConfig, dataset: Dataset, progress: Progress | None) -> RoundPool:
    dataset.prepare(progress)
    train = dataset.train
    items: Sequence[str] | None = getattr(train, "files", None)
    labelled = [] if config.labelled is None else read_ids(config.labelled, items, len(train))
    ids = torch.tensor(labelled, dtype=torch.int64)
    hands = dataset.hands("train") if isinstance(dataset, PoseDataset) else None
    return RoundPool(
        name=dataset.name,
        items=items or [str(number) for number in range(len(train))],
        labelled=ids,
        named=items is not None,
        inputs=train.inputs,
        targets=train.targets[ids],
        classes=getattr(dataset, "classes", ()),
        frames=hands,
        centers=None if hands is None else hands.centers,
        fingerprint=short_hash(dataset.fingerprint, labelled),
    )


def _pool_of_images(config: SelectConfig, image_size: int | None) -> RoundPool:
    """All images below a folder; the labels are a table of images and classes."""
    assert config.root is not None  # noqa: S101  # for mypy
    items, images = read_images_below(config.root, image_size)
    classes, targets = ({}, {}) if config.labelled is None else _read_classes(config.labelled, items)
    labelled = sorted(targets)
    values = torch.tensor([targets[item] for item in labelled], dtype=torch.int64)
    digest = hashlib.blake2b(images.numpy().data, digest_size=8).hexdigest()
    return RoundPool(
        name=Path(config.root).resolve().name,
        items=items,
        labelled=torch.tensor(labelled, dtype=torch.int64),
        inputs=images,
        targets=values,
        classes=tuple(classes),
        fingerprint=short_hash(digest, items, classes, targets),
    )


def _read_classes(path: str, items: Sequence[str]) -> tuple[dict[str, int], dict[int, int]]:
    """Number of each class, in order of their names, and the class of each labelled item, by number.

    Raises:
        DataFileError: The file is no table item,class of these items.
    """
    if find_file(path).stat().st_size == 0:  # nothing is labelled yet
        return {}, {}
    rows = read_table(path, ("item", "class"))
    ids = find_ids(path, [row.cells[0] for row in rows], [row.line for row in rows], items)
    for row in rows:
        if not row.cells[1].strip():
            raise DataFileError(f"{path}, line {row.line}: {row.cells[0]!r} has no class; leave it out until it has")
    classes = {name: number for number, name in enumerate(sorted({row.cells[1] for row in rows}))}
    return classes, {item: classes[row.cells[1]] for item, row in zip(ids, rows, strict=True)}


def _is_list(path: Path, root: Path) -> bool:
    """Whether the first line of a file is one name, of a file below a folder or without any number behind it."""
    with open(path, "rb") as file:
        line = os.fsdecode(file.readline(4096).removeprefix(b"\xef\xbb\xbf").strip())
    if not line or "\0" in line:
        return False
    return len(line.replace(",", " ").split()) == 1 or os.path.isfile(root / line)


def short_hash(*parts: Any) -> str:
    """Another one for anything that is written in another way."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
