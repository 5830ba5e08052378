"""Every name of the package that the record of its bytes uses: where one moves, this file alone follows.

What has to stay is the right-hand side of things: bytes, keys, columns, names of files and of the catalogue. Names of
modules, parameters and attributes may change, and are therefore said here once.
"""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqgcn.cli import main
from seqgcn.config import RunConfig
from seqgcn.config.registry import CATALOGUE, load
from seqgcn.datasets import Digits
from seqgcn.datasets.hands import HandFrames, Skeleton
from seqgcn.learners import (
    Ensemble,
    HandPose,
    ResNet18Classifier,
    SmallCNNClassifier,
    TorchLearner,
    TorchPoseLearner,
)
from seqgcn.runs import RunSet
from seqgcn.runs.loop import ActiveLearning
from seqgcn.selectors.extensions import EnsembleOptions, LossPrediction

__all__ = [
    "RunConfig",
    "RunSet",
    "catalogue",
    "classifiers",
    "hand_frames",
    "loop",
    "main",
    "pose_learners",
    "selector",
]

QUICK = {"epochs": 4, "hidden_channels": 5, "steps": 4, "image_size": 8, "batch_size": 8}
"""Parameters of the selectors that train, as far as each has them."""

NEW_FILES: frozenset[str] = frozenset({"answers.json", "classes.csv", "classes.json"})
"""Files in the folders of runs and rounds that there are today and were not when the record was made."""

ARRIVED: frozenset[str] = frozenset({"select.image_prefix", "select.document_root", "select.train_on"})
"""Keys in journals and `round.yaml` that there are today and were not, as paths such as `a.b`; they are left out."""


def is_new(path: Path) -> bool:
    """Whether rounds and runs had no such file when the record was made; rounds of features had no tasks."""
    return path.name in NEW_FILES or (
        path.stem in ("cvat_labels", "label_studio") and (path.parent / "classes.json").exists()
    )


class Net(nn.Module):
    """Four classes of pictures of 8 x 8."""

    def __init__(self) -> None:
        super().__init__()
        self.maps, self.hidden = nn.Conv2d(1, 6, 3), nn.Linear(6, 5)
        self.drop, self.act, self.head = nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Linear(5, 4)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.head(self.drop(self.act(self.hidden(self.maps(images).mean(dim=(2, 3))))))
        return output


class PoseNet(nn.Module):
    """Poses of three joints from crops of 48 px."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.AvgPool2d(6), nn.Flatten(), nn.Linear(64, 12), nn.Tanh())
        self.drop, self.head = nn.Dropout(0.3), nn.Linear(12, 9)

    def forward(self, crops: Tensor) -> Tensor:
        output: Tensor = self.head(self.drop(self.body(crops)))
        return output


def catalogue(kind: str) -> list[str]:
    """Names of the catalogue's selectors or learners."""
    return list(CATALOGUE[kind])


def selector(name: str, seed: int) -> Any:
    """A selector of the catalogue, quick where it trains, under a seed where it has one."""
    make = load("selector", name)
    known = {item.name for item in fields(make)}  # type: ignore[arg-type]
    return make(**{key: value for key, value in {**QUICK, "seed": seed}.items() if key in known})


def loop() -> list[dict[str, Any]]:
    """Records, as the journal has them, of a loop in memory whose selector makes items and needs passes."""
    learner = SmallCNNClassifier(epochs=2, width=0.125, dropout=0.3, samples=3, device="cpu")
    cycles = ActiveLearning(
        Digits().limit(60, 20), learner, selector("bgadl", 0), budget=6, cycles=2, initial=10, subset=30, seed=2
    )
    return [json.loads(record.to_line()) for record in cycles]


def hand_frames(crops: Tensor, centers: Tensor, cubes: Tensor, left: Tensor | bool) -> HandFrames:
    """Frames of hands of three joints, by crops `[n, s, s]` int16, centers `[n, 3]` mm and cubes `[n]` mm."""
    skeleton = Skeleton(("wrist", "middle", "tip"), ((0, 1), (1, 2)))
    pixels = np.ascontiguousarray(crops.numpy())
    return HandFrames(pixels, torch.arange(len(crops)), centers, cubes, skeleton, left)


def classifiers() -> dict[str, Any]:
    """Learners of four classes of pictures of 8 x 8, by what is looked at in each."""
    common: dict[str, Any] = {"epochs": 2, "batch_size": 8, "device": "cpu", "seed": 3}
    small: dict[str, Any] = {"num_classes": 4, "width": 0.25, **common}
    predicted = {"loss_prediction": LossPrediction(hidden_channels=8)}
    torch_learner = {"module": Net, "embedding": "hidden", "samples": 3, "num_classes": 4, **common}
    # With fewer than eight channels oneDNN's AVX2 kernels corrupt memory in the backward pass. Of the batch sizes and
    # learning rates, these keep last bits that differ between machines small through batch normalization.
    narrow = {**small, "width": 0.125, "batch_size": 10, "lr": 1e-3}
    members = EnsembleOptions(n_members=2)
    return {
        "small-cnn": SmallCNNClassifier(**small),
        "small-cnn, dropout and held-out items": SmallCNNClassifier(**small, dropout=0.3, samples=3, validation=0.2),
        "small-cnn, crops and flips, SGD": SmallCNNClassifier(
            **small, crop=1, flip=True, optimizer="sgd", lr=0.05, milestones=(1,), batch_seed=5
        ),
        "small-cnn, predicted loss": SmallCNNClassifier(**small, **predicted),
        "small-cnn, warm start": SmallCNNClassifier(**small, warm_start=True),
        "small-cnn, bfloat16": SmallCNNClassifier(**small, precision="bfloat16"),
        "resnet18": ResNet18Classifier(**narrow),
        "resnet18, predicted loss": ResNet18Classifier(**narrow, **predicted),
        "ensemble of small-cnn": Ensemble(learner=SmallCNNClassifier(**small), members=members, seed=4),
        "ensemble of small-cnn, warm start": Ensemble(
            learner=SmallCNNClassifier(**small), members=members, seed=4, warm_start=True
        ),
        "TorchLearner": TorchLearner(**torch_learner),
        "TorchLearner, held-out items": TorchLearner(**torch_learner, validation=0.2, weight_decay=0.1),
        "TorchLearner, warm start": TorchLearner(**torch_learner, warm_start=True),
    }


def pose_learners() -> dict[str, tuple[Any, int]]:
    """Learners of hand poses, by what is looked at in each, and the side of their crops, px."""
    common: dict[str, Any] = {"epochs": 2, "batch_size": 8, "device": "cpu", "seed": 3}
    quick: dict[str, Any] = {**common, "width": 0.125}
    prior: dict[str, Any] = {"net": "deep-prior", "components": 4, "samples": 3, **quick}
    predicted = {"loss_prediction": LossPrediction(hidden_channels=8)}
    torch_learner = {"module": PoseNet, "embedding": "body", "samples": 3, **common}
    normalized = {**quick, "batch_size": 10, "lr": 1e-4}
    members = EnsembleOptions(n_members=2)
    return {
        "deep-prior": (HandPose(**prior), 48),
        "deep-prior, nothing held out, not augmented": (HandPose(**prior, augment=False, validation=0.0), 48),
        "deep-prior, predicted loss": (HandPose(**prior, **predicted), 48),
        "deep-prior, warm start": (HandPose(**prior, warm_start=True), 48),
        "deep-prior-no-pca": (HandPose(net="deep-prior-no-pca", dropout=0.3, samples=3, **quick), 60),
        "deep-prior-plus": (HandPose(net="deep-prior-plus", components=4, samples=3, **normalized), 32),
        "awr": (HandPose(net="awr", **normalized), 32),
        "awr, predicted loss": (HandPose(net="awr", **normalized, **predicted), 32),
        "ensemble of deep-prior": (Ensemble(learner=HandPose(**prior), members=members, seed=4), 48),
        "TorchPoseLearner": (TorchPoseLearner(**torch_learner), 48),
        "TorchPoseLearner, augmented": (TorchPoseLearner(**torch_learner, augment=True, validation=0.2), 48),
        "TorchPoseLearner, warm start": (TorchPoseLearner(**torch_learner, warm_start=True), 48),
    }
