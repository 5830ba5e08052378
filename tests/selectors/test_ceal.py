import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors import Entropy, LeastConfidence, Margin, Variance
from seqgcn.selectors.ceal import CEAL
from seqgcn.selectors.selector import Selection, for_cycle

relaxed = settings(deadline=None)

# Entropies of about 0.056, 0.693, 0, 0.325, 0.008 and 0.
PROB = torch.tensor([[0.99, 0.01], [0.5, 0.5], [1.0, 0.0], [0.9, 0.1], [0.001, 0.999], [0.0, 1.0]], dtype=torch.float64)


def pool(prob: Tensor = PROB, labelled: tuple[int, ...] = (), **attributes: Tensor) -> Data:
    train_mask = torch.zeros(len(prob), dtype=torch.bool)
    train_mask[list(labelled)] = True
    return Data(prob=prob, train_mask=train_mask, **attributes)


def poses(spread: list[float], labelled: tuple[int, ...] = ()) -> Data:
    """Two passes that differ by twice the spread in each of three coordinates: variance 3 spread²."""
    one = torch.tensor(spread, dtype=torch.float64).view(-1, 1, 1).expand(-1, 1, 3)
    data = pool(torch.ones(len(spread), 1), labelled, target_samples=torch.cat([one, -one], dim=1))
    del data.prob
    return data


def pseudo(selection: Selection) -> list[int]:
    assert selection.pseudo is not None
    assert selection.pseudo.dtype == torch.int64
    return selection.pseudo.tolist()


def test_it_picks_the_most_uncertain_and_pseudo_labels_what_is_below_the_threshold() -> None:
    selection = CEAL().select(pool(), 2)
    assert selection.index.tolist() == [1, 3]
    assert pseudo(selection) == [2, 4, 5]
    assert selection.score.tolist() == pytest.approx([math.log(2), 0.32508], abs=1e-5)
    assert selection.details["threshold"].item() == 0.05
    assert pseudo(CEAL(delta=0.06).select(pool(), 2)) == [0, 2, 4, 5]


def test_labelled_picked_and_other_nodes_are_not_pseudo_labelled() -> None:
    others = torch.tensor([True, True, True, True, True, False])
    assert pseudo(CEAL().select(pool(labelled=(2,), pool_mask=others), 2)) == [4]
    # With everything picked nothing is left.
    assert pseudo(CEAL(delta=0.693).select(pool(), 6)) == []
    assert pseudo(CEAL(delta=0.693).select(pool(), 5)) == [5]


@pytest.mark.parametrize(
    ("uncertainty", "alone"),
    [("least-confidence", LeastConfidence()), ("margin", Margin()), ("entropy", Entropy())],
)
def test_each_uncertainty_picks_as_its_own_selector_and_pseudo_labels_by_entropy(uncertainty: Any, alone: Any) -> None:
    prob = torch.randn(60, 4, generator=torch.Generator().manual_seed(0)).mul(4).softmax(dim=1)
    data = pool(prob, labelled=(3, 8))
    selection = CEAL(uncertainty=uncertainty).select(data, 10)
    assert torch.equal(selection.index, alone.select(data, 10).index)
    below = (torch.special.entr(prob).sum(dim=1) < 0.05).nonzero().flatten().tolist()
    assert len(below) > 3
    assert pseudo(selection) == [node for node in below if node not in (3, 8)]


@relaxed
@given(st.integers(0, 40), st.floats(0, 0.69), st.floats(0, 0.1))
def test_the_threshold_follows_the_recursion(cycle: int, delta: float, decay: float) -> None:
    expected = delta
    for t in range(1, cycle + 1):
        expected = max(0.0, expected - decay * t)
    selector = for_cycle(CEAL(delta=delta, decay=decay), seed=7, cycle=cycle)
    assert selector == CEAL(delta=delta, decay=decay, cycle=cycle)
    threshold = selector.select(pool(), 1).details["threshold"]
    assert threshold.item() == pytest.approx(expected, abs=1e-9)


def test_the_papers_thresholds() -> None:
    deltas = [CEAL(cycle=cycle).delta_now for cycle in range(7)]
    assert deltas == pytest.approx([0.05, 0.0467, 0.0401, 0.0302, 0.017, 0.0005, 0.0])
    # The entropy of node 4 is about 0.0079.
    assert pseudo(CEAL(cycle=4).select(pool(), 1)) == [2, 4, 5]
    assert pseudo(CEAL(cycle=5).select(pool(), 1)) == [2, 5]
    assert pseudo(CEAL(cycle=6).select(pool(), 1)) == []


def test_nothing_is_pseudo_labelled_without_a_threshold() -> None:
    assert pseudo(CEAL(delta=0).select(pool(), 1)) == []


def test_a_single_class_is_sure_of_all() -> None:
    selection = CEAL().select(pool(torch.ones(4, 1)), 1)
    assert selection.index.tolist() == [0]
    assert pseudo(selection) == [1, 2, 3]


def test_poses_are_judged_by_their_variance() -> None:
    data = poses([5.0, 1.0, 4.0, 2.0, 3.0, 0.5], labelled=(5,))
    selection = CEAL(delta=0.4).select(data, 2)
    assert selection.index.tolist() == [0, 2]
    assert selection.score.tolist() == pytest.approx([75, 48])
    assert torch.equal(selection.index, Variance().select(data, 2).index)
    # Two fifths of the five candidates: those below the third smallest variance.
    assert pseudo(selection) == [1, 3]
    assert selection.details["threshold"].item() == pytest.approx(27)
    assert selection.details["variance"].tolist() == pytest.approx([75, 3, 48, 12, 27, 0.75])
    assert pseudo(CEAL(delta=0.39).select(data, 2)) == [1]
    assert pseudo(CEAL(delta=0.4, decay=0.1, cycle=1).select(data, 2)) == [1]


def test_the_unit_of_poses_does_not_matter() -> None:
    data = poses([5.0, 1.0, 4.0, 2.0, 3.0, 0.5])
    before = CEAL(delta=0.5).select(data, 1)
    data.target_samples = data.target_samples * 1000
    after = CEAL(delta=0.5).select(data, 1)
    assert pseudo(before) == pseudo(after) == [1, 3, 5]


def test_poses_that_vary_alike_are_not_pseudo_labelled() -> None:
    for delta in (0.0, 0.5, 1.0):
        assert pseudo(CEAL(delta=delta).select(poses([2.0] * 5), 2)) == []
    # Never more than all but the largest.
    assert pseudo(CEAL(delta=1.0).select(poses([2.0, 1.0, 2.0, 1.5]), 1)) == [1, 3]


def test_class_probabilities_come_before_samples_of_targets() -> None:
    both = pool(target_samples=torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(CEAL().select(both, 6).index, CEAL().select(pool(), 6).index)


def test_permuted_nodes_permute_what_is_pseudo_labelled() -> None:
    order = torch.tensor([3, 5, 0, 1, 4, 2])
    moved = CEAL().select(pool(PROB[order]), 2)
    assert sorted(order[pseudo(moved)].tolist()) == [2, 4, 5]
    assert pseudo(moved) == sorted(pseudo(moved))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uncertainty": "bald"}, "uncertainty must be one of 'least-confidence', 'margin', 'entropy', got 'bald'"),
        ({"delta": -0.1}, r"delta must be a number in \[0, inf\), got -0.1"),
        ({"delta": math.nan}, "delta must be a number"),
        ({"decay": -1.0}, r"decay must be a number in \[0, inf\), got -1.0"),
        ({"cycle": -1}, "cycle must be a whole number of at least 0, got -1"),
        ({"cycle": 1.5}, "cycle must be a whole number"),
    ],
)
def test_unusable_parameters_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        CEAL(**change)


def test_a_delta_that_would_trust_everything_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"delta is 0\.7 nats, but the entropy of 2 classes is at most 0\.693"):
        CEAL(delta=0.7).select(pool(), 1)
    with pytest.raises(
        ArgumentError, match=r"delta is a share of the candidates where target_samples are read, got 1\.5"
    ):
        CEAL(delta=1.5).select(poses([2.0, 1.0]), 1)
