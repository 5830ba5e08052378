"""Types of parameters: values from YAML and the command line as what is declared, and in words."""

import difflib
import inspect
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seqgcn.exceptions import ConfigError

REQUIRED = inspect.Parameter.empty
"""The default of a parameter that has none."""


@dataclass(frozen=True)
class Parameter:
    """A parameter that `--set` takes.

    Args:
        type: As declared; `Any` for one that does not say.
        default: Its default, or `REQUIRED`.
        meaning: What the docstring says of it, in one line.
    """

    type: Any
    default: Any
    meaning: str = field(default="", compare=False)


def is_plain(value: Any) -> bool:
    """Whether YAML can hold a value."""
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def coerce(key: str, value: Any, wanted: Any) -> Any:
    """A value from YAML or the command line as the type a parameter is declared with.

    Raises:
        ConfigError: It is of another type.
    """
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any:
        if is_plain(value):
            return value
    elif origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        for choice in arguments:
            try:
                return coerce(key, value, choice)
            except ConfigError:
                continue
    elif origin is typing.Literal:
        if value in arguments:
            return value
    elif origin in (tuple, list):
        items = value if isinstance(value, list | tuple) else [value]
        return origin(coerce(key, item, arguments[0]) for item in items)
    elif wanted is float and not isinstance(value, bool):
        # YAML 1.1 reads 1e-3 as a string.
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    elif isinstance(wanted, type) and isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
        return value
    raise ConfigError(f"{key} must be {describe_type(wanted)}, got {value!r}")


def describe_type(wanted: Any) -> str:
    """A declared type in words a user reads."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe_type(choice) for choice in arguments)
    if origin is typing.Literal:
        return " | ".join(map(str, arguments))
    if origin in (tuple, list):
        return f"list of {describe_type(arguments[0])}"
    if wanted is Any:
        return "a number, text, true, false, null or a list of these"
    names = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "null"}
    return names.get(wanted, getattr(wanted, "__name__", str(wanted)))


def suggestion(name: str, known: Mapping[str, Any] | typing.Iterable[str]) -> str:
    """`"; did you mean X? There are: ..."` for an unknown name; empty if nothing is known."""
    names = list(known)
    if not names:
        return ""
    # CORE_GCN and CoreGCN are core-gcn.
    spelled = {re.sub(r"[\W_]", "", each).lower(): each for each in reversed(names)}
    near = difflib.get_close_matches(re.sub(r"[\W_]", "", name).lower(), spelled, n=1)
    return (f"; did you mean {spelled[near[0]]}? There are: " if near else "; there are: ") + ", ".join(names)
