"""Somebody who labels: takes Label Studio's tasks, knows where the joints are, and exports what Label Studio does.

Only places in the picture are answered, never a depth.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from PIL import Image
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera

WHEN = "2026-01-05T09:30:00.000000Z"

Click = Callable[[str, str, float, float], tuple[float, float] | None]


def label(
    tasks: Path,
    joints: Mapping[str, Tensor],
    camera: Camera,
    names: Sequence[str],
    *,
    annotator: int = 1,
    click: Click | None = None,
    hidden: Callable[[str, str], bool] = lambda item, joint: False,
    origin: str = "manual",
) -> list[dict[str, Any]]:
    """The export of one annotator.

    Args:
        tasks: Folder of the hand-off.
        joints: True pose of each frame, `[J, 3]` mm; a frame without one is skipped (canceled).
        camera: Of the frames.
        names: Of the joints.
        annotator: Number of the user.
        click: Where item, joint, u and v are clicked instead, px of the sensor; None if not at all.
        hidden: Whether item's joint is said to be hidden.
        origin: What the tool says of how each region came about.
    """
    exported = []
    for number, task in enumerate(json.loads((tasks / "label_studio.json").read_text()), start=1):
        data = task["data"]
        result: list[dict[str, Any]] = []
        if data["item"] in joints:
            picture = tasks / "images" / unquote(data["image"]).rpartition("/")[2]
            for name, (u, v, _) in zip(names, camera.to_image(joints[data["item"]].double()).tolist(), strict=True):
                place = (u, v) if click is None else click(data["item"], name, u, v)
                if place is not None:
                    said = hidden(data["item"], name)
                    result += _regions(len(result), name, place, data["box"], picture, said, origin)
        exported.append(_exported(number, task, result, annotator))
    return exported


def _regions(
    number: int, joint: str, place: tuple[float, float], box: list[int], picture: Path, hidden: bool, origin: str
) -> list[dict[str, Any]]:
    left, top, width, height = box
    with Image.open(picture) as image:
        size = image.size
    # The picture shows whole pixels of the sensor: its left edge is half a pixel before the first one's center.
    value = {"x": 100 * (place[0] - left + 0.5) / width, "y": 100 * (place[1] - top + 0.5) / height, "width": 0.6}
    about = {
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "id": f"kP{number:08d}",
        "to_name": "image",
        "origin": origin,
    }
    regions = [
        {**about, "value": {**value, "keypointlabels": [joint]}, "from_name": "joints", "type": "keypointlabels"}
    ]
    if hidden:
        regions.append(
            {**about, "value": {**value, "choices": ["hidden"]}, "from_name": "visibility", "type": "choices"}
        )
    return regions


def _exported(number: int, task: dict[str, Any], result: list[dict[str, Any]], annotator: int) -> dict[str, Any]:
    annotation = {
        "id": 100 * annotator + number,
        "completed_by": annotator,
        "result": result,
        "was_cancelled": not result,
        "ground_truth": False,
        "created_at": WHEN,
        "updated_at": WHEN,
        "draft_created_at": WHEN,
        "lead_time": 41.7,
        "prediction": {},
        "result_count": len(result),
        "unique_id": f"00000000-0000-4000-8000-{100 * annotator + number:012d}",
        "import_id": None,
        "last_action": None,
        "bulk_created": False,
        "task": number,
        "project": 1,
        "updated_by": annotator,
        "parent_prediction": None,
        "parent_annotation": None,
        "last_created_by": None,
    }
    predictions = [
        {**prediction, "id": number, "created_at": WHEN, "updated_at": WHEN, "task": number, "project": 1}
        for prediction in task.get("predictions", [])
    ]
    return {
        "id": number,
        "annotations": [annotation],
        "file_upload": "1a2b3c4d-label_studio.json",
        "drafts": [],
        "predictions": predictions,
        "data": task["data"],
        "meta": {},
        "created_at": WHEN,
        "updated_at": WHEN,
        "inner_id": number,
        "total_annotations": 1,
        "cancelled_annotations": int(not result),
        "total_predictions": len(predictions),
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": 1,
        "updated_by": annotator,
        "comment_authors": [],
    }


def together(*exports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One export of what several annotators did in one project."""
    return [
        {**tasks[0], "annotations": [annotation for task in tasks for annotation in task["annotations"]]}
        for tasks in zip(*exports, strict=True)
    ]
