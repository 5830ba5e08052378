"""An active learner that is saved goes on as if nothing had happened, and one that is damaged says so."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FakeLearner
from torch_geometric.data import Data

from seqgcn import CEAL, ActiveLearner, CoreSet, Margin
from seqgcn.datasets import Digits, ImageDataset
from seqgcn.exceptions import ArgumentError, RunFolderError, SeqGCNWarning
from seqgcn.learners import SmallCNNClassifier
from seqgcn.utils import files

FIRST = {0: 0, 1: 1, 2: 2, 3: 3, 9: 1}


class Forgetful(FakeLearner):
    """Has no state that could be kept."""

    state = None  # type: ignore[assignment]
    restore = None  # type: ignore[assignment]


def begun(learner: Any, selector: Any, toy: ImageDataset, **options: Any) -> ActiveLearner:
    """Asked twice; of the first picks some are told, one is skipped, and one label was wrong."""
    al = ActiveLearner(learner, selector, toy, FIRST, seed=4, **options)
    a, b, c, d = al.ask(4)
    al.tell({a: 1, b: 2, c: 3}).skip(d)
    al.ask(3)
    al.tell({a: 0}, overwrite=True)
    return al


def everything(al: ActiveLearner) -> tuple[Any, ...]:
    return al.labels_, al.asked_, al.skipped_, al.history_


def continued(al: ActiveLearner) -> list[tuple[int, ...]]:
    """Picks from now on, some of them told."""
    first = al.ask(3)
    second = al.ask(3)
    al.tell({item: item % 4 for item in (*first, *second.items[:1])})
    return [first.items, second.items, al.ask(5).items]


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("selector", [Margin(), CoreSet(), CEAL(delta=1.3)], ids=["margin", "core-set", "ceal"])
def test_it_goes_on_with_the_same_picks(
    toy: ImageDataset, tmp_path: Path, selector: Any, warm_start: bool, told: bool
) -> None:
    al = begun(FakeLearner(num_classes=4), selector, toy, warm_start=warm_start, subset=30)
    if not told:
        al.fit()
    al.save(tmp_path / "kept")
    loaded = ActiveLearner.load(tmp_path / "kept", FakeLearner(num_classes=4), selector, toy)
    assert everything(loaded) == everything(al)
    assert hasattr(loaded, "learner_")
    assert continued(loaded) == continued(al)


def test_a_learner_whose_weights_cannot_be_kept_is_trained_again_alike(toy: ImageDataset, tmp_path: Path) -> None:
    al = begun(Forgetful(num_classes=4), Margin(), toy)
    al.ask(2)
    al.save(tmp_path)
    loaded = ActiveLearner.load(tmp_path, Forgetful(num_classes=4), Margin(), toy)
    assert not hasattr(loaded, "learner_")
    assert continued(loaded) == continued(al)


def test_a_network_is_there_again(tmp_path: Path) -> None:
    digits = Digits().limit(40, 10)
    learner = SmallCNNClassifier(epochs=1, width=0.25, device="cpu")
    al = ActiveLearner(learner, Margin(), digits.train.inputs, {item: item % 3 for item in range(9)})
    al.ask(2)
    al.save(tmp_path)
    loaded = ActiveLearner.load(tmp_path, learner, Margin(), digits.train.inputs)
    images = digits.test.inputs
    assert torch.equal(loaded.learner_.predict(images), al.learner_.predict(images))
    assert loaded.ask(3).items == al.ask(3).items


def test_labels_that_are_numbers_are_kept_exactly(tmp_path: Path) -> None:
    x, values = torch.rand(8, 2), torch.rand(3, 3)
    al = ActiveLearner(None, CoreSet(), x, {5: values, 1: values / 3})
    al.save(tmp_path)
    loaded = ActiveLearner.load(tmp_path, None, CoreSet(), x)
    assert list(loaded.labels_) == [5, 1]
    assert all(torch.equal(loaded.labels_[item], al.labels_[item]) for item in (5, 1))
    assert loaded.ask(3).items == al.ask(3).items


def test_a_data_without_labels(tmp_path: Path) -> None:
    data = Data(x=torch.rand(9, 2), train_mask=torch.arange(9) < 2, test_mask=torch.arange(9) > 6)
    al = ActiveLearner(None, CoreSet(), data)
    al.tell({1: 2, 5: 0})
    al.save(tmp_path)
    loaded = ActiveLearner.load(tmp_path, None, CoreSet(), data)
    assert loaded.labels_ == al.labels_ == {1: 2, 5: 0}
    assert loaded.ask(2).items == al.ask(2).items
    with pytest.raises(ArgumentError, match=r"item 8 is in data.val_mask or data.test_mask"):
        loaded.tell({8: 1})


def test_class_names_are_kept(toy: ImageDataset, tmp_path: Path) -> None:
    ActiveLearner(FakeLearner(), Margin(), toy.train.inputs, {0: "x"}, classes=["w", "x"]).save(tmp_path)
    loaded = ActiveLearner.load(tmp_path, FakeLearner(), Margin(), toy.train.inputs)
    assert loaded.tell({1: "w"}).labels_ == {0: 1, 1: 0}


def test_no_pickle_is_written_and_old_arrays_go(toy: ImageDataset, tmp_path: Path) -> None:
    al = begun(FakeLearner(num_classes=4), Margin(), toy)
    al.save(tmp_path)
    (first,) = tmp_path.glob("arrays-*.npz")
    al.tell({40: 2})
    al.save(tmp_path)
    (second,) = tmp_path.glob("arrays-*.npz")
    assert first != second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["active_learner.json", second.name]
    json.loads((tmp_path / "active_learner.json").read_text())
    with np.load(second, allow_pickle=False) as held:
        assert set(held.files) == {"known", "targets", "weights/means_"}


def test_files_of_others_in_the_folder_stay(toy: ImageDataset, tmp_path: Path) -> None:
    others = ["arrays-of-mine.npz", "arrays-0123456789abcdef.npz", "notes.txt"]
    for name in others:
        (tmp_path / name).write_text("mine")
    al = begun(FakeLearner(num_classes=4), Margin(), toy)
    al.save(tmp_path)
    al.tell({40: 2})
    al.save(tmp_path)
    assert all((tmp_path / name).read_text() == "mine" for name in others)
    assert len(list(tmp_path.iterdir())) == len(others) + 2


@pytest.mark.parametrize("named", ["notes.txt", "../notes.txt", 3])
def test_what_a_damaged_document_names_is_not_deleted(toy: ImageDataset, tmp_path: Path, named: Any) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    for path in (tmp_path / "notes.txt", folder / "notes.txt"):
        path.write_text("mine")
    (folder / "active_learner.json").write_text(json.dumps({"arrays": named}))
    begun(FakeLearner(num_classes=4), Margin(), toy).save(folder)
    assert (tmp_path / "notes.txt").exists()
    assert (folder / "notes.txt").exists()


@pytest.mark.parametrize("fails", ["arrays", "active_learner.json"])
def test_what_was_saved_before_counts_until_all_is_written(
    toy: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    al = begun(FakeLearner(num_classes=4), Margin(), toy)
    al.save(tmp_path)
    before = everything(al)
    al.tell({40: 2})
    write = files.write_atomically

    def full(path: Any, how: Any) -> None:
        if Path(path).name.startswith(fails):
            raise RunFolderError("no room")
        write(path, how)

    monkeypatch.setattr(files, "write_atomically", full)
    with pytest.raises(RunFolderError, match="no room"):
        al.save(tmp_path)
    assert everything(ActiveLearner.load(tmp_path, FakeLearner(num_classes=4), Margin(), toy)) == before


def test_other_items_are_refused(toy: ImageDataset, tmp_path: Path) -> None:
    begun(FakeLearner(num_classes=4), Margin(), toy).save(tmp_path)
    for inputs in (toy.train.inputs.flip(0), toy.train.inputs[:50]):
        with pytest.raises(ArgumentError, match=f"the {len(inputs)} inputs are not the 60 items that .* was"):
            ActiveLearner.load(tmp_path, FakeLearner(num_classes=4), Margin(), inputs)


@pytest.mark.parametrize(
    ("learner", "selector", "changed"),
    [
        (FakeLearner(num_classes=4, noise=2.0), Margin(), "noise"),
        (FakeLearner(num_classes=4), CoreSet(), "selector"),
        (SmallCNNClassifier(num_classes=4, epochs=1, width=0.25), Margin(), "learner, .*epochs"),
    ],
)
def test_another_selector_or_learner_counts_from_then_on(
    toy: ImageDataset, tmp_path: Path, learner: Any, selector: Any, changed: str
) -> None:
    begun(FakeLearner(num_classes=4), Margin(), toy).save(tmp_path)
    with pytest.warns(SeqGCNWarning, match=rf"\({changed}.* changed\)") as caught:
        loaded = ActiveLearner.load(tmp_path, learner, selector, toy)
    assert caught[0].filename == __file__
    assert len(loaded.ask(3)) == 3


def broken(change: Any) -> Any:
    def write(folder: Path) -> None:
        path = folder / "active_learner.json"
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return write


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / "active_learner.json").unlink(), "there is no .*active_learner.json; name a folder"),
        (lambda folder: (folder / "active_learner.json").write_text("{"), "cannot read .*active_learner.json"),
        (lambda folder: (folder / "active_learner.json").write_text("[]"), "of another format than 1"),
        (broken(lambda held: held.update(format=2)), "of another format than 1"),
        (lambda folder: next(folder.glob("*.npz")).unlink(), "there is no .*arrays-"),
        (lambda folder: next(folder.glob("*.npz")).write_bytes(b"PK"), "cannot read .*arrays-"),
        (broken(lambda held: held.update(arrays="../../etc/passwd")), "there is no .*passwd"),
        (broken(lambda held: held.pop("asked")), "damaged: it has no asked"),
        (broken(lambda held: held.update(labelled=[[0, 0], [0, 0]])), "damaged"),
        (broken(lambda held: held.update(labelled=3)), "damaged"),
        (broken(lambda held: held.update(history=[{}])), "damaged"),
        (broken(lambda held: held.update(skipped=["a"])), "damaged"),
    ],
)
def test_what_is_damaged_is_said(toy: ImageDataset, tmp_path: Path, harm: Any, message: str) -> None:
    begun(FakeLearner(num_classes=4), Margin(), toy).save(tmp_path)
    harm(tmp_path)
    with pytest.raises((RunFolderError, ArgumentError), match=message):
        ActiveLearner.load(tmp_path, FakeLearner(num_classes=4), Margin(), toy)


WRONG = [
    *[(key, value) for key in ("trained", "metric", "made of", "history", "labelled") for value in (None, 3)],
    *[(key, value) for key in ("classes", "asked", "skipped", "pseudo", "arrays") for value in (None, 3)],
    *[(key, "x") for key in ("seed", "subset", "warm_start", "stale", "cycle", "items", "num_classes")],
    *[(key, -1) for key in ("seed", "subset", "cycle", "items", "num_classes")],
    ("trained", {"learner": "x"}),
    ("metric", {"accuracy": None}),
    ("made of", {"selector": 3}),
    ("classes", [3]),
    ("classes", ["a", "a"]),
    ("fingerprint", 3),
    ("labelled", [3]),
    ("labelled", [[0]]),
    ("asked", [True]),
    ("pseudo", {"items": [3]}),
    ("pseudo", {"items": [3], "targets": []}),
    ("history", [3]),
]


def test_what_cannot_be_in_a_document_is_named(toy: ImageDataset, tmp_path: Path) -> None:
    begun(FakeLearner(num_classes=4), Margin(), toy).save(tmp_path)
    path = tmp_path / "active_learner.json"
    whole = json.loads(path.read_text())
    for key, value in WRONG:
        path.write_text(json.dumps({**whole, key: value}))
        with pytest.raises(
            RunFolderError, match=re.escape(f"active_learner.json is damaged: {key!r} cannot be {value!r}")
        ):
            ActiveLearner.load(tmp_path, FakeLearner(num_classes=4), Margin(), toy)


def test_a_folder_that_cannot_be(toy: ImageDataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot make"):
        begun(FakeLearner(num_classes=4), Margin(), toy).save(tmp_path / "file" / "kept")


@pytest.mark.parametrize("folder", [None, 3, ""])
def test_what_is_no_folder(toy: ImageDataset, folder: Any) -> None:
    al = ActiveLearner(FakeLearner(num_classes=4), Margin(), toy)
    with pytest.raises(ArgumentError, match=f"folder must be a path.*got {folder!r}"):
        al.save(folder)
    with pytest.raises(ArgumentError, match=f"folder must be a path.*got {folder!r}"):
        ActiveLearner.load(folder, FakeLearner(num_classes=4), Margin(), toy)
