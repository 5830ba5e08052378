import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hand_releases import write_folder

from seqgcn.cli import main

ICVL = " ".join(["100 100 400"] * 16) + "\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "true.txt").write_text("test_seq_1/image_0000.png " + ICVL)
    (tmp_path / "good.txt").write_text("test_seq_1\\image_0000.png " + ICVL)
    (tmp_path / "bad.txt").write_text("no pose\n")
    return tmp_path


OPTIONS = ["--dataset", "icvl", "--groundtruth", "true.txt"]


def test_names_are_joined_whatever_the_separator(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "good.txt", *OPTIONS]) == 0
    assert "good" in capsys.readouterr().out


@pytest.mark.parametrize("bad", ["bad.txt", "gone.txt"])
def test_one_file_that_cannot_be_read_costs_itself(files: Path, capsys: pytest.CaptureFixture[str], bad: str) -> None:
    assert main(["evaluate", bad, "good.txt", *OPTIONS, "--out", "scores"]) == 1
    told = capsys.readouterr()
    assert f"not scored: {bad}" in told.err
    assert "1 of 2 files could not be scored" in told.err
    assert "good" in told.out
    assert list(json.loads((files / "scores/scores.json").read_text())) == ["good"]
    assert main(["evaluate", bad, *OPTIONS, "--out", "nothing"]) == 1
    assert not (files / "nothing").exists()


def test_a_truth_that_cannot_be_read_ends_it(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "good.txt", "--dataset", "icvl", "--groundtruth", "bad.txt"]) == 1
    assert "not scored" not in capsys.readouterr().err


def test_files_are_written_before_tables_are_printed(files: Path) -> None:
    """Into a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "seqgcn.cli", "evaluate", "good.txt", *OPTIONS, "--out", "scores"],
            stdout=writing,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert (files / "scores/scores.json").is_file()
    assert (files / "scores/per_joint.png").is_file()


def test_a_depth_folder(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(files / "lab", {"a": 3})
    command = ["evaluate", "lab/labels.csv", "--dataset", "depth-folder", "--groundtruth", "lab/labels.csv"]
    assert main([*command, "--root", "lab", "--out", "scores"]) == 0
    assert json.loads((files / "scores/scores.json").read_text())["labels"]["mean"] == 0
    assert main(command) == 2
    assert main(["evaluate", "good.txt", *OPTIONS, "--root", "lab"]) == 2
    assert "--root FOLDER goes with --dataset depth-folder" in capsys.readouterr().err
