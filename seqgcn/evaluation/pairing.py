"""Whether runs can be paired, as a comparison of them needs."""

from collections.abc import Mapping

from seqgcn.evaluation.curve import Curve
from seqgcn.exceptions import ArgumentError


def shared_seeds(name: str, runs: Mapping[int, object], baseline: str, own: Mapping[int, object]) -> list[int]:
    """Seeds that a selector and the baseline both ran, in order.

    Args:
        name: Of the selector.
        runs: Its runs, by seed.
        baseline: Name of the baseline.
        own: The baseline's runs, by seed.

    Raises:
        ArgumentError: There is none.
    """
    shared = sorted(runs.keys() & own.keys())
    if not shared:
        raise ArgumentError(
            f"{name} (seeds {sorted(runs)}) has no seed of {baseline} (seeds {sorted(own)}): "
            "run both with the same ones"
        )
    return shared


def check_label_counts(curves: Mapping[str, Mapping[int, Curve]], baseline: str) -> None:
    """Check that all curves have the same label counts.

    Areas over different ranges are different quantities, even when each pair covers the same one.

    Args:
        curves: For each selector the curve of each seed.
        baseline: Selector whose first curve the others must be like; it has one.

    Raises:
        ArgumentError: A curve has other label counts.
    """
    first, reference = next(iter(curves[baseline].items()))
    for name, runs in curves.items():
        for seed, curve in runs.items():
            if curve.labelled != reference.labelled:
                raise ArgumentError(
                    f"{name} with seed {seed} has label counts {curve.labelled}, but {baseline} with "
                    f"seed {first} has {reference.labelled}; finish the shorter run or leave it out"
                )
