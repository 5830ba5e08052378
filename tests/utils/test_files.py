import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest

from seqgcn.exceptions import RunFolderError
from seqgcn.utils.files import remove_leftovers, write_atomically, write_bytes, write_text


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_a_new_file_and_replaces_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    write_text(path, "größer\n")
    assert path.read_bytes() == "größer\n".encode()
    write_text(str(path), "less")
    write_bytes(tmp_path / "raw", b"\0\xff")
    assert path.read_text() == "less"
    assert (tmp_path / "raw").read_bytes() == b"\0\xff"
    assert only(tmp_path) == ["raw", "table.md"]


def test_nobody_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    write_text(path, "old")

    def write(file: BinaryIO) -> None:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"

    write_atomically(path, write)
    assert path.read_text() == "new"


def full(_file: BinaryIO) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    write_text(path, "old")
    with pytest.raises(RunFolderError, match=r"cannot write .*table.md: No space left on device") as caught:
        write_atomically(path, full)
    assert isinstance(caught.value, OSError)
    assert path.read_text() == "old"
    assert only(tmp_path) == ["table.md"]


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_failures_on_the_way_leave_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    path = tmp_path / "table.md"
    write_text(path, "old")

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(os, step, fail)
        with pytest.raises(RunFolderError, match="Input/output error"):
            write_text(path, "new")
    assert path.read_text() == "old"
    assert only(tmp_path) == ["table.md"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("writer")])
def test_other_errors_pass_and_leave_no_temporary_file(tmp_path: Path, error: BaseException) -> None:
    def write(_file: BinaryIO) -> None:
        raise error

    with pytest.raises(type(error)):
        write_atomically(tmp_path / "table.md", write)
    assert only(tmp_path) == []


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"cannot write .*nowhere/table.md: No such file or directory"):
        write_text(tmp_path / "nowhere" / "table.md", "text")


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "table.md", "text")
        assert (tmp_path / "table.md").stat().st_mode & 0o777 == mode
        assert os.umask(umask) == umask
    finally:
        os.umask(before)


def test_the_name_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[bool] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        kinds.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    write_text(tmp_path / "table.md", "text")
    assert kinds == ([False] if os.name == "nt" else [False, True])


@pytest.mark.parametrize("step", ["open", "fsync"])
def test_folders_that_cannot_be_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Windows opens no folders; some network file systems sync none."""
    real, refused = getattr(os, step), []

    def of_files_only(target: int | str | Path, *arguments: int) -> object:
        if os.path.isdir(target):
            refused.append(target)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(target, *arguments)

    monkeypatch.setattr(os, step, of_files_only)
    write_text(tmp_path / "table.md", "text")
    assert len(refused) == 1
    assert (tmp_path / "table.md").read_text() == "text"
    assert only(tmp_path) == ["table.md"]


def test_leftovers_of_killed_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(BaseException):
        pass

    def killed(*_arguments: object, **_options: object) -> None:
        raise KilledError

    mine = [".mine.unfinished", ".a.md.short.unfinished", "table.md", "a.b.abcdefgh.unfinished"]
    for name in mine:
        (tmp_path / name).touch()
    (tmp_path / ".folder.abcdefgh.unfinished").mkdir()
    monkeypatch.setattr(os, "replace", killed)
    # A process that is killed does not clear up either.
    monkeypatch.setattr(Path, "unlink", killed)
    for _ in range(2):
        with pytest.raises(KilledError):
            write_text(tmp_path / "table.md", "text")
    monkeypatch.undo()
    assert len(only(tmp_path)) == 7
    remove_leftovers(tmp_path)
    assert only(tmp_path) == sorted([*mine, ".folder.abcdefgh.unfinished"])
