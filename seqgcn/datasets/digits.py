"""The small hand-written digits that come with scikit-learn."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from seqgcn.datasets.dataset import ImageDataset, Split

TEST_FRACTION = 0.25
BRIGHTEST = 16
"""scikit-learn's gray values run from 0 to 16."""


class Digits(ImageDataset):
    """1,797 hand-written digits of 8 x 8 pixels in gray; nothing has to be downloaded.

    The UCI set "Optical Recognition of Handwritten Digits" (Alpaydin, Kaynak, 1998) as scikit-learn carries
    it. That has no test part, so a fixed quarter of each class is set aside: 1,347 in the pool, 450 to test.
    """

    def __init__(self) -> None:
        pixels, labels = load_digits(return_X_y=True)
        images = torch.from_numpy(np.rint(pixels * (255 / BRIGHTEST)).astype(np.uint8)).view(-1, 1, 8, 8)
        targets = torch.from_numpy(labels.astype(np.int64))
        everything = Split(images, targets)
        pool, test = train_test_split(np.arange(len(labels)), test_size=TEST_FRACTION, stratify=labels, random_state=0)
        super().__init__(
            name="Digits",
            train=everything[torch.from_numpy(np.sort(pool))],
            test=everything[torch.from_numpy(np.sort(test))],
            classes=tuple("0123456789"),
        )
