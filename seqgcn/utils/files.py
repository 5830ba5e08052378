"""Writing files so that a reader, or a crash, never meets half of one."""

import csv
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from seqgcn.exceptions import RunFolderError

_UNFINISHED = re.compile(r"\..+\.[a-z0-9_]{8}\.unfinished")
"""How `write_atomically` names a file that is not whole yet; the eight characters are tempfile's."""


def write_atomically(path: str | Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file under another name in the same folder, then give it its own name.

    Args:
        path: Where the file goes; an older one is replaced only when the new one is whole and on the disk.
        write: Called with the open binary file.

    Raises:
        RunFolderError: The folder is missing, read-only or full; the older file is untouched.
    """
    path = Path(path)
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".unfinished", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
        temporary = None
        sync_folder(path.parent)
    except OSError as error:
        raise RunFolderError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's new names are on the disk, where the system can do so.

    The files themselves are there already: at worst a power cut takes the names of the last few away again. Windows
    opens no folders, and some network file systems wait for none.
    """
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove what processes killed within `write_atomically` left in a folder.

    Only for who is alone there: the unfinished file of a process at work looks the same.
    """
    for path in folder.glob(".*.unfinished"):
        if _UNFINISHED.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()


def write_text(path: str | Path, text: str) -> None:
    """`write_atomically` for UTF-8 text."""
    write_bytes(path, text.encode())


def write_bytes(path: str | Path, data: bytes) -> None:
    """`write_atomically` for bytes at hand."""

    def write(file: BinaryIO) -> None:
        file.write(data)

    write_atomically(path, write)


def make_folder(folder: Path, what: str = "the folder ") -> None:
    """Make a folder, and those above it, where it is not there.

    Args:
        folder: The folder.
        what: It is, for the message.

    Raises:
        RunFolderError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"cannot make {what}{folder}: {error.strerror or error}") from error


def csv_text(rows: Iterable[Sequence[Any]], end: str = "\n") -> str:
    """Rows, the header first, as CSV with these ends of lines."""
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows(rows)
    return text.getvalue()
