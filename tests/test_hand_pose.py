"""Hand poses through the whole loop, on a few rendered frames."""

from pathlib import Path
from typing import Any

import pytest
import torch

from seqgcn.cli import main
from seqgcn.config import RunConfig
from seqgcn.datasets.hands.pools import ICVLPoses
from seqgcn.datasets.hands.rendered import RenderedHands
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.errors import ArgumentError, ConfigError, MissingFileError
from seqgcn.evaluation import mean_joint_error
from seqgcn.journal import Journal
from seqgcn.learners import HandPose
from seqgcn.runs import RunSet

# These are fewer frames than the releases have.
pytestmark = pytest.mark.filterwarnings("ignore:.*the complete release has:seqgcn.errors.SeqGCNWarning")

SET: dict[str, Any] = {
    "learner.epochs": 1,
    "learner.validation": 0.2,
    "dataset.crop_size": 64,
    "selector.epochs": 5,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(
        tmp_path_factory.mktemp("hands") / "icvl", "icvl", frames=60, sequences=3, test_frames=12, seed=1
    )


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.getbasetemp() / "crops"
    monkeypatch.setenv("SEQGCN_CACHE", str(folder))
    return folder


def config(root: Path, **values: Any) -> RunConfig:
    plan: dict[str, Any] = {"dataset": "icvl", "root": str(root), "budget": 12, "cycles": 1, "set": SET}
    return RunConfig(**plan | values)


def test_selectors_that_need_no_classes(root: Path, tmp_path: Path) -> None:
    selectors = ("random", "core-set", "uncertain-gcn", "core-gcn")
    said: list[str] = []
    runs = RunSet(config(root, selector=selectors, seeds=(0, 1)), tmp_path, say=said.append)
    events = list(runs)
    assert runs.config.learner == "deep-prior"
    assert len(events) == 16
    for event in events:
        assert list(event.record.metric) == ["mean joint error"]
        assert 1 < event.record.metric["mean joint error"] < 300
        assert set(event.record.curves) == {"training loss", "validation error (mm)"}
    folder = tmp_path / "core-gcn" / "seed-1"
    assert {path.name for path in folder.iterdir()} == {
        "config.yaml",
        "journal.jsonl",
        "curve.png",
        "training.png",
        "picks.csv",
    }
    rows = [line.split(",") for line in (folder / "picks.csv").read_text().splitlines()]
    assert rows[0] == ["cycle", "rank", "item", "file", "score"]
    last = Journal(folder / "journal.jsonl").read()[0]
    assert [int(row[2]) for row in rows[1:]] == list(last.picks)
    assert all((root / row[3]).is_file() for row in rows[1:])
    table = (tmp_path / "comparison.md").read_text()
    assert "mm" in table
    assert table.startswith("ICVL (rendered), pool of 60, deep-prior, 12 labels a cycle")
    assert any("crops of 64 x 64" in text for text in said)


def test_signed_embeddings(root: Path, tmp_path: Path) -> None:
    """Leaky rectifiers give negative features, on which the cosine graph may fail."""
    selectors = ("uncertain-gcn", "core-gcn", "core-set")
    for event in RunSet(config(root, selector=selectors, learner="deep-prior-no-pca"), tmp_path):
        assert len(set(event.record.picks)) == (12 if event.record.cycle == 0 else 0)


def test_resumed_is_uninterrupted(root: Path, tmp_path: Path) -> None:
    plan = config(root, selector=("core-gcn",))
    whole = [event.record for event in RunSet(plan, tmp_path / "whole")]
    for event in RunSet(plan, tmp_path / "parts"):
        assert not event.replayed
        break
    resumed = [event.record for event in RunSet(plan, tmp_path / "parts", resume=True)]
    assert [(row.picks, row.metric, row.curves) for row in resumed] == [
        (row.picks, row.metric, row.curves) for row in whole
    ]


@pytest.mark.parametrize("selector", ["margin", "entropy", "least-confidence"])
def test_class_probabilities_are_refused(root: Path, tmp_path: Path, selector: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"{selector} needs prob .* deep-prior does not give .* core-gcn, .*core-set, random"
    ):
        RunSet(config(root, selector=(selector,), set={}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_learner_of_another_task(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"small-cnn is for classification, but the data set icvl for pose; .*awr"):
        RunSet(config(root, learner="small-cnn"), tmp_path)
    with pytest.raises(ConfigError, match="deep-prior is for pose, but the data set digits for classification"):
        RunSet(RunConfig(dataset="digits", learner="deep-prior"), tmp_path)


def test_limits_crop_only_what_is_used(root: Path, cache: Path) -> None:
    dataset = ICVLPoses(root=str(root), crop_size=32).limit(20, 5)
    assert (len(dataset.train), len(dataset.test)) == (20, 5)
    assert dataset.train.targets.shape == (20, 16, 3)
    assert len(set(dataset.train.files)) == 20
    again = ICVLPoses(root=str(root), crop_size=32).limit(20, 5)
    assert again.fingerprint == dataset.fingerprint
    assert torch.equal(again.train.inputs.centre, dataset.train.inputs.centre)
    whole = ICVLPoses(root=str(root), crop_size=32)
    assert whole.fingerprint != dataset.fingerprint
    assert len(whole.train) == 60
    with pytest.raises(ArgumentError, match="pool size must be at most 60"):
        ICVLPoses(root=str(root)).limit(61).prepare()
    with pytest.raises(ArgumentError, match="before its crops are made"):
        whole.limit(5)


def test_centres(root: Path) -> None:
    with pytest.raises(ArgumentError, match="train_centres and test_centres go together"):
        ICVLPoses(root=str(root), train_centres="centres.txt")
    oracle = ICVLPoses(root=str(root), crop_size=32, oracle_centres=True)
    assert torch.allclose(oracle.train.inputs.centre, oracle.train.targets.mean(dim=1), atol=1e-3)
    assert not torch.allclose(ICVLPoses(root=str(root), crop_size=32).train.inputs.centre, oracle.train.inputs.centre)


def test_command_line(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--budget", "10", "--cycles", "1", "--out", str(tmp_path / "run"), "--selector", "core-set"]
    settings = [part for key, value in SET.items() if "selector" not in key for part in ("--set", f"{key}={value}")]
    assert main(["run", "--dataset", "icvl", "--root", str(root), *options, *settings]) == 0
    out = capsys.readouterr()
    assert "mean joint error (mm)" in out.out
    assert " mm\n" in out.err
    assert len(Journal(tmp_path / "run" / "journal.jsonl").read()) == 2
    assert main(["run", "--dataset", "icvl", "--root", str(tmp_path / "none")]) == 1
    assert str(tmp_path / "none") in capsys.readouterr().err
    assert main(["run", "--dataset", "icvl", "--root", str(root), "--test-subject", "3"]) == 2
    assert "icvl has no parameter 'test_subject'" in capsys.readouterr().err
    with pytest.raises(MissingFileError, match=r"labels.txt"):
        ICVLPoses(root=str(tmp_path)).prepare()


def test_render_and_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for layout, dataset in {"nyu": "nyu", "msra": "msra", "hands17": "hands17", "depth-folder": "depth-folder"}.items():
        folder = tmp_path / layout
        command = ["render", str(folder), "--layout", layout, "--frames", "30", "--sequences", "3", "--quiet"]
        assert main(command) == 0
        out = tmp_path / f"run-{layout}"
        run = ["run", "--dataset", dataset, "--root", str(folder), "--budget", "4", "--cycles", "1", "--out", str(out)]
        code = main([*run, "--set", "learner.epochs=1", "--set", "dataset.crop_size=64", "--selector", "random"])
        assert (layout, code) == (layout, 0)
        capsys.readouterr()
        assert main(command) == 1
        assert "is not empty" in capsys.readouterr().err
    assert main(["render", str(tmp_path / "new"), "--frames", "2", "--sequences", "3"]) == 2
    assert "frames must be at least one a sequence" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_deep_prior_beats_the_mean_pose_and_more_labels_help() -> None:
    hands = RenderedHands(frames=1600, sequences=16, test_frames=300, render_seed=2, crop_size=64)
    train, test = hands.train, hands.test
    relative = (train.targets - train.inputs.centre.unsqueeze(1)).mean(dim=0)
    mean_pose = mean_joint_error(test.inputs.centre.unsqueeze(1) + relative, test.targets)
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    errors = []
    for labels in (100, 1000):
        ids = order[:labels]
        learner = HandPose(device="cpu", validation=0).fit(train.inputs[ids], train.targets[ids])
        errors.append(learner.score(test.inputs, test.targets))
    assert errors[1] < 0.95 * errors[0]
    assert errors[1] < 0.7 * mean_pose
