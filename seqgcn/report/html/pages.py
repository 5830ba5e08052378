"""Templates filled: the one place where text becomes HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from seqgcn import __version__


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells of text; the first column names the rows.

    Args:
        title: Of the table, for whoever cannot see where it stands.
        header: Title of each column.
        rows: Cells of each row, as many as there are titles.
        text: Columns, counted from 0, that hold text and begin at the left; others hold numbers.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: Sequence[int] = (0,)


def render(template: str, **values: Any) -> str:
    """Fill a template of this package; every value is escaped, and one that is missing is an error.

    Args:
        template: Its file name.
        values: What it asks for.
    """
    return _environment().get_template(template).render(version=__version__, **values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("seqgcn.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
