from typing import Any

import pytest
import torch

from seqgcn.datasets import ImageDataset, Split
from seqgcn.exceptions import ArgumentError


def split(count: int = 6, classes: int = 3) -> Split:
    images = torch.arange(count * 2, dtype=torch.uint8).view(count, 1, 1, 2)
    return Split(images, torch.arange(count) % classes)


def dataset(**changes: Any) -> ImageDataset:
    return ImageDataset(**{"name": "toy", "train": split(), "test": split(3), "classes": ("a", "b", "c")} | changes)


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (torch.zeros(2, 1, 1, 2), torch.zeros(2, dtype=torch.int64), "images must be uint8 .* got torch.float32"),
        (torch.zeros(2, 2, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64), r"got torch.uint8 \[2, 2\]"),
        (torch.zeros(2, 1, 1, 2, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64), r"2 images need .* \[3\]"),
        (torch.zeros(2, 1, 1, 2, dtype=torch.uint8), torch.zeros(2), "got torch.float32"),
    ],
)
def test_wrong_split(inputs: torch.Tensor, targets: torch.Tensor, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Split(inputs, targets)


def test_items_of_a_split() -> None:
    part = split()[torch.tensor([4, 1])]
    assert len(part) == 2
    assert part.inputs.flatten().tolist() == [8, 9, 2, 3]
    assert part.targets.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": split(0)}, "toy: the test part holds no image"),
        ({"classes": ("a", "b")}, "toy: train targets run from 0 to 2, but there are 2 classes"),
    ],
)
def test_wrong_dataset(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        dataset(**changes)


def test_limit() -> None:
    whole = dataset()
    assert whole.limit() is whole
    small = whole.limit(pool_size=4)
    assert (len(small.train), len(small.test)) == (4, 3)
    assert small.fingerprint == dataset().limit(pool_size=4).fingerprint != whole.fingerprint
    assert set(small.train.inputs[:, 0, 0, 0].tolist()) < set(whole.train.inputs[:, 0, 0, 0].tolist())


@pytest.mark.parametrize("sizes", [{"pool_size": 0}, {"pool_size": 7}, {"test_size": 4}])
def test_limit_out_of_range(sizes: dict[str, int]) -> None:
    with pytest.raises(ArgumentError, match="size must be between 1 and"):
        dataset().limit(**sizes)


def test_fingerprint_tells_data_apart() -> None:
    other = split()
    other.inputs[0, 0, 0, 0] = 99
    assert dataset().fingerprint == dataset().fingerprint
    assert len({dataset().fingerprint, dataset(train=other).fingerprint, dataset(train=split(5)).fingerprint}) == 3
