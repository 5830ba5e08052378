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

from seqgcn.annotation.annotations import (
    Annotation,
    Keypoint,
    fault_of,
    file_name,
    key_of,
    need,
    number,
    printable,
    read_json,
)
from seqgcn.annotation.label_studio_users import annotator_of, text_of, users_of
from seqgcn.annotation.preview import Preview
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.exceptions import ArgumentError, DataFileError

IMAGE, JOINTS, HIDDEN, FRAME = "image", "joints", "visibility", "frame"
"""Names of the picture and of what is asked about it, in configuration and exports."""

CHOICE, ABSENT = "hidden", "no hand"
"""What may be said of a joint, and of a frame."""

HOTKEY = "h"
"""Key that says it."""

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

    A finger has one hue, from dark at its root to bright at its tip. `model_index` numbers the joints, without which
    Label Studio does not export COCO keypoints.

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
    view = ET.Element("View", style="display: flex; align-items: flex-start; gap: 16px")
    picture = ET.SubElement(view, "View", style="flex: 1 1 auto; min-width: 0")
    if told:
        ET.SubElement(picture, "Header", value=told)
    ET.SubElement(picture, "Image", name=IMAGE, value="$image", zoom="true", zoomControl="true", crosshair="true")
    # What is asked stands beside the picture, which fills the page, and moves with it.
    panel = ET.SubElement(view, "View", style="flex: 0 0 14em; position: sticky; top: 0")
    if absent:
        choices = ET.SubElement(panel, "Choices", name=FRAME, toName=IMAGE, choice="multiple")
        ET.SubElement(choices, "Choice", value=ABSENT, hotkey=HOTKEY)
    else:
        ET.SubElement(panel, "Header", value=f"Selected joint, key {HOTKEY}:", size="5")
        choices = ET.SubElement(panel, "Choices", name=HIDDEN, toName=IMAGE, perRegion="true", choice="multiple")
        ET.SubElement(choices, "Choice", value=CHOICE, hotkey=HOTKEY)
    labels = ET.SubElement(
        panel, "KeyPointLabels", name=JOINTS, toName=IMAGE, strokeWidth="3", opacity="0.9", maxUsages="1"
    )
    for number_of, (joint, colour) in enumerate(zip(skeleton.joints, colours(skeleton), strict=True)):
        ET.SubElement(labels, "Label", value=joint, background=colour, model_index=str(number_of))
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

    Predictions are passed over. An annotation that was canceled is an answer that says it was skipped; a draft is one
    that says it was not submitted; one that is damaged has a fault. Users are named where the export tells their names.

    Raises:
        MissingFileError: There is no such file.
        DataFileError: It is too large, no JSON, or not such an export.
    """
    path = Path(path)
    tasks = read_json(path)
    if not isinstance(tasks, list):
        raise DataFileError(f"{path} must be a list of tasks; export from Label Studio in the format JSON")
    names = users_of(tasks)
    annotations, damaged = list[Annotation](), list[DataFileError]()
    for place, task in enumerate(tasks, start=1):
        where = f"{path}, task {place}"
        try:
            annotations += _of_task(task, names, where)
        except DataFileError as error:
            damaged.append(error)
            annotations.append(Annotation("", "", where, (), faults=(fault_of(error, where),)))
    if damaged and len(damaged) == len(tasks):
        raise damaged[0]
    return annotations


def _of_task(task: Any, names: Mapping[int, str], where: str) -> Iterator[Annotation]:
    """Annotations and drafts of a task."""
    task = need(task, dict, where)
    if not isinstance(task.get("data"), dict) or not isinstance(task.get("annotations"), list):
        raise DataFileError(
            f"{where} lacks data or annotations; export from Label Studio in the format JSON, not JSON-MIN"
        )
    frame = _frame(task["data"], where)
    for count, entry in enumerate(task["annotations"], start=1):
        spot = f"{where}, annotation {count}"
        try:
            yield _annotation(need(entry, dict, spot), frame, names, spot)
        except DataFileError as error:
            who = _named(entry, names, spot)
            yield Annotation(frame, who, spot, (), faults=(fault_of(error, spot),))
    drafts = task.get("drafts")
    for count, entry in enumerate(drafts if isinstance(drafts, list) else (), start=1):
        spot = f"{where}, draft {count}"
        yield Annotation(frame, _drafted_by(entry), spot, (), submitted=False, draft=True)


def _drafted_by(entry: Any) -> str:
    if not isinstance(entry, dict):
        return ""
    name = text_of(entry.get("created_username")).rpartition(", ")[0].strip()
    return printable(name or text_of(entry.get("user")))


def _named(entry: Any, names: Mapping[int, str], where: str) -> str:
    """Who made a damaged annotation; empty if it does not say."""
    try:
        return annotator_of(need(entry, dict, where), names, where)
    except DataFileError:
        return ""


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


def _annotation(entry: dict[str, Any], frame: str, names: Mapping[int, str], where: str) -> Annotation:
    annotator = annotator_of(entry, names, where)
    identity, updated = text_of(entry.get("unique_id")), text_of(entry.get("updated_at"))
    if entry.get("was_cancelled"):
        return Annotation(frame, annotator, where, (), skipped=True, identity=identity, updated=updated)
    regions = need(entry.get("result"), list, f"{where}: the result")
    hidden: set[Any] = set()
    marks: list[tuple[Any, float, float, list[str], str]] = []
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
        x, y = (number(value.get(axis), f"{spot}: {axis}") for axis in "xy")
        marks.append((name, x, y, texts, text_of(region.get("origin"))))
        if "original_width" in region:
            size = (number(region.get(key), f"{spot}: {key}") for key in ("original_width", "original_height"))
            sizes.add((next(size), next(size)))
        if region.get("image_rotation"):
            faults.add("the picture was rotated")
    keypoints = tuple(
        Keypoint(joint, x / 100, y / 100, name in hidden, origin)
        for name, x, y, joints, origin in marks
        for joint in joints or [""]
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
        starred=entry.get("ground_truth") is True,
    )
