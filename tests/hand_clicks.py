"""Somebody who clicks palms in what a round handed off, and exports what Label Studio or CVAT does."""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from annotation.annotator import Click, label
from hand_releases import save_grey
from hand_scenes import Scene
from torch import Tensor

from seqgcn.annotation import read_tasks
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.datasets.hands.skeleton import palm_joints


def render_lab(folder: Path, *, frames: int = 12, sequences: int = 3) -> Path:
    """A depth folder with arms, persons and tables in view."""
    return write_dataset(folder, "depth-folder", frames=frames, sequences=sequences, scene="mixed", seed=4)


def palms_of(hands: HandDataset) -> dict[str, Tensor]:
    """The middle of each frame's palm, `[1, 3]` mm."""
    palms = hands.joints[:, palm_joints(hands.skeleton)].mean(dim=1, keepdim=True)
    return dict(zip(hands.files, palms, strict=True))


def click(
    folder: Path,
    palms: Mapping[str, Tensor],
    hands: HandDataset,
    out: Path,
    *,
    skip: Collection[str] = (),
    clicked: Click | None = None,
    annotator: int = 1,
    change: Callable[[list[Any]], None] | None = None,
) -> Path:
    """Click palms in a round's frames as Label Studio exports it; frames in `skip` and those without a palm are not.

    Args:
        folder: Of the round.
        palms: From `palms_of`.
        hands: The frames.
        out: The export.
        skip: Frames that are skipped (canceled).
        clicked: Where item, joint, u and v are clicked instead.
        annotator: Number of the user.
        change: Changes the export before it is saved.
    """
    shown = {item: palm for item, palm in palms.items() if item not in skip}
    export = label(folder / "tasks", shown, hands.camera, ["palm"], annotator=annotator, click=clicked)
    if change is not None:
        change(export)
    out.write_text(json.dumps(export))
    return out


def click_coco(
    folder: Path, palms: Mapping[str, Tensor], hands: HandDataset, out: Path, *, outside: Collection[str] = ()
) -> Path:
    """The same as CVAT exports it; in frames of `outside` the point is marked as outside."""
    exported = json.loads((folder / "tasks/coco_keypoints.json").read_text())
    exported["annotations"] = []
    for number, preview in enumerate(read_tasks(folder / "tasks").previews, start=1):
        u, v, _ = hands.camera.to_image(palms[preview.item][0].double()).tolist()
        x, y = preview.from_sensor(u, v)
        width, height = preview.size
        point = [0.0, 0.0, 0] if preview.item in outside else [x * width, y * height, 2]
        exported["annotations"].append({"id": number, "image_id": number, "category_id": 1, "keypoints": point})
    out.write_text(json.dumps(exported))
    return out


def say_no_hand(export: list[Any], item: str) -> None:
    """Answer a task with the choice that there is no hand, beside whatever was clicked."""
    (task,) = (task for task in export if task["data"]["item"] == item)
    about = {"id": "c1", "from_name": "frame", "to_name": "image", "type": "choices", "origin": "manual"}
    task["annotations"][0]["result"].append({**about, "value": {"choices": ["no hand"]}})
    task["annotations"][0]["was_cancelled"] = False


def centers_in(path: Path) -> dict[str, Tensor | None]:
    """Centers by frame, `[3]` mm; None of frames without a hand."""
    header, *rows = (line.split(",") for line in path.read_text().splitlines())
    assert header in (["frame", "x", "y", "z"], ["frame", "x mm", "y mm", "z mm"])
    return {
        row[0]: None if row[1] == "no hand" else torch.tensor([float(cell) for cell in row[1:]], dtype=torch.float64)
        for row in rows
    }


SMALL = Camera(119.0, 119.0, 79.5, 59.5, 160, 120)
"""Takes the frames of `draw_lab`."""


def draw_lab(root: Path, *, sequences: int = 2, frames: int = 5) -> dict[str, Tensor]:
    """A depth folder of flat hands before persons, quickly drawn; returns the middle of each palm's surface, mm.

    Frames are `a/0.png` and so on; no frame has a label.
    """
    root.mkdir(parents=True)
    setup = {"fx": SMALL.fx, "fy": SMALL.fy, "cx": SMALL.cx, "cy": SMALL.cy, "cube": 250, "joints": ["wrist", "tip"]}
    (root / "camera.yaml").write_text(json.dumps(setup))
    palms: dict[str, Tensor] = {}
    for number, name in enumerate("abcdefgh"[:sequences]):
        for i in range(frames):
            x, y, z = -150.0 + 40 * i, 30.0 * number - 40, 480.0 + 30 * number + 5 * i
            scene = Scene(SMALL).torso(900.0).hand(x, y, z).forearm(x, y, z, 80.0)
            save_grey(root / f"{name}/{i}.png", scene.frame().astype(np.uint16))
            palms[f"{name}/{i}.png"] = torch.tensor([[x, y, z]])
    return palms
