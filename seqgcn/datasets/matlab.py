"""Arrays of numbers from MATLAB 5 files.

SciPy reads these too, but a damaged file can crash it, and the whole process with it.
The format is MathWorks' "MAT-File Format": a header of 128 bytes, then elements. An element is a tag (type and
number of bytes), its content and padding to 8 bytes; a small one has its content in the tag. A variable is an
element of elements (flags, dimensions, name, values), possibly compressed as a whole.
"""

import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.data_files import file_size
from seqgcn.exceptions import DataFileError

HEADER_BYTES = 128
HDF5_MAGIC = b"\x89HDF"
MATRIX, COMPRESSED = 14, 15
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""NumPy's name of each type in which values may be stored."""
NUMERIC_CLASSES = range(6, 16)
"""Double, single and eight kinds of integers; below are cells, structs, objects, text and sparse matrices."""
COMPLEX = 0x0800


def read_arrays(path: Path, names: Collection[str] | None = None, most: int = 2**32) -> dict[str, NDArray[Any]]:
    """Variables of a MATLAB 5 file that are real arrays, by name and in MATLAB's shape; others are skipped.

    The type is the one in which the values are stored, which may be a smaller one than MATLAB shows.

    Args:
        path: The file.
        names: Variables wanted; by default all.
        most: Bytes that one may have; a file that promises more is taken for a bomb.

    Raises:
        DataFileError: The file cannot be read, is damaged or of another format.
    """
    size = file_size(path)
    try:
        with path.open("rb") as file:
            order = _byte_order(file.read(HEADER_BYTES), path)
            contents = _read_variables(file, size, order, most)
            return dict(
                found
                for content in contents
                if (found := _parse(content, order)) and (names is None or found[0] in names)
            )
    except DataFileError:
        raise
    except (OSError, struct.error, zlib.error, ValueError) as error:
        raise DataFileError(f"{path} is damaged or cut off ({error}); get it again") from error


def _byte_order(header: bytes, path: Path) -> str:
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
    version = struct.unpack_from(f"{order}H", header, 124)[0] if order else None
    if header.startswith(HDF5_MAGIC) or version == 0x0200:
        raise DataFileError(f"{path} is of MATLAB 7.3 (HDF5), which is not read; save it with -v7")
    if order is None or version != 0x0100:
        raise DataFileError(f"{path} does not start like a MATLAB 5 file; get it again")
    return order


def _read_variables(file: BinaryIO, size: int, order: str, most: int) -> Iterator[memoryview]:
    """Content of each variable, unpacked."""
    while tag := file.read(8):
        kind, length = struct.unpack(f"{order}II", tag)
        if length > size - file.tell():
            raise ValueError(f"an element of {length} bytes, but only {size - file.tell()} are left")
        content = file.read(length)
        if kind == COMPRESSED:
            kind, content = _unpack(content, order, most)
        if kind == MATRIX:
            yield memoryview(content)


def _unpack(packed: bytes, order: str, most: int) -> tuple[int, bytes]:
    """Type and content of a compressed element; what is unpacked is bounded by what its tag promises, and by `most`."""
    kind, length = struct.unpack(f"{order}II", zlib.decompressobj().decompress(packed[:256], 8))
    if length > most:
        raise ValueError(f"a compressed element of {length:,} bytes, more than the {most:,} that there can be")
    stream = zlib.decompressobj()
    content = stream.decompress(packed, 8 + length)
    # One byte more must not come, but the checksum at the end must have been seen.
    if len(content) != 8 + length or stream.decompress(stream.unconsumed_tail, 1) or not stream.eof:
        raise ValueError(f"a compressed element that is not of the {length} bytes it promises")
    return kind, content[8:]


def _parse(content: memoryview, order: str) -> tuple[str, NDArray[Any]] | None:
    """Name and values of a variable, None if it is no real array."""
    elements = _elements(content, order)
    flags = struct.unpack_from(f"{order}I", next(elements, (0, memoryview(b"")))[1])[0]
    if flags & 0xFF not in NUMERIC_CLASSES or flags & COMPLEX:
        return None
    parts = [part for _, part in zip(range(3), elements, strict=False)]
    if len(parts) != 3 or parts[2][0] not in STORED:
        raise ValueError("a variable without dimensions, name and values")
    (_, dims), (_, name), (stored, values) = parts
    shape = np.frombuffer(dims, f"{order}i4").tolist()
    if min(shape, default=-1) < 0:
        raise ValueError(f"a variable of shape {shape}")
    array = np.frombuffer(values, order + STORED[stored]).reshape(shape, order="F")
    return bytes(name).decode("latin1"), array


def _elements(content: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and content of each element of a variable."""
    place = 0
    while place < len(content):
        kind, length = struct.unpack_from(f"{order}II", content, place)
        start = place + 8
        if kind >> 16:
            kind, length, start = kind & 0xFFFF, kind >> 16, place + 4
        if start + length > len(content) or (start == place + 4 and length > 4):
            raise ValueError(f"an element of {length} bytes where there are fewer")
        yield kind, content[start : start + length]
        place = (start + length + 7) // 8 * 8
