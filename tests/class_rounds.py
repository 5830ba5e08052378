"""Rounds that ask for the classes of small pictures, and people who answer."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seqgcn.config.select import SelectConfig
from seqgcn.rounds.select_round import Round


def draw(root: Path, names: Mapping[str, str]) -> Path:
    """A folder of pictures of 16 x 16 px, each of a color of its class.

    Args:
        root: The folder.
        names: Class of each picture, by its path.
    """
    colors = {"cat": (200, 40, 40), "dog": (40, 200, 40), "fox": (40, 40, 200)}
    for number, (name, kind) in enumerate(names.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 40, (16, 16, 3))
        Image.fromarray((noise + colors[kind]).astype(np.uint8)).save(path)
    return root


def flat(n: int = 12) -> dict[str, str]:
    """Names of pictures in one folder, and their classes in turn."""
    return {f"img_{number:03}.png": ("cat", "dog")[number % 2] for number in range(n)}


def ask(folder: Path, root: Path | None, **changes: Any) -> SelectConfig:
    """Do a round on a folder of pictures that trains nothing for long; what it was asked."""
    given: dict[str, Any] = {
        "dataset": "image-folder",
        "root": None if root is None else str(root),
        "selector": "random",
        "budget": 4,
        "device": "cpu",
        "set": {"learner.epochs": 1},
    }
    config = SelectConfig(**{**given, **changes})
    Round(config, folder)()
    return config


def handed_off(folder: Path) -> list[str]:
    """The items of a round, best first."""
    return (folder / "tasks/frames.txt").read_text().splitlines()


def region(name: str, *, new: bool = False, shown: str = "image") -> dict[str, Any]:
    """What Label Studio exports of a class that was chosen, or typed as a new one."""
    if new:
        return {"from_name": "new-class", "to_name": shown, "type": "textarea", "value": {"text": [name]}}
    return {"from_name": "class", "to_name": shown, "type": "choices", "value": {"choices": [name]}}


def annotation(name: str | None, *, by: Any = 1, new: bool = False, **more: Any) -> dict[str, Any]:
    """An annotation as Label Studio exports it; without a name, one that was skipped."""
    result = [] if name is None else [region(name, new=new)]
    return {"id": 1, "completed_by": by, "result": result, "was_cancelled": name is None, **more}


def export(path: Path, folder: Path, answers: Mapping[str, Any]) -> Path:
    """An export of Label Studio of a round: of each item its class, or a list of annotations.

    Args:
        path: Of the export.
        folder: Of the round.
        answers: By item; items without one have no annotation.
    """
    tasks = json.loads((folder / "tasks/label_studio.json").read_text())
    made = []
    for number, task in enumerate(tasks, start=1):
        given = answers.get(task["data"]["item"], [])
        entries = [annotation(given, unique_id=f"u{number}")] if isinstance(given, str) else given
        made.append({"id": number, "data": task["data"], "annotations": entries, "drafts": [], "predictions": []})
    path.write_text(json.dumps(made))
    return path


def table(path: Path, answers: Mapping[str, str]) -> Path:
    """A table item,class."""
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("item", "class"), *answers.items()])
    return path


def labels(folder: Path) -> dict[str, str]:
    """What is in the labels of a round."""
    with open(folder / "labels.csv", newline="") as file:
        return {row["item"]: row["class"] for row in csv.DictReader(file)}


def four_of_twelve(folder: Path) -> tuple[Path, SelectConfig]:
    """A folder with a round that picked four of twelve pictures, of which two are labeled, and what it was asked."""
    truth = flat()
    draw(folder / "pictures", truth)
    known = table(folder / "known.csv", {name: truth[name] for name in list(truth)[:2]})
    return folder, ask(folder / "round", folder / "pictures", labelled=str(known))
