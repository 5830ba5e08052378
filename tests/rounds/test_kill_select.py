"""Rounds on hand frames that are killed, at any moment, and gone on with come to what one left alone comes to."""

import os
import random
from pathlib import Path

import pytest
from hand_rounds import content, render
from killing import Start, killed_at, moments_of, starter

from seqgcn.rounds.record import ROUND
from seqgcn.utils.locks import OWNER

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

STAGES = {
    "start",
    "before replace round.yaml",
    "before replace .owner",
    "train",
    "before replace training.json",
    "before replace learner.pt",
    "embed",
    "gcn",
    "k-center",
    "before replace represents.csv",
    "previews",
    "before replace label_studio.json",
    "before replace coco_keypoints.json",
    "before replace frames.txt",
    "before replace frames.json",
    "before replace report.html",
    "before replace picks.csv",
    "before unlink .owner",
}
"""Some of what a round is killed at: whatever else it does to files comes on top."""


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    return starter(tmp_path_factory.mktemp("log") / "events", ROUND)


@pytest.fixture(scope="module")
def command(start: Start, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Ten rendered frames, six of them labeled, whose crops are made; the network is the smallest there is."""
    lab = tmp_path_factory.mktemp("lab")
    rows = (render(lab / "icvl", "icvl") / "Training/labels.txt").read_text().splitlines(keepends=True)
    (lab / "labels.txt").write_text("".join(rows[:6]))
    settings = ["learner.epochs=2", "learner.width=0.1", "dataset.crop_size=48", f"dataset.cache={lab / 'cache'}"]
    words = ["select", "--quiet", "--device", "cpu", "--dataset", "icvl", "--root", str(lab / "icvl"), "--budget", "3"]
    words += ["--labelled", str(lab / "labels.txt"), "--selector", "core-gcn:epochs=4"]
    words += [word for setting in settings for word in ("--set", setting)]
    start(words, lab / "first", None)
    return words


def outcome(folder: Path) -> dict[str, bytes]:
    """All files of a round; in the two that hold the command, with another name for the folder.

    A round that was killed when its picks were there is done: nobody takes the lock again.
    """
    files = {name: data for name, data in content(folder).items() if name != OWNER}
    named = ("round.yaml", "report.html")
    return files | {name: files[name].replace(folder.name.encode(), b"FOLDER") for name in named}


def test_a_round_killed_now_and_then(start: Start, command: list[str], tmp_path: Path) -> None:
    events = start(command, tmp_path / "whole-round", None)
    assert set(events) >= STAGES
    picture = next(number for number, event in enumerate(events, 1) if event.startswith("after mkstemp .Training-"))
    # The second kill comes while what the first one broke off is gone on with: it has fewer events before the GCN's.
    names = killed_at(start, command, tmp_path / "broken-round", [picture, 20])
    assert names[0].startswith("after mkstemp .Training-")
    assert len(names) == 2
    assert outcome(tmp_path / "broken-round") == outcome(tmp_path / "whole-round")


@pytest.mark.slow
def test_a_round_killed_at_every_stage(start: Start, command: list[str], tmp_path: Path) -> None:
    events = start(command, tmp_path / "whole-round", None)
    expected = outcome(tmp_path / "whole-round")
    draw = random.Random(7)  # noqa: S311
    killed = 0
    for number, moment in enumerate(moments_of(events, draw, more=10)):
        folder = tmp_path / f"round-number-{number}"
        names = killed_at(start, command, folder, [moment, draw.randint(1, len(events) // 2)])
        assert names[0] == events[moment - 1]
        assert outcome(folder) == expected, names
        killed += len(names)
    assert killed >= 25
