"""How many labels a selector saves: at the same metric, how many fewer it needs than the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqgcn.evaluation.curve import Curve
from seqgcn.evaluation.metric import ACCURACY, Metric
from seqgcn.evaluation.pairing import check_label_counts, shared_seeds
from seqgcn.evaluation.statistics import (
    MAX_CONFIRMATORY,
    MIN_SEEDS_FOR_P,
    Comparison,
)
from seqgcn.exceptions import ArgumentError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Saving:
    """Labels a selector needs for what the baseline reaches too.

    Args:
        selector: Name of the selector.
        level: The best metric that both mean curves reach, in the metric's unit.
        needed: Labels at which the selector's mean curve first reaches it.
        baseline_needed: Labels at which the baseline's does.
        interval: 95 % bootstrap interval of `saved` over the seeds; None for one seed.
    """

    selector: str
    level: float
    needed: float
    baseline_needed: float
    interval: tuple[float, float] | None = None

    @property
    def saved(self) -> float:
        """Labels saved; negative where the baseline needs fewer."""
        return self.baseline_needed - self.needed

    def show(self) -> str:
        """Labels saved of those the baseline needs: `"+84 of 300"`."""
        return f"{round(self.saved):+d} of {round(self.baseline_needed)}"


def labels_saved(
    curves: Mapping[str, Mapping[int, Curve]],
    *,
    baseline: str = "random",
    metric: Metric = ACCURACY,
    resamples: int = 10_000,
) -> dict[str, Saving]:
    """Compare how many labels each selector and the baseline need for the same metric.

    Curves are averaged over the seeds that both ran. The level is the best that both means reach, so it is one
    measured, and neither is asked for what it never showed; between two points a curve is a straight line. The
    interval is a percentile bootstrap (Efron 1979) over the seeds, of level and labels together.

    Args:
        curves: For each selector the curve of each seed, all over the same label counts.
        baseline: Selector that the others are compared with.
        metric: What the curves measure; only which way is better counts.
        resamples: How often seeds are drawn with replacement.

    Returns:
        A row for each selector but the baseline, in the order of `curves`.

    Raises:
        ArgumentError: The baseline has no curves, a selector shares no seed with it, or two curves cover
            different label counts.

    >>> random, better = Curve((100, 200, 300), (0.5, 0.6, 0.7)), Curve((100, 200, 300), (0.5, 0.7, 0.8))
    >>> labels_saved({"random": {0: random}, "better": {0: better}})["better"].show()
    '+100 of 300'
    """
    if not curves.get(baseline):
        raise ArgumentError(f"no curve of the baseline {baseline!r}; there are {', '.join(curves) or 'none'}")
    check_label_counts(curves, baseline)
    own = curves[baseline]
    counts = np.array(next(iter(own.values())).labelled, dtype=np.float64)
    sign = 1 if metric.higher_is_better else -1
    result = {}
    for name, runs in curves.items():
        if name == baseline:
            continue
        seeds = shared_seeds(name, runs, baseline, own)
        pair = [sign * np.array([each[seed].metric for seed in seeds]) for each in (runs, own)]
        levels, needed, baseline_needed = _needed(counts, *(values.mean(axis=0, keepdims=True) for values in pair))
        interval = None
        if len(seeds) > 1:
            rows = np.random.default_rng(0).integers(len(seeds), size=(resamples, len(seeds)))
            _, drawn, baseline_drawn = _needed(counts, *(values[rows].mean(axis=1) for values in pair))
            low, high = np.quantile(baseline_drawn - drawn, [0.025, 0.975])
            interval = float(low), float(high)
        result[name] = Saving(
            selector=name,
            level=sign * float(levels[0]),
            needed=float(needed[0]),
            baseline_needed=float(baseline_needed[0]),
            interval=interval,
        )
    return result


def saving_columns(savings: Mapping[str, Saving], metric: Metric = ACCURACY) -> dict[str, dict[str, str]]:
    """Columns for `comparison_table`: labels saved, their interval, and at which metric."""
    intervals = {name: each.interval for name, each in savings.items() if each.interval}
    return {
        "labels saved": {name: each.show() for name, each in savings.items()},
        "saved, 95 %": {name: f"[{low:+.0f}, {high:+.0f}]" for name, (low, high) in intervals.items()},
        f"at {metric.name}": {name: metric.show(each.level) for name, each in savings.items()},
    }


def how_to_read(comparisons: Sequence[Comparison], metric: Metric = ACCURACY) -> list[str]:
    """What the columns of a table of comparisons and savings mean, a paragraph each.

    Args:
        comparisons: Rows, the baseline's first, as from `compare`.
        metric: What the curves measure.
    """
    baseline, *others = comparisons
    better = "higher" if metric.higher_is_better else "lower"
    lines = [
        f"AUBC: mean {metric.name.removeprefix('mean ')} over the label counts, {better} is better; "
        f"differences are to {baseline.selector}, paired over the seeds, with their 95 % bootstrap interval.",
        f"Labels saved: how many fewer labels than {baseline.selector} the mean curve needs for the best {metric.name} "
        "that both reach.",
    ]
    if min((row.seeds for row in others), default=0) < MIN_SEEDS_FOR_P:
        lines.append(
            f"Fewer than {MIN_SEEDS_FOR_P} seeds: intervals are narrower than they promise, and no p is given."
        )
    elif not any(row.confirmatory for row in others):
        lines.append(
            f"p (Wilcoxon signed-rank, corrected after Holm) is for comparisons named before the first run, at most "
            f"{MAX_CONFIRMATORY}; none was."
        )
    return lines


def _needed(counts: FloatArray, one: FloatArray, other: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The best level that both of each pair of curves `[r, m]` reach, and the labels each needs for it, `[r]`."""
    level: FloatArray = np.minimum(one.max(axis=1), other.max(axis=1))
    return level, _first(counts, one, level), _first(counts, other, level)


def _first(counts: FloatArray, values: FloatArray, level: FloatArray) -> FloatArray:
    """Labels at which each curve `[r, m]` first reaches its level `[r]`, which it does somewhere."""
    place = (values >= level[:, None]).argmax(axis=1)
    before, row = np.maximum(place - 1, 0), np.arange(len(values))
    rise = values[row, place] - values[row, before]
    share = np.divide(level - values[row, before], rise, out=np.zeros_like(level), where=rise > 0)
    result: FloatArray = counts[before] + share * (counts[place] - counts[before])
    return result
