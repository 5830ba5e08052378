"""Rows of features with targets from files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgcn import ActiveLearner, CoreSet
from seqgcn.datasets import Features
from seqgcn.datasets.features import read_targets
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError, SeqGCNError
from seqgcn.learners import LinearLearner
from seqgcn.runs.loop import ActiveLearning

N = 40


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """x.npy, 40 x 3; classes.csv, 30 of cat and 10 of dog; numbers.csv, two columns; names.txt."""
    np.save(tmp_path / "x.npy", np.arange(N * 3, dtype=np.float16).reshape(N, 3))
    classes = "".join(f"{i},{'dog' if i % 4 == 0 else 'cat'}\n" for i in range(N))
    (tmp_path / "classes.csv").write_text(f"item,class\n{classes}")
    numbers = "".join(f"{i},{i / 2},{-i}\n" for i in range(N))
    (tmp_path / "numbers.csv").write_text(f"item,width,depth\n{numbers}")
    (tmp_path / "names.txt").write_text("".join(f"row {i}\n" for i in range(N)))
    return tmp_path


def features(folder: Path, targets: str | None = "classes.csv", **options: Any) -> Features:
    given = {key: str(folder / value) if isinstance(value, str) else value for key, value in options.items()}
    return Features(str(folder / "x.npy"), None if targets is None else str(folder / targets), **given)


def test_classes(files: Path) -> None:
    data = features(files)
    assert (data.task, data.classes, data.name) == ("classification", ("cat", "dog"), "x.npy")
    assert (len(data.train), len(data.test)) == (32, 8)
    assert data.test.targets.bincount().tolist() == [6, 2]  # as in all
    rows = (data.train.inputs[:, 0] / 3).long()
    assert data.train.targets.equal((rows % 4 == 0).long())
    assert set(rows.tolist()) | set((data.test.inputs[:, 0] / 3).long().tolist()) == set(range(N))


def test_numbers(files: Path) -> None:
    data = features(files, "numbers.csv", test_fraction=0.5)
    assert (data.task, data.classes) == ("pose", ())
    assert data.train.targets.shape == (20, 2)
    assert data.train.targets[:, 1].equal(-data.train.inputs[:, 0] / 3)
    (files / "one.csv").write_text("item,mm\n0,1.5\n3,2.5e1\n")
    targets, classes = read_targets(files / "one.csv", None, 5)
    assert classes == ()
    assert targets.nan_to_num(-9).tolist() == [1.5, -9, -9, 25.0, -9]


def test_the_test_part_is_the_same_in_every_run_and_fingerprints_tell_data_apart(files: Path) -> None:
    first, again = features(files), features(files)
    assert first.test.inputs.equal(again.test.inputs)
    assert first.fingerprint == again.fingerprint != features(files, "numbers.csv").fingerprint
    other = features(files, test_fraction=0.4)
    assert other.fingerprint != first.fingerprint
    assert first.limit(10, 4).fingerprint != first.fingerprint
    assert (len(first.limit(10, 4).train), len(first.limit(10, 4).test)) == (10, 4)


def test_names(files: Path) -> None:
    (files / "named.csv").write_text("item,class\nrow 7,a\nrow 0,b\nrow 1,a\n")
    (files / "test.txt").write_text("row 0\n")
    data = features(files, "named.csv", items="names.txt", test_items="test.txt")
    assert data.train.files == ("row 1", "row 7")
    assert data.test.files == ("row 0",)
    assert data.fingerprint != features(files, "named.csv", items="names.txt").fingerprint


def test_rows_without_a_target_are_left_out_and_counted(files: Path, messages: list[str]) -> None:
    (files / "some.csv").write_text("item,class\n" + "".join(f"{i},c{i % 2}\n" for i in range(0, N, 4)))
    data = features(files, "some.csv")
    data.prepare()
    assert len(data.train) + len(data.test) == 10
    assert "30 of 40 rows have no target" in messages[-1]


@pytest.mark.parametrize(
    ("values", "expected", "classes"),
    [
        (np.array([2, 0, 1]), [2, 0, 1], ("0", "1", "2")),
        (np.array([2, 0, 1], dtype=np.uint8), [2, 0, 1], ("0", "1", "2")),
        (np.array([0.5, 1.0, np.nan]), [0.5, 1.0, None], ()),
        (np.array(["b", "10", "9"]), [2, 1, 0], ("9", "10", "b")),
        (np.array(["b", "", "a"]), [1, -1, 0], ("a", "b")),
        (np.array([True, False, True]), [1, 0, 1], ("0", "1")),
    ],
)
def test_arrays(tmp_path: Path, values: Any, expected: list[Any], classes: tuple[str, ...]) -> None:
    np.save(tmp_path / "y.npy", values)
    targets, names = read_targets(tmp_path / "y.npy", None, 3)
    assert [None if each != each else each for each in targets.tolist()] == expected
    assert names == classes


def test_classes_by_number_keep_the_order_of_numbers(tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text("item,class\n0,10\n1,9\n2,2\n")
    assert read_targets(tmp_path / "y.csv", None, 3)[1] == ("2", "9", "10")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: the header must be item,class"),
        ("frame,class\n0,a\n", "line 1.*'frame,class'"),
        ("item\n0\n", "line 1.*'item'"),
        ("item,class\n", "no row"),
        ("item,class\n0,a\n0,b\n", "line 3: '0' is in line 2 already"),
        ("item,class\n99,a\n", "line 2: '99' is not the number of an item"),
        ("item,class\n0,a,b\n", "line 2 has 3 cells"),
        ("item,class\n0,\n", "line 2: the class is empty"),
        ("item,animal\n0,dog\n", "line 2: 'dog' is no finite number.*class"),
        ("item,x,y\n0,1,nan\n", "line 2: 'nan' is no finite number"),
        ("item,x,x\n0,1,2\n", "line 1"),
        ("item, class\n0,a\n", "line 1: the header has spaces beside 'class'"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "y.csv").write_text(content)
    with pytest.raises(DataFileError, match=rf"y\.csv.*{message}" if "no row" not in message else message):
        read_targets(tmp_path / "y.csv", None, 5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3), r"each of 5 rows, got \[3\]"),
        (np.zeros((5, 2, 2)), r"got \[5, 2, 2\]"),
        (np.array([0, 1, 2, 3, 10**6]), "1000000 is too large"),
    ],
)
def test_an_array_that_cannot_be_used(tmp_path: Path, values: Any, message: str) -> None:
    np.save(tmp_path / "y.npy", values)
    with pytest.raises(DataFileError, match=rf"y\.npy.*{message}"):
        read_targets(tmp_path / "y.npy", None, 5)


def test_a_pickled_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    with pytest.raises(DataFileError, match=r"y\.npy cannot be read.*dtype=str"):
        read_targets(tmp_path / "y.npy", None, 2)


def test_files_that_do_not_go_together(files: Path) -> None:
    (files / "few.txt").write_text("a\nb\n")
    with pytest.raises(DataFileError, match=r"few\.txt names 2 items, but .*x\.npy has 40 rows"):
        features(files, items="few.txt")
    with pytest.raises(MissingFileError, match="nowhere"):
        features(files, "nowhere.csv")
    (files / "test.txt").write_text("1\n")
    (files / "some.csv").write_text("item,class\n0,a\n2,b\n")
    with pytest.raises(DataFileError, match=r"test\.txt: row 1 has no target in .*some\.csv"):
        _ = features(files, "some.csv", test_items="test.txt").test
    with pytest.raises(ArgumentError, match=r"of 2 rows with a target 0 would be tested on"):
        _ = features(files, "some.csv").test
    with pytest.raises(ArgumentError, match="no row has a target"):
        _ = features(files, None).train
    with pytest.raises(ArgumentError, match="test_fraction"):
        features(files, test_fraction=1.0)


def test_the_loop_and_a_person_take_it(files: Path) -> None:
    records = list(ActiveLearning(features(files), LinearLearner(), CoreSet(), budget=4, cycles=2))
    assert [len(record.labelled) for record in records] == [4, 8, 12]
    assert list(records[0].metric) == ["accuracy"]
    numbers = list(ActiveLearning(features(files, "numbers.csv"), LinearLearner(), CoreSet(), budget=4, cycles=1))
    assert list(numbers[0].metric) == ["root mean squared error"]
    assert numbers[-1].metric["root mean squared error"] < 5
    assert len(ActiveLearner(LinearLearner(), CoreSet(), features(files), labels={0: "dog", 1: "cat"}).ask(3)) == 3


@settings(deadline=None, max_examples=150)
@given(content=st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_no_table_ends_in_another_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("targets") / "y.csv"
    for head in (b"", b"item,class\n", b"item,mm\n"):
        path.write_bytes(head + content)
        try:
            targets, _ = read_targets(path, None, 3)
        except SeqGCNError:
            continue
        assert len(targets) == 3
        assert bool((targets >= 0).any()) if targets.dtype == torch.int64 else bool(targets.isfinite().any())
