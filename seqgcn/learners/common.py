"""What learners that train a network share."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from seqgcn.exceptions import ArgumentError
from seqgcn.training import Progress
from seqgcn.utils.validation import kind_of

TRAINING_LOSS = "training loss"
VALIDATION_ERROR, VALIDATION_ACCURACY = "validation error (mm)", "validation accuracy (%)"
"""Curves: what is minimised, and how well the labelled items held out of it are predicted."""

_PREFIX, _PREDICTOR = "module_.", "predictor_."
Module = TypeVar("Module", bound=nn.Module)


def resolve_device(name: str) -> torch.device:
    """The device a name stands for; `"auto"` is a GPU if there is one.

    Raises:
        ArgumentError: No such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        # torch's first sentence is to the point; what follows lists every backend there is.
        reason = str(error).splitlines()[0].split(". ")[0]
        raise ArgumentError(f"device {name!r} cannot be used here ({reason}); try auto or cpu") from error
    return device


def mixed_precision(precision: str, device: torch.device) -> torch.autocast:
    """Context of a forward pass in `"float32"`, mixed `"bfloat16"`, or for `"auto"` whichever is faster here."""
    # Older GPUs than Ampere (8.0) only emulate bfloat16, slower than float32.
    native = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
    mixed = precision == "bfloat16" or (precision == "auto" and native)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixed)


def channels_last(module: Module) -> Module:
    """A network in the layout that both CPU and GPU convolutions are fastest in."""
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


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

    Batch norm has nothing to normalise a single item by: one left over joins the batch before it, and where every
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


def check_classes(targets: Any, n: int) -> None:
    """Raise an `ArgumentError` unless targets are a class number for each of n items."""
    if not isinstance(targets, Tensor) or targets.shape != (n,) or targets.dtype != torch.int64:
        raise ArgumentError(f"targets must be an int64 tensor [{n}], got {kind_of(targets)}")


def check_attributes(learner: object, attributes: Collection[str], provides: Collection[str]) -> None:
    """Raise an `ArgumentError` that names the attributes a learner cannot describe items by."""
    unknown = sorted(set(attributes) - set(provides))
    if unknown:
        raise ArgumentError(
            f"{type(learner).__name__} cannot provide {', '.join(unknown)}; it provides {', '.join(provides)}"
            + ways_out(learner, unknown)
        )


def ways_out(learner: object, attributes: Iterable[str]) -> str:
    """`". WAY, and WAY"`: how a learner could provide attributes that it does not; empty if it never can."""
    could: Mapping[str, str] = getattr(learner, "could_provide", {})
    # Of several that would do, "a or b".
    wanted = [part for name in attributes for part in name.split(" or ")]
    ways = [could[name] for name in wanted if name in could]
    return f". {'; '.join(ways)}" if ways else ""


def curves_of(learner: object) -> dict[str, list[float]]:
    """What a learner measured after each epoch, by name; nothing of one that tells nothing."""
    return {name: torch.as_tensor(curve).tolist() for name, curve in getattr(learner, "curves_", {}).items()}


FEW = 10
"""Labelled items below which none is held out."""


def count_held_out(n: int, share: float) -> int:
    """How many of n labelled items are held out of training as a share of them; at least one, of `FEW` or more."""
    return max(1, int(share * n)) if share > 0 and n >= FEW else 0


def hold_out(n: int, share: float, unconfirmed: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Numbers of the items held out for validation, none of the last `unconfirmed`, and of the others, ascending."""
    sure = n - unconfirmed
    count = count_held_out(sure, share)
    order = torch.randperm(sure, generator=draw)
    return order[:count], torch.cat([order[count:], torch.arange(sure, n)]).sort().values


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
