"""Whatever the bytes of a file, a reader gives a data set or one of this package's errors, and soon."""

import gzip
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import scipy.io
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from seqgcn.datasets import CIFAR10, CIFAR100, MNIST, SVHN, ImageDataset, ImageFolder
from seqgcn.exceptions import SeqGCNError


class Reader(NamedTuple):
    """How to write a small valid data set, which of its files to damage, and how to read it."""

    write: Callable[[Path], None]
    file: str
    read: Callable[[Path], ImageDataset]


def _write_cifar10_binary(folder: Path) -> None:
    for name in ("data_batch_1.bin", "test_batch.bin"):
        (folder / name).write_bytes((b"\x03" + bytes(3072)) * 2)


def _write_cifar10_pickle(folder: Path) -> None:
    for name in ("data_batch_1", "test_batch"):
        batch = {b"data": np.zeros((2, 3072), np.uint8), b"labels": [3, 7], b"filenames": [b"a.png", b"b.png"]}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


def _write_cifar100_pickle(folder: Path) -> None:
    for name in ("train", "test"):
        batch = {"data": np.zeros((1, 3072), np.uint8), "coarse_labels": [3], "fine_labels": [70]}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=4))
    meta = {b"fine_label_names": [f"class {i}".encode() for i in range(100)]}
    (folder / "meta").write_bytes(pickle.dumps(meta, protocol=4))


def _write_mnist(folder: Path, *, packed: bool = False) -> None:
    for part in ("train", "t10k"):
        images = struct.pack(">4B3I", 0, 0, 8, 3, 2, 28, 28) + bytes(2 * 28 * 28)
        labels = struct.pack(">4BI", 0, 0, 8, 1, 2) + bytes((3, 7))
        for name, content in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            (folder / name).write_bytes(gzip.compress(content, mtime=0) if packed else content)


def _write_svhn(folder: Path, *, packed: bool = False) -> None:
    variables = {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.array([[1], [10]], np.uint8)}
    for part in ("train", "test"):
        scipy.io.savemat(folder / f"{part}_32x32.mat", variables, do_compression=packed)


def _write_folder(folder: Path, suffix: str) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (folder / part / name).mkdir(parents=True)
            Image.new("RGB", (4, 4), "red").save(folder / part / name / f"0{suffix}")


READERS = {
    "cifar10-binary": Reader(
        _write_cifar10_binary, "data_batch_1.bin", lambda root: CIFAR10(root, train_files=("data_batch_1.bin",))
    ),
    "cifar10-pickle": Reader(
        _write_cifar10_pickle, "data_batch_1", lambda root: CIFAR10(root, train_files=("data_batch_1",))
    ),
    "cifar100-pickle": Reader(_write_cifar100_pickle, "train", CIFAR100),
    "cifar100-meta": Reader(_write_cifar100_pickle, "meta", CIFAR100),
    "idx-images": Reader(_write_mnist, "train-images-idx3-ubyte", MNIST),
    "idx-labels": Reader(_write_mnist, "train-labels-idx1-ubyte", MNIST),
    "idx-gzip": Reader(lambda folder: _write_mnist(folder, packed=True), "train-images-idx3-ubyte", MNIST),
    "svhn": Reader(_write_svhn, "train_32x32.mat", SVHN),
    "svhn-packed": Reader(lambda folder: _write_svhn(folder, packed=True), "train_32x32.mat", SVHN),
    **{
        f"folder{suffix}": Reader(
            lambda folder, suffix=suffix: _write_folder(folder, suffix), f"train/cat/0{suffix}", ImageFolder
        )
        for suffix in (".bmp", ".gif", ".jpg", ".png", ".ppm", ".tif", ".webp")
    },
}


class Damaged:
    """A data set that can be read with other bytes in one of its files."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        reader.write(folder)
        self.reader, self.folder = reader, folder
        self.path = folder / reader.file
        self.original = self.path.read_bytes()

    def read(self, content: bytes) -> ImageDataset | SeqGCNError:
        self.path.write_bytes(content)
        try:
            return self.reader.read(self.folder)
        except SeqGCNError as error:
            return error


@pytest.fixture(scope="module", params=READERS)
def damaged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Damaged:
    return Damaged(READERS[request.param], tmp_path_factory.mktemp("data"))


quick = settings(max_examples=60, deadline=None, derandomize=True)


def test_the_undamaged_file_is_read(damaged: Damaged) -> None:
    assert isinstance(damaged.read(damaged.original), ImageDataset)


@quick
@given(content=st.binary(max_size=400))
@example(content=b"")
@example(content=bytes(3073))
def test_any_bytes(damaged: Damaged, content: bytes) -> None:
    damaged.read(content)


@quick
@given(edits=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 4)), min_size=1, max_size=5))
def test_edited_bytes(damaged: Damaged, edits: list[tuple[float, bytes, int]]) -> None:
    content = bytearray(damaged.original)
    # Most of a file is pixels; half of the edits go to its first and last bytes, where the structure is.
    for where, new, old in edits:
        length = len(content)
        place = int(where * 4 * length) if where < 0.25 else int((where - 0.25) * 200)
        place = place if where < 0.6 else length - int((where - 0.6) * 200)
        place = min(max(place, 0), length)
        content[place : place + old] = new
    damaged.read(bytes(content))


@quick
@given(share=st.floats(0, 1, exclude_max=True))
def test_cut_off(damaged: Damaged, share: float) -> None:
    damaged.read(damaged.original[: int(share * len(damaged.original))])
