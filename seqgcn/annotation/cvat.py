"""CVAT's labels: a skeleton whose points have the joints' names, as the raw editor of a task's labels takes it.

A label of the type *skeleton* has a label of the type *points* for each joint, and a drawing (SVG) on which annotators
place it: circles for the joints and lines for the bones, from 0 to 100 both ways. Facts about the format are from
CVAT's documentation and its server, which puts its own label ids in place of `data-label-name`.
"""

import math
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

import networkx as nx

from seqgcn.annotation.coco import CATEGORY
from seqgcn.annotation.label_studio import colours
from seqgcn.annotation.preview import Preview
from seqgcn.datasets.hands.skeleton import Skeleton

MARGIN, RADIUS = 8.0, 1.5
"""Of the drawing, percent of its side."""


def make_cvat_labels(previews: Sequence[Preview], skeleton: Skeleton) -> list[dict[str, Any]]:
    """The labels of a task: one skeleton, drawn as the first predicted hand, else as a fan.

    Args:
        previews: Of the frames, best first.
        skeleton: Names joints and bones.
    """
    colors = colours(skeleton)
    points = [
        {"name": joint, "type": "points", "color": color, "attributes": []}
        for joint, color in zip(skeleton.joints, colors, strict=True)
    ]
    return [
        {
            "name": CATEGORY,
            "type": "skeleton",
            "color": colors[0],
            "attributes": [],
            "sublabels": points,
            "svg": _drawing(skeleton, _places(previews, skeleton)),
        }
    ]


def _drawing(skeleton: Skeleton, places: Sequence[tuple[float, float]]) -> str:
    parts = []
    for first, last in skeleton.bones:
        (x1, y1), (x2, y2) = places[first], places[last]
        ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
        nodes = {"data-type": "edge", "data-node-from": first + 1, "data-node-to": last + 1}
        parts.append(_element("line", ends | nodes))
    for number, (joint, (x, y)) in enumerate(zip(skeleton.joints, places, strict=True), start=1):
        circle = {"r": RADIUS, "cx": x, "cy": y, "data-type": "element node"}
        names = {"data-element-id": number, "data-node-id": number, "data-label-name": joint}
        parts.append(_element("circle", circle | names))
    return "".join(parts)


def _element(tag: str, attributes: dict[str, Any]) -> str:
    element = ET.Element(tag, {name: str(value) for name, value in attributes.items()})
    return ET.tostring(element, encoding="unicode", short_empty_elements=False)


def _places(previews: Sequence[Preview], skeleton: Skeleton) -> list[tuple[float, float]]:
    """Where each joint is drawn."""
    for preview in previews:
        shown = preview.shown()
        places = [(place[0] * preview.width, place[1] * preview.height) for place in shown if place is not None]
        if len(places) == len(skeleton) and len(set(places)) > 1:
            return _fitted(places)
    return _fitted(_fan(skeleton))


def _fan(skeleton: Skeleton) -> list[tuple[float, float]]:
    """The joint with the most bones below, and what hangs on it as fingers above."""
    graph = nx.Graph(skeleton.bones)
    graph.add_nodes_from(range(len(skeleton)))
    hub = max(graph, key=graph.degree)
    steps = nx.single_source_shortest_path_length(graph, hub)
    graph.remove_node(hub)
    fingers = sorted(nx.connected_components(graph), key=min)
    places = {hub: (0.0, 0.0)}
    for finger, joints in enumerate(fingers):
        angle = math.pi * (finger + 0.5) / len(fingers)
        for rank, joint in enumerate(sorted(joints, key=lambda each: (steps.get(each, 0), each)), start=1):
            places[joint] = (-rank * math.cos(angle), -rank * math.sin(angle))
    return [places[joint] for joint in range(len(skeleton))]


def _fitted(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Places moved and resized into the drawing."""
    low = [min(axis) for axis in zip(*places, strict=True)]
    span = max(max(axis) - least for axis, least in zip(zip(*places, strict=True), low, strict=True))
    factor = (100 - 2 * MARGIN) / span if span > 0 else 0.0
    return [(round(MARGIN + factor * (x - low[0]), 2), round(MARGIN + factor * (y - low[1]), 2)) for x, y in places]
