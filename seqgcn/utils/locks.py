"""One process at a time in a folder, and nothing left lying in it by one that was killed.

Two files do it. `.lock` is empty and locked through the operating system (filelock), which lets go of it the moment
its process ends, however it ends: a lock that can be had is free, whatever process number is in use again by now, and
of two processes that find one left behind only one gets it. No file made and deleted by hand can promise that, nor
tell the processes of two containers apart. `.lock` is never deleted, since a process that had just opened it would
then hold the lock of a file that is no longer there. `.owner` says who holds it, for messages alone, and goes with
the lock; where it is still there, its process was killed.

File systems of a network mostly pass such locks on to other hosts, but not all do. So an `.owner` from another host
is not taken over unasked. Containers have a new host name each time they start, but the kernel below them is one since
its boot: where that is the same, so is the host.
"""

import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from seqgcn.exceptions import RunFolderError
from seqgcn.utils.files import remove_leftovers, write_text
from seqgcn.utils.messages import log

LOCK, OWNER = ".lock", ".owner"


@dataclass(frozen=True)
class Owner:
    """Who holds a lock.

    Args:
        pid: Of the process.
        host: Where it runs.
        since: When it took the lock, as ISO 8601 has it.
        command: What was called.
        boot: Which boot of which kernel it runs under, where that can be told.
    """

    pid: int
    host: str
    since: str
    command: str
    boot: str = ""

    @classmethod
    def this(cls) -> Self:
        """This process."""
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        return cls(os.getpid(), platform.node(), since, command, _boot())

    def is_here(self) -> bool:
        """Whether it runs, or ran, where this process does."""
        return self.host == platform.node() or (self.boot != "" and self.boot == _boot())

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        """The owner that a folder names, None where it names none.

        Raises:
            RunFolderError: It cannot be read.
        """
        try:
            return cls(**json.loads((folder / OWNER).read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise RunFolderError(
                f"cannot read {folder / OWNER}, which says whose {folder} is ({error}); if no other process works "
                "there, delete that file and try again"
            ) from error

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} (since {self.since}: {self.command})"


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Hold a folder for this process, and clear away what killed ones left half-written in it.

    Taking over the lock of a process that was killed is logged.

    Args:
        folder: An existing folder that can be written.

    Raises:
        RunFolderError: Another process holds it, or may do so on another host, or the folder cannot be written.
    """
    folder = Path(folder)
    # Held by the process, not by the thread: a generator may be closed from another one.
    lock = FileLock(folder / LOCK, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunFolderError(_in_use(folder)) from error
    # Older releases of filelock raise the latter where a file system has no locks.
    except (OSError, NotImplementedError) as error:
        raise RunFolderError(
            f"cannot lock {folder}: {getattr(error, 'strerror', None) or error}; make it writable, or name a folder "
            "elsewhere (some network folders have no locks)"
        ) from error
    try:
        _take_over(folder)
        try:
            write_text(folder / OWNER, json.dumps(asdict(Owner.this())))
            remove_leftovers(folder)
            yield
        finally:
            # What stays is taken over by the next.
            with suppress(OSError):
                (folder / OWNER).unlink(missing_ok=True)
    finally:
        lock.release()


def _in_use(folder: Path) -> str:
    try:
        owner = Owner.of(folder)
    except RunFolderError:
        owner = None
    who = "another process" if owner is None else str(owner)
    return f"{folder} is in use by {who}; wait for it to end or stop it, then go on (a run or round with --resume)"


def _boot() -> str:
    """What Linux calls a boot, the same in all containers of a machine; empty elsewhere."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _take_over(folder: Path) -> None:
    owner = Owner.of(folder)
    if owner is None:
        return
    if not owner.is_here():
        raise RunFolderError(
            f"{folder} is in use by {owner}, or was when that exited without releasing its lock; it cannot be seen "
            f"from {platform.node()}. If it is no longer at work, delete {folder / OWNER} and try again"
        )
    log.warning(f"{folder}: {owner} exited without releasing its lock, as when killed; it is taken over")
