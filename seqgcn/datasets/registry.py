"""Data sets by name."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from seqgcn.config.registry import load
from seqgcn.exceptions import ConfigError


def dataset_maker(name: str, root: str | None, *, unsplit: bool = False) -> Callable[..., Any]:
    """What makes a data set of the catalogue from its parameters; from the files in a folder, if it reads some.

    Args:
        name: In the catalogue.
        root: The folder.
        unsplit: Whether items that have neither label nor part are to be there, where the data set can tell them.

    Raises:
        ConfigError: No such data set, or the folder is missing or too much.
    """
    component = load("dataset", name)
    if unsplit:
        component = getattr(component, "unsplit", component)
    if "root" in inspect.signature(component).parameters:
        if root is None:
            raise ConfigError(f"the data set {name} needs --root DIR, the folder that holds its files")
        return partial(component, root=root)
    if root is not None:
        raise ConfigError(f"the data set {name} reads no files; leave --root out")
    return component
