"""CIFAR-10 and CIFAR-100, in the official binary files or the official Python pickles."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from seqgcn.datasets.data_files import Layout, check_labels, check_root, file_size, locate, read_bytes
from seqgcn.datasets.dataset import ImageDataset, Split
from seqgcn.datasets.pickles import PickledArray, as_text, read_pickled_dict
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError
from seqgcn.utils.validation import check_choice

SIDE = 32
PIXEL_BYTES = 3 * SIDE * SIDE
INT64 = np.iinfo(np.int64)
SOURCE = "https://www.cs.toronto.edu/~kriz/cifar.html"


class _Release(NamedTuple):
    """The files of one data set in one of its two formats.

    Args:
        folder: What its archive unpacks into.
        train: Files of the pool.
        test: Files of the test part.
        names: File with the names of the classes.
    """

    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    names: str


class _Kind(NamedTuple):
    """What tells CIFAR-10 and CIFAR-100 apart.

    Args:
        name: What to call it.
        binary: Its binary files.
        pickled: Its pickles.
        labels: The labels of a binary record in their order, by their key in the pickles, with the number of
            classes of each.
    """

    name: str
    binary: _Release
    pickled: _Release
    labels: dict[str, int]


def _cifar10() -> _Kind:
    batches = tuple(f"data_batch_{i}" for i in range(1, 6))
    binary = tuple(f"{batch}.bin" for batch in batches)
    return _Kind(
        "CIFAR-10",
        _Release("cifar-10-batches-bin", binary, ("test_batch.bin",), "batches.meta.txt"),
        _Release("cifar-10-batches-py", batches, ("test_batch",), "batches.meta"),
        {"labels": 10},
    )


def _cifar100(labels: str) -> _Kind:
    return _Kind(
        "CIFAR-100",
        _Release("cifar-100-binary", ("train.bin",), ("test.bin",), f"{labels}_label_names.txt"),
        _Release("cifar-100-python", ("train",), ("test",), "meta"),
        {"coarse_labels": 20, "fine_labels": 100},
    )


CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class CIFAR10(ImageDataset):
    """60,000 photographs of 10 kinds of animals and vehicles, 32 x 32 pixels in RGB (Krizhevsky, 2009).

    Args:
        root: ``cifar-10-batches-bin`` or ``cifar-10-batches-py``, or the folder that one of them is in.
        train_files: Names of the files that make up the pool, if not the official five. A name in ``.bin`` is
            read as a binary file, any other as a pickle.
        test_files: Names of the files that make up the test part, if not the official one.

    Raises:
        ArgumentError: The file names are no tuple of names, or a file is used twice.
        MissingFileError: A file is not there.
        DataFileError: A file is damaged or of another format.
    """

    def __init__(
        self,
        root: str | Path,
        train_files: tuple[str, ...] | None = None,
        test_files: tuple[str, ...] | None = None,
    ) -> None:
        kind = _cifar10()
        train, test = _locate(root, kind, train_files, test_files)
        super().__init__(
            name=kind.name,
            train=_read_split(train, kind, "labels"),
            test=_read_split(test, kind, "labels"),
            classes=_read_classes(train[0], kind, "labels", otherwise=CIFAR10_CLASSES),
        )


class CIFAR100(ImageDataset):
    """60,000 photographs of 100 kinds of things in 20 groups, 32 x 32 pixels in RGB (Krizhevsky, 2009).

    Args:
        root: ``cifar-100-binary`` or ``cifar-100-python``, or the folder that one of them is in.
        labels: ``"fine"`` for the 100 classes, ``"coarse"`` for the 20 groups of five of them.

    Raises:
        ArgumentError: Other `labels`.
        MissingFileError: A file is not there.
        DataFileError: A file is damaged or of another format.
    """

    def __init__(self, root: str | Path, labels: Literal["fine", "coarse"] = "fine") -> None:
        check_choice("labels", labels, ("fine", "coarse"))
        kind, wanted = _cifar100(labels), f"{labels}_labels"
        train, test = _locate(root, kind, None, None)
        super().__init__(
            name=kind.name,
            train=_read_split(train, kind, wanted),
            test=_read_split(test, kind, wanted),
            classes=_read_classes(train[0], kind, wanted),
        )


def _locate(
    root: str | Path, kind: _Kind, train_files: tuple[str, ...] | None, test_files: tuple[str, ...] | None
) -> tuple[list[Path], list[Path]]:
    """Files of the pool and of the test part, from `root` itself or from the folder of a release in it."""
    for argument, names in (("train_files", train_files), ("test_files", test_files)):
        _check_names(argument, names)
    top = check_root(root, kind.name, SOURCE)
    layouts = []
    for release in (kind.binary, kind.pickled):
        files = tuple((name,) for name in (*(train_files or release.train), *(test_files or release.test)))
        layouts += [Layout(top, files), Layout(top / release.folder, files)]
    paths = locate(dict.fromkeys(layouts), kind.name, SOURCE)
    real = [path.resolve() for path in paths]
    for path in paths:
        if real.count(path.resolve()) > 1:
            raise ArgumentError(
                f"{path.name} is used more than once (train_files {train_files}, test_files {test_files}); "
                "an image must be in one part only, and once"
            )
    pool_size = len(train_files or kind.binary.train)
    return paths[:pool_size], paths[pool_size:]


def _check_names(argument: str, names: Any) -> None:
    if names is None:
        return
    if not isinstance(names, tuple | list) or not names or not all(isinstance(name, str) for name in names):
        raise ArgumentError(f"{argument} must be a tuple of one or more file names, got {names!r}")


def _is_binary(path: Path) -> bool:
    return path.suffix == ".bin"


def _read_classes(
    train_file: Path, kind: _Kind, wanted: str, otherwise: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    """Names of the classes of the `wanted` labels from the file beside `train_file`."""
    path = train_file.with_name((kind.binary if _is_binary(train_file) else kind.pickled).names)
    if not path.is_file():
        if otherwise is not None:
            return otherwise
        raise MissingFileError(f"{path} with the names of the classes is missing; get it from {SOURCE}")
    if _is_binary(train_file):
        lines = read_bytes(path).decode("utf-8", "replace").splitlines()
        classes = [line.strip() for line in lines if line.strip()]
    else:
        found = read_pickled_dict(path).get(f"{wanted.removesuffix('s')}_names")
        listed = found if isinstance(found, list) else []
        classes = [as_text(name) for name in listed if isinstance(name, bytes | str)]
    count = kind.labels[wanted]
    if len(classes) != count or len(set(classes)) != count:
        raise DataFileError(
            f"{path} must name {count} different classes, found {len(set(classes))}; get it from {SOURCE}"
        )
    return tuple(classes)


def _read_split(paths: list[Path], kind: _Kind, wanted: str) -> Split:
    """Images and the `wanted` labels of several files, one after the other."""
    parts = [(_read_binary if _is_binary(path) else _read_pickle)(path, kind, wanted) for path in paths]
    images = np.concatenate([pixels for pixels, _ in parts]).reshape(-1, 3, SIDE, SIDE)
    targets = np.concatenate([labels for _, labels in parts])
    return Split(torch.from_numpy(images), torch.from_numpy(targets))


def _read_binary(path: Path, kind: _Kind, wanted: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels `[n, 3072]` and labels `[n]` of records of one byte for each label and 3,072 for the pixels."""
    heads = len(kind.labels)
    size, record = file_size(path), heads + PIXEL_BYTES
    if size == 0 or size % record:
        raise DataFileError(
            f"{path} has {size} bytes, expected a positive multiple of {record}, the size of a {kind.name} "
            f"record; get it from {SOURCE}"
        )
    rows = np.frombuffer(read_bytes(path), np.uint8).reshape(-1, record)
    for column, (key, count) in enumerate(kind.labels.items()):
        check_labels(rows[:, column], path, high=count - 1, what=_spoken(key))
    return rows[:, heads:], rows[:, list(kind.labels).index(wanted)].astype(np.int64)


def _read_pickle(path: Path, kind: _Kind, wanted: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels `[n, 3072]` and labels `[n]` of a pickled dict with an array ``data`` and lists of labels."""
    batch = read_pickled_dict(path)
    data = batch.get("data")
    pixels = data.values if isinstance(data, PickledArray) else None
    if pixels is None or pixels.dtype != np.uint8 or pixels.shape[1:] != (PIXEL_BYTES,) or len(pixels) == 0:
        found = "none" if pixels is None else f"{pixels.dtype} {list(pixels.shape)}"
        raise DataFileError(
            f"{path}: 'data' must be a uint8 array [n, {PIXEL_BYTES}] with n > 0, found {found}; get it from {SOURCE}"
        )
    found_labels = batch.get(wanted)
    labels = found_labels if isinstance(found_labels, list) else []
    if len(labels) != len(pixels) or {type(label) for label in labels} != {int}:
        raise DataFileError(
            f"{path}: {wanted!r} must be a list of {len(pixels)} whole numbers, one for each image; is this "
            f"{kind.name}? get it from {SOURCE}"
        )
    # A whole number of Python's may not fit into 64 bits; cut to these it is as wrong as before.
    targets = np.array([min(max(label, INT64.min), INT64.max) for label in labels])
    check_labels(targets, path, high=kind.labels[wanted] - 1, what=_spoken(wanted))
    return pixels, targets


def _spoken(key: str) -> str:
    return key.removesuffix("s").replace("_", " ")
