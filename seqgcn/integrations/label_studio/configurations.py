"""Labeling configurations: does a project ask what a round asks?"""

import copy
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from seqgcn.utils.validation import name_some

OPEN = ("Choices",)
"""Tags whose list of values may grow while people label; any other asks for just what it names."""

HELPS = ("Filter",)
"""Tags that ask for nothing, and may be there or not."""


def extended_configuration(theirs: str, ours: str) -> str:
    """A project's configuration, with what a round asks beyond it.

    Controls are known by their names. Classes that either has and the other lacks are kept: people may have added some
    in the project. Whatever else the project shows or asks stays as it is.

    Args:
        theirs: Of the project; one that asks nothing, as of a new project, is replaced.
        ours: Of the round.

    Returns:
        The configuration to set; `theirs` itself where nothing is lacking.

    Raises:
        ValueError: The project asks something else; the message says what.
    """
    root = _parsed(theirs)
    if root is None or not list(_controls(root)):
        return ours
    there, asked = _named(root), _named(ET.fromstring(ours))  # noqa: S314
    shared_controls = [name for name, tag in asked.items() if tag.get("toName") and name in there]
    changed = False
    for name, tag in asked.items():
        held = there.get(name)
        if held is None and tag.tag in OPEN and shared_controls:
            # As where no class was known in the first round.
            root.append(copy.deepcopy(tag))
            changed = True
            continue
        if held is None or held.tag != tag.tag:
            raise ValueError(f"it lacks the {tag.tag} {name!r}")
        for key in ("toName", "value"):
            if held.get(key) != tag.get(key):
                raise ValueError(f"its {tag.tag} {name!r} has {key}={held.get(key)!r}, not {tag.get(key)!r}")
        ours_only = [value for value in _values(tag) if value not in _values(held)]
        shared = len(_values(tag)) - len(ours_only)
        if tag.tag in OPEN and (shared or not _values(tag) or not _values(held)):
            for value in ours_only:
                _add(held, _values(tag)[value])
                changed = True
        elif _values(tag).keys() != _values(held).keys():
            other = ours_only or [value for value in _values(held) if value not in _values(tag)]
            which = "it lacks" if ours_only else "only it has"
            raise ValueError(f"its {tag.tag} {name!r} has other values: {which} {name_some(other)}")
    return ET.tostring(root, encoding="unicode") if changed else theirs


def _parsed(configuration: str) -> ET.Element | None:
    try:
        # Of a server that its user named; expat as it is built today limits what entities grow to.
        return ET.fromstring(configuration)  # noqa: S314
    except ET.ParseError:
        return None


def _controls(root: ET.Element) -> Iterator[ET.Element]:
    return (tag for tag in root.iter() if tag.get("name") and tag.get("toName"))


def _named(root: ET.Element) -> dict[str, ET.Element]:
    """What has a name, by name."""
    return {str(tag.get("name")): tag for tag in root.iter() if tag.get("name") and tag.tag not in HELPS}


def _add(tag: ET.Element, choice: ET.Element) -> None:
    """Add something to choose, without its hot key if another has that."""
    choice = copy.deepcopy(choice)
    if choice.get("hotkey") in {each.get("hotkey") for each in tag}:
        choice.attrib.pop("hotkey", None)
    tag.append(choice)


def _values(tag: ET.Element) -> dict[str, ET.Element]:
    """What may be answered, by value."""
    return {str(child.get("value")): child for child in tag if child.tag in ("Label", "Choice")}
