"""Reads the pickles CIFAR comes in without trusting them.

Unpickling a file may run any code its author wrote into it. Here a pickle can only build dicts, lists,
tuples, bytes, str, numbers and arrays of integers: every name it asks for is looked up in a table of five,
and that holds stand-ins, so that neither NumPy nor anything else is called with arguments from the file.
"""

import io
import pickle
import pickletools
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.data_files import read_bytes
from seqgcn.exceptions import DataFileError

MAX_TUPLES = 100_000
"""Twice as many as CIFAR-100 has files. Python overflows its stack when it hashes deeply nested tuples."""


class PickledArray:
    """Stands in for `numpy.ndarray` and for the function that makes an empty one; its state fills it."""

    values: NDArray[Any] | None = None

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        if not isinstance(dtype, _PickledDtype):
            raise pickle.UnpicklingError("an array without a type")
        # A copy, as an array over bytes cannot be written to.
        flat = np.frombuffer(content, dtype.code).copy()
        self.values = flat.reshape(shape, order="F" if fortran else "C")


class _PickledDtype:
    """Stands in for `numpy.dtype`; only integers pass, above all no objects."""

    def __init__(self, code: bytes | str, *_: object) -> None:
        text = code.decode("ascii") if isinstance(code, bytes) else code
        if not re.fullmatch("[iu][1248]", text):
            raise pickle.UnpicklingError(f"an array of type {text[:20]!r}, only integers are read")
        self.code = text

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("an array of unknown byte order")
        self.code = order + self.code[-2:]


class _Latin1Bytes:
    """Stands in for `_codecs.encode`, through which Python 3 writes bytes in Python 2's protocol."""

    def __new__(cls, text: str, encoding: str) -> Any:
        if encoding not in ("latin1", b"latin1"):
            raise pickle.UnpicklingError(f"bytes encoded as {encoding[:20]!r}, only latin1 is read")
        return str.encode(text, "latin1")

    # Without this a pickle could set attributes on the class.
    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("bytes with a state")


STAND_INS: dict[tuple[str, str], type] = {
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): _PickledDtype,
    ("numpy.core.multiarray", "_reconstruct"): PickledArray,
    ("numpy._core.multiarray", "_reconstruct"): PickledArray,
    ("_codecs", "encode"): _Latin1Bytes,
}


class _Unpickler(pickle.Unpickler):
    """Unpickler that finds nothing but the stand-ins."""

    def __init__(self, path: Path, content: bytes) -> None:
        # Python 2 wrote str, which are bytes; the default encoding is ASCII and fails on pixels.
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._path = path

    def find_class(self, module: str, name: str) -> type:
        """The stand-in for a name; any other name is refused.

        Raises:
            DataFileError: The name is not one an array is made of.
        """
        try:
            return STAND_INS[module, name]
        except KeyError:
            raise DataFileError(
                f"{self._path} is refused: it asks for {f'{module}.{name}'[:100]!r}, which no CIFAR file "
                "needs and which could run any code. Nothing was run; get the file from its official page"
            ) from None


def read_pickled_dict(path: Path) -> dict[str, Any]:
    """Dict a file holds, its keys as str, its arrays as `PickledArray`.

    Raises:
        DataFileError: The file cannot be read, is damaged, holds no dict, or asks for anything but arrays.
    """
    content = read_bytes(path)
    try:
        _check_appetite(content)
        found = _Unpickler(path, content).load()
    except DataFileError:
        raise
    except Exception as error:  # damaged pickles raise errors of nearly every type
        reason = f"{type(error).__name__}: {error}"
        raise DataFileError(f"{path} cannot be unpickled ({reason}); get it again") from error
    if not isinstance(found, dict):
        raise DataFileError(f"{path} holds a {type(found).__name__}, expected a dict of images and labels")
    return {as_text(key): value for key, value in found.items() if isinstance(key, bytes | str)}


def as_text(value: bytes | str) -> str:
    """Python 2's str, which comes back as bytes, and text alike as str."""
    return value.decode("latin1") if isinstance(value, bytes) else value


def _check_appetite(content: bytes) -> None:
    """Refuse what makes the unpickler itself fall over: a memo of gigabytes or tuples nested without end."""
    tuples = 0
    for done, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        tuples += opcode.name.startswith("TUPLE")
        if tuples > MAX_TUPLES:
            raise pickle.UnpicklingError("too many tuples")
        # The memo is a table with room up to the highest index, and picklers count their entries from 0 or 1.
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > done:
            raise pickle.UnpicklingError("a memo larger than the file")
