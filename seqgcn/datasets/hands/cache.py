"""Crops on disk: made once from a list of frames, then memory-mapped by whoever needs them.

A cache is a folder named after a hash of everything its content depends on. It is written under another name and
renamed when it is whole, by one process at a time, so that nobody ever meets half of one.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.exceptions import DataFileError, RunFolderError
from seqgcn.training import Progress
from seqgcn.utils.messages import log
from seqgcn.utils.processors import workers

T = TypeVar("T")

VERSION = 2
"""Of the crops' making; another number makes all caches anew."""

BLOCK = 32
"""Frames cropped and written at a time."""

HEADROOM = 64 * 2**20
"""Bytes left free on the disk beside a new cache."""


class Cropped(NamedTuple):
    """What is kept of one frame.

    Args:
        crop: `[size, size]` int16; all background if `found` is False.
        centre: `[3]` float32, mm.
        found: Whether there was depth inside the cube.
    """

    crop: Tensor
    centre: Tensor
    found: bool


@dataclass(frozen=True, eq=False)
class CropStore:
    """An open cache.

    Args:
        crops: `[n, size, size]` int16, memory-mapped, read-only.
        centres: `[n, 3]` float32, mm.
        found: `[n]` bool, whether a frame had depth inside its cube.
        content: Hash of all of these.
        home: Folder of the cache. A pickled store is its path alone: another process maps the files anew.
    """

    crops: NDArray[np.int16]
    centres: NDArray[np.float32]
    found: NDArray[np.bool_]
    content: str
    home: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return _open, (self.home.absolute(), *self.crops.shape[:2])


def cache_folder(given: str | None) -> Path:
    """Where caches go: as given, else `SEQGCN_CACHE`, else the user's cache folder (`XDG_CACHE_HOME` or ~/.cache).

    Raises:
        RunFolderError: The user has no home.
    """
    own = given or os.environ.get("SEQGCN_CACHE")
    if own:
        return Path(os.path.expanduser(own))
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:
        raise RunFolderError("there is no home folder for crops; set SEQGCN_CACHE or the cache argument") from error
    return Path(home) / "seqgcn"


def source_key(root: Path, files: Sequence[str], how: Any) -> str:
    """Hash of a list of frames (name, size and time of change of each) and of how they are cropped.

    Args:
        root: Folder of the frames.
        files: Their paths below it.
        how: Anything whose `repr` says all that decides the crops.

    Raises:
        DataFileError: A file cannot be looked at.
    """
    digest = hashlib.blake2b(repr((VERSION, how)).encode(), digest_size=10)
    for file in files:
        try:
            status = os.stat(root / file)
        except OSError as error:
            raise DataFileError(f"{root / file} cannot be read: {error.strerror}") from error
        digest.update(f"\0{file}\0{status.st_size}\0{status.st_mtime_ns}".encode(errors="surrogateescape"))
    return digest.hexdigest()


def open_or_build(
    folder: Path,
    name: str,
    key: str,
    n: int,
    size: int,
    make: Callable[[int], Cropped],
    *,
    progress: Progress | None = None,
) -> CropStore:
    """The cache of this key, built first if there is none.

    Args:
        folder: Folder of all caches.
        name: Of the data set, for messages and the cache's own folder.
        key: From `source_key`.
        n: Number of frames.
        size: Pixels along a crop's side.
        make: Gives the crop of frame i; called from several threads.
        progress: Told about every block of frames, as stage `"crops"`.

    Raises:
        RunFolderError: The folder cannot be written, or there is not enough room.
        DataFileError: A frame cannot be read.
    """
    home = folder / f"{name}-{key}"
    with cache_errors(folder):
        if not home.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            # Whoever comes second waits, then finds the cache there.
            with waiting_lock(folder / f".{home.name}.lock"):
                if not home.is_dir():
                    _sweep(folder, home.name)
                    _build(home, n, size, make, progress)
    return _open(home, n, size)


@contextmanager
def cache_errors(folder: Path) -> Iterator[None]:
    """Turn what the system raises about a cache folder into the package's error."""
    try:
        yield
    except (RunFolderError, DataFileError):
        raise
    except OSError as error:
        raise RunFolderError(
            f"cannot use the cache folder {folder}: {error.strerror or error}; set SEQGCN_CACHE or the cache argument"
        ) from error


def _sweep(folder: Path, mine: str) -> None:
    """Remove what killed processes left of other caches than `mine`: parts whose lock nobody holds."""
    for part in folder.glob(".*.part"):
        if part.name == f".{mine}.part":
            continue
        with suppress(Timeout), FileLock(part.with_suffix(".lock"), timeout=0):
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Hold a lock file; waiting for another process that has it is logged."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info(f"waiting for another process to write {path.name.removeprefix('.').removesuffix('.lock')}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _build(home: Path, n: int, size: int, make: Callable[[int], Cropped], progress: Progress | None) -> None:
    needed = n * (2 * size * size + 13)
    free = shutil.disk_usage(home.parent).free
    log.info(f"writing {n:,} crops of {size} x {size} ({_gigabytes(needed)}) to {home}; {_gigabytes(free)} are free")
    if needed + HEADROOM > free:
        raise RunFolderError(
            f"{n:,} crops of {size} x {size} need {_gigabytes(needed)}, but {home.parent} has {_gigabytes(free)} free; "
            "make room, point SEQGCN_CACHE or the cache argument to another disk, or take smaller crops or fewer frames"
        )
    part = home.with_name(f".{home.name}.part")
    # Left by a process that was killed: the lock says that nobody is writing it.
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        centres, found = np.empty((n, 3), np.float32), np.empty(n, np.bool_)
        content = hashlib.blake2b(digest_size=16)
        # Written, not mapped: a full disk is then an error, where a mapping would kill the process.
        with open(part / "crops.npy", "wb") as file:
            header = {"descr": "<i2", "fortran_order": False, "shape": (n, size, size)}
            np.lib.format.write_array_header_1_0(file, header)
            stop = 0
            for block in in_threads(make, n):
                pixels = torch.stack([item.crop for item in block]).numpy().astype("<i2", copy=False).data
                file.write(pixels)
                content.update(pixels)
                start, stop = stop, stop + len(block)
                centres[start:stop] = torch.stack([item.centre for item in block]).numpy()
                found[start:stop] = [item.found for item in block]
                if progress is not None:
                    progress("crops", stop, n)
            file.flush()
            os.fsync(file.fileno())
        for values in (centres, found):
            content.update(values.tobytes())
        (part / "content.txt").write_text(content.hexdigest(), encoding="utf-8")
        np.save(part / "centres.npy", centres)
        np.save(part / "found.npy", found)
        os.replace(part, home)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def in_threads(make: Callable[[int], T], n: int) -> Iterator[list[T]]:
    """Frames in order, block by block; decoding releases the interpreter's lock, so a thread a core pays."""

    def block(start: int) -> list[T]:
        return [make(i) for i in range(start, min(start + BLOCK, n))]

    starts, threads = iter(range(0, n, BLOCK)), workers()
    if threads == 1:
        yield from map(block, starts)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(block, start) for start in islice(starts, 2 * threads)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(block, start) for start in islice(starts, 1)]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _open(home: Path, n: int, size: int) -> CropStore:
    try:
        crops = np.load(home / "crops.npy", mmap_mode="r", allow_pickle=False)
        centres = np.load(home / "centres.npy", allow_pickle=False)
        found = np.load(home / "found.npy", allow_pickle=False)
        content = (home / "content.txt").read_text(encoding="utf-8")
        if len(content) != 32:
            raise ValueError("content.txt is cut off")
    except (OSError, ValueError, EOFError) as error:
        raise RunFolderError(f"{home} is damaged ({error}); delete it, and it is made anew") from error
    if crops.shape != (n, size, size) or centres.shape != (n, 3) or found.shape != (n,) or crops.dtype != np.int16:
        raise RunFolderError(f"{home} does not hold {n} crops of {size} x {size}; delete it, and it is made anew")
    return CropStore(crops, centres, found, content, home)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 5e7 else f"{size / 1e6:.1f} MB"
