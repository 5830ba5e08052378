from pathlib import Path

import numpy as np
import pytest
import torch

from seqgcn.datasets.hands import text_rows as labels
from seqgcn.datasets.hands.camera import MSRA_CAMERA
from seqgcn.datasets.hands.text_rows import read_rows
from seqgcn.exceptions import DataFileError


def write(folder: Path, content: bytes) -> Path:
    path = folder / "labels.txt"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b" \r\r\n", b"\t \n\n\n", b"\r\n \r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(tmp_path: Path, end: bytes, last: bool) -> None:
    content = end.join([b"a/1.png 1 2 3.5", b"  a/2.png\t-4\t5 \t6e1", b"b.png 7 8 9"]) + end * last
    rows = read_rows(write(tmp_path, content), 3)
    assert rows.names == ["a/1.png", "a/2.png", "b.png"]
    assert rows.values.tolist() == [[1, 2, 3.5], [-4, 5, 60], [7, 8, 9]]
    assert rows.values.dtype == np.float32
    assert rows.lines.tolist() == [1, 1 + end.count(b"\n"), 1 + 2 * end.count(b"\n")]


def test_byte_order_mark_and_names_in_utf8(tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path, "\ufeffhänd/1.png 1 2 3".encode()), 3)
    assert rows.names == ["händ/1.png"]


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\r\n\n\t"])
def test_empty_files(tmp_path: Path, content: bytes) -> None:
    rows = read_rows(write(tmp_path, content), 3)
    assert (rows.names, rows.values.shape, len(rows.lines)) == ([], (0, 3), 0)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_blocks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    values = np.random.default_rng(0).normal(0, 100, (50, 6)).astype(np.float32)
    lines = [f"s/{i}.png " + " ".join(map(repr, row.tolist())) + " \r\r\n" for i, row in enumerate(values)]
    path = write(tmp_path, "".join(lines).encode())
    monkeypatch.setattr(labels, "BLOCK_BYTES", size)
    rows = read_rows(path, 6)
    np.testing.assert_array_equal(rows.values, values)
    assert rows.names == [f"s/{i}.png" for i in range(50)]
    assert rows.lines.tolist() == list(range(1, 51))
    path.write_bytes(path.read_bytes() + b"\ns/x.png 1 2 3 4 5 x")
    with pytest.raises(DataFileError, match="line 52: 'x' is not a coordinate"):
        read_rows(path, 6)


def test_rows_of_numbers_alone(tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path, b"2\r\n1 2 3\r\n4 5 6"), 3, named=False, counted=True)
    assert (rows.names, rows.values.tolist(), rows.lines.tolist()) == ([], [[1, 2, 3], [4, 5, 6]], [2, 3])


def test_gaps(tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path, b"1 2 3\ninvalid\ninvalid invalid invalid\n4 5 6"), 3, named=False, gaps=True)
    assert np.isnan(rows.values).all(axis=1).tolist() == [False, True, True, False]
    with pytest.raises(DataFileError, match="line 2 has 1 numbers"):
        read_rows(rows.path, 3, named=False)


@pytest.mark.parametrize(
    "word", [b"x", b"nan", b"-inf", b"1e6000", b"1000001", b"0x10", b"1_0", b"1,5", b"\xb2", b"1\0", b"\x1c", b"1\xa0"]
)
def test_words_that_are_no_coordinates(tmp_path: Path, word: bytes) -> None:
    path = write(tmp_path, b"a 1 2 3\nb 1 " + word + b" 3\n")
    with pytest.raises(DataFileError, match=r"labels\.txt, line 2: .* is not a coordinate in mm or px"):
        read_rows(path, 3)


def test_errors_of_two_lines_do_not_cancel(tmp_path: Path) -> None:
    path = write(tmp_path, b"a 1 2 3\nb 1 2\nc 1 2 3 4\n")
    with pytest.raises(DataFileError, match="line 2 has 2 numbers, expected 3; it is cut off or edited"):
        read_rows(path, 3)


@pytest.mark.parametrize(
    "name",
    ["..", "../a", "a/../b", "a/..", "/a", "a//b", "a/", "./a", "a/./b", "a\\b", "..\\a", "C:/a", "c:a", "a\0b"],
)
def test_unsafe_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataFileError, match=r"line 1: .* must be a plain path below the folder of the frames"):
        read_rows(write(tmp_path, f"{name} 1 2 3".encode()), 3)


@pytest.mark.parametrize("name", ["a", "..a", "a..", "a/..b/c...png", "22-5/a.b", ".hidden", "ab:c"])
def test_safe_paths(tmp_path: Path, name: str) -> None:
    assert read_rows(write(tmp_path, f"{name} 1 2 3".encode()), 3).names == [name]


def test_other_errors(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"line 1: b'\\xff' is not the path of a frame in UTF-8"):
        read_rows(write(tmp_path, b"\xff 1 2 3"), 3)
    with pytest.raises(DataFileError, match="line 3: a is in line 1 already"):
        read_rows(write(tmp_path, b"a 1 2 3\nb 1 2 3\na 1 2 3"), 3)
    with pytest.raises(DataFileError, match="line 2 is longer than 65536 bytes"):
        read_rows(write(tmp_path, b"a 1 2 3\n" + b" " * 100_000), 3)
    with pytest.raises(DataFileError, match="cannot be read: No such file"):
        read_rows(tmp_path / "none", 3)
    with pytest.raises(DataFileError, match="cannot be read: Is a directory"):
        read_rows(tmp_path, 3)


def test_points(tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path, b"1 2 -3 4 5 -6\n\n0 0 0 0 0 1\n7 8 -9 1 1 -1"), 6, named=False)
    points = rows.points(np.array([2, 0]), MSRA_CAMERA)
    torch.testing.assert_close(points, torch.tensor([[[7.0, -8, 9], [1, -1, 1]], [[1, -2, 3], [4, -5, 6]]]))
    with pytest.raises(DataFileError, match=r"line 3: point 0 \(counted from 0\) has depth 0, which is not in front"):
        rows.points(np.array([0, 1]), MSRA_CAMERA)
    with pytest.raises(DataFileError, match=r"line 1: point 0 .* has depth -3"):
        rows.points(np.array([0]))
    assert rows.points(np.empty(0, np.int64)).shape == (0, 2, 3)
