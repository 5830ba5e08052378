"""Pictures of a run: learning curves, the GCN's training loss, and its confidence in every item.

Drawn through matplotlib's objects, never through pyplot, so that no open figure or backend is touched. The
same input gives the same bytes with the same version of matplotlib.
"""

import io
import os
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from seqgcn.errors import ArgumentError
from seqgcn.evaluation import Curve
from seqgcn.files import write_bytes

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

GREY = "#777777"
# Okabe and Ito's colours without yellow, which is too pale for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES = ("-", "--", ":", "-.")

STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.formatter.useoffset": False,
    "axes.labelsize": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.dpi": 200,
    "figure.figsize": (8, 5),
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


def learning_curve(
    curves: Mapping[str, Mapping[int, Curve]],
    path: str | os.PathLike[str],
    *,
    title: str,
    metric_name: str = "accuracy",
    unit: str = "%",
    scale: float = 100.0,
) -> None:
    """Draw the test metric over the number of labelled items, one line a selector.

    A line is the mean over the selector's seeds, at the label counts that all of them reached, in a band of
    one sample standard deviation; a selector run with one seed has a thin line and no band. The legend lists
    the selectors as their lines end, from top to bottom.

    Args:
        curves: For each selector the curve of each seed. Colours follow this order; ``"random"`` is grey.
        path: Picture to write, ending in .png, .svg or .pdf.
        title: What was run, above the picture.
        metric_name: The metric, for the vertical axis.
        unit: Unit of the metric once multiplied by `scale`; empty for none.
        scale: Factor from the curves' values to what is shown.

    Raises:
        ArgumentError: There is nothing to draw, or `path` has another ending.
        RunFolderError: The picture cannot be written.
    """
    if not curves:
        raise ArgumentError("curves is empty: there is no selector to draw")
    means = [_mean_curve(name, runs, scale) for name, runs in curves.items()]
    coloured = [mean.name for mean in means if mean.name != "random"]
    with _page(path, title, _seeds_caption(means)) as figure:
        axes = figure.subplots()
        lines = {
            mean: _draw(axes, mean, coloured.index(mean.name) if mean.name in coloured else None) for mean in means
        }
        axes.set_xlabel("labelled items")
        axes.set_ylabel(f"test {metric_name} ({unit})" if unit else f"test {metric_name}")
        _count_ticks(axes, np.unique(np.concatenate([mean.labelled for mean in means])))
        ranked = sorted(means, key=lambda mean: -mean.metric[-1])
        crowded = len(means) > 16
        axes.legend(
            [lines[mean] for mean in ranked],
            _legend_texts(ranked),
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            borderaxespad=0,
            frameon=False,
            fontsize=8 if crowded else 10.5,
            labelspacing=0.3 if crowded else 0.5,
        )


@dataclass(frozen=True, eq=False)
class _MeanCurve:
    """One selector's curve over its seeds, where all of them have a value; `spread` is None for one seed."""

    name: str
    seeds: int
    labelled: FloatArray
    metric: FloatArray
    spread: FloatArray | None


def _mean_curve(name: str, runs: Mapping[int, Curve], scale: float) -> _MeanCurve:
    values = [dict(zip(curve.labelled, curve.metric, strict=True)) for curve in runs.values()]
    shared = sorted(set.intersection(*(set(points) for points in values))) if values else []
    if not shared:
        raise ArgumentError(f"the {len(runs)} curves of {name!r} have no label count in common: nothing to draw")
    table = scale * np.array([[points[count] for count in shared] for points in values])
    spread = table.std(axis=0, ddof=1) if len(values) > 1 else None
    return _MeanCurve(name, len(values), np.array(shared, dtype=np.float64), table.mean(axis=0), spread)


def _draw(axes: Axes, mean: _MeanCurve, rank: int | None) -> Line2D:
    """Draw one line; selectors beyond the number of colours differ from the first in marker and dashes."""
    colour = GREY if rank is None else COLOURS[rank % len(COLOURS)]
    (line,) = axes.plot(
        mean.labelled,
        mean.metric,
        color=colour,
        marker="." if rank is None else MARKERS[rank % len(MARKERS)],
        linestyle="-" if rank is None else DASHES[rank // len(COLOURS) % len(DASHES)],
        linewidth=1.0 if mean.spread is None else 1.8,
        markevery=max(1, len(mean.labelled) // 12),
        zorder=3,
    )
    if mean.spread is not None:
        low, high = mean.metric - mean.spread, mean.metric + mean.spread
        axes.fill_between(mean.labelled, low, high, color=colour, alpha=0.15, linewidth=0)
        if len(mean.labelled) == 1:  # a band of one point has no width
            axes.vlines(mean.labelled, low, high, color=colour, alpha=0.3, linewidth=6)
    return line


def _legend_texts(means: list[_MeanCurve]) -> list[str]:
    if len({mean.seeds for mean in means}) == 1:  # then the caption says how many
        return [_wrapped(mean.name, 24) for mean in means]
    return [_wrapped(f"{mean.name} ({_count(mean.seeds, 'seed')})", 24) for mean in means]


def _seeds_caption(means: list[_MeanCurve]) -> str:
    most = max(mean.seeds for mean in means)
    if most == 1:
        return "One seed a selector: no spread to show."
    least = min(mean.seeds for mean in means)
    seeds = f"{most}" if least == most else f"{least} to {most}"
    return f"Line: mean over {seeds} seeds. Band: ± 1 standard deviation over the seeds."


def _count_ticks(axes: Axes, counts: FloatArray) -> None:
    """Tick the label counts themselves where there is room for all of them."""
    axes.xaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
    span = counts[-1] - counts[0]
    if len(counts) == 1 or np.diff(counts).min() >= span / 8:
        axes.set_xticks(counts.tolist())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))


def loss_curve(losses: npt.ArrayLike, path: str | os.PathLike[str], *, title: str) -> None:
    """Draw the GCN's training loss after each epoch.

    Args:
        losses: Training loss of each epoch, `[epochs]`.
        path: Picture to write, ending in .png, .svg or .pdf.
        title: What was trained, above the picture.

    Raises:
        ArgumentError: `losses` is empty, not `[epochs]` or not finite, or `path` has another ending.
        RunFolderError: The picture cannot be written.
    """
    values = _vector("losses", losses)
    with _page(path, title, f"After {_count(len(values), 'epoch')}: {values[-1]:.4g}.") as figure:
        axes = figure.subplots()
        axes.plot(np.arange(1, len(values) + 1), values, color=COLOURS[0], marker="o" if len(values) == 1 else "")
        axes.set_xlabel("epoch")
        axes.set_ylabel("training loss")
        axes.set_xlim(0.5, len(values) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True, min_n_ticks=1))


def confidence_histogram(
    confidence: npt.ArrayLike,
    labelled: npt.ArrayLike,
    picked: npt.ArrayLike,
    path: str | os.PathLike[str],
    *,
    title: str,
) -> None:
    """Draw how confident the GCN is that an item is labelled: labelled, picked and remaining items apart.

    Each group has its own axis, because ten thousand items would hide a hundred.

    Args:
        confidence: Output of the GCN for each node, `[n]` in [0, 1].
        labelled: Which nodes were labelled, `[n]` bool.
        picked: Nodes picked in this cycle, `[b]` integer, none of them labelled.
        path: Picture to write, ending in .png, .svg or .pdf.
        title: What was selected, above the picture.

    Raises:
        ArgumentError: A shape, type or value that does not fit the above, or `path` has another ending.
        RunFolderError: The picture cannot be written.
    """
    values = _vector("confidence", confidence)
    if values.min() < 0 or values.max() > 1:
        raise ArgumentError(f"confidence must lie in [0, 1], got {values.min():g} to {values.max():g}")
    mask, chosen = _masks(len(values), labelled, picked)
    groups = (
        ("labelled", mask, COLOURS[0]),
        ("unlabelled, not picked", ~mask & ~chosen, GREY),
        ("picked", chosen, COLOURS[1]),
    )
    # The outputs often share a narrow range, which 50 bins over [0, 1] would show as one bar.
    middle, half = (values.max() + values.min()) / 2, max((values.max() - values.min()) / 2, 5e-4)
    edges = np.linspace(middle - half, middle + half, 51)
    with _page(path, title, "Own vertical scale for each group.") as figure:
        panels = figure.subplots(len(groups), sharex=True)
        for axes, (name, members, colour) in zip(panels, groups, strict=True):
            axes.hist(values[members], bins=edges, color=colour)
            axes.set_title(f"{name}: {_count(int(members.sum()), 'item')}", loc="left", fontsize=10.5)
            axes.set_ylabel("items")
            axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
            axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))
        figure.align_ylabels(panels)
        panels[-1].set_xlabel("GCN confidence that the item is labelled")


def _masks(n: int, labelled: npt.ArrayLike, picked: npt.ArrayLike) -> tuple[BoolArray, BoolArray]:
    """Check and give which of the n nodes are labelled, and which picked."""
    mask, index = _array("labelled", labelled), _array("picked", picked)
    if mask.shape != (n,) or mask.dtype != np.bool_:
        raise ArgumentError(f"labelled must be bool [{n}] like confidence, got {mask.dtype} {list(mask.shape)}")
    chosen = np.zeros(n, dtype=np.bool_)
    if index.size == 0:
        return mask, chosen
    if index.ndim != 1 or not np.issubdtype(index.dtype, np.integer):
        raise ArgumentError(f"picked must be integer node indices [b], got {index.dtype} {list(index.shape)}")
    if index.min() < 0 or index.max() >= n:
        raise ArgumentError(f"picked must index the {n} nodes, got {index.min()} to {index.max()}")
    chosen[index] = True
    if chosen.sum() != len(index) or (chosen & mask).any():
        raise ArgumentError("picked must name each node once and no labelled one")
    return mask, chosen


def _vector(name: str, values: npt.ArrayLike) -> FloatArray:
    array = _array(name, values, np.float64)
    if array.ndim != 1 or len(array) == 0:
        raise ArgumentError(f"{name} must be one-dimensional and not empty, got shape {list(array.shape)}")
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array))[0])
        raise ArgumentError(f"{name}[{row}] is {array[row]}, which has no place in a picture")
    return array


def _array(name: str, values: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> npt.NDArray[Any]:
    try:
        return np.asarray(values, dtype=dtype)
    except (
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:  # a tensor on a GPU or with a gradient, ragged lists
        raise ArgumentError(f"{name} cannot be read as an array: {error}") from error


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width))


@contextmanager
def _page(path: str | os.PathLike[str], title: str, caption: str) -> Iterator[Figure]:
    """Give a figure with title and caption, and write it to `path` if the block ends without an error."""
    target = Path(path)
    if target.suffix.lower() not in METADATA:
        raise ArgumentError(f"cannot tell the format of {str(path)!r}: end it in {', '.join(METADATA)}")
    # The user's own matplotlibrc must not change the picture.
    with style.context(["default", STYLE]):
        figure = Figure()
        figure.suptitle(_wrapped(title, 72), x=0.01, ha="left", fontsize=13, fontweight="bold")
        figure.supxlabel(caption, x=0.01, ha="left", fontsize=9, color="#555555")
        yield figure
        picture = io.BytesIO()
        kind = target.suffix.lower()
        figure.savefig(picture, format=kind[1:], metadata=METADATA[kind])
    write_bytes(target, picture.getvalue())
