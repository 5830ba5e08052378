"""Small data sets of images written in the formats of the releases; all pixels are random."""

import struct
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image


def _pixels(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_cifar10(root: Path) -> Path:
    root.mkdir()
    for i, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        labels = np.array([i, i + 1], np.uint8)
        (root / f"{name}.bin").write_bytes(np.column_stack([labels, _pixels(i, 2, 3072)]).tobytes())
    (root / "batches.meta.txt").write_text("".join(f"kind {i}\n" for i in range(10)))
    return root


def write_cifar100(root: Path) -> Path:
    root.mkdir()
    for i, name in enumerate(("train", "test")):
        labels = np.array([[0, 99], [7, 50], [19, i]], np.uint8)
        (root / f"{name}.bin").write_bytes(np.column_stack([labels, _pixels(i, 3, 3072)]).tobytes())
    for kind, count in (("fine", 100), ("coarse", 20)):
        (root / f"{kind}_label_names.txt").write_text("".join(f"{kind} {i}\n" for i in range(count)))
    return root


def write_mnist(root: Path) -> Path:
    root.mkdir()
    for seed, (part, count) in enumerate((("train", 4), ("t10k", 2))):
        for kind, array in (("images", _pixels(seed, count, 28, 28)), ("labels", np.arange(count, dtype=np.uint8))):
            header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (root / f"{part}-{kind}-idx{array.ndim}-ubyte").write_bytes(header + array.tobytes())
    return root


def write_svhn(root: Path) -> Path:
    root.mkdir()
    for seed, (part, count) in enumerate((("train", 3), ("test", 2))):
        labels = np.arange(1, count + 1, dtype=np.uint8)[:, None]
        scipy.io.savemat(root / f"{part}_32x32.mat", {"X": _pixels(seed, 32, 32, 3, count), "y": labels})
    return root


def write_images(root: Path) -> Path:
    for seed, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for i, image in enumerate(_pixels(seed, 5, 6, 8, 3)):
            Image.fromarray(image).save(root / name / f"{i}.png")
    return root
