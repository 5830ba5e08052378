"""Street View House Numbers: the cropped digits in MATLAB files."""

from pathlib import Path

import numpy as np
import torch

from seqgcn.datasets.data_files import Layout, check_labels, check_root, locate
from seqgcn.datasets.dataset import ImageDataset, Split
from seqgcn.datasets.matlab import read_arrays
from seqgcn.exceptions import DataFileError

SIDE = 32
SOURCE = "http://ufldl.stanford.edu/housenumbers/ (format 2, cropped digits)"


class SVHN(ImageDataset):
    """Digits of house numbers in street photographs, 32 x 32 pixels in RGB (Netzer et al., 2011).

    Args:
        root: Folder with ``train_32x32.mat`` (73,257 images) and ``test_32x32.mat`` (26,032 images).
        extra: Add the 531,131 easier images of ``extra_32x32.mat`` to the pool (1.6 GB, and more to read them).

    Raises:
        MissingFileError: A file is not there.
        DataFileError: A file is damaged or of another format.
    """

    def __init__(self, root: str | Path, extra: bool = False) -> None:
        parts = ("train", "test", "extra") if extra else ("train", "test")
        layout = Layout(check_root(root, "SVHN", SOURCE), tuple((f"{part}_32x32.mat",) for part in parts))
        train, test, *more = (_read_split(path) for path in locate([layout], "SVHN", SOURCE))
        for split in more:
            train = Split(torch.cat([train.inputs, split.inputs]), torch.cat([train.targets, split.targets]))
        super().__init__(name="SVHN", train=train, test=test, classes=tuple("0123456789"))


def _read_split(path: Path) -> Split:
    """Images and labels of ``X`` `[32, 32, 3, n]` uint8 and ``y`` `[n, 1]` from 1 to 10, where 10 means 0."""
    variables = read_arrays(path, ("X", "y"))
    missing = [name for name in ("X", "y") if name not in variables]
    if missing:
        raise DataFileError(f"{path} has no array {' and '.join(missing)}; get it from {SOURCE}")
    pixels, labels = variables["X"], variables["y"]
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[:3] != (SIDE, SIDE, 3):
        raise DataFileError(
            f"{path}: X must be uint8 [{SIDE}, {SIDE}, 3, n] with n > 1, "
            f"found {pixels.dtype} {list(pixels.shape)}; get it from {SOURCE}"
        )
    count = pixels.shape[3]
    if count == 0 or labels.shape != (count, 1) or (labels != np.floor(labels)).any():
        raise DataFileError(
            f"{path}: y must be whole numbers [{count}, 1], one for each image of X, at least one; "
            f"found {labels.dtype} {list(labels.shape)}; get it from {SOURCE}"
        )
    check_labels(labels[:, 0], path, low=1, high=10)
    images = np.ascontiguousarray(pixels.transpose(3, 2, 0, 1))
    return Split(torch.from_numpy(images), torch.from_numpy(labels[:, 0].astype(np.int64) % 10))
