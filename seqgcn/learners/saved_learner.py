"""Fitted learners as files: weights as safetensors, with the constructor's arguments as JSON in the file's header.

The file holds numbers and text alone. Reading one imports nothing that it names and runs no code from it.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError, MissingPackageError
from seqgcn.selectors.extensions import EnsembleOptions, LossPrediction
from seqgcn.utils.files import write_bytes
from seqgcn.utils.validation import name_some

FORMAT = "1"
"""Version of the file's header."""

_OPTIONS: dict[str, type] = {
    "LossPrediction": LossPrediction,
    "EnsembleOptions": EnsembleOptions,
    "Members": EnsembleOptions,
}
"""Options in constructors, by names in files, of which the last is of files of version 0.1."""


class SavedLearner:
    """A learner that can be written to a file and read back."""

    def save(self, path: str | Path) -> None:
        """Write the fitted learner into one `.safetensors` file.

        Constructor arguments that are no plain values, such as a module or a function, are not written; `load` asks
        for them. Training curves are not written either.

        Args:
            path: The file; an older one is replaced.

        Raises:
            ArgumentError: The learner is not fitted.
            MissingPackageError: safetensors is not installed.
            RunFolderError: The file cannot be written.
        """
        write = _safetensors(path).save
        header = {"format": FORMAT, "class": _name(type(self)), "parameters": json.dumps(_arguments(self))}
        tensors = {name: value.detach().cpu().contiguous() for name, value in self._saved().items()}
        write_bytes(Path(path), write(tensors, metadata=header))

    @classmethod
    def load(cls, path: str | Path, **arguments: Any) -> Self:
        """The fitted learner in a file that `save` wrote; it predicts what it predicted then, to the last bit.

        Args:
            path: The file.
            **arguments: Constructor arguments that the file does not hold, and others that are to differ, such as
                `device="cpu"` for a learner that was trained on a GPU.

        Raises:
            ArgumentError: An argument is missing, or the file holds another learner.
            DataFileError: It is no such file.
            MissingPackageError: safetensors is not installed.
        """
        header, state = _read(Path(path))
        held = header["class"]
        if held != _name(cls):
            raise ArgumentError(
                f"{path} holds a learner of the class {held}, not {_name(cls)}; call load of {held.rpartition(':')[2]}"
            )
        try:
            written = json.loads(header["parameters"])
            values = {key: _decoded(value) for key, value in written.items() if key not in arguments}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, ArgumentError):
                raise
            raise DataFileError(f"{path} has no readable constructor arguments ({error}); save it again") from error
        missing = [key for key, value in values.items() if isinstance(value, _NotWritten)]
        if missing:
            given = ", ".join(f"{key}=..." for key in missing)
            kinds = name_some([f"{key} ({values[key].kind})" for key in missing])
            raise ArgumentError(
                f"{path} does not hold {kinds}, which is no plain value; give it again: "
                f"{cls.__name__}.load({str(path)!r}, {given})"
            )
        try:
            learner = cls(**{**values, **arguments})
        except TypeError as error:
            raise ArgumentError(f"{cls.__name__} does not take the arguments in {path}: {error}") from error
        return learner.restore(state)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor arguments by name, scikit-learn's manner."""
        raise NotImplementedError

    def state(self) -> dict[str, Tensor]:
        """Everything `fit` has learned, by name."""
        raise NotImplementedError

    def restore(self, state: dict[str, Tensor]) -> Self:
        """Take over an earlier `state()` and return self, as if just fitted."""
        raise NotImplementedError

    def _saved(self) -> dict[str, Tensor]:
        """What is written: `state()`, and what `restore` needs besides it."""
        return self.state()


class _NotWritten:
    """An argument that a file does not hold."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


def _safetensors(path: str | Path) -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise MissingPackageError(f'{path} needs safetensors: pip install "seqgcn[safetensors]"') from error
    return safetensors.torch


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Header and tensors of a file."""
    _safetensors(path)
    from safetensors import safe_open

    if not path.is_file():
        raise MissingFileError(f"{path} does not exist, or is no file")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except Exception as error:  # a damaged file can make the reader trip over anything
        raise DataFileError(f"{path} cannot be read as .safetensors ({type(error).__name__}: {error})") from error
    if not {"format", "class", "parameters"} <= set(header):
        raise DataFileError(f"{path} holds tensors, but no learner; learner.save(path) writes one")
    if header["format"] != FORMAT:
        raise DataFileError(f"{path} is of format {header['format']}, this version reads {FORMAT}; update seqgcn")
    return header, state


def _name(kind: type) -> str:
    """A class as it is imported; those of this package from where they are public."""
    module = "seqgcn.learners" if kind.__module__.startswith("seqgcn.learners.") else kind.__module__
    return f"{module}:{kind.__qualname__}"


class _NotPlainError(Exception):
    """A value that is not written."""


def _arguments(learner: Any) -> dict[str, Any]:
    """Constructor arguments by name, as JSON."""
    written: dict[str, Any] = {}
    for key, value in learner.get_params(deep=False).items():
        try:
            written[key] = _encoded(value)
        except _NotPlainError:
            written[key] = {"not written": type(value).__name__}
    return written


def _encoded(value: Any) -> Any:
    """A constructor argument as JSON: plain values as they are, others as `{kind: ...}`.

    Raises:
        _NotPlainError: It, or a part of it, is something else.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, list):
        return [_encoded(each) for each in value]
    if isinstance(value, tuple):
        return {"tuple": [_encoded(each) for each in value]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _encoded(each) for key, each in value.items()}}
    if type(value) in _OPTIONS.values():
        return {type(value).__name__: {item.name: _encoded(getattr(value, item.name)) for item in fields(value)}}
    if isinstance(value, SavedLearner) and type(value).__module__.startswith("seqgcn.learners."):
        parameters = {key: _encoded(each) for key, each in value.get_params(deep=False).items()}
        return {"learner": type(value).__name__, "parameters": parameters}
    raise _NotPlainError


def _decoded(value: Any) -> Any:
    """The constructor argument that JSON stands for."""
    if isinstance(value, list):
        return [_decoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind = next(iter(value))
    if kind == "tuple":
        return tuple(_decoded(each) for each in value["tuple"])
    if kind == "dict":
        return {name: _decoded(each) for name, each in value["dict"].items()}
    if kind in _OPTIONS:
        now = {former: name for name, former in getattr(_OPTIONS[kind], "former_names", {}).items()}
        return _OPTIONS[kind](**{now.get(name, name): _decoded(each) for name, each in value[kind].items()})
    if kind == "learner":
        return _learner(value)
    return _NotWritten(value["not written"])


def _learner(value: dict[str, Any]) -> Any:
    """A learner of this package that is an argument of another, an ensemble's."""
    from seqgcn import learners

    kind = getattr(learners, value["learner"], None) if value["learner"] in learners.__all__ else None
    if not isinstance(kind, type) or not issubclass(kind, SavedLearner):
        raise KeyError(value["learner"])
    return kind(**{key: _decoded(each) for key, each in value["parameters"].items()})
