import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seqgcn.evaluation import (
    MEAN_JOINT_ERROR,
    Comparison,
    Curve,
    Metric,
    area_under_budget_curve,
    bootstrap_interval,
    compare,
    comparison_table,
    holm,
    wilcoxon_p,
)
from seqgcn.exceptions import ArgumentError

relaxed = settings(deadline=None)  # the first example may import a library
metrics = st.floats(-1e6, 1e6)
points = st.dictionaries(st.integers(0, 10**6), metrics, min_size=2, max_size=12).map(lambda d: sorted(d.items()))
p_values = st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=8)


def runs(offsets: list[float]) -> dict[int, Curve]:
    """One straight curve a seed, with AUBC 0.5 + offset."""
    return {seed: Curve((100, 200), (0.4 + offset, 0.6 + offset)) for seed, offset in enumerate(offsets)}


# area


def test_area_by_hand() -> None:
    # 100..200: mean 0.6 over 100; 200..400: mean 0.75 over 200.
    assert area_under_budget_curve([100, 200, 400], [0.5, 0.7, 0.8]) == pytest.approx((60 + 150) / 300)
    assert Curve((0, 10), (1.0, 3.0)).area == 2.0


@relaxed
@given(points)
def test_area_lies_between_the_extremes(curve: list[tuple[int, float]]) -> None:
    labelled, metric = zip(*curve, strict=True)
    area = area_under_budget_curve(labelled, metric)
    slack = 1e-9 * max(map(abs, metric)) + 1e-300
    assert min(metric) - slack <= area <= max(metric) + slack


@relaxed
@given(points, metrics)
def test_area_of_a_constant_is_the_constant(curve: list[tuple[int, float]], constant: float) -> None:
    area = area_under_budget_curve([count for count, _ in curve], [constant] * len(curve))
    assert area == pytest.approx(constant, rel=1e-12)


@relaxed
@given(points, st.integers(1, 1000))
def test_area_ignores_the_unit_of_the_label_counts(curve: list[tuple[int, float]], factor: int) -> None:
    labelled, metric = zip(*curve, strict=True)
    scaled = area_under_budget_curve([factor * count for count in labelled], metric)
    slack = 1e-9 * max(map(abs, metric)) + 1e-300
    assert scaled == pytest.approx(area_under_budget_curve(labelled, metric), abs=slack)


@pytest.mark.parametrize(
    ("labelled", "metric", "message"),
    [
        ([100], [0.5], "at least two points"),
        ([100, 200], [0.5], r"metric \[1\] and labelled \[2\]"),
        ([], [], "one metric value for each label count"),
        ([100, 100], [0.5, 0.6], r"labelled\[1\] is 100 after 100"),
        ([100, 300, 200], [0.5, 0.6, 0.7], r"labelled\[2\] is 200 after 300"),
        ([100, 200], [0.5, math.nan], r"metric\[1\] is nan"),
        ([100, math.inf], [0.5, 0.6], r"labelled\[1\] is inf"),
    ],
)
def test_area_refuses(labelled: list[int], metric: list[float], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        area_under_budget_curve(labelled, metric)


def test_a_curve_of_one_point_is_fine_until_its_area_is_asked_for() -> None:
    curve = Curve((100,), (0.5,))
    with pytest.raises(ArgumentError, match="run another cycle"):
        _ = curve.area
    with pytest.raises(ArgumentError, match="finite"):
        Curve((100, 200), (0.5, math.inf))


# statistics


def test_bootstrap_interval_is_reproducible_and_narrows_with_the_confidence() -> None:
    differences = np.random.default_rng(0).normal(0.02, 0.02, 8).tolist()
    low, high = bootstrap_interval(differences)
    assert (low, high) == bootstrap_interval(differences)
    assert (low, high) != bootstrap_interval(differences, seed=1)
    inner_low, inner_high = bootstrap_interval(differences, confidence=0.5)
    assert low < inner_low < np.mean(differences) < inner_high < high


def test_bootstrap_interval_of_two_values_by_hand() -> None:
    # The mean of two draws from {0, 1} is 0, 1/2, 1 with probability 1/4, 1/2, 1/4.
    assert bootstrap_interval([0.0, 1.0]) == (0.0, 1.0)
    assert bootstrap_interval([0.0, 1.0], confidence=0.2) == (0.5, 0.5)


def test_bootstrap_interval_is_near_the_normal_one_for_many_values() -> None:
    values = np.random.default_rng(0).normal(0.3, 1.0, 400)
    error = values.std(ddof=1) / 20
    low, high = bootstrap_interval(values.tolist(), resamples=4000)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


@relaxed
@given(metrics, st.integers(1, 20))
def test_bootstrap_interval_of_constants_is_the_constant(constant: float, n: int) -> None:
    assert bootstrap_interval([constant] * n, resamples=50) == pytest.approx((constant, constant), rel=1e-12)


@pytest.mark.parametrize("values", [[], [math.nan], [0.1, math.inf], [[0.1], [0.2]]])
def test_statistics_refuse_what_is_not_a_list_of_numbers(values: list[float]) -> None:
    with pytest.raises(ArgumentError, match="finite numbers"):
        bootstrap_interval(values)
    with pytest.raises(ArgumentError, match="finite numbers"):
        wilcoxon_p(values)


def test_bootstrap_interval_refuses_settings_out_of_range() -> None:
    with pytest.raises(ArgumentError, match="confidence"):
        bootstrap_interval([0.1], confidence=95)
    with pytest.raises(ArgumentError, match="resamples"):
        bootstrap_interval([0.1], resamples=0)


def test_wilcoxon_by_hand() -> None:
    # All of one sign: 2 of the 2^8 sign patterns are as extreme.
    assert wilcoxon_p([1, 2, 3, 4, 5, 6, 7, 8]) == pytest.approx(2 / 2**8)
    # Only the smallest against: rank sums 0 and 1, on either side.
    assert wilcoxon_p([-1, 2, 3, 4, 5, 6, 7, 8]) == pytest.approx(4 / 2**8)


@pytest.mark.parametrize("n", [1, 5, 12, 40])
def test_wilcoxon_is_scipys_without_ties(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.2, 1.0, n)
    expected = stats.wilcoxon(differences, method="exact").pvalue
    assert wilcoxon_p(differences.tolist()) == pytest.approx(expected)


def test_wilcoxon_ties_are_not_broken_by_rounding() -> None:
    rounded = [0.3 - 0.1, 0.5 - 0.3, 0.1 - 0.3, 0.4 - 0.2, 0.7 - 0.5, (0.1 + 0.2) - 0.3, 0.9 - 0.6, 1.1 - 0.7]
    assert len({abs(value) for value in rounded}) > 4
    assert wilcoxon_p(rounded) == wilcoxon_p([0.2, 0.2, -0.2, 0.2, 0.2, 0.0, 0.3, 0.4])


def test_wilcoxon_of_many_is_near_the_normal_approximation() -> None:
    differences = np.random.default_rng(0).normal(0.1, 1.0, 200)
    ranks = stats.rankdata(np.abs(differences))
    z = (ranks[differences > 0].sum() - ranks.sum() / 2) / math.sqrt((ranks**2).sum() / 4)
    assert wilcoxon_p(differences.tolist()) == pytest.approx(2 * stats.norm.sf(abs(z)), rel=0.02)


@pytest.mark.parametrize("n", [1, 10])
def test_wilcoxon_of_zeros_is_one(n: int) -> None:
    assert wilcoxon_p([0.0] * n) == 1.0


@relaxed
@given(st.lists(st.integers(-2, 2), min_size=1, max_size=8))
def test_wilcoxon_with_ties_and_zeros_counts_the_sign_patterns(differences: list[int]) -> None:
    ranks = stats.rankdata([abs(value) for value in differences if value])
    sums = [np.dot(signs, ranks) for signs in product((-1, 1), repeat=len(ranks))]
    observed = np.dot(np.sign([value for value in differences if value]), ranks)
    extreme = sum(abs(total) >= abs(observed) for total in sums)
    assert wilcoxon_p(differences) == pytest.approx(extreme / len(sums))


def test_holm_by_hand() -> None:
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    # Sorted: 4 * .005 = .02; 3 * .01 = .03; 2 * .03 = .06; max(.06, .04) = .06.
    assert adjusted == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert list(adjusted) == ["a", "b", "c", "d"]
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


@relaxed
@given(p_values)
def test_holm_never_lowers_a_p_and_keeps_the_order(raw: dict[str, float]) -> None:
    adjusted = holm(raw)
    assert list(adjusted) == list(raw)
    assert all(raw[name] <= adjusted[name] <= min(1.0, len(raw) * raw[name]) for name in raw)
    by_size = sorted(raw, key=raw.__getitem__)
    assert all(adjusted[a] <= adjusted[b] for a, b in pairwise(by_size))


@relaxed
@given(p_values.filter(bool))
def test_holm_gives_equal_ps_equal_results(raw: dict[str, float]) -> None:
    adjusted = holm(raw)
    assert all(adjusted[a] == adjusted[b] for a in raw for b in raw if raw[a] == raw[b])


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_holm_refuses_what_is_not_a_probability(p: float) -> None:
    with pytest.raises(ArgumentError, match="p-value of 'b'"):
        holm({"a": 0.1, "b": p})


# comparing selectors


def test_compare_by_hand() -> None:
    curves = {"margin": runs([0.1, 0.3]), "random": runs([0.0, 0.1])}
    random, margin = compare(curves)
    assert random == Comparison(
        selector="random", seeds=2, aubc_mean=random.aubc_mean, aubc_std=random.aubc_std, difference=0.0
    )
    assert random.aubc_mean == pytest.approx(0.55)
    assert (margin.selector, margin.seeds, margin.confirmatory) == ("margin", 2, False)
    assert margin.aubc_mean == pytest.approx(0.7)
    assert margin.aubc_std == pytest.approx(0.2 / math.sqrt(2))
    assert margin.difference == pytest.approx(0.15)
    assert margin.standard_error == pytest.approx(0.05)  # differences .1 and .2: sd .1 / sqrt 2, over sqrt 2
    assert margin.interval == pytest.approx((0.1, 0.2))
    assert margin.p_value is margin.p_holm is None


def test_compare_pairs_the_seeds_that_both_ran() -> None:
    random = runs([0.0, 0.1, 0.2])
    margin = runs([0.5, 0.2, 0.4])
    del margin[0], random[2]
    row = compare({"random": random, "margin": margin})[1]
    assert row.seeds == 1
    assert row.aubc_mean == pytest.approx(0.7)
    assert row.difference == pytest.approx(0.1)
    assert row.aubc_std is row.standard_error is row.interval is None


def test_compare_tests_only_what_was_named_and_only_from_eight_seeds() -> None:
    curves = {
        "random": runs([0.0] * 8),
        "margin": runs([0.01 * k for k in range(1, 9)]),
        "core-gcn": runs([0.01 * k for k in range(1, 8)] + [-0.08]),
        "entropy": runs([0.01 * k for k in range(1, 9)]),
        "badge": runs([0.01 * k for k in range(1, 8)]),
    }
    rows = {row.selector: row for row in compare(curves, confirmatory=["core-gcn", "margin", "badge"])}
    assert rows["margin"].p_value == pytest.approx(2 / 2**8)
    assert rows["margin"].p_holm == pytest.approx(3 * 2 / 2**8)
    p = wilcoxon_p([1, 2, 3, 4, 5, 6, 7, -8])
    assert (rows["core-gcn"].p_value, rows["core-gcn"].p_holm) == (pytest.approx(p), pytest.approx(2 * p))
    assert rows["entropy"].p_value is None
    assert rows["badge"].p_value is rows["badge"].p_holm is None
    assert [name for name, row in rows.items() if row.confirmatory] == ["margin", "core-gcn", "badge"]


def test_compare_takes_another_baseline() -> None:
    rows = compare({"random": runs([0.0]), "core-set": runs([0.1])}, baseline="core-set")
    assert [(row.selector, row.difference) for row in rows] == [
        ("core-set", 0.0),
        ("random", pytest.approx(-0.1)),
    ]


def test_compare_refuses_curves_that_cannot_be_paired() -> None:
    random = runs([0.0, 0.0])
    with pytest.raises(ArgumentError, match="no curve of the baseline 'random'; there are margin"):
        compare({"margin": random})
    with pytest.raises(ArgumentError, match="no curve of the baseline"):
        compare({"random": {}})
    with pytest.raises(ArgumentError, match=r"margin \(seeds \[7\]\) has no seed of random \(seeds \[0, 1\]\)"):
        compare({"random": random, "margin": {7: random[0]}})
    with pytest.raises(ArgumentError, match=r"margin \(seeds \[\]\)"):
        compare({"random": random, "margin": {}})
    shorter = {0: random[0], 1: Curve((100, 150), (0.4, 0.5))}
    with pytest.raises(ArgumentError, match=r"margin with seed 1 .*\(100, 150\).*random with seed 0 .*\(100, 200\)"):
        compare({"random": random, "margin": shorter})
    with pytest.raises(ArgumentError, match="random with seed 1"):  # the pair agrees, but averages two ranges
        compare({"random": shorter, "margin": shorter})


@pytest.mark.parametrize(
    ("confirmatory", "message"),
    [
        ([str(k) for k in range(7)], "at most 6"),
        (["1", "1"], "different"),
        ("1", "list"),
        (["random"], "other than the baseline"),
        (["lcmd"], "'lcmd' must be a selector with curves"),
    ],
)
def test_compare_refuses_confirmatory(confirmatory: list[str], message: str) -> None:
    curves = {"random": runs([0.0])} | {str(k): runs([0.1]) for k in range(7)}
    with pytest.raises(ArgumentError, match=message):
        compare(curves, confirmatory=confirmatory)


def test_table_in_percent() -> None:
    rows = [
        Comparison(selector="random", seeds=10, aubc_mean=0.75, aubc_std=0.01, difference=0.0),
        Comparison(
            selector="core-gcn",
            seeds=10,
            aubc_mean=0.7686,
            aubc_std=0.01,
            difference=0.0186,
            standard_error=0.0027,
            interval=(-0.00138, 0.0239),
            p_value=0.002,
            p_holm=0.004,
            confirmatory=True,
        ),
        Comparison(selector="a|b", seeds=9, aubc_mean=0.5, aubc_std=0.01, difference=-0.25, p_value=1e-5, p_holm=1e-5),
    ]
    assert comparison_table(rows).splitlines() == [
        "| selector | AUBC (%) | difference ± s.e. |  95 % interval | Holm p | seeds |",
        "| -------- | -------: | ----------------: | -------------: | -----: | ----: |",
        "| random   |    75.00 |             +0.00 |              - |      - |    10 |",
        "| core-gcn |    76.86 |      +1.86 ± 0.27 | [-0.14, +2.39] |  0.004 |    10 |",
        r"| a\|b     |    50.00 |            -25.00 |              - | <0.001 |     9 |",
    ]


def test_table_with_further_columns() -> None:
    rows = [
        Comparison(selector="random", seeds=10, aubc_mean=0.75, aubc_std=0.01, difference=0.0),
        Comparison(selector="new", seeds=10, aubc_mean=0.75, aubc_std=0.01, difference=0.0),
    ]
    assert comparison_table(rows, columns={"select, s": {"random": "0.01"}}).splitlines() == [
        "| selector | AUBC (%) | difference ± s.e. | 95 % interval | Holm p | seeds | select, s |",
        "| -------- | -------: | ----------------: | ------------: | -----: | ----: | --------: |",
        "| random   |    75.00 |             +0.00 |             - |      - |    10 |      0.01 |",
        "| new      |    75.00 |             +0.00 |             - |      - |    10 |         - |",
    ]


def test_table_in_other_units_keeps_four_digits() -> None:
    row = Comparison(selector="random", seeds=4, aubc_mean=13.394, aubc_std=0.2, difference=0.0)
    assert "| AUBC (mm) |" in comparison_table([row], metric=MEAN_JOINT_ERROR)
    assert "|     13.39 |" in comparison_table([row], metric=MEAN_JOINT_ERROR)
    small = Comparison(selector="random", seeds=4, aubc_mean=0.0123456, aubc_std=0.2, difference=0.0)
    assert "| 0.01235 |" in comparison_table([small], metric=Metric("score"))
    zero = Comparison(selector="random", seeds=4, aubc_mean=0.0, aubc_std=0.2, difference=0.0)
    assert "| 0.00 |" in comparison_table([zero], metric=Metric("score"))


def test_table_says_where_lower_is_better() -> None:
    curves = {
        "random": {0: Curve((100, 200), (20.0, 16.0))},
        "core-gcn": {0: Curve((100, 200), (20.0, 12.0))},
    }
    assert comparison_table(compare(curves), metric=MEAN_JOINT_ERROR).splitlines() == [
        "| selector | AUBC (mm) | difference ± s.e. | 95 % interval | Holm p | seeds |",
        "| -------- | --------: | ----------------: | ------------: | -----: | ----: |",
        "| random   |     18.00 |             +0.00 |             - |      - |     1 |",
        "| core-gcn |     16.00 |             -2.00 |             - |      - |     1 |",
        "",
        "AUBC of the mean joint error: lower is better, so a negative difference is an improvement.",
    ]
