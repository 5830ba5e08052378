"""What selectors pick of two small pools that have every attribute."""

from typing import Any

import torch
from byte_for_byte import names
from byte_for_byte.digests import of_tensor
from torch_geometric.data import Data

N, LABELED, BUDGET = 40, 10, 12

TRAINED = ("core-gcn", "uncertain-gcn", "weighted-core-gcn", "discriminative", "vaal")
"""Selectors that train something of their own, so that their picks may be others on another machine."""


def pool(seed: int) -> Data:
    """Without ties: of double precision; under the second seed of single precision, with nodes held out."""
    draw = torch.Generator().manual_seed(seed)
    values = {
        "x": torch.rand(N, 6, dtype=torch.float64, generator=draw),
        "prob": (3 * torch.randn(N, 4, dtype=torch.float64, generator=draw)).softmax(dim=1),
        "prob_samples": (2 * torch.randn(N, 3, 4, dtype=torch.float64, generator=draw)).softmax(dim=2),
        "target_samples": torch.randn(N, 3, 6, dtype=torch.float64, generator=draw),
        "loss_pred": torch.randn(N, dtype=torch.float64, generator=draw),
        "image": torch.rand(N, 1, 4, 4, dtype=torch.float64, generator=draw),
    }
    order = torch.randperm(N, generator=draw)
    masks = {"train_mask": order[:LABELED]}
    if seed:
        values = {name: value.float() for name, value in values.items()}
        masks |= {"val_mask": order[-3:], "test_mask": order[-6:-3]}
    data = Data(**values)
    for name, nodes in masks.items():
        data[name] = torch.zeros(N, dtype=torch.bool).index_fill(0, nodes, True)
    return data


def entry(name: str) -> dict[str, Any]:
    """Of one selector, under two seeds."""
    found = {str(seed): _picks(name, seed) for seed in (0, 1)}
    if name == "bgadl":
        found["generate"] = _generated(name)
    return found


def _picks(name: str, seed: int) -> dict[str, Any]:
    selection = names.selector(name, seed).select(pool(seed), BUDGET)
    index = of_tensor(selection.index) if name in TRAINED else {"picks": selection.index.tolist()}
    # Indices have no sum that another machine would come near to.
    picks = {key: index[key] for key in ("sha256",) if key in index} or index
    return {
        "index": picks,
        "score": of_tensor(selection.score),
        "details": {key: of_tensor(value) for key, value in selection.details.items()},
        "pseudo": None if selection.pseudo is None else selection.pseudo.tolist(),
    }


def _generated(name: str) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(2)
    images = torch.randint(0, 256, (24, 1, 8, 8), generator=draw, dtype=torch.uint8)
    made = names.selector(name, 0).generate(
        images, torch.arange(24) % 3, torch.arange(24) >= 12, num_classes=3, device=torch.device("cpu")
    )
    return {"source": made.source.tolist(), "targets": made.targets.tolist(), "images": of_tensor(made.images)}
