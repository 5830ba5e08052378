import errno
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hand_rounds
import pytest
from hand_rounds import answer, content, labels_of, make_round, picks_of, record, take, truth

from seqgcn.config.select import SelectConfig
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.exceptions import ConfigError, DataFileError, MissingFileError, RunFolderError
from seqgcn.rounds.handoff import read_export
from seqgcn.utils.locks import locked

pytestmark = pytest.mark.usefixtures("mean_pose")


# another picture


@pytest.mark.parametrize("joint_depth", [("prediction",), ("surface+offset", "prediction")])
def test_a_frame_that_changed_since(
    config: SelectConfig, icvl: HandDataset, tmp_path: Path, joint_depth: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "round"
    export, before = answer(folder, icvl, tmp_path / "export.json"), content(folder)
    first = picks_of(folder)[0]
    really = HandDataset.depth

    def nearer(self: HandDataset, i: int) -> DepthImage:
        image = really(self, i)
        return image._replace(depth=image.depth + 30 * (image.depth > 0)) if self.files[i] == first else image

    with monkeypatch.context() as patch:
        patch.setattr(HandDataset, "depth", nearer)
        with pytest.raises(DataFileError, match=rf"{first} changed since the tasks were made: .* or select again"):
            take(folder, config, [export], joint_depth=joint_depth)
    assert content(folder) == before
    assert take(folder, config, [export], joint_depth=joint_depth).labels == folder / "labels.txt"


def test_labels_that_are_gone(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    """More than there were are no problem: others may have labeled meanwhile."""
    folder, mine = tmp_path / "round", tmp_path / "mine.txt"
    export, before = answer(folder, icvl, tmp_path / "export.json"), content(folder)
    rows = mine.read_text().splitlines(keepends=True)
    mine.write_text("".join(rows[:-1]))
    with pytest.raises(DataFileError, match=r"mine\.txt has 2 labels, but there were 3 when the round was begun"):
        take(folder, config, [export], labelled=3)
    assert content(folder) == before
    mine.write_text("".join(rows))
    assert take(folder, config, [export], labelled=2).labels is not None


# crashes


class Killed(BaseException):
    """Nothing in the package expects it."""


@contextmanager
def failing(name: str, error: BaseException) -> Iterator[None]:
    """A file of this name does not get its place."""
    really = os.replace

    def fail(source: str, target: Any) -> None:
        if Path(target).name == name:
            raise error
        really(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", fail)
        yield


@pytest.mark.parametrize("file", ["labels.txt", "imported-1.csv", ".labels.txt.imported.unfinished"])
@pytest.mark.parametrize(
    "error",
    [Killed(), OSError(errno.ENOSPC, "No space left on device"), PermissionError(errno.EACCES, "Permission denied")],
    ids=["killed", "full", "read-only"],
)
def test_cut_off(config: SelectConfig, icvl: HandDataset, tmp_path: Path, file: str, error: BaseException) -> None:
    folder, picks = tmp_path / "round", picks_of(tmp_path / "round")
    before = content(folder)
    export = answer(folder, icvl, tmp_path / "export.json")
    expected = Killed if isinstance(error, Killed) else RunFolderError
    with failing(file, error), pytest.raises(expected) as caught:
        take(folder, config, [export])
    if isinstance(error, OSError):
        assert str(caught.value) == f"cannot write {folder / file}: {error.strerror}"
    assert content(folder).keys() - before.keys() <= {"imported-1.csv"}

    # Not the same again: what is recorded is what there is.
    export = answer(folder, icvl, tmp_path / "export.json", picks[1:])
    assert take(folder, config, [export], partial=True).record == folder / "imported-1.csv"
    assert {row["frame"] for row in record(folder / "imported-1.csv")} == set(picks[1:])
    assert set(labels_of(folder, "icvl", icvl.root)) == {*icvl.files[:3], *picks[1:]}
    assert sorted(content(folder).keys() - before.keys()) == ["imported-1.csv", "labels.txt"]


def test_cut_off_at_the_second_import(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    folder, picks = tmp_path / "round", picks_of(tmp_path / "round")
    take(folder, config, [answer(folder, icvl, tmp_path / "1.json", picks[:2])], partial=True)
    before = content(folder)
    export = answer(folder, icvl, tmp_path / "2.json")
    with failing("labels.txt", Killed()), pytest.raises(Killed):
        take(folder, config, [export])
    assert {name: data for name, data in content(folder).items() if name != "imported-2.csv"} == before
    imported = take(folder, config, [export])
    assert (imported.record, imported.again) == (folder / "imported-2.csv", 2)
    assert {row["frame"] for row in record(folder / "imported-2.csv")} == set(picks[2:])
    assert content(folder)["imported-1.csv"] == before["imported-1.csv"]


def test_what_a_killed_process_left_is_cleared_away(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    folder = tmp_path / "round"
    (folder / ".labels.txt.imported.unfinished").write_text("half a row")
    assert take(folder, config, [answer(folder, icvl, tmp_path / "1.json")]).labels is not None
    assert not [path for path in folder.iterdir() if path.name.endswith(".unfinished")]


def test_the_copy_does_not_fit(
    config: SelectConfig, icvl: HandDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    export = answer(tmp_path / "round", icvl, tmp_path / "1.json")
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(RunFolderError, match=r"cannot write .*/round/labels\.txt: No space left on device"):
        take(tmp_path / "round", config, [export])
    assert not (tmp_path / "round/labels.txt").exists()


@pytest.mark.parametrize(
    ("text", "number"), [("", 2), ("frame;joint;u\na;b;1\n", 2), ("\xff", 2), ("frame,joint\n", 1)]
)
def test_a_record_that_somebody_changed_is_kept(
    config: SelectConfig, icvl: HandDataset, tmp_path: Path, text: str, number: int
) -> None:
    """One that is a header alone says nothing."""
    folder = tmp_path / "round"
    (folder / "imported-1.csv").write_text(text, encoding="latin1")
    imported = take(folder, config, [answer(folder, icvl, tmp_path / "1.json")])
    assert imported.record == folder / f"imported-{number}.csv"


def test_another_process_holds_the_folder(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    folder = tmp_path / "round"
    export = answer(folder, icvl, tmp_path / "1.json")
    before = content(folder)
    with locked(folder), pytest.raises(RunFolderError, match="is in use by process"):
        take(folder, config, [export])
    assert content(folder) == before


# what cannot be used


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"joint_depth": ("surface",)}, "joint-depth must be one of"),
        ({"joint_depth": ("column",)}, "joint-depth column and a file of depths go together"),
        ({"depths": "depths.csv"}, "joint-depth column and a file of depths go together"),
        ({"disagree": 0.0}, "disagree must be"),
        ({"disagree": float("nan")}, "disagree must be"),
    ],
)
def test_arguments(config: SelectConfig, tmp_path: Path, changes: Any, message: str) -> None:
    before = content(tmp_path / "round")
    with pytest.raises(ConfigError, match=message):
        take(tmp_path / "round", config, ["export.json"], **changes)
    assert content(tmp_path / "round") == before


def test_nothing_was_predicted(icvl: HandDataset, tmp_path: Path) -> None:
    (tmp_path / "none.txt").touch()
    config = make_round(tmp_path / "round", "icvl", icvl.root, labelled=str(tmp_path / "none.txt"))
    export = answer(tmp_path / "round", icvl, tmp_path / "export.json")
    with pytest.raises(
        ConfigError, match=r"no pose was predicted in this round.*with --joint-depth surface\+offset or"
    ):
        take(tmp_path / "round", config, [export])
    assert take(tmp_path / "round", config, [export], joint_depth=("prediction", "surface+offset")).labels


@pytest.mark.parametrize("dataset", ["nyu", "msra", "rendered-hands", "digits", "image-folder", None])
def test_rounds_whose_labels_are_not_imported(tmp_path: Path, dataset: str | None) -> None:
    given: Any = {"dataset": dataset} if dataset else {"features": "x.npy"}
    with pytest.raises(
        RunFolderError,
        match=rf"{dataset or 'features'}: joints are imported into rounds of.*--continue '.*/a b' --labelled LIST",
    ):
        take(tmp_path / "a b", SelectConfig(**given), ["export.json"])
    assert not (tmp_path / "a b").exists()


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (None, RunFolderError, r"frames\.json is missing.*go on with seqgcn select --out .*round --resume, else"),
        ("", DataFileError, r"frames\.json is no JSON file"),
        ("{}", DataFileError, r"frames\.json is of another version"),
        ('{"version": 2}', DataFileError, r"frames\.json is damaged .*restore it, or select again"),
    ],
)
def test_damaged_tasks(config: SelectConfig, tmp_path: Path, damage: str | None, error: Any, message: str) -> None:
    tasks = tmp_path / "round/tasks/frames.json"
    tasks.unlink() if damage is None else tasks.write_text(damage)
    with pytest.raises(error, match=message):
        take(tmp_path / "round", config, ["export.json"])
    assert not (tmp_path / "round/labels.txt").exists()


def test_frames_that_are_gone(rendered: Callable[[str], Path], tmp_path: Path) -> None:
    root = shutil.copytree(rendered("icvl"), tmp_path / "data")
    hands = truth("icvl", root)
    hand_rounds.keep_labels("icvl", root, tmp_path / "mine.txt", 3)
    config = make_round(tmp_path / "round", "icvl", root, labelled=str(tmp_path / "mine.txt"))
    export = answer(tmp_path / "round", hands, tmp_path / "export.json")
    item = picks_of(tmp_path / "round")[0]
    (root / item).unlink()
    with pytest.raises(DataFileError, match=rf"of this round, .*data lacks {item}; restore it, or select"):
        take(tmp_path / "round", config, [export])
    assert not (tmp_path / "round/labels.txt").exists()


def test_another_camera(rendered: Callable[[str], Path], tmp_path: Path) -> None:
    root = hand_rounds.copy_with_labels("depth-folder", rendered("depth-folder"), tmp_path / "data", 3)
    hands = truth("depth-folder", rendered("depth-folder"))
    config = make_round(tmp_path / "round", "depth-folder", root)
    export = answer(tmp_path / "round", hands, tmp_path / "export.json")
    camera = (root / "camera.yaml").read_text()
    (root / "camera.yaml").write_text(camera.replace("fx: ", "fx: 1"))
    with pytest.raises(DataFileError, match=r"camera or joints of .*data are not those of the round any more"):
        take(tmp_path / "round", config, [export])
    (root / "camera.yaml").write_text(camera)
    assert take(tmp_path / "round", config, [export]).labels is not None


def test_damaged_labels_name_their_line(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    folder = tmp_path / "round"
    take(folder, config, [answer(folder, icvl, tmp_path / "1.json", picks_of(folder)[:2])], partial=True)
    with open(folder / "labels.txt", "a") as file:
        file.write("201401010000/image_0009.png 1 2\n")
    before = content(folder)
    with pytest.raises(DataFileError, match=r"round/labels\.txt, line 6 has 2 numbers, expected 48"):
        take(folder, config, [answer(folder, icvl, tmp_path / "2.json")])
    assert content(folder) == before


def test_the_labels_of_before_are_gone(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    folder, picks = tmp_path / "round", picks_of(tmp_path / "round")
    export = answer(folder, icvl, tmp_path / "1.json", picks[:2])
    (tmp_path / "mine.txt").rename(tmp_path / "elsewhere.txt")
    with pytest.raises(MissingFileError, match=r"mine\.txt does not exist"):
        take(folder, config, [export], partial=True)
    (tmp_path / "elsewhere.txt").rename(tmp_path / "mine.txt")
    take(folder, config, [export], partial=True)
    # Once they are in the round's own file, they are not needed any more.
    (tmp_path / "mine.txt").unlink()
    assert take(folder, config, [answer(folder, icvl, tmp_path / "2.json")]).labels is not None
    assert set(labels_of(folder, "icvl", icvl.root)) == {*icvl.files[:3], *picks}


# reading exports


def test_exports_of_other_kinds(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"none\.json is missing"):
        read_export(tmp_path / "none.json")
    with pytest.raises(MissingFileError, match="is missing or not a regular file"):
        read_export(tmp_path)
    for name, held, message in (
        ("a.json", "[]", r"export\.zip is a ZIP archive; unpack it and name the JSON file in it \(a\.json\)"),
        ("a.txt", "", r"export\.zip is a ZIP archive without a JSON file; export from Label Studio in the format JSON"),
        ("classes.txt", "palm", "format YOLO, which has no keypoints; export from Label Studio in the format JSON"),
    ):
        with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
            archive.writestr(name, held)
            archive.writestr("notes.json", "{}")
        with pytest.raises(DataFileError, match=message):
            read_export(str(tmp_path / "export.zip"))
    (tmp_path / "export.csv").write_text('"annotation_id","annotator","joints"\n1,"1","[]"\n')
    with pytest.raises(DataFileError, match=r"export\.csv is a CSV table.*in the format JSON, or from CVAT"):
        read_export(tmp_path / "export.csv")
    (tmp_path / "x.json").write_text("3")
    with pytest.raises(DataFileError, match=r"x\.json must be an object with the lists images, categories, annot"):
        read_export(tmp_path / "x.json")
    (tmp_path / "x.json").write_text("[]")
    assert read_export(tmp_path / "x.json") == []


def test_predictions_are_no_answers(config: SelectConfig, tmp_path: Path) -> None:
    for name in ("label_studio", "coco_keypoints"):
        copied = shutil.copy(tmp_path / f"round/tasks/{name}.json", tmp_path / "export.json")
        with pytest.raises(DataFileError, match="is what was handed off"):
            take(tmp_path / "round", config, [copied])
    assert not (tmp_path / "round/labels.txt").exists()
