import builtins
import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgcn.exceptions import RunFolderError
from seqgcn.runs.journal import CycleRecord, Journal

RECORD = CycleRecord(
    cycle=0,
    labelled=(5, 2),
    picks=(9, 1),
    scores=(0.5, 0.25),
    metric={"accuracy": 0.75},
    seconds={"train": 0.125},
    seeds={"run": 0, "learner": 2**62},
    environment={"versions": {"torch": "2"}, "device": "cpu"},
)


def record(cycle: int) -> CycleRecord:
    return replace(RECORD, cycle=cycle)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Three cycles."""
    journal = Journal(tmp_path / "journal.jsonl")
    for cycle in range(3):
        journal.append(record(cycle))
    return journal


numbers = st.floats(allow_nan=False)
ids = st.lists(st.integers(0, 2**40)).map(tuple)
names = st.text(max_size=8)
records = st.builds(
    CycleRecord,
    cycle=st.integers(0, 1000),
    labelled=ids,
    picks=ids,
    scores=st.lists(numbers).map(tuple),
    metric=st.dictionaries(names, numbers),
    seconds=st.dictionaries(names, numbers),
    seeds=st.dictionaries(names, st.integers(0, 2**63 - 1)),
    environment=st.dictionaries(names, st.dictionaries(names, names) | names | st.integers()),
)


@settings(deadline=None)
@given(st.lists(records, max_size=4, unique_by=lambda record: record.cycle))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, given: list[CycleRecord]) -> None:
    journal = Journal(tmp_path_factory.mktemp("run") / "journal.jsonl")
    for each in given:
        journal.append(each)
    assert journal.read() == given
    assert journal.recover() == given


def test_one_line_of_json_a_cycle(journal: Journal) -> None:
    lines = journal.path.read_text().splitlines()
    assert [json.loads(line)["cycle"] for line in lines] == [0, 1, 2]
    assert set(json.loads(lines[0])) == {
        "cycle",
        "labelled",
        "picks",
        "scores",
        "metric",
        "seconds",
        "seeds",
        "environment",
        "curves",
        "pseudo",
        "generated",
    }


def test_no_file_is_an_empty_journal(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal.jsonl"))
    assert journal.read() == journal.recover() == []
    assert not journal.path.exists()


def test_torn_last_line_at_every_byte(journal: Journal) -> None:
    whole = journal.path.read_bytes()
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    expected = [record(0), record(1)]
    for cut in range(start, len(whole)):
        journal.path.write_bytes(whole[:cut])
        assert journal.read() == expected
        assert journal.path.read_bytes() == whole[:cut], "read does not write"
        assert journal.recover() == expected
        assert journal.path.read_bytes() == whole[:start]
    journal.append(record(2))
    assert journal.path.read_bytes() == whole


@pytest.mark.parametrize("tail", [b"\0\0\0\0", b"\xff\xfe", b"{}", b"[1]", b"null"])
def test_rubbish_for_a_torn_last_line(journal: Journal, tail: bytes) -> None:
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + tail)
    assert len(journal.recover()) == 3
    assert journal.path.read_bytes() == whole


@pytest.mark.parametrize("line", [b"\0\0\n", b"\xff\xfe\n", b"{}\n", b"[1]\n", b"null\n"])
def test_a_whole_last_line_that_is_damaged_is_not_dropped(journal: Journal, line: bytes) -> None:
    whole = journal.path.read_bytes() + line
    journal.path.write_bytes(whole)
    with pytest.raises(RunFolderError, match="line 4 is damaged"):
        journal.recover()
    assert journal.path.read_bytes() == whole


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda line: line[: len(line) // 2], ""),
        (lambda _line: b"", ""),
        (lambda _line: b"\xff\xfe", "utf-8"),
        (lambda _line: b"{}", "not a cycle record"),
        (lambda line: line.replace(b'"picks"', b'"pick"'), "not a cycle record"),
        (lambda line: line.replace(b"[5,2]", b"7"), "labelled is not a list"),
        (lambda line: line.replace(b'{"accuracy":0.75}', b"null"), "metric is not a mapping"),
    ],
)
def test_damaged_middle_line(journal: Journal, damage: Callable[[bytes], bytes], reason: str) -> None:
    lines = journal.path.read_bytes().splitlines()
    lines[1] = damage(lines[1])
    data = b"\n".join(lines) + b"\n"
    journal.path.write_bytes(data)
    for call in (journal.read, journal.recover):
        with pytest.raises(RunFolderError, match=rf"journal.jsonl, line 2 is damaged \(.*{reason}.*restore the file"):
            call()
    assert journal.path.read_bytes() == data


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[: data.index(b"\n") + 1],
        lambda data: data + record(3).to_line().encode(),
        lambda data: data + b"{",
        lambda data: data.replace(b"[9,1]", b"[1,9]"),
        None,
    ],
    ids=["emptied", "torn", "cut", "written to", "begun", "replaced", "removed"],
)
@pytest.mark.parametrize("recovered", [False, True])
def test_a_file_that_others_have_changed(
    journal: Journal, change: Callable[[bytes], bytes] | None, recovered: bool
) -> None:
    """Whether it was written in this process or read in it."""
    whole = journal.path.read_bytes()
    known = Journal(journal.path) if recovered else journal
    if recovered:
        known.recover()
    if change is None:
        journal.path.unlink()
    else:
        journal.path.write_bytes(change(whole))
    before = journal.path.read_bytes() if journal.path.exists() else None
    for _ in range(2):
        with pytest.raises(RunFolderError, match=r"is not what this process left there: .* Cycle 3 is not added to it"):
            known.append(record(3))
        assert (journal.path.read_bytes() if journal.path.exists() else None) == before
    # As the message says.
    journal.path.write_bytes(whole)
    known.append(record(3))
    assert [row.cycle for row in journal.read()] == [0, 1, 2, 3]


def test_a_journal_begun_by_another_process(tmp_path: Path) -> None:
    mine, other = (Journal(tmp_path / "journal.jsonl") for _ in range(2))
    assert mine.recover() == []
    other.append(record(0))
    with pytest.raises(RunFolderError, match="Cycle 0 is not added to it; restore the file"):
        mine.append(record(0))
    assert len(other.read()) == 1


def test_the_name_of_a_new_journal_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[Path] = []
    monkeypatch.setattr("seqgcn.runs.journal.sync_folder", waited.append)
    journal = Journal(tmp_path / "journal.jsonl")
    for cycle in range(3):
        journal.append(record(cycle))
    assert waited == [tmp_path]


def out_of_space(*_arguments: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_full_disk_at_fsync(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    before = journal.path.read_bytes()
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", out_of_space)
        with pytest.raises(RunFolderError, match=r"cannot write cycle 3 to .*: No space left on device. The 3 earlier"):
            journal.append(record(3))
    assert journal.path.read_bytes() == before
    journal.append(record(3))
    assert len(journal.read()) == 4


class HalfWriter:
    """A file that takes half of what is written, then reports a full disk."""

    def __init__(self, path: Path, mode: str) -> None:
        self.file = builtins.open(path, mode, buffering=0)  # noqa: SIM115

    def __enter__(self) -> "HalfWriter":
        return self

    def __exit__(self, *_error: object) -> None:
        self.file.close()

    def write(self, data: bytes) -> None:
        self.file.write(data[: len(data) // 2])
        out_of_space()


def test_full_disk_in_the_middle_of_a_line(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    before = journal.path.read_bytes()
    monkeypatch.setattr("seqgcn.runs.journal.open", HalfWriter, raising=False)
    with pytest.raises(RunFolderError, match="make room or restore write access, then go on with --resume"):
        journal.append(record(3))
    assert journal.path.read_bytes() == before


def test_what_cannot_be_undone_is_dropped_on_recovery(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    before = journal.path.read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr("seqgcn.runs.journal.open", HalfWriter, raising=False)
        broken.setattr(os, "truncate", out_of_space)
        with pytest.raises(RunFolderError, match="cannot write cycle 3"):
            journal.append(record(3))
        assert journal.path.read_bytes() != before
        with pytest.raises(RunFolderError, match=r"cannot drop the torn last line of .*: No space left"):
            journal.recover()
    assert len(journal.recover()) == 3
    assert journal.path.read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_device_that_is_full(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.symlink_to("/dev/full")
    with pytest.raises(RunFolderError, match=r"cannot write cycle 0 to .*: No space left on device. The 0 earlier"):
        Journal(path).append(record(0))
    assert path.is_symlink()


def test_read_only_folder(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    before = journal.path.read_bytes()

    def read_only(path: Path, _mode: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("seqgcn.runs.journal.open", read_only, raising=False)
    with pytest.raises(RunFolderError, match=r"cannot write cycle 3 to .*: Permission denied"):
        journal.append(record(3))
    assert journal.path.read_bytes() == before


def test_file_that_cannot_be_looked_at(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_arguments: object, **_options: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "exists", denied)
    with pytest.raises(RunFolderError, match=r"cannot read .*journal.jsonl: Permission denied"):
        journal.read()
    with pytest.raises(RunFolderError, match="cannot write cycle 3"):
        journal.append(record(3))


def test_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="No such file or directory"):
        Journal(tmp_path / "gone" / "journal.jsonl").append(record(0))


def test_a_line_without_curves_is_one_of_an_earlier_version(journal: Journal) -> None:
    lines = [json.loads(line) for line in journal.path.read_text().splitlines()]
    journal.path.write_text(
        "".join(json.dumps({k: v for k, v in line.items() if k != "curves"}) + "\n" for line in lines)
    )
    assert [row.curves for row in journal.read()] == [{}, {}, {}]
    assert [row.cycle for row in journal.read()] == [0, 1, 2]
