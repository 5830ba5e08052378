import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgcn.evaluation import ACCURACY, MEAN_JOINT_ERROR, Curve, compare, how_to_read, labels_saved, saving_columns
from seqgcn.exceptions import ArgumentError

COUNTS = (100, 200, 300)


def one(*values: float) -> dict[int, Curve]:
    return {0: Curve(COUNTS, values)}


def test_savings_by_hand() -> None:
    # Random ends at 0.7; the other is there half way between 100 (0.5) and 200 (0.9).
    saving = labels_saved({"random": one(0.5, 0.6, 0.7), "better": one(0.5, 0.9, 0.95)})["better"]
    assert (saving.level, saving.baseline_needed) == (0.7, 300)
    assert saving.needed == pytest.approx(150)
    assert saving.saved == pytest.approx(150)
    assert saving.interval is None
    assert saving.show() == "+150 of 300"


def test_a_worse_selector_costs_labels_at_the_best_it_reaches() -> None:
    saving = labels_saved({"random": one(0.5, 0.6, 0.7), "worse": one(0.5, 0.55, 0.6)})["worse"]
    assert (saving.level, saving.needed, saving.baseline_needed) == (0.6, 300, 200)
    assert saving.show() == "-100 of 200"


def test_the_first_time_counts_where_a_curve_falls_again() -> None:
    saving = labels_saved({"random": one(0.5, 0.8, 0.6), "other": one(0.5, 0.6, 0.9)})["other"]
    assert (saving.level, saving.baseline_needed) == (0.8, 200)
    assert saving.needed == pytest.approx(200 + 100 * 2 / 3)
    falling = labels_saved({"random": one(0.5, 0.4, 0.3), "other": one(0.5, 0.2, 0.1)})["other"]
    assert (falling.level, falling.saved) == (0.5, 0)


def test_where_lower_is_better() -> None:
    curves = {"random": one(30.0, 25.0, 20.0), "better": one(30.0, 20.0, 15.0)}
    saving = labels_saved(curves, metric=MEAN_JOINT_ERROR)["better"]
    assert (saving.level, saving.needed, saving.baseline_needed) == (20.0, 200, 300)


def test_seeds_are_paired_and_resampled_together() -> None:
    better = {seed: Curve(COUNTS, (0.5 + seed / 100, 0.7 + seed / 100, 0.8)) for seed in range(5)}
    own = {seed: Curve(COUNTS, (0.5 + seed / 100, 0.6 + seed / 100, 0.7 + seed / 100)) for seed in range(1, 9)}
    saving = labels_saved({"random": own, "better": better})["better"]
    shared = range(1, 5)
    level = np.mean([0.7 + seed / 100 for seed in shared])
    assert saving.level == pytest.approx(level)
    assert saving.needed == pytest.approx(200)
    assert saving.interval is not None
    low, high = saving.interval
    assert low <= saving.saved <= high
    assert labels_saved({"random": own, "better": better})["better"] == saving  # the same draws


curves = st.lists(st.floats(-100, 100), min_size=3, max_size=3).map(lambda values: Curve(COUNTS, tuple(values)))


@settings(deadline=None)
@given(st.lists(st.tuples(curves, curves), min_size=1, max_size=4), st.booleans())
def test_both_sides_reach_the_level_and_swapping_them_turns_the_sign(
    pairs: list[tuple[Curve, Curve]], higher: bool
) -> None:
    metric = ACCURACY if higher else MEAN_JOINT_ERROR
    one, other = ({seed: pair[side] for seed, pair in enumerate(pairs)} for side in (0, 1))
    saving = labels_saved({"a": one, "b": other}, baseline="a", metric=metric, resamples=50)["b"]
    swapped = labels_saved({"b": other, "a": one}, baseline="b", metric=metric, resamples=50)["a"]
    assert 100 <= saving.needed <= 300
    assert 100 <= saving.baseline_needed <= 300
    assert swapped.saved == -saving.saved
    assert swapped.level == saving.level


def test_refusals() -> None:
    with pytest.raises(ArgumentError, match="no curve of the baseline 'random'; there are margin"):
        labels_saved({"margin": one(0.1, 0.2, 0.3)})
    with pytest.raises(ArgumentError, match="has no seed of random"):
        labels_saved({"random": one(0.1, 0.2, 0.3), "margin": {1: Curve(COUNTS, (0.1, 0.2, 0.3))}})
    with pytest.raises(ArgumentError, match="has label counts"):
        labels_saved({"random": one(0.1, 0.2, 0.3), "margin": {0: Curve((1, 2), (0.1, 0.2))}})


def test_columns_and_how_to_read_them() -> None:
    both = {
        name: {seed: Curve(COUNTS, (0.5, 0.6 + shift, 0.7)) for seed in range(8)}
        for name, shift in (("random", 0.0), ("better", 0.1))
    }
    columns = saving_columns(labels_saved(both))
    assert columns["labels saved"] == {"better": "+100 of 300"}
    assert columns["saved, 95 %"] == {"better": "[+100, +100]"}
    assert columns["at accuracy"] == {"better": "70.00 %"}
    assert "for comparisons named before the first run, at most 6; none was" in how_to_read(compare(both))[-1]
    assert len(how_to_read(compare(both, confirmatory=["better"]))) == 2
    few = {name: {0: runs[0]} for name, runs in both.items()}
    assert how_to_read(compare(few))[-1].startswith("Fewer than 8 seeds")
    assert "lower is better" in how_to_read(compare(few), MEAN_JOINT_ERROR)[0]
