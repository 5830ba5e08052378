"""Writing files so that a reader, or a crash, never meets half of one."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from seqgcn.errors import RunFolderError


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
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise RunFolderError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """`write_atomically` for UTF-8 text."""
    write_bytes(path, text.encode())


def write_bytes(path: str | Path, data: bytes) -> None:
    """`write_atomically` for bytes at hand."""

    def write(file: BinaryIO) -> None:
        file.write(data)

    write_atomically(path, write)
