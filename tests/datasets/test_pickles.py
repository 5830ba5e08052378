"""The pickle reader: what Python 2 and 3 write is read, anything that could run code is not."""

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqgcn.datasets.pickles import MAX_TUPLES, PickledArray, read_pickled_dict
from seqgcn.exceptions import DataFileError


def python2(value: Any) -> bytes:
    """Opcodes Python 2's cPickle writes for a value in protocol 2; its str, here bytes, are BINSTRINGs."""
    if isinstance(value, bytes):
        return (b"U" + bytes([len(value)]) if len(value) < 256 else b"T" + struct.pack("<i", len(value))) + value
    if isinstance(value, int):
        return b"K" + bytes([value])
    if isinstance(value, list):
        return b"](" + b"".join(map(python2, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(python2(key) + python2(item) for key, item in value.items()) + b"u"
    shape = b"".join(b"M" + struct.pack("<H", size) for size in value.shape)
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02" + value.dtype.str[1:].encode() + b"K\0K\x01\x87R"
    dtype += b"(K\x03U\x01" + value.dtype.str[:1].encode() + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    return empty + b"(K\x01(" + shape + b"t" + dtype + b"\x89" + python2(value.tobytes()) + b"tb"


def write(folder: Path, content: bytes) -> Path:
    path = folder / "batch"
    path.write_bytes(content)
    return path


def arrays(found: dict[str, Any]) -> dict[str, Any]:
    return {key: item.values if isinstance(item, PickledArray) else item for key, item in found.items()}


BATCH = {
    b"data": np.arange(600, dtype=np.uint8).reshape(2, 300),
    b"labels": [3, 200],
    b"filenames": [b"a.png", b"b" * 300],
}


def test_python2_pickle(tmp_path: Path) -> None:
    found = arrays(read_pickled_dict(write(tmp_path, b"\x80\x02" + python2(BATCH) + b".")))
    np.testing.assert_array_equal(found["data"], BATCH[b"data"])
    assert found["data"].flags.writeable
    assert found["labels"] == [3, 200]
    assert found["filenames"] == [b"a.png", b"b" * 300]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("as_bytes", [True, False])
def test_python3_pickle(tmp_path: Path, protocol: int, as_bytes: bool) -> None:
    batch = {key if as_bytes else key.decode(): item for key, item in BATCH.items()}
    found = arrays(read_pickled_dict(write(tmp_path, pickle.dumps(batch, protocol))))
    np.testing.assert_array_equal(found["data"], BATCH[b"data"])
    assert found["filenames"] == BATCH[b"filenames"]


@pytest.mark.parametrize("dtype", ["<i8", ">i4", "u1", ">u2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_integer_arrays_in_any_order(tmp_path: Path, dtype: str, order: str) -> None:
    array = np.array([[1, 2, 3], [100, 50, 7]], dtype=dtype, order=order)
    found = read_pickled_dict(write(tmp_path, pickle.dumps({"data": array}, 2)))
    np.testing.assert_array_equal(found["data"].values, array)


class Call:
    """Pickles as a call of a function with an argument."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> Any:
        return self.reduced


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("function", [os.system, eval, np.fromfile, np.load, bytearray])
def test_a_call_is_refused_and_not_made(tmp_path: Path, function: Any, protocol: int) -> None:
    trap = tmp_path / "run"
    argument = f"open({str(trap)!r}, 'w')" if function is eval else f"touch {trap}"
    path = write(tmp_path, pickle.dumps({"data": Call(function, argument)}, protocol))
    with pytest.raises(DataFileError, match="which could run any code") as caught:
        read_pickled_dict(path)
    assert str(path) in str(caught.value)
    assert function.__name__ in str(caught.value)
    assert not trap.exists()


@pytest.mark.parametrize(
    "name", [b"cnumpy\nload\n", b"c_codecs\ndecode\n", b"cbuiltins\ngetattr\n", b"c__builtin__\nset\n"]
)
def test_names_beside_the_allowed_ones_are_refused(tmp_path: Path, name: bytes) -> None:
    with pytest.raises(DataFileError, match="which could run any code"):
        read_pickled_dict(write(tmp_path, b"\x80\x02}U\x01a" + name + b"s."))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.array([None, "x"], dtype=object), "only integers are read"),
        (np.array([0.5]), "only integers are read"),
        (np.array([(1, 2)], dtype=[("a", "u1"), ("b", "u1")]), "only integers are read"),
        (np.array(["x"]), "only integers are read"),
    ],
)
def test_arrays_of_anything_but_integers_are_refused(tmp_path: Path, array: Any, reason: str) -> None:
    with pytest.raises(DataFileError, match=reason):
        read_pickled_dict(write(tmp_path, pickle.dumps({"data": array}, 2)))


@pytest.mark.parametrize("holder", sorted({b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"c_codecs\nencode\n"}))
@pytest.mark.parametrize("state", [b"}U\x01aK\x01s", b"N}\x8c\x0b__module__\x8c\x01xs\x86", b"N"])
def test_a_pickle_cannot_change_the_stand_ins(tmp_path: Path, holder: bytes, state: bytes) -> None:
    with pytest.raises(DataFileError, match="cannot be unpickled"):
        read_pickled_dict(write(tmp_path, b"\x80\x04}U\x01a" + holder + state + b"bs."))
    assert PickledArray.__module__ == "seqgcn.datasets.pickles"
    assert not hasattr(PickledArray, "a")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02}r\xff\xff\xff\x7f.",  # a memo of 32 GB
        b"\x80\x02}p2147483647\n.",
        b"\x80\x02}K\x01" + b"\x85" * (MAX_TUPLES + 1) + b"K\x01s.",  # hashing these overflows the stack
        b"\x80\x02}U\x01aT\xff\xff\xff\x7fs.",  # a string of 2 GB
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x00}.",  # a frame of 2**56 bytes
    ],
)
def test_small_files_with_a_large_appetite(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataFileError, match="cannot be unpickled"):
        read_pickled_dict(write(tmp_path, content))


def test_another_encoding_than_latin1_is_refused(tmp_path: Path) -> None:
    import codecs

    path = write(tmp_path, pickle.dumps({"data": Call(codecs.encode, "abc", "rot13")}, 2))
    with pytest.raises(DataFileError, match="only latin1"):
        read_pickled_dict(path)


def test_no_dict(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="holds a list, expected a dict"):
        read_pickled_dict(write(tmp_path, pickle.dumps([1])))


def test_keys_that_are_no_text_are_skipped(tmp_path: Path) -> None:
    assert read_pickled_dict(write(tmp_path, pickle.dumps({1: 2, "a": 3}))) == {"a": 3}


def test_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot be read"):
        read_pickled_dict(tmp_path)
