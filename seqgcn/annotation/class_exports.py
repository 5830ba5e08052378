"""Reading who called which item what: exports of Label Studio, CVAT and COCO, and tables.

Whatever is wrong with one answer is a fault of that answer; a file of another kind is a `DataFileError`.
"""

import csv
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from seqgcn.annotation.annotations import MOST_BYTES, fault_of, key_of, need, printable, read_json
from seqgcn.annotation.class_tasks import CLASS, NEW_CLASS
from seqgcn.annotation.label_studio_users import annotator_of, text_of, users_of
from seqgcn.exceptions import DataFileError, MissingFileError

ITEM_COLUMNS = ("item", "image", "picture", "path", "file", "filename", "file_name")
CLASS_COLUMNS = (CLASS, "label", "choice", "category")
"""Columns that say of which item a row is, and its class; the first there is counts."""

WAYS = (
    "give Label Studio's export in the format JSON, JSON-MIN or CSV, CVAT's in the format CVAT for images (XML), COCO, "
    "or a CSV table item,class"
)


class ClassAnswer(NamedTuple):
    """What somebody answered about an item.

    Args:
        item: Its name, or whatever the file calls it: name or address of its picture, or a path.
        annotator: Who.
        where: Place in the file, for messages.
        classes: Those that were chosen, or typed as new; one, where it is of any use.
        fault: What makes the answer useless, in words.
        skipped: Whether the annotator would not answer.
        draft: Whether it was begun and not submitted.
        starred: Whether somebody marked it as the ground truth.
        identity: What no other answer in the world has, where the tool gives it such a thing.
        updated: When it was last changed, as ISO 8601 has it, where the tool tells.
    """

    item: str
    annotator: str
    where: str
    classes: tuple[str, ...] = ()
    fault: str = ""
    skipped: bool = False
    draft: bool = False
    starred: bool = False
    identity: str = ""
    updated: str = ""


def read_class_export(path: str | Path) -> list[ClassAnswer]:
    """All answers in a file, whichever tool wrote it.

    Raises:
        MissingFileError: There is no such file.
        DataFileError: It is too large, damaged, or of another format.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"{path} is missing or not a regular file")
    try:
        packed = zipfile.is_zipfile(path)
        with open(path, "rb") as file:
            start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}") from error
    if packed:
        raise DataFileError(f"{path} is a ZIP archive; unpack it and name the file in it, or {WAYS}")
    if start[:1] in (b"[", b"{"):
        content = read_json(path)
        answers = _of_json(content, path)
    elif start[:1] == b"<":
        answers = list(_of_cvat(_text(path), path))
    else:
        answers = list(_of_table(_text(path), path))
    if answers and all(answer.fault and not answer.item for answer in answers):
        raise DataFileError(f"{answers[0].where}: {answers[0].fault}; {WAYS}")
    return answers


def _text(path: Path) -> str:
    with open(path, "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise DataFileError(f"{path} has more than {MOST_BYTES >> 20} MiB; export one round at a time")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataFileError(f"{path}, line {line} is not UTF-8; save the file as UTF-8 text, or {WAYS}") from error


def _of_json(content: Any, path: Path) -> list[ClassAnswer]:
    if isinstance(content, dict):
        if not all(isinstance(content.get(key), list) for key in ("images", "annotations", "categories")):
            raise DataFileError(f"{path} is not known to hold classes; {WAYS}")
        return list(_of_coco(content, path))
    answers: list[ClassAnswer] = []
    names = users_of(content)
    for place, task in enumerate(content, start=1):
        where = f"{path}, task {place}"
        try:
            if isinstance(task, dict) and "annotations" not in task and "data" not in task:
                answers.append(_of_row({str(key): value for key, value in task.items()}, str(path), where))
            else:
                answers += _of_task(need(task, dict, where), names, where)
        except DataFileError as error:
            answers.append(ClassAnswer("", "", where, fault=fault_of(error, where)))
    return answers


def _of_task(task: Mapping[str, Any], names: Mapping[int, str], where: str) -> Iterator[ClassAnswer]:
    """Annotations of a task of Label Studio, and its drafts."""
    data = need(task.get("data"), dict, f"{where}: the data")
    item = _item(data, where)
    for count, entry in enumerate(need(task.get("annotations", []), list, f"{where}: annotations"), start=1):
        spot = f"{where}, annotation {count}"
        try:
            yield _annotation(need(entry, dict, spot), item, names, spot)
        except DataFileError as error:
            yield ClassAnswer(item, "", spot, fault=fault_of(error, spot))
    drafts = task.get("drafts")
    for count, entry in enumerate(drafts if isinstance(drafts, list) else (), start=1):
        who = text_of(entry.get("created_username")) if isinstance(entry, dict) else ""
        yield ClassAnswer(item, printable(who.rpartition(", ")[0] or who), f"{where}, draft {count}", draft=True)


def _annotation(entry: Mapping[str, Any], item: str, names: Mapping[int, str], where: str) -> ClassAnswer:
    answer = ClassAnswer(
        item,
        annotator_of(entry, names, where),
        where,
        skipped=bool(entry.get("was_cancelled")),
        starred=entry.get("ground_truth") is True,
        identity=text_of(entry.get("unique_id")),
        updated=text_of(entry.get("updated_at")),
    )
    if answer.skipped:
        return answer
    regions = [need(each, dict, where) for each in need(entry.get("result"), list, f"{where}: the result")]
    choices = [each for each in regions if each.get("type") == "choices"]
    # A project may ask more than the class.
    choices = [each for each in choices if each.get("from_name") == CLASS] or choices
    chosen = [name for each in choices for name in _strings(each, "choices", where)]
    typed = [each for each in regions if each.get("type") == "textarea" and each.get("from_name") == NEW_CLASS]
    chosen += [name for each in typed for name in _strings(each, "text", where) if name.strip()]
    return answer._replace(classes=tuple(dict.fromkeys(chosen)))


def _strings(region: Mapping[str, Any], key: str, where: str) -> list[str]:
    value = need(region.get("value"), dict, f"{where}: the value").get(key)
    if isinstance(value, str):
        return [value]
    return [need(each, str, f"{where}: {key}") for each in need(value, list, f"{where}: {key}")]


def _item(data: Mapping[str, Any], where: str) -> str:
    """What a task or row calls its item."""
    for column in ITEM_COLUMNS:
        value = data.get(column)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    raise DataFileError(f"{where}: neither {' nor '.join(ITEM_COLUMNS[:3])} says of which item it is")


def _of_row(row: Mapping[str, Any], path: str, where: str) -> ClassAnswer:
    """A row of a table, or an entry of Label Studio's JSON-MIN."""
    item = _item(row, where)
    by = row.get("annotator")
    answer = ClassAnswer(
        item,
        printable(by if isinstance(by, str | int) and not isinstance(by, bool) and by != "" else Path(path).name),
        where,
        updated=text_of(row.get("updated_at")),
    )
    column = next((name for name in CLASS_COLUMNS if name in row), None)
    try:
        names = [] if column is None else _cell(row[column], f"{where}: {column}")
        names += [name for name in _cell(row.get(NEW_CLASS, ""), f"{where}: {NEW_CLASS}") if name.strip()]
    except DataFileError as error:
        return answer._replace(fault=fault_of(error, where))
    return answer._replace(classes=tuple(dict.fromkeys(names)))


def _cell(value: Any, where: str) -> list[str]:
    """Classes in a cell: one, or several as Label Studio writes them, `{"choices": [...]}`; none in an empty one."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return [value]
    if isinstance(value, dict):
        value = value.get("choices")
    if isinstance(value, list):
        return [need(each, str, where) for each in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return [str(value)]
    text = need(value, str, where)
    return [text] if text.strip() else []


def _of_table(text: str, path: Path) -> Iterator[ClassAnswer]:
    """Rows of a table whose header names a column of items and one of classes."""
    head = text.lstrip("\n\r").partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    table = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [cell.strip().casefold() for cell in next((row for row in table if row), [])]
        if not any(name in header for name in ITEM_COLUMNS) or not {*CLASS_COLUMNS, NEW_CLASS} & set(header):
            shown = printable(delimiter.join(header), 100)
            raise DataFileError(
                f"{path}, line {table.line_num or 1}: the header must name item and class, got {shown!r}; {WAYS}"
            )
        twice = next((name for name in header if name and header.count(name) > 1), "")
        if twice:
            raise DataFileError(f"{path}, line {table.line_num}: two columns are called {printable(twice)}")
        for row in table:
            where = f"{path}, line {table.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                fault = f"{len(row)} cells, but the header has {len(header)}; quote a name that has a {delimiter!r}"
                # Which item it is of can be told only if it comes first.
                yield ClassAnswer(row[0] if header[0] in ITEM_COLUMNS else "", path.name, where, fault=fault)
                continue
            try:
                yield _of_row(dict(zip(header, row, strict=True)), str(path), where)
            except DataFileError as error:
                yield ClassAnswer("", path.name, where, fault=fault_of(error, where))
    except csv.Error as error:
        raise DataFileError(f"{path}, line {table.line_num} is no CSV: {printable(error, 200)}") from error


def _of_coco(content: Mapping[str, Any], path: Path) -> Iterator[ClassAnswer]:
    """Annotations of a COCO file, of whatever shape: the category is the class."""
    images: dict[Any, str] = {}
    categories: dict[Any, str] = {}
    for place, image in enumerate(content["images"], start=1):
        where = f"{path}, image {place}"
        image = need(image, dict, where)
        images[key_of(image.get("id"), f"{where}: the id")] = _item(image, where)
    for place, category in enumerate(content["categories"], start=1):
        where = f"{path}, category {place}"
        category = need(category, dict, where)
        name = need(category.get("name"), str, f"{where}: the name")
        categories[key_of(category.get("id"), f"{where}: the id")] = name
    found: dict[str, ClassAnswer] = {}
    for place, entry in enumerate(content["annotations"], start=1):
        where = f"{path}, annotation {place}"
        try:
            entry = need(entry, dict, where)
            image_id = key_of(entry.get("image_id"), f"{where}: image_id")
            category_id = key_of(entry.get("category_id"), f"{where}: category_id")
            if image_id not in images or category_id not in categories:
                missing = f"image {image_id}" if image_id not in images else f"category {category_id}"
                raise DataFileError(f"{where}: the file has no {printable(missing)}")
        except DataFileError as error:
            yield ClassAnswer("", path.name, where, fault=fault_of(error, where))
            continue
        item, name = images[image_id], categories[category_id]
        held = found.setdefault(item, ClassAnswer(item, path.name, where))
        found[item] = held._replace(classes=tuple(dict.fromkeys((*held.classes, name))))
    yield from found.values()


def _of_cvat(text: str, path: Path) -> Iterator[ClassAnswer]:
    """Tags of pictures in CVAT's own format for images."""
    if re.search("<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise DataFileError(f"{path} declares a document type, which no export does; {WAYS}")
    try:
        # Without entities there is nothing in it that grows.
        root = ET.fromstring(text)  # noqa: S314
    except (ET.ParseError, ValueError, RecursionError) as error:
        raise DataFileError(f"{path} is no XML file: {printable(error, 200)}; {WAYS}") from error
    if root.tag != "annotations":
        raise DataFileError(f"{path} is XML of another kind ({printable(root.tag)}); {WAYS}")
    for place, image in enumerate(root.iter("image"), start=1):
        where = f"{path}, image {place}"
        names = tuple(dict.fromkeys(tag.get("label", "") for tag in image.iter("tag")))
        if names:
            name = image.get("name", "")
            yield ClassAnswer(name, path.name, where, names, fault="" if name else "the picture has no name")
