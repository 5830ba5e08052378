"""Which items of a data set an index means."""

import operator
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.exceptions import ArgumentError
from seqgcn.utils.seeding import generator

Some = TypeVar("Some", bound=Any)

Ids = slice | Sequence[int] | Sequence[bool] | Tensor | NDArray[Any]
"""What selects items: a slice, indices (negative ones count from the end), or a mask of all."""


def selects_several(index: Any) -> bool:
    """Whether an index selects several items, as an `Ids` does, and not one."""
    return isinstance(index, slice | list | tuple) or getattr(index, "ndim", 0) == 1


def one_index(index: Any, n: int, name: str, hint: str = "") -> int:
    """Number of one item, 0 to n - 1.

    Args:
        index: A whole number; a negative one counts from the end.
        n: Number of items.
        name: Of the data set, for the message.
        hint: End of the message.

    Raises:
        IndexError: There is no such item, which also ends a loop over the items.
    """
    i = operator.index(index)
    if not -n <= i < n:
        raise IndexError(f"{name}: no item {i} among {n}{hint}")
    return i % n


def indices_of(index: Any, n: int, name: str) -> Tensor:
    """Indices of selected items, `[m]` int64.

    Args:
        index: An `Ids`.
        n: Number of items.
        name: Of the data set, for the message.

    Raises:
        ArgumentError: An index is out of range, a mask is of another length, or they are of another type.
    """
    if isinstance(index, slice):
        return torch.from_numpy(np.arange(n)[index].copy())
    chosen = torch.as_tensor(index)
    if chosen.dtype == torch.bool and len(chosen) == n:
        return chosen.nonzero().flatten()
    if chosen.numel() == 0:
        return torch.empty(0, dtype=torch.int64)
    if chosen.dtype not in (torch.int32, torch.int64):
        raise ArgumentError(
            f"{name}: select items by int64 indices or a bool mask [{n}], got {chosen.dtype} {list(chosen.shape)}"
        )
    wrong = chosen[(chosen < -n) | (chosen >= n)]
    if len(wrong):
        raise ArgumentError(f"{name}: no item {int(wrong[0])} among {n}; indices are 0 to {n - 1}")
    return chosen.long() % n


def random_items(items: Some, size: int | None, purpose: str) -> Some:
    """Random `size` items (all for None), the same ones in every run.

    Args:
        items: Of which a tensor of indices selects some.
        size: How many.
        purpose: Of the draw; also names the size in the message.

    Raises:
        ArgumentError: There are not as many, or none is asked for.
    """
    if size is None:
        return items
    if not 0 < size <= len(items):
        raise ArgumentError(f"{purpose} size must be between 1 and {len(items)}, got {size}")
    chosen: Some = items[torch.randperm(len(items), generator=generator(0, purpose))[:size]]
    return chosen
