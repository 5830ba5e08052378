import struct
import zlib
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import scipy.io
import torch

from seqgcn.datasets import SVHN
from seqgcn.datasets.matlab import read_arrays
from seqgcn.exceptions import DataFileError, MissingFileError

LABELS = {"train": [1, 10, 9], "test": [10, 2], "extra": [3, 4, 5, 6]}


def pixels(count: int) -> np.ndarray:
    """In MATLAB's order: row, column, channel, image."""
    return np.random.default_rng(count).integers(0, 256, (32, 32, 3, count), dtype=np.uint8)


def write(folder: Path, *, dtype: str = "u1", packed: bool = True) -> Path:
    for part, labels in LABELS.items():
        variables = {"X": pixels(len(labels)), "y": np.array(labels, dtype)[:, None]}
        scipy.io.savemat(folder / f"{part}_32x32.mat", variables, do_compression=packed)
    return folder


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("dtype", ["u1", "i4", "f8"])
def test_svhn(tmp_path: Path, packed: bool, dtype: str) -> None:
    dataset = SVHN(write(tmp_path, packed=packed, dtype=dtype))
    assert (dataset.name, dataset.classes) == ("SVHN", tuple("0123456789"))
    assert dataset.train.targets.tolist() == [1, 0, 9]
    assert dataset.test.targets.tolist() == [0, 2]
    expected = torch.from_numpy(pixels(3)).permute(3, 2, 0, 1)
    torch.testing.assert_close(dataset.train.inputs, expected.contiguous())


def test_extra_images_join_the_pool(tmp_path: Path) -> None:
    dataset = SVHN(str(write(tmp_path)), extra=True)
    assert dataset.train.targets.tolist() == [1, 0, 9, 3, 4, 5, 6]
    assert dataset.train.inputs.shape == (7, 3, 32, 32)


def test_missing_file(tmp_path: Path) -> None:
    (write(tmp_path) / "extra_32x32.mat").unlink()
    assert len(SVHN(tmp_path).train) == 3
    with pytest.raises(MissingFileError, match=r"lacks extra_32x32\.mat\. Get the files from http://ufldl"):
        SVHN(tmp_path, extra=True)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"Z": np.zeros(2)}, "has no array X and y"),
        ({"X": pixels(2)}, "has no array y"),
        ({"X": "text", "y": np.ones((2, 1))}, "has no array X"),
        ({"X": pixels(2) * 1j, "y": np.ones((2, 1))}, "has no array X"),
        ({"X": pixels(2).astype(float), "y": np.ones((2, 1))}, r"X must be uint8 .* found float64"),
        ({"X": pixels(2)[:31], "y": np.ones((2, 1))}, r"X must be .* found uint8 \[31, 32, 3, 2\]"),
        ({"X": pixels(1)[..., 0], "y": np.ones((1, 1))}, r"X must be .* found uint8 \[32, 32, 3\]"),
        ({"X": pixels(2), "y": np.ones((1, 2))}, r"y must be whole numbers \[2, 1\].* found .* \[1, 2\]"),
        ({"X": pixels(2), "y": np.ones((3, 1))}, r"y must be whole numbers \[2, 1\]"),
        ({"X": pixels(2), "y": np.array([[1.5], [1]])}, "y must be whole numbers"),
        ({"X": pixels(2), "y": np.array([[np.nan], [1]])}, "y must be whole numbers"),
        ({"X": pixels(2), "y": np.array([[np.inf], [1]])}, "record 0 .* has the label inf"),
        ({"X": pixels(2), "y": np.array([[1], [11]])}, "record 1 .* has the label 11, expected 1 to 10"),
        ({"X": pixels(2), "y": np.array([[0], [1]])}, "record 0 .* has the label 0, expected 1 to 10"),
    ],
)
def test_wrong_variables(tmp_path: Path, variables: dict[str, Any], message: str) -> None:
    path = write(tmp_path) / "train_32x32.mat"
    scipy.io.savemat(path, variables)
    with pytest.raises(DataFileError, match=message) as caught:
        SVHN(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("packed", [True, False])
def test_every_cut_off_file_is_refused(tmp_path: Path, packed: bool) -> None:
    path = write(tmp_path, packed=packed) / "test_32x32.mat"
    content = path.read_bytes()
    for length in [*range(0, 200, 7), *range(200, len(content), 331), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(DataFileError, match="test_32x32"):
            SVHN(tmp_path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"\x89HDF\r\n\x1a\n", "is of MATLAB 7.3"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\x02IM", "is of MATLAB 7.3"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x02\0MI", "is of MATLAB 7.3"),
        (b"MATLAB 6.0 MAT-file".ljust(124) + b"\0\x03IM", "does not start like a MATLAB 5 file"),
        (bytes(200), "does not start like a MATLAB 5 file"),
        (b"", "does not start like a MATLAB 5 file"),
    ],
)
def test_other_formats(tmp_path: Path, header: bytes, message: str) -> None:
    (write(tmp_path) / "train_32x32.mat").write_bytes(header)
    with pytest.raises(DataFileError, match=message):
        SVHN(tmp_path)


@pytest.mark.parametrize("packed", [True, False])
def test_arrays_are_read_as_scipy_reads_them(tmp_path: Path, packed: bool) -> None:
    variables = {
        "small": np.array([[1, 2]], np.uint8),
        "empty": np.zeros((0, 3)),
        "a_rather_long_name": np.arange(24.0).reshape(2, 3, 4),
        **{name: np.arange(6).reshape(2, 3).astype(name) for name in ("int8", "uint16", "int64", "uint64", "float32")},
        "struct": {"field": 1},
        "cell": np.array([1, "a"], dtype=object),
    }
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, variables, do_compression=packed)
    found, expected = read_arrays(path), scipy.io.loadmat(path)
    assert set(found) == set(variables) - {"struct", "cell"}
    for name, array in found.items():
        np.testing.assert_array_equal(array, expected[name])


def test_only_what_is_asked_for_and_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"a": np.zeros((1000, 1000)), "b": np.ones(3)}, do_compression=True)
    assert list(read_arrays(path, ("b",))) == ["b"]
    with pytest.raises(DataFileError, match=r"8,000,\d+ bytes, more than the 1,000,000"):
        read_arrays(path, ("b",), most=10**6)


def test_big_endian_file(tmp_path: Path) -> None:
    variable = b"".join(
        struct.pack(">II", kind, len(content)) + content.ljust(-(-len(content) // 8) * 8, b"\0")
        for kind, content in (
            (6, struct.pack(">II", 10, 0)),
            (5, struct.pack(">ii", 1, 3)),
            (1, b"abc"),
            (3, struct.pack(">3h", 1, -2, 300)),
        )
    )
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\0MI"
    path = tmp_path / "a.mat"
    path.write_bytes(header + struct.pack(">II", 14, len(variable)) + variable)
    assert {name: array.tolist() for name, array in read_arrays(path).items()} == {"abc": [[1, -2, 300]]}


@pytest.mark.parametrize(("promised", "packed"), [(10, bytes(10_000_000)), (2**32 - 1, bytes(100))])
def test_compressed_element_of_another_size_than_promised(tmp_path: Path, promised: int, packed: bytes) -> None:
    element = zlib.compress(struct.pack("<II", 14, promised) + packed)
    path = tmp_path / "a.mat"
    path.write_bytes(b"x".ljust(124) + b"\0\x01IM" + struct.pack("<II", 15, len(element)) + element)
    with pytest.raises(DataFileError, match=f"not of the {promised} bytes it promises"):
        read_arrays(path)


def test_the_command_line_can_read_the_type_hints() -> None:
    assert get_type_hints(SVHN.__init__) == {"root": str | Path, "extra": bool, "return": type(None)}
