"""Packages whose names are imported when they are first asked for (PEP 562), so that each costs only what it needs."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazy(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """What a package calls `__getattr__` and `__dir__`.

    Args:
        package: Its own `__name__`.
        homes: For each name the module below the package that has it.
    """

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)  # the next access finds it without coming here
        return value

    def names() -> list[str]:
        return sorted(sys.modules[package].__all__)

    return get, names
