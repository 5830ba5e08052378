"""What Markdown lacks: formulas of docstrings become MathML, which needs no script, and doctests become code."""

import re
from typing import Any

from griffe import Extension, Object
from latex2mathml.converter import convert

INLINE = re.compile(r":math:`([^`]+)`|\$([^$`\n]+)\$")
DISPLAY = re.compile(r"^( *)\.\. math:: ?(.+(?:\n\1 {4,}.+)*)$", flags=re.MULTILINE)
DOCTEST = re.compile(r"^( *)(>>> .*(?:\n\1\S.*)*)$", flags=re.MULTILINE)


class Docstrings(Extension):
    """Converts the docstrings of all objects that are loaded."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called for every object that was loaded."""
        if obj.docstring is not None:
            text = DISPLAY.sub(lambda match: match[1] + _mathml(match[2], display="block"), obj.docstring.value)
            # At the start of a line, Markdown would take the element for a block of its own.
            text = INLINE.sub(lambda match: f"<span>{_mathml(match[1] or match[2])}</span>", text)
            obj.docstring.value = DOCTEST.sub(r"\1```pycon\n\1\2\n\1```", text)


def _mathml(formula: str, display: str = "inline") -> str:
    return convert(" ".join(formula.split()), display=display).replace("\n", "")
