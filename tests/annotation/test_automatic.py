import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seqgcn.annotation import Annotation, Automatic, Keypoint, Mark, Surface, Tasks, check_annotations
from seqgcn.annotation.automatic import bone_lengths
from seqgcn.annotation.depths import Depth
from seqgcn.datasets.hands import ICVL
from seqgcn.datasets.hands.skeleton import ICVL16, Skeleton

LINE = Skeleton(("a", "b", "c"), ((0, 1), (1, 2), (2, 0)))


@pytest.fixture
def tasks(handed_off: tuple[Path, Tasks]) -> Tasks:
    return handed_off[1]


def marks_of(hands: ICVL, tasks: Tasks, i: int, *, hidden: bool | None = None) -> list[Mark]:
    """Exact clicks; hidden is what something lies 30 mm before."""
    surface, marks = Surface(hands), []
    for joint, (u, v, d) in enumerate(hands.camera.to_image(hands.joints[i].double()).tolist()):
        mark = Mark(joint, u, v, False)
        skin = surface.skin(tasks.previews[i], mark)
        marks.append(mark._replace(hidden=(skin is None or d - skin > 30) if hidden is None else hidden))
    return marks


def depths_of(source: Automatic, tasks: Tasks, i: int, marks: list[Mark]) -> list[Depth | str]:
    preview = tasks.previews[i]
    source.look(preview, tasks.camera, marks)
    return [source.depth(preview, mark) for mark in marks]


def test_lengths_are_medians_of_what_the_labels_have() -> None:
    poses = torch.zeros(5, 3, 3)
    poses[:, 1, 0] = torch.tensor([10.0, 40.0, 40.0, 42.0, 100.0])
    poses[:, 2] = math.nan
    bones = bone_lengths(poses, LINE)
    assert bones.pairs == ((0, 1),)
    assert bones.length.tolist() == [40.0]
    assert bones.spread.tolist() == pytest.approx([1.4826 * 2.0])
    assert bone_lengths(poses[:0], LINE).pairs == ()


def test_joints_in_sight_are_on_the_depth_map(hands: ICVL, tasks: Tasks) -> None:
    source = Automatic(Surface(hands), hands.joints, ICVL16)
    for i in range(3):
        truth = hands.camera.to_image(hands.joints[i].double())[:, 2]
        found = depths_of(source, tasks, i, marks_of(hands, tasks, i))
        assert all(isinstance(each, Depth) for each in found)
        names = {each.source for each in found if isinstance(each, Depth)}
        assert names <= {"surface+offset", "bone lengths"}
        off = [abs(each.mm - d) for each, d in zip(found, truth.tolist(), strict=True) if isinstance(each, Depth)]
        assert sum(off) / len(off) < 5
        # What is expected is of the size of what is.
        assert 0.3 < sum(each.error or 0 for each in found if isinstance(each, Depth)) / len(found) < 6


def test_bones_tell_where_a_hidden_joint_is(hands: ICVL, tasks: Tasks) -> None:
    """Something 40 mm before the middle of a finger, which the depth map would take for the finger."""
    source = Automatic(Surface(hands), hands.joints, ICVL16)
    joint, i = ICVL16.joints.index("middle mid"), 0
    marks = marks_of(hands, tasks, i)
    marks[joint] = marks[joint]._replace(hidden=True)
    (found,) = depths_of(source, tasks, i, marks)[joint : joint + 1]
    truth = float(hands.camera.to_image(hands.joints[i].double())[joint, 2])
    assert isinstance(found, Depth)
    assert found.source == "bone lengths"
    assert abs(found.mm - truth) < 15


def test_what_is_unsure_is_no_depth(hands: ICVL, tasks: Tasks) -> None:
    """Nothing is known of a hand whose joints are all hidden, in front of no label."""
    source = Automatic(Surface(hands), torch.empty(0, 16, 3), ICVL16)
    first, *_ = depths_of(source, tasks, 0, marks_of(hands, tasks, 0, hidden=True))
    assert isinstance(first, Depth)
    assert first.unsure.startswith("auto: unsure by ")
    assert first.unsure.endswith("mm, more than 10, as it is hidden")
    generous = Automatic(Surface(hands), torch.empty(0, 16, 3), ICVL16, most=1e4)
    first, *_ = depths_of(generous, tasks, 0, marks_of(hands, tasks, 0, hidden=True))
    assert isinstance(first, Depth)
    assert first.unsure == ""
    assert source.depth(tasks.previews[1], Mark(0, 1, 1, False)) == "the frame was not looked at"


@pytest.mark.parametrize(("error", "source"), [(1.0, "prediction"), (60.0, "surface+offset")])
def test_a_network_counts_as_far_as_it_is_good(hands: ICVL, tasks: Tasks, error: float, source: str) -> None:
    """One that is a millimeter off on held-out labels is not overruled by a depth map that says something else."""
    deep = tuple(each and each._replace(d=each.d + 12) for each in tasks.previews[0].predicted)
    other = replace(tasks, previews=(replace(tasks.previews[0], predicted=deep),))
    automatic = Automatic(Surface(hands), torch.empty(0, 16, 3), ICVL16, error, most=30.0)
    found = depths_of(automatic, other, 0, marks_of(hands, tasks, 0))
    names = [each.source for each in found if isinstance(each, Depth)]
    assert names.count(source) > len(names) / 2


def test_hands_of_another_size(hands: ICVL, tasks: Tasks) -> None:
    """Labels of a hand nine tenths as large do not draw the joints in sight off the skin."""
    source = Automatic(Surface(hands), 0.9 * hands.joints, ICVL16)
    found = depths_of(source, tasks, 0, marks_of(hands, tasks, 0))
    truth = hands.camera.to_image(hands.joints[0].double())[:, 2].tolist()
    off = [abs(each.mm - d) for each, d in zip(found, truth, strict=True) if isinstance(each, Depth)]
    assert sum(off) / len(off) < 8


def test_annotators_are_given_one_depth(hands: ICVL, tasks: Tasks, predicted: Tensor) -> None:
    """Who differ by a pixel about a place do not disagree about its depth."""
    preview = tasks.previews[0]
    answers = []
    for who, shift in (("ann", 0.0), ("bea", 1.0)):
        keypoints = tuple(
            Keypoint(joint, *preview.from_sensor(mark.u + shift, mark.v), mark.hidden)
            for joint, mark in zip(ICVL16.joints, marks_of(hands, tasks, 0), strict=True)
        )
        answers.append(Annotation(preview.item, who, who, keypoints))
    source = Automatic(Surface(hands), hands.joints, ICVL16)
    checked = check_annotations(answers, tasks, [source], disagree=3.0)
    (labelled,) = checked.valid
    assert len(labelled.expected) == 16
    assert None not in labelled.expected
