"""Somebody who labels what a round handed off by the truth, and exports what Label Studio does."""

import csv
import json
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

WHEN = "2026-01-05T09:30:00.000000Z"
PALM = ("palm", "middle mcp")
"""What rounds of clicks ask for, and the joint that stands for it here."""


def annotate(tasks: Path, frames: Path, out: Path) -> Path:
    """Label the frames of a depth folder and save the export.

    Args:
        tasks: Folder of what was handed off.
        frames: The depth folder, with the labels of all frames.
        out: The export.
    """
    camera = yaml.safe_load((frames / "camera.yaml").read_text())
    with open(frames / "labels.csv", newline="") as file:
        rows = {row["frame"]: row for row in csv.DictReader(file)}
    joints = (tasks / "label_studio.xml").read_text()
    asked = [PALM] if f'value="{PALM[0]}"' in joints else [(name, name) for name in camera["joints"]]
    exported = []
    for number, task in enumerate(json.loads((tasks / "label_studio.json").read_text()), start=1):
        left, top, width, height = task["data"]["box"]
        with Image.open(tasks / "images" / task["data"]["image"].rpartition("/")[2]) as image:
            size = image.size
        result: list[dict[str, Any]] = []
        for label, joint in asked:
            x, y, z = (float(rows[task["data"]["item"]][f"{joint} {axis}"]) for axis in "xyz")
            u, v = camera["fx"] * x / z + camera["cx"], camera["fy"] * y / z + camera["cy"]
            # The picture's left edge is half a pixel before the center of its first one.
            place = {"x": 100 * (u - left + 0.5) / width, "y": 100 * (v - top + 0.5) / height, "width": 0.6}
            result.append(
                {
                    "original_width": size[0],
                    "original_height": size[1],
                    "image_rotation": 0,
                    "id": f"region-{len(result)}",
                    "from_name": "joints",
                    "to_name": "image",
                    "type": "keypointlabels",
                    "origin": "manual",
                    "value": {**place, "keypointlabels": [label]},
                }
            )
        annotation = {
            "id": number,
            "completed_by": 1,
            "result": result,
            "was_cancelled": False,
            "created_at": WHEN,
            "updated_at": WHEN,
            "task": number,
        }
        exported.append({**task, "id": number, "annotations": [annotation]})
    out.write_text(json.dumps(exported))
    return out
