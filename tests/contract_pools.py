"""The pools that the contracts of selectors are held on, and what they compare by."""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import pytest
import torch
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors import Selection, Selector

N, LABELLED, BUDGET = 40, 10, 12


class Make(Protocol):
    """Builds the selector under test with some parameters changed."""

    def __call__(self, **changes: Any) -> Selector: ...


Contract = Callable[[Make], None]


def pool(seed: int = 0, dtype: torch.dtype = torch.float64) -> Data:
    """A pool without ties, every attribute attached that selectors need."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.rand(N, 6, dtype=torch.float64, generator=draw)
    prob = (3 * torch.randn(N, 4, dtype=torch.float64, generator=draw)).softmax(dim=1)
    train_mask = torch.zeros(N, dtype=torch.bool)
    train_mask[torch.randperm(N, generator=draw)[:LABELLED]] = True
    prob_samples = torch.randn(N, 3, 4, dtype=torch.float64, generator=draw).mul(2).softmax(dim=2)
    return Data(
        x=x.to(dtype),
        prob=prob.to(dtype),
        train_mask=train_mask,
        prob_samples=prob_samples.to(dtype),
        target_samples=torch.randn(N, 3, 6, dtype=torch.float64, generator=draw).to(dtype),
        loss_pred=torch.randn(N, dtype=torch.float64, generator=draw).to(dtype),
        image=torch.rand(N, 1, 4, 4, dtype=torch.float64, generator=draw).to(dtype),
    )


def only_needed(make: Make, data: Data) -> Data:
    """The pool with nothing attached but what the selector names."""
    return Data(train_mask=data.train_mask, **{name: data[name] for name in read(make)})


def read(make: Make) -> tuple[str, ...]:
    """Attributes a selector reads of a pool that has everything."""
    return make().reads(pool().keys())


def replaced(data: Data, **attributes: Any) -> Data:
    result = copy.copy(data)
    for name, value in attributes.items():
        result[name] = value
    return result


def is_random(make: Make) -> bool:
    return "seed" in {field.name for field in dataclasses.fields(make())}


def same(a: Selection, b: Selection) -> bool:
    """Whether two selections agree bit for bit, details included."""
    pairs = [(a.index, b.index), (a.score, b.score)]
    if a.details.keys() != b.details.keys() or (a.pseudo is None) != (b.pseudo is None):
        return False
    if a.pseudo is not None and b.pseudo is not None:
        pairs.append((a.pseudo, b.pseudo))
    pairs += [(a.details[name], b.details[name]) for name in a.details]
    return all(torch.equal(one, other) for one, other in pairs)


def refuses(make: Make, data: Data, message: str, budget: Any = 3) -> None:
    with pytest.raises(ArgumentError, match=message):
        make().select(data, budget)
