import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors import BALD, EnsembleSelector, MaxEntropy, MeanSTD, Selector, Variance, VariationRatio
from seqgcn.selectors.bayesian import (
    ACQUISITIONS,
    bald,
    max_entropy,
    mean_std,
    total_variance,
    variation_ratio,
    vote_ratio,
)
from seqgcn.selectors.extensions import EnsembleOptions

relaxed = settings(deadline=None)
LN2 = math.log(2)

WORKED = torch.tensor(
    [
        [[1.0, 0.0], [0.0, 1.0]],  # each pass sure, of another class
        [[0.5, 0.5], [0.5, 0.5]],  # each pass unsure
        [[1.0, 0.0], [1.0, 0.0]],  # all sure of one class
        [[0.75, 0.25], [0.25, 0.75]],
    ],
    dtype=torch.float64,
)
"""Four items, two passes, two classes."""
MIXED = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
"""Entropy of three quarters and one quarter, 0.5623 nats."""


def pool(**samples: Tensor) -> Data:
    return Data(**samples, train_mask=torch.zeros(len(next(iter(samples.values()))), dtype=torch.bool))


def scores(selector: Selector, data: Data) -> list[float]:
    """Score of each node."""
    selection = selector.select(data, len(data.train_mask))
    return selection.score[selection.index.argsort()].tolist()


@st.composite
def passes(draw: st.DrawFn, *, most: int = 5) -> Tensor:
    """Class probabilities `[n, t, c]` in simple fractions, so that zeros, ones and ties abound."""
    n, t, c = draw(st.integers(1, 6)), draw(st.integers(2, most)), draw(st.integers(1, 4))
    counts = draw(st.lists(st.integers(0, 5), min_size=n * t * c, max_size=n * t * c))
    weight = torch.tensor(counts, dtype=draw(st.sampled_from([torch.float32, torch.float64]))).view(n, t, c)
    weight[weight.sum(dim=2) == 0] = 1
    return weight / weight.sum(dim=2, keepdim=True)


def entropy_of(row: list[float]) -> float:
    return -sum(p * math.log(p) for p in row if p > 0)


# the acquisitions


@pytest.mark.parametrize(
    ("acquisition", "values"),
    [
        (max_entropy, [LN2, LN2, 0, LN2]),
        (bald, [LN2, 0, 0, LN2 - MIXED]),
        (variation_ratio, [0.5, 0.5, 0, 0.5]),
        (vote_ratio, [0.5, 0, 0, 0.5]),
        (mean_std, [0.5, 0, 0, 0.25]),
    ],
)
def test_worked_numbers(acquisition: Any, values: list[float]) -> None:
    assert acquisition(WORKED).tolist() == pytest.approx(values, abs=1e-12)
    assert acquisition(WORKED.float()).tolist() == pytest.approx(values, abs=1e-6)


@relaxed
@given(passes())
def test_each_acquisition_is_its_definition(samples: Tensor) -> None:
    found = {name: acquisition(samples).tolist() for name, acquisition in ACQUISITIONS.items()}
    for number, item in enumerate(samples.tolist()):
        t, classes = len(item), range(len(item[0]))
        mean = [sum(row[c] for row in item) / t for c in classes]
        deviation = [math.sqrt(sum((row[c] - mean[c]) ** 2 for row in item) / t) for c in classes]
        votes = [row.index(max(row)) for row in item]
        expected = {
            "max-entropy": entropy_of(mean),
            "bald": entropy_of(mean) - sum(entropy_of(row) for row in item) / t,
            "variation-ratio": 1 - max(mean),
            "vote-ratio": 1 - max(votes.count(c) for c in classes) / t,
            "mean-std": sum(deviation) / len(deviation),
        }
        assert {name: values[number] for name, values in found.items()} == pytest.approx(expected, abs=2e-6)


@relaxed
@given(passes())
def test_bald_lies_between_nothing_and_the_entropy_of_the_mean(samples: Tensor) -> None:
    information = bald(samples)
    assert (information >= 0).all()
    assert (information <= max_entropy(samples) + 1e-6).all()
    assert (max_entropy(samples) <= math.log(samples.shape[2]) + 1e-6).all()


@relaxed
@given(passes(), st.randoms(use_true_random=False))
def test_the_order_of_the_passes_does_not_matter(samples: Tensor, random: Any) -> None:
    order = list(range(samples.shape[1]))
    random.shuffle(order)
    for acquisition in (*ACQUISITIONS.values(), total_variance):
        torch.testing.assert_close(acquisition(samples[:, order]), acquisition(samples), atol=1e-6, rtol=1e-6)


@relaxed
@given(passes(most=2), st.integers(2, 7))
def test_identical_passes_disagree_on_nothing(samples: Tensor, times: int) -> None:
    same = samples[:, :1].repeat(1, times, 1)
    assert bald(same).tolist() == pytest.approx([0] * len(same), abs=1e-6)
    assert mean_std(same).tolist() == pytest.approx([0] * len(same), abs=1e-6)
    assert vote_ratio(same).tolist() == [0] * len(same)
    assert total_variance(same).tolist() == pytest.approx([0] * len(same), abs=1e-6)


def test_votes_that_tie_count_for_the_first_class() -> None:
    samples = torch.tensor([[[0.4, 0.4, 0.2], [0.5, 0.3, 0.2], [0.1, 0.45, 0.45]]])
    assert vote_ratio(samples).item() == pytest.approx(1 / 3)


def test_one_class_leaves_nothing_to_disagree_on() -> None:
    for acquisition in ACQUISITIONS.values():
        assert acquisition(torch.ones(3, 4, 1)).tolist() == [0, 0, 0]


def test_variance_is_in_square_millimetres_summed_over_joints_and_axes() -> None:
    # Two passes, two joints of three axes: the first item's first joint is 4 mm apart along x, its second 2 mm along z.
    samples = torch.zeros(2, 2, 6)
    samples[0, 0, 0], samples[0, 1, 0] = 98, 102
    samples[0, 0, 5], samples[0, 1, 5] = -1, 1
    assert total_variance(samples).tolist() == [5, 0]
    assert scores(Variance(), pool(target_samples=samples)) == [5, 0]


# the selectors


@pytest.mark.parametrize(
    ("selector", "acquisition"),
    [
        (MaxEntropy(), max_entropy),
        (BALD(), bald),
        (VariationRatio(), variation_ratio),
        (MeanSTD(), mean_std),
        (EnsembleSelector(), variation_ratio),
        *[(EnsembleSelector(acquisition=name), function) for name, function in ACQUISITIONS.items()],  # type: ignore[arg-type]
    ],
)
def test_each_selector_ranks_by_its_acquisition(selector: Selector, acquisition: Any) -> None:
    samples = torch.randn(30, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).softmax(dim=2)
    assert scores(selector, pool(prob_samples=samples)) == acquisition(samples).tolist()


def test_the_disagreement_of_sure_passes_is_what_bald_is_after() -> None:
    data = pool(prob_samples=WORKED)
    assert BALD().select(data, 4).index.tolist() == [0, 3, 1, 2]
    assert MaxEntropy().select(data, 4).index.tolist()[-1] == 2
    assert MeanSTD().select(data, 4).index.tolist() == [0, 3, 1, 2]


def test_an_ensemble_reads_what_there_is() -> None:
    targets = torch.randn(4, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert scores(EnsembleSelector(), pool(target_samples=targets)) == total_variance(targets).tolist()
    both = pool(prob_samples=WORKED, target_samples=targets)
    assert scores(EnsembleSelector(), both) == variation_ratio(WORKED).tolist()
    assert EnsembleSelector().reads(("prob", "target_samples")) == ("target_samples",)
    assert EnsembleSelector().missing(("prob", "x")) == ("prob_samples or target_samples",)


def test_an_ensemble_asks_for_its_members() -> None:
    assert EnsembleSelector().extensions == (EnsembleOptions(),)
    changed: dict[str, Any] = {"n_members": 3, "width": 0.5, "same_initialisation": True}
    assert EnsembleSelector(**changed).extensions == (EnsembleOptions(**changed),)
    assert EnsembleSelector(same_batches=True).extensions == (EnsembleOptions(same_batches=True),)
    assert BALD().extensions == ()


# what cannot be used


@pytest.mark.parametrize("selector", [MaxEntropy(), BALD(), VariationRatio(), MeanSTD(), EnsembleSelector()])
def test_one_pass_or_member_is_refused(selector: Selector) -> None:
    with pytest.raises(ArgumentError, match=r"prob_samples must hold at least two passes or members, .* got 1"):
        selector.select(pool(prob_samples=WORKED[:, :1]), 1)


@pytest.mark.parametrize("selector", [Variance(), EnsembleSelector()])
def test_one_pass_has_no_variance(selector: Selector) -> None:
    with pytest.raises(ArgumentError, match=r"target_samples must hold at least two passes or members, .* got 1"):
        selector.select(pool(target_samples=torch.zeros(4, 1, 6)), 1)


@pytest.mark.parametrize("selector", [BALD(), EnsembleSelector()])
def test_probabilities_with_wrong_axes_are_refused(selector: Selector) -> None:
    samples = torch.rand(7, 5, 3, generator=torch.Generator().manual_seed(0)).softmax(dim=2)
    mask = torch.zeros(7, dtype=torch.bool)
    wrong = [
        (samples.transpose(0, 1), r"\[7, passes, classes\], got .*\[5, 7, 3\]; the passes come first, use .transpose"),
        (samples.transpose(1, 2), r"sum to 1 over the last axis; .* \(as \[n, passes, classes\]\)\?"),
        (samples.mean(dim=1), r"\[7, passes, classes\], got .*\[7, 3\]"),
    ]
    for value, message in wrong:
        with pytest.raises(ArgumentError, match=message):
            selector.select(Data(prob_samples=value, train_mask=mask), 1)


@pytest.mark.parametrize("selector", [Variance(), EnsembleSelector()])
def test_targets_with_wrong_axes_are_refused(selector: Selector) -> None:
    mask = torch.zeros(7, dtype=torch.bool)
    wrong = [
        (torch.zeros(5, 7, 6), r"\[7, passes, coordinates\], got .*\[5, 7, 6\]; the passes come first, use .transpose"),
        (torch.zeros(7, 5, 2, 3), r"\[7, passes, coordinates\], got .*\[7, 5, 2, 3\]"),
    ]
    for value, message in wrong:
        with pytest.raises(ArgumentError, match=message):
            selector.select(Data(target_samples=value, train_mask=mask), 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"acquisition": "entropy"}, "acquisition must be one of 'max-entropy', 'bald', .*, got 'entropy'"),
        ({"n_members": 1}, "n_members must be at least 2, as one network never disagrees with itself, got 1"),
        ({"n_members": 2.0}, "n_members must be a whole number"),
        ({"width": 0.0}, r"width must be a number in \(0, inf\), got 0.0"),
        ({"same_batches": 1}, "same_batches must be True or False, got 1"),
        ({"same_initialisation": True, "same_batches": True}, "together make all members one; leave one of them"),
    ],
)
def test_unusable_members_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        EnsembleSelector(**change)


@pytest.mark.parametrize("score", [bald, mean_std, total_variance])
def test_passes_that_are_the_same_score_exactly_zero(score: Callable[[Tensor], Tensor]) -> None:
    one = torch.rand(500, 1, 7, generator=torch.Generator().manual_seed(0)).softmax(dim=2)
    samples = one.repeat(1, 11, 1)
    assert (score(samples) == 0).all()
    samples[3, 0] = samples[4, 0]
    assert (score(samples) > 0).nonzero().flatten().tolist() == [3]
