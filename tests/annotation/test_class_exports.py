"""Reading who called which item what."""

import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from class_rounds import annotation
from hypothesis import given
from hypothesis import strategies as st

from seqgcn.annotation.class_exports import ClassAnswer, read_class_export
from seqgcn.exceptions import DataFileError, MissingFileError


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def of(path: Path, content: Any) -> list[ClassAnswer]:
    return read_class_export(write(path, content))


def short(answers: list[ClassAnswer]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(answer.item, answer.annotator, answer.classes) for answer in answers]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "export"


def task(*annotations: Any, item: str = "a.png", **more: Any) -> dict[str, Any]:
    return {"data": {"image": f"/data/{item}", "item": item}, "annotations": list(annotations), **more}


# Label Studio


def test_annotations_of_label_studio(path: Path) -> None:
    ann = {"id": 7, "first_name": "Ann", "last_name": "Lee", "email": "ann@lab.org"}
    answers = of(
        path,
        [
            task(annotation("cat", by=ann), annotation("dog", by=3, ground_truth=True)),
            task(annotation(None, by=7), item="b.png"),
            task(annotation("fox", new=True, by=7), item="c.png"),
            task(item="d.png", drafts=[{"created_username": "Ann ann@lab.org, 7", "result": []}]),
        ],
    )
    assert short(answers) == [
        ("a.png", "Ann Lee", ("cat",)),
        ("a.png", "3", ("dog",)),
        ("b.png", "Ann Lee", ()),
        ("c.png", "Ann Lee", ("fox",)),
        ("d.png", "Ann ann@lab.org", ()),
    ]
    assert [answer.starred for answer in answers] == [False, True, False, False, False]
    assert [answer.skipped for answer in answers] == [False, False, True, False, False]
    assert answers[-1].draft
    assert answers[1].where == f"{path}, task 1, annotation 2"


def test_other_questions_of_a_project_are_passed_over(path: Path) -> None:
    quality = {"from_name": "quality", "type": "choices", "value": {"choices": ["blurred"]}}
    given = annotation("cat")
    given["result"].append(quality)
    assert of(path, [task(given)])[0].classes == ("cat",)
    # In a project of one's own, the one question there is may be called otherwise.
    assert of(path, [task({**given, "result": [quality]})])[0].classes == ("blurred",)


def test_one_damaged_annotation_costs_itself(path: Path) -> None:
    answers = of(path, [task({"completed_by": 1, "result": 3}, annotation("cat")), 3, task(annotation("dog"))])
    assert [(answer.item, answer.classes, answer.fault) for answer in answers] == [
        ("a.png", (), "the result must be a list, got 3"),
        ("a.png", ("cat",), ""),
        ("", (), "must be an object, got 3"),
        ("a.png", ("dog",), ""),
    ]


def test_label_studios_short_json(path: Path) -> None:
    answers = of(
        path,
        [
            {"image": "/data/upload/3/1a2b3c4d-a.png", "class": "cat", "annotator": 1},
            {"item": "b.png", "class": {"choices": ["cat", "dog"]}},
            {"item": 17, "new-class": "fox"},
        ],
    )
    assert short(answers) == [
        ("/data/upload/3/1a2b3c4d-a.png", "1", ("cat",)),
        ("b.png", "export", ("cat", "dog")),
        ("17", "export", ("fox",)),
    ]


def test_label_studios_csv(path: Path) -> None:
    answers = of(
        path,
        '"annotation_id","annotator","class","created_at","id","image","item","lead_time","updated_at"\n'
        '37,"1","cat","2026-11-30T19:00:27.9Z",49,"/data/local-files/?d=cat/a.png","cat/a.png","","2026-11-30T19:00:27Z"\n'
        '38,"2","{""choices"": [""cat"", ""dog""]}","",50,"/data/x.png","x.png","",""\n'
        '39,"2","","",51,"/data/y.png","y.png","",""\n',
    )
    assert short(answers) == [("cat/a.png", "1", ("cat",)), ("x.png", "2", ("cat", "dog")), ("y.png", "2", ())]
    assert answers[0].updated == "2026-11-30T19:00:27Z"


# tables


@pytest.mark.parametrize(
    "text",
    [
        "item,class\na.png,cat\n",
        "\ufeffitem,class\r\na.png,cat\r\n",
        "Item;Class\na.png;cat\n",
        "item\tclass\na.png\tcat\n",
        'class,item\ncat,"a.png"\n\n',
        "file_name,label,remark\na.png,cat,\n",
    ],
)
def test_tables(path: Path, text: str) -> None:
    assert short(of(path, text)) == [("a.png", "export", ("cat",))]


def test_spaces_stay_for_the_checks(path: Path) -> None:
    assert short(of(path, "item,class\na.png ,cat \n")) == [("a.png ", "export", ("cat ",))]


def test_a_row_of_too_many_cells_costs_itself(path: Path) -> None:
    wrong, right = of(path, "item,class\na,b.png,cat\nc.png,dog\n")
    assert (wrong.item, wrong.where) == ("a", f"{path}, line 2")
    assert wrong.fault.startswith("3 cells, but the header has 2")
    assert right.classes == ("dog",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the header must name item and class, got ''"),
        ("a.png,cat\nb.png,dog\n", "line 1: the header must name item and class, got 'a.png,cat'"),
        ("item\na.png\n", "the header must name item and class"),
        ("item,class,class\na,b,c\n", "two columns are called class"),
        ('item,class\n"a.png,cat\n', "is no CSV"),
    ],
)
def test_what_is_no_table(path: Path, text: str, message: str) -> None:
    with pytest.raises(DataFileError, match=message):
        of(path, text)


# other tools


def test_coco(path: Path) -> None:
    content = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "images/b.png"}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]},
            {"image_id": 1, "category_id": 1},
            {"image_id": 2, "category_id": 1},
            {"image_id": 2, "category_id": 2},
            {"image_id": 3, "category_id": 2},
        ],
    }
    answers = of(path, content)
    assert short(answers)[1:] == [("a.png", "export", ("cat",)), ("images/b.png", "export", ("cat", "dog"))]
    assert answers[0].fault == "the file has no image 3"


def test_cvat(path: Path) -> None:
    answers = of(
        path,
        '<?xml version="1.0"?><annotations><version>1.1</version>'
        '<image id="0" name="a.png"><tag label="cat" source="manual"></tag></image>'
        '<image id="1" name="b.png"></image></annotations>',
    )
    assert short(answers) == [("a.png", "export", ("cat",))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>', "declares a document type"),
        ("<annotations>", "is no XML file"),
        ("<html></html>", r"XML of another kind \(html\)"),
        ("{}", "is not known to hold classes"),
        ("[3]", "must be an object"),
        ("[", "is no JSON file"),
    ],
)
def test_what_is_no_export(path: Path, text: str, message: str) -> None:
    with pytest.raises(DataFileError, match=message):
        of(path, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nothing\.json is missing"):
        read_class_export(tmp_path / "nothing.json")
    with pytest.raises(MissingFileError, match="not a regular file"):
        read_class_export(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("result.json", "[]")
    with pytest.raises(DataFileError, match=r"a\.zip is a ZIP archive; unpack it"):
        read_class_export(tmp_path / "a.zip")
    (tmp_path / "latin.csv").write_bytes("item,class\nä,b\n".encode("latin-1"))
    with pytest.raises(DataFileError, match=r"latin\.csv, line 2 is not UTF-8"):
        read_class_export(tmp_path / "latin.csv")


# whatever is in a file

KEYS = [
    "data",
    "annotations",
    "result",
    "type",
    "value",
    "choices",
    "item",
    "class",
    "completed_by",
    "drafts",
    "images",
    "categories",
    "image_id",
    "category_id",
    "id",
    "name",
    "from_name",
    "text",
    "file_name",
]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(content=VALUES)
def test_any_json_gives_answers_or_an_error_of_its_own(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    check(tmp_path_factory, json.dumps(content).encode())


@given(content=st.lists(st.fixed_dictionaries({"data": VALUES, "annotations": VALUES}), min_size=1, max_size=3))
def test_any_task_gives_answers_or_an_error_of_its_own(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    check(tmp_path_factory, json.dumps(content).encode())


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_give_answers_or_an_error_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    check(tmp_path_factory, content)
    check(tmp_path_factory, b"item,class\n" + content)
    check(tmp_path_factory, b"<annotations>" + content)


def check(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    with suppress(DataFileError):
        answers = read_class_export(path)
        assert all(isinstance(name, str) for answer in answers for name in (answer.item, *answer.classes))
        assert all(answer.item or answer.fault for answer in answers)
