"""Rows of numbers in text files: labels and centers."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.exceptions import DataFileError

BLOCK_BYTES = 2**22
LONGEST_LINE = 2**16
FARTHEST = 1e6
"""No coordinate in mm or px is larger; a kilometre is beyond every depth camera."""

NUMBER_BYTES = b"0123456789+-.eE \t"

JOINTS_OF = {
    42: "the 14 evaluated joints of NYU",
    48: "the 16 joints of ICVL",
    63: "the 21 joints of MSRA, BigHand2.2M, HANDS17 and HANDS19",
    108: "the 36 joints of NYU",
}
"""What a number of values in a row is known for."""

UNSAFE_PATH = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\\\0]|^[A-Za-z]:")
"""A component that is empty, `.` or `..`, a backslash or a drive."""


class Rows(NamedTuple):
    """Rows of a label file.

    Args:
        path: The file.
        names: First word of each row, n of them; none if rows are of numbers alone.
        values: The numbers, `[n, width]` float32.
        lines: Line of each row in the file, `[n]`, counted from 1.
    """

    path: Path
    names: list[str]
    values: NDArray[np.float32]
    lines: NDArray[np.int64]

    def points(self, rows: NDArray[np.int64], camera: Camera | None = None) -> Tensor:
        """Some rows as points `[m, width / 3, 3]`, turned from a release's axes into this package's.

        Args:
            rows: Which, `[m]`.
            camera: Whose `axes` the release's are; None if they are to be kept.

        Raises:
            DataFileError: A point does not lie in front of the camera.
        """
        points = torch.from_numpy(self.values[rows]).view(len(rows), self.values.shape[1] // 3, 3)
        points = points if camera is None else camera.from_release(points)
        behind = (points[..., 2] <= 0).nonzero()
        if len(behind):
            row, joint = behind[0].tolist()
            raise DataFileError(
                f"{self.path}, line {self.lines[rows[row]]}: point {joint} (counted from 0) has depth "
                f"{float(self.values[rows[row], 3 * joint + 2]):g}, which is not in front of the camera; the file is "
                "damaged or has other axes than the release"
            )
        return points


def points_of(tables: Sequence[Rows], rows: NDArray[np.int64], camera: Camera | None = None) -> Tensor:
    """Some rows of several files as points; see `Rows.points`.

    Args:
        tables: The files.
        rows: Which, `[m]` ascending, counted through all files.
        camera: Whose `axes` the release's are; None if they are to be kept.

    Raises:
        DataFileError: A point does not lie in front of the camera.
    """
    starts = np.cumsum([0, *(len(table.values) for table in tables)])
    pieces = np.split(rows, np.searchsorted(rows, starts[1:-1]))
    return torch.cat(
        [table.points(piece - start, camera) for table, piece, start in zip(tables, pieces, starts[:-1], strict=True)]
    )


def read_rows(path: Path, width: int, *, named: bool = True, counted: bool = False, gaps: bool = False) -> Rows:
    r"""Read lines of numbers between blanks or tabs; empty lines, trailing blanks and any of \n, \r\n, \r\r\n are fine.

    Args:
        path: The file.
        width: Numbers in a row.
        named: Whether each row starts with the path of its frame.
        counted: Whether the first line says how many rows follow.
        gaps: Whether a row may say `invalid` instead; its numbers are NaN.

    Raises:
        DataFileError: The file cannot be read, a row has another number of values or one that is no finite number,
            a frame is named twice or by a path that may lead out of its folder. The message gives the line.
    """
    parts: list[NDArray[np.float32]] = []
    names: list[str] = []
    lines: list[int] = []
    count: str | None = None
    for first, block in _blocks(path):
        rows = [(first + i, line.strip()) for i, line in enumerate(block)]
        rows = [row for row in rows if row[1]]
        if counted and count is None and rows:
            count = rows.pop(0)[1].decode("latin1")
        lines += [line for line, _ in rows]
        words = [text.split(None, 1) for _, text in rows] if named else [[b"", text] for _, text in rows]
        if named:
            names += [_name(path, line, word[0]) for (line, _), word in zip(rows, words, strict=True)]
        texts = [word[1] if len(word) == 2 else b"" for word in words]
        parts.append(_numbers(path, lines[len(lines) - len(rows) :], texts, width, gaps))
    values = np.concatenate(parts) if parts else np.empty((0, width), np.float32)
    if counted and count != str(len(lines)):
        raise DataFileError(
            f"{path} must say {len(lines)} in its first line, the number of rows that follow, but says "
            f"{'nothing' if count is None else repr(count[:20])}; it is cut off, edited or of another release"
        )
    if len(set(names)) != len(names):
        _refuse_twins(path, names, lines)
    return Rows(path, names, values, np.array(lines, np.int64))


def _blocks(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Whole lines of a file, some megabytes at a time, with the number of the first."""
    number, rest = 1, b""
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK_BYTES):
                text = rest + block
                *lines, rest = (text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text).split(b"\n")
                yield number, lines
                number += len(lines)
                if len(rest) > LONGEST_LINE:
                    raise DataFileError(f"{path}, line {number} is longer than {LONGEST_LINE} bytes; no label file")
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}") from error
    yield number, [rest]


def _numbers(path: Path, lines: Sequence[int], texts: list[bytes], width: int, gaps: bool) -> NDArray[np.float32]:
    if not texts:
        return np.empty((0, width), np.float32)
    if all(texts) and not b"".join(texts).translate(None, NUMBER_BYTES):
        try:
            values = np.loadtxt(texts, np.float64, comments=None, ndmin=2)
        except ValueError:
            values = np.empty(0)
        if values.shape == (len(texts), width) and bool((np.abs(values) <= FARTHEST).all()):
            return values.astype(np.float32)
    # Slowly, to find the line that is wrong.
    pairs = zip(lines, texts, strict=True)
    return np.array([_row(path, line, text.split(), width, gaps) for line, text in pairs], np.float32)


def _row(path: Path, line: int, words: list[bytes], width: int, gaps: bool) -> list[float]:
    if gaps and words[0] == b"invalid":
        return [np.nan] * width
    if len(words) != width:
        known = JOINTS_OF.get(len(words))
        why = f"these are {known}; is it the file of another data set?" if known else "it is cut off or edited"
        raise DataFileError(f"{path}, line {line} has {len(words)} numbers, expected {width}; {why}")
    return [coordinate(word.decode("latin1"), f"{path}, line {line}") for word in words]


def coordinate(text: str, where: str) -> float:
    """A number of mm or px.

    Raises:
        DataFileError: The text is no such number; the message starts with `where`.
    """
    try:
        value = float(text) if text.isascii() and "_" not in text else np.nan
    except ValueError:
        value = np.nan
    if not abs(value) <= FARTHEST:
        raise DataFileError(f"{where}: {text[:40]!r} is not a coordinate in mm or px")
    return value


def _name(path: Path, line: int, word: bytes) -> str:
    try:
        name = word.decode()
    except UnicodeDecodeError as error:
        raise DataFileError(f"{path}, line {line}: {word[:40]!r} is not the path of a frame in UTF-8") from error
    return check_path(name, f"{path}, line {line}")


def check_path(name: str, where: str) -> str:
    """A frame's path, which must stay in its folder.

    Raises:
        DataFileError: It may not; the message starts with `where`.
    """
    if UNSAFE_PATH.search(name):
        raise DataFileError(
            f"{where}: {name[:200]!r} must be a plain path below the folder of the frames, as in seq/image_0001.png: "
            "without '.', '..', drive or backslash, and not from the root of the disk"
        )
    return name


def _refuse_twins(path: Path, names: Sequence[str], lines: Sequence[int]) -> None:
    seen: dict[str, int] = {}
    for name, line in zip(names, lines, strict=True):
        if name in seen:
            raise DataFileError(f"{path}, line {line}: {name} is in line {seen[name]} already; keep one of the two")
        seen[name] = line
