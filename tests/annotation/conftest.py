"""Rendered frames in ICVL's layout, and what was handed off of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from seqgcn.annotation import Tasks, frames_of, write_tasks
from seqgcn.datasets.hands import ICVL, CropOptions
from seqgcn.datasets.hands.rendering import write_dataset


@pytest.fixture(scope="session")
def hands(tmp_path_factory: pytest.TempPathFactory) -> ICVL:
    """Five frames of two sequences."""
    root = write_dataset(tmp_path_factory.mktemp("rendered") / "icvl", "icvl", frames=5, sequences=2, test_frames=2)
    cache = tmp_path_factory.mktemp("crops")
    return ICVL(root, "all", options=CropOptions(size=16, cache=str(cache)))


@pytest.fixture(scope="session")
def predicted(hands: ICVL) -> Tensor:
    """Of the first three frames: the truth and a few mm, `[3, J, 3]`."""
    noise = torch.randn(3, 16, 3, generator=torch.Generator().manual_seed(0))
    return hands.joints[:3] + 4 * noise


@pytest.fixture(scope="session")
def handed_off(hands: ICVL, predicted: Tensor, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tasks]:
    """A folder with the tasks of the first three frames."""
    folder = tmp_path_factory.mktemp("round") / "tasks"
    frames = frames_of(hands, torch.arange(3), predicted, torch.tensor([5.0, 2.0, 1.0]))
    return folder, write_tasks(folder, frames, hands.camera, hands.skeleton, model_version="deep-prior")


@pytest.fixture
def truth(hands: ICVL) -> dict[str, Tensor]:
    return dict(zip(hands.files, hands.joints, strict=True))


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Any], Path]:
    """Write something as a JSON file."""

    def call(content: Any, name: str = "export.json") -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(content))
        return path

    return call
