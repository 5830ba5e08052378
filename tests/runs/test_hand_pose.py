"""Hand poses through the whole loop, on a few rendered frames."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import yaml

from seqgcn.cli import evaluate, import_, main, render
from seqgcn.cli.scoring import RELEASES
from seqgcn.config.run import RunConfig
from seqgcn.datasets.hands import ICVL, MSRA, NYU, DepthFolder, HandSplits
from seqgcn.datasets.hands.rendered import RenderedHands
from seqgcn.datasets.hands.rendering import RENDERED, write_dataset
from seqgcn.datasets.hands.rendering import layouts as rendering_layouts
from seqgcn.evaluation import mean_joint_error
from seqgcn.exceptions import ArgumentError, ConfigError, MissingFileError, RunFolderError
from seqgcn.learners import HandPose
from seqgcn.rounds.handoff import JointDepth
from seqgcn.runs.journal import Journal
from seqgcn.runs.run_set import RunSet

# These are fewer frames than the releases have.
pytestmark = pytest.mark.filterwarnings("ignore:.*the complete release has:seqgcn.exceptions.SeqGCNWarning")

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


def test_selectors_that_need_no_classes(root: Path, tmp_path: Path, messages: list[str]) -> None:
    selectors = ("random", "core-set", "uncertain-gcn", "core-gcn")
    runs = RunSet(config(root, selector=selectors, seeds=(0, 1)), tmp_path)
    events = list(runs)
    assert runs.config.learner == "deep-prior"
    assert len(events) == 16
    for event in events:
        assert list(event.record.metric) == ["mean joint error"]
        assert 1 < event.record.metric["mean joint error"] < 300
        assert set(event.record.curves) == {"training loss", "validation error (mm)"}
    folder = tmp_path / "core-gcn" / "seed-1"
    assert {path.name for path in folder.iterdir() if path.name != ".lock"} == {
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
    assert any("crops of 64 x 64" in text for text in messages)


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
        ConfigError, match=rf"{selector} with the learner deep-prior: .* needs prob of .* core-gcn, .*random"
    ):
        RunSet(config(root, selector=(selector,), set={}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_learner_of_another_task(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"small-cnn is for classification, but the data set icvl for pose; .*awr"):
        RunSet(config(root, learner="small-cnn"), tmp_path)
    with pytest.raises(ConfigError, match="deep-prior is for pose, but the data set digits for classification"):
        RunSet(RunConfig(dataset="digits", learner="deep-prior"), tmp_path)


def test_limits_crop_only_what_is_used(root: Path, cache: Path) -> None:
    dataset = ICVL.splits(root=str(root), crop_size=32).limit(20, 5)
    assert (len(dataset.train), len(dataset.test)) == (20, 5)
    assert dataset.train.targets.shape == (20, 16, 3)
    assert len(set(dataset.train.files)) == 20
    again = ICVL.splits(root=str(root), crop_size=32).limit(20, 5)
    assert again.fingerprint == dataset.fingerprint
    assert torch.equal(again.train.inputs.centre, dataset.train.inputs.centre)
    whole = ICVL.splits(root=str(root), crop_size=32)
    assert whole.fingerprint != dataset.fingerprint
    assert len(whole.train) == 60
    with pytest.raises(ArgumentError, match="pool size must be at most 60"):
        ICVL.splits(root=str(root)).limit(61).prepare()
    with pytest.raises(ArgumentError, match="before its crops are made"):
        whole.limit(5)


def test_the_same_files_elsewhere_are_the_same_data(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "copy")
    there = ICVL.splits(root=str(root), crop_size=32, cache=str(tmp_path / "cache"))
    copied = ICVL.splits(root=str(tmp_path / "copy"), crop_size=32, cache=str(tmp_path / "cache"))
    assert copied.fingerprint == there.fingerprint
    settings = {"learner.epochs": 1, "dataset.crop_size": 64}
    plan = config(root, selector=("random",), set=settings)
    list(RunSet(plan, tmp_path / "run"))
    moved = replace(plan, root=str(tmp_path / "copy"), set={**settings, "dataset.cache": str(tmp_path / "another")})
    assert all(event.replayed for event in RunSet(moved, tmp_path / "run", resume=True))


def test_published_results_stand_only_beside_what_they_measure(tmp_path: Path) -> None:
    root = str(tmp_path)
    assert ICVL.splits(root=root).references["DeepPrior"] == 10.4
    assert ICVL.splits(root=root).limit(pool_size=5).references
    assert ICVL.splits(root=root).limit(test_size=5).references == {}
    assert NYU.splits(root=root).references["V2V"] == 8.42
    assert NYU.splits(root=root, joints="all").references == {}
    assert "means over all nine" in MSRA.splits(root=root, test_subject=3).name
    assert ICVL.splits(root=root, oracle_centres=True).name == "ICVL, oracle centres"
    (tmp_path / RENDERED).write_text("")
    assert ICVL.splits(root=root).references == {}
    assert ICVL.splits(root=root).name == "ICVL (rendered)"
    assert MSRA.splits(root=root).name == "MSRA15, tested on subject 0 (rendered)"


def test_what_is_wrong_is_found_before_crops_are_made(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = config(root, selector=("random",), set={"learner.epochs": 1, "dataset.crop_size": 64})
    list(RunSet(plan, tmp_path / "run"))

    def prepare(*_arguments: Any) -> None:
        raise AssertionError("crops were made")

    monkeypatch.setattr(HandSplits, "prepare", prepare)
    with pytest.raises(RunFolderError, match="holds a run already"):
        RunSet(plan, tmp_path / "run")
    small = config(root, selector=("random",), set={"dataset.crop_size": 32})
    with pytest.raises(ConfigError, match=r"at least 44 px, got 32; set dataset.crop_size"):
        RunSet(small, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_recipes_are_resolved(root: Path, tmp_path: Path) -> None:
    RunSet(config(root, selector=("random",), set={}), tmp_path)
    held = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert {key: held["set"][f"learner.{key}"] for key in ("epochs", "batch_size", "lr", "dropout", "components")} == {
        "epochs": 60,
        "batch_size": 64,
        "lr": 1e-3,
        "dropout": 0.3,
        "components": 30,
    }
    assert held["root"] == str(root.resolve())


def test_unlabelled_frames_are_counted(tmp_path: Path, messages: list[str]) -> None:
    folder = write_dataset(tmp_path / "lab", "depth-folder", frames=30, sequences=3, scene="bare")
    lines = (folder / "labels.csv").read_text().splitlines(keepends=True)
    (folder / "labels.csv").write_text("".join([lines[0], *lines[1::2]]))
    poses = DepthFolder.splits(root=str(folder), crop_size=32)
    poses.prepare()
    assert any("left out: 10 not labeled" in text for text in messages)
    assert poses.fingerprint != DepthFolder.splits(root=str(folder), crop_size=33).fingerprint
    before = poses.fingerprint
    camera = (folder / "camera.yaml").read_text()
    (folder / "camera.yaml").write_text(camera.replace("hand: right", "hand: left"))
    assert DepthFolder.splits(root=str(folder), crop_size=32, accept_labels=True).fingerprint != before
    (folder / "camera.yaml").write_text(re.sub(r"depth_scale: .*", "depth_scale: 1.02", camera))
    rescaled = DepthFolder.splits(root=str(folder), crop_size=32, accept_labels=True)
    assert rescaled.fingerprint != before
    assert rescaled.train.inputs.centre[0, 2] == pytest.approx(1.02 * float(poses.train.inputs.centre[0, 2]), rel=1e-3)


def test_lists_of_the_command_line() -> None:
    assert tuple(rendering_layouts.LAYOUTS) == render.LAYOUTS
    assert (*RELEASES, "depth-folder") == evaluate.SCORED
    assert get_args(JointDepth) == import_.DEPTHS


def test_several_files_of_the_truth(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = [str(root / "Testing" / f"test_seq_{number}.txt") for number in (1, 2)]
    both = root.parent / "predictions.txt"
    both.write_bytes(b"".join(Path(file).read_bytes() for file in truth))
    command = ["evaluate", str(both), "--dataset", "icvl", "--groundtruth", *truth]
    assert main(command) == 0
    assert "12 frames" in capsys.readouterr().out
    assert main([command[0], str(both), *command[1:]]) == 2
    assert "named twice" in capsys.readouterr().err


def test_centres(root: Path) -> None:
    with pytest.raises(ArgumentError, match="train_centres and test_centres go together"):
        ICVL.splits(root=str(root), train_centres="centres.txt")
    oracle = ICVL.splits(root=str(root), crop_size=32, oracle_centres=True)
    assert torch.allclose(oracle.train.inputs.centre, oracle.train.targets.mean(dim=1), atol=1e-3)
    assert not torch.allclose(ICVL.splits(root=str(root), crop_size=32).train.inputs.centre, oracle.train.inputs.centre)


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
        ICVL.splits(root=str(tmp_path)).prepare()


def test_render_and_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for layout, dataset in {"nyu": "nyu", "msra": "msra", "hands17": "hands17", "depth-folder": "depth-folder"}.items():
        folder = tmp_path / layout
        command = ["render", str(folder), "--layout", layout, "--frames", "30", "--sequences", "3", "--quiet"]
        command += ["--scene", "bare"]
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
