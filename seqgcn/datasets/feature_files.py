"""A user's own embeddings, from a file that need not be trusted: no pickle is read, and no header believed."""

import warnings
from collections.abc import Iterable
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from seqgcn.datasets.item_lists import find_file
from seqgcn.exceptions import DataFileError, MissingPackageError, SeqGCNError
from seqgcn.utils.validation import name_some

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib")
HEADER_BYTES = 2**14
"""More than NumPy accepts as the header of an array."""
BLOCK_BYTES = 2**24
"""What is looked at, or unpacked, at a time."""
DEFLATE = 1032
"""Deflate packs no more bytes than this into one."""
SAFETENSORS = {"F16": "float16", "F32": "float32", "F64": "float64", "BF16": "bfloat16"}


def read_features(path: str | Path) -> NDArray[np.floating[Any]]:
    """Embeddings `[n, d]` of all items, float16, float32 or float64 as they are in the file.

    Of a `.npy` and a `.safetensors` file only what is looked at is in memory, an array of `.npz` is unpacked into it.
    So are a foreign byte order, which comes back as the machine's own, and bfloat16, which comes back as float32.

    Args:
        path: A `.npy`, `.npz` or `.safetensors` file. One of several arrays of the latter two is `FILE:KEY`.

    Raises:
        DataFileError: The file is damaged, of another format or a pickle, or the array is not finite, floating-point
            and 2-D; the message names the rows that are not finite.
        MissingFileError: There is no such file.
        MissingPackageError: safetensors is needed and not installed.
    """
    source = str(path)
    name, colon, key = source.rpartition(":")
    if not name.lower().endswith((".npz", ".safetensors")):
        name, colon, key = source, "", ""
    suffix = Path(name).suffix.lower()
    if suffix in PICKLES:
        raise DataFileError(
            f"{source} is refused: a {suffix} file is a pickle, which can run any code of whoever wrote it. Where you "
            "trust it, load it yourself and save the array with numpy.save(path, x.numpy())"
        )
    if suffix not in _READERS:
        raise DataFileError(f"{source} is not known to hold features; save them as .npy, .npz or .safetensors")
    file = find_file(name)
    try:
        with warnings.catch_warnings(action="ignore"):
            values = _READERS[suffix](file, key if colon else None)
    except SeqGCNError:
        raise
    except OSError as error:
        raise DataFileError(f"{source} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # damaged headers and archives raise errors of nearly every type
        reason = f"{type(error).__name__}: {error}"
        raise DataFileError(
            f"{source} cannot be read as {suffix} ({reason[:300]}); it is damaged or of another format"
        ) from error
    _check_finite(values, source)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


class _Header(NamedTuple):
    """What the header of a `.npy` says, and how many bytes it has."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    size: int

    @classmethod
    def of(cls, content: bytes, source: str) -> "_Header":
        """The header at the start of a file, if it is that of features."""
        start = BytesIO(content)
        version = npy.read_magic(start)
        if version not in ((1, 0), (2, 0)):
            raise DataFileError(f"{source} is of version {version[0]}.{version[1]} of .npy, only 1.0 and 2.0 are read")
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(start)
        if dtype.hasobject:
            raise DataFileError(
                f"{source} is refused: it holds Python objects, that is a pickle, which can run any code of whoever "
                "wrote it. Save the features as numbers: numpy.save(path, x.astype(numpy.float32))"
            )
        _check_kind(tuple(map(int, shape)), dtype.name, source)
        return cls(tuple(map(int, shape)), bool(fortran), dtype, start.tell())

    def check_size(self, size: int, source: str) -> None:
        """Compare what the header promises with the bytes there are."""
        promised = self.size + prod(self.shape) * self.dtype.itemsize
        if promised != size:
            raise DataFileError(
                f"{source}: its header promises {self.dtype} {list(self.shape)}, {promised} bytes with the header, "
                f"but there are {size}; it is cut off or damaged"
            )


def _read_npy(path: Path, _: str | None) -> NDArray[Any]:
    with path.open("rb") as file:
        header = _Header.of(file.read(HEADER_BYTES), str(path))
        header.check_size(path.stat().st_size, str(path))
        return np.memmap(
            file, header.dtype, "r", offset=header.size, shape=header.shape, order="F" if header.fortran else "C"
        )


def _read_npz(path: Path, key: str | None) -> NDArray[Any]:
    with ZipFile(path) as archive:
        members = {
            info.filename.removesuffix(".npy"): info for info in archive.infolist() if info.filename.endswith(".npy")
        }
        key = _choose(key, members, path)
        info, source = members[key], f"{path}:{key}"
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise DataFileError(f"{source} is packed in a way NumPy never does; save it with numpy.savez_compressed")
        packed = min(info.compress_size, path.stat().st_size)
        if info.file_size > min(DEFLATE * packed, max(2**30, 100 * packed)):
            raise DataFileError(
                f"{source} is refused: its {packed} bytes claim to unpack to {info.file_size}, which looks like a "
                "bomb. If the array is yours, save it with numpy.save"
            )
        with archive.open(info) as member:
            header = _Header.of(member.read(HEADER_BYTES), source)
        header.check_size(info.file_size, source)
        flat = np.empty(prod(header.shape), header.dtype)
        room = flat.view(np.uint8)
        with archive.open(info) as member:
            member.read(header.size)
            while len(room):
                block = np.frombuffer(member.read(min(len(room), BLOCK_BYTES)), np.uint8)
                if not len(block):
                    raise DataFileError(f"{source} is cut off: {len(room)} bytes of the array are missing")
                room[: len(block)] = block
                room = room[len(block) :]
    return flat.reshape(header.shape, order="F" if header.fortran else "C")


def _read_safetensors(path: Path, key: str | None) -> NDArray[Any]:
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise MissingPackageError(f'{path} needs safetensors: pip install "seqgcn[safetensors]"') from error
    # As tensors, because as arrays they are not memory-mapped, and NumPy has no bfloat16.
    with safe_open(path, framework="pt") as file:
        key = _choose(key, file.keys(), path)
        header = file.get_slice(key)
        kind = header.get_dtype()
        _check_kind(tuple(header.get_shape()), SAFETENSORS.get(kind, kind), f"{path}:{key}")
        tensor = file.get_tensor(key)
    values: NDArray[Any] = (tensor.float() if kind == "BF16" else tensor).numpy()
    return values


_READERS = {".npy": _read_npy, ".npz": _read_npz, ".safetensors": _read_safetensors}


def _choose(key: str | None, keys: Iterable[str], path: Path) -> str:
    """The key asked for, or the only one."""
    there = sorted(keys)
    if key is None and len(there) == 1:
        return there[0]
    if key in there:
        return key
    if not there:
        raise DataFileError(f"{path} holds no array")
    listed = f"{path} holds {len(there)} array{'s' * (len(there) > 1)}: {name_some([name[:100] for name in there], 20)}"
    if key is None:
        raise DataFileError(f"{listed}. Say which one holds the features: {path}:{there[0][:100]}")
    raise DataFileError(f"{listed}. There is no {key!r}")


def _check_kind(shape: tuple[int, ...], kind: str, source: str) -> None:
    """Refuse all but `[n, d]` floating point of at most 64 bits."""
    if len(shape) != 2 or min(shape) < 1:
        way_out = "x[:, None]" if len(shape) == 1 else "x.reshape(len(x), -1)" if len(shape) > 2 else ""
        raise DataFileError(
            f"{source} must be 2-D [n, d] with n > 0 and d > 0, got {list(shape)}"
            + (f"; save {way_out}" * bool(way_out))
        )
    if kind not in SAFETENSORS.values():
        raise DataFileError(
            f"{source} must be float16, float32 or float64, got {kind}; save x.astype(numpy.float32), "
            "or x.float() of a tensor"
        )


def _check_finite(values: NDArray[Any], source: str) -> None:
    """Go through the rows block by block, so that no more of a file than a block need be in memory."""
    step = max(1, BLOCK_BYTES // (values.shape[1] * values.itemsize))
    bad: list[int] = []
    for start in range(0, len(values), step):
        block = np.asarray(values[start : start + step])
        finite = np.isfinite(block)
        if not finite.all():
            bad += (start + np.flatnonzero(~finite.all(axis=1))).tolist()
    if bad:
        raise DataFileError(
            f"{source} has NaN or infinite values in rows {name_some([str(row) for row in bad])} (counted from 0); "
            "remove or impute them"
        )
