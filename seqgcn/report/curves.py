"""Pictures of a run: learning curves, the GCN's training loss, and its confidence in every item."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator

from seqgcn.evaluation import ACCURACY, Curve, Metric
from seqgcn.exceptions import ArgumentError
from seqgcn.report.page import COLOURS, DASHES, GREY, MARKERS, FloatArray, array, counted, page, side_legend, vector

BoolArray = npt.NDArray[np.bool_]


def learning_curve(
    curves: Mapping[str, Mapping[int, Curve]],
    path: str | os.PathLike[str],
    *,
    title: str,
    metric: Metric = ACCURACY,
    references: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Draw the test metric over the number of labelled items, one line a selector.

    A line is the mean over the selector's seeds, at the label counts that all of them reached, in a band of
    one sample standard deviation; a selector run with one seed has a thin line and no band. The legend lists
    the selectors as their lines end, from top to bottom.

    Args:
        curves: For each selector the curve of each seed. Colours follow this order; ``"random"`` is grey.
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
    means = [_mean_curve(name, runs, metric.scale) for name, runs in curves.items()]
    coloured = [mean.name for mean in means if mean.name != "random"]
    caption, size = _seeds_caption(means), (8.0, 5.0)
    if references:
        caption, size = f"{caption} Dashed: published, trained on all labels.", (10.0, 5.5)
    with page(path, title, caption, size) as figure:
        axes = figure.subplots()
        lines = {
            mean: _draw(axes, mean, coloured.index(mean.name) if mean.name in coloured else None) for mean in means
        }
        axes.set_xlabel("labelled items")
        axes.set_ylabel(f"test {metric.label}")
        _count_ticks(axes, np.unique(np.concatenate([mean.labelled for mean in means])))
        width = _draw_references(figure, axes, references) if references else 0.0
        ranked = sorted(means, key=lambda mean: -mean.metric[-1])
        side_legend(figure, axes, [lines[mean] for mean in ranked], _legend_texts(ranked), width + 0.1)


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
    # Less their gaps, places need only not fall: pool neighbours that do (isotonic regression).
    pools: list[tuple[float, int]] = []
    for number, height in enumerate(heights):
        mean, size = height - number * gap, 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean, size = (mean * size + other * others) / (size + others), size + others
        pools.append((mean, size))
    places = [min(max(mean, 0.0), room - last * gap) for mean, size in pools for _ in range(size)]
    return [place + number * gap for number, place in enumerate(places)]


def _legend_texts(means: list[_MeanCurve]) -> list[str]:
    if len({mean.seeds for mean in means}) == 1:  # then the caption says how many
        return [mean.name for mean in means]
    return [f"{mean.name} ({counted(mean.seeds, 'seed')})" for mean in means]


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
    values = vector("losses", losses)
    with page(path, title, f"After {counted(len(values), 'epoch')}: {values[-1]:.4g}.") as figure:
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
    values = vector("confidence", confidence)
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
    with page(path, title, "Own vertical scale for each group.") as figure:
        panels = figure.subplots(len(groups), sharex=True)
        for axes, (name, members, colour) in zip(panels, groups, strict=True):
            axes.hist(values[members], bins=edges, color=colour)
            axes.set_title(f"{name}: {counted(int(members.sum()), 'item')}", loc="left", fontsize=10.5)
            axes.set_ylabel("items")
            axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
            axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))
        figure.align_ylabels(panels)
        panels[-1].set_xlabel("GCN confidence that the item is labelled")


def _masks(n: int, labelled: npt.ArrayLike, picked: npt.ArrayLike) -> tuple[BoolArray, BoolArray]:
    """Check and give which of the n nodes are labelled, and which picked."""
    mask, index = array("labelled", labelled), array("picked", picked)
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
