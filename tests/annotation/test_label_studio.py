import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from annotation.annotator import label
from annotation.fuzzing import jsons, nearly
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqgcn.annotation import Tasks, annotations, read_label_studio
from seqgcn.annotation.label_studio import configuration, picture_name
from seqgcn.datasets.hands import ICVL
from seqgcn.datasets.hands.skeleton import BIGHAND21, ICVL16, MSRA21, NYU14, NYU36, Skeleton
from seqgcn.exceptions import DataFileError, MissingFileError, SeqGCNError

Save = Callable[..., Path]


def test_hidden_is_beside_the_picture_with_a_key() -> None:
    """Below it, it is out of sight."""
    view = ET.fromstring(configuration(ICVL16))  # noqa: S314  # our own
    picture, panel = view.findall("View")
    assert picture.find("Image") is not None
    (choice,) = panel.iter("Choice")
    assert (choice.get("value"), choice.get("hotkey")) == ("hidden", "h")
    # Label Studio numbers keypoints by it in its own COCO export.
    assert [label.get("model_index") for label in panel.iter("Label")] == [str(i) for i in range(16)]


def region(x: Any = 10, y: Any = 20, joints: Any = ("palm",), **more: Any) -> dict[str, Any]:
    value = {"x": x, "y": y, "width": 0.6, "keypointlabels": list(joints)}
    return {"id": "a", "type": "keypointlabels", "original_width": 90, "original_height": 60, "value": value, **more}


def task(*regions: Any, data: Any = None, **more: Any) -> dict[str, Any]:
    annotation = {"id": 7, "completed_by": 3, "was_cancelled": False, "result": list(regions), **more}
    return {"id": 1, "data": data or {"item": "seq/1.png", "image": "/x.png"}, "annotations": [annotation]}


def test_the_real_party_takes_the_tasks(handed_off: tuple[Path, Tasks]) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface
    folder, tasks = handed_off
    view = interface((folder / "label_studio.xml").read_text())
    view.validate()
    assert set(view.get_control("joints").labels) == set(tasks.skeleton.joints)
    for one in json.loads((folder / "label_studio.json").read_text()):
        assert view.validate_task({"data": one["data"]})
        for prediction in one["predictions"]:
            assert view.validate_prediction(prediction, return_errors=True) == []
            # It does look.
            prediction["result"][0]["value"]["keypointlabels"] = ["seventh finger"]
            assert view.validate_prediction(prediction, return_errors=True) != []


@pytest.mark.parametrize("skeleton", [MSRA21, BIGHAND21, NYU14, NYU36, Skeleton(("a <b> & \"c'", "ж"), ((0, 1),))])
def test_the_real_party_takes_the_configuration(skeleton: Skeleton) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface
    view = interface(configuration(skeleton))
    view.validate()
    labels = view.get_control("joints").labels_attrs
    assert list(labels) == list(skeleton.joints)
    assert len({attributes.attr["background"] for attributes in labels.values()}) == len(skeleton)


def test_the_real_party_takes_what_our_annotator_exports(
    handed_off: tuple[Path, Tasks], truth: dict[str, Tensor], hands: ICVL
) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface
    folder, _ = handed_off
    view = interface((folder / "label_studio.xml").read_text())
    export = label(folder, truth, hands.camera, ICVL16.joints, hidden=lambda _, joint: joint == "thumb tip")
    for one in export:
        assert view.validate_annotation(one["annotations"][0])


def test_an_export(handed_off: tuple[Path, Tasks], truth: dict[str, Tensor], hands: ICVL, save: Save) -> None:
    folder, tasks = handed_off
    known = {item: truth[item] for item in hands.files[:2]}
    export = label(folder, known, hands.camera, ICVL16.joints, annotator=4, hidden=lambda _, name: name == "palm")
    first, second, skipped = read_label_studio(save(export))
    assert [first.frame, second.frame, skipped.frame] == hands.files[:3]
    assert (first.annotator, first.faults, first.skipped) == ("4", (), False)
    assert first.sizes == {tasks.previews[0].size}
    assert first.where.endswith("export.json, task 1, annotation 1")
    assert (skipped.keypoints, skipped.skipped) == ((), True)
    for click, joint, (u, v, _) in zip(
        first.keypoints, ICVL16.joints, hands.camera.to_image(truth[first.frame].double()).tolist(), strict=True
    ):
        assert (click.joint, click.hidden) == (joint, joint == "palm")
        assert tasks.previews[0].to_sensor(click.x, click.y) == pytest.approx((u, v), abs=1e-6)


def test_who_and_what(save: Save) -> None:
    whole = task(region(), region(id="b", joints=("thumb tip", "index tip")), region(joints=()), {"type": "brush"})
    whole["annotations"] += [
        {"id": 8, "completed_by": {"id": 5, "email": "ann@x.org"}, "result": []},
        {"id": 9, "completed_by": {"id": 5}, "result": []},
        {"id": 10, "result": [region(image_rotation=90)]},
    ]
    whole["predictions"] = [{"result": [region()]}]
    one, *others = read_label_studio(save([whole, task(data={"image": "/data/local-files/?d=a/b%20c.png"})]))
    assert [click.joint for click in one.keypoints] == ["palm", "thumb tip", "index tip", ""]
    assert (one.keypoints[0].x, one.keypoints[0].y) == (0.1, 0.2)
    assert [answer.annotator for answer in others] == ["ann@x.org", "ann@x.org", "of annotation 10", "3"]
    assert others[2].faults == ("the picture was rotated",)
    assert others[3].frame == "b c.png"


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/local-files/?d=images/a%20b.png", "a b.png"),
        ("/data/local-files/?d=round-01%2Fimages%2Fa.png", "a.png"),
        ("/data/upload/3/1a2b3c4d-a%20b.png", "a b.png"),
        ("https://lab.org/labels/data/upload/12/deadbeef-deadbeef-1.png?token=a/b", "deadbeef-1.png"),
        ("/storage-data/uploaded/?filepath=upload/3/1a2b3c4d-a.png", "a.png"),
        ("http://host:8000/images/a.png?token=a/b", "a.png"),
        ("http://host:8000/get?file=images/a.png&token=a/b", "a.png"),
        ("s3://bucket/images/1a2b3c4d-a.png", "1a2b3c4d-a.png"),
        ("C:\\images\\a.png", "a.png"),
        ("a.png", "a.png"),
        ("http://host/?", "host"),
        ("", ""),
    ],
)
def test_names_of_pictures(address: str, name: str) -> None:
    assert picture_name(address) == name


def test_pictures_that_were_uploaded_by_hand(handed_off: tuple[Path, Tasks]) -> None:
    _, tasks = handed_off
    preview = tasks.previews[0]
    for name in (preview.name, f"1a2b3c4d-{preview.name}", picture_name(f"/data/upload/3/1a2b3c4d-{preview.name}")):
        assert tasks.find(name) is preview
    assert tasks.find(f"1a2b3c4-{preview.name}") is None


def test_a_keypoint_without_a_label(save: Save) -> None:
    bare = {"id": "a", "type": "keypoint", "value": {"x": 1, "y": 2}}
    (answer,) = read_label_studio(save([task(bare)]))
    assert answer.keypoints == (annotations.Keypoint("", 0.01, 0.02, False),)
    assert answer.sizes == frozenset()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "must be a list of tasks"),
        ([5], "task 1 must be an object, got 5"),
        ([{"image": "a.png", "kp-1": []}], "not JSON-MIN"),
        ([{"data": {}, "annotations": 5}], "lacks data or annotations"),
        ([{"data": {}, "annotations": [{}]}], "task 1: the image must be a text, got None"),
        ([task(data={"item": 5, "image": ["x"]})], "the image must be a text, got a list"),
    ],
)
def test_what_is_no_export(save: Save, content: Any, message: str) -> None:
    with pytest.raises(DataFileError) as caught:
        read_label_studio(save(content))
    assert message in str(caught.value)
    assert "export.json" in str(caught.value)


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (task(5), "region 1 must be an object"),
        (task(result=None), "the result must be a list"),
        (task({**region(), "value": None}), "the value must be an object"),
        (task({**region(), "value": {"width": 0.6, "keypointlabels": ["palm"]}}), "x must be a number, got None"),
        (task(region(x="5")), "region 1: x must be a number, got '5'"),
        (task(region(y=True)), "y must be a number, got True"),
        (task(region(y=float("nan"))), "y must be a number, got nan"),
        (task(region(y=10**300)), "y must be a number, got 1000"),
        (task(region(joints=[{}])), "a label must be a text, got an object"),
        (task(region(original_width="wide")), "original_width must be a number"),
        (task({k: v for k, v in region().items() if k != "original_height"}), "original_height must be a number"),
        (task(region(id=[])), "the id must be a whole number or a text"),
        (task({"type": "choices", "value": {"choices": "hidden"}}), "choices must be a list"),
        (task(completed_by=[1]), "completed_by must be"),
        (task(completed_by=None, id=1.5), "the id must be"),
    ],
)
def test_a_damaged_annotation_is_one_with_a_fault(save: Save, damaged: Any, message: str) -> None:
    """What else the export holds is not lost."""
    answer, good = read_label_studio(save([damaged, task(region(), data={"item": "seq/2.png"})]))
    assert (answer.frame, answer.keypoints) == ("seq/1.png", ())
    assert message in answer.faults[0]
    assert answer.where.endswith("export.json, task 1, annotation 1")
    assert (good.frame, good.faults, len(good.keypoints)) == ("seq/2.png", (), 1)


def test_a_damaged_task_is_an_annotation_of_no_frame(save: Save) -> None:
    number, nowhere, good = read_label_studio(save([5, task(data={"image": 7}), task(region())]))
    assert (number.frame, number.faults) == ("", ("must be an object, got 5",))
    assert (nowhere.frame, nowhere.faults) == ("", ("the image must be a text, got 7",))
    assert good.frame == "seq/1.png"


def test_drafts_are_named_as_such(save: Save) -> None:
    drafts = [{"user": "ann@x.org", "result": [region()]}, {"created_username": "Bea Lee bea@x.org, 4"}, 12]
    answers = read_label_studio(save([{**task(), "annotations": [], "drafts": drafts}]))
    assert [(each.frame, each.annotator, each.draft, each.keypoints) for each in answers] == [
        ("seq/1.png", who, True, ()) for who in ("ann@x.org", "Bea Lee bea@x.org", "")
    ]
    assert answers[0].where.endswith("task 1, draft 1")


def test_users_have_names_where_the_export_tells_them(save: Save) -> None:
    ann = {"id": 5, "first_name": "Ann", "last_name": "Lee", "email": "ann@x.org"}
    whole = [
        task(completed_by=5),
        task(completed_by=ann),
        {**task(completed_by=4), "drafts": [{"created_username": "bea@x.org, 4"}]},
        task(completed_by=6),
    ]
    answers = [each for each in read_label_studio(save(whole)) if not each.draft]
    assert [each.annotator for each in answers] == ["Ann Lee", "Ann Lee", "bea@x.org", "6"]


def test_stars_and_origins(save: Save) -> None:
    moved = region(id="b", joints=("thumb tip",), origin="prediction-changed")
    starred, plain = read_label_studio(save([task(region(origin=5), moved, ground_truth=True), task()]))
    assert (starred.starred, plain.starred) == (True, False)
    assert [each.origin for each in starred.keypoints] == ["", "prediction-changed"]


def test_what_is_no_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "export.json"
    with pytest.raises(MissingFileError, match=r"export\.json is missing"):
        read_label_studio(path)
    for content in (b"", b"[", b"\xff\xfe", b"[" * 100_000, b'[{"a":' * 50_000, b"[" + b"9" * 10_000 + b"]"):
        path.write_bytes(content)
        with pytest.raises(DataFileError, match="is no JSON file"):
            read_label_studio(path)
    monkeypatch.setattr(annotations, "MOST_BYTES", 100)
    path.write_bytes(b"[" + b" " * 100 + b"]")
    with pytest.raises(DataFileError, match="one round at a time"):
        read_label_studio(path)


def test_text_that_would_steer_a_terminal_is_escaped(save: Save) -> None:
    odd = "\x1b[31m\u202e\ud800"
    path = save([task(data={"item": odd, "image": ""}, completed_by=odd)])
    (answer,) = read_label_studio(path)
    assert answer.annotator == "\\x1b[31m\\u202e\\ud800"


keys = st.sampled_from(["data", "annotations", "result", "image", "item", "id"])


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    jsons
    | nearly([task(region(), {"id": "a", "type": "choices", "value": {"choices": ["hidden"]}})])
    | st.dictionaries(keys, jsons).map(lambda entry: [entry])
)
def test_any_json_is_answers_or_an_error(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "fuzz.json"
    path.write_text(json.dumps(content))
    try:
        for answer in read_label_studio(path):
            answer.annotator.encode()
    except SeqGCNError as error:
        str(error).encode()
