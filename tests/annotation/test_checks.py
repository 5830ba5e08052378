import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from annotation.annotator import label, together
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqgcn.annotation import (
    Annotation,
    Checked,
    Column,
    Keypoint,
    Prediction,
    Problem,
    Surface,
    Tasks,
    check_annotations,
    describe_labels,
    preview_name,
    read_label_studio,
)
from seqgcn.datasets.hands import ICVL
from seqgcn.datasets.hands.skeleton import ICVL16
from seqgcn.exceptions import ArgumentError

Save = Callable[..., Path]


@pytest.fixture
def tasks(handed_off: tuple[Path, Tasks]) -> Tasks:
    return handed_off[1]


@pytest.fixture
def answers(tasks: Tasks) -> list[Annotation]:
    """All predictions accepted."""
    found = []
    for number, preview in enumerate(tasks.previews):
        places = [place for place in preview.shown() if place is not None]
        keypoints = [Keypoint(joint, *place[:2], False) for joint, place in zip(ICVL16.joints, places, strict=True)]
        found.append(Annotation(preview.item, "ann", f"task {number}", tuple(keypoints), frozenset({preview.size})))
    return found


def check(answers: list[Annotation], tasks: Tasks, **options: Any) -> Checked:
    return check_annotations(answers, tasks, [Prediction()], **options)


def test_accepted_predictions_are_the_labels(answers: list[Annotation], tasks: Tasks, predicted: Tensor) -> None:
    checked = check(answers, tasks)
    assert checked.problems == ()
    assert checked.table() == "3 frames are all right, with 0 something is wrong."
    for labelled, preview, pose in zip(checked.valid, tasks.previews, predicted, strict=True):
        assert labelled.item == preview.item
        torch.testing.assert_close(labelled.joints, pose.double(), rtol=0, atol=1e-4)
        assert set(labelled.sources) == {"prediction"}
        assert labelled.annotators == ("ann",)
        assert labelled.hidden == (False,) * 16


def spoil(answer: Annotation, how: str) -> Annotation:
    palm, thumb, *others = answer.keypoints
    keypoints: dict[str, list[Keypoint]] = {
        "missing": [palm, *others],
        "twice": [palm, palm, thumb, *others],
        "unknown": [palm, thumb, *others, palm._replace(joint="seventh finger")],
        "unlabelled": [palm, thumb, *others, palm._replace(joint="")],
        "outside": [palm, thumb._replace(x=1.001), *others],
        "nan": [palm, thumb._replace(y=math.nan), *others],
        "nothing": [],
    }
    if how == "size":
        return answer._replace(sizes=frozenset({(10.0, 20.5)}))
    if how == "fault":
        return answer._replace(faults=("the picture was rotated",))
    return answer._replace(keypoints=tuple(keypoints[how]))


@pytest.mark.parametrize(
    ("how", "joint", "what"),
    [
        ("missing", "thumb root", "missing"),
        ("twice", "palm", "marked 2 times"),
        ("unknown", "seventh finger", "unknown joint"),
        ("unlabelled", "", "a keypoint has no label"),
        ("outside", "thumb root", "outside the picture"),
        ("nan", "thumb root", "outside the picture"),
        ("nothing", "", "no joint is marked"),
        ("size", "", "made on a picture of 10 x 20.5 pixels, but this frame's has {size}"),
        ("fault", "", "the picture was rotated"),
    ],
)
def test_faults(answers: list[Annotation], tasks: Tasks, how: str, joint: str, what: str) -> None:
    answers[1] = spoil(answers[1], how)
    checked = check(answers, tasks)
    what = what.format(size="{} x {}".format(*tasks.previews[1].size))
    assert checked.problems == (Problem(answers[1].frame, joint, "ann", what, "task 1"),)
    assert [labelled.item for labelled in checked.valid] == [answers[0].frame, answers[2].frame]


def test_frames_that_are_not_of_this_round(answers: list[Annotation], tasks: Tasks, hands: ICVL) -> None:
    others = [hands.files[4], preview_name(hands.files[3]), "b.png", preview_name("b.png")]
    answers += [answers[0]._replace(frame=frame) for frame in others]
    checked = check(answers, tasks, known=hands.files)
    assert [(problem.item, problem.what) for problem in checked.problems] == list(
        zip(others, ["not in this round", "not in this round", "unknown frame", "unknown frame"], strict=True)
    )
    assert len(checked.valid) == 3
    assert {problem.what for problem in check(answers, tasks).problems} == {"unknown frame"}


def test_a_frame_that_nobody_annotated(answers: list[Annotation], tasks: Tasks) -> None:
    checked = check(answers[1:], tasks)
    assert checked.problems == (Problem(answers[0].frame, "", "", "nobody annotated it"),)


def test_a_frame_that_was_skipped(answers: list[Annotation], tasks: Tasks) -> None:
    skipped = Annotation(answers[0].frame, "bea", "task 9", (), skipped=True)
    assert check([*answers, skipped], tasks).problems == ()
    assert check([*answers, skipped], tasks).valid[0].annotators == ("ann",)
    checked = check([skipped, *answers[1:], skipped], tasks)
    assert checked.problems == (Problem(answers[0].frame, "", "bea", "skipped", "task 9"),) * 2


def test_annotators_who_agree_are_averaged(answers: list[Annotation], tasks: Tasks) -> None:
    preview = tasks.previews[0]
    assert preview.predicted[2] is not None
    aside = 6 / preview.predicted[2].d * tasks.camera.fx / preview.width  # 6 mm
    keypoints = list(answers[0].keypoints)
    keypoints[2] = keypoints[2]._replace(x=keypoints[2].x + aside, hidden=True)
    second = answers[0]._replace(annotator="bea", keypoints=tuple(keypoints))
    alone = check(answers, tasks).valid[0]
    both = check([*answers, second], tasks).valid[0]
    assert both.annotators == ("ann", "bea")
    expected = alone.joints.clone()
    expected[2, 0] += 3
    torch.testing.assert_close(both.joints, expected, rtol=0, atol=1e-9)
    assert both.hidden == tuple(joint == 2 for joint in range(16))
    # The same by the name of the preview.
    renamed = second._replace(frame=preview.name)
    assert torch.equal(check([*answers, renamed], tasks).valid[0].joints, both.joints)

    refused = check([*answers, second], tasks, disagree=5.99)
    what = "6.0 mm apart, more than 5.99"
    assert refused.problems == (Problem(preview.item, "thumb mid", "ann and bea", what, "task 0 and task 0"),)
    assert len(refused.valid) == 2


def test_hidden_for_one_annotator_is_hidden_for_all(answers: list[Annotation], tasks: Tasks, hands: ICVL) -> None:
    """The depth of one must not be the skin's and that of the other the network's, though both clicked one place."""
    low = replace(tasks.previews[0], predicted=tuple(g and g._replace(d=g.d + 40) for g in tasks.previews[0].predicted))
    tasks = replace(tasks, previews=(low, *tasks.previews[1:]))
    keypoints = list(answers[0].keypoints)
    keypoints[4] = keypoints[4]._replace(hidden=True)
    second = answers[0]._replace(annotator="bea", keypoints=tuple(keypoints))
    sources = [Surface(hands), Prediction()]
    assert check_annotations(answers[:1], tasks, sources).valid[0].sources[4] == "surface+offset"
    for both in ([answers[0], second], [second, answers[0]]):
        labelled = check_annotations(both, tasks, sources, disagree=0.01).valid[0]
        assert labelled.sources[4] == "prediction"
        assert labelled.hidden == tuple(joint == 4 for joint in range(16))


def test_the_newest_state_of_an_annotation_counts(answers: list[Annotation], tasks: Tasks) -> None:
    wrong = spoil(answers[0], "missing")._replace(identity="a", updated="2026-01-05T09:30:00.000000Z")
    right = answers[0]._replace(identity="a", updated="2026-01-05T09:31:00.000000Z")
    other = answers[0]._replace(annotator="bea", identity="b", updated="2026-01-01T00:00:00.000000Z")
    for both in ([wrong, right], [right, wrong], [right, wrong, other]):
        checked = check([*both, *answers[1:]], tasks)
        assert checked.problems == ()
        assert len(checked.valid[0].annotators) == len({each.annotator for each in both})
    skipped = right._replace(skipped=True, keypoints=())
    assert check([wrong, skipped], tasks).problems[0].what == "skipped"


def test_two_people_may_be_called_alike(answers: list[Annotation], tasks: Tasks) -> None:
    """Everybody is user 1 in a tool of their own."""
    aside = tuple(each._replace(x=min(each.x + 0.2, 1.0)) for each in answers[0].keypoints)
    for identity in ("b", ""):
        second = answers[0]._replace(keypoints=aside, identity=identity, updated="2026-01-05T09:31:00.000000Z")
        first = answers[0]._replace(identity="a" if identity else "", updated="2026-01-05T09:30:00.000000Z")
        what = {problem.what.partition(" ")[2] for problem in check([first, second], tasks).problems if problem.joint}
        assert what == {"mm apart, more than 10"}


def test_the_later_time_counts_however_it_is_written(answers: list[Annotation], tasks: Tasks) -> None:
    """Whole seconds have no fraction; Z and +00:00 are equal; Paris is an hour ahead of London."""
    for earlier, later in (
        ("2026-05-01T10:00:00Z", "2026-05-01T10:00:00.500000Z"),
        ("2026-05-01T10:00:00+00:00", "2026-05-01T10:00:00.000001Z"),
        ("2026-05-01T14:00:00+02:00", "2026-05-01T13:30:00+01:00"),
        ("2026-05-01T10:00:00", "2026-05-01T10:00:01Z"),
        ("yesterday", "2026-05-01T10:00:00Z"),
        ("", "2026-05-01T10:00:00Z"),
    ):
        wrong = spoil(answers[0], "missing")._replace(identity="a", updated=earlier)
        right = answers[0]._replace(identity="a", updated=later)
        for both in ([wrong, right], [right, wrong]):
            assert check([*both, *answers[1:]], tasks).problems == ()
    same = [
        each._replace(identity="a", updated=f"2026-05-01T10:00:00{zone}")
        for zone, each in zip(("Z", "+00:00"), (spoil(answers[0], "missing"), answers[0]), strict=True)
    ]
    assert check([*same, *answers[1:]], tasks).problems == ()


def test_a_star_overrules(answers: list[Annotation], tasks: Tasks) -> None:
    aside = tuple(each._replace(x=min(each.x + 0.2, 1.0)) for each in answers[0].keypoints)
    star = answers[0]._replace(annotator="bea", starred=True)
    for other in (answers[0]._replace(keypoints=aside), spoil(answers[0], "missing")):
        for both in ([star, other], [other, star]):
            checked = check([*both, *answers[1:]], tasks)
            assert checked.problems == ()
            assert checked.valid[0].annotators == ("bea",)
            assert checked.notes == (
                f"1 frames have an annotation starred as the ground truth, which overrules the others: {star.frame}",
            )
    # Nothing is overruled where there is no other; who stars the prediction has looked at it.
    checked = check([star, *answers[1:]], tasks, accept_predictions=False)
    assert [labelled.item for labelled in checked.valid] == [star.frame]
    assert checked.notes == ()


def test_a_draft_is_no_answer(answers: list[Annotation], tasks: Tasks) -> None:
    draft = Annotation(answers[0].frame, "ann@x.org", "task 1, draft 1", (), draft=True, submitted=False)
    what = "only a draft, which was not submitted; have it submitted, and export again"
    assert check([draft, *answers[1:]], tasks).problems == (
        Problem(draft.frame, "", "ann@x.org", what, "task 1, draft 1"),
    )
    beside = check([draft, *answers], tasks)
    assert beside.problems == ()
    assert beside.notes == (f"1 frames have a draft beside what was submitted, which does not count: {draft.frame}",)


def test_two_skeletons_of_one_annotator(answers: list[Annotation], tasks: Tasks) -> None:
    """As where a skeleton was drawn a second time, on top of the first."""
    one, other = (answers[0]._replace(where=f"coco.json, annotation {number}") for number in (1, 2))
    agreeing = check([one, other, *answers[1:]], tasks)
    assert (agreeing.problems, len(agreeing.valid)) == ((), 3)
    assert agreeing.notes[0].startswith("1 frames have two skeletons of one annotator, which agree")
    assert agreeing.agreement == ()
    aside = tuple(each._replace(x=min(each.x + 0.2, 1.0)) for each in other.keypoints)
    (problem,) = check([one, other._replace(keypoints=aside), *answers[1:]], tasks).problems
    assert (problem.item, problem.annotator) == (one.frame, "ann")
    assert re.fullmatch(
        r"two skeletons of one annotator, up to [0-9.]+ mm apart, more than 10; delete one", problem.what
    )
    assert problem.where == "coco.json, annotation 1 and coco.json, annotation 2"


def test_a_damaged_annotation_costs_its_frame(answers: list[Annotation], tasks: Tasks) -> None:
    damaged = answers[0]._replace(keypoints=(), faults=("keypoints is empty",))
    lost = Annotation("", "", "task 9", (), faults=("must be an object, got 5",))
    checked = check([damaged, *answers[1:], lost], tasks)
    assert [labelled.item for labelled in checked.valid] == [each.frame for each in answers[1:]]
    assert [(problem.item, problem.what) for problem in checked.problems] == [
        ("", "must be an object, got 5"),
        (damaged.frame, "keypoints is empty"),
    ]


def test_a_line_for_each_pair_of_annotators(answers: list[Annotation], tasks: Tasks) -> None:
    aside = tuple(each._replace(x=each.x + 0.2 * (each.joint == "palm")) for each in answers[0].keypoints)
    others = [answers[0]._replace(annotator="bea", keypoints=aside), answers[1]._replace(annotator="bea")]
    checked = check([*answers[:2], *others, spoil(answers[2], "missing")], tasks)
    (pair,) = checked.agreement
    assert (pair.who, pair.frames, pair.apart, pair.apart_in) == (("ann", "bea"), 2, 1, 1)
    lines = checked.table().splitlines()
    assert lines[0].startswith("frame")
    assert "missing" in lines[1]
    assert re.fullmatch(
        r"ann and bea: 2 frames of both, joints [0-9.]+ mm apart on average; 1 joints in 1 frames disagree", lines[2]
    )
    assert "palm" in lines[3]
    assert lines[4] == "1 frames are all right, with 2 something is wrong."
    # A line as well where they agree.
    agreeing = check([*answers, answers[0]._replace(annotator="bea")], tasks).table().splitlines()
    assert agreeing[0] == "ann and bea: 1 frames of both, joints 0.0 mm apart on average; 0 joints in 0 frames disagree"


def test_one_who_moves_a_joint_is_enough(answers: list[Annotation], tasks: Tasks) -> None:
    keypoints = list(answers[0].keypoints)
    keypoints[3] = keypoints[3]._replace(x=keypoints[3].x + 2 / tasks.previews[0].width)
    second = answers[0]._replace(annotator="bea", keypoints=tuple(keypoints))
    assert check([answers[0], second], tasks, accept_predictions=False, disagree=100).valid[0].item == answers[0].frame
    both = check([answers[0], answers[0]._replace(annotator="bea")], tasks, accept_predictions=False)
    assert [problem.annotator for problem in both.problems if problem.item == answers[0].frame] == ["ann", "bea"]


@pytest.mark.parametrize(("factor", "right"), [(1.0, True), (0.001, False), (1000.0, False)])
def test_a_depth_far_from_the_hand(answers: list[Annotation], tasks: Tasks, factor: float, right: bool) -> None:
    """Such as meters for millimeters."""
    depths = {
        (preview.item, joint): factor * keypoint.d
        for preview in tasks.previews
        for joint, keypoint in zip(ICVL16.joints, preview.predicted, strict=True)
        if keypoint is not None
    }
    checked = check_annotations(answers, tasks, [Column(depths, ICVL16)])
    assert len(checked.valid) == (3 if right else 0)
    assert len(checked.problems) == (0 if right else 3 * 16)
    if not right:
        pattern = r"its depth \(column\) is [0-9.e+]+ mm, but only [0-9]+ to [0-9]+ mm can be of this hand"
        assert re.fullmatch(pattern, checked.problems[0].what)


def test_which_joints_were_moved(answers: list[Annotation], tasks: Tasks) -> None:
    keypoints = list(answers[0].keypoints)
    keypoints[3] = keypoints[3]._replace(x=keypoints[3].x + 2 / tasks.previews[0].width)
    second = answers[0]._replace(annotator="bea", keypoints=tuple(keypoints))
    assert check(answers, tasks).valid[0].moved == (False,) * 16
    both = check([*answers, second], tasks, disagree=100).valid
    assert both[0].moved == tuple(joint == 3 for joint in range(16))
    assert describe_labels(both, tasks) == [
        "depths of 48 joints are from: prediction 48",
        "47 joints are where they were predicted; the column `moved` of the record tells which",
    ]


def test_what_was_done_to_each_joint(answers: list[Annotation], tasks: Tasks) -> None:
    """As the tool tells or, where it does not, as its place does; of several annotators, what most was done."""
    keypoints = list(answers[0].keypoints)
    for joint, origin in enumerate(("prediction", "prediction-changed", "manual")):
        keypoints[joint] = keypoints[joint]._replace(origin=origin)
    keypoints[3] = keypoints[3]._replace(x=keypoints[3].x + 2 / tasks.previews[0].width)
    first = answers[0]._replace(keypoints=tuple(keypoints))
    assert check([first], tasks).valid[0].answers[:5] == ("prediction", "changed", "manual", "changed", "prediction")
    both = check([first, answers[0]._replace(annotator="bea")], tasks).valid[0]
    assert both.answers[:3] == ("prediction", "changed", "manual")
    gone = first._replace(keypoints=first.keypoints[1:])
    assert check([gone], tasks, leave_out=["missing"]).valid[0].answers[0] == ""


def test_what_may_be_hidden_is_told(answers: list[Annotation], tasks: Tasks, hands: ICVL) -> None:
    """The network puts the joints of one frame far behind what was measured."""
    deep = tuple(each and each._replace(d=each.d + 60) for each in tasks.previews[0].predicted)
    tasks = replace(tasks, previews=(replace(tasks.previews[0], predicted=deep), *tasks.previews[1:]))
    valid = check_annotations(answers, tasks, [Surface(hands), Prediction()]).valid
    told = describe_labels(valid, tasks)[-1]
    assert re.match(r"\d+ joints were measured more than 30 mm nearer than predicted, and nobody said", told)
    assert f"in {answers[0].frame}" in told
    every = answers[0]._replace(keypoints=tuple(each._replace(hidden=True) for each in answers[0].keypoints))
    valid = check_annotations([every], tasks, [Surface(hands), Prediction()]).valid
    assert [sentence for sentence in describe_labels(valid, tasks) if "nearer" in sentence] == []
    assert describe_labels([], tasks) == []


def test_one_bad_answer_spoils_a_frame(answers: list[Annotation], tasks: Tasks) -> None:
    checked = check([*answers, spoil(answers[2], "missing")._replace(annotator="bea")], tasks)
    assert [(problem.item, problem.annotator) for problem in checked.problems] == [(answers[2].frame, "bea")]
    assert len(checked.valid) == 2


def test_depth_where_nothing_was_measured(answers: list[Annotation], tasks: Tasks, hands: ICVL) -> None:
    keypoints = list(answers[0].keypoints)
    keypoints[3] = keypoints[3]._replace(x=0.0, y=0.0)
    keypoints[4] = keypoints[4]._replace(hidden=True)
    answers[0] = answers[0]._replace(keypoints=tuple(keypoints))
    surface = Surface(hands)
    problems = check_annotations(answers[:1], tasks, [surface]).problems
    reasons = {problem.joint: problem.what for problem in problems if problem.item == answers[0].frame}
    assert reasons["thumb tip"] == "no depth (surface+offset: nothing of the hand was measured there)"
    assert reasons["index root"].startswith("no depth (surface+offset: hidden")
    checked = check_annotations(answers[:1], tasks, [surface, Prediction()])
    assert checked.valid[0].sources[3:5] == ("prediction", "prediction")
    assert checked.valid[0].sources.count("surface+offset") > 8
    unpredicted = replace(tasks, previews=(replace(tasks.previews[0], predicted=(None,) * 16),))
    reasons = {
        problem.joint: problem.what
        for problem in check_annotations(answers[:1], unpredicted, [surface, Prediction()]).problems
    }
    assert reasons["thumb tip"].endswith("was measured there; prediction: no prediction)")


def test_the_table_shows_hostile_text_as_text() -> None:
    odd = Problem("a\x1b[2J\n" + "x" * 300, "joint", "ann", "missing", "export.json, task 1")
    checked = Checked((), (odd,) * 3)
    lines = checked.table(most=2).splitlines()
    assert len(lines) == 5
    assert lines[0].split() == ["frame", "joint", "annotator", "what", "is", "wrong", "where"]
    assert lines[1].startswith("a\\x1b[2J\\nxxx")
    assert lines[1].index(" joint ") == lines[0].index(" joint ")
    assert max(map(len, lines)) < 200
    assert lines[3:] == ["and 1 more", "0 frames are all right, with 1 something is wrong."]


def test_arguments(answers: list[Annotation], tasks: Tasks) -> None:
    with pytest.raises(ArgumentError, match="sources is empty"):
        check_annotations(answers, tasks, [])
    with pytest.raises(ArgumentError, match="disagree must be"):
        check(answers, tasks, disagree=0)


def test_two_annotators_in_label_studio(
    handed_off: tuple[Path, Tasks], truth: dict[str, Tensor], hands: ICVL, predicted: Tensor, save: Save
) -> None:
    folder, tasks = handed_off
    first = label(folder, truth, hands.camera, ICVL16.joints)
    click = lambda item, joint, u, v: (u + 20, v) if joint == "palm" and item == hands.files[1] else (u, v + 0.5)  # noqa: E731
    second = label(folder, truth, hands.camera, ICVL16.joints, annotator=2, click=click)
    read = read_label_studio(save(together(first, second)))
    checked = check(read, tasks)
    assert [(problem.item, problem.joint, problem.annotator) for problem in checked.problems] == [
        (hands.files[1], "palm", "1 and 2")
    ]
    assert [labelled.item for labelled in checked.valid] == [hands.files[0], hands.files[2]]
    # Half way between the two, in the depth of the prediction.
    uvd = hands.camera.to_image(checked.valid[0].joints)
    expected = hands.camera.to_image(truth[hands.files[0]].double())
    torch.testing.assert_close(uvd[:, 0], expected[:, 0], rtol=0, atol=1e-6)
    torch.testing.assert_close(uvd[:, 1], expected[:, 1] + 0.25, rtol=0, atol=1e-6)
    torch.testing.assert_close(uvd[:, 2], predicted[0, :, 2].double(), rtol=0, atol=1e-4)


names = st.sampled_from([*ICVL16.joints, "palm", "", "x"]) | st.text(max_size=5)
shares = st.floats() | st.floats(0, 1)
keypoints = st.builds(Keypoint, names, shares, shares, st.booleans())


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3), st.lists(keypoints, max_size=20)), max_size=4))
def test_any_answers_are_checked(tasks: Tasks, hands: ICVL, given_answers: list[tuple[int, list[Keypoint]]]) -> None:
    found = [Annotation(hands.files[i], "ann", "here", tuple(some)) for i, some in given_answers]
    checked = check(found, tasks)
    frames = {labelled.item for labelled in checked.valid}
    assert frames | {problem.item for problem in checked.problems} >= set(hands.files[:3])
    assert not frames & {problem.item for problem in checked.problems}
    checked.table().encode()
