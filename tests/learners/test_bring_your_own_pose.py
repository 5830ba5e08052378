"""A user's own hand pose network takes part in `run` and `select` by import path."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from seqgcn.annotation.tasks import read_tasks
from seqgcn.cli import main
from seqgcn.datasets.hands.rendering import write_dataset

NETWORK = '''
"""A hand pose learner in the words of a user."""

from dataclasses import dataclass

from torch import nn

from seqgcn.learners import TorchLearner, TorchPoseLearner


class Net(nn.Module):
    def __init__(self, width, joints):
        super().__init__()
        self.features = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(64, width), nn.Tanh())
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(width, 3 * joints)

    def forward(self, crops):
        return self.head(self.drop(self.features(crops)))


@dataclass
class MyPose(TorchPoseLearner):
    embedding: str = "features"
    epochs: int = 2
    width: int = 8

    def build(self, num_joints):
        return Net(self.width, num_joints)


@dataclass
class MyClasses(TorchLearner):
    embedding: str = "features"

    def build(self, num_classes):
        return Net(8, num_classes)
'''


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(
        tmp_path_factory.mktemp("rendered") / "lab", "depth-folder", frames=40, sequences=4, scene="bare"
    )


@pytest.fixture
def module(tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A module of its own name in an empty working directory, beside labels of 24 of the frames."""
    name = re.sub(r"\W", "_", request.node.name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("SEQGCN_CACHE", str(lab.parent / "cache"))
    Path(f"{name}.py").write_text(NETWORK)
    Path("labelled.csv").write_text("".join((lab / "labels.csv").read_text().splitlines(keepends=True)[:25]))
    return name


def given(lab: Path, learner: str) -> list[str]:
    return ["--dataset", "depth-folder", "--root", str(lab), "--learner", learner, "--set", "dataset.crop_size=32"]


def test_select_says_the_error_and_predicts(module: str, lab: Path) -> None:
    command = ["select", *given(lab, f"{module}:MyPose"), "--labelled", "labelled.csv", "--budget", "4", "--quiet"]
    command += ["--set", "learner.width=6", "--selector", "core-set", "--out", "round"]
    assert main(command) == 0
    report = Path("round/report.html").read_text()
    (said,) = re.findall(r"On the 2 labeled items held out .* the learner is ([\d.]+) mm off", report)
    curves = json.loads(Path("round/training.json").read_text())
    assert f"{curves['validation error (mm)'][-1]:.1f}" == said
    document = yaml.safe_load(Path("round/round.yaml").read_text())
    assert (document["parameters"]["learner"]["width"], document["parameters"]["learner"]["validation"]) == (6, 0.1)
    assert list(document["sources"]) == [f"{module}:MyPose"]
    assert re.match(r"crops: .*; \d+ of \d+ doubtful", document["crops"]["centers"])
    previews = read_tasks(Path("round/tasks")).previews
    assert len(previews) == 4
    assert [len(preview.predicted) for preview in previews] == [21] * 4
    tasks = json.loads(Path("round/tasks/label_studio.json").read_text())
    kinds = [[result["type"] for result in task["predictions"][0]["result"]] for task in tasks]
    # A network of two epochs puts some joints beside the picture, which no task shows.
    assert all(10 < each.count("keypointlabels") <= 21 for each in kinds)
    # From the weights that were kept.
    picks = Path("round/picks.csv").read_text()
    Path("round/picks.csv").unlink()
    assert main(["select", "--out", "round", "--resume", "--quiet"]) == 0
    assert Path("round/picks.csv").read_text() == picks


def test_run_measures_in_mm(module: str, lab: Path) -> None:
    command = ["run", *given(lab, f"{module}:MyPose"), "--budget", "6", "--cycles", "1", "--quiet", "--out", "out"]
    command += ["--selector", "variance", "random", "--set", "learner.samples=3", "--warm-start"]
    assert main([*command, "--set", "learner.validation=0.2", "--set", "learner.augment=true"]) == 0
    lines = Path("out/variance/seed-0/journal.jsonl").read_text().splitlines()
    records: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert len(records) == 2
    assert records[0]["metric"]["mean joint error"] > 5
    assert list(records[1]["environment"]["sources"]) == [f"{module}:MyPose"]
    assert main(["report", "out"]) == 0


def test_a_checkpoint_alone_needs_no_training(module: str, lab: Path) -> None:
    sys.path.insert(0, str(Path.cwd()))
    net = __import__(module).Net(8, 21)
    torch.save({"state_dict": {f"model.{key}": value for key, value in net.state_dict().items()}}, "last.ckpt")
    command = ["select", *given(lab, f"{module}:MyPose"), "--labelled", "labelled.csv", "--budget", "2", "--quiet"]
    command += ["--set", "learner.epochs=0", "--set", "learner.checkpoint=last.ckpt", "--selector", "core-set"]
    assert main([*command, "--set", "learner.prefix=model.", "--out", "round"]) == 0
    page = Path("round/report.html").read_text()
    assert re.search(r"labeled items held out from its training, the learner is \d+\.\d mm off", page)
    state = torch.load("round/learner.pt", weights_only=True)
    assert torch.equal(state["module_.head.weight"], net.head.weight)


def test_the_other_task_is_pointed_to(module: str, lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["select", *given(lab, f"{module}:MyClasses"), "--budget", "4", "--out", "round"]) == 2
    assert (
        f"the learner {module}:MyClasses is for classification, but the data set depth-folder for pose; inherit from "
        "seqgcn.learners.TorchPoseLearner, or have the members of seqgcn.learners.Learner and task = 'pose', or take "
        "one of deep-prior, "
    ) in capsys.readouterr().err
    assert main(["run", "--dataset", "digits", "--learner", f"{module}:MyPose", "--out", "out"]) == 2
    assert (
        "is for pose, but the data set digits for classification; inherit from seqgcn.learners.TorchLearner, or have"
    ) in capsys.readouterr().err
    assert main(["run", "--dataset", "digits", "--learner", "awr", "--out", "out"]) == 2
    assert "for classification; take one of small-cnn, resnet18\n" in capsys.readouterr().err
