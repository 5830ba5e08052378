"""Rows of features on the command line: `run` and `select` with targets."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.datasets import load_digits

from seqgcn.cli import main


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """x.npy and y.csv of 300 digits; some.csv of the first 60; mm.csv of two numbers each."""
    data = load_digits()
    np.save(tmp_path / "x.npy", data.data[:300].astype(np.float32))
    rows = [f"{i},{target}\n" for i, target in enumerate(data.target[:300])]
    (tmp_path / "y.csv").write_text("item,class\n" + "".join(rows))
    (tmp_path / "some.csv").write_text("item,class\n" + "".join(rows[:60]))
    numbers = "".join(f"{i},{data.data[i, 20]},{data.data[i, 30]}\n" for i in range(60))
    (tmp_path / "mm.csv").write_text("item,width,height\n" + numbers)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--features", "x.npy", "--targets", "y.csv", "--selector", "margin", "random", "--budget", "20"]
    assert main(["run", *options, "--cycles", "2", "--out", "out"]) == 0
    assert "linear, 20 labels a cycle" in (here / "out/comparison.md").read_text()
    held = yaml.safe_load((here / "out/config.yaml").read_text())
    assert (held["dataset"], held["learner"]) == ("features", "linear")
    assert main(["run", "--resume", "--out", "out", "--cycles", "3", "--quiet"]) == 0
    assert main(["run", *options, "--out", "more", "--dataset", "features", "--cycles", "1", "--quiet"]) == 0
    assert main(["compare", "out"]) == 0
    assert "accuracy" in capsys.readouterr().out


def test_a_run_of_numbers(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--features", "x.npy", "--targets", "mm.csv", "--cycles", "1", "--budget", "5", "--learner", "gp"]
    assert main(["run", *options, "--selector", "variance", "random", "--out", "out"]) == 0
    assert "root mean squared error" in capsys.readouterr().out
    assert main(["compare", "out"]) == 0
    assert main(["run", *options, "--selector", "margin", "--out", "other"]) == 2
    assert "Margin needs prob of every item" in capsys.readouterr().err
    assert not (here / "other").exists()


def test_a_yaml_file(here: Path) -> None:
    (here / "run.yaml").write_text("features: x.npy\ntargets: y.csv\nselector: random\nbudget: 9\ncycles: 1\n")
    assert main(["run", "--config", "run.yaml", "--out", "out", "--quiet"]) == 0
    held = yaml.safe_load((here / "out/config.yaml").read_text())
    assert held["set"]["dataset.features"] == str(here / "x.npy")
    assert main(["run", "--config", "out/config.yaml", "--out", "again", "--quiet"]) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("features: [1, 2]\ntargets: y.csv\n", "features must be the path of a file, got [1, 2]"),
        ("features: x.npy\ntargets: 5\n", "targets must be the path of a file, got 5"),
        ("features: x.npy\nset:\n  dataset.features: z.npy\n", "features and set.dataset.features mean the same"),
    ],
)
def test_a_yaml_file_with_mistakes(here: Path, capsys: pytest.CaptureFixture[str], content: str, message: str) -> None:
    (here / "run.yaml").write_text(content)
    assert main(["run", "--config", "run.yaml", "--out", "out"]) == 2
    assert message in capsys.readouterr().err


def test_rows_with_a_target_are_labeled(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--features", "x.npy", "--targets", "some.csv", "--budget", "4"]
    assert main(["select", *options, "--selector", "margin", "--out", "out"]) == 0
    assert "of 240 unlabeled items" in capsys.readouterr().out
    (here / "few.txt").write_text("".join(f"{i}\n" for i in range(30)))
    assert main(["select", *options, "--labelled", "few.txt", "--out", "fewer"]) == 0
    assert "of 270 unlabeled items" in capsys.readouterr().out
    assert yaml.safe_load((here / "out/round.yaml").read_text())["select"]["targets"] == str(here / "some.csv")
    assert (
        main(["select", "--dataset", "features", *options, "--selector", "lcmd", "--out", "both", "--learner", "knn"])
        == 0
    )
    assert main(["select", "--resume", "--out", "out"]) == 0


def test_numbers_are_known_of_some(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--features", "x.npy", "--targets", "mm.csv", "--budget", "4"]
    assert main(["select", *options, "--out", "out"]) == 0
    assert (here / "out/picks.csv").exists()
    assert main(["select", *options, "--selector", "margin", "--out", "other"]) == 2
    assert "Margin needs prob" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("run --dataset features", "features needs --features FILE"),
        ("run --targets y.csv", "--targets goes with --features FILE"),
        ("run --dataset digits --features x.npy", "--features goes with --dataset features, not with digits"),
        ("run --features x.npy", "no row has a target.*--targets FILE"),
        ("run --features x.npy --targets y.csv --learner deep-prior", "deep-prior does not go.*linear, knn, gp"),
        ("run --features x.npy --targets y.csv --learner small-cnn", "small-cnn does not go.*linear, knn, gp"),
        ("run --dataset rendered-hands --learner linear", "linear does not go.*deep-prior"),
        ("select --targets y.csv --dataset digits", "--targets goes with --features"),
        ("select --dataset features", "features needs --features FILE"),
        ("select --features x.npy --learner linear", "--targets"),
        ("select --features x.npy --targets y.csv", "none is left to pick.*--labelled FILE"),
        ("select --features x.npy --targets nowhere.csv", "nowhere.csv does not exist"),
    ],
)
def test_what_cannot_be(command: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    import re

    assert main([*command.split(), "--out", "out"]) in (1, 2)
    assert re.search(message, capsys.readouterr().err)
