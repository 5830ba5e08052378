"""What a person is asked about, however it is given: items for a learner, or nodes that are described already."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data, Dataset
from torch_geometric.data.data import BaseData

from seqgcn.datasets.conversion import read_source
from seqgcn.datasets.hands.hand_dataset import HandFrames
from seqgcn.datasets.item_dataset import Items, match_classes, targets_of
from seqgcn.exceptions import ArgumentError
from seqgcn.selectors.selector import HELD_OUT, split_pool
from seqgcn.utils.validation import check_data, check_features, check_instance, kind_of, name_some

GRAPH = ("edge_index", "edge_weight")
"""Attributes of a `Data` that hold a graph of the user's own."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolInputs:
    """Items of which some may be labeled.

    Args:
        values: What a learner sees, `values[ids]` being some of them; without a learner a `Data`.
        n: How many there are.
        classes: Names of the classes, where the data have any.
        labelled: Ids of those that are labeled from the start.
        y: Labels of all n, where there are any; only those of labeled items are true.
        held_out: Which are never picked, `[n]` bool; None for none.
        refused: Which cannot even be told a label, `[n]` bool; None for none.
        graph: `edge_index` and, if there are any, `edge_weight` of a graph of the items; empty without one.
    """

    values: Any
    n: int
    classes: tuple[str, ...] = ()
    labelled: tuple[int, ...] = ()
    y: Tensor | None = None
    held_out: Tensor | None = None
    refused: Tensor | None = None
    graph: Mapping[str, Tensor] = field(default_factory=dict)


def pool_inputs(value: Any, *, trains: bool) -> PoolInputs:
    """Items of whatever holds some.

    Args:
        value: A PyG `Data`, hand frames, a tensor, an array, a data set; see `seqgcn.datasets.as_dataset`.
        trains: Whether a learner is trained on them.

    Raises:
        ArgumentError: It is something else.
    """
    check_instance("inputs", value)
    if isinstance(value, BaseData | Dataset):
        return _of_data(check_data(value), trains)
    part = getattr(value, "train", None)
    if part is not None and hasattr(part, "inputs"):  # a data set of the package: its pool
        return _checked(
            PoolInputs(values=part.inputs, n=len(part), classes=tuple(getattr(value, "classes", ()))), trains
        )
    source = read_source(value)
    return _checked(PoolInputs(values=source.inputs, n=len(source), classes=source.classes), trains)


def _checked(given: PoolInputs, trains: bool) -> PoolInputs:
    """The same; without a learner, vectors as a `Data`."""
    if trains:
        return given
    if isinstance(given.values, HandFrames) or given.values.dim() != 2:
        raise ArgumentError(
            f"without a learner, inputs must be a Data or embeddings [n, d], got {kind_of(given.values)}; give a "
            "learner, or describe the items: Data(x=features)"
        )
    return PoolInputs(values=Data(x=given.values.float()), n=given.n, classes=given.classes)


def _of_data(data: Data, trains: bool) -> PoolInputs:
    n = int(data.num_nodes or 0) if data.keys() else 0
    if n == 0:
        raise ArgumentError("the Data has no node; attach features: Data(x=features)")
    masked = data.clone() if trains else data
    if data.get("train_mask") is None:
        masked = data.clone()
        masked.train_mask = torch.zeros(n, dtype=torch.bool)
    labelled, candidates = (mask.cpu() for mask in split_pool(masked))
    held_out = ~(labelled | candidates)
    by_default = data.get("pool_mask") is None and any(data.get(name) is not None for name in HELD_OUT)
    y = data.get("y")
    return PoolInputs(
        values=check_features(data.get("x")).cpu() if trains else data,
        n=n,
        labelled=tuple(labelled.nonzero().flatten().tolist()),
        y=y.detach().cpu().squeeze(1) if isinstance(y, Tensor) and y.dim() == 2 and y.shape[1] == 1 else _cpu(y),
        held_out=held_out,
        refused=held_out if by_default else None,
        graph={name: data[name].cpu() for name in GRAPH if isinstance(data.get(name), Tensor)} if trains else {},
    )


def _cpu(y: Any) -> Tensor | None:
    return y.detach().cpu() if isinstance(y, Tensor) else None


def labeled_items(test: Any, classes: tuple[str, ...], *, largest: int | None = None) -> Items:
    """Items to score on, all of them labeled.

    Args:
        test: Whatever holds items and labels.
        classes: Names of the pool's classes, by which the labels are numbered; empty if they have none.
        largest: Largest number of a class that has no name.

    Raises:
        ArgumentError: One has no label, or one that is no class of the pool.
    """
    read = read_source(test)
    if read.labels is None:
        raise ArgumentError("test has no labels; give (inputs, labels), or a data set of items (input, label)")
    labels = match_classes(read.labels, read.classes, classes, what="test")
    named = {str(label): None for label in labels if isinstance(label, str)}
    if unknown := [name for name in named if name not in classes]:
        known = f"there are {name_some(classes)}" if classes else "the pool's have no names: give classes=[...]"
        raise ArgumentError(f"test has the class {unknown[0]!r}, which is not one of the classes; {known}")
    (targets,), _ = targets_of([labels], classes, largest=largest)
    if classes:
        _check_classes(targets, classes)
    items = Items(read.inputs, targets)
    if not bool(items.labeled.all()):
        raise ArgumentError(
            f"{int((~items.labeled).sum())} of {len(items)} items of test have no label; leave them out"
        )
    return items


def _check_classes(targets: Tensor, classes: tuple[str, ...]) -> None:
    known = f"a whole number from 0 to {len(classes) - 1}, for {name_some(classes)}"
    if targets.is_floating_point():
        raise ArgumentError(f"labels of test must be classes, each {known}, got {kind_of(targets)}")
    wrong = (targets >= len(classes)) | (targets < -1)
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        raise ArgumentError(f"item {row} of test has the class {int(targets[row])}, but a class is {known}")
