"""Label Studio: its labeling configuration and tasks, and its JSON export.

Places are percentages of the picture's width and height, from its left and top edge. Facts about the format are from
Label Studio's documentation (task format, KeyPointLabels, pre-annotations).
"""

import colorsys
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote
from xml.etree import ElementTree as ET

import networkx as nx

from seqgcn.annotation.annotations import Annotation, Keypoint, file_name, key_of, need, number, printable, read_json
from seqgcn.annotation.preview import Preview
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.exceptions import ArgumentError, DataFileError

IMAGE, JOINTS, HIDDEN, FRAME = "image", "joints", "visibility", "frame"
"""Names of the picture and of what is asked about it, in configuration and exports."""

CHOICE, ABSENT = "hidden", "no hand"
"""What may be said of a joint, and of a frame."""

DOT = 0.6
"""Diameter of a keypoint, percent of the picture's width."""

HUES = (0.05, 0.56, 0.36, 0.90, 0.76, 0.47, 0.14)
"""Of the fingers, and what else falls apart without the joint that has the most bones."""

ALONE = "#ff2fd6"
"""Color of a joint that is the only one, which no color of depth is near to."""

UPLOADED = re.compile("(?:^|[/=])upload/[0-9]+/[0-9a-f]{8}-([^/?]+)")
"""Address of a picture that was uploaded, on the server's disk or in its storage."""

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def configuration(skeleton: Skeleton, told: str = "", absent: bool = False) -> str:
    """The labeling configuration: a keypoint label for each joint, to be used once, and whether it is hidden.

    A finger has one hue, from dark at its root to bright at its tip.

    Args:
        skeleton: Names the joints.
        told: What annotators read above the picture.
        absent: Ask whether there is no hand in the frame, instead of whether joints are hidden.

    Raises:
        ArgumentError: A joint's name cannot be written in XML.
    """
    for joint in skeleton.joints:
        if NOT_XML.search(joint):
            raise ArgumentError(f"joint {joint!r} has a character that XML does not allow; rename the joint")
    view = ET.Element("View")
    if told:
        ET.SubElement(view, "Header", value=told)
    labels = ET.SubElement(
        view, "KeyPointLabels", name=JOINTS, toName=IMAGE, strokeWidth="3", opacity="0.9", maxUsages="1"
    )
    for joint, colour in zip(skeleton.joints, colours(skeleton), strict=True):
        ET.SubElement(labels, "Label", value=joint, background=colour)
    ET.SubElement(view, "Image", name=IMAGE, value="$image", zoom="true", zoomControl="true", crosshair="true")
    if absent:
        choices = ET.SubElement(view, "Choices", name=FRAME, toName=IMAGE, choice="multiple", showInline="true")
        ET.SubElement(choices, "Choice", value=ABSENT)
    else:
        choices = ET.SubElement(view, "Choices", name=HIDDEN, toName=IMAGE, perRegion="true", choice="multiple")
        ET.SubElement(choices, "Choice", value=CHOICE)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def colours(skeleton: Skeleton) -> list[str]:
    """A color for each joint, all different, `#rrggbb`."""
    if len(skeleton) == 1:
        return [ALONE]
    graph = nx.Graph(skeleton.bones)
    graph.add_nodes_from(range(len(skeleton)))
    hub = max(graph, key=graph.degree)
    steps = nx.single_source_shortest_path_length(graph, hub)
    graph.remove_node(hub)
    found = {hub: "#444444"}
    for number_of, part in enumerate(sorted(nx.connected_components(graph), key=min)):
        chain = sorted(part, key=lambda joint: (steps.get(joint, 0), joint))
        for place, joint in enumerate(chain):
            # Each round through the hues is a little darker than the one before.
            light = (0.35 + 0.35 * (place + 1) / len(chain)) * 0.9 ** (number_of // len(HUES))
            red, green, blue = colorsys.hls_to_rgb(HUES[number_of % len(HUES)], light, 0.85)
            found[joint] = f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"
    return [found[joint] for joint in range(len(skeleton))]


def make_tasks(
    previews: Sequence[Preview], skeleton: Skeleton, image_prefix: str, model_version: str
) -> list[dict[str, Any]]:
    """Tasks as Label Studio imports them, predictions as pre-annotations.

    A prediction's score must lie in [0, 1] there: it is the prediction's confidence where that is known. Else 0 stands
    for the lowest of these frames, 1 for the highest. The selector's own score is in the task's data.
    """
    low = min((preview.score for preview in previews), default=0.0)
    span = max((preview.score for preview in previews), default=0.0) - low
    tasks = []
    for rank, preview in enumerate(previews, start=1):
        about = {
            "image": image_prefix + quote(preview.name),
            "item": preview.item,
            "rank": rank,
            "score": preview.score,
        }
        about["box"] = [preview.left, preview.top, preview.width, preview.height]
        task: dict[str, Any] = {"data": about}
        result = list(_regions(preview, skeleton))
        if result:
            score = (preview.score - low) / span if span > 0 else 1.0
            score = score if preview.confidence is None else preview.confidence
            task["predictions"] = [{"model_version": model_version, "score": score, "result": result}]
        tasks.append(task)
    return tasks


def _regions(preview: Preview, skeleton: Skeleton) -> Iterator[dict[str, Any]]:
    width, height = preview.size
    for number_of, (joint, place) in enumerate(zip(skeleton.joints, preview.shown(), strict=True)):
        if place is None:
            continue
        x, y, hidden = place
        region = {
            "id": f"joint-{number_of}",
            "to_name": IMAGE,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
        }
        spot = {"x": 100 * x, "y": 100 * y, "width": DOT}
        yield {**region, "from_name": JOINTS, "type": "keypointlabels", "value": {**spot, "keypointlabels": [joint]}}
        if hidden:
            yield {**region, "from_name": HIDDEN, "type": "choices", "value": {**spot, "choices": [CHOICE]}}


def read_label_studio(path: str | Path) -> list[Annotation]:
    """Annotations of an export in the format JSON: one for each entry, whoever made it.

    Predictions and drafts are passed over. An annotation that was canceled is an answer that says it was skipped.

    Raises:
        MissingFileError: There is no such file.
        DataFileError: It is too large, no JSON, or not such an export.
    """
    path = Path(path)
    tasks = read_json(path)
    if not isinstance(tasks, list):
        raise DataFileError(f"{path} must be a list of tasks; export from Label Studio in the format JSON")
    annotations = []
    for place, task in enumerate(tasks, start=1):
        where = f"{path}, task {place}"
        task = need(task, dict, where)
        if not isinstance(task.get("data"), dict) or not isinstance(task.get("annotations"), list):
            raise DataFileError(
                f"{where} lacks data or annotations; export from Label Studio in the format JSON, not JSON-MIN"
            )
        frame = _frame(task["data"], where)
        for count, entry in enumerate(task["annotations"], start=1):
            spot = f"{where}, annotation {count}"
            annotations.append(_annotation(need(entry, dict, spot), frame, spot))
    return annotations


def _frame(data: Mapping[str, Any], where: str) -> str:
    if isinstance(data.get("item"), str):
        return str(data["item"])
    return picture_name(need(data.get("image"), str, f"{where}: the image"))


def picture_name(address: str) -> str:
    """Name of a picture's file, of its address in a task.

    Label Studio shows files of a folder at ``/data/local-files/?d=images/NAME``, and what was uploaded at
    ``/data/upload/3/1a2b3c4d-NAME``, eight random hexadecimal digits before its name. Anywhere else a query, such as a
    token, is no part of the name.
    """
    if uploaded := UPLOADED.search(unquote(address)):
        return uploaded[1]
    path, _, query = address.partition("?")
    names = [file_name(part) for part in (unquote(path.removesuffix("/")), *(value for _, value in parse_qsl(query)))]
    return next((name for name in names if "." in name), names[0])


def _annotation(entry: dict[str, Any], frame: str, where: str) -> Annotation:
    annotator = _annotator(entry, where)
    identity, updated = _text(entry.get("unique_id")), _text(entry.get("updated_at"))
    if entry.get("was_cancelled"):
        return Annotation(frame, annotator, where, (), skipped=True, identity=identity, updated=updated)
    regions = need(entry.get("result"), list, f"{where}: the result")
    hidden: set[Any] = set()
    marks: list[tuple[Any, float, float, list[str]]] = []
    sizes: set[tuple[float, float]] = set()
    faults: set[str] = set()
    absent = False
    for count, region in enumerate(regions, start=1):
        spot = f"{where}, region {count}"
        region = need(region, dict, spot)
        kind = region.get("type")
        if kind not in ("keypointlabels", "keypoint", "choices"):
            continue
        value = need(region.get("value"), dict, f"{spot}: the value")
        name = key_of(region.get("id", ""), f"{spot}: the id")
        if kind == "choices":
            chosen = need(value.get("choices"), list, f"{spot}: choices")
            absent = absent or ABSENT in chosen
            if CHOICE in chosen:
                hidden.add(name)
            continue
        labels = need(value.get("keypointlabels", []), list, f"{spot}: keypointlabels")
        texts = [need(label, str, f"{spot}: a label") for label in labels]
        marks.append((name, number(value.get("x"), f"{spot}: x"), number(value.get("y"), f"{spot}: y"), texts))
        if "original_width" in region:
            size = (number(region.get(key), f"{spot}: {key}") for key in ("original_width", "original_height"))
            sizes.add((next(size), next(size)))
        if region.get("image_rotation"):
            faults.add("the picture was rotated")
    keypoints = tuple(
        Keypoint(joint, x / 100, y / 100, name in hidden) for name, x, y, joints in marks for joint in joints or [""]
    )
    return Annotation(
        frame,
        annotator,
        where,
        keypoints,
        frozenset(sizes),
        tuple(sorted(faults)),
        identity=identity,
        updated=updated,
        absent=absent,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _annotator(entry: Mapping[str, Any], where: str) -> str:
    by = entry.get("completed_by")
    if isinstance(by, dict):
        by = by.get("email") or by.get("id")
    if by is None:
        by = f"of annotation {key_of(entry.get('id', '?'), f'{where}: the id')}"
    return printable(key_of(by, f"{where}: completed_by"))
