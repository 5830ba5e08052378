"""Line charts as a page draws them: coordinates in percent of the plot, so that text keeps its size on any screen."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from matplotlib.ticker import MaxNLocator

from seqgcn.report.means import BASELINE

COLOURS, DASHES = 7, 4
"""How many of each the style sheet has; a line differs from every other of the first 28 in one of them."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a chart.

    Args:
        name: For the legend.
        x: Places.
        y: Heights; what is not finite is left out.
        spread: Half the height of the band around each point, if there is one.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    spread: Sequence[float] | None = None


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A point of a line: its place in percent, and what it says when pointed at."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A line as it is drawn: its classes in the style sheet, points and band as SVG has them."""

    name: str
    style: str
    points: str
    band: str
    marks: Sequence[Mark]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What `parts.html.j2` draws; ticks are places in percent with their text."""

    title: str
    x_label: str
    y_label: str
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    lines: Sequence[Drawn]
    references: Sequence[tuple[float, str]]
    description: str


def chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    y_label: str,
    references: Mapping[str, float] = MappingProxyType({}),
) -> Chart | None:
    """Lay out a line chart; None if there is nothing finite to draw.

    The legend lists lines as they end, from top to bottom. The baseline is gray.

    Args:
        lines: Colors follow this order.
        title: Of the chart.
        x_label: What x is, with its unit; x counts something.
        y_label: What y is, with its unit.
        references: Heights to compare with, drawn as level lines.
    """
    kept = [(line, _finite(line)) for line in lines]
    kept = [(line, points) for line, points in kept if points]
    if not kept:
        return None
    xs = [x for _, points in kept for x, _, _ in points]
    edges = [edge for _, points in kept for _, y, spread in points for edge in (y - spread, y + spread)]
    levels = {name: value for name, value in references.items() if math.isfinite(value)}
    edges += levels.values()
    across, up = _Scale(min(xs), max(xs), 0.02), _Scale(min(edges), max(edges), 0.06)
    coloured = [line.name for line, _ in kept if line.name != BASELINE]
    drawn = [
        _drawn(line.name, _style(line.name, coloured), points, across, up, banded=line.spread is not None)
        for line, points in sorted(kept, key=lambda each: -each[1][-1][1])
    ]
    spans = "; ".join(f"{line.name} from {points[0][1]:.4g} to {points[-1][1]:.4g}" for line, points in kept[:12])
    return Chart(
        title=title,
        x_label=x_label,
        y_label=y_label,
        x_ticks=across.ticks(sorted(set(xs)), whole=True),
        y_ticks=up.ticks([], whole=False),
        lines=drawn,
        references=[(up(value), f"{name}: {value:g}") for name, value in levels.items()],
        description=f"Line chart of {y_label} over {x_label}: {spans}{'; and more' if len(kept) > 12 else ''}.",
    )


Points = list[tuple[float, float, float]]
"""x, y and spread of each point."""


def _finite(line: Line) -> Points:
    spread = line.spread if line.spread is not None else [0.0] * len(line.x)
    points = zip(line.x, line.y, spread, strict=True)
    return [point for point in points if all(map(math.isfinite, point))]


class _Scale:
    """From values to percent, with a margin on both sides."""

    def __init__(self, low: float, high: float, margin: float) -> None:
        if low == high:
            low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
        room = margin * (high - low)
        self.low, self.high = low - room, high + room

    def __call__(self, value: float) -> float:
        return 100 * (value - self.low) / (self.high - self.low)

    def ticks(self, values: Sequence[float], *, whole: bool) -> list[tuple[float, str]]:
        """The values themselves where there is room for them, else round ones."""
        if not 0 < len(values) <= 6:
            values = list(
                MaxNLocator(6, steps=[1, 2, 5, 10], integer=whole, min_n_ticks=1).tick_values(self.low, self.high)
            )
        shown = [value for value in values if self.low <= value <= self.high]
        return [(self(value), f"{value:,.0f}" if whole else f"{value:g}") for value in shown]


def _style(name: str, coloured: Sequence[str]) -> str:
    if name == BASELINE:
        return "grey"
    rank = coloured.index(name)
    return f"c{rank % COLOURS} d{rank // COLOURS % DASHES}"


def _drawn(name: str, style: str, points: Points, across: _Scale, up: _Scale, *, banded: bool) -> Drawn:
    def at(x: float, y: float) -> str:
        return f"{across(x):.2f},{100 - up(y):.2f}"

    upper = [at(x, y + spread) for x, y, spread in points]
    lower = [at(x, y - spread) for x, y, spread in points]
    marks = [
        Mark(x=across(x), y=100 - up(y), text=f"{name}, {x:,.0f}: {y:.4g}{f' ± {spread:.2g}' if banded else ''}")
        for x, y, spread in points
    ]
    return Drawn(
        name=name,
        style=style,
        points=" ".join(at(x, y) for x, y, _ in points),
        band=" ".join(upper + lower[::-1]) if banded else "",
        marks=marks if len(marks) <= 40 else [],  # of a training of 200 epochs, a line is enough
    )
