"""Runs that are killed, at any moment, and gone on with come to the same result as one that was left alone."""

import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from killing import Start, killed_at, moments_of, starter

from seqgcn.config.run import CONFIG
from seqgcn.runs.journal import Journal
from seqgcn.utils.locks import LOCK

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


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    return starter(tmp_path_factory.mktemp("log") / "events", CONFIG)


def outcome(folder: Path) -> dict[str, Any]:
    """All files below a folder; of journals the records, without what a second run may have differently."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file() and path.name != LOCK}
    return {
        name: [replace(row, seconds={}) for row in Journal(path).read()]
        if path.suffix == ".jsonl"
        else path.read_bytes()
        for name, path in files.items()
    }


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
    moments = moments_of(events, draw, more=10)
    killed = 0
    for number, moment in enumerate(moments):
        folder = tmp_path / str(number)
        # The second kill comes while what the first one broke off is gone on with, if that takes as long.
        names = killed_at(start, command, folder, [moment, draw.randint(1, len(events) // 2)])
        assert names[0] == events[moment - 1]
        assert outcome(folder) == expected, names
        killed += len(names)
    assert killed >= 25
