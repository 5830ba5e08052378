"""Every learner that trains networks keeps the contracts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from learners.conftest import make_hands
from learners.learner_contracts import CONTRACTS, Case
from torch import Tensor, nn

from seqgcn.learners import (
    Ensemble,
    HandPose,
    ResNet18Classifier,
    SmallCNNClassifier,
    TorchLearner,
    TorchPoseLearner,
)
from seqgcn.selectors.extensions import EnsembleOptions

pytestmark = pytest.mark.usefixtures("narrow")


class Net(nn.Module):
    """Classes of images of 8 x 8."""

    def __init__(self, width: int = 6, classes: int = 4) -> None:
        super().__init__()
        self.maps, self.norm = nn.Conv2d(1, width, 3), nn.BatchNorm2d(width)
        self.hidden, self.drop = nn.Linear(width, 5), nn.Dropout(0.5)
        self.head = nn.Linear(5, classes)

    def forward(self, images: Tensor) -> Tensor:
        pooled = self.norm(self.maps(images)).mean(dim=(2, 3))
        output: Tensor = self.head(self.drop(self.hidden(pooled).relu()))
        return output


class PoseNet(nn.Module):
    """Poses of crops of 48 px."""

    def __init__(self, joints: int = 3, width: int = 6) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.AvgPool2d(6), nn.Flatten(), nn.Linear(64, width), nn.Tanh())
        self.drop, self.head = nn.Dropout(0.3), nn.Linear(width, 3 * joints)

    def forward(self, crops: Tensor) -> Tensor:
        output: Tensor = self.head(self.drop(self.body(crops)))
        return output


@dataclass
class MyClasses(TorchLearner):
    embedding: str = "hidden"
    width: int = 3
    crop: int = 1
    flip: bool = True

    def build(self, num_classes: int) -> nn.Module:
        return Net(self.width, num_classes)


@dataclass
class MyPoses(TorchPoseLearner):
    embedding: str = "body"
    width: int = 5
    augment: bool = True

    def build(self, num_joints: int) -> nn.Module:
        return PoseNet(num_joints, self.width)


IMAGES = torch.randint(0, 256, (30, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
CLASSES = IMAGES.float().mean(dim=(1, 2, 3)).argsort().argsort() * 4 // 30
QUICK = {"epochs": 2, "batch_size": 8, "device": "cpu"}


def images(kind: Callable[..., Any], given: tuple[str, ...] = (), **options: Any) -> Case:
    return Case(lambda **changes: kind(**{**QUICK, **options, **changes}), IMAGES, CLASSES, given=given)


def poses(kind: Callable[..., Any], size: int = 48, given: tuple[str, ...] = (), **options: Any) -> Case:
    frames, joints = make_hands(26, size)
    frames = replace(frames, mirror=torch.arange(26) % 3 == 1)
    make = lambda **changes: kind(**{**QUICK, "validation": 0.0, **options, **changes})  # noqa: E731
    return Case(make, frames, joints, arrays=False, given=given)


def members(case: Case, given: tuple[str, ...] = (), **options: Any) -> Case:
    def make(**changes: Any) -> Ensemble:
        own = {name: changes.pop(name) for name in ("seed", "warm_start") if name in changes}
        return Ensemble(learner=case.make(**changes), members=EnsembleOptions(n_members=2, **options), **own)

    return replace(case, make=make, given=given)


CASES = {
    "small-cnn": images(SmallCNNClassifier, width=0.25),
    "resnet18": images(ResNet18Classifier, width=0.0625, dropout=0.3, lr=0.01),
    "deep-prior": poses(HandPose),
    "deep-prior-no-pca": poses(HandPose, 64, net="deep-prior-no-pca", width=0.25),
    "deep-prior-plus": poses(HandPose, net="deep-prior-plus"),
    "awr": poses(HandPose, 32, net="awr"),
    "own classes": replace(images(MyClasses, samples=3), unchecked=("width",)),
    "own classes, given": images(TorchLearner, ("module",), module=Net, embedding="maps"),
    "own poses": replace(poses(MyPoses, samples=3), unchecked=("width",)),
    "own poses, given": poses(TorchPoseLearner, given=("module",), module=PoseNet, embedding="body"),
    "ensemble of small-cnn": members(images(SmallCNNClassifier, width=0.125), width=2.0),
    "ensemble of awr": members(poses(HandPose, 32, net="awr")),
    "ensemble of own classes": members(images(MyClasses), given=("learner",), width=2.0),
    "ensemble of own poses": members(poses(MyPoses), given=("learner",)),
}


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("name", CASES)
def test_a_learner(name: str, contract: Callable[[Case], None]) -> None:
    contract(CASES[name])
