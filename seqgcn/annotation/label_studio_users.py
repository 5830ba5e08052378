"""Who answered, of Label Studio's exports: users by name where a file tells it anywhere, else by number."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from seqgcn.annotation.annotations import key_of, printable


def users_of(tasks: Sequence[Any]) -> dict[int, str]:
    """Names of users by their numbers, as far as any annotation or draft of an export tells them."""
    names: dict[int, str] = {}
    for task in tasks:
        for key in ("annotations", "drafts") if isinstance(task, dict) else ():
            entries = task.get(key)
            for entry in entries if isinstance(entries, list) else ():
                if not isinstance(entry, dict):
                    continue
                by = entry.get("completed_by")
                if isinstance(by, dict) and isinstance(by.get("id"), int) and (name := _full_name(by)):
                    names[by["id"]] = name
                # As "Ann Lee ann@lab.org, 7".
                name, _, number_of = text_of(entry.get("created_username")).rpartition(", ")
                if name.strip() and re.fullmatch("[0-9]{1,9}", number_of):
                    names.setdefault(int(number_of), printable(name.strip()))
    return names


def annotator_of(entry: Mapping[str, Any], names: Mapping[int, str], where: str) -> str:
    """Who made an annotation.

    Args:
        entry: The annotation.
        names: Of users, as `users_of` finds them.
        where: Place in the file, for messages.

    Raises:
        DataFileError: It says who in no way that is known.
    """
    by = entry.get("completed_by")
    if isinstance(by, dict):
        by = _full_name(by) or by.get("id")
    if isinstance(by, int) and by in names:
        by = names[by]
    if by is None:
        by = f"of annotation {key_of(entry.get('id', '?'), f'{where}: the id')}"
    return printable(key_of(by, f"{where}: completed_by"))


def text_of(value: Any) -> str:
    """A text; empty for anything else."""
    return value if isinstance(value, str) else ""


def _full_name(by: Mapping[str, Any]) -> str:
    name = " ".join(filter(None, (text_of(by.get(key)).strip() for key in ("first_name", "last_name"))))
    return printable(name or text_of(by.get("email")))
