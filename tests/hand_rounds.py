"""Rounds of rendered hands that need no training, and somebody who labels what they picked."""

import csv
import json
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
import torch
from annotation.annotator import label
from sklearn.base import BaseEstimator
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.config.registry import CATALOGUE, Entry, load
from seqgcn.config.select import SelectConfig
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.evaluation import MEAN_JOINT_ERROR, Metric
from seqgcn.report.html.answers import with_answers
from seqgcn.rounds.answers import ANSWERS, REPORT
from seqgcn.rounds.handoff import LABELS, Imported, import_labels
from seqgcn.rounds.select_round import Round
from seqgcn.utils.locks import LOCK

OWN = {"icvl": "Training/labels.txt", "hands17": "Training_Annotation.txt", "depth-folder": "labels.csv"}
"""Labels in each layout's own folder."""


class MeanPose(BaseEstimator):
    """Predicts the mean pose of what it was fitted to, about the center of each crop, some px to the right of it."""

    metric: ClassVar[Metric] = MEAN_JOINT_ERROR
    outputs: ClassVar[tuple[str, ...]] = ("x",)
    mean_: Tensor

    def __init__(self, device: str = "cpu", seed: int = 0) -> None:
        self.device, self.seed = device, seed

    def check_parameters(self) -> None:
        pass

    def fit(self, inputs: Any, targets: Tensor, *, unconfirmed: int = 0, progress: Any = None) -> Self:
        self.mean_ = (targets - inputs.centre.unsqueeze(1)).mean(dim=0)
        return self

    def predict(self, inputs: Any, *, progress: Any = None) -> Tensor:
        return inputs.centre.unsqueeze(1) + self.mean_ + self.mean_.new_tensor([4.0, 0.0, 0.0])

    def score(self, inputs: Any, targets: Tensor, *, progress: Any = None) -> float:
        return float((self.predict(inputs) - targets).norm(dim=2).mean())

    def describe(self, inputs: Any, attributes: Collection[str], *, progress: Any = None) -> Data:
        return Data(x=inputs.centre)


def add_mean_pose(setitem: Callable[[Any, str, Entry], None]) -> None:
    """Put it into the catalogue, as `mean-pose`."""
    setitem(CATALOGUE["learner"], "mean-pose", Entry(f"{__name__}:MeanPose", "a fake", task="pose"))


def render(folder: Path, layout: Any) -> Path:
    """Two sequences of five frames each, with all labels."""
    return write_dataset(folder, layout, frames=10, sequences=2, scene="bare")


def truth(dataset: str, root: Path) -> HandDataset:
    """All frames of a folder; those that its labels name have their poses."""
    hands: HandDataset = load("dataset", dataset)(root=str(root), crop_size=16).every_frame()
    return hands


def keep_labels(dataset: str, root: Path, out: Path, count: int) -> Path:
    """Only the first so many of a folder's labels, as a file elsewhere."""
    lines = (root / OWN[dataset]).read_text().splitlines(keepends=True)
    out.write_text("".join(lines[: count + (dataset == "depth-folder")]))
    return out


def copy_with_labels(dataset: str, root: Path, out: Path, count: int) -> Path:
    """A copy of the folder that has only the first so many of its labels."""
    shutil.copytree(root, out)
    keep_labels(dataset, root, out / OWN[dataset], count)
    return out


def make_round(folder: Path, dataset: str, root: Path, *, budget: int = 4, **changes: Any) -> SelectConfig:
    """A whole round by `random`, without training."""
    config = SelectConfig(
        dataset=dataset,
        root=str(root),
        learner="mean-pose",
        selector="random",
        budget=budget,
        set={"dataset.crop_size": 16},
        **changes,
    )
    Round(config, folder)()
    return config


def picks_of(folder: Path) -> list[str]:
    """What a round picked, best first."""
    with open(folder / "picks.csv", newline="") as file:
        return [row["item"] for row in csv.DictReader(file)]


def take(folder: Path, config: SelectConfig, exports: Sequence[str | Path], **terms: Any) -> Imported:
    """Import into a round, with the depths of the prediction unless others are asked for."""
    return import_labels(folder, config, exports, **{"joint_depth": ("prediction",), **terms})


def answer(folder: Path, hands: HandDataset, out: Path, items: Collection[str] | None = None, **how: Any) -> Path:
    """Label a round's frames, or some of them, by the truth, and save the export of Label Studio."""
    poses = {item: pose for item, pose in zip(hands.files, hands.joints, strict=True) if items is None or item in items}
    out.write_text(json.dumps(label(folder / "tasks", poses, hands.camera, hands.skeleton.joints, **how)))
    return out


def labels_of(folder: Path, dataset: str, root: Path) -> dict[str, Tensor]:
    """Frames and poses that a round's folder has labels of, as the data set reads them."""
    hands = load("dataset", dataset)(root=str(root), crop_size=16).every_frame(str(folder / LABELS[dataset]))
    return {hands.files[i]: hands.joints[i] for i in hands.labelled.nonzero().flatten().tolist()}


def assert_same_places(found: dict[str, Tensor], hands: HandDataset, items: Sequence[str]) -> None:
    """What was clicked is exact, whatever became of its depth."""
    for item in items:
        places = [hands.camera.to_image(pose.double())[:, :2] for pose in (found[item], pose_of(hands, item))]
        torch.testing.assert_close(places[0], places[1], rtol=0, atol=1e-3)


def pose_of(hands: HandDataset, item: str) -> Tensor:
    """True pose of a frame, `[J, 3]`."""
    return hands.joints[hands.files.index(item)]


def content(folder: Path) -> dict[str, bytes]:
    """All files of a round but its lock, which stays, and what is told of imports."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in (LOCK, ANSWERS)]
    return {str(path.relative_to(folder)): untold(path) for path in files}


def untold(path: Path) -> bytes:
    """A file; of a round's page without what came back."""
    data = path.read_bytes()
    return with_answers(data.decode(), []).encode() if path.name == REPORT else data


def record(path: Path) -> list[dict[str, str]]:
    """Rows of `imported-N.csv`."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def four_of_ten(folder: Path) -> Path:
    """A folder with frames in ICVL's layout, three labels, and a round that picked four other frames."""
    render(folder / "icvl", "icvl")
    keep_labels("icvl", folder / "icvl", folder / "mine.txt", 3)
    with pytest.MonkeyPatch.context() as patch:
        add_mean_pose(patch.setitem)
        patch.setenv("SEQGCN_CACHE", str(folder / "cache"))
        make_round(folder / "round", "icvl", folder / "icvl", labelled=str(folder / "mine.txt"))
    return folder
