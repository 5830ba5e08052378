"""Rounds on toy digits and random features, in which fakes stand for network and selector."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hand_rounds import untold

from seqgcn.config.registry import CATALOGUE, Entry
from seqgcn.config.select import SelectConfig
from seqgcn.rounds.answers import ANSWERS
from seqgcn.selectors.selector import Query, Selection, Selector

TASKS = ["classes.csv", "classes.json", "cvat_labels.json", "frames.txt", "label_studio.json", "label_studio.xml"]
"""What annotators of rows of features get."""

FEATURE_FILES = ["picks.csv", "report.html", "represents.csv", "round.yaml", *(f"tasks/{name}" for name in TASKS)]
"""What a round on rows of features leaves behind."""

FILES = sorted([*FEATURE_FILES, "learner.pt", "tasks/coco_classes.json", "training.json"])
"""What a round on images leaves behind, besides the pictures."""


@dataclass(frozen=True, kw_only=True)
class First(Selector):
    """Ranks by the first column of the embeddings."""

    requires: ClassVar[tuple[str, ...]] = ("x",)

    least: bool = False

    def pick(self, query: Query) -> Selection:
        return query.highest(query.features()[:, 0] * (-1 if self.least else 1))


@pytest.fixture
def quick(fakes: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fakes in place of the digits and the network, and a fake selector beside the real ones."""
    monkeypatch.setitem(CATALOGUE["selector"], "first", Entry(f"{First.__module__}:First", "a fake"))
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def fits(fakes: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many items each training had."""
    counts: list[int] = []
    fit = fakes[1].fit

    def counting(self: Any, inputs: Any, targets: Any, **options: Any) -> Any:
        counts.append(len(inputs))
        self.curves_ = {"training loss": torch.tensor([2.0, 0.5])}
        return fit(self, inputs, targets, **options)

    monkeypatch.setattr(fakes[1], "fit", counting)
    return counts


def write(path: Path, *lines: Any) -> str:
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


@pytest.fixture
def digits(tmp_path: Path) -> Callable[..., SelectConfig]:
    """A question about the toy digits, 8 of 60 labeled, that can be changed."""
    labelled = write(tmp_path / "labelled.txt", *range(8))
    given = {"dataset": "digits", "labelled": labelled, "selector": "first", "budget": 4, "device": "cpu"}
    return lambda **changes: SelectConfig(**{**given, **changes})


def features(tmp_path: Path, n: int = 40, **changes: Any) -> SelectConfig:
    """A question about random embeddings, of which the first 6 are labeled."""
    path = tmp_path / "x.npy"
    if not path.exists():
        np.save(path, np.random.default_rng(0).random((n, 4), np.float32))
    given = {
        "features": str(path),
        "labelled": write(tmp_path / "first.txt", *range(6)),
        "selector": "first",
        "budget": 5,
        "device": "cpu",
    }
    return SelectConfig(**{**given, **changes})


def picked(folder: Path) -> list[str]:
    with open(folder / "picks.csv", newline="") as file:
        return [row["item"] for row in csv.DictReader(file)]


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name[0] != "." and path.name != ANSWERS]
    return {path.relative_to(folder).as_posix(): untold(path) for path in sorted(files)}


def files(folder: Path) -> list[str]:
    """Names of what is in a round's folder, but for pictures."""
    return [name for name in content(folder) if not name.startswith("tasks/images/")]


def answers(folder: Path) -> dict[str, bytes]:
    """All but the files that hold the command, and with it the name of the folder."""
    return {name: data for name, data in content(folder).items() if name not in ("round.yaml", "report.html")}
