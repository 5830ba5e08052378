"""The hand-off of a round that asks for classes: pictures, files for labeling tools, and a record of it."""

import colorsys
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from PIL import Image

from seqgcn.annotation.annotations import need, number, printable, read_record
from seqgcn.annotation.label_studio import IMAGE, NOT_XML
from seqgcn.annotation.tasks import IMAGES, LOCAL_FILES, as_json, remove_others
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.training import Progress
from seqgcn.utils.files import csv_text, make_folder, write_bytes, write_text

RECORD = "classes.json"
VERSION = 1

CLASS, NEW_CLASS, ITEM = "class", "new-class", "item"
"""Names of the question, of the field for a class that is missing, and of the text that is shown without a picture."""

COLUMNS = ("item", "class", "predicted class", "probability", "picture")

HOTKEYS = "1234567890qwetasdfgzxcvbyiopjklnm"
"""Of the classes, in Label Studio's own order; those beyond have none."""

MANY = 15
"""From so many classes on, annotators get a field that filters them."""


@dataclass(frozen=True)
class ClassTask:
    """An item that was handed off.

    Args:
        item: Its name.
        picture: File name of its picture; empty if it has none.
        score: The selector's; None where it is not finite.
        predicted: Its likeliest class; empty if none was predicted.
        probability: Of that class.
    """

    item: str
    picture: str = ""
    score: float | None = None
    predicted: str = ""
    probability: float | None = None


@dataclass(frozen=True)
class ClassTasks:
    """What was handed off in a round.

    Args:
        classes: Those that are known; more may come.
        tasks: The items, best first.
        labeled: Class of each item that was labeled before the round, empty where only that is known.
        predicted_by: What predicted the classes.
    """

    classes: tuple[str, ...]
    tasks: tuple[ClassTask, ...]
    labeled: Mapping[str, str] = field(default_factory=dict)
    predicted_by: str = "seqgcn"

    @cached_property
    def by_item(self) -> dict[str, ClassTask]:
        """The tasks, by item."""
        return {task.item: task for task in self.tasks}

    @cached_property
    def by_picture(self) -> dict[str, ClassTask]:
        """The tasks that have a picture, by the picture's file name."""
        return {task.picture: task for task in self.tasks if task.picture}

    @property
    def pictured(self) -> bool:
        """Whether annotators see pictures, and not the names of the items."""
        return all(task.picture for task in self.tasks)


def class_configuration(classes: Sequence[str], pictured: bool = True) -> str:
    """The labeling configuration of Label Studio: one class of each item, with hot keys, or the name of a new one.

    Args:
        classes: Those that are known. Without any, annotators write their names.
        pictured: Whether items are shown as pictures, and not by their names.

    Raises:
        ArgumentError: The name of a class cannot be written in XML.
    """
    for name in classes:
        if NOT_XML.search(name):
            raise ArgumentError(f"class {name!r} has a character that XML does not allow; rename the class")
    view = ET.Element("View")
    shown = IMAGE if pictured else ITEM
    if pictured:
        ET.SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}", zoom="true", zoomControl="true")
    else:
        ET.SubElement(view, "Text", name=ITEM, value=f"${ITEM}")
    if classes:
        if len(classes) >= MANY:
            ET.SubElement(view, "Filter", name="filter", toName=CLASS, placeholder="find a class", minlength="0")
        choices = ET.SubElement(view, "Choices", name=CLASS, toName=shown, choice="single", showInline="true")
        for place, name in enumerate(classes):
            key = {"hotkey": HOTKEYS[place]} if place < len(HOTKEYS) else {}
            ET.SubElement(choices, "Choice", {"value": name, **key})
    told = "a class that is missing above" if classes else "the class"
    ET.SubElement(
        view, "TextArea", name=NEW_CLASS, toName=shown, placeholder=told, rows="1", maxSubmissions="1", editable="true"
    )
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def write_class_tasks(
    folder: str | Path,
    tasks: ClassTasks,
    pictures: Iterable[bytes] = (),
    *,
    image_prefix: str = LOCAL_FILES,
    progress: Progress | None = None,
) -> None:
    """Write what labeling tools import.

    Written are ``images/``, where items are pictures; ``label_studio.json`` and ``label_studio.xml`` (tasks and
    labeling configuration); ``cvat_labels.json`` (what CVAT's *Raw* editor of labels takes); ``coco_classes.json``
    (pictures and categories, without annotations); ``classes.csv``, a table to be filled in; ``frames.txt`` (the items,
    a line each) and at last ``classes.json``, from which `read_class_tasks` knows what was handed off.

    Args:
        folder: Made if it is not there; files in it are replaced, and pictures of other items in ``images/`` removed.
        tasks: What to hand off.
        pictures: The files of their pictures, if they have any, in the same order.
        image_prefix: What Label Studio is to find before each picture's name: the start of a web address.
        progress: Told about every picture, as stage `"previews"`.

    Raises:
        ArgumentError: The name of a class cannot be written in XML.
        DataFileError: A picture cannot be read.
        RunFolderError: The folder cannot be written.
    """
    folder = Path(folder)
    setup = class_configuration(tasks.classes, tasks.pictured)
    make_folder(folder / IMAGES if tasks.pictured else folder)
    sizes = []
    if tasks.pictured:
        for done, (task, content) in enumerate(zip(tasks.tasks, pictures, strict=True), start=1):
            sizes.append(_size(content, task.item))
            write_bytes(folder / IMAGES / task.picture, content)
            if progress is not None:
                progress("previews", done, len(tasks.tasks))
        others = (path for path in (folder / IMAGES).iterdir() if not path.name.startswith("."))
        remove_others(others, tasks.by_picture)
        write_text(folder / "coco_classes.json", as_json(_coco(tasks, sizes)))
    write_text(folder / "label_studio.xml", setup)
    write_text(folder / "label_studio.json", as_json(_label_studio(tasks, image_prefix)))
    write_text(folder / "cvat_labels.json", as_json(cvat_labels(tasks.classes)))
    write_text(folder / "classes.csv", csv_text(_table(tasks)))
    write_text(folder / "frames.txt", "".join(f"{task.item}\n" for task in tasks.tasks))
    write_text(folder / RECORD, as_json({"version": VERSION, **asdict(tasks)}))


def cvat_labels(classes: Sequence[str]) -> list[dict[str, Any]]:
    """Tags of whole pictures as CVAT's *Raw* editor of labels takes them."""
    return [
        {"name": name, "color": _color(place, len(classes)), "type": "tag", "attributes": []}
        for place, name in enumerate(classes)
    ]


def _color(place: int, count: int) -> str:
    red, green, blue = colorsys.hls_to_rgb(place / count, 0.5, 0.8)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def _label_studio(tasks: ClassTasks, image_prefix: str) -> list[dict[str, Any]]:
    made = []
    for rank, task in enumerate(tasks.tasks, start=1):
        data: dict[str, Any] = {"image": image_prefix + quote(task.picture)} if task.picture else {}
        content: dict[str, Any] = {"data": {**data, "item": task.item, "rank": rank, "score": task.score}}
        if task.predicted:
            region = {
                "id": CLASS,
                "from_name": CLASS,
                "to_name": IMAGE if tasks.pictured else ITEM,
                "type": "choices",
                "value": {"choices": [task.predicted]},
            }
            content["predictions"] = [
                {"model_version": tasks.predicted_by, "score": task.probability, "result": [region]}
            ]
        made.append(content)
    return made


def _coco(tasks: ClassTasks, sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    images = [
        {"id": place, "file_name": task.picture, "width": width, "height": height, "item": task.item}
        for place, (task, (width, height)) in enumerate(zip(tasks.tasks, sizes, strict=True), start=1)
    ]
    categories = [{"id": place, "name": name} for place, name in enumerate(tasks.classes, start=1)]
    return {"images": images, "categories": categories, "annotations": []}


def _table(tasks: ClassTasks) -> Iterable[Sequence[Any]]:
    yield COLUMNS
    for task in tasks.tasks:
        share = "" if task.probability is None else f"{task.probability:.3f}"
        yield task.item, "", task.predicted, share, task.picture


def _size(content: bytes, item: str) -> tuple[int, int]:
    """Width and height of a picture as it is shown, px."""
    try:
        with Image.open(BytesIO(content)) as image:
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except Exception as error:  # decoders raise whatever the damaged bytes lead them to
        raise DataFileError(f"{item} cannot be read as an image ({printable(error, 200)})") from error
    return (height, width) if turned else (width, height)


def read_class_tasks(folder: str | Path) -> ClassTasks:
    """What was handed off, from the folder that `write_class_tasks` wrote.

    Raises:
        MissingFileError: It was not finished, or is another folder.
        DataFileError: Its record is damaged or of another version.
    """
    path = Path(folder) / RECORD
    content = read_record(path, VERSION)
    try:
        where = str(path)
        texts = need(content["classes"], list, f"{where}: classes")
        labeled = need(content["labeled"], dict, f"{where}: labeled")
        return ClassTasks(
            classes=tuple(need(name, str, f"{where}: a class") for name in texts),
            tasks=tuple(_task(need(task, dict, where), where) for task in need(content["tasks"], list, where)),
            labeled={item: need(name, str, f"{where}: labeled") for item, name in labeled.items()},
            predicted_by=need(content["predicted_by"], str, f"{where}: predicted_by"),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise DataFileError(f"{path} is damaged ({printable(error, 200)}); restore it, or select again") from error


def _task(content: Mapping[str, Any], where: str) -> ClassTask:
    texts = {key: need(content[key], str, f"{where}: {key}") for key in ("item", "picture", "predicted")}
    numbers = {
        key: None if content[key] is None else number(content[key], f"{where}: {key}")
        for key in ("score", "probability")
    }
    return ClassTask(**texts, **numbers)  # type: ignore[arg-type]  # of each key its own type


def finite(value: float) -> float | None:
    """A number as JSON may hold it."""
    return value if math.isfinite(value) else None


def picture_name(name: str) -> str:
    """A picture's file name without the eight hexadecimal digits that Label Studio puts before those uploaded there."""
    return re.sub("^[0-9a-f]{8}-", "", name)
