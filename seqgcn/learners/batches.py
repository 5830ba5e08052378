"""Items in batches, and items held out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqgcn.training import Progress

FEW = 10
"""Labeled items below which none is held out."""


def as_tensor(values: Any, whole: torch.dtype | None = None) -> Any:
    """A NumPy array as a tensor, float64 as float32; anything else as it is.

    Args:
        values: Items or targets.
        whole: What whole numbers become, if not what they are.
    """
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        return values
    if values.dtype == np.float64:
        values = values.astype(np.float32)
    if whole is not None and values.dtype.kind in "iu":
        return torch.from_numpy(values.astype(np.int64)).to(whole)
    # torch takes neither negative strides nor memory that it may not write to.
    usable = values.flags.writeable and min(values.strides, default=0) >= 0
    return torch.from_numpy(values if usable else values.copy())


def shuffled_batches(n: int, batch_size: int, draw: torch.Generator) -> list[Tensor]:
    """Item numbers of an epoch's batches, in random order and none alone.

    Batch norm has nothing to normalize a single item by: one left over joins the batch before it, and where every
    batch is a single item, each is given twice.
    """
    batches = list(torch.randperm(n, generator=draw).split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return [ids if len(ids) > 1 else ids.repeat(2) for ids in batches]


def in_batches(
    n: int, batch_size: int, answer: Callable[[Tensor], dict[str, Tensor]], progress: Progress | None, stage: str
) -> dict[str, Tensor]:
    """What `answer` says of the n items, by name, asked batch by batch: float32, but uint8 as it is.

    Args:
        n: How many items there are.
        batch_size: How many are asked for at once.
        answer: Takes item numbers `[b]`, gives tensors `[b, ...]` by name.
        progress: Told about every batch.
        stage: As which stage.
    """
    results: dict[str, Tensor] = {}
    batches = torch.arange(n).split(batch_size)
    for number, ids in enumerate(batches):
        for name, values in answer(ids).items():
            if name not in results:
                # Filled in place, as what is said of a large pool is too large to be held twice.
                dtype = torch.uint8 if values.dtype == torch.uint8 else torch.float32
                results[name] = torch.empty(n, *values.shape[1:], dtype=dtype)
            results[name][ids[0] : ids[-1] + 1] = values
        if progress is not None:
            progress(stage, number + 1, len(batches))
    return results


def count_held_out(n: int, share: float) -> int:
    """How many of n labeled items are held out of training as a share of them; at least one, of `FEW` or more."""
    return max(1, int(share * n)) if share > 0 and n >= FEW else 0


def hold_out(n: int, share: float, unconfirmed: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Numbers of the items held out for validation, none of the last `unconfirmed`, and of the others, ascending."""
    sure = n - unconfirmed
    count = count_held_out(sure, share)
    order = torch.randperm(sure, generator=draw)
    return order[:count], torch.cat([order[count:], torch.arange(sure, n)]).sort().values
