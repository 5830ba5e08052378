"""What arguments mean, as Google-style docstrings say it."""

import inspect
import re
from typing import Any

_ENTRY = re.compile(r"(?P<names>\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: \([^)]*\))?: +(?P<text>.*)")
_SENTENCE = re.compile(r"(?<![ .(][a-z])(?<!\bal)\.\s+(?=[A-Z`\"])")


def arguments_of(component: Any) -> dict[str, str]:
    """What each argument of a class or function means, by name.

    A class is described by its own docstring and that of its `__init__`, before those of its bases. An object that
    takes the arguments of several classes names these in an attribute `documented`.

    Args:
        component: The class or function.
    """
    found: dict[str, str] = {}
    for each in reversed(getattr(component, "documented", (component,))):
        for part in reversed(each.__mro__) if isinstance(each, type) else (each,):
            for doc in (part.__dict__.get("__doc__"), getattr(part.__dict__.get("__init__"), "__doc__", None)):
                found |= parse_arguments(doc or "")
    return found


def parse_arguments(doc: str) -> dict[str, str]:
    """The entries of a docstring's section `Args`, each in one line and without marks of code.

    Args:
        doc: The docstring.
    """
    lines = iter(inspect.cleandoc(doc).splitlines())
    found: dict[str, str] = {}
    names: list[str] = []
    indent = 0
    if not any(line.strip() == "Args:" for line in lines):
        return found
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if line.strip() and depth == 0:
            break
        indent = indent or depth
        entry = _ENTRY.fullmatch(line.strip()) if depth == indent else None
        if entry is not None:
            names = [name.lstrip("*") for name in entry["names"].split(", ")]
            found |= dict.fromkeys(names, entry["text"])
        elif line.strip() and names:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return {name: text.replace("`", "") for name, text in found.items()}


def first_sentence(text: str) -> str:
    """A text up to the end of its first sentence, without the full stop.

    Args:
        text: In one line.
    """
    return _SENTENCE.split(text, maxsplit=1)[0].removesuffix(".")
