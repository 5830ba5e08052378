import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from seqgcn.config import RunConfig, read_config
from seqgcn.errors import ConfigError, RunFolderError
from seqgcn.evaluation import ACCURACY
from seqgcn.folders import curve_of, read_runs
from seqgcn.journal import CycleRecord, Journal
from seqgcn.locks import LOCK, OWNER
from seqgcn.runs import RunSet, free_folder, held_config
from seqgcn.summaries import compare_with_random

pytestmark = pytest.mark.usefixtures("fakes")

SMALL: dict[str, Any] = {"selector": ["margin"], "budget": 4, "cycles": 3, "seeds": [1]}
MANY: dict[str, Any] = SMALL | {"selector": ["random", "margin", "core-set"], "seeds": [0, 1]}


def run(folder: Path, values: dict[str, Any] | None = None, **options: Any) -> list[Any]:
    return list(RunSet(RunConfig(**(values or SMALL)), folder, **options))


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder but those that hold its lock, of which an empty one stays."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in (LOCK, OWNER)]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def same(folder: Path) -> dict[str, list[CycleRecord]]:
    """All journals below a folder, without the seconds."""
    return {
        str(path.parent.relative_to(folder)): [replace(row, seconds={}) for row in Journal(path).read()]
        for path in sorted(folder.rglob("journal.jsonl"))
    }


def test_single_run(tmp_path: Path) -> None:
    events = run(tmp_path / "new" / "run")
    folder = tmp_path / "new" / "run"
    assert set(content(folder)) == {"config.yaml", "journal.jsonl", "curve.png"}
    assert [event.record for event in events] == Journal(folder / "journal.jsonl").read()
    assert not any(event.replayed for event in events)
    assert (folder / "curve.png").read_text() == "Toy, pool of 60, small-cnn, 4 labels a cycle: {'margin': {1: 4}}"


def test_configuration_is_resolved_and_can_be_read_back(tmp_path: Path) -> None:
    values = SMALL | {"selector": ["core-gcn:k=5"], "set": {"selector.epochs": 2, "learner.noise": "1e-1"}}
    run(tmp_path, values)
    held = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert held["selector"] == ["core-gcn"]
    assert held["initial"] == held["budget"] == 4
    assert held["set"]["selector.k"] == 5
    assert held["set"]["selector.epochs"] == 2
    assert held["set"]["selector.hidden_channels"] == 128
    assert held["set"]["learner.noise"] == 0.1
    assert held["set"]["dataset.noise"] == 120
    assert held["fingerprint"]
    run(tmp_path / "again", read_config(tmp_path / "config.yaml"))
    assert same(tmp_path / "again")["."] == same(tmp_path)["."]
    # The very same run, so that it may go on in the first folder.
    assert len(run(tmp_path, values, resume=True)) == 4


def test_several_selectors_and_seeds(tmp_path: Path) -> None:
    events = run(tmp_path, MANY)
    names = [f"{selector}/seed-{seed}" for selector in MANY["selector"] for seed in MANY["seeds"]]
    assert set(content(tmp_path)) == {"config.yaml", "curve.png", "comparison.md"} | {
        f"{name}/{file}" for name in names for file in ("config.yaml", "journal.jsonl", "curve.png")
    }
    order = [(event.run.seed, event.run.spec.name) for event in events[::4]]
    assert order == [(seed, name) for seed in (0, 1) for name in MANY["selector"]]
    journals = same(tmp_path)
    for seed in (0, 1):
        first = [journals[f"{selector}/seed-{seed}"][0] for selector in MANY["selector"]]
        assert len({row.labelled for row in first}) == 1
        assert len({tuple(row.seeds.items()) for row in first}) == 1
    assert journals["margin/seed-0"][0].labelled != journals["margin/seed-1"][0].labelled
    table = (tmp_path / "comparison.md").read_text()
    assert table.startswith("Toy, pool of 60, small-cnn, 4 labels a cycle\n\n")
    assert "margin" in table
    assert "core-set" in table
    assert "'core-set': {0: 4, 1: 4}" in (tmp_path / "curve.png").read_text()
    # Each run is what it would have been alone, in a folder that can go on alone.
    run(tmp_path / "alone", SMALL)
    assert same(tmp_path / "alone")["."] == journals["margin/seed-1"]
    assert len(run(tmp_path / "margin" / "seed-1", SMALL, resume=True)) == 4


def test_no_comparison_without_random(tmp_path: Path) -> None:
    run(tmp_path, MANY | {"selector": ["margin", "core-set"]})
    assert "comparison.md" not in content(tmp_path)
    run(tmp_path / "single", MANY | {"selector": ["random"]})
    assert "comparison.md" not in content(tmp_path / "single")


def test_only_finished_runs_are_compared(tmp_path: Path) -> None:
    events = iter(RunSet(RunConfig(**MANY), tmp_path))
    for _ in range(7):
        next(events)
    events.close()  # type: ignore[attr-defined]
    assert "comparison.md" not in content(tmp_path)
    assert "{'random': {0: 4}, 'margin': {0: 3}}" in (tmp_path / "curve.png").read_text()
    records = {name: {0: Journal(tmp_path / name / "seed-0" / "journal.jsonl").read()} for name in ("random", "margin")}
    assert compare_with_random(records, cycles=3, metric=ACCURACY) is None
    assert curve_of(records["random"][0]).labelled == (4, 8, 12, 16)


@pytest.mark.parametrize("values", [SMALL, MANY])
def test_a_used_folder_is_left_alone(tmp_path: Path, values: dict[str, Any]) -> None:
    run(tmp_path, values)
    before = content(tmp_path)
    for other in (values, SMALL | {"budget": 5}, MANY | {"seeds": [7]}):
        with pytest.raises(RunFolderError, match="holds a run already: go on with --resume, or name another folder"):
            run(tmp_path, other)
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"budget": 5}, "budget is 4 there, 5 now"),
        ({"cycles": 9}, "cycles is 3 there, 9 now"),
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
    with pytest.raises(RunFolderError, match=rf"holds another configuration .*{difference}.*name another folder"):
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
    with pytest.raises(RunFolderError, match=r"the data set has changed since .* was begun; restore it, or name"):
        run(tmp_path, resume=True)
    assert content(tmp_path) == before


def test_device_may_change(tmp_path: Path) -> None:
    run(tmp_path, SMALL | {"device": "cpu"})
    assert len(run(tmp_path, SMALL | {"device": "auto"}, resume=True)) == 4


def test_root_may_change(tmp_path: Path) -> None:
    run(tmp_path, SMALL | {"dataset": "svhn", "root": "here"})
    assert len(run(tmp_path, SMALL | {"dataset": "svhn", "root": "there"}, resume=True)) == 4


def test_root_of_a_data_set_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reads no files; leave --root out"):
        run(tmp_path, SMALL | {"root": "elsewhere"})


def test_other_conditions_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    run(tmp_path, say=said.append)
    run(tmp_path, resume=True, say=said.append)
    assert said == []
    monkeypatch.setattr("torch.get_num_threads", lambda: 7)
    monkeypatch.setattr("seqgcn.__version__", "9.9")
    run(tmp_path, resume=True, say=said.append)
    assert said == []  # nothing was left to compute
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    run(tmp_path, resume=True, say=said.append)
    assert len(said) == 1
    assert "resumed under other conditions, so results may differ in the last bits" in said[0]
    assert "threads was 1, is 7" in said[0]
    assert "seqgcn was 0.1.0, is 9.9" in said[0]
    assert "numpy" not in said[0]


def test_published_results_are_kept_with_a_run(tmp_path: Path, fakes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "none")
    assert "references" not in (tmp_path / "none/config.yaml").read_text()
    monkeypatch.setattr(fakes[0], "references", {"Net": 0.9})
    run(tmp_path / "run")
    assert read_runs(tmp_path / "run").references == {"Net": 0.9}
    # They are no part of what was asked: others do not stand in the way of going on, or of doing it again.
    monkeypatch.setattr(fakes[0], "references", {"Net": 0.8, "Other": 0.7})
    run(tmp_path / "run", resume=True)
    assert RunConfig(**read_config(tmp_path / "run/config.yaml")).cycles == 3


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


def test_a_killed_run_is_said_when_it_goes_on(tmp_path: Path) -> None:
    events = iter(RunSet(RunConfig(**SMALL), tmp_path))
    next(events)
    owner = (tmp_path / OWNER).read_bytes()
    events.close()  # type: ignore[attr-defined]
    (tmp_path / OWNER).write_bytes(owner)
    (tmp_path / ".curve.png.abcdefgh.unfinished").write_bytes(b"half")
    said: list[str] = []
    assert len(run(tmp_path, resume=True, say=said.append)) == 4
    assert len(said) == 1
    assert f"process {os.getpid()} on " in said[0]
    assert "ended without a word, as when killed; its lock is taken over" in said[0]
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
        RunFolderError, match=r"another configuration \(budget is 5 there, 4 now\); take that back, or name"
    ):
        next(events)
    assert set(content(tmp_path)) == {"config.yaml", "journal.jsonl"}
    config.write_bytes(whole)
    assert [event.replayed for event in run(tmp_path, resume=True)] == [True, True, True, False]


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: Any, **_options: Any) -> None:
        raise RunFolderError("cannot write curve.png")

    monkeypatch.setattr("seqgcn.summaries.learning_curve", broken)
    with pytest.raises(RunFolderError, match=r"cannot write curve.png"):
        run(tmp_path)
    assert len(Journal(tmp_path / "journal.jsonl").read()) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"selector": ["magrin"]}, "did you mean margin"),
        ({"set": {"selector.k": 3}}, "margin has no parameter 'k'"),
        ({"selector": ["core-gcn:k=0"]}, "core-gcn:k=0: k must be a whole number"),
        ({"set": {"learner.noise": -1}}, "small-cnn: noise must not be negative"),
        ({"dataset": "cifar10"}, "the data set cifar10 needs --root DIR"),
        ({"root": "here"}, "the data set digits reads no files; leave --root out"),
        ({"device": "abacus"}, "device 'abacus' cannot be used here"),
        ({"budget": 16}, "16 initial labels and 3 cycles of 16 need 64 items, but Toy has 60"),
        ({"subset": 2}, "subset"),
        ({"pool_size": 61}, "pool size must be between 1 and 60"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_written(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        RunSet(RunConfig(**SMALL | changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_learners_are_told_the_device_and_the_classes(
    tmp_path: Path, fakes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int]] = []
    fit = fakes[1].fit

    def spy(self: Any, *arguments: Any, **options: Any) -> Any:
        told.append((self.device, self.num_classes))
        return fit(self, *arguments, **options)

    monkeypatch.setattr(fakes[1], "fit", spy)
    run(tmp_path, SMALL | {"device": "cpu:0"})
    assert set(told) == {("cpu:0", 4)}


def test_limits(tmp_path: Path) -> None:
    runs = RunSet(RunConfig(**SMALL, pool_size=30, test_size=7), tmp_path)
    assert (len(runs.dataset.train), len(runs.dataset.test)) == (30, 7)


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(RunFolderError, match=r"cannot make the run folder .*run: File exists"):
        run(tmp_path / "run")
    assert (tmp_path / "run").read_text() == "mine"


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


def test_free_folder(tmp_path: Path) -> None:
    config = RunConfig(**SMALL | {"selector": ["random", "core-gcn:graph=knn,k=5"]})
    stem = "digits-small-cnn-random-core-gcn_graph=knn_k=5"
    assert free_folder(config, tmp_path, resume=False) == tmp_path / stem
    with pytest.raises(RunFolderError, match=r"there is no run in .*random.* to resume; name its folder with --out"):
        free_folder(config, tmp_path, resume=True)
    for name in (stem, f"{stem}-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").touch()
    assert free_folder(config, tmp_path, resume=False) == tmp_path / f"{stem}-3"
    assert free_folder(config, tmp_path, resume=True) == tmp_path / f"{stem}-2"


def test_what_a_learner_measures_besides_has_a_picture_of_its_own(
    tmp_path: Path, fakes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, learner = fakes
    measured = iter([{"calm": 0.5}, {"calm": float("nan")}, {"calm": 0.7}, {"calm": 0.9}])
    monkeypatch.setattr(learner, "diagnose", lambda *_data, **_options: next(measured), raising=False)
    run(tmp_path)
    records = Journal(tmp_path / "journal.jsonl").read()
    # JSON has no NaN: what is none is not written.
    assert [record.metric.get("calm") for record in records] == [0.5, None, 0.7, 0.9]
    assert curve_of([records[0], *records[2:]], "calm").metric == (0.5, 0.7, 0.9)
    assert "{1: 3}" in (tmp_path / "calm.png").read_text()
    assert "{1: 4}" in (tmp_path / "curve.png").read_text()


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("bald", r"BALD needs prob_samples of every item, .*; selectors that work with it: .*core-gcn.*badge"),
        ("ensemble", "FakeLearner has no parameter batch_seed, which an ensemble sets; selectors that work with it"),
        ("variance", r"Variance needs target_samples of every item, .*; selectors that work with it: .*random"),
        ("ensemble:members=1", "members must be at least 2"),
        ("probcover:delta=2.5", r"delta must be a number in \(0, 2\)"),
    ],
)
def test_selectors_that_the_learner_cannot_serve(tmp_path: Path, selector: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RunSet(RunConfig(**SMALL | {"selector": [selector]}), tmp_path / "run")
    assert not (tmp_path / "run").exists()
