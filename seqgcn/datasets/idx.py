"""MNIST and Fashion-MNIST: the IDX format, plain or compressed with gzip."""

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from seqgcn.datasets.data_files import Layout, check_labels, check_root, file_size, locate
from seqgcn.datasets.dataset import ImageDataset, Split
from seqgcn.exceptions import DataFileError

SIDE = 28
UNSIGNED_BYTE = 8
GZIP_MAGIC = b"\x1f\x8b"
MAX_GZIP_RATIO = 1032
"""Deflate packs no better: two bits, the shortest a match can be coded in, stand for at most 258 bytes."""

FILES = tuple(
    tuple(f"{part}-{what[0]}{joint}{what[1]}{packed}" for joint in "-." for packed in ("", ".gz"))
    for part in ("train", "t10k")
    for what in (("images", "idx3-ubyte"), ("labels", "idx1-ubyte"))
)
"""Images and labels to train, images and labels to test; each with the names it goes by."""


class MNIST(ImageDataset):
    """70,000 hand-written digits of 28 x 28 pixels in gray (LeCun, Bottou, Bengio, Haffner, 1998).

    Args:
        root: Folder with the four IDX files, with or without ``.gz``, or the one above ``MNIST/raw``.

    Raises:
        MissingFileError: A file is not there.
        DataFileError: A file is damaged or of another format.
    """

    def __init__(self, root: str | Path) -> None:
        train, test = _read_parts(root, "MNIST", "MNIST", "http://yann.lecun.com/exdb/mnist/")
        super().__init__(name="MNIST", train=train, test=test, classes=tuple("0123456789"))


class FashionMNIST(ImageDataset):
    """70,000 pieces of clothing of 28 x 28 pixels in gray (Xiao, Rasul, Vollgraf, 2017).

    The files have the same names as those of MNIST, so it is the folder that tells them apart.

    Args:
        root: Folder with the four IDX files, with or without ``.gz``, or the one above ``FashionMNIST/raw``.

    Raises:
        MissingFileError: A file is not there.
        DataFileError: A file is damaged or of another format.
    """

    def __init__(self, root: str | Path) -> None:
        train, test = _read_parts(
            root, "Fashion-MNIST", "FashionMNIST", "https://github.com/zalandoresearch/fashion-mnist"
        )
        classes = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"
        super().__init__(name="Fashion-MNIST", train=train, test=test, classes=tuple(classes.split(",")))


def _read_parts(root: str | Path, name: str, folder: str, source: str) -> tuple[Split, Split]:
    """Train and test part from `root` itself, ``root/raw`` or ``root/folder/raw``."""
    top = check_root(root, name, source)
    places = (top, top / "raw", top / folder / "raw")
    paths = locate((Layout(place, FILES) for place in places), name, source)
    return _read_split(*paths[:2]), _read_split(*paths[2:])


def _read_split(image_path: Path, label_path: Path) -> Split:
    images, labels = read_idx(image_path, (SIDE, SIDE)), read_idx(label_path, ())
    if len(images) != len(labels):
        raise DataFileError(
            f"{image_path} holds {len(images)} images, but {label_path} {len(labels)} labels; "
            "take both from the same release"
        )
    check_labels(labels, label_path, high=9)
    return Split(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels.astype(np.int64)))


def read_idx(path: Path, item: tuple[int, ...]) -> NDArray[np.uint8]:
    """Items of an IDX file of unsigned bytes, `[n, *item]`.

    The format (description at MNIST's home page): two zero bytes, the type of the values, the number of
    dimensions, each dimension as a big-endian 32-bit number, the values in C order. Whether the file is
    compressed is read from its first bytes, as browsers unpack files without taking ``.gz`` off the name.

    Args:
        path: The file.
        item: Shape one item must have.

    Raises:
        DataFileError: Another format or shape, or fewer or more bytes than the header promises.
    """
    size = file_size(path)
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    return _read_items(unpacked, path, item, MAX_GZIP_RATIO * size, exact=False)
            return _read_items(file, path, item, size, exact=True)
    except (OSError, EOFError, zlib.error) as error:
        raise DataFileError(f"{path} is damaged or cannot be read ({error}); get it again") from error


def _read_items(
    file: BinaryIO | gzip.GzipFile, path: Path, item: tuple[int, ...], size: int, *, exact: bool
) -> NDArray[np.uint8]:
    """Header and values of an open IDX file of `size` bytes, or of at most as many if not `exact`."""
    dims = 1 + len(item)
    expected = bytes((0, 0, UNSIGNED_BYTE, dims))
    magic = file.read(4)
    if magic != expected:
        raise DataFileError(
            f"{path} starts with the bytes {magic.hex() or 'none'}, an IDX file of {dims}-dimensional "
            f"unsigned bytes with {expected.hex()}"
        )
    header = file.read(4 * dims)
    if len(header) != 4 * dims:
        raise DataFileError(f"{path} ends within its header of {4 + 4 * dims} bytes; get it again")
    shape = tuple(np.frombuffer(header, ">u4").tolist())
    if shape[0] == 0 or shape[1:] != item:
        expected_shape = ", ".join(map(str, ("n", *item)))
        raise DataFileError(f"{path} has the shape {list(shape)}, expected [{expected_shape}] with n > 0")
    promised = prod(shape)
    # Before anything is read: a header alone must not make the reader ask for gigabytes.
    room = size - 4 - 4 * dims
    if promised > room or (exact and promised < room):
        limit = "" if exact else "at most "
        raise DataFileError(f"{path}: its header promises {list(shape)} = {promised} bytes, the file has {limit}{room}")
    values = bytearray(file.read(promised + 1))
    if len(values) != promised:
        found = f"{len(values)}" if len(values) < promised else "more"
        raise DataFileError(f"{path}: its header promises {promised} bytes, unpacked it has {found}")
    return np.frombuffer(values, np.uint8).reshape(shape)
