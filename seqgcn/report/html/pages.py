"""Templates filled, the one place where text becomes HTML, and the pages written."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from seqgcn import __version__
from seqgcn.exceptions import RunFolderError
from seqgcn.utils.files import write_text

GENERATOR, HEAD = b'<meta name="generator" content="seqgcn ', 1024
"""What tells a page of this package, as `base.html.j2` writes it, and within how many bytes."""


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


def write_page(path: str | Path, page: str) -> None:
    """Write a page to where there is none yet, or an earlier one of this package, which is replaced.

    Args:
        path: Of the page.
        page: The page, as `render` makes it.

    Raises:
        RunFolderError: Anything else is there, which stays as it is, or the page cannot be written.
    """
    path = Path(path)
    try:
        there, folder = path.exists(), path.is_dir()
        earlier = path.is_file() and _is_page(path)
    except OSError as error:
        raise RunFolderError(f"cannot tell whether {path} may be replaced: {error.strerror or error}") from error
    if folder:
        raise RunFolderError(
            f"{path} is a folder; name a file for the page, such as {path / 'report.html'}, with --out"
        )
    if there and not earlier:
        raise RunFolderError(f"{path} is there already and is no page of seqgcn; name another file with --out")
    write_text(path, page)


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return GENERATOR in file.read(HEAD)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("seqgcn.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
