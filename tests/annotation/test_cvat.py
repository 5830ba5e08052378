import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from seqgcn.annotation import Tasks
from seqgcn.annotation.cvat import make_cvat_labels
from seqgcn.datasets.hands.skeleton import BIGHAND21, ICVL16, NYU36, Skeleton


def drawn(svg: str) -> ET.Element:
    return ET.fromstring(f"<svg>{svg}</svg>")  # noqa: S314  # our own


@pytest.mark.parametrize("skeleton", [ICVL16, BIGHAND21, NYU36, Skeleton(("palm",), ()), Skeleton(('a <"&>', "b"), ())])
def test_a_skeleton_of_points_and_edges(skeleton: Skeleton) -> None:
    (label,) = make_cvat_labels([], skeleton)
    assert (label["name"], label["type"]) == ("hand", "skeleton")
    assert [(each["name"], each["type"]) for each in label["sublabels"]] == [
        (name, "points") for name in skeleton.joints
    ]
    assert len({each["color"] for each in label["sublabels"]}) == len(skeleton)
    svg = drawn(label["svg"])
    nodes = svg.findall("circle")
    assert [node.get("data-label-name") for node in nodes] == list(skeleton.joints)
    assert [node.get("data-node-id") for node in nodes] == [str(i) for i in range(1, len(skeleton) + 1)]
    assert len({(node.get("cx"), node.get("cy")) for node in nodes}) == len(skeleton)
    assert all(0 <= float(node.get(axis) or -1) <= 100 for node in nodes for axis in ("cx", "cy"))
    edges = [(edge.get("data-node-from"), edge.get("data-node-to")) for edge in svg.findall("line")]
    assert edges == [(str(first + 1), str(last + 1)) for first, last in skeleton.bones]


def test_it_is_drawn_as_a_hand_that_was_predicted(handed_off: tuple[Path, Tasks]) -> None:
    folder, tasks = handed_off
    (label,) = json.loads((folder / "cvat_labels.json").read_text())
    assert [label] == make_cvat_labels(tasks.previews, tasks.skeleton)
    assert label["svg"] != make_cvat_labels([], tasks.skeleton)[0]["svg"]
    (place, *_) = (each for each in tasks.previews[0].shown() if each is not None)
    assert len(drawn(label["svg"]).findall("circle")) == len(tasks.previews[0].shown()) == 16
    assert place is not None
