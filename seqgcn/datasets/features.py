"""Rows of features in a file, with targets in another: embeddings of a foundation model, for example."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.datasets.feature_files import read_features
from seqgcn.datasets.item_dataset import ItemDataset, Items, hash_of, targets_of
from seqgcn.datasets.item_lists import find_file, find_ids, read_header, read_ids, read_items, read_table
from seqgcn.datasets.round_pool import RoundFiles, RoundPool
from seqgcn.exceptions import ArgumentError, DataFileError, SeqGCNError
from seqgcn.training import Progress
from seqgcn.utils.messages import log
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_number


class Features(ItemDataset):
    """Rows of a file of features, and the targets of all or some of them.

    In a run, rows without a target are left out and counted. The test part is a random part of the rows, the same in
    every run and of classes the same share of each, or the rows that a list names.

    Args:
        features: A `.npy`, `.npz` or `.safetensors` file with an array `[n, d]`; `FILE:KEY` for one of several.
        targets: A CSV file whose header is `item,class`, or `item` and a name for each of one or several numbers; or a
            `.npy` file of n rows in the same order, whole numbers or texts being classes. Items are row numbers from
            0, or names.
        items: A file with the names of the rows, one a line.
        test_items: A list of the rows to test on, one a line.
        test_fraction: Otherwise the share of the rows to test on.

    Raises:
        ArgumentError: The test part would be empty, or everything.
        DataFileError: A file cannot be used; the message names it with its line.
        MissingFileError: There is no such file.
    """

    def __init__(
        self,
        features: str,
        targets: str | None = None,
        items: str | None = None,
        test_items: str | None = None,
        test_fraction: float = 0.2,
    ) -> None:
        check_number("test_fraction", test_fraction, low=0, high=1, open_low=True, open_high=True)
        values = read_features(features)
        names = None if items is None else read_items(items)
        if names is not None and len(names) != len(values):
            raise DataFileError(f"{items} names {len(names):,} items, but {features} has {len(values):,} rows")
        known, classes = torch.full((len(values),), -1), tuple[str, ...]()
        if targets is not None:
            known, classes = read_targets(targets, names, len(values))
        super().__init__(
            Items(torch.from_numpy(np.array(values, dtype=np.float32)), known, names),
            None,
            name=Path(features).name,
            classes=classes,
        )
        self._targets, self._fraction = targets, test_fraction
        self._test_ids = None if test_items is None else read_ids(test_items, names, len(values))
        self._test_file = test_items

    def limit(self, pool_size: int | None = None, test_size: int | None = None) -> "Features":
        """The same with a fixed random part of the pool and of the test part."""
        limited = Features.__new__(Features)
        vars(limited).update({key: value for key, value in vars(self).items() if key not in ("_parts", "fingerprint")})
        limited._sizes = (pool_size or self._sizes[0], test_size or self._sizes[1])
        return limited

    def prepare(self, progress: Progress | None = None) -> None:
        """Say which rows are left out; all is in memory already."""
        del progress
        missing = len(self.everything) - int(self.everything.labeled.sum())
        if 0 < missing < len(self.everything):
            log.info(
                f"{self.name}: {missing:,} of {len(self.everything):,} rows have no target in {self._targets}, and are "
                "left out"
            )

    def round_pool(self, files: RoundFiles, progress: Progress | None = None) -> RoundPool:
        """What a round picks from: all rows. Those with a target count as labeled, unless a list names fewer.

        Raises:
            DataFileError: The list cannot be used, or names a row without a target.
        """
        pool = super().round_pool(files, progress)
        if files.labels is None and bool(self.everything.labeled.all()):
            raise DataFileError(
                f"every row of {self.name} has a target in {self._targets}, so that none is left to pick; list those "
                "that count as labeled so far with --labelled FILE"
            )
        return pool

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of features, targets and what is tested on; another value means other data."""
        return hash_of(self.everything.inputs, self.everything.targets, self._sizes, self._fraction, self._test_ids)

    def _split(self) -> tuple[Items, Items]:
        labeled = self.everything.labeled.nonzero().flatten()
        aside = torch.zeros(len(self.everything), dtype=torch.bool)
        if self._test_ids is None:
            aside[labeled[self._drawn(self.everything.targets[labeled])]] = True
        else:
            if unknown := [number for number in self._test_ids if not bool(self.everything.labeled[number])]:
                raise DataFileError(
                    f"{self._test_file}: row {unknown[0]} has no target in {self._targets}, and cannot be tested on"
                )
            aside[self._test_ids] = True
        test, train = labeled[aside[labeled]], labeled[~aside[labeled]]
        if not len(test) or not len(train):
            raise ArgumentError(
                f"{self.name}: of {len(labeled):,} rows with a target {len(test):,} would be tested on and "
                f"{len(train):,} be in the pool; give another test_fraction or test_items"
            )
        return self.everything[train], self.everything[test]

    def _check_labeled(self, part: str, items: Items) -> None:
        if part == "pool" and not bool(items.labeled.any()):
            raise ArgumentError(
                f"{self.name}: no row has a target, and labels that are not known cannot be replayed; give "
                "--targets FILE, or ask for labels with seqgcn select"
            )

    def _drawn(self, targets: Tensor) -> Tensor:
        """A random share of rows, the same in every run; of classes the same share of each, `[m]` int64."""
        draw = generator(0, "test")
        groups = [torch.arange(len(targets))]
        if not targets.is_floating_point():
            groups = [(targets == number).nonzero().flatten() for number in targets.unique().tolist()]
        orders = [rows[torch.randperm(len(rows), generator=draw)] for rows in groups]
        return torch.cat([rows[: round(self._fraction * len(rows))] for rows in orders])


def read_targets(path: str | Path, names: Sequence[str] | None, n: int) -> tuple[Tensor, tuple[str, ...]]:
    """Targets of n rows, and the names of the classes, if they are classes.

    Args:
        path: See `Features`.
        names: Of the rows.
        n: How many there are.

    Returns:
        Classes `[n]` int64, -1 where there is none, or numbers `[n]` or `[n, k]` float32, NaN where there are none.

    Raises:
        DataFileError: The file cannot be used; the message names the line.
        MissingFileError: There is no such file.
    """
    if Path(path).suffix.lower() == ".npy":
        return _from_array(find_file(path), n)
    header = read_header(path)
    if len(header) < 2 or header[0] != "item" or len(set(header)) < len(header):
        raise DataFileError(
            f"{path}, line 1: the header must be item,class, or item and a name for each number, "
            f"got {','.join(header)[:100]!r}"
        )
    if blank := [name for name in header if name != name.strip()]:
        raise DataFileError(f"{path}, line 1: the header has spaces beside {blank[0].strip()!r}; remove them")
    rows = read_table(path, header)
    if not rows:
        raise DataFileError(f"{path} has a header and no row")
    ids = find_ids(path, [row.cells[0] for row in rows], [row.line for row in rows], names, n)
    if header[1:] == ["class"]:
        for row in rows:
            if not row.cells[1].strip():
                raise DataFileError(f"{path}, line {row.line}: the class is empty; leave the row out to say none")
        found = [row.cells[1].strip() for row in rows]
        classes = tuple(sorted(set(found), key=_natural))
        targets = torch.full((n,), -1)
        targets[ids] = torch.tensor([classes.index(name) for name in found])
        return targets, classes
    numbers = torch.full((n, len(header) - 1), torch.nan)
    numbers[ids] = torch.tensor([[_number(path, row.line, cell) for cell in row.cells[1:]] for row in rows])
    return numbers.squeeze(1) if len(header) == 2 else numbers, ()


def _natural(name: str) -> tuple[int, float, str]:
    """Numbers in their order, then names."""
    return (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name)


def _number(path: str | Path, line: int, cell: str) -> float:
    try:
        value = float(cell) if "_" not in cell else np.nan
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise DataFileError(
            f"{path}, line {line}: {cell[:100]!r} is no finite number; where it is a class, the column must be called "
            "class, and rows without a target are left out of the file"
        )
    return value


def _from_array(path: Path, n: int) -> tuple[Tensor, tuple[str, ...]]:
    try:
        values: NDArray[Any] = np.load(path, allow_pickle=False)
    except Exception as error:  # of nearly every type, of damaged files
        raise DataFileError(
            f"{path} cannot be read as .npy: {error}; a target must be a number, or a class as a whole number or text, "
            "which np.asarray(classes, dtype=str) makes of objects"
        ) from error
    if not isinstance(values, np.ndarray) or values.ndim not in (1, 2) or len(values) != n:
        raise DataFileError(f"{path} must hold a target for each of {n:,} rows, got {list(np.shape(values))}")
    if values.dtype.kind == "U":
        names = tuple(sorted(set(values.ravel().tolist()) - {""}, key=_natural))
        return torch.tensor([names.index(name) if name else -1 for name in values.ravel().tolist()]), names
    try:
        (targets,), classes = targets_of([values if values.dtype.kind == "f" else values.astype(np.int64)])
    except SeqGCNError as error:
        raise DataFileError(f"{path}: {error}") from error
    return targets, classes
