import pickle
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch

from seqgcn.datasets import CIFAR10, CIFAR100, ImageDataset
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError

TEN = [f"kind {i}" for i in range(10)]
FINE = [f"fine {i}" for i in range(100)]
COARSE = [f"coarse {i}" for i in range(20)]


def pixels(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def records(images: np.ndarray, *labels: list[int]) -> bytes:
    return np.column_stack([*(np.array(column, np.uint8) for column in labels), images]).tobytes()


def write_ten(folder: Path, *, binary: bool, count: int = 2) -> Path:
    """All six files; image j of file i has the seed i and the label (i + j) % 10."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(1, 7):
        name = f"data_batch_{i}" if i < 6 else "test_batch"
        images, labels = pixels(count, i), [(i + j) % 10 for j in range(count)]
        if binary:
            (folder / f"{name}.bin").write_bytes(records(images, labels))
        else:
            batch = {b"batch_label": b"x", b"data": images, b"labels": labels, b"filenames": [b"y"] * count}
            (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    if binary:
        (folder / "batches.meta.txt").write_text("\n".join(TEN) + "\n\n")
    else:
        meta = {b"label_names": [name.encode() for name in TEN], b"num_vis": 3072}
        (folder / "batches.meta").write_bytes(pickle.dumps(meta, protocol=2))
    return folder


def write_hundred(folder: Path, *, binary: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(("train", "test")):
        images, coarse, fine = pixels(3, seed), [0, 7, 19], [99, 50, seed]
        if binary:
            (folder / f"{name}.bin").write_bytes(records(images, coarse, fine))
        else:
            batch = {b"data": images, b"coarse_labels": coarse, b"fine_labels": fine}
            (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    if binary:
        (folder / "fine_label_names.txt").write_text("\n".join(FINE))
        (folder / "coarse_label_names.txt").write_text("\n".join(COARSE))
    else:
        meta = {b"fine_label_names": [n.encode() for n in FINE], b"coarse_label_names": [n.encode() for n in COARSE]}
        (folder / "meta").write_bytes(pickle.dumps(meta, protocol=2))
    return folder


LAYOUTS = [
    pytest.param(True, "cifar-10-batches-bin", id="binary"),
    pytest.param(False, "cifar-10-batches-py", id="pickles"),
]


@pytest.mark.parametrize(("binary", "folder"), LAYOUTS)
@pytest.mark.parametrize("from_parent", [True, False])
def test_cifar10(tmp_path: Path, binary: bool, folder: str, from_parent: bool) -> None:
    inside = write_ten(tmp_path / folder, binary=binary)
    dataset = CIFAR10(tmp_path if from_parent else str(inside))
    assert isinstance(dataset, ImageDataset)
    assert dataset.name == "CIFAR-10"
    assert dataset.classes == tuple(TEN)
    assert dataset.train.targets.tolist() == [1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert dataset.test.targets.tolist() == [6, 7]
    expected = np.concatenate([pixels(2, i) for i in range(1, 6)]).reshape(10, 3, 32, 32)
    torch.testing.assert_close(dataset.train.inputs, torch.from_numpy(expected))
    torch.testing.assert_close(dataset.test.inputs, torch.from_numpy(pixels(2, 6).reshape(2, 3, 32, 32)))


def test_both_formats_hold_the_same(tmp_path: Path) -> None:
    ten = [CIFAR10(write_ten(tmp_path / f"ten{binary}", binary=binary)) for binary in (True, False)]
    assert ten[0].fingerprint == ten[1].fingerprint
    hundred = [CIFAR100(write_hundred(tmp_path / f"hundred{binary}", binary=binary)) for binary in (True, False)]
    assert hundred[0].fingerprint == hundred[1].fingerprint


def test_limit_gives_a_smaller_data_set(tmp_path: Path) -> None:
    small = CIFAR10(write_ten(tmp_path, binary=True)).limit(pool_size=3, test_size=1)
    assert (len(small.train), len(small.test), small.name, small.classes) == (3, 1, "CIFAR-10", tuple(TEN))


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("labels", "targets", "names"), [("fine", [99, 50, 0], FINE), ("coarse", [0, 7, 19], COARSE)])
def test_cifar100(tmp_path: Path, binary: bool, labels: Any, targets: list[int], names: list[str]) -> None:
    write_hundred(tmp_path / ("cifar-100-binary" if binary else "cifar-100-python"), binary=binary)
    dataset = CIFAR100(tmp_path, labels=labels)
    assert dataset.name == "CIFAR-100"
    assert dataset.train.targets.tolist() == targets
    assert dataset.classes == tuple(names)
    torch.testing.assert_close(dataset.test.inputs, torch.from_numpy(pixels(3, 1).reshape(3, 3, 32, 32)))


def test_cifar100_labels_argument(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="labels must be one of 'fine', 'coarse'"):
        CIFAR100(write_hundred(tmp_path, binary=True), labels="medium")


@pytest.mark.parametrize(("binary", "suffix"), [(True, ".bin"), (False, "")])
def test_other_files(tmp_path: Path, binary: bool, suffix: str) -> None:
    write_ten(tmp_path, binary=binary)
    (tmp_path / f"test_batch{suffix}").unlink()
    pool = tuple(f"data_batch_{i}{suffix}" for i in range(1, 5))
    dataset = CIFAR10(tmp_path, train_files=pool, test_files=(f"data_batch_5{suffix}",))
    assert dataset.train.targets.tolist() == [1, 2, 2, 3, 3, 4, 4, 5]
    assert dataset.test.targets.tolist() == [5, 6]


def test_other_train_files_with_the_official_test_file(tmp_path: Path) -> None:
    write_ten(tmp_path / "cifar-10-batches-py", binary=False)
    assert CIFAR10(tmp_path, train_files=("data_batch_3",)).train.targets.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("train_files", "test_files"),
    [
        (("data_batch_1.bin", "data_batch_2.bin"), ("data_batch_2.bin",)),
        (("data_batch_1.bin", "data_batch_1.bin"), None),
        (("data_batch_1.bin",), ("./data_batch_1.bin",)),
        (("data_batch_1.bin",), ("link.bin",)),
        (("test_batch.bin",), None),
    ],
)
def test_a_file_used_twice(tmp_path: Path, train_files: Any, test_files: Any) -> None:
    write_ten(tmp_path, binary=True)
    (tmp_path / "link.bin").symlink_to(tmp_path / "data_batch_1.bin")
    with pytest.raises(ArgumentError, match="used more than once"):
        CIFAR10(tmp_path, train_files, test_files)


@pytest.mark.parametrize("names", ["data_batch_1.bin", (), (1,)])
def test_file_names_that_are_none(tmp_path: Path, names: Any) -> None:
    write_ten(tmp_path, binary=True)
    with pytest.raises(ArgumentError, match="test_files must be a tuple of one or more file names"):
        CIFAR10(tmp_path, test_files=names)


@pytest.mark.parametrize(("binary", "meta"), [(True, "batches.meta.txt"), (False, "batches.meta")])
def test_cifar10_knows_its_classes(tmp_path: Path, binary: bool, meta: str) -> None:
    (write_ten(tmp_path, binary=binary) / meta).unlink()
    assert CIFAR10(tmp_path).classes[:2] == ("airplane", "automobile")


def test_cifar100_needs_the_names_of_its_classes(tmp_path: Path) -> None:
    (write_hundred(tmp_path, binary=True) / "fine_label_names.txt").unlink()
    with pytest.raises(MissingFileError, match=r"fine_label_names\.txt .* is missing; get it from https"):
        CIFAR100(tmp_path)


def test_wrong_number_of_classes(tmp_path: Path) -> None:
    write_ten(tmp_path, binary=True)
    (tmp_path / "batches.meta.txt").write_text("cat\ndog\n")
    with pytest.raises(DataFileError, match=r"batches\.meta\.txt must name 10 different classes, found 2"):
        CIFAR10(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError) as caught:
        CIFAR10(tmp_path)
    for part in (
        f"{tmp_path} lacks data_batch_1.bin",
        f"{tmp_path / 'cifar-10-batches-bin'} lacks data_batch_1.bin",
        f"{tmp_path / 'cifar-10-batches-py'} lacks data_batch_1,",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
    ):
        assert part in str(caught.value)


def test_one_file_missing(tmp_path: Path) -> None:
    (write_ten(tmp_path / "cifar-10-batches-bin", binary=True) / "data_batch_4.bin").unlink()
    with pytest.raises(MissingFileError) as caught:
        CIFAR10(tmp_path)
    assert f"{tmp_path / 'cifar-10-batches-bin'} lacks data_batch_4.bin. Get" in str(caught.value)
    assert "batches-py" not in str(caught.value)


def test_missing_root(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere does not exist"):
        CIFAR10(tmp_path / "nowhere")
    (tmp_path / "cifar.tar.gz").touch()
    with pytest.raises(MissingFileError, match="is a file, not a folder"):
        CIFAR100(tmp_path / "cifar.tar.gz")
    with pytest.raises(ArgumentError, match="root must be the path of a folder, got int"):
        CIFAR10(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 1, 3072, 3074, 2 * 3073 - 1])
def test_wrong_size(tmp_path: Path, size: int) -> None:
    (write_ten(tmp_path, binary=True) / "data_batch_2.bin").write_bytes(bytes(size))
    with pytest.raises(DataFileError, match=rf"data_batch_2\.bin has {size} bytes, expected .* multiple of 3073"):
        CIFAR10(tmp_path)


def test_cifar100_size_and_both_labels_are_checked(tmp_path: Path) -> None:
    path = write_hundred(tmp_path, binary=True) / "test.bin"
    path.write_bytes(bytes(3073))
    with pytest.raises(DataFileError, match="has 3073 bytes, expected a positive multiple of 3074"):
        CIFAR100(tmp_path)
    path.write_bytes(records(pixels(2, 0), [0, 20], [0, 0]))
    with pytest.raises(DataFileError, match=r"record 1 \(counted from 0\) has the coarse label 20, expected 0 to 19"):
        CIFAR100(tmp_path)


def test_binary_label_out_of_range(tmp_path: Path) -> None:
    path = write_ten(tmp_path, binary=True) / "data_batch_1.bin"
    path.write_bytes(records(pixels(3, 0), [0, 9, 10]))
    with pytest.raises(DataFileError, match=r"data_batch_1\.bin: record 2 .* has the label 10, expected 0 to 9"):
        CIFAR10(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({b"labels": [0, 10]}, "record 1 .* has the label 10"),
        ({b"labels": [0, -5]}, "record 1 .* has the label -5"),
        ({b"labels": [10**30, 0]}, "record 0 .* has the label 9223372036854775807"),
        ({b"labels": [0]}, "'labels' must be a list of 2 whole numbers"),
        ({b"labels": [0.0, 1.0]}, "'labels' must be a list of 2 whole numbers"),
        ({b"labels": [0, True]}, "'labels' must be a list of 2 whole numbers"),
        ({b"labels": None}, "'labels' must be a list of 2 whole numbers"),
        ({b"data": None}, "'data' must be a uint8 array .* found none"),
        ({b"data": np.zeros((2, 3071), np.uint8)}, r"'data' must be .* found uint8 \[2, 3071\]"),
        ({b"data": np.zeros((2, 3072), np.int64)}, r"'data' must be .* found int64 \[2, 3072\]"),
        ({b"data": np.zeros((0, 3072), np.uint8), b"labels": []}, "with n > 0"),
    ],
)
def test_wrong_pickle(tmp_path: Path, change: dict[bytes, Any], message: str) -> None:
    path = write_ten(tmp_path, binary=False) / "data_batch_1"
    batch = {b"data": pixels(2, 0), b"labels": [0, 1]} | change
    path.write_bytes(pickle.dumps(batch, protocol=4))
    with pytest.raises(DataFileError, match=message) as caught:
        CIFAR10(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", [CIFAR10, CIFAR100])
def test_the_command_line_can_read_the_type_hints(kind: type) -> None:
    assert get_type_hints(kind.__init__)["root"] == str | Path
