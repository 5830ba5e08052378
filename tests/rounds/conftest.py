"""Rounds of rendered hands, made once and copied for each test."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hand_rounds
import pytest
from hand_clicks import draw_lab
from hand_rounds import make_round, truth
from rounds.toys import digits, fits, quick
from torch import Tensor

from seqgcn.config.select import SelectConfig
from seqgcn.datasets.hands.hand_dataset import HandDataset

__all__ = ["digits", "fits", "quick"]


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A data set in a layout, rendered when it is first asked for."""
    made: dict[str, Path] = {}

    def call(layout: str) -> Path:
        if layout not in made:
            made[layout] = hand_rounds.render(tmp_path_factory.mktemp("rendered") / layout, layout)
        return made[layout]

    return call


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("crops"))


@pytest.fixture
def mean_pose(monkeypatch: pytest.MonkeyPatch, cache: str) -> None:
    """Rounds that need no training, and crops that are made once."""
    hand_rounds.add_mean_pose(monkeypatch.setitem)
    monkeypatch.setenv("SEQGCN_CACHE", cache)


@pytest.fixture
def icvl(rendered: Callable[[str], Path]) -> HandDataset:
    return truth("icvl", rendered("icvl"))


@pytest.fixture(scope="session")
def made(rendered: Callable[[str], Path], cache: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder with a file of three labels and a round that picked four other frames."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        hand_rounds.add_mean_pose(patch.setitem)
        patch.setenv("SEQGCN_CACHE", cache)
        labelled = hand_rounds.keep_labels("icvl", rendered("icvl"), folder / "mine.txt", 3)
        return folder, make_round(folder / "round", "icvl", rendered("icvl"), labelled=str(labelled))


@pytest.fixture
def config(made: tuple[Path, SelectConfig], tmp_path: Path) -> SelectConfig:
    """Of a round in `tmp_path / "round"`; `mine.txt` is beside it."""
    folder, config = made
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return replace(config, labelled=str(tmp_path / "mine.txt"))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Tensor]]:
    root = tmp_path_factory.mktemp("drawn") / "lab"
    return root, draw_lab(root)


@pytest.fixture
def ask(
    drawn: tuple[Path, dict[str, Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., SelectConfig]:
    """A question for clicks in the drawn frames, that can be changed."""
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    given = {"ask": "center", "dataset": "depth-folder", "root": str(drawn[0]), "budget": 4, "device": "cpu"}
    return lambda **changes: SelectConfig(**{**given, **changes})
