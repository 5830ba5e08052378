"""Mean learning curves over seeds, and what is written below them: the same in figures and on pages."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqgcn.evaluation import Curve

Curves = Mapping[str, Mapping[int, Curve]]
"""For each selector the curve of each seed."""

BASELINE = "random"
"""The selector that is drawn in gray."""

PUBLISHED = "Dashed: published systems, trained on all labels"


@dataclass(frozen=True, kw_only=True, eq=False)
class MeanCurve:
    """One selector's curve over its seeds, at the label counts that all of them reached.

    Args:
        name: Of the selector.
        seeds: How many there are.
        labelled: Label counts, `[k]`, rising; empty if the seeds share none.
        metric: Mean at each, `[k]`, in the unit that is shown.
        spread: One sample standard deviation at each, `[k]`; None for one seed.
    """

    name: str
    seeds: int
    labelled: npt.NDArray[np.float64]
    metric: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64] | None


def mean_curves(curves: Curves, scale: float) -> list[MeanCurve]:
    """The mean curve of each selector.

    Args:
        curves: For each selector the curve of each seed.
        scale: By what the metric is multiplied, such as 100 for percent.
    """
    means = []
    for name, runs in curves.items():
        values = [dict(zip(curve.labelled, curve.metric, strict=True)) for curve in runs.values()]
        shared = sorted(set.intersection(*map(set, values))) if values else []
        table = scale * np.array([[each[count] for count in shared] for each in values], np.float64)
        means.append(
            MeanCurve(
                name=name,
                seeds=len(values),
                labelled=np.array(shared, np.float64),
                metric=table.mean(axis=0) if values else np.empty(0),
                spread=table.std(axis=0, ddof=1) if len(values) > 1 else None,
            )
        )
    return means


def seeds_caption(curves: Curves, *, bands: bool = True) -> str:
    """What lines and bands are.

    Args:
        curves: For each selector the curve of each seed.
        bands: Whether there are any.
    """
    most, least = max(map(len, curves.values())), min(map(len, curves.values()))
    if most == 1:
        return "One seed a selector: no spread to show."
    band = " Band: ± 1 standard deviation over the seeds." if bands else ""
    return f"Line: mean over {most if most == least else f'{least} to {most}'} seeds.{band}"
