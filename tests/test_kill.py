"""Runs that are killed, at any moment, and gone on with come to the same result as one that was left alone."""

import os
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import killing
import pytest

from seqgcn.config import CONFIG
from seqgcn.journal import Journal
from seqgcn.locks import LOCK

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

TINY = ["run", "--quiet", "--device", "cpu", "--pool-size", "40", "--test-size", "20", "--budget", "3"]
TINY += ["--set", "learner.epochs=2"]
SEVERAL = [*TINY, "--cycles", "2", "--selector", "random", "core-gcn:epochs=4"]
WARM = [*TINY, "--cycles", "3", "--selector", "core-gcn", "--set", "selector.epochs=4", "--warm-start"]

STAGES = {
    "start",
    "before mkdir",
    "before replace .owner",
    "before replace config.yaml",
    "train",
    "predict",
    "embed",
    "gcn",
    "k-center",
    "journal opened",
    "journal torn",
    "journal written",
    "before fsync",
    "before mkstemp .curve.png.",
    "before replace curve.png",
    "before unlink .owner",
}
"""Some of what a run is killed at: whatever else it does to files comes on top."""

Start = Callable[[list[str], Path, int | None], list[str]]
"""Runs a command on a folder up to an event, and tells which events there were."""


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    processes = killing.processes()
    log = tmp_path_factory.mktemp("log") / "events"

    def attempt(command: list[str], folder: Path, kill: int | None) -> list[str]:
        resume = ["--resume"] if (folder / CONFIG).exists() else []
        arguments = ([*command, "--out", str(folder), *resume], str(folder), str(log), kill)
        process = processes.Process(target=killing.attempt, args=arguments)
        process.start()
        process.join()
        events = log.read_text().splitlines()
        assert process.exitcode in ((0,) if kill is None else (0, -signal.SIGKILL)), events[-3:]
        assert (process.exitcode == 0) == (len(events) != kill)
        return events

    return attempt


def outcome(folder: Path) -> dict[str, Any]:
    """All files below a folder; of journals the records, without what a second run may have differently."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file() and path.name != LOCK}
    return {
        name: [replace(row, seconds={}) for row in Journal(path).read()]
        if path.suffix == ".jsonl"
        else path.read_bytes()
        for name, path in files.items()
    }


def killed_at(start: Start, command: list[str], folder: Path, kills: list[int]) -> list[str]:
    """Run a command that is killed and gone on with again and again, then left alone; tells at which events."""
    names = []
    for kill in kills:
        events = start(command, folder, kill)
        names += [events[-1]] if len(events) == kill else []
        # What is left half-written does not pile up: each folder is cleared when it is locked.
        assert len(list(folder.rglob("*.unfinished"))) <= 3
    start(command, folder, None)
    return names


def test_a_run_killed_now_and_then(start: Start, tmp_path: Path) -> None:
    events = start(WARM, tmp_path / "whole", None)
    draw = random.Random(5)  # noqa: S311
    kills = [draw.randint(1, len(events) // 2) for _ in range(4)]
    assert len(killed_at(start, WARM, tmp_path / "broken", kills)) >= 3
    assert outcome(tmp_path / "broken") == outcome(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("command", [SEVERAL, WARM], ids=["several", "warm"])
def test_a_run_killed_at_every_stage(start: Start, tmp_path: Path, command: list[str]) -> None:
    events = start(command, tmp_path / "whole", None)
    expected = outcome(tmp_path / "whole")
    assert set(events) >= STAGES
    draw = random.Random(11)  # noqa: S311
    moments = [draw.choice([k for k, each in enumerate(events, 1) if each == name]) for name in sorted(set(events))]
    moments += [draw.randint(1, len(events)) for _ in range(10)]
    killed = 0
    for number, moment in enumerate(moments):
        folder = tmp_path / str(number)
        # The second kill comes while what the first one broke off is gone on with, if that takes as long.
        names = killed_at(start, command, folder, [moment, draw.randint(1, len(events) // 2)])
        assert names[0] == events[moment - 1]
        assert outcome(folder) == expected, names
        killed += len(names)
    assert killed >= 25
