"""The environment a result was computed in: versions, threads, device and machine."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

import seqgcn

PACKAGES = ("torch", "torch-geometric", "numpy", "scikit-learn", "torch-scatter", "faiss-cpu")
"""Packages whose versions are recorded; None for one that is not installed."""


def machine(device: torch.device) -> dict[str, Any]:
    """What the last bits of a result depend on besides its configuration.

    Args:
        device: What is trained on.

    Returns:
        `versions` by package, `threads` of torch, and the names of `device` and `machine`.
    """
    return {
        "versions": {"seqgcn": seqgcn.__version__, "python": platform.python_version()}
        | {name: _version(name) for name in PACKAGES}
        # The package's own name for itself tells which CUDA it was built for.
        | {"torch": str(torch.__version__)},
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "machine": f"{platform.node()}, {platform.platform()}, {torch.backends.cpu.get_cpu_capability()}",
    }


def other_conditions(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One sentence that lists what has changed between two environments, as from `machine`; none if nothing has."""
    held, found = unnested(then), unnested(now)
    changed = [f"{key} was {held.get(key)}, is {found[key]}" for key in found if found[key] != held.get(key)]
    if not changed:
        return []
    return ["resumed under other conditions, so results may differ in the last bits: " + "; ".join(changed)]


def unnested(values: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping in which the items of its own mappings take their place."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= value if isinstance(value, dict) else {key: value}
    return flat


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
