"""A data set of one's own by import path, in `run` and `select`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from seqgcn.cli import main

MODULE = '''
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset


class Pictures(Dataset):
    """Three kinds of pictures; every `known`-th has a label."""

    def __init__(self, size: int = 40, known: int = 1, first: int = 0):
        draw = np.random.default_rng(0)
        self.labels = np.arange(first, first + size) % 3
        noise = draw.integers(0, 60, (size, 1, 8, 8))
        self.pixels = (noise + 60 * self.labels[:, None, None, None]).astype(np.uint8)
        self.known = known

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, item):
        label = int(self.labels[item]) if item % self.known == 0 else None
        return torch.tensor(self.pixels[item]), label


def both(size: int = 40):
    return Pictures(size), Pictures(15, first=7)


PAIR = both(30)
BROKEN = 3


def failing():
    raise RuntimeError("no such disk")


class OfFiles(Pictures):
    def __init__(self, root, size: int = 40):
        super().__init__(len(Path(root).read_text()))
'''

SHORT = ["--budget", "5", "--cycles", "1", "--selector", "margin", "--quiet", "--device", "cpu"]
SHORT += ["--set", "learner.epochs=1", "--set", "learner.width=0.25"]
ROUND = ["--budget", "4", "--selector", "core-set", "--quiet", "--device", "cpu"]
ROUND += ["--set", "learner.epochs=1", "--set", "learner.width=0.25", "--out", "round"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with the module, which nobody knows afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    Path("own_data.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("own_data", None)


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_a_class_is_run_resumed_and_reported(capsys: pytest.CaptureFixture[str]) -> None:
    run = ["run", *SHORT, "--dataset", "own_data:Pictures", "--set", "dataset.size=44", "--out", "out"]
    assert main(run) == 0
    assert "Pictures has no test part: 11 of 44 items" in told(capsys)
    config = yaml.safe_load(Path("out/config.yaml").read_text())
    assert (config["dataset"], config["set"]["dataset.size"]) == ("own_data:Pictures", 44)
    lines = Path("out/journal.jsonl").read_text().splitlines()
    assert [len(json.loads(line)["labelled"]) for line in lines] == [5, 10]
    Path("out/journal.jsonl").write_text(lines[0] + "\n")
    assert main(["run", "--resume", "--out", "out", "--quiet"]) == 0
    again = json.loads(Path("out/journal.jsonl").read_text().splitlines()[1])
    assert again["metric"] == json.loads(lines[1])["metric"]
    assert main(["report", "out"]) == 0


@pytest.mark.parametrize("name", ["both", "PAIR"])
def test_a_function_or_an_object_may_give_both_parts(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *SHORT, "--dataset", f"own_data:{name}", "--out", "out"]) == 0
    assert "no test part" not in told(capsys)
    assert main(["run", *SHORT, "--dataset", f"own_data:{name}", "--pool-size", "12"]) == 0
    assert [folder.name for folder in Path("runs").iterdir()] == [f"own_data_{name}-small-cnn-margin"]


def test_files_below_a_root() -> None:
    Path("list.txt").write_text("." * 32)
    given = ["run", *SHORT, "--dataset", "own_data:OfFiles", "--out", "out"]
    assert main(given) == 2
    assert main([*given, "--root", "list.txt"]) == 0


def test_a_round_picks_among_all_items(capsys: pytest.CaptureFixture[str]) -> None:
    Path("ids.txt").write_text("\n".join(map(str, range(6))))
    given = ["select", *ROUND, "--dataset", "own_data:Pictures", "--labelled", "ids.txt"]
    assert main(given) == 0
    assert "no test part" not in told(capsys), "a round needs none"
    picked = {int(line.split(",")[1]) for line in Path("round/picks.csv").read_text().splitlines()[1:]}
    assert len(picked) == 4
    assert not picked & set(range(6))


def test_a_round_knows_which_items_have_a_label(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["select", *ROUND, "--dataset", "own_data:Pictures", "--set", "dataset.known=4"]
    assert main(given) == 0
    assert yaml.safe_load(Path("round/round.yaml").read_text())["labelled"] == 10
    picked = {int(line.split(",")[1]) for line in Path("round/picks.csv").read_text().splitlines()[1:]}
    assert all(item % 4 for item in picked)
    Path("ids.txt").write_text("0\n1\n")
    assert main([*given[:-1], "dataset.known=4", "--labelled", "ids.txt", "--out", "other"]) == 1
    assert "item 1 is listed as labelled, but the data set has no label of it" in told(capsys)


def test_labels_that_nobody_knows_cannot_be_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    run = ["run", *SHORT, "--dataset", "own_data:Pictures", "--set", "dataset.known=2", "--out", "out"]
    assert main(run) == 2
    assert "20 of 40 items of the pool have no label" in told(capsys)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_data:Pictuers", "has no 'Pictuers'; did you mean Pictures"),
        ("own_data:BROKEN", "int is no data set"),
        ("own_data:failing", "own_data:failing: this cannot be made: RuntimeError: no such disk"),
        ("own_dat:Pictures", "cannot import own_dat for the dataset own_dat:Pictures"),
        ("own_data.Pictures", "one of your own is MODULE:CLASS, as in own_data:Pictures"),
    ],
)
def test_what_cannot_be_taken_is_named(name: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *SHORT, "--dataset", name, "--out", "out"]) == 2
    assert message in told(capsys)
    assert not Path("out").exists()


def test_clicks_are_for_depth_frames(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["select", "--ask", "center", "--dataset", "own_data:Pictures", "--budget", "2", "--out", "round"]
    assert main(given) == 2
    assert "data sets of depth frames" in told(capsys)
