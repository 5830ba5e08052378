import gzip
import struct
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch

from seqgcn.datasets import MNIST, FashionMNIST
from seqgcn.datasets.idx import read_idx
from seqgcn.exceptions import DataFileError, MissingFileError


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.tobytes()


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def write(folder: Path, *, joint: str = "-", packed: bool = False) -> Path:
    """Four images to train with, two to test with."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 4), ("t10k", 2)):
        labels = np.arange(9, 9 - count, -1, dtype=np.uint8)
        for kind, array in (("images", images(count)), ("labels", labels)):
            name = f"{part}-{kind}{joint}idx{array.ndim}-ubyte{'.gz' if packed else ''}"
            (folder / name).write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    return folder


@pytest.mark.parametrize("joint", ["-", "."])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("below", ["", "raw", "MNIST/raw"])
def test_mnist(tmp_path: Path, joint: str, packed: bool, below: str) -> None:
    write(tmp_path / below, joint=joint, packed=packed)
    dataset = MNIST(tmp_path)
    assert dataset.name == "MNIST"
    torch.testing.assert_close(dataset.train.inputs, torch.from_numpy(images(4)).unsqueeze(1))
    assert dataset.train.targets.tolist() == [9, 8, 7, 6]
    assert dataset.test.targets.tolist() == [9, 8]
    assert dataset.classes == tuple("0123456789")


def test_fashion_mnist(tmp_path: Path) -> None:
    write(tmp_path / "FashionMNIST" / "raw")
    dataset = FashionMNIST(str(tmp_path))
    assert dataset.name == "Fashion-MNIST"
    assert (len(dataset.classes), dataset.classes[9]) == (10, "Ankle boot")
    with pytest.raises(MissingFileError):
        MNIST(tmp_path)


def test_compression_is_read_from_the_content(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    path.rename(tmp_path / "train-images-idx3-ubyte.gz")
    assert len(MNIST(tmp_path).train) == 4


def test_missing_file(tmp_path: Path) -> None:
    (write(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(MissingFileError) as caught:
        FashionMNIST(tmp_path)
    assert f"{tmp_path} lacks t10k-labels-idx1-ubyte." in str(caught.value)
    assert "https://github.com/zalandoresearch/fashion-mnist" in str(caught.value)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with the bytes none"),
        (b"\0\0", "starts with the bytes 0000, "),
        (idx(np.zeros(4, np.uint8)), "starts with the bytes 00000801, .* with 00000803"),
        (idx(images(2), kind=9), "starts with the bytes 00000903"),
        (idx(images(2))[:10], "ends within its header of 16 bytes"),
        (idx(np.zeros((2, 28, 27), np.uint8)), r"has the shape \[2, 28, 27\], expected \[n, 28, 28\]"),
        (idx(np.zeros((0, 28, 28), np.uint8)), r"has the shape \[0, 28, 28\]"),
        (idx(images(2))[:-1], r"promises .* bytes"),
        (idx(images(2)) + b"\0", r"promises .* bytes"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 28, 28), r"= 3367254359280 bytes, the file has .*\d"),
    ],
)
def test_wrong_content(tmp_path: Path, content: bytes, message: str, packed: bool) -> None:
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataFileError, match=message) as caught:
        read_idx(path, (28, 28))
    assert str(path) in str(caught.value)


def test_plain_byte_counts_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(idx(images(2)) + b"\0\0\0")
    with pytest.raises(DataFileError, match=r"promises \[2, 28, 28\] = 1568 bytes, the file has 1571"):
        read_idx(path, (28, 28))


@pytest.mark.parametrize("damage", ["cut", "checksum", "deflate"])
def test_corrupt_gzip(tmp_path: Path, damage: str) -> None:
    content = bytearray(gzip.compress(idx(images(3))))
    if damage == "cut":
        del content[-40:]
    elif damage == "checksum":
        content[-6] ^= 1
    else:
        content[10:20] = b"\xff" * 10
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=r"images\.gz is damaged"):
        read_idx(path, (28, 28))


def test_gzip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that unpacks to 8 MB behind a header of two images: only these and one byte are asked for."""
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx(images(2)) + bytes(8_000_000)))
    asked, read = [], gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        asked.append(size)
        return read(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    with pytest.raises(DataFileError, match="promises 1568 bytes, unpacked it has more"):
        read_idx(path, (28, 28))
    assert asked == [4, 12, 2 * 28 * 28 + 1]


def test_more_labels_than_images(tmp_path: Path) -> None:
    (write(tmp_path) / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(5, np.uint8)))
    with pytest.raises(DataFileError, match=r"holds 4 images, but .*train-labels-idx1-ubyte 5 labels"):
        MNIST(tmp_path)


def test_label_out_of_range(tmp_path: Path) -> None:
    (write(tmp_path) / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([0, 10], np.uint8)))
    with pytest.raises(DataFileError, match=r"t10k-labels-idx1-ubyte: record 1 .* has the label 10"):
        MNIST(tmp_path)


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST])
def test_the_command_line_can_read_the_type_hints(kind: Any) -> None:
    assert get_type_hints(kind.__init__)["root"] == str | Path
