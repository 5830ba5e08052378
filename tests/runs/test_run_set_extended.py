"""Runs that are resumed with more cycles, selectors or seeds than they were begun with."""

import itertools
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_runs import MANY, SMALL, content, run, same

from seqgcn.cli import main
from seqgcn.config.run import RunConfig
from seqgcn.exceptions import RunFolderError
from seqgcn.runs.reader import read_runs
from seqgcn.runs.run_set import RunSet, held_config

pytestmark = pytest.mark.usefixtures("fakes")

LONGER = SMALL | {"cycles": 5}
FIRST = MANY | {"selector": ["margin"], "seeds": [1]}
"""The run of `MANY` that there is first; the others come to it."""

FILES: dict[str, Any] = {"dataset": "svhn", "root": "there", "warm_start": True}
"""What leaves picks.csv and weights in a run's folder, too."""


def journals(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in content(folder).items() if name.endswith("journal.jsonl")}


# more cycles


@pytest.mark.parametrize("more", [{}, FILES])
def test_more_cycles_are_those_of_a_run_that_was_longer_from_the_start(tmp_path: Path, more: dict[str, Any]) -> None:
    run(tmp_path / "whole", LONGER | more)
    run(tmp_path / "run", SMALL | more)
    before = content(tmp_path / "run")
    events = run(tmp_path / "run", LONGER | more, resume=True)
    # Cycle 3 picked nothing, as it was the last one.
    assert [(event.record.cycle, event.replayed) for event in events] == [
        *((cycle, True) for cycle in range(3)),
        *((cycle, False) for cycle in range(3, 6)),
    ]
    after, whole = content(tmp_path / "run"), content(tmp_path / "whole")
    assert after["journal.jsonl"].startswith(before["journal.jsonl"])
    assert same(tmp_path / "run") == same(tmp_path / "whole")
    assert set(after) == set(whole)
    assert [name for name in whole if name != "journal.jsonl" and after[name] != whole[name]] == []


def test_of_the_configuration_only_the_cycles_change(tmp_path: Path) -> None:
    run(tmp_path, SMALL | {"device": "cpu"})
    before = (tmp_path / "config.yaml").read_text()
    run(tmp_path, LONGER | {"device": "auto"}, resume=True)
    assert (tmp_path / "config.yaml").read_text() == before.replace("cycles: 3", "cycles: 5")


def test_readers_see_one_line_a_cycle(tmp_path: Path) -> None:
    run(tmp_path)
    run(tmp_path, LONGER, resume=True)
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert [(line["cycle"], len(line["picks"])) for line in lines] == [
        *((0, 4), (1, 4), (2, 4), (3, 0), (3, 4), (4, 4), (5, 0))
    ]
    (read,) = read_runs(tmp_path).runs
    assert read.finished
    assert [(record.cycle, len(record.picks)) for record in read.records] == [*((n, 4) for n in range(5)), (5, 0)]
    assert read.records[3].labelled == tuple(lines[3]["labelled"])


@pytest.mark.parametrize("number", range(4))
def test_an_extension_that_is_interrupted_goes_on(
    tmp_path: Path, fail_at_fit: Callable[..., None], number: int
) -> None:
    run(tmp_path / "whole", LONGER)
    run(tmp_path / "run")
    fail_at_fit(number, KeyboardInterrupt())
    if number < 3:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "run", LONGER, resume=True)
        assert not read_runs(tmp_path / "run").runs[0].finished
    run(tmp_path / "run", LONGER, resume=True)
    assert same(tmp_path / "run") == same(tmp_path / "whole")


def test_more_cycles_before_the_first_ones_are_done(tmp_path: Path, fail_at_fit: Callable[..., None]) -> None:
    run(tmp_path / "whole", LONGER)
    fail_at_fit(2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run")
    events = run(tmp_path / "run", LONGER, resume=True)
    assert [event.replayed for event in events] == [True, True, *[False] * 4]
    assert same(tmp_path / "run") == same(tmp_path / "whole")


# more selectors and seeds


@pytest.mark.parametrize("more", [{}, FILES])
def test_a_single_run_becomes_one_of_several(tmp_path: Path, more: dict[str, Any]) -> None:
    run(tmp_path / "whole", MANY | more)
    run(tmp_path / "run", FIRST | more)
    before = content(tmp_path / "run")
    events = run(tmp_path / "run", MANY | more, resume=True)
    assert sum(event.replayed for event in events) == 4
    after, whole = content(tmp_path / "run"), content(tmp_path / "whole")
    assert after["margin/seed-1/journal.jsonl"] == before["journal.jsonl"]
    assert set(after) == set(whole)
    assert [name for name in whole if not name.endswith("journal.jsonl") and after[name] != whole[name]] == []
    assert same(tmp_path / "run") == same(tmp_path / "whole")


def test_several_runs_get_more_of_everything(tmp_path: Path) -> None:
    wanted = MANY | {"cycles": 4, "seeds": [0, 1, 2]}
    run(tmp_path / "whole", wanted)
    run(tmp_path / "run", MANY | {"selector": ["margin", "random"]})
    before = journals(tmp_path / "run")
    run(tmp_path / "run", wanted, resume=True)
    after = journals(tmp_path / "run")
    assert all(after[name].startswith(data) for name, data in before.items())
    assert same(tmp_path / "run") == same(tmp_path / "whole")
    assert content(tmp_path / "run")["comparison.md"] == content(tmp_path / "whole")["comparison.md"]
    assert len(run(tmp_path / "run", wanted, resume=True)) == 45


def test_one_of_several_runs_is_not_extended_alone(tmp_path: Path) -> None:
    run(tmp_path / "a run", MANY)
    before = content(tmp_path / "a run")
    one = MANY | {"selector": ["margin"], "seeds": [1]}
    with pytest.raises(RunFolderError, match=r"runs of 3 cycles .* seqgcn run --resume --out '.*a run' --cycles 5$"):
        run(tmp_path / "a run/margin/seed-1", one | {"cycles": 5}, resume=True)
    assert content(tmp_path / "a run") == before
    run(tmp_path / "a run/margin/seed-1", one, resume=True)


class Killed(BaseException):
    """Stands for a signal that nothing catches."""


def die_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Die instead of giving a file its name, or of taking one away, the n-th time from now on."""
    steps = itertools.count()

    def dying(real: Callable[..., None]) -> Callable[..., None]:
        def step(*arguments: Any, **options: Any) -> None:
            if next(steps) == number:
                raise Killed
            real(*arguments, **options)

        return step

    for name in ("replace", "unlink"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))


def test_a_single_run_that_moves_is_never_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, wanted = FIRST | FILES | {"cycles": 1}, MANY | FILES | {"cycles": 1, "seeds": [1]}
    run(tmp_path / "made", first)
    run(tmp_path / "whole", wanted)
    before = (tmp_path / "made/journal.jsonl").read_bytes()
    for number in itertools.count():
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "made", folder)
        with monkeypatch.context() as killing:
            die_at(number, killing)
            try:
                RunSet(RunConfig(**wanted), folder, resume=True)
                break
            except Killed:
                pass
        if len(held_config(folder)["selector"]) == 1:
            # It has not been extended, and goes on as it was.
            assert all(event.replayed for event in run(folder, first, resume=True))
        run(folder, wanted, resume=True)
        assert (folder / "margin/seed-1/journal.jsonl").read_bytes() == before
        assert set(content(folder)) == set(content(tmp_path / "whole"))
        assert same(folder) == same(tmp_path / "whole")
    assert number > 10


def test_what_lies_where_a_run_would_move_to_is_not_overwritten(tmp_path: Path) -> None:
    run(tmp_path, FIRST)
    run(tmp_path / "margin/seed-1", FIRST | {"cycles": 2})
    before = content(tmp_path)
    with pytest.raises(RunFolderError, match="margin/seed-1 holds a run already"):
        run(tmp_path, MANY, resume=True)
    assert content(tmp_path) == before


# what stays as it is


@pytest.mark.parametrize(
    ("begun", "changes", "difference"),
    [
        (FIRST, {"budget": 5}, r"budget is 4 there, 5 now"),
        (FIRST, {"cycles": 2}, r"cycles is 3 there, 2 now"),
        (FIRST, {"set": {"learner.noise": 2}}, r"learner\.noise is 1\.0 there, 2\.0 now"),
        (FIRST, {"selector": ["random", "core-set"]}, r"selector is \['margin'\] there, \['random', 'core-set'\] now"),
        (FIRST, {"seeds": [0, 2]}, r"seeds is \[1\] there, \[0, 2\] now"),
        (MANY, {"seeds": [1, 2]}, r"seeds is \[0, 1\] there, \[1, 2\] now"),
        (MANY, {"selector": ["random", "margin"]}, r"selector is \['random', 'margin', 'core-set'\] there"),
        (MANY, {"cycles": 4, "subset": 9}, r"subset is None there, 9 now"),
    ],
)
def test_what_would_not_be_comparable(
    tmp_path: Path, begun: dict[str, Any], changes: dict[str, Any], difference: str
) -> None:
    run(tmp_path, begun)
    before = content(tmp_path)
    with pytest.raises(RunFolderError, match=rf"holds another run \(.*{difference}"):
        run(tmp_path, MANY | changes, resume=True)
    assert content(tmp_path) == before


def test_other_data(tmp_path: Path, fakes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, FIRST)
    monkeypatch.setattr(fakes[0], "shift", 1)
    with pytest.raises(RunFolderError, match="the data set changed since"):
        run(tmp_path, MANY, resume=True)


# the command line


def test_parameters_of_the_selector_there_is_are_not_for_those_that_come(tmp_path: Path) -> None:
    run(tmp_path, FIRST | {"selector": ["core-gcn:k=5"], "cycles": 1})
    assert "selector.k" in held_config(tmp_path)["set"]
    assert "selector.k" in held_config(tmp_path, {"selector": ("core-gcn",)})["set"]
    several = {"selector": ["core-gcn:k=5", "uncertain-gcn"]}
    assert not [key for key in held_config(tmp_path, several)["set"] if key.startswith("selector.")]


def test_extended_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ("--out", str(tmp_path / "run"), "--quiet")
    assert main(["run", "--selector", "core-gcn:k=5", "--cycles", "1", "--budget", "3", *out]) == 0
    before = (tmp_path / "run/journal.jsonl").read_bytes()
    more = ("--resume", "--cycles", "2", "--seeds", "0", "1", *out)
    assert main(["run", "--selector", "core-gcn", "random", *more]) == 1
    assert "selector.k is 5 there, " in capsys.readouterr().err
    assert (tmp_path / "run/journal.jsonl").read_bytes() == before
    assert main(["run", "--selector", "core-gcn:k=5", "random", *more]) == 0
    moved = (tmp_path / "run/core-gcn_k=5/seed-0/journal.jsonl").read_bytes()
    assert moved.startswith(before)
    assert [len(found.records) for found in read_runs(tmp_path / "run").runs] == [3] * 4
    # With nothing said, it is gone on with as it is now.
    assert main(["run", "--resume", *out]) == 0
