import csv
import os
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqgcn.datasets import item_lists as lists
from seqgcn.datasets.item_lists import find_ids, read_costs, read_ids, read_items, read_table
from seqgcn.exceptions import DataFileError, MissingFileError, SeqGCNError

ITEMS = ("a/1.png", "a/2.png", "#b, c.png", "7")
READERS: dict[str, Callable[[Path], Any]] = {
    "items": read_items,
    "names": lambda path: read_ids(path, ITEMS, 4),
    "numbers": lambda path: read_ids(path, None, 4),
    "costs": lambda path: read_costs(path, ITEMS, 4),
    "costs of numbers": lambda path: read_costs(path, None, 4),
}
VALID = {
    "items": b"a/1.png\na/2.png\n#b, c.png\n",
    "names": b"7\r\na/1.png\r\n",
    "numbers": b"3\n0\n",
    "costs": b'item,cost\n7,1.5\n"#b, c.png",2e3\n',
    "costs of numbers": b"item,cost\n3,1\n0,2\n",
}
quick = settings(max_examples=150, deadline=None, derandomize=True)
names = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=8).filter(str.strip)


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "list.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def fails(read: Callable[[], Any], message: str, kind: type[Exception] = DataFileError) -> str:
    with pytest.raises(kind, match=message) as caught:
        read()
    assert "list.txt" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\r\n", "\n\n \r\n\t\n"])
def test_line_ends(tmp_path: Path, mark: str, end: str, last: str) -> None:
    path = write(tmp_path, mark + end.join(ITEMS) + last)
    assert read_items(path) == ITEMS
    assert read_ids(str(path), ITEMS[::-1], 4) == [3, 2, 1, 0]


@quick
@given(items=st.lists(names, unique=True), end=st.sampled_from(["\n", "\r\n"]), data=st.data())
@example(items=["\x0b\x85\u2028a", " a", "a ", "#a", "a,b", '"a"', "\0"], end="\n", data=None)
def test_whole_lines_are_names(tmp_path_factory: pytest.TempPathFactory, items: list[str], end: str, data: Any) -> None:
    # Of the first line a byte order mark is none of the name.
    items = [name for name in items if not name.startswith("\ufeff")]
    path = write(tmp_path_factory.mktemp("lists"), "".join(name + end for name in items))
    assert read_items(path) == tuple(items)
    chosen = data.draw(st.permutations(range(len(items)))) if data else range(len(items))
    write(path.parent, end.join(items[item] for item in chosen))
    assert read_ids(path, items, len(items)) == list(chosen)


@pytest.mark.parametrize("content", ["", "\n", "\ufeff", " \r\n\n"])
def test_empty_lists(tmp_path: Path, content: str) -> None:
    path = write(tmp_path, content)
    assert read_items(path) == ()
    assert read_ids(path, ITEMS, 4) == read_ids(path, None, 4) == []


@pytest.mark.parametrize("reader", ["items", "names"])
def test_blank_lines_between(tmp_path: Path, reader: str) -> None:
    path = write(tmp_path, "a/1.png\r\na/2.png\r\n \t\r\n7\r\n\r\n")
    fails(lambda: READERS[reader](path), r"list\.txt, line 3 is blank; .* blank lines only at the end")


def test_duplicates(tmp_path: Path) -> None:
    path = write(tmp_path, "7\na/1.png\na/2.png\na/1.png\n")
    for read in (lambda: read_items(path), lambda: read_ids(path, ITEMS, 4)):
        fails(read, r"line 4: 'a/1.png' is in line 2 already")
    write(tmp_path, "0\n7\n07\n")
    fails(lambda: read_ids(path, None, 9), r"line 3: '07' is in line 2 already")
    write(tmp_path, "item,cost\n\n7,1\na/1.png,2\n7,1\n")
    fails(lambda: read_costs(path, ITEMS, 4), r"line 5: '7' is in line 3 already")


def test_numbers(tmp_path: Path) -> None:
    assert read_ids(write(tmp_path, "3\n0\n002"), None, 4) == [3, 0, 2]


@pytest.mark.parametrize("word", ["4", "-1", "+1", "1.0", "1_0", "a", " 1", "٣", "²", "9" * 5000, "1,2", "\ufeff1"])
def test_no_numbers(tmp_path: Path, word: str) -> None:
    path = write(tmp_path, f"0\n{word}\n2\nx\n")
    message = fails(lambda: read_ids(path, None, 4), "line 2: .* is not the number of an item, 0 to 3; .* .1 more are")
    assert len(message) < 500


def test_names_that_are_numbers(tmp_path: Path) -> None:
    assert read_ids(write(tmp_path, "0\n2\n"), ("2", "1", "0"), 3) == [2, 0]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("s07/image_0123", "s07/image_0123.png"),  # no suffix
        ("image_0123.png ", None),  # in ten folders
        ("s07/image_0123.png ", "s07/image_0123.png"),
        ("S07/IMAGE_0123.PNG", "s07/image_0123.png"),
        ("./s07/image_0123.png", "s07/image_0123.png"),
        ("s07\\image_0123.png", "s07/image_0123.png"),
        ("data/set/s07/image_0123.png", "s07/image_0123.png"),
        ("s07/imag_0123.png", "s07/image_0123.png"),
        ("quite another thing", ""),
        ("x" * 5000, ""),
    ],
)
def test_names_that_are_nearly_right(tmp_path: Path, word: str, meant: str | None) -> None:
    items = [f"s{s:02}/image_{i:04}.png" for s in range(10) for i in range(200)]
    path = write(tmp_path, f"{items[5]}\n{word}\n{items[0]}\nx\ny\n")
    message = fails(lambda: read_ids(path, items, len(items)), r"line 2: .* is not the name of an item.* \(2 more are")
    if meant:
        assert f"; is it '{meant}'?" in message
    assert ("is it" in message) == (meant != "")
    assert len(message) < 500


def test_costs(tmp_path: Path) -> None:
    path = write(tmp_path, '\ufeffitem,cost\r\n7,1.5\r\n\r\n"#b, c.png",2e3\r\na/1.png, 0.25 \r\n\r\n')
    costs = read_costs(path, ITEMS, 4)
    assert costs.dtype == np.float64
    np.testing.assert_array_equal(costs, [0.25, np.nan, 2000, 1.5])
    write(tmp_path, "item,cost\n3,1\n0,2")
    np.testing.assert_array_equal(read_costs(path, None, 4), [2, np.nan, np.nan, 1])
    write(tmp_path, "item,cost\n")
    assert np.isnan(read_costs(path, None, 4)).all()


@quick
@given(
    costs=st.dictionaries(names, st.floats(0, exclude_min=True, allow_infinity=False), max_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_costs_that_were_written_by_csv(
    tmp_path_factory: pytest.TempPathFactory, costs: dict[str, float], end: str
) -> None:
    file = StringIO()
    csv.writer(file, lineterminator=end).writerows([("item", "cost"), *costs.items()])
    path = write(tmp_path_factory.mktemp("costs"), file.getvalue())
    assert read_costs(path, tuple(costs), len(costs)).tolist() == list(costs.values())


@pytest.mark.parametrize("cost", ["0", "-1", "nan", "inf", "1e999", "", "x", "1_0", "0x1", "-0.0"])
def test_costs_that_are_none(tmp_path: Path, cost: str) -> None:
    path = write(tmp_path, f"item,cost\n0,1\n2,{cost}\n")
    fails(lambda: read_costs(path, None, 4), r"line 3: the cost of '2' must be a finite number above 0, got '.{0,6}'")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: the header must be item,cost, got ''"),
        ("0,1\n", "line 1: the header must be item,cost, got '0,1'"),
        ("item;cost\n0;1\n", "line 1: .* got 'item;cost'"),
        ("item,cost\n0,1\n1\n", "line 3 has 1 cells, expected 2"),
        ("item,cost\n0,1,5\n", "line 2 has 3 cells, expected 2"),
        ("item,cost\n0,1\n4,1\n", "line 3: '4' is not the number of an item, 0 to 3"),
        ('item,cost\n0,1\n"4,1\n', "line 3 is no CSV"),
        ('item,cost\n"0"x,1\n', "line 2 is no CSV"),
        (f"item,cost\n0,{'1' * 200_000}\n", "line 2 is no CSV: field larger"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, content: str, message: str) -> None:
    path = write(tmp_path, content)
    fails(lambda: read_costs(path, None, 4), message)


def test_tables(tmp_path: Path) -> None:
    path = write(tmp_path, 'item,class,by\n\na/1.png,"two\nlines",\r\n7, b ,"c""d"\n')
    rows = read_table(path, ("item", "class", "by"))
    assert rows == [(4, ("a/1.png", "two\nlines", "")), (5, ("7", " b ", 'c"d'))]
    assert find_ids(path, [row.cells[0] for row in rows], [row.line for row in rows], ITEMS) == [0, 3]


def test_costs_of_unknown_names(tmp_path: Path) -> None:
    path = write(tmp_path, "item,cost\na/2.pn,1\nx,1\n")
    message = fails(lambda: read_costs(path, ITEMS, 4), "line 2: 'a/2.pn' is not the name of an item")
    assert "is it 'a/2.png'?" in message


@pytest.mark.parametrize("reader", READERS)
def test_files_that_are_no_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str) -> None:
    read = READERS[reader]
    path = tmp_path / "list.txt"
    fails(lambda: read(path), "does not exist", MissingFileError)
    path.mkdir()
    fails(lambda: read(path), "is a folder; give the path of a file")
    path.rmdir()
    os.mkfifo(path)
    fails(lambda: read(path), "is no regular file")
    path.unlink()
    write(tmp_path, VALID[reader] + "é".encode("latin1") + b"\n")
    fails(lambda: read(path), rf"line {1 + VALID[reader].count(10)} is not UTF-8; save the file as UTF-8 text")
    write(tmp_path, "item,cost\n".encode("utf-16"))
    fails(lambda: read(path), "line 1 is not UTF-8")
    write(tmp_path, VALID[reader])
    monkeypatch.setattr(lists, "MAX_BYTES", len(VALID[reader]))
    read(path)
    monkeypatch.setattr(lists, "MAX_BYTES", len(VALID[reader]) - 1)
    fails(lambda: read(path), "has more than .* bytes; is it a list?")


def test_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not stop every user, so the error is made."""
    path = write(tmp_path, "a")

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    fails(lambda: read_items(path), "cannot be read: Permission denied")
    monkeypatch.setattr(Path, "is_file", refuse)
    fails(lambda: read_items(path), "cannot be read: .*Permission denied")


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, "a\n")
    assert read_items("~/list.txt") == ("a",)


def check(reader: str, path: Path, content: bytes) -> None:
    """Something sound, or an error of this package."""
    path.write_bytes(content)
    try:
        found = READERS[reader](path)
    except SeqGCNError:
        return
    if reader == "items":
        assert len(set(found)) == len(found)
        assert all(name.strip() for name in found)
    elif isinstance(found, list):
        assert len(set(found)) == len(found)
        assert set(found) <= set(range(4))
    else:
        assert found.shape == (4,)
        assert (np.isnan(found) | ((found > 0) & np.isfinite(found))).all()


@pytest.mark.parametrize("reader", READERS)
@quick
@given(content=st.binary(max_size=100), start=st.integers(0, 40))
@example(content=b"\0", start=0)
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, reader: str, content: bytes, start: int) -> None:
    check(reader, tmp_path_factory.getbasetemp() / "list.txt", VALID[reader][:start] + content)


@pytest.mark.parametrize("reader", READERS)
@quick
@given(where=st.floats(0, 1), old=st.integers(0, 4), new=st.text('0123456789,"\n\r -.#ae\ufeffé\0', max_size=4))
def test_edited_bytes(tmp_path_factory: pytest.TempPathFactory, reader: str, where: float, old: int, new: str) -> None:
    place = int(where * len(VALID[reader]))
    content = VALID[reader][:place] + new.encode() + VALID[reader][place + old :]
    check(reader, tmp_path_factory.getbasetemp() / "list.txt", content)
