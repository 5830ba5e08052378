"""A user's own lists: the names of all items, some of the items, what items cost."""

import csv
import os
from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgcn.exceptions import DataFileError, MissingFileError

MAX_BYTES = 2**28
"""A list of some million names; a larger file is none."""


def read_items(path: str | Path) -> tuple[str, ...]:
    """Names of all items, in the order of their features.

    Args:
        path: A UTF-8 text file. A whole line is a name, whatever it holds.

    Raises:
        DataFileError: The file cannot be read, or a line is blank or the same as another.
        MissingFileError: There is no such file.
    """
    names = _lines(path)
    _check_unique(path, names, range(1, len(names) + 1), names)
    return tuple(names)


def read_ids(path: str | Path, items: Sequence[str] | None, n: int) -> list[int]:
    """Items that a list names, by their numbers, in the order of the list.

    Args:
        path: A UTF-8 text file with an item a line: its name or, if items have none, its number from 0 to n - 1.
        items: Names of all items.
        n: How many items there are, where they have no names.

    Raises:
        DataFileError: The file cannot be read, or a line is blank, no item, or the same as another.
        MissingFileError: There is no such file.
    """
    words = _lines(path)
    return find_ids(path, words, range(1, len(words) + 1), items, n)


def read_costs(path: str | Path, items: Sequence[str] | None, n: int) -> NDArray[np.float64]:
    """What it costs to label each item, `[n]`, NaN for one that the file does not name.

    Args:
        path: A CSV file with the header `item,cost`: an item, as for `read_ids`, and a number above 0.
        items: Names of all items.
        n: How many items there are.

    Raises:
        DataFileError: The file cannot be read, its header is another, or a row has other than two cells, no item,
            an item of another row or no finite number above 0.
        MissingFileError: There is no such file.
    """
    rows = read_table(path, ("item", "cost"))
    ids = find_ids(path, [row.cells[0] for row in rows], [row.line for row in rows], items, n)
    values = np.array([_cost(row.cells[1]) for row in rows], np.float64)
    wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if len(wrong):
        line, (item, cost) = rows[wrong[0]]
        raise DataFileError(
            f"{path}, line {line}: the cost of {item[:100]!r} must be a finite number above 0, got {cost[:100]!r}"
        )
    costs = np.full(n, np.nan)
    costs[ids] = values
    return costs


class Row(NamedTuple):
    """Cells of a table's row, and the line it ends in."""

    line: int
    cells: tuple[str, ...]


def read_table(path: str | Path, columns: Sequence[str]) -> list[Row]:
    """Rows of a CSV file, without its header and blank lines.

    Args:
        path: A UTF-8 file, its cells separated by commas.
        columns: What its header must be.

    Raises:
        DataFileError: The file cannot be read, its header is another, or a row has more or fewer cells.
        MissingFileError: There is no such file.
    """
    header = ",".join(columns)
    table = csv.reader(StringIO(_text(path), newline=""), strict=True)
    try:
        if (first := next(table, [])) != list(columns):
            raise DataFileError(f"{path}, line 1: the header must be {header}, got {','.join(first)[:100]!r}")
        rows = [Row(table.line_num, tuple(cells)) for cells in table if cells]
    except csv.Error as error:
        raise DataFileError(f"{path}, line {table.line_num} is no CSV: {error}") from error
    for line, cells in rows:
        if len(cells) != len(columns):
            raise DataFileError(f"{path}, line {line} has {len(cells)} cells, expected {len(columns)}: {header}")
    return rows


def read_header(path: str | Path) -> list[str]:
    """Cells of the first line of a CSV file.

    Raises:
        DataFileError: The file cannot be read, or its first line is no CSV.
        MissingFileError: There is no such file.
    """
    try:
        return next(csv.reader(StringIO(_text(path), newline=""), strict=True), [])
    except csv.Error as error:
        raise DataFileError(f"{path}, line 1 is no CSV: {error}") from error


def find_ids(
    path: str | Path, words: Sequence[str], lines: Sequence[int], items: Sequence[str] | None, n: int = 0
) -> list[int]:
    """Numbers of the items that the words of a file name.

    Args:
        path: The file, for the message.
        words: Names or, if items have none, numbers from 0 to n - 1.
        lines: The line of each, for the message.
        items: Names of all items.
        n: How many items there are, where they have no names.

    Raises:
        DataFileError: A word names no item, or the same as another.
    """
    find: Callable[[str], int | None] = (
        (lambda word: _number(word, n)) if items is None else dict(zip(items, range(len(items)), strict=True)).get
    )
    found = [find(word) for word in words]
    unknown = [position for position, number in enumerate(found) if number is None]
    if unknown:
        word = words[unknown[0]]
        if items is None:
            what = f"is not the number of an item, 0 to {n - 1}; to list names, give the names of all items too"
        else:
            close = _closest(word, items)
            what = "is not the name of an item" + (f"; is it {close!r}?" if close else "")
        more = f" ({len(unknown) - 1:,} more are unknown)" if len(unknown) > 1 else ""
        raise DataFileError(f"{path}, line {lines[unknown[0]]}: {word[:100]!r} {what}{more}")
    numbers = [number for number in found if number is not None]
    _check_unique(path, numbers, lines, words)
    return numbers


def find_file(path: str | Path) -> Path:
    """A file that is there, with ``~`` expanded.

    Raises:
        DataFileError: It is a folder or no regular file, or cannot be looked at.
        MissingFileError: There is none.
    """
    # Path.expanduser raises for a home it does not know; this leaves the path as it is.
    file = Path(os.path.expanduser(path))
    try:
        if file.is_file():
            return file
        there = file.exists()
    except (OSError, ValueError) as error:
        raise DataFileError(f"{file} cannot be read: {error}") from error
    if not there:
        raise MissingFileError(f"{file} does not exist")
    raise DataFileError(f"{file} is {'a folder' if file.is_dir() else 'no regular file'}; give the path of a file")


def _text(path: str | Path) -> str:
    """Text of a UTF-8 file, without a byte order mark."""
    try:
        with find_file(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        if isinstance(error, MissingFileError):
            raise
        raise DataFileError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise DataFileError(f"{path} has more than {MAX_BYTES} bytes; is it a list?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataFileError(f"{path}, line {line} is not UTF-8; save the file as UTF-8 text") from error


def _lines(path: str | Path) -> list[str]:
    """Lines, all of which must hold something, but for blank ones at the end."""
    # Not str.splitlines, as names may hold what else Unicode takes for the end of a line.
    lines = _text(path).replace("\r\n", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not all(map(str.strip, lines)):
        blank = next(number for number, line in enumerate(lines, 1) if not line.strip())
        raise DataFileError(f"{path}, line {blank} is blank; write an item a line, and blank lines only at the end")
    return lines


def _number(word: str, n: int) -> int | None:
    """The number of an item; not what else `int` takes for a number."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 20 and int(word) < n else None


def _cost(cell: str) -> float:
    """A number, NaN for what is none."""
    try:
        return float(cell) if "_" not in cell else np.nan
    except ValueError:
        return np.nan


def _check_unique(path: str | Path, values: Sequence[Hashable], lines: Sequence[int], words: Sequence[str]) -> None:
    if len(set(values)) == len(values):
        return
    first: dict[Hashable, int] = {}
    for value, line, word in zip(values, lines, words, strict=True):
        if value in first:
            raise DataFileError(f"{path}, line {line}: {word[:100]!r} is in line {first[value]} already")
        first[value] = line


def _closest(word: str, items: Sequence[str]) -> str | None:
    """The most similar of those items that begin or end as the word does; to compare all would take too long."""
    folded = word.casefold()[:1000]
    near: dict[str, str] = {}
    for turn in (1, -1):
        ordered = sorted((item.casefold()[::turn], item) for item in items)
        here = bisect_left(ordered, (folded[::turn], ""))
        near |= {item.casefold(): item for _, item in ordered[max(here - 50, 0) : here + 50]}
    return next((near[found] for found in get_close_matches(folded, near, n=1)), None)
