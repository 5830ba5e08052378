"""How often a classifier is right."""

import math
from typing import TYPE_CHECKING

from seqgcn.exceptions import ArgumentError

if TYPE_CHECKING:  # torch and PyG take seconds to import
    from torch import Tensor


def accuracy(predictions: "Tensor", targets: "Tensor") -> float:
    """Share of the items whose predicted class is the true one, in [0, 1].

    Args:
        predictions: Predicted class of each item, `[n]` integer.
        targets: True class of each item, `[n]` integer.

    Raises:
        ArgumentError: The shapes differ or are not `[n]`, there is no item, or the classes are not integers.
    """
    hits = _hits(predictions, targets)
    return int(hits.sum()) / len(hits)


def per_class_accuracy(predictions: "Tensor", targets: "Tensor", num_classes: int) -> "Tensor":
    """Accuracy (recall) within each true class, `[num_classes]` float64; nan for a class without an item.

    Args:
        predictions: Predicted class of each item, `[n]` integer.
        targets: True class of each item, `[n]` integer in `[0, num_classes)`.
        num_classes: Number of classes c.

    Raises:
        ArgumentError: As for `accuracy`, or a target is not one of the classes.
    """
    from torch_geometric.utils import scatter

    hits = _hits(predictions, targets)
    index = targets.detach().cpu().long()
    outside = ((index < 0) | (index >= num_classes)).nonzero().flatten()
    if len(outside):
        row = int(outside[0])
        raise ArgumentError(
            f"targets[{row}] is {int(index[row])}, but with num_classes={num_classes} "
            f"classes run from 0 to {num_classes - 1}"
        )
    means: Tensor = scatter(hits.double(), index, dim_size=num_classes, reduce="mean")
    return means.masked_fill(index.bincount(minlength=num_classes) == 0, math.nan)


def _hits(predictions: "Tensor", targets: "Tensor") -> "Tensor":
    if predictions.shape != targets.shape or targets.dim() != 1 or len(targets) == 0:
        raise ArgumentError(
            f"predictions and targets must both be [n] with n > 0, got predictions {list(predictions.shape)} "
            f"and targets {list(targets.shape)}"
        )
    for name, values in (("predictions", predictions), ("targets", targets)):
        if values.is_floating_point() or values.is_complex():
            raise ArgumentError(f"{name} must be integer classes, got {values.dtype}; take argmax(dim=1) first")
    return predictions.detach().cpu() == targets.detach().cpu()
