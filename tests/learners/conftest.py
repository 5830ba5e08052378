"""Labeled images; synthetic hands, a few discs, one a joint, whose place, depth and size the crops show; networks."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqgcn.datasets import ImageDataset
from seqgcn.datasets.hands.crop import FULL_SCALE, from_crop
from seqgcn.datasets.hands.hand_dataset import HandFrames
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.learners.nets import AWR, DeepPrior, deep_prior_plus, scaled
from seqgcn.learners.recipes import RECIPES

Hands = Callable[..., tuple[HandFrames, Tensor]]

RADII = (0.32, 0.22, 0.14)


def make_hands(n: int = 8, size: int = 48, seed: int = 0) -> tuple[HandFrames, Tensor]:
    """Frames and joints `[n, 3, 3]` mm: cubes of about 200 mm around centers about 400 mm from the camera."""
    draw = torch.Generator().manual_seed(seed)
    centre = torch.tensor([10.0, -20.0, 400.0]) + 20 * torch.randn(n, 3, generator=draw)
    cube = 190 + 20 * torch.rand(n, generator=draw)
    place = 1.3 * torch.rand(n, len(RADII), 2, generator=draw) - 0.65
    depth = torch.rand(n, len(RADII), generator=draw) - 0.5
    steps = (torch.arange(size) + 0.5) * (2 / size) - 1
    crops = torch.ones(n, size, size)
    for joint, radius in enumerate(RADII):
        x, y = (place[:, joint, axis].view(n, 1, 1) for axis in (0, 1))
        disc = (steps.view(1, 1, -1) - x).square() + (steps.view(1, -1, 1) - y).square() < radius**2
        crops = torch.where(disc, depth[:, joint].view(n, 1, 1).minimum(crops), crops)
    joints = from_crop(place, depth * (cube / 2).unsqueeze(1) + centre[:, 2:], centre, cube)
    pixels = (crops * FULL_SCALE).round().to(torch.int16).numpy()
    skeleton = Skeleton(("wrist", "middle", "tip"), ((0, 1), (1, 2)))
    return HandFrames(np.ascontiguousarray(pixels), torch.arange(n), centre, cube, skeleton), joints


@pytest.fixture
def images(toy: ImageDataset) -> Tensor:
    return toy.train.inputs[:20]


@pytest.fixture
def targets(toy: ImageDataset) -> Tensor:
    return toy.train.targets[:20]


@pytest.fixture
def hands() -> Hands:
    return make_hands


def tiny_prior(size: int, joints: int, components: int, dropout: float, width: float = 1.0) -> DeepPrior:
    body = nn.Sequential(nn.Conv2d(1, 4, 5, 2), nn.MaxPool2d(4), nn.LeakyReLU(), nn.Flatten())
    return DeepPrior(body, size, joints, components, dropout=dropout, hidden=round(64 * width))


def tiny_awr(size: int, joints: int, _components: int, _dropout: float, width: float = 1.0) -> AWR:
    return AWR(size, joints, widths=scaled(width, (8, 16, 32, 64)), deconvolution=32)


def narrow_plus(size: int, joints: int, components: int, dropout: float, width: float = 1.0) -> DeepPrior:
    return deep_prior_plus(size, joints, components, dropout, widths=(16, 32, 64, 64), blocks=1, width=width)


@pytest.fixture
def narrow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of the same make that take milliseconds, except in tests marked slow."""
    if request.node.get_closest_marker("slow") is None:
        builders = {"deep-prior": tiny_prior, "deep-prior-plus": narrow_plus, "awr": tiny_awr}
        for name, build in builders.items():
            monkeypatch.setitem(RECIPES, name, replace(RECIPES[name], build=build))
