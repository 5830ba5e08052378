import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_runs import MANY, SMALL, content, run, same

from seqgcn.config.run import RunConfig
from seqgcn.exceptions import RunFolderError
from seqgcn.runs.journal import Journal
from seqgcn.runs.run_set import RunSet, held_config
from seqgcn.utils.locks import LOCK, OWNER

pytestmark = pytest.mark.usefixtures("fakes")


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"budget": 5}, "budget is 4 there, 5 now"),
        ({"cycles": 2}, "cycles is 3 there, 2 now"),
        ({"seeds": [2]}, r"seeds is \[1\] there, \[2\] now"),
        ({"subset": 9}, "subset is None there, 9 now"),
        ({"selector": ["core-set"]}, r"selector is \['margin'\] there, \['core-set'\] now"),
        ({"warm_start": True}, "warm_start is False there, True now"),
        ({"set": {"learner.noise": 2}}, r"\(learner.noise is 1.0 there, 2.0 now\)"),
        ({"pool_size": 50, "budget": 5}, "budget is 4 there, 5 now; pool_size is None there, 50 now"),
    ],
)
def test_resume_under_another_configuration(tmp_path: Path, changes: dict[str, Any], difference: str) -> None:
    run(tmp_path)
    before = content(tmp_path)
    with pytest.raises(RunFolderError, match=rf"holds another run .*{difference}.*name another folder"):
        run(tmp_path, SMALL | changes, resume=True)
    assert content(tmp_path) == before


def test_resume_of_several_under_another_configuration(tmp_path: Path) -> None:
    values = MANY | {"set": {"learner.noise": (2.0)}}
    run(tmp_path, values)
    with pytest.raises(RunFolderError, match=r"\(learner.noise is 2.0 there, None now\)"):
        run(tmp_path, MANY, resume=True)
    with pytest.raises(RunFolderError, match="seeds is"):
        run(tmp_path, values | {"seeds": [0]}, resume=True)
    assert len(run(tmp_path, values, resume=True)) == 24


def test_tuples_are_the_lists_that_yaml_holds(tmp_path: Path) -> None:
    values: dict[str, Any] = {"learner": "resnet18", "set": {"learner.milestones": (5, 7)}, "budget": 4, "cycles": 3}
    for name, more in {"one": {}, "two": {"seeds": [0, 1]}}.items():
        RunSet(RunConfig(**values, **more), tmp_path / name)
        RunSet(RunConfig(**values, **more), tmp_path / name, resume=True)


def test_resume_where_the_data_have_changed(tmp_path: Path, fakes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path)
    before = content(tmp_path)
    monkeypatch.setattr(fakes[0], "shift", 1)
    with pytest.raises(RunFolderError, match=r"the data set changed since .* was begun; restore"):
        run(tmp_path, resume=True)
    assert content(tmp_path) == before


def test_device_may_change(tmp_path: Path) -> None:
    run(tmp_path, SMALL | {"device": "cpu"})
    assert len(run(tmp_path, SMALL | {"device": "auto"}, resume=True)) == 4


def test_root_may_change(tmp_path: Path) -> None:
    run(tmp_path, SMALL | {"dataset": "svhn", "root": "here"})
    assert len(run(tmp_path, SMALL | {"dataset": "svhn", "root": "there"}, resume=True)) == 4


def test_other_conditions_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: list[str]) -> None:
    run(tmp_path)
    run(tmp_path, resume=True)
    assert messages == []
    monkeypatch.setattr("torch.get_num_threads", lambda: 7)
    monkeypatch.setattr("seqgcn.__version__", "9.9")
    run(tmp_path, resume=True)
    assert messages == []  # nothing was left to compute
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    run(tmp_path, resume=True)
    assert len(messages) == 1
    assert "resumed under other conditions, so results may differ in the last bits" in messages[0]
    assert "threads was 1, is 7" in messages[0]
    assert "seqgcn was 0.1.0, is 9.9" in messages[0]
    assert "numpy" not in messages[0]


@pytest.mark.parametrize("number", [0, 1, 3])
@pytest.mark.parametrize("warm_start", [False, True])
def test_interrupted_and_resumed(
    tmp_path: Path, fail_at_fit: Callable[..., None], number: int, warm_start: bool
) -> None:
    values = SMALL | {"warm_start": warm_start}
    run(tmp_path / "whole", values)
    assert ("learner-3.pt" in content(tmp_path / "whole")) == warm_start
    fail_at_fit(number, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", values)
    assert ("curve.png" in content(tmp_path / "broken")) == (number > 0)
    assert len(Journal(tmp_path / "broken" / "journal.jsonl").read()) == number
    events = run(tmp_path / "broken", values, resume=True)
    assert [event.replayed for event in events] == [cycle < number for cycle in range(4)]
    assert same(tmp_path / "broken") == same(tmp_path / "whole")


def test_several_interrupted_and_resumed(tmp_path: Path, fail_at_fit: Callable[..., None]) -> None:
    run(tmp_path / "whole", MANY)
    fail_at_fit(10, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", MANY)
    events = run(tmp_path / "broken", MANY, resume=True)
    assert sum(event.replayed for event in events) == 10
    assert same(tmp_path / "broken") == same(tmp_path / "whole")
    assert content(tmp_path / "broken")["comparison.md"] == content(tmp_path / "whole")["comparison.md"]


@pytest.mark.parametrize("values", [SMALL, MANY])
def test_a_full_disk_is_said_once_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    events = iter(RunSet(RunConfig(**values), tmp_path))
    next(events), next(events)
    before = content(tmp_path)

    def out_of_space(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", out_of_space)
        # Of the journal, not of the picture that cannot be drawn afterwards either.
        with pytest.raises(RunFolderError, match=r"cannot write cycle 2 to .* then go on with --resume"):
            next(events)
    assert content(tmp_path) == before
    assert len(run(tmp_path, values, resume=True)) == 4 * len(same(tmp_path))


@pytest.mark.parametrize("values", [SMALL, MANY])
def test_a_disk_that_is_full_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    def out_of_space(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", out_of_space)
        with pytest.raises(RunFolderError, match="No space left on device"):
            run(tmp_path / "run", values)
    assert content(tmp_path) == {}
    assert len(run(tmp_path / "run", values)) == 4 * len(same(tmp_path / "run"))


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path)
    before = content(tmp_path)

    def read_only(*_arguments: Any, **_options: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("filelock.FileLock._acquire", read_only)
    with pytest.raises(RunFolderError, match=r"cannot lock .*: Read-only file system; make it writable, or name a"):
        run(tmp_path, resume=True)
    assert content(tmp_path) == before


@pytest.mark.parametrize("values", [SMALL, MANY])
def test_two_at_once(tmp_path: Path, values: dict[str, Any]) -> None:
    events = iter(RunSet(RunConfig(**values), tmp_path))
    seen = [next(events), next(events)]
    before = content(tmp_path)
    with pytest.raises(RunFolderError, match=rf"is in use by process {os.getpid()} on .* go on .*with --resume"):
        run(tmp_path, values, resume=True)
    with pytest.raises(RunFolderError, match="holds a run already"):
        run(tmp_path, values)
    assert content(tmp_path) == before
    seen += events
    assert len(seen) == 4 * len(same(tmp_path))
    assert not list(tmp_path.rglob(OWNER))
    assert all(event.replayed for event in run(tmp_path, values, resume=True))


def alone(folder: Path) -> RunSet:
    """One run of several, gone on with by itself."""
    return RunSet(RunConfig(**held_config(folder)), folder, resume=True)


def test_one_of_several_at_the_same_time(tmp_path: Path) -> None:
    events = iter(RunSet(RunConfig(**MANY), tmp_path))
    seen = [next(events), next(events)]
    with pytest.raises(RunFolderError, match=r"random/seed-0 is in use by process"):
        list(alone(tmp_path / "random" / "seed-0"))
    # Its turn has not come, and when it comes it is done.
    assert [event.replayed for event in alone(tmp_path / "margin" / "seed-1")] == [False] * 4
    seen += events
    assert [event.replayed for event in seen if (event.run.spec.name, event.run.seed) == ("margin", 1)] == [True] * 4
    run(tmp_path / "whole", MANY)
    assert same(tmp_path / "whole") == {
        name: rows for name, rows in same(tmp_path).items() if not name.startswith("whole")
    }


def test_one_of_several_in_use_when_its_turn_comes(tmp_path: Path) -> None:
    events = iter(RunSet(RunConfig(**MANY), tmp_path))
    next(events)
    other = iter(alone(tmp_path / "margin" / "seed-0"))
    first = next(other)
    with pytest.raises(RunFolderError, match=r"margin/seed-0 is in use by process .* go on .*with --resume"):
        list(events)
    with pytest.raises(RunFolderError, match=r"margin/seed-0 is in use by process"):
        RunSet(RunConfig(**MANY), tmp_path, resume=True)
    records = [first.record, *(event.record for event in other)]
    assert records == Journal(tmp_path / "margin" / "seed-0" / "journal.jsonl").read()
    assert sum(event.replayed for event in run(tmp_path, MANY, resume=True)) == 8


def test_a_killed_run_is_said_when_it_goes_on(tmp_path: Path, messages: list[str]) -> None:
    events = iter(RunSet(RunConfig(**SMALL), tmp_path))
    next(events)
    owner = (tmp_path / OWNER).read_bytes()
    events.close()  # type: ignore[attr-defined]
    (tmp_path / OWNER).write_bytes(owner)
    (tmp_path / ".curve.png.abcdefgh.unfinished").write_bytes(b"half")
    assert len(run(tmp_path, resume=True)) == 4
    assert len(messages) == 1
    assert f"process {os.getpid()} on " in messages[0]
    assert "exited without releasing its lock" in messages[0]
    assert {path.name for path in tmp_path.iterdir()} == {LOCK, "config.yaml", "journal.jsonl", "curve.png"}


@pytest.mark.parametrize("what", ["replaced", "cut", "emptied", "removed"])
def test_a_journal_changed_under_a_run(tmp_path: Path, what: str) -> None:
    run(tmp_path / "other", SMALL | {"seeds": [2]})
    folder = tmp_path / "run"
    events = iter(RunSet(RunConfig(**SMALL), folder))
    next(events), next(events)
    journal = folder / "journal.jsonl"
    whole = journal.read_bytes()
    changed = {
        "replaced": (tmp_path / "other" / "journal.jsonl").read_bytes(),
        "cut": whole.splitlines(keepends=True)[0],
        "emptied": b"",
    }
    if what == "removed":
        journal.unlink()
    else:
        (folder / "new").write_bytes(changed[what])
        (folder / "new").replace(journal)
    before = content(folder)
    with pytest.raises(RunFolderError, match=r"it was removed, replaced, cut or written to. Cycle 2 is not added"):
        next(events)
    # Nor is a picture made of what somebody else has put there.
    assert content(folder) == before
    journal.write_bytes(whole)
    assert len(run(folder, resume=True)) == 4


def test_a_configuration_changed_under_a_run(tmp_path: Path) -> None:
    events = iter(RunSet(RunConfig(**SMALL), tmp_path))
    next(events), next(events)
    config = tmp_path / "config.yaml"
    whole = config.read_bytes()
    config.write_bytes(whole.replace(b"budget: 4", b"budget: 5"))
    with pytest.raises(
        RunFolderError, match=r"another run \(budget is 5 there, 4 now\); leave these options as they were, or name"
    ):
        next(events)
    assert set(content(tmp_path)) == {"config.yaml", "journal.jsonl"}
    config.write_bytes(whole)
    assert [event.replayed for event in run(tmp_path, resume=True)] == [True, True, True, False]


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "\0"])
def test_damaged_configuration(tmp_path: Path, text: str) -> None:
    run(tmp_path)
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(RunFolderError, match=r"config.yaml"):
        run(tmp_path, resume=True)
    with pytest.raises(RunFolderError, match=r"config.yaml"):
        held_config(tmp_path)
    assert (tmp_path / "config.yaml").read_text() == text


def test_journal_without_configuration(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "config.yaml").unlink()
    with pytest.raises(RunFolderError, match=r"holds journal.jsonl without config.yaml; restore it"):
        run(tmp_path)
    with pytest.raises(RunFolderError, match=r"there is no run in .* to resume; without --resume one is begun there"):
        held_config(tmp_path)


def test_damaged_journal(tmp_path: Path) -> None:
    run(tmp_path)
    path = tmp_path / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + "rubbish\n" + lines[2])
    with pytest.raises(RunFolderError, match="line 2 is damaged"):
        run(tmp_path, resume=True)
