"""What a loop makes of a journal that does not fit, and of a disk that fails."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from seqgcn import CoreSet, Random
from seqgcn.datasets import ImageDataset
from seqgcn.exceptions import ArgumentError, RunFolderError
from seqgcn.runs.journal import CycleRecord, Journal
from seqgcn.runs.loop import ActiveLearning
from seqgcn.selectors import Selection

CYCLES, BUDGET = 4, 5

Start = Callable[..., ActiveLearning]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")


@pytest.fixture
def start(toy: ImageDataset, fake_learner: type, journal: Journal) -> Start:
    def make(selector: Any = None, **options: Any) -> ActiveLearning:
        options = {"budget": BUDGET, "cycles": CYCLES, "seed": 3, "journal": journal} | options
        return ActiveLearning(toy, fake_learner(num_classes=4), selector or CoreSet(), **options)

    return make


def rewrite(journal: Journal, records: list[CycleRecord]) -> None:
    journal.path.write_text("".join(record.to_line() for record in records))


@pytest.mark.parametrize(
    ("options", "line", "reason"),
    [
        ({"seed": 4}, 1, "other labeled items"),
        ({"initial": 6}, 1, "other labeled items"),
        ({"budget": 6}, 1, "another number of cycles or picks"),
        ({"cycles": 3}, 4, "another number of cycles or picks"),
        ({"cycles": 6}, 5, "another number of cycles or picks"),
    ],
)
def test_journal_of_another_run(
    start: Start, journal: Journal, options: dict[str, Any], line: int, reason: str
) -> None:
    list(start())
    before = journal.path.read_bytes()
    with pytest.raises(RunFolderError, match=rf"journal.jsonl, line {line} does not follow .* \({reason}\)"):
        list(start(**options))
    assert journal.path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        (lambda rows: rows[1:], 1, "another number"),
        (lambda rows: [rows[0], rows[2]], 2, "another number"),
        (lambda rows: [rows[0], replace(rows[1], labelled=rows[1].labelled[::-1])], 2, "other labeled"),
        (lambda rows: [replace(rows[0], picks=rows[0].labelled)], 1, "is labeled already"),
        (lambda rows: [replace(rows[0], picks=(rows[0].picks[0],) * BUDGET)], 1, "is given twice"),
        (lambda rows: [replace(rows[0], picks=(7000,) * BUDGET)], 1, "item 7000 is not in the pool"),
        (lambda rows: [replace(rows[0], picks=("a",) * BUDGET)], 1, "str"),
    ],
)
def test_inconsistent_journal(
    start: Start, journal: Journal, change: Callable[[list[CycleRecord]], list[CycleRecord]], line: int, reason: str
) -> None:
    rewrite(journal, change(list(start())))
    before = journal.path.read_bytes()
    with pytest.raises(RunFolderError, match=rf"line {line} does not follow from .*{reason}.*start in another folder"):
        list(start())
    assert journal.path.read_bytes() == before


@dataclass(frozen=True, kw_only=True)
class Twice(Random):
    """Names its best pick for all."""

    def pick(self, query: Any) -> Selection:
        selection = super().pick(query)
        return Selection(index=selection.index[:1].repeat(len(selection)), score=selection.score)


def test_picks_that_cannot_be_revealed_are_not_written_down(start: Start, journal: Journal) -> None:
    with pytest.raises(ArgumentError, match="node 17 more than once"):
        list(start(Twice()))
    assert journal.read() == []


def out_of_space(*_arguments: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("warm_start", [False, True])
def test_full_disk_loses_nothing(
    start: Start, journal: Journal, monkeypatch: pytest.MonkeyPatch, warm_start: bool
) -> None:
    expected = [replace(record, seconds={}) for record in start(journal=None, warm_start=warm_start)]
    cycles = iter(start(warm_start=warm_start))
    next(cycles), next(cycles)
    before = journal.path.read_bytes()
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", out_of_space)
        with pytest.raises(RunFolderError, match="No space left on device"):
            next(cycles)
    assert journal.path.read_bytes() == before
    assert [replace(record, seconds={}) for record in start(warm_start=warm_start)] == expected


def test_weights_that_are_gone_or_damaged(start: Start, journal: Journal) -> None:
    cycles = iter(start(warm_start=True))
    next(cycles), next(cycles)
    weights = journal.path.with_name("learner-1.pt")
    whole = weights.read_bytes()
    torch.save({"other": torch.zeros(1)}, weights)
    other = weights.read_bytes()
    for damaged in (whole[:100], b"", b"rubbish", other):
        weights.write_bytes(damaged)
        with pytest.raises(RunFolderError, match=r"cannot read .*learner-1.pt, what a learner has learned"):
            list(start(warm_start=True))
    weights.unlink()
    with pytest.raises(RunFolderError, match=r"learner-1.pt"):
        list(start(warm_start=True))
    weights.write_bytes(whole)
    assert len(list(start(warm_start=True))) == CYCLES + 1


def test_weights_of_a_gpu_can_be_read_without_one(
    start: Start, monkeypatch: pytest.MonkeyPatch, journal: Journal
) -> None:
    cycles = iter(start(warm_start=True))
    next(cycles)
    seen: list[Any] = []
    load = torch.load

    def spy(*arguments: Any, **options: Any) -> Any:
        seen.append(options["map_location"])
        return load(*arguments, **options)

    monkeypatch.setattr(torch, "load", spy)
    list(start(warm_start=True))
    assert seen == ["cpu"]
