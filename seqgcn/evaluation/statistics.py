"""Whether one selector beats another beyond the luck of the seed.

Selectors are compared as in a paired experiment: a seed fixes the first labeled set and the learner's
randomness for all selectors, so what counts is the difference to the baseline within a seed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from seqgcn.evaluation.curve import Curve
from seqgcn.evaluation.metric import ACCURACY, Metric
from seqgcn.evaluation.pairing import check_label_counts, shared_seeds
from seqgcn.evaluation.table import markdown_table
from seqgcn.exceptions import ArgumentError

MIN_SEEDS_FOR_P = 8
"""With 7 pairs the smallest two-sided Wilcoxon p is 0.016, too much for a correction over more than three."""

MAX_CONFIRMATORY = 6
"""With 8 pairs the smallest p is 0.0078; times six it is still below 0.05, times seven it is not."""


def _checked_differences(differences: Sequence[float]) -> npt.NDArray[np.float64]:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ArgumentError(f"differences must be finite numbers, [n] with n > 0, got {values}")
    return values


def bootstrap_interval(
    differences: Sequence[float], *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of paired differences (Efron 1979).

    With fewer than about eight differences it is narrower than its name promises.

    Args:
        differences: One difference a seed, `[n]`.
        confidence: Share of the resampled means inside the interval, in (0, 1).
        resamples: How often n differences are drawn with replacement.
        seed: Seed of the draws; the same seed gives the same interval.

    Raises:
        ArgumentError: No difference, one that is not finite, or `confidence` or `resamples` out of range.
    """
    values = _checked_differences(differences)
    if not 0 < confidence < 1:
        raise ArgumentError(f"confidence must lie between 0 and 1, got {confidence}")
    if resamples < 1:
        raise ArgumentError(f"resamples must be at least 1, got {resamples}")
    rows = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    tail = (1 - confidence) / 2
    low, high = np.quantile(values[rows].mean(axis=1), [tail, 1 - tail])
    return float(low), float(high)


def wilcoxon_p(differences: Sequence[float]) -> float:
    """Two-sided p of the signed-rank test that paired differences are centered on 0 (Wilcoxon 1945).

    Exact for any n, with ties (mid-ranks) too, where SciPy's exact mode assumes none and its answer changes
    with its version. Zeros are left out; with nothing but zeros p is 1. Differences are equal, or 0, if they are when
    rounded to 12 decimals, so that subtraction's own rounding breaks no tie.

    Args:
        differences: One difference a seed, `[n]`.

    Raises:
        ArgumentError: No difference, or one that is not finite.
    """
    values = _checked_differences(differences).round(12)
    values = values[values != 0]
    _, place, ties = np.unique(np.abs(values), return_inverse=True, return_counts=True)
    ranks = (2 * ties.cumsum() - ties + 1)[place]  # twice the mid-ranks, so that they are integers
    chances = np.zeros(ranks.sum() + 1)  # of each sum of positive ranks, when every sign is a fair coin
    chances[0] = 1.0
    for rank in ranks:
        chances[rank:] += chances[:-rank].copy()
        chances /= 2
    positive = ranks[values > 0].sum()
    return min(1.0, 2 * float(min(chances[: positive + 1].sum(), chances[positive:].sum())))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjusted p-values (Holm 1979), in the order given.

    The k-th smallest of m values becomes max over j <= k of min(1, (m - j + 1) p_(j)).

    Args:
        p_values: Raw p of each comparison, in [0, 1].

    Raises:
        ArgumentError: A p-value is not in [0, 1].

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'b': 0.06, 'c': 0.06}
    """
    for name, p in p_values.items():
        if not 0 <= p <= 1:
            raise ArgumentError(f"the p-value of {name!r} must lie in [0, 1], got {p}")
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda key: p_values[key])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One selector against the baseline, over the seeds that both ran.

    Args:
        selector: Name of the selector.
        seeds: Number of seeds n that both ran; for the baseline all of its own.
        aubc_mean: Mean AUBC over these seeds, in the metric's unit.
        aubc_std: Sample standard deviation of the AUBC over these seeds; None for one seed.
        difference: Mean over the seeds of the selector's AUBC minus the baseline's; 0 for the baseline.
        standard_error: Standard error of `difference`; None for the baseline and for one seed.
        interval: 95 % bootstrap interval of `difference`; None for the baseline and for one seed.
        p_value: Wilcoxon signed-rank p; None unless confirmatory and over at least eight seeds.
        p_holm: `p_value` after Holm's correction over the confirmatory comparisons.
        confirmatory: The comparison was named beforehand.
    """

    selector: str
    seeds: int
    aubc_mean: float
    aubc_std: float | None
    difference: float
    standard_error: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    p_holm: float | None = None
    confirmatory: bool = False


def compare(
    curves: Mapping[str, Mapping[int, Curve]], *, baseline: str = "random", confirmatory: Sequence[str] = ()
) -> list[Comparison]:
    """Compare the area under the learning curves of selectors with a baseline's, paired over seeds.

    Below eight seeds the signed-rank test cannot reach significance after correction, so no p is given; nor
    is one given for a comparison that was not named beforehand.

    Args:
        curves: For each selector the curve of each seed, all over the same label counts.
        baseline: Selector that the others are compared with.
        confirmatory: Selectors, at most six, whose comparison was fixed before looking at the results.

    Returns:
        The baseline's row, then one row for each other selector, in the order of `curves`.

    Raises:
        ArgumentError: The baseline or a confirmatory selector has no curves, more than six are confirmatory,
            a selector shares no seed with the baseline, or two curves cover different label counts.
    """
    if not curves.get(baseline):
        raise ArgumentError(f"no curve of the baseline {baseline!r}; there are {', '.join(curves) or 'none'}")
    _check_confirmatory(confirmatory, curves, baseline)
    check_label_counts(curves, baseline)
    areas = {name: {seed: curve.area for seed, curve in runs.items()} for name, runs in curves.items()}
    own = areas.pop(baseline)
    differences = {name: _differences(name, runs, baseline, own) for name, runs in areas.items()}
    raw = {name: wilcoxon_p(differences[name]) for name in confirmatory if len(differences[name]) >= MIN_SEEDS_FOR_P}
    # All named comparisons count in the correction, also those without enough seeds yet.
    adjusted = holm({**dict.fromkeys(confirmatory, 1.0), **raw})
    mean, std = _mean_std(list(own.values()))
    rows = [Comparison(selector=baseline, seeds=len(own), aubc_mean=mean, aubc_std=std, difference=0.0)]
    for name, runs in areas.items():
        mean, std = _mean_std([runs[seed] for seed in sorted(runs.keys() & own.keys())])
        difference, spread = _mean_std(differences[name])
        n = len(differences[name])
        rows.append(
            Comparison(
                selector=name,
                seeds=n,
                aubc_mean=mean,
                aubc_std=std,
                difference=difference,
                standard_error=None if spread is None else spread / math.sqrt(n),
                interval=None if n < 2 else bootstrap_interval(differences[name]),
                p_value=raw.get(name),
                p_holm=adjusted[name] if name in raw else None,
                confirmatory=name in confirmatory,
            )
        )
    return rows


def _differences(
    name: str, areas: Mapping[int, float], baseline: str, baseline_areas: Mapping[int, float]
) -> list[float]:
    shared = shared_seeds(name, areas, baseline, baseline_areas)
    return [areas[seed] - baseline_areas[seed] for seed in shared]


def _mean_std(values: Sequence[float]) -> tuple[float, float | None]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def _check_confirmatory(names: Sequence[str], curves: Mapping[str, Mapping[int, Curve]], baseline: str) -> None:
    if isinstance(names, str) or len(set(names)) != len(names) or len(names) > MAX_CONFIRMATORY:
        raise ArgumentError(
            f"confirmatory must be a list of at most {MAX_CONFIRMATORY} different selectors, got {names!r}"
        )
    for name in names:
        if name == baseline or not curves.get(name):
            raise ArgumentError(
                f"confirmatory comparison {name!r} must be a selector with curves other than the baseline "
                f"{baseline!r}; there are {', '.join(curves)}"
            )


def comparison_table(
    comparisons: Sequence[Comparison],
    *,
    metric: Metric = ACCURACY,
    columns: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> str:
    """Markdown table of comparisons, aligned so that it also reads as plain text.

    Args:
        comparisons: Rows, the baseline's first, as from `compare`.
        metric: What the curves measure. Where lower is better, a line below the table says how to read it.
        columns: Further columns by title, the cell of each selector by name.
    """
    table = markdown_table(*comparison_cells(comparisons, metric=metric, columns=columns))
    if metric.higher_is_better:
        return table
    return f"{table}\n\nAUBC of the {metric.name}: lower is better, so a negative difference is an improvement."


def comparison_cells(
    comparisons: Sequence[Comparison],
    *,
    metric: Metric = ACCURACY,
    columns: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> tuple[list[str], list[list[str]]]:
    """Title of each column, and the cells of each row, of a table of comparisons; arguments as `comparison_table`."""
    digits = metric.decimals(max((abs(row.aubc_mean) for row in comparisons), default=0.0))
    suffix = f" ({metric.unit})" if metric.unit else ""
    header = ["selector", f"AUBC{suffix}", "difference ± s.e.", "95 % interval", "Holm p", "seeds", *columns]
    rows = [
        [*_cells(row, metric.scale, digits), *(cells.get(row.selector, "-") for cells in columns.values())]
        for row in comparisons
    ]
    return header, rows


def _cells(row: Comparison, scale: float, digits: int) -> list[str]:
    difference = f"{row.difference * scale:+.{digits}f}"
    if row.standard_error is not None:
        difference += f" ± {row.standard_error * scale:.{digits}f}"
    interval = p = "-"
    if row.interval is not None:
        low, high = row.interval
        interval = f"[{low * scale:+.{digits}f}, {high * scale:+.{digits}f}]"
    if row.p_holm is not None:
        p = f"{row.p_holm:.3f}" if row.p_holm >= 0.001 else "<0.001"
    return [
        row.selector,
        f"{row.aubc_mean * scale:.{digits}f}",
        difference,
        interval,
        p,
        str(row.seeds),
    ]
