"""Data sets by name."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from seqgcn.config.registry import import_path, load
from seqgcn.datasets.dataset import Dataset
from seqgcn.datasets.item_dataset import as_dataset
from seqgcn.exceptions import ArgumentError, ConfigError, SeqGCNError


def dataset_maker(name: str, root: str | None, *, unsplit: bool = False) -> Callable[..., Any]:
    """What makes a data set of the catalogue, or the user's own, from its parameters and the folder of its files.

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
    own = bool(import_path("dataset", name))
    parameters = inspect.signature(component).parameters
    if "root" in parameters:
        if root is None and parameters["root"].default is inspect.Parameter.empty:
            raise ConfigError(f"the data set {name} needs --root DIR, the folder that holds its files")
        component = component if root is None else partial(component, root=root)
    elif root is not None:
        reads_none = "has no parameter root" if own else "reads no files"
        raise ConfigError(f"the data set {name} {reads_none}; leave --root out")
    return partial(_own, name, component) if own else component


def _own(name: str, component: Callable[..., Any], **values: Any) -> Dataset:
    """A data set of the user's own, made by a class or function of theirs.

    Raises:
        ArgumentError: It cannot be made, or is no data set.
    """
    try:
        made = component(**values)
    except SeqGCNError:
        raise
    except Exception as error:  # whatever a constructor does
        raise ArgumentError(f"{name}: this cannot be made: {type(error).__name__}: {error}") from error
    return as_dataset(made, name=None if isinstance(getattr(made, "name", None), str) else name.partition(":")[2])
