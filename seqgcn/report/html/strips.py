"""Differences to a baseline side by side: a row each, its interval on a scale that all share."""

from collections.abc import Sequence
from dataclasses import dataclass

from seqgcn.evaluation import Comparison, Metric


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A row: its interval and its point in percent of the width, and the same in words."""

    name: str
    low: float
    value: float
    high: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Forest:
    """What `parts.html.j2` draws; `zero` is in percent of the width."""

    zero: float
    strips: Sequence[Strip]
    way: str


def forest(comparisons: Sequence[Comparison], metric: Metric) -> Forest:
    """Lay out the differences, the best on top.

    Args:
        comparisons: Rows, the baseline's first, as from `compare`.
        metric: What the curves measured.
    """
    others = sorted(comparisons[1:], key=lambda row: row.difference, reverse=metric.higher_is_better)
    ends = [(row, *(row.interval or (row.difference, row.difference))) for row in others]
    edges = [0.0, *(edge for _, low, high in ends for edge in (low, high))]
    left, width = min(edges), (max(edges) - min(edges)) or 1.0
    digits = metric.decimals(max(abs(row.aubc_mean) for row in comparisons))

    def place(value: float) -> float:
        return 3 + 94 * (value - left) / width

    strips = [
        Strip(
            name=row.selector,
            low=place(low),
            value=place(row.difference),
            high=place(high),
            text=f"{metric.scale * row.difference:+.{digits}f}",
        )
        for row, low, high in ends
    ]
    return Forest(zero=place(0.0), strips=strips, way="right" if metric.higher_is_better else "left")
