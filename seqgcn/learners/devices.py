"""Where a network is, and in which precision it computes."""

from typing import TypeVar

import torch
from torch import nn

from seqgcn.exceptions import ArgumentError

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
