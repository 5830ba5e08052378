"""Which items have which class: tables and folders."""

from pathlib import Path
from typing import Any

import pytest
from class_rounds import ask, draw, flat, handed_off, table
from logged import logged

from seqgcn.config.select import SelectConfig
from seqgcn.exceptions import ConfigError, DataFileError
from seqgcn.rounds.known_classes import is_class_table, read_class_folders, read_class_table
from seqgcn.rounds.select_round import Round

NAMES = ("a.png", "b.png", "c.png")


def read(path: Path, text: str, **terms: Any) -> Any:
    path.write_text(text)
    return read_class_table(str(path), NAMES, **terms)


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    assert read(path, "item,class\nb.png,dog\na.png,cat\n") == (("cat", "dog"), {1: 1, 0: 0})
    assert read(path, "item,class\nb.png,dog\n", classes=["fox", "dog"]) == (("fox", "dog"), {1: 1})
    assert read(path, "", classes=["fox"]) == (("fox",), {})
    assert read(path, "item,class\nb.png,\na.png,cat\n", blank=True) == (("cat",), {1: -1, 0: 0})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,class\na.png,\n", "line 2: 'a.png' has no class"),
        ("item,class\na.png,cat \n", "line 2: the class 'cat ' begins or ends with a space"),
        ("item,class\na.png,cat\nb.png,Cat\n", r"line 3: the class 'Cat' is another spelling of 'cat' \(line 2\)"),
        ("item,class\nd.png,cat\n", "line 2: 'd.png' is not the name of an item"),
        ("item,class\na.png,cat\na.png,dog\n", "line 3: 'a.png' is in line 2 already"),
    ],
)
def test_what_is_wrong_with_a_table(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataFileError, match=message):
        read(tmp_path / "t.csv", text)


def test_a_class_that_is_not_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"line 2: the class 'cats' is none of cat, dog; is it 'cat'\?.*--classes"):
        read(tmp_path / "t.csv", "item,class\na.png,cats\n", classes=["cat", "dog"])


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("item,class\n", True), ("\ufeffitem,class\r\n", True), ("item,class,more\n", False), ("", False)],
)
def test_what_a_table_begins_with(tmp_path: Path, text: str, is_one: bool) -> None:
    (tmp_path / "t").write_text(text, newline="")
    assert is_class_table(tmp_path / "t", NAMES) == is_one
    assert not is_class_table(tmp_path / "t", ["item,class"])


# folders


FOLDERS = ("cat/1.png", "cat/more/2.png", "dog/1.png", "unlabeled/3.png", "4.png")


def test_folders_are_classes(tmp_path: Path) -> None:
    (tmp_path / "p/new").mkdir(parents=True)
    with logged() as messages:
        found = read_class_folders(str(tmp_path / "p"), str(tmp_path / "p"), FOLDERS)
    assert found == (("cat", "dog"), {0: 0, 1: 0, 2: 1})
    assert messages == ["labeled by their folders: cat 2, dog 1; 2 pictures have no label"]
    inner = [f"done/{name}" for name in FOLDERS]
    assert read_class_folders(str(tmp_path / "done"), str(tmp_path), [*inner, "new/5.png"])[1] == {0: 0, 1: 0, 2: 1}


def test_only_folders_of_named_classes_count(tmp_path: Path) -> None:
    found = read_class_folders(str(tmp_path), str(tmp_path), FOLDERS, ["dog", "fox"])
    assert found == (("dog", "fox"), {2: 0})


@pytest.mark.parametrize(
    ("folder", "names", "classes", "message"),
    [
        ("/elsewhere", FOLDERS, (), "--labelled /elsewhere is not in"),
        ("", ("1.png", "unlabeled/2.png"), (), "has no folders of pictures named after their class"),
        ("", FOLDERS, ("fox",), "has no folders of pictures called fox"),
        ("", ("cat/1.png", "Cat/2.png"), (), "the folders 'Cat' and 'cat' are spellings of one class"),
        ("", ("cat/1.png", "Dog/2.png"), ("cat", "dog"), "the folder 'Dog' is another spelling of the class 'dog'"),
        ("", ("cat /1.png",), (), "the class 'cat ' begins or ends with a space; rename its folder"),
    ],
)
def test_what_is_wrong_with_folders(
    tmp_path: Path, folder: str, names: tuple[str, ...], classes: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataFileError, match=message):
        read_class_folders(folder or str(tmp_path), str(tmp_path), names, classes)


# rounds


TRUTH = flat(8)


def test_a_round_whose_labels_are_folders(tmp_path: Path) -> None:
    names = {f"{kind}/{number}.png": kind for kind in ("cat", "dog") for number in range(2)}
    root = draw(tmp_path / "pictures", {**names, **{f"unlabeled/{name}": kind for name, kind in TRUTH.items()}})
    config = ask(tmp_path / "round", root, labelled=str(root))
    assert all(item.startswith("unlabeled/") for item in handed_off(tmp_path / "round"))
    assert Round(config, tmp_path / "round", resume=True).pool.label_names() == names


def test_classes_that_have_no_label_yet_are_asked_for(tmp_path: Path) -> None:
    root = draw(tmp_path / "pictures", TRUTH)
    known = table(tmp_path / "known.csv", dict(list(TRUTH.items())[:2]))
    ask(tmp_path / "round", root, labelled=str(known), classes=("dog", "fox", "cat"))
    setup = (tmp_path / "round/tasks/label_studio.xml").read_text()
    assert [setup.index(f'"{name}"') for name in ("dog", "fox", "cat")] == sorted(
        setup.index(f'"{name}"') for name in ("dog", "fox", "cat")
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["cat "]}, "--classes: 'cat ' begins or ends with a space"),
        ({"classes": ["cat", "Cat"]}, "'cat' and 'Cat' differ in spelling alone"),
        ({"classes": ["cat", "cat"]}, "names a class twice"),
        ({"classes": ["cat"], "dataset": "depth-folder"}, "depth-folder has poses"),
    ],
)
def test_classes_that_cannot_be_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SelectConfig(**{"dataset": "image-folder", "root": "pictures", **changes})


def test_the_command_names_classes() -> None:
    config = SelectConfig(dataset="image-folder", root="pictures", classes=("cat", "big dog"))
    assert "--classes cat 'big dog'" in config.command("round")
