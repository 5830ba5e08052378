"""Many selectors against one: the differences of their learning curves' areas, one row a selector."""

import os
from collections.abc import Sequence

from matplotlib.figure import Figure

from seqgcn.evaluation import ACCURACY, Comparison, Metric
from seqgcn.exceptions import ArgumentError
from seqgcn.report.page import COLOURS, GREY, page


def differences(
    comparisons: Sequence[Comparison], path: str | os.PathLike[str], *, title: str, metric: Metric = ACCURACY
) -> None:
    """Draw the paired difference to the baseline of every selector with its 95 % interval, the best on top.

    Args:
        comparisons: Rows, the baseline's first, as from `compare`; those named beforehand are drawn filled.
        path: Picture to write, ending in .png, .svg or .pdf.
        title: What was run, above the picture.
        metric: What the curves measured.

    Raises:
        ArgumentError: There is nothing to compare, or `path` has another ending.
        RunFolderError: The picture cannot be written.
    """
    if len(comparisons) < 2:
        raise ArgumentError("comparisons must hold the baseline and at least one other selector")
    baseline, *others = comparisons
    better = 1 if metric.higher_is_better else -1
    ranked = sorted(others, key=lambda row: better * row.difference)
    decimals = metric.decimals(max(abs(row.aubc_mean) for row in comparisons))
    seeds = sorted({row.seeds for row in others})
    over = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else str(seeds[0])
    way = "right" if metric.higher_is_better else "left"
    caption = (
        f"Area under the learning curve less that of {baseline.selector} "
        f"({metric.scale * baseline.aubc_mean:.{decimals}f} {metric.unit}), paired over {over} seeds; better to the "
        f"{way}. Line: 95 % bootstrap interval."
    )
    if any(row.confirmatory for row in others):
        caption += " Filled: comparisons named beforehand."
    if any(_on_a_graph(row) for row in others):
        caption += " Blue: on a graph."
    with page(path, title, caption, (8.0, 1.6 + 0.24 * len(others))) as figure:
        _draw(figure, ranked, metric)


def _draw(figure: Figure, rows: Sequence[Comparison], metric: Metric) -> None:
    axes = figure.subplots()
    axes.axvline(0, color=GREY, linewidth=1)
    for height, row in enumerate(rows):
        colour = COLOURS[0] if _on_a_graph(row) else "#000000"
        if row.interval is not None:
            low, high = (metric.scale * bound for bound in row.interval)
            axes.plot([low, high], [height, height], color=colour, linewidth=1.4)
        filled = colour if row.confirmatory else "white"
        axes.plot(metric.scale * row.difference, height, "o", color=colour, markerfacecolor=filled)
    axes.set_yticks(range(len(rows)), [row.selector for row in rows])
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.grid(axis="y", visible=False)
    unit = {"%": "percentage points"}.get(metric.unit, metric.unit)
    axes.set_xlabel(f"difference of the mean {metric.name.removeprefix('mean ')}" + (f" ({unit})" if unit else ""))


def _on_a_graph(row: Comparison) -> bool:
    return "gcn" in row.selector
