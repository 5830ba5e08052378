"""What a fitted learner is asked: its attributes, curves and weights."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import kind_of

TRAINING_LOSS = "training loss"
VALIDATION_ERROR, VALIDATION_ACCURACY = "validation error (mm)", "validation accuracy (%)"
"""Curves: what is minimized, and how well the labeled items held out of it are predicted."""

_PREFIX, _PREDICTOR = "module_.", "predictor_."


def check_classes(targets: Any, n: int) -> None:
    """Raise an `ArgumentError` unless targets are a class number for each of n items."""
    if not isinstance(targets, Tensor) or targets.shape != (n,) or targets.dtype != torch.int64:
        raise ArgumentError(f"targets must be an int64 tensor [{n}], got {kind_of(targets)}")


def check_attributes(learner: object, attributes: Collection[str], outputs: Collection[str]) -> None:
    """Raise an `ArgumentError` that names the attributes a learner cannot describe items by."""
    unknown = sorted(set(attributes) - set(outputs))
    if unknown:
        raise ArgumentError(
            f"{type(learner).__name__} cannot output {', '.join(unknown)}; it outputs {', '.join(outputs)}"
            + how_to_output(learner, unknown)
        )


def how_to_output(learner: object, attributes: Iterable[str]) -> str:
    """`". WAY; WAY"`: how a learner could output attributes that it does not; empty if it never can."""
    could: Mapping[str, str] = getattr(learner, "optional_outputs", getattr(learner, "could_provide", {}))
    # Of several that would do, "a or b".
    names = [part for name in attributes for part in name.split(" or ")]
    ways = [could[name] for name in names if name in could]
    return f". {'; '.join(ways)}" if ways else ""


def curves_of(learner: object) -> dict[str, list[float]]:
    """What a learner measured after each epoch, by name; nothing of one that tells nothing."""
    return {name: torch.as_tensor(curve).tolist() for name, curve in getattr(learner, "curves_", {}).items()}


def curves_by(learner: object, attributes: Mapping[str, str]) -> dict[str, Tensor]:
    """What a learner measured after each epoch, by the name of the curve; not what it has not measured.

    Args:
        learner: Whose `curves_` these are to be.
        attributes: The fitted attribute behind each name.
    """
    nothing = torch.empty(0)  # before `fit`, and after `restore`
    curves = {name: getattr(learner, attribute, nothing) for name, attribute in attributes.items()}
    return {name: curve for name, curve in curves.items() if len(curve)}


def check_fitted(learner: object) -> None:
    """Raise an `ArgumentError` if a learner has no network yet."""
    if not hasattr(learner, "module_"):
        raise ArgumentError(f"this {type(learner).__name__} is not fitted yet; call fit first")


def copy_weights(module: nn.Module, predictor: nn.Module | None = None, **others: Tensor) -> dict[str, Tensor]:
    """Copies of the weights of a network and its loss predictor, and of other tensors, by name, for `torch.save`."""
    weights = others | module.state_dict(prefix=_PREFIX)
    if predictor is not None:
        weights |= predictor.state_dict(prefix=_PREDICTOR)
    return {name: tensor.clone() for name, tensor in weights.items()}


def load_weights(module: nn.Module, state: Mapping[str, Tensor], predictor: nn.Module | None = None) -> None:
    """Put the weights of `copy_weights` into a network and its loss predictor, and the network into evaluation mode.

    Raises:
        RuntimeError: They are those of another network.
    """
    for target, prefix in ((module, _PREFIX), (predictor, _PREDICTOR)):
        if target is not None:
            target.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    module.eval()
