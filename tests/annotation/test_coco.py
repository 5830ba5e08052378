import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotation.fuzzing import jsons, nearly
from hypothesis import HealthCheck, given, settings

from seqgcn.annotation import Keypoint, Tasks, read_coco
from seqgcn.exceptions import DataFileError, SeqGCNError

Save = Callable[..., Path]


def content(**changes: Any) -> dict[str, Any]:
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [9, 12, 2, 45, 30, 1, 5, 5, 0]}
    return {
        "images": [{"id": 1, "file_name": "images/default/a.png", "width": 90, "height": 60}],
        "categories": [
            {"id": 1, "name": "hand", "keypoints": ["palm", "thumb tip", "index tip"], "skeleton": [[1, 2]]},
            {"id": 2, "name": "face", "keypoints": []},
        ],
        "annotations": [{**annotation, **changes}],
    }


def test_pycocotools_scores_the_predictions_against_themselves(
    handed_off: tuple[Path, Tasks], capsys: pytest.CaptureFixture[str]
) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    folder, tasks = handed_off
    truth = coco.COCO(str(folder / "coco_keypoints.json"))
    found = truth.loadRes([{**annotation, "score": 1.0} for annotation in truth.dataset["annotations"]])
    evaluation = cocoeval.COCOeval(truth, found, "keypoints")
    evaluation.params.kpt_oks_sigmas = np.full(len(tasks.skeleton), 0.05)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == 1.0
    assert len(truth.getImgIds()) == 3
    (category,) = truth.loadCats(truth.getCatIds())
    names, joints = category["keypoints"], tasks.skeleton.joints
    assert [(names[a - 1], names[b - 1]) for a, b in category["skeleton"]] == [
        (joints[a], joints[b]) for a, b in tasks.skeleton.bones
    ]


def test_datumaro_finds_all_points(handed_off: tuple[Path, Tasks], tmp_path: Path) -> None:
    dataset = pytest.importorskip("datumaro.components.dataset").Dataset
    folder, tasks = handed_off
    (tmp_path / "annotations").mkdir()
    shutil.copy(folder / "coco_keypoints.json", tmp_path / "annotations" / "person_keypoints_default.json")
    shutil.copytree(folder / "images", tmp_path / "images" / "default")
    imported = dataset.import_from(str(tmp_path), "coco_person_keypoints")
    items = {item.id: item for item in imported}
    for preview in tasks.previews:
        item = items[preview.name.removesuffix(".png")]
        assert item.media.size == preview.size[::-1]
        (points,) = [annotation for annotation in item.annotations if annotation.type.name == "points"]
        places = np.reshape(points.points, (-1, 2)) / preview.size
        expected = [place[:2] for place in preview.shown() if place is not None]
        assert len(expected) == 16
        # datumaro rounds to two digits
        np.testing.assert_allclose(places, expected, atol=0.01 / min(preview.size))


def test_what_datumaro_exports_is_read(handed_off: tuple[Path, Tasks], tmp_path: Path) -> None:
    """CVAT writes its COCO files with datumaro."""
    dataset = pytest.importorskip("datumaro.components.dataset").Dataset
    folder, tasks = handed_off
    (tmp_path / "in" / "annotations").mkdir(parents=True)
    shutil.copy(folder / "coco_keypoints.json", tmp_path / "in" / "annotations" / "person_keypoints_default.json")
    shutil.copytree(folder / "images", tmp_path / "in" / "images" / "default")
    dataset.import_from(str(tmp_path / "in"), "coco_person_keypoints").export(
        str(tmp_path / "out"), "coco_person_keypoints"
    )
    answers = read_coco(tmp_path / "out" / "annotations" / "person_keypoints_default.json")
    found = {answer.frame: answer for answer in answers}
    for preview in tasks.previews:
        answer = found[preview.name]
        assert answer.sizes == {preview.size}
        assert [click.joint for click in answer.keypoints] == list(tasks.skeleton.joints)
        for click, place in zip(answer.keypoints, preview.shown(), strict=True):
            assert place is not None
            assert (click.x, click.y) == pytest.approx(place[:2], abs=0.01 / min(preview.size))
            assert click.hidden == place[2]


def test_our_own_file_comes_back(handed_off: tuple[Path, Tasks]) -> None:
    folder, tasks = handed_off
    answers = read_coco(folder / "coco_keypoints.json")
    assert [answer.frame for answer in answers] == [preview.name for preview in tasks.previews]
    for answer, preview in zip(answers, tasks.previews, strict=True):
        assert answer.annotator == "coco_keypoints.json"
        for click, place in zip(answer.keypoints, preview.shown(), strict=True):
            assert place is not None
            assert (click.x, click.y, click.hidden) == pytest.approx(place, abs=1e-12)


def test_an_export(save: Save) -> None:
    (answer,) = read_coco(save(content()))
    assert (answer.frame, answer.sizes) == ("a.png", frozenset({(90.0, 60.0)}))
    assert answer.keypoints == (Keypoint("palm", 0.1, 0.2, False), Keypoint("thumb tip", 0.5, 0.5, True))
    assert answer.where.endswith("export.json, annotation 1")
    (answer,) = read_coco(save(content(attributes={"annotator": "ann", "occluded": False})))
    assert answer.annotator == "ann"
    assert read_coco(save(content(category_id=2))) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations": 5}, "with the lists images, categories, annotations"),
        ({"images": [5]}, "image 1 must be an object"),
        ({"images": [{"id": None}]}, "image 1: the id must be a whole number or a text, got None"),
        ({"images": content()["images"] * 2}, "image 2 has the id 1 of an earlier one"),
        ({"categories": []}, "has no category with keypoints"),
        ({"categories": [{"id": 1, "keypoints": [5]}]}, "a keypoint must be a text"),
    ],
)
def test_what_is_no_export(save: Save, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataFileError) as caught:
        read_coco(save({**content(), **change}))
    assert message in str(caught.value)
    assert "export.json" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "frame", "message"),
    [
        ({"images": []}, "", "is of an image that the file does not list"),
        ({"images": [{"id": 1, "width": 90, "height": 60}]}, "", "file_name of its image must be a text"),
        ({"images": [{**content()["images"][0], "width": 0}]}, "a.png", "0 x 60 pixels"),
        ({"images": [{**content()["images"][0], "height": "60"}]}, "a.png", "height of its image must be a number"),
        ({"categories": [{"id": 1, "keypoints": ["palm"]}]}, "a.png", "has 9 numbers of keypoints, but its category 1"),
        (content(image_id=[]), "", "image_id must be"),
        (content(category_id=None), "a.png", "category_id must be"),
        (content(keypoints=None), "a.png", "a box or polygon without keypoints; delete it in the tool"),
        (content(keypoints=[]), "a.png", "keypoints is empty, as of a tracked skeleton whose points are all outside"),
        (content(keypoints=[9, 12, 2] * 2), "a.png", "has 6 numbers of keypoints, but its category 3 joints"),
        (content(keypoints="[9, 12, 2]"), "a.png", "keypoints must be a list"),
        (content(keypoints=[0, 0, 3] * 3), "a.png", "visibility of palm must be 0, 1 or 2, got 3"),
        (content(keypoints=[None, 0, 2] * 3), "a.png", "palm must be a number"),
        (content(keypoints=[float("inf"), 0, 2] * 3), "a.png", "palm must be a number"),
    ],
)
def test_a_damaged_annotation_is_one_with_a_fault(save: Save, change: dict[str, Any], frame: str, message: str) -> None:
    """What else the file holds is not lost."""
    whole = {**content(), **change}
    sound = {"id": 2, "file_name": "b.png", "width": 90, "height": 60}
    whole["images"] = [*whole["images"], sound]
    joints = next(len(each["keypoints"]) for each in whole["categories"] if each["id"] == 1)
    whole["annotations"] = [
        *whole["annotations"],
        {"id": 2, "image_id": 2, "category_id": 1, "keypoints": [9, 12, 2] * joints},
        5,
    ]
    damaged, good, number = read_coco(save(whole))
    assert (damaged.frame, damaged.keypoints) == (frame, ())
    assert message in damaged.faults[0]
    assert damaged.where.endswith("export.json, annotation 1")
    assert (good.frame, good.faults, len(good.keypoints)) == ("b.png", (), joints)
    assert (number.frame, number.faults) == ("", ("must be an object, got 5",))


def test_a_list_is_no_export(save: Save) -> None:
    with pytest.raises(DataFileError, match="export COCO keypoints"):
        read_coco(save([]))


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(jsons | nearly(content(attributes={"annotator": "a"})))
def test_any_json_is_answers_or_an_error(tmp_path: Path, whole: Any) -> None:
    path = tmp_path / "fuzz.json"
    path.write_text(json.dumps(whole))
    try:
        for answer in read_coco(path):
            answer.annotator.encode()
    except SeqGCNError as error:
        str(error).encode()
