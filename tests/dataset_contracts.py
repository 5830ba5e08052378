"""What both parts of every data set keep to: functions that take the pool and the test part and assert a promise."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset

from seqgcn.exceptions import ArgumentError

Contract = Callable[[Any, Any], None]


def same(one: Any, other: Any) -> bool:
    """Whether two items are equal; NaN, of what has no label, equals itself."""
    return all(torch.equal(a.nan_to_num(-1), b.nan_to_num(-1)) for a, b in zip(one, other, strict=True))


def parts_are_torch_datasets_of_known_length(train: Any, test: Any) -> None:
    for part in (train, test):
        assert isinstance(part, Dataset)
        assert len(part) == len(list(part)) > 0
        assert len(part) == len(part.inputs) == len(part.targets)


def items_are_pairs_of_tensors_of_one_shape(train: Any, test: Any) -> None:
    items = [*train, *test]
    for item in items:
        assert isinstance(item, tuple)
        assert len(item) == 2
        assert all(isinstance(value, torch.Tensor) for value in item)
    for values in zip(*items, strict=True):
        assert len({(value.shape, value.dtype) for value in values}) == 1
    picture = items[0][0]
    if picture.dim() == 1:  # a row of features
        assert picture.dtype == torch.float32
        return
    assert picture.dim() == 3
    assert picture.shape[0] in (1, 3)
    assert picture.dtype == torch.uint8 or (picture.dtype == torch.float32 and float(picture.abs().max()) <= 1)


def an_item_has_the_target_of_its_place(train: Any, test: Any) -> None:
    mirror = getattr(train, "mirror", False)
    for part in (train, test):
        for i, (_, target) in enumerate(part):
            expected = part.targets[i]
            if mirror is True:
                expected = expected * torch.tensor([-1.0, 1.0, 1.0])
            assert same([target], [expected])


def an_index_counts_from_either_end(train: Any, test: Any) -> None:
    n = len(train)
    for i in (0, n - 1):
        for index in (i, i - n, np.int64(i), torch.tensor(i)):
            assert same(train[index], train[i])
    for index in (n, -n - 1):
        with pytest.raises(IndexError, match=f"no item {index} among {n}"):
            train[index]


def a_selection_is_a_part_of_the_same_kind(train: Any, test: Any) -> None:
    n = len(train)
    mask = torch.arange(n) % 2 == 0
    for index, places in (
        (slice(None, None, -1), range(n - 1, -1, -1)),
        (slice(0, 1), [0]),
        ([n - 1, 0], [n - 1, 0]),
        (torch.tensor([-1]), [n - 1]),
        (np.array([0, 0]), [0, 0]),
        (mask, mask.nonzero().flatten().tolist()),
        ([], []),
    ):
        some = train[index]
        assert type(some) is type(train)
        assert len(some) == len(places)
        assert all(same(some[place], train[i]) for place, i in enumerate(places))
    longer = torch.ones(n + 1, dtype=torch.bool)
    for wrong, message in (([n], f"no item {n} among {n}"), (longer, "mask"), ([0.5], "float32")):
        with pytest.raises(ArgumentError, match=message):
            train[wrong]


def a_loader_collates_items(train: Any, test: Any) -> None:
    for part in (train, test, Subset(train, [0, 0])):
        inputs, targets = (torch.cat(values) for values in zip(*DataLoader(part, batch_size=2), strict=True))
        assert len(inputs) == len(targets) == len(part)
        assert all(same((inputs[i], targets[i]), part[i]) for i in range(len(part)))


def a_pickled_part_has_the_same_items(train: Any, test: Any) -> None:
    for part in (train, test):
        again = pickle.loads(pickle.dumps(part))
        assert type(again) is type(part)
        assert len(again) == len(part)
        assert all(same(again[i], part[i]) for i in range(len(part)))


def names_are_unique_paths(train: Any, test: Any) -> None:
    for part in (train, test):
        names = list(getattr(part, "files", None) or [])
        assert len(names) in (0, len(part))
        assert len(set(names)) == len(names)
        assert not any(not name or name.startswith("/") for name in names)


def no_item_of_the_pool_is_tested_on(train: Any, test: Any) -> None:
    def marks(part: Any) -> set[Any]:
        return set(getattr(part, "files", None) or ()) or {picture.numpy().tobytes() for picture, _ in part}

    assert marks(train).isdisjoint(marks(test))


CONTRACTS: tuple[Contract, ...] = (
    parts_are_torch_datasets_of_known_length,
    items_are_pairs_of_tensors_of_one_shape,
    an_item_has_the_target_of_its_place,
    an_index_counts_from_either_end,
    a_selection_is_a_part_of_the_same_kind,
    a_loader_collates_items,
    a_pickled_part_has_the_same_items,
    names_are_unique_paths,
    no_item_of_the_pool_is_tested_on,
)
