"""Tasks for the classes of pictures of all kinds, of arrays and of rows of features."""

import json
from pathlib import Path
from typing import Any

import pytest
from class_rounds import ask, draw, flat, handed_off, labels, table
from PIL import Image
from rounds.toys import features, write

from seqgcn.annotation.class_tasks import read_class_tasks
from seqgcn.config.select import SelectConfig
from seqgcn.datasets.registry import dataset_maker
from seqgcn.exceptions import DataFileError
from seqgcn.rounds.class_import import import_classes
from seqgcn.rounds.inputs import ListedFiles
from seqgcn.rounds.record import next_config
from seqgcn.rounds.select_round import Round

OWN = """
import numpy as np
from pathlib import Path

labels = np.array([0, 1] * 6)
pictures = np.random.default_rng(0).integers(0, 255, (12, 1, 8, 8)).astype("uint8")
some = np.where(np.arange(12) < 4, labels, -1)
none = np.full(12, -1)

def partly(): return pictures, some
def whole(): return pictures, labels
def unlabeled(): return pictures, none
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_pictures.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)


def sizes(folder: Path) -> set[tuple[int, int]]:
    found = set()
    for path in (folder / "tasks/images").iterdir():
        with Image.open(path) as image:
            found.add(image.size)
    return found


def test_large_pictures_are_copied_and_small_ones_enlarged(tmp_path: Path) -> None:
    root = draw(tmp_path / "pictures", flat(4))
    ask(tmp_path / "small", root)
    assert sizes(tmp_path / "small") == {(256, 256)}
    Image.new("RGB", (400, 300)).save(root / "photo.jpg", quality=90)
    Image.new("RGB", (400, 300)).save(root / "scan.tiff")
    listed = write(tmp_path / "these.txt", "photo.jpg", "scan.tiff")
    config: dict[str, Any] = {"set": {"dataset.image_size": 16}, "candidates": listed, "budget": 2}
    ask(tmp_path / "large", root, **config)
    pictures = sorted((tmp_path / "large/tasks/images").iterdir())
    assert [path.suffix for path in pictures] == [".jpg", ".png"]
    assert pictures[0].read_bytes() == (root / "photo.jpg").read_bytes()


def test_addresses_of_pictures(tmp_path: Path) -> None:
    ask(tmp_path / "round", draw(tmp_path / "pictures", flat(4)))
    tasks = json.loads((tmp_path / "round/tasks/label_studio.json").read_text())
    for task in tasks:
        before, _, name = task["data"]["image"].rpartition("/")
        assert before == "/data/local-files/?d=images"
        assert (tmp_path / "round/tasks/images" / name).is_file()


@pytest.mark.parametrize(
    ("dataset", "known", "classes"),
    [("partly", 4, ("0", "1")), ("whole", 2, ("0", "1")), ("unlabeled", 0, ("0", "1"))],
)
@pytest.mark.usefixtures("own")
def test_a_data_set_of_ones_own(tmp_path: Path, dataset: str, known: int, classes: tuple[str, ...]) -> None:
    given: dict[str, Any] = {"dataset": f"own_pictures:{dataset}", "classes": ("0", "1")}
    if dataset == "whole":
        given["labelled"] = write(tmp_path / "ids.txt", 0, 1)
    config = ask(tmp_path / "round", None, **given)
    items = handed_off(tmp_path / "round")
    assert sizes(tmp_path / "round") == {(256, 256)}
    path = table(tmp_path / "t.csv", {item: str(int(item) % 2) for item in items})
    import_classes(tmp_path / "round", config, [path], labelled=known)
    assert len(labels(tmp_path / "round")) == known + 4
    pool = Round(SelectConfig(**next_config(tmp_path / "round")), tmp_path / "next").pool
    assert pool.classes == classes
    assert pool.targets is not None
    assert pool.targets.tolist() == [item % 2 for item in pool.labelled.tolist()]
    assert len(pool.labelled) == known + 4


@pytest.mark.usefixtures("own")
def test_a_new_class_of_a_data_set_of_ones_own(tmp_path: Path) -> None:
    config = ask(tmp_path / "round", None, dataset="own_pictures:partly")
    path = table(tmp_path / "t.csv", dict.fromkeys(handed_off(tmp_path / "round"), "2"))
    assert import_classes(tmp_path / "round", config, [path]).labels is None
    import_classes(tmp_path / "round", config, [path], new_classes=[])
    again = SelectConfig(**next_config(tmp_path / "round"))
    assert again.classes == ("2",)
    assert Round(again, tmp_path / "next").pool.classes == ("0", "1", "2")


def test_rows_of_features_are_named(tmp_path: Path) -> None:
    items = [f"row {number}" for number in range(40)]
    names = write(tmp_path / "names.txt", *items)
    config = features(
        tmp_path,
        selector="random",
        items=names,
        labelled=write(tmp_path / "ids.txt", *items[:2]),
        classes=("cat", "dog"),
    )
    Round(config, tmp_path / "round")()
    assert not (tmp_path / "round/tasks/images").exists()
    picks = handed_off(tmp_path / "round")
    import_classes(tmp_path / "round", config, [table(tmp_path / "t.csv", dict.fromkeys(picks, "cat"))], labelled=2)
    # Of those that were only listed, the class stays open.
    assert labels(tmp_path / "round") == {**dict.fromkeys(items[:2], ""), **dict.fromkeys(picks, "cat")}
    again = Round(SelectConfig(**next_config(tmp_path / "round")), tmp_path / "next")
    assert again.pool.label_names() == labels(tmp_path / "round")
    again()
    assert not {*handed_off(tmp_path / "next")} & {*items[:2], *picks}


def test_rows_of_features_that_are_named_after_pictures_show_them(tmp_path: Path) -> None:
    draw(tmp_path, {f"p/{number}.png": "cat" for number in range(40)})
    names = write(tmp_path / "names.txt", *(f"p/{number}.png" for number in range(40)))
    Round(features(tmp_path, selector="random", items=names, labelled=None), tmp_path / "round")()
    assert sizes(tmp_path / "round") == {(256, 256)}
    Image.new("RGB", (4, 4)).save(tmp_path / "p/0.png")
    for path in (tmp_path / "p").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(DataFileError, match=r"p/\d+\.png cannot be read as an image"):
        Round(features(tmp_path, selector="random", items=names, labelled=None), tmp_path / "other")()


def test_rows_with_targets_have_predicted_classes(tmp_path: Path) -> None:
    names = write(tmp_path / "names.txt", *(f"row {number}" for number in range(40)))
    targets = table(tmp_path / "targets.csv", {f"row {number}": ("cat", "dog")[number % 2] for number in range(10)})
    terms: dict[str, Any] = {"items": names, "labelled": None, "targets": str(targets)}
    config = features(tmp_path, selector="random", **terms)
    Round(config, tmp_path / "round")()
    tasks = read_class_tasks(tmp_path / "round/tasks")
    assert {task.predicted for task in tasks.tasks} <= {"cat", "dog"}
    assert all(0.5 <= (task.probability or 0) <= 1 for task in tasks.tasks)
    picks = handed_off(tmp_path / "round")
    path = table(tmp_path / "t.csv", dict.fromkeys(picks, "fox"))
    import_classes(tmp_path / "round", config, [path], new_classes=[], labelled=10)
    pool = Round(SelectConfig(**next_config(tmp_path / "round")), tmp_path / "next").pool
    assert pool.classes == ("cat", "dog", "fox")
    assert len(pool.labelled) == 15


def test_a_table_changes_what_a_round_was_asked(tmp_path: Path) -> None:
    names = write(tmp_path / "names.txt", *(f"row {number}" for number in range(40)))
    prints = []
    for kind in ("cat", "dog"):
        known = table(tmp_path / "known.csv", {"row 1": kind, "row 2": "cat"})
        prints.append(
            Round(
                features(tmp_path, selector="random", items=names, labelled=str(known)), tmp_path / kind
            ).pool.fingerprint
        )
    assert prints[0] != prints[1]


def test_labels_that_are_numbers_are_no_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_numbers.py").write_text(
        "import numpy as np\ndef poses(): return np.ones((9, 3)), np.ones((9, 2))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    config = SelectConfig(dataset="own_numbers:poses")
    pool = dataset_maker("own_numbers:poses", None)().round_pool(ListedFiles(config))
    assert not pool.has_classes
