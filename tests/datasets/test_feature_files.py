import os
import pickle
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets.features_on_disk import fails, write
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.lib import format as npy
from safetensors.numpy import save
from safetensors.torch import save as save_tensors

from seqgcn.datasets import feature_files as features
from seqgcn.datasets.feature_files import read_features
from seqgcn.exceptions import MissingFileError, MissingPackageError

X = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
quick = settings(max_examples=100, deadline=None, derandomize=True)


def npy_bytes(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    file = BytesIO()
    npy.write_array(file, array, version)
    return file.getvalue()


def npz_bytes(packed: bool = False, **arrays: np.ndarray) -> bytes:
    file = BytesIO()
    (np.savez_compressed if packed else np.savez)(file, **arrays)
    return file.getvalue()


FILES: dict[str, bytes] = {
    "x.npy": npy_bytes(X),
    "stored.npz": npz_bytes(x=X),
    "packed.npz": npz_bytes(packed=True, x=X),
    "x.safetensors": save({"x": X}),
}


@pytest.fixture(params=FILES)
def valid(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    path.write_bytes(FILES[request.param])
    return path


def test_formats(valid: Path) -> None:
    for path in (valid, str(valid)):
        values = read_features(path)
        np.testing.assert_array_equal(values, X)
        assert values.dtype == np.float32
    upper = valid.rename(valid.with_suffix(valid.suffix.upper()))
    np.testing.assert_array_equal(read_features(upper), X)


finite = arrays(
    st.sampled_from(["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"]),
    array_shapes(min_dims=2, max_dims=2, max_side=5),
    elements=st.floats(-1000, 1000, width=16),
)


@quick
@given(array=finite, fortran=st.booleans(), version=st.sampled_from([(1, 0), (2, 0)]))
def test_round_trips(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, fortran: bool, version: tuple[int, int]
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    array = np.asfortranarray(array) if fortran else array
    native = array.astype(array.dtype.newbyteorder("="))
    for path in (
        write(folder / "x.npy", npy_bytes(array, version)),
        write(folder / "a.npz", npz_bytes(x=array)),
        write(folder / "b.npz", npz_bytes(packed=True, x=array)),
        write(folder / "x.safetensors", save({"x": np.ascontiguousarray(native)})),
    ):
        values = read_features(path)
        np.testing.assert_array_equal(values, array)
        assert values.dtype == native.dtype
        torch.from_numpy(values.copy())  # refuses a foreign byte order


def test_numpy_files_are_mapped_and_cannot_be_written_to(tmp_path: Path) -> None:
    values = read_features(write(tmp_path / "x.npy", FILES["x.npy"]))
    assert isinstance(values, np.memmap)
    assert not values.flags.writeable


def test_safetensors_files_are_mapped(tmp_path: Path) -> None:
    path = write(tmp_path / "x.safetensors", FILES["x.safetensors"])
    read_features(path)[0, 0] = 99  # in memory alone
    np.testing.assert_array_equal(read_features(path), X)
    if sys.platform == "linux":
        values = read_features(path)
        assert str(path) in Path("/proc/self/maps").read_text()
        del values  # until here it kept the map


def test_bfloat16(tmp_path: Path) -> None:
    path = write(tmp_path / "x.safetensors", save_tensors({"x": torch.tensor([[1.5, -2.0]], dtype=torch.bfloat16)}))
    values = read_features(path)
    assert (values.dtype, values.tolist()) == (np.float32, [[1.5, -2.0]])


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_one_of_several_arrays(tmp_path: Path, suffix: str) -> None:
    several = {"x": X, "y:z": 2 * X, "labels": np.arange(4)}
    content = npz_bytes(**several) if suffix == ".npz" else save(several)
    path = write(tmp_path / f"a:b.npy{suffix}", content)
    np.testing.assert_array_equal(read_features(f"{path}:x"), X)
    message = fails(path, r"holds 3 arrays: labels, x, y:z\. Say which one")
    assert f"{path}:labels" in message
    fails(f"{path}:X", "There is no 'X'")
    fails(f"{path}:", "There is no ''")
    fails(f"{path}:labels", r"2-D \[n, d\] .* got \[4\]")


def test_the_only_array_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "x.npz", FILES["packed.npz"])
    np.testing.assert_array_equal(read_features(f"{path}:x"), X)
    fails(f"{path}:y", "holds 1 array: x. There is no 'y'")


def test_colons_elsewhere_are_part_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "a:b").mkdir()
    np.testing.assert_array_equal(read_features(write(tmp_path / "a:b" / "c:d.npy", FILES["x.npy"])), X)
    fails(f"{tmp_path}/x.npy:x", "is not known to hold features")


@pytest.mark.parametrize("suffix", features.PICKLES)
def test_pickles_are_refused(tmp_path: Path, suffix: str) -> None:
    fails(write(tmp_path / f"x{suffix}", b""), r"can run any code .* numpy\.save\(path, x\.numpy\(\)\)")
    fails(tmp_path / f"missing{suffix.upper()}", "can run any code")


class Bad:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("import sys; sys.modules['loaded_a_pickle'] = sys",)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
def test_no_pickle_is_loaded(tmp_path: Path, suffix: str) -> None:
    objects = np.array([[Bad()]], dtype=object)
    bare = pickle.dumps(Bad())
    fails(write(tmp_path / f"a{suffix}", bare), "cannot be read as")
    if suffix == ".npy":
        fails(write(tmp_path / "b.npy", npy_bytes(objects)), "holds Python objects, that is a pickle")
        fails(write(tmp_path / "c.npy", npy_bytes(objects.astype([("a", "O")]))), "Python objects")
    if suffix == ".npz":
        fails(write(tmp_path / "b.npz", npz_bytes(x=objects)), "holds Python objects, that is a pickle")
        with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
            archive.writestr("x.npy", bare)
        fails(tmp_path / "d.npz", "cannot be read as")
        with zipfile.ZipFile(tmp_path / "e.npz", "w") as archive:
            archive.writestr("data.pkl", bare)
        fails(tmp_path / "e.npz", "holds no array")
    assert "loaded_a_pickle" not in sys.modules


def test_missing_and_other_paths(tmp_path: Path) -> None:
    fails(tmp_path / "x.npy", "does not exist", MissingFileError)
    fails(f"{tmp_path}/x.npz:key", "does not exist", MissingFileError)
    (tmp_path / "folder.npy").mkdir()
    fails(tmp_path / "folder.npy", "is a folder")
    os.mkfifo(tmp_path / "pipe.npy")
    fails(tmp_path / "pipe.npy", "is no regular file")
    fails(tmp_path / "x.csv", r"save them as \.npy, \.npz or \.safetensors")
    # Newer versions of Python take these for missing files, older ones for an error.
    fails("a\0b.npy", "does not exist|cannot be read")
    fails(f"{'a' * 300}.npy", "does not exist|cannot be read")


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "x.npy", FILES["x.npy"])
    np.testing.assert_array_equal(read_features("~/x.npy"), X)


def test_unreadable_files(valid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not stop every user, so the error is made."""
    refusal = PermissionError(13, "Permission denied")

    def refuse(*_: Any) -> None:
        raise refusal

    monkeypatch.setitem(features._READERS, valid.suffix, refuse)
    fails(valid, r"cannot be read: Permission denied$")


@pytest.mark.parametrize("shape", [(4,), (0, 3), (3, 0), (2, 2, 2), ()])
def test_wrong_shapes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, np.float32)
    way_out = {1: r"save x\[:, None\]", 3: r"save x\.reshape\(len\(x\), -1\)"}.get(len(shape), "")
    for path in (
        write(tmp_path / "x.npy", npy_bytes(array)),
        write(tmp_path / "x.npz", npz_bytes(x=array)),
        write(tmp_path / "x.safetensors", save({"x": array})),
    ):
        fails(path, rf"must be 2-D \[n, d\] with n > 0 and d > 0.*{way_out}")


@pytest.mark.parametrize("dtype", ["i4", "u1", "?", "c8", "M8[s]", "U3", "S2", "V2", "f4,f4", "g"])
def test_wrong_types(tmp_path: Path, dtype: str) -> None:
    array = np.zeros((2, 3), dtype)
    fails(write(tmp_path / "x.npy", npy_bytes(array)), r"must be float16, float32 or float64, got .*\.astype")
    fails(write(tmp_path / "x.npz", npz_bytes(x=array)), "must be float16, float32 or float64, got")
    if dtype in ("i4", "u1", "?"):
        fails(write(tmp_path / "x.safetensors", save({"x": array})), "must be float16, float32 or float64, got")


@pytest.mark.parametrize("rows_a_block", [1, 3, 1000])
@pytest.mark.parametrize("fortran", [True, False])
def test_values_that_are_not_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_a_block: int, fortran: bool
) -> None:
    monkeypatch.setattr(features, "BLOCK_BYTES", rows_a_block * 4 * 8)
    array = np.full((40, 4), np.finfo(np.float64).max)
    path = write(tmp_path / "x.npy", npy_bytes(np.asfortranarray(array) if fortran else array))
    np.testing.assert_array_equal(read_features(path), array)
    array[[5, 9, 17], [0, 3, 2]] = np.nan, np.inf, -np.inf
    array[30:] = np.nan
    for name, content in (
        ("x.npy", npy_bytes(array)),
        ("x.npz", npz_bytes(x=array)),
        ("x.safetensors", save({"x": array})),
    ):
        fails(write(tmp_path / name, content), r"in rows 5, 9, 17, 30, 31 and 8 more \(counted from 0\)")


def test_a_header_of_python_2(tmp_path: Path) -> None:
    """NumPy warns of these; what it reads is right."""
    content = FILES["x.npy"].replace(b"(4, 3), ", b"(4L,3L),")
    assert b"(4L,3L)" in content
    np.testing.assert_array_equal(read_features(write(tmp_path / "x.npy", content)), X)


def test_safetensors_is_needed_for_its_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    path = write(tmp_path / "x.safetensors", FILES["x.safetensors"])
    fails(path, r'pip install "seqgcn\[safetensors\]"', MissingPackageError)
    np.testing.assert_array_equal(read_features(write(tmp_path / "x.npy", FILES["x.npy"])), X)
