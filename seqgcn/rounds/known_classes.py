"""Which classes there are and which items have one: tables item,class and folders named after classes."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from seqgcn.datasets.item_lists import Row, find_file, find_ids, read_table
from seqgcn.exceptions import DataFileError
from seqgcn.utils.class_names import fault_of_name, folded, similar_to, twins
from seqgcn.utils.messages import log

COLUMNS = ("item", "class")

UNLABELED = ("unlabeled", "unlabelled")
"""Folders that are no class."""

Known = tuple[tuple[str, ...], dict[int, int]]
"""Classes, and number of the class of each labeled item, by the item's number."""


def is_class_table(path: Path, names: Sequence[str] | None = None) -> bool:
    """Whether a file is a table item,class, and no list of items one of which is called so."""
    with open(path, "rb") as file:
        line = file.readline(100).removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    head = ",".join(COLUMNS)
    return line == head.encode() and (names is None or head not in names)


def read_class_table(
    path: str, names: Sequence[str] | None, n: int = 0, classes: Sequence[str] = (), *, blank: bool = False
) -> Known:
    """Classes of a table item,class.

    Args:
        path: A CSV file with this header; an empty one says that nothing is labeled yet.
        names: Of all items.
        n: How many items there are, where they have no names.
        classes: Those there are, in their order; if none is given, those of the table, by name.
        blank: Whether items may be labeled by a class that the table does not tell; its number is -1.

    Raises:
        DataFileError: The file is no such table of these items, a class is none of those there are, or another spelling
            of one.
    """
    if find_file(path).stat().st_size == 0:
        return tuple(classes), {}
    rows = read_table(path, COLUMNS)
    ids = find_ids(path, [row.cells[0] for row in rows], [row.line for row in rows], names, n)
    told = [row for row in rows if row.cells[1].strip() or not blank]
    for row in told:
        if not row.cells[1].strip():
            raise DataFileError(f"{path}, line {row.line}: {row.cells[0]!r} has no class; leave it out until it has")
        if fault := fault_of_name(row.cells[1]):
            raise DataFileError(f"{path}, line {row.line}: the class {row.cells[1][:100]!r} {fault}")
    if classes:
        _check_known(path, told, classes)
    else:
        _check_spelling(path, told)
        classes = sorted({row.cells[1] for row in told})
    numbers = {name: number for number, name in enumerate(classes)}
    return tuple(classes), {item: numbers.get(row.cells[1], -1) for item, row in zip(ids, rows, strict=True)}


def _check_known(path: str, rows: Sequence[Row], classes: Sequence[str]) -> None:
    there = set(classes)
    for row in rows:
        name = row.cells[1]
        if name not in there:
            meant = similar_to(name, classes)
            hint = f"is it {meant!r}? " if meant else ""
            raise DataFileError(
                f"{path}, line {row.line}: the class {name[:100]!r} is none of {', '.join(classes[:20])}; {hint}"
                "correct it, or name it with --classes"
            )


def _check_spelling(path: str, rows: Sequence[Row]) -> None:
    pair = twins(dict.fromkeys(row.cells[1] for row in rows))
    if pair:
        first, other = (next(row.line for row in rows if row.cells[1] == name) for name in pair)
        raise DataFileError(
            f"{path}, line {other}: the class {pair[1][:100]!r} is another spelling of {pair[0][:100]!r} (line "
            f"{first}); write one of them, or name both with --classes"
        )


def read_class_folders(folder: str, root: str | None, names: Sequence[str], classes: Sequence[str] = ()) -> Known:
    """Classes of the pictures in folders that are named after them.

    Args:
        folder: Holds the folders; below or at the data set's root.
        root: Of the data set.
        names: Of all items: paths below the root.
        classes: Those there are; folders of other names are not labeled. If none is given, every folder is a class
            but one called unlabeled.

    Raises:
        DataFileError: The folder is elsewhere, has no such folder with a picture, or two are spellings of one name.
    """
    top, here = Path(root or ".").expanduser().resolve(), Path(folder).expanduser().resolve()
    if not here.is_relative_to(top):
        raise DataFileError(
            f"--labelled {folder} is not in {root}, the data set's folder, so that its pictures are no items; name a "
            "folder in it, or one above both with --root"
        )
    before = here.relative_to(top).parts
    found: dict[int, str] = {}
    for number, name in enumerate(names):
        parts = PurePosixPath(name).parts
        inner = parts[len(before) :]
        if parts[: len(before)] != before or len(inner) < 2:
            continue
        if inner[0] in classes or (not classes and inner[0].casefold() not in UNLABELED):
            found[number] = inner[0]
    there = tuple(classes) or tuple(sorted(set(found.values())))
    if not found:
        wanted = f"called {', '.join(classes[:20])}" if classes else "named after their class"
        raise DataFileError(f"--labelled {folder} has no folders of pictures {wanted}")
    if pair := twins(there):
        raise DataFileError(f"{folder}: the folders {pair[0]!r} and {pair[1]!r} are spellings of one class; join them")
    _check_folders(folder, [PurePosixPath(name).parts[len(before) :] for name in names], there)
    counts = {name: list(found.values()).count(name) for name in there}
    shown = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    log.info(f"labeled by their folders: {shown}; {len(names) - len(found):,} pictures have no label")
    for name in there:
        if fault := fault_of_name(name):
            raise DataFileError(f"{folder}: the class {name!r} {fault}; rename its folder")
    numbers = {name: number for number, name in enumerate(there)}
    return there, {number: numbers[name] for number, name in found.items()}


def _check_folders(folder: str, inner: Sequence[tuple[str, ...]], classes: Sequence[str]) -> None:
    spelled = {folded(name): name for name in classes}
    for parts in inner:
        if len(parts) > 1 and parts[0] not in classes and folded(parts[0]) in spelled:
            raise DataFileError(
                f"{folder}: the folder {parts[0]!r} is another spelling of the class {spelled[folded(parts[0])]!r}; "
                "rename it"
            )
