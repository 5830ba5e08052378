"""What a cycle trains on: the labeled items, and apart from them what a strategy adds without a true label."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from seqgcn.datasets.dataset import Part
from seqgcn.exceptions import ArgumentError
from seqgcn.runs.pool import Pool
from seqgcn.selectors.extensions import Generated

Pseudo = Mapping[str, list[Any]]
"""`{"items": [...], "targets": [...]}`: pool items and what the learner predicted for them; empty if there are none."""


def training_set(part: Part, pool: Pool, pseudo: Pseudo, generated: Generated | None) -> tuple[Any, Tensor]:
    """Inputs and targets to train on, labeled items first.

    Args:
        part: The pool's inputs and true targets; only those of labeled items are read.
        pool: Which items are labeled.
        pseudo: Items to train on under predicted targets. Their true ones stay unread.
        generated: Items that were made.

    Raises:
        ArgumentError: A pseudo-labeled item is labeled, or given twice.
    """
    labelled, targets = pool.labelled, part.targets[pool.labelled]
    check_pseudo(pseudo, pool)
    items = torch.tensor(pseudo.get("items", []), dtype=torch.int64)
    inputs = part.inputs[torch.cat([labelled, items])]
    if len(items):
        targets = torch.cat([targets, torch.tensor(pseudo["targets"], dtype=targets.dtype)])
    if generated is not None:
        inputs = torch.cat([inputs, generated.images.cpu()])
        targets = torch.cat([targets, generated.targets.cpu()])
    return inputs, targets


def check_pseudo(pseudo: Pseudo, pool: Pool) -> None:
    """Check items that are to be trained on without a label.

    Raises:
        ArgumentError: One has no target, is not in the pool, labeled, or given twice.
    """
    listed = pseudo.get("items", [])
    if len(listed) != len(pseudo.get("targets", [])):
        raise ArgumentError("the pseudo-labeled items and their targets are not equally many")
    if len(set(listed)) < len(listed):
        raise ArgumentError("an item is pseudo-labeled twice")
    wrong = set(listed) - set(pool.unlabelled.tolist())
    if wrong:
        raise ArgumentError(f"item {min(wrong)} is pseudo-labeled, but labeled already or not in the pool")


def generated_record(generated: Generated | None, pool: Pool) -> dict[str, list[Any]]:
    """What the journal holds of generated items: the labeled item each was made from, and its target."""
    if generated is None:
        return {}
    source = pool.labelled[generated.source.cpu()]
    return {"source": source.tolist(), "targets": generated.targets.tolist()}
