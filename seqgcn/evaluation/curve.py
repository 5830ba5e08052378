"""The learning curve of one run, and its area."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqgcn.exceptions import ArgumentError


def area_under_budget_curve(labelled: Sequence[int], metric: Sequence[float]) -> float:
    r"""Area under a learning curve divided by its range of label counts: a mean height, in the metric's unit.

    Trapezoid rule, $\frac{1}{l_m - l_1} \sum_k (l_{k+1} - l_k) (y_k + y_{k+1}) / 2$ (AUBC; Zhan et al. 2021,
    "A Comparative Survey: Benchmarking for Pool-based Active Learning").

    Args:
        labelled: Number of labeled items at each point, `[m]`, strictly increasing, m >= 2.
        metric: Test metric at each point, `[m]`.

    Raises:
        ArgumentError: Fewer than two points, lengths that differ, label counts that do not increase, or a
            value that is not finite.

    >>> area_under_budget_curve([100, 200, 400], [0.5, 0.7, 0.8])
    0.7
    """
    counts, values = _checked_points(labelled, metric)
    if len(counts) < 2:
        raise ArgumentError("a learning curve needs at least two points for its area, got 1; run another cycle")
    heights = (values[1:] + values[:-1]) / 2
    return float(np.average(heights, weights=np.diff(counts)))


def _checked_points(
    labelled: Sequence[int], metric: Sequence[float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    counts, values = np.asarray(labelled, dtype=np.float64), np.asarray(metric, dtype=np.float64)
    if counts.ndim != 1 or counts.shape != values.shape or len(counts) == 0:
        raise ArgumentError(
            f"a learning curve needs one metric value for each label count, got metric {list(values.shape)} "
            f"and labelled {list(counts.shape)}"
        )
    for name, array in (("labelled", counts), ("metric", values)):
        if not np.isfinite(array).all():
            row = int(np.flatnonzero(~np.isfinite(array))[0])
            raise ArgumentError(f"{name}[{row}] is {array[row]}; a learning curve needs finite values")
    falls = np.flatnonzero(np.diff(counts) <= 0)
    if len(falls):
        row = int(falls[0])
        raise ArgumentError(
            f"labelled must increase, but labelled[{row + 1}] is {counts[row + 1]:g} after {counts[row]:g}"
        )
    return counts, values


@dataclass(frozen=True)
class Curve:
    """Learning curve of one run: the test metric after each cycle.

    Args:
        labelled: Number of labeled items at each point, strictly increasing.
        metric: Test metric at each point, in any unit, finite.
    """

    labelled: tuple[int, ...]
    metric: tuple[float, ...]

    def __post_init__(self) -> None:
        _checked_points(self.labelled, self.metric)

    @property
    def area(self) -> float:
        """The curve's AUBC, see `area_under_budget_curve`."""
        return area_under_budget_curve(self.labelled, self.metric)
