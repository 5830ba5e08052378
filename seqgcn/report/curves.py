"""Learning curves as pictures."""

import math
import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator

from seqgcn.evaluation import ACCURACY, Curve, Metric
from seqgcn.exceptions import ArgumentError
from seqgcn.report.means import BASELINE, PUBLISHED, MeanCurve, mean_curves, seeds_caption
from seqgcn.report.page import COLOURS, DASHES, GREY, MARKERS, FloatArray, page, side_legend
from seqgcn.utils.messages import counted


def learning_curve(
    curves: Mapping[str, Mapping[int, Curve]],
    path: str | os.PathLike[str],
    *,
    title: str,
    metric: Metric = ACCURACY,
    references: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Draw the test metric over the number of labeled items, one line a selector.

    A line is the mean over the selector's seeds, at the label counts that all of them reached, in a band of
    one sample standard deviation; a selector run with one seed has a thin line and no band. The legend lists
    the selectors as their lines end, from top to bottom.

    Args:
        curves: For each selector the curve of each seed. Colors follow this order; ``"random"`` is gray.
        path: Picture to write, ending in .png, .svg or .pdf.
        title: What was run, above the picture.
        metric: What the curves measure.
        references: For each published system its result after training on all labels, in the unit that is
            shown; a dashed line each.

    Raises:
        ArgumentError: There is nothing to draw, a reference is not finite, or `path` has another ending.
        RunFolderError: The picture cannot be written.
    """
    if not curves:
        raise ArgumentError("curves is empty: there is no selector to draw")
    for name, value in references.items():
        if not math.isfinite(value):
            raise ArgumentError(f"the reference {name!r} is {value}, which has no place in a picture")
    means = mean_curves(curves, metric.scale)
    for mean in means:
        if len(mean.labelled) == 0:
            raise ArgumentError(
                f"the {mean.seeds} curves of {mean.name!r} have no label count in common: nothing to draw"
            )
    coloured = [mean.name for mean in means if mean.name != BASELINE]
    caption, size = seeds_caption(curves), (8.0, 5.0)
    if references:
        caption, size = f"{caption} {PUBLISHED}.", (10.0, 5.5)
    with page(path, title, caption, size) as figure:
        axes = figure.subplots()
        lines = {
            mean: _draw(axes, mean, coloured.index(mean.name) if mean.name in coloured else None) for mean in means
        }
        axes.set_xlabel("labeled items")
        axes.set_ylabel(f"test {metric.label}")
        _count_ticks(axes, np.unique(np.concatenate([mean.labelled for mean in means])))
        width = _draw_references(figure, axes, references) if references else 0.0
        ranked = sorted(means, key=lambda mean: -mean.metric[-1])
        side_legend(figure, axes, [lines[mean] for mean in ranked], _legend_texts(ranked), width + 0.1)


def _draw(axes: Axes, mean: MeanCurve, rank: int | None) -> Line2D:
    """Draw one line; selectors beyond the number of colors differ from the first in marker and dashes."""
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


def _draw_references(figure: Figure, axes: Axes, references: Mapping[str, float]) -> float:
    """Draw and label published results; give the width of the labels beside the axes, inches."""
    ranked = sorted(references.items(), key=lambda item: item[1])
    for _, value in ranked:
        axes.axhline(value, color=GREY, linestyle=(0, (5, 4)), linewidth=0.8, zorder=1.5)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    figure.draw_without_rendering()  # gives the axes their height
    points = axes.bbox.height * 72 / figure.dpi
    heights = [(value - low) / (high - low) * points for _, value in ranked]
    fontsize, indent, widest = 8.0, 22.0, 0.0
    leader = {"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "relpos": (0.0, 0.5)}
    leader |= {"patchA": None, "shrinkA": 3.0, "shrinkB": 0.0}  # right up to the text
    for (name, value), height, place in zip(ranked, heights, _apart(heights, 1.25 * fontsize, points), strict=True):
        label = axes.annotate(
            f"{name} {value:g}",
            xy=(1.0, height / points),
            xycoords="axes fraction",
            xytext=(indent, place - height),
            textcoords="offset points",
            va="center",
            fontsize=fontsize,
            arrowprops=leader,
        )
        widest = max(widest, Text.get_window_extent(label).width)
    return indent / 72 + widest / figure.dpi


def _apart(heights: Sequence[float], gap: float, room: float) -> list[float]:
    """Places in [0, room] at least `gap` apart, as near to the sorted `heights` as least squares tell."""
    last = max(len(heights) - 1, 1)
    gap = min(gap, room / last)
    # Less their gaps, places need only not fall: pool neighbors that do (isotonic regression).
    pools: list[tuple[float, int]] = []
    for number, height in enumerate(heights):
        mean, size = height - number * gap, 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean, size = (mean * size + other * others) / (size + others), size + others
        pools.append((mean, size))
    places = [min(max(mean, 0.0), room - last * gap) for mean, size in pools for _ in range(size)]
    return [place + number * gap for number, place in enumerate(places)]


def _legend_texts(means: list[MeanCurve]) -> list[str]:
    if len({mean.seeds for mean in means}) == 1:  # then the caption says how many
        return [mean.name for mean in means]
    return [f"{mean.name} ({counted(mean.seeds, 'seed')})" for mean in means]


def _count_ticks(axes: Axes, counts: FloatArray) -> None:
    """Tick the label counts themselves where there is room for all of them."""
    axes.xaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
    span = counts[-1] - counts[0]
    if len(counts) == 1 or np.diff(counts).min() >= span / 8:
        axes.set_xticks(counts.tolist())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
