import errno
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import filelock
import killing
import pytest

from seqgcn.exceptions import RunFolderError
from seqgcn.utils.locks import LOCK, OWNER, Owner, locked


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def leave_behind(folder: Path, **changes: Any) -> None:
    """What a killed process leaves."""
    owner = {"pid": 4711, "host": platform.node(), "since": "2024-02-29T12:00:00+01:00", "command": "seqgcn run"}
    (folder / OWNER).write_text(json.dumps(owner | changes))


def test_the_owner_is_named_while_it_holds_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/seqgcn", "run", "--out", "my runs"])
    with locked(tmp_path):
        owner = Owner.of(tmp_path)
        assert owner is not None
        assert (owner.pid, owner.host, owner.command) == (os.getpid(), platform.node(), "seqgcn run --out 'my runs'")
    assert names(tmp_path) == [LOCK]
    assert (tmp_path / LOCK).read_bytes() == b""
    assert Owner.of(tmp_path) is None


def test_a_second_one_is_told_whose_it_is(tmp_path: Path, messages: list[str]) -> None:
    with locked(str(tmp_path)):
        before = (tmp_path / OWNER).read_bytes()
        expected = (
            rf"is in use by process {os.getpid()} on .* \(since 20.*: .*\); wait for it to end or stop it, then go"
        )
        for _ in range(2):
            with pytest.raises(RunFolderError, match=expected), locked(tmp_path):
                pytest.fail("two at once")
        assert (tmp_path / OWNER).read_bytes() == before
        (tmp_path / OWNER).write_text("rubbish")
        with pytest.raises(RunFolderError, match="is in use by another process; wait"), locked(tmp_path):
            pytest.fail("two at once")
    assert names(tmp_path) == [LOCK]
    assert messages == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("mine"), GeneratorExit()])
def test_it_is_free_after_an_error(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), locked(tmp_path):
        raise error
    assert names(tmp_path) == [LOCK]
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("pid", [4711, os.getpid(), os.getppid()], ids=["gone", "mine", "alive"])
def test_a_lock_left_behind_is_taken_over(tmp_path: Path, pid: int, messages: list[str]) -> None:
    """Whatever process number is in use again."""
    leave_behind(tmp_path, pid=pid)
    with locked(tmp_path):
        assert str(Owner.of(tmp_path)).startswith(f"process {os.getpid()} on {platform.node()} (since ")
    assert messages == [
        f"{tmp_path}: process {pid} on {platform.node()} (since 2024-02-29T12:00:00+01:00: seqgcn run) exited without "
        "releasing its lock, as when killed; it is taken over"
    ]
    assert names(tmp_path) == [LOCK]


def test_a_container_that_was_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: list[str]
) -> None:
    """Its host has another name, but the same kernel runs below it."""
    monkeypatch.setattr("seqgcn.utils.locks._boot", lambda: "one")
    leave_behind(tmp_path, host="container-1", boot="one")
    with locked(tmp_path):
        pass
    assert "process 4711 on container-1 " in messages[0]
    # Where nothing is known of the boots, they are not the same.
    for boot, other in (("one", "two"), ("", "")):
        monkeypatch.setattr("seqgcn.utils.locks._boot", lambda boot=boot: boot)
        leave_behind(tmp_path, host="container-1", boot=other)
        with pytest.raises(RunFolderError, match="it cannot be seen from"), locked(tmp_path):
            pytest.fail("taken over")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            None,
            r"is in use by process 4711 on elsewhere .*, or was .*; it cannot be seen from .* delete {} and try again",
        ),
        ("", r"cannot read {}, which says whose .* is .*; if no other process works there, delete that file and try"),
        ("[]", "cannot read {}"),
        ('{"pid": 1}', "cannot read {}"),
        ("\xff", "cannot read {}"),
    ],
)
def test_what_cannot_be_known_is_not_taken_over(tmp_path: Path, text: str | None, message: str) -> None:
    leave_behind(tmp_path, host="elsewhere")
    if text is not None:
        (tmp_path / OWNER).write_bytes(text.encode("latin-1"))
    before = (tmp_path / OWNER).read_bytes()
    for _ in range(2):
        with pytest.raises(RunFolderError, match=message.format(tmp_path / OWNER)), locked(tmp_path):
            pytest.fail("not free")
    assert (tmp_path / OWNER).read_bytes() == before
    # As the message says.
    (tmp_path / OWNER).unlink()
    with locked(tmp_path):
        pass


def test_what_killed_processes_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    for name in (".config.yaml.ab3_9xyz.unfinished", ".owner.aaaaaaaa.unfinished", "mine.unfinished", ".mine.txt"):
        (tmp_path / name).touch()
    with locked(tmp_path):
        assert names(tmp_path) == [LOCK, ".mine.txt", OWNER, "mine.unfinished"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(RunFolderError, match=r"cannot lock .*file: .*; make it writable"),
        locked(tmp_path / "file"),
    ):
        pytest.fail("no folder")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system"),
        (OSError(errno.ENOLCK, "No locks available"), "No locks available"),
        (NotImplementedError("FileSystem does not appear to support flock"), "FileSystem does not appear"),
    ],
)
def test_a_folder_that_cannot_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def failing(*_arguments: Any, **_options: Any) -> None:
        raise error

    monkeypatch.setattr(filelock.FileLock, "_acquire", failing)
    with pytest.raises(RunFolderError, match=rf"cannot lock .*: {reason}.*; make it writable, or"), locked(tmp_path):
        pytest.fail("not locked")
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RunFolderError, match=r"cannot lock .*: Permission denied"), locked(tmp_path):
        pytest.fail("not locked")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_space(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", out_of_space)
        with pytest.raises(RunFolderError, match=r"cannot write .*\.owner: No space left"), locked(tmp_path):
            pytest.fail("no room")
    assert names(tmp_path) == [LOCK]
    with locked(tmp_path):
        pass


@pytest.fixture
def killed(tmp_path: Path) -> int:
    """The number of a process that was killed while it held the folder."""
    processes = killing.processes()
    taken = processes.Event()
    process = processes.Process(target=killing.hold, args=(str(tmp_path), taken))
    process.start()
    assert taken.wait(120)
    with pytest.raises(RunFolderError, match=f"is in use by process {process.pid} on "), locked(tmp_path):
        pytest.fail("two at once")
    process.kill()
    process.join()
    return int(process.pid)


def test_a_killed_process_lets_go(killed: int, tmp_path: Path, messages: list[str]) -> None:
    assert names(tmp_path) == [LOCK, OWNER]
    with locked(tmp_path):
        pass
    assert len(messages) == 1
    assert f"process {killed} on " in messages[0]


def test_of_many_that_find_a_lock_left_behind_one_takes_it(tmp_path: Path) -> None:
    processes, many = killing.processes(), 4
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        leave_behind(folder)
        together = processes.Barrier(many, timeout=120)
        racing = [processes.Process(target=killing.race, args=(str(folder), together)) for _ in range(many)]
        for process in racing:
            process.start()
        for process in racing:
            process.join()
        assert sorted(process.exitcode for process in racing) == [0, 3, 3, 3]
        assert names(folder) == [LOCK]
