import errno
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from seqgcn.errors import RunFolderError
from seqgcn.files import write_atomically, write_bytes, write_text


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
