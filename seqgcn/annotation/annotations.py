"""What annotators answered, whichever tool they used, and reading the JSON that tools export.

Exports are files from elsewhere: whatever is in them gives an answer or a `DataFileError`.
"""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, Protocol, TypeVar

from seqgcn.exceptions import DataFileError, MissingFileError

MOST_BYTES = 2**27
"""An export of a thousand frames has a tenth of it."""

FARTHEST = 1e9
"""No number of an export is larger."""

T = TypeVar("T")

KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}


class Keypoint(NamedTuple):
    """A joint that somebody marked.

    Args:
        joint: Its name, as it stands in the file.
        x: Share of the picture's width, from its left edge.
        y: Share of the picture's height, from its top edge.
        hidden: Whether it was said to be hidden.
        origin: `"manual"`, `"prediction-changed"` or `"prediction"`, where the tool tells.
    """

    joint: str
    x: float
    y: float
    hidden: bool
    origin: str = ""


class Annotation(NamedTuple):
    """What one annotator answered about one frame.

    Args:
        frame: Path of the frame, or name of its preview.
        annotator: Who.
        where: Place in the file, for messages.
        keypoints: The joints.
        sizes: Widths and heights, px, that the picture is said to have.
        faults: What makes the answer useless, in words.
        skipped: Whether the annotator would not answer.
        identity: What no other annotation in the world has, where the tool gives it such a thing.
        updated: When it was last changed, as ISO 8601 has it, where the tool tells.
        absent: Whether the annotator says that there is no hand in the frame.
        submitted: Whether somebody submitted it; else it may be what the tool was given, which nobody looked at.
        draft: Whether it was begun and not submitted.
        starred: Whether somebody marked it as the ground truth.
    """

    frame: str
    annotator: str
    where: str
    keypoints: tuple[Keypoint, ...]
    sizes: frozenset[tuple[float, float]] = frozenset()
    faults: tuple[str, ...] = ()
    skipped: bool = False
    identity: str = ""
    updated: str = ""
    absent: bool = False
    submitted: bool = True
    draft: bool = False
    starred: bool = False


class Dated(Protocol):
    """An answer of which a tool may export several states."""

    @property
    def identity(self) -> str:
        """What no other answer in the world has, where the tool gives it such a thing; else empty."""

    @property
    def updated(self) -> str:
        """When it was last changed, as ISO 8601 has it, where the tool tells; else empty."""


D = TypeVar("D", bound=Dated)


def newest(answers: Sequence[D]) -> list[D]:
    """Of each answer that is there more than once its newest state, of equally new ones the last."""
    found: dict[str, D] = {}
    for number, answer in enumerate(answers):
        key = answer.identity or str(number)
        if key not in found or _time(answer.updated) >= _time(found[key].updated):
            found[key] = answer
    return list(found.values())


def _time(updated: str) -> datetime:
    """When that was; long ago, where nobody knows. Without a time zone, UTC is meant."""
    try:
        time = datetime.fromisoformat(updated)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


def fault_of(error: DataFileError, where: str) -> str:
    """What is wrong, without the place in the file, which `Annotation.where` has."""
    return str(error).removeprefix(where).removeprefix(",").removeprefix(":").strip()


def read_json(path: Path) -> Any:
    """A JSON file of at most `MOST_BYTES`.

    Raises:
        MissingFileError: There is no such file.
        DataFileError: It cannot be read, is too large, not JSON, or nested too deeply.
    """
    if not os.path.isfile(path):
        raise MissingFileError(f"{path} is missing or not a regular file")
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise DataFileError(f"{path} has more than {MOST_BYTES >> 20} MiB; export one round at a time")
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataFileError(f"{path} is no JSON file: {printable(error, 200)}") from error


def read_record(path: Path, version: int) -> dict[str, Any]:
    """The record of what was handed off.

    Args:
        path: The file.
        version: Of what is in it.

    Raises:
        MissingFileError: The hand-off was not finished, or is in another folder.
        DataFileError: It is damaged, or of another version.
    """
    content = need(read_json(path), dict, str(path))
    if content.get("version") != version:
        raise DataFileError(f"{path} is of another version than {version}; import with the version that wrote it")
    return content


def printable(value: object, most: int = 80) -> str:
    """Text of any origin that can be shown: invisible characters are escaped, and what is too long is cut."""
    text = str(value)
    text = text if len(text) <= most else f"{text[: most - 3]}..."
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def need(value: Any, kind: type[T], where: str) -> T:
    """The value, if it is of a kind of JSON.

    Raises:
        DataFileError: It is of another; the message starts with `where`.
    """
    if not isinstance(value, kind):
        raise DataFileError(f"{where} must be {KINDS[kind]}, got {_shown(value)}")
    return value


def number(value: Any, where: str) -> float:
    """A number.

    Raises:
        DataFileError: It is none, or absurdly large; the message starts with `where`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= FARTHEST:
        raise DataFileError(f"{where} must be a number, got {_shown(value)}")
    return float(value)


def key_of(value: Any, where: str) -> int | str:
    """A whole number or a text, as tools use to number things.

    Raises:
        DataFileError: It is neither; the message starts with `where`.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DataFileError(f"{where} must be a whole number or a text, got {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    # What is nested may be too deep to be shown.
    return KINDS.get(type(value), "") if isinstance(value, dict | list) else printable(repr(value), 40)


def file_name(path: str) -> str:
    """Last part of a path or of a web address."""
    return PurePosixPath(path.replace("\\", "/")).name
