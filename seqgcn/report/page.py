"""What all pictures have in common: their style, the page with title and caption, and how it is written.

Drawn through matplotlib's objects, never through pyplot, so that no open figure or backend is touched. The
same input gives the same bytes with the same version of matplotlib.
"""

import io
import os
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from seqgcn.exceptions import ArgumentError
from seqgcn.report.fingers import GREY as GREY
from seqgcn.utils.files import write_bytes

FloatArray = npt.NDArray[np.float64]

# Okabe and Ito's colors without yellow, which is too pale for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES = ("-", "--", ":", "-.")
HATCHES = ("", "///", "...", "xxx")

STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.formatter.useoffset": False,
    "axes.labelsize": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.dpi": 200,
    "font.size": 10.5,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.7,
    "lines.markersize": 5,
    "svg.hashsalt": "seqgcn",  # otherwise the ids inside an SVG are random
    "text.parse_math": False,  # a "$" in a title is a dollar
}

# Without a date, and without the version of matplotlib where the format allows.
METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


@contextmanager
def page(
    path: str | os.PathLike[str], title: str, caption: str, size: tuple[float, float] = (8.0, 5.0)
) -> Iterator[Figure]:
    """Give a figure with title and caption, and write it to `path` if the block ends without an error.

    Args:
        path: Picture to write, ending in .png, .svg or .pdf.
        title: Above the picture.
        caption: Below it.
        size: Width and height, inches.

    Raises:
        ArgumentError: `path` has another ending.
        RunFolderError: The picture cannot be written.
    """
    target = Path(path)
    kind = target.suffix.lower()
    if kind not in METADATA:
        raise ArgumentError(f"cannot tell the format of {str(path)!r}: end it in {', '.join(METADATA)}")
    # The user's own matplotlibrc must not change the picture.
    with style.context(["default", STYLE]):
        figure = Figure(figsize=size)
        figure.suptitle(wrapped(title, int(9 * size[0])), x=0.01, ha="left", fontsize=13, fontweight="bold")
        caption = wrapped(caption, int(15 * size[0]))
        figure.supxlabel(caption, x=0.01, ha="left", fontsize=9, color="#555555")
        yield figure
        picture = io.BytesIO()
        figure.savefig(picture, format=kind[1:], metadata=METADATA[kind])
    write_bytes(target, picture.getvalue())


def side_legend(
    figure: Figure, axes: Axes, handles: Sequence[Artist], texts: Sequence[str], offset: float = 0.07
) -> None:
    """Put the legend to the right of the axes, `offset` inches away; a page grows taller for a long one."""
    texts = [wrapped(text, 24) for text in texts]
    crowded = len(texts) > 16
    fontsize, spacing = (8.0, 0.3) if crowded else (10.5, 0.5)
    lines = sum(1 + text.count("\n") for text in texts)
    # Beside the legend, a title of two lines and a caption need an inch.
    height = 1.0 + (1.2 * lines + spacing * len(texts)) * fontsize / 72
    figure.set_figheight(max(figure.get_figheight(), height))
    axes.legend(
        handles,
        texts,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        bbox_transform=axes.transAxes + ScaledTranslation(offset, 0, figure.dpi_scale_trans),
        borderaxespad=0,
        frameon=False,
        fontsize=fontsize,
        labelspacing=spacing,
    )


def vector(name: str, values: npt.ArrayLike) -> FloatArray:
    """Finite numbers `[n]`, n > 0.

    Raises:
        ArgumentError: They are not; the message names the argument.
    """
    numbers = array(name, values, np.float64)
    if numbers.ndim != 1 or len(numbers) == 0:
        raise ArgumentError(f"{name} must be one-dimensional and not empty, got shape {list(numbers.shape)}")
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise ArgumentError(f"{name}[{row}] is {numbers[row]}, which has no place in a picture")
    return numbers


def array(name: str, values: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> npt.NDArray[Any]:
    """Anything like an array as one.

    Raises:
        ArgumentError: It is nothing like it: a tensor on a GPU or with a gradient, ragged lists.
    """
    try:
        return np.asarray(values, dtype=dtype)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentError(f"{name} cannot be read as an array: {error}") from error


def wrapped(text: str, width: int) -> str:
    """The text in lines of at most `width` characters."""
    return "\n".join(textwrap.wrap(text, width))
