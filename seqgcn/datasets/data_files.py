"""What the readers of data files share: finding the files, reading them and checking labels.

Nothing is ever downloaded. A missing file is an error that says which file, where it is to be had and where
to put it.
"""

import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError, SeqGCNError


class Layout(NamedTuple):
    """One way in which the files of a data set may lie on disk.

    Args:
        folder: Where they would lie.
        files: For each file the names it may have, the usual one first.
    """

    folder: Path
    files: tuple[tuple[str, ...], ...]

    def find(self) -> list[Path | None]:
        """Each file under the first of its names that exists, None for one that does not."""
        return [
            next((self.folder / name for name in names if (self.folder / name).is_file()), None) for names in self.files
        ]


def check_root(root: Any, dataset: str, source: str = "") -> Path:
    """The folder a data set is read from, with ``~`` expanded.

    Args:
        root: The folder.
        dataset: Name of the data set, for the message.
        source: Where its files can be downloaded; empty for the user's own.

    Raises:
        ArgumentError: It is no path.
        MissingFileError: It is no folder.
    """
    if not isinstance(root, str | os.PathLike):
        raise ArgumentError(f"root must be the path of a folder, got {type(root).__name__}")
    # Path.expanduser raises for a home it does not know; this leaves the path as it is.
    folder = Path(os.path.expanduser(root))
    if folder.is_dir():
        return folder
    wrong = "is a file, not a folder" if folder.is_file() else "does not exist"
    way_out = f"Download the data from {source} and unpack them there" if source else "Give the path of your own files"
    raise MissingFileError(f"{dataset}: {folder} {wrong}. {way_out}")


def locate(layouts: Iterable[Layout], dataset: str, source: str) -> list[Path]:
    """The files of the first layout that is complete.

    Args:
        layouts: Where to look, in this order.
        dataset: The data set's name, for the message.
        source: Where to get it, for the message.

    Raises:
        MissingFileError: No layout is complete; the message says what each lacks.
    """
    begun: list[str] = []
    empty: list[str] = []
    for layout in layouts:
        found = layout.find()
        files = [path for path in found if path is not None]
        if len(files) == len(found):
            return files
        lacking = [names[0] for names, path in zip(layout.files, found, strict=True) if path is None]
        (begun if files else empty).append(f"{layout.folder} lacks {', '.join(lacking)}")
    # Where one place has part of the files, the others only distract.
    raise MissingFileError(
        f"{dataset} is not complete: {'; '.join(begun or empty)}. "
        f"Get the files from {source} and put them {'there' if begun else 'into one of these folders'}"
    )


def file_size(path: Path) -> int:
    """Size in bytes.

    Raises:
        DataFileError: The file cannot be looked at.
    """
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}") from error


def read_bytes(path: Path) -> bytes:
    """The whole file.

    Raises:
        DataFileError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}") from error


def check_labels(labels: NDArray[np.integer[Any]], path: Path, *, low: int = 0, high: int, what: str = "label") -> None:
    """Check that labels lie between `low` and `high`, both included.

    Args:
        labels: Labels in the order of the file, `[n]`.
        path: The file, for the message.
        low: The smallest there may be.
        high: The largest there may be.
        what: What to call a label in the message.

    Raises:
        DataFileError: One does not; the message gives its record, counted from 0.
    """
    wrong = np.flatnonzero((labels < low) | (labels > high))
    if len(wrong):
        record = int(wrong[0])
        raise DataFileError(
            f"{path}: record {record} (counted from 0) has the {what} {labels[record]}, expected {low} to "
            f"{high}; the file is damaged or of another format"
        )


@contextmanager
def open_csv(path: Path) -> Iterator[Any]:
    """The `csv.reader` of a file in UTF-8.

    Raises:
        DataFileError: It cannot be read, or is no such file.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            yield csv.reader(file)
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataFileError(f"{path} is not a CSV file in UTF-8 ({error})") from error
    except SeqGCNError:  # some are an OSError too
        raise
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}") from error
