"""What annotators are asked about classes, and the record of it."""

import json
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from seqgcn.annotation.class_tasks import (
    ClassTask,
    ClassTasks,
    class_configuration,
    cvat_labels,
    read_class_tasks,
    write_class_tasks,
)
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError


def picture(width: int = 6, height: int = 4, turned: bool = False) -> bytes:
    file = BytesIO()
    exif = Image.Exif()
    if turned:
        exif[0x0112] = 6
    Image.new("RGB", (width, height)).save(file, "JPEG", exif=exif)
    return file.getvalue()


TASKS = ClassTasks(
    classes=("cat", 'd"og & <x>'),
    tasks=(
        ClassTask("a/ü 1.jpg", "a-1-0123456789ab.jpg", 1.5, "cat", 0.75),
        ClassTask("b.jpg", "b-0123456789ab.jpg", None),
    ),
    labeled={"c.jpg": "cat", "d.jpg": ""},
)


def test_the_configuration_has_a_button_and_a_hot_key_for_each_class() -> None:
    root = ET.fromstring(class_configuration(TASKS.classes))  # noqa: S314
    assert [(tag.tag, tag.get("name"), tag.get("toName")) for tag in root] == [
        ("Image", "image", None),
        ("Choices", "class", "image"),
        ("TextArea", "new-class", "image"),
    ]
    assert [(tag.get("value"), tag.get("hotkey")) for tag in root.iter("Choice")] == [
        ("cat", "1"),
        ('d"og & <x>', "2"),
    ]


def test_many_classes_have_a_filter_and_each_key_once() -> None:
    root = ET.fromstring(class_configuration([f"class {number}" for number in range(100)]))  # noqa: S314
    keys = [tag.get("hotkey") for tag in root.iter("Choice")]
    assert len(keys) == 100
    used = [key for key in keys if key]
    assert len(used) == len(set(used)) == 33
    assert [tag.get("toName") for tag in root.iter("Filter")] == ["class"]


def test_without_classes_annotators_write_them() -> None:
    root = ET.fromstring(class_configuration((), pictured=False))  # noqa: S314
    assert [tag.tag for tag in root] == ["Text", "TextArea"]


def test_a_class_that_xml_cannot_hold() -> None:
    with pytest.raises(ArgumentError, match=r"class 'a\\x00b' has a character"):
        class_configuration(["a\0b"])


def test_files_for_tools(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/of-an-earlier-round.png").touch()
    write_class_tasks(tmp_path, TASKS, [picture(), picture(turned=True)], image_prefix="/here/")
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [task.picture for task in TASKS.tasks]
    first, second = json.loads((tmp_path / "label_studio.json").read_text())
    assert first["data"] == {"image": "/here/a-1-0123456789ab.jpg", "item": "a/ü 1.jpg", "rank": 1, "score": 1.5}
    assert first["predictions"][0]["score"] == 0.75
    assert first["predictions"][0]["result"][0]["value"] == {"choices": ["cat"]}
    assert "predictions" not in second
    coco = json.loads((tmp_path / "coco_classes.json").read_text())
    assert [(image["width"], image["height"]) for image in coco["images"]] == [(6, 4), (4, 6)]
    assert [category["name"] for category in coco["categories"]] == list(TASKS.classes)
    assert coco["annotations"] == []
    assert (tmp_path / "frames.txt").read_text() == "a/ü 1.jpg\nb.jpg\n"
    assert (tmp_path / "classes.csv").read_text().splitlines() == [
        "item,class,predicted class,probability,picture",
        "a/ü 1.jpg,,cat,0.750,a-1-0123456789ab.jpg",
        "b.jpg,,,,b-0123456789ab.jpg",
    ]


def test_labels_of_cvat() -> None:
    labels = cvat_labels(["cat", "dog", "fox"])
    assert [label["name"] for label in labels] == ["cat", "dog", "fox"]
    assert {label["type"] for label in labels} == {"tag"}
    assert len({label["color"] for label in labels}) == 3


def test_rows_of_features_are_shown_by_their_names(tmp_path: Path) -> None:
    write_class_tasks(tmp_path, ClassTasks(("cat",), (ClassTask("row, one", "", 0.5, "cat"),)))
    (task,) = json.loads((tmp_path / "label_studio.json").read_text())
    assert task["data"] == {"item": "row, one", "rank": 1, "score": 0.5}
    assert task["predictions"][0]["result"][0]["to_name"] == "item"
    assert not (tmp_path / "images").exists()
    assert not (tmp_path / "coco_classes.json").exists()


def test_the_record_is_read_back(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"classes\.json is missing"):
        read_class_tasks(tmp_path)
    write_class_tasks(tmp_path, TASKS, [picture(), picture()])
    assert read_class_tasks(tmp_path) == TASKS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON"),
        ("[]", "must be an object"),
        ('{"version": 2}', "another version than 1"),
        ('{"version": 1}', "is damaged"),
        ('{"version": 1, "classes": 3, "labeled": {}, "tasks": [], "predicted_by": ""}', "classes must be a list"),
        ('{"version": 1, "classes": [], "labeled": {}, "tasks": [{}], "predicted_by": ""}', "is damaged"),
        ('{"version": 1, "classes": [], "labeled": {"a": 1}, "tasks": [], "predicted_by": ""}', "labeled must be"),
    ],
)
def test_a_damaged_record(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(DataFileError, match=message):
        read_class_tasks(tmp_path)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"b\.jpg cannot be read as an image"):
        write_class_tasks(tmp_path, TASKS, [picture(), b"no picture"])
