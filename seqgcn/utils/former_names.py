"""Attributes and constructor arguments that were renamed are still accepted by their former names, with a warning."""

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from seqgcn.exceptions import ArgumentError

C = TypeVar("C", bound=type)


class FormerName:
    """A class attribute that reads another one, which it was renamed to.

    Args:
        name: What it is called now.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __set_name__(self, owner: type, former: str) -> None:
        self.former = former

    def __get__(self, instance: object, owner: type) -> Any:
        _warn(owner, self.former, self.name)
        return getattr(owner if instance is None else instance, self.name)


def take_former_names(cls: type, names: Mapping[str, str], *, stacklevel: int = 3) -> None:
    """Rename what a class defines under former names, for `__init_subclass__`.

    Args:
        cls: The class that was just defined.
        names: What an attribute is called now, by its former name.
        stacklevel: Of the warning.
    """
    for former, name in names.items():
        if former in vars(cls):
            _warn(cls, former, name, stacklevel=stacklevel + 1)
            setattr(cls, name, vars(cls)[former])
            delattr(cls, former)


def former_arguments(**names: str) -> Callable[[C], C]:
    """A class decorator: some keyword arguments of the constructor are also taken by their former names.

    The class attribute `former_names` then says what an argument was called, by its name now.

    Args:
        **names: What an argument is called now, by its former name.
    """

    def decorate(cls: C) -> C:
        made: Callable[..., None] = vars(cls)["__init__"]

        @wraps(made)
        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            for former in names.keys() & kwargs.keys():
                _warn(cls, former, names[former], stacklevel=3)
                if names[former] in kwargs:
                    raise ArgumentError(f"{former} and {names[former]} are the same argument; give {names[former]}")
                kwargs[names[former]] = kwargs.pop(former)
            made(self, *args, **kwargs)

        setattr(cls, "__init__", init)  # noqa: B010  # for mypy, a method is not assigned another
        for former, name in names.items():
            value = FormerName(name)
            value.__set_name__(cls, former)
            setattr(cls, former, value)
        inherited: Mapping[str, str] = getattr(cls, "former_names", {})
        setattr(cls, "former_names", {**inherited, **{name: former for former, name in names.items()}})  # noqa: B010
        return cls

    return decorate


def _warn(cls: type, former: str, name: str, stacklevel: int = 3) -> None:
    warnings.warn(f"{cls.__name__}.{former} is now called {name}; rename it", DeprecationWarning, stacklevel=stacklevel)
