from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Data

import seqgcn.selectors.lcmd
from seqgcn.selectors.lcmd import LCMD


def plain(x: Tensor, centres: list[int], candidates: list[int], budget: int) -> list[int]:
    """The algorithm as printed, every distance anew for every pick."""
    centres, picks = list(centres), []
    for _ in range(budget):
        left = [i for i in candidates if i not in picks]
        if centres:
            squared = (x[candidates].unsqueeze(1) - x[centres]).square().sum(dim=2)
            distance, cluster = squared.min(dim=1)
            cluster = (squared == distance.unsqueeze(1)).to(torch.uint8).argmax(dim=1)
            sums = [float(distance[cluster == c].sum()) for c in range(len(centres))]
            largest = [
                i for i, c in zip(candidates, cluster.tolist(), strict=True) if sums[c] == max(sums) and i not in picks
            ]
            pick = max(largest, key=lambda i: (float(distance[candidates.index(i)]), -i))
        else:
            pick = left[int((x[left] - x[left].mean(dim=0)).square().sum(dim=1).argmin())]
        centres.append(pick)
        picks.append(pick)
    return picks


@pytest.mark.parametrize("labelled", [0, 1, 12])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_picks_as_the_plain_loop(labelled: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seqgcn.selectors.lcmd, "_BLOCK", 64)
    x = (7 + torch.randn(90, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).to(dtype)
    mask = torch.arange(90) < labelled
    selection = LCMD().select(Data(x=x, train_mask=mask), 50)
    assert selection.index.tolist() == plain(x.double(), list(range(labelled)), list(range(labelled, 90)), 50)
    if labelled:
        centres = [*range(labelled), *selection.index.tolist()]
        for k, score in enumerate(selection.score):
            nearest = (x[selection.index[k]] - x[centres[: labelled + k]]).norm(dim=1).min()
            torch.testing.assert_close(score, nearest)


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """Whole-number points, so that ties and duplicates abound and every distance is exact."""
    n, d = draw(st.integers(1, 20)), draw(st.integers(1, 2))
    values = draw(st.lists(st.integers(-2, 2), min_size=n * d, max_size=n * d))
    labelled = draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(any))
    return {"x": torch.tensor(values, dtype=torch.float64).view(n, d), "labelled": labelled}


@settings(deadline=None)
@given(questions())
def test_ties_go_to_the_earlier_centre_and_the_lower_index(question: dict[str, Any]) -> None:
    x, labelled = question["x"], question["labelled"]
    known = [i for i, is_known in enumerate(labelled) if is_known]
    rest = [i for i, is_known in enumerate(labelled) if not is_known]
    selection = LCMD().select(Data(x=x, train_mask=torch.tensor(labelled)), len(rest))
    assert selection.index.tolist() == plain(x, known, rest, len(rest))


def test_many_near_points_outweigh_a_far_one() -> None:
    # k-center would take the point at 29 first.
    x = torch.tensor([[0.0], [20.0], [1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [29.0]])
    data = Data(x=x, train_mask=torch.arange(10) < 2)
    selection = LCMD().select(data, 3)
    assert selection.index.tolist() == [8, 9, 4]
    assert selection.score.tolist() == [7, 9, 3]


def test_labelled_nodes_outside_the_pool_are_centres_and_validation_nodes_count_for_nothing() -> None:
    x = torch.tensor([[0.0], [10.0], [2.0], [3.0], [12.0], [13.0], [13.0]])
    train_mask = torch.tensor([True, True, False, False, False, False, False])
    pool_mask = torch.tensor([False, False, True, True, True, False, False])
    selection = LCMD().select(Data(x=x, train_mask=train_mask, pool_mask=pool_mask), 2)
    assert selection.index.tolist() == [3, 4]


def test_without_labels_it_starts_in_the_middle() -> None:
    x = torch.tensor([[0.0], [4.0], [5.0], [11.0]])
    selection = LCMD().select(Data(x=x, train_mask=torch.zeros(4, dtype=torch.bool)), 2)
    assert selection.index.tolist() == [2, 3]
    assert selection.score.tolist() == [6, 6]


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_the_unit_of_the_features_does_not_matter(factor: float) -> None:
    x = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(30) < 4
    usual, other = (LCMD().select(Data(x=x * by, train_mask=mask), 26) for by in (1, factor))
    assert torch.equal(usual.index, other.index)
    torch.testing.assert_close(other.score / factor, usual.score)


@pytest.mark.parametrize("labelled", [0, 4])
def test_nodes_outside_the_pool_have_no_say_in_the_scale(labelled: int) -> None:
    x = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    mask, pool_mask = torch.arange(30) < labelled, torch.arange(30) % 7 > 0
    usual = LCMD().select(Data(x=x, train_mask=mask, pool_mask=pool_mask), 20)
    far = torch.where((pool_mask | mask).unsqueeze(1), x, 1e30)
    other = LCMD().select(Data(x=far, train_mask=mask, pool_mask=pool_mask), 20)
    assert torch.equal(other.index, usual.index)
    assert torch.equal(other.score, usual.score)


def compared(x: Tensor, labelled: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many pairs of a candidate and a labeled node have their distance taken by subtraction."""
    pairs = 0
    usual = seqgcn.selectors.lcmd._Clusters._compare

    def counted(self: Any, row: Tensor, centre: Tensor, centres: Tensor) -> None:
        nonlocal pairs
        pairs += len(row)
        usual(self, row, centre, centres)

    monkeypatch.setattr(seqgcn.selectors.lcmd._Clusters, "_compare", counted)
    clusters = seqgcn.selectors.lcmd._Clusters(x[labelled:])
    clusters.add(x[:labelled])
    squared = (x[labelled:].unsqueeze(1) - x[:labelled]).square().sum(dim=2)
    assert torch.equal(clusters.squared, squared.amin(dim=1))
    assert torch.equal(clusters.nearest, (squared == clusters.squared.unsqueeze(1)).to(torch.uint8).argmax(dim=1))
    return pairs


def test_few_pairs_are_compared_by_subtraction(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
    assert compared(x, 50, monkeypatch) < 260
    for far in (0, 49, 60):
        outlier = x.clone()
        outlier[far] *= 1000
        assert compared(outlier, 50, monkeypatch) < 600
    assert compared(torch.ones(300, 8), 50, monkeypatch) == 250
    few = x[:3].repeat(100, 1)
    assert compared(few, 50, monkeypatch) == 250


@pytest.mark.parametrize("labelled", [0, 2])
def test_duplicates_of_a_centre_come_last_and_by_their_index(labelled: int) -> None:
    x = 0.1 * torch.randn(8, 5, generator=torch.Generator().manual_seed(0)).repeat(3, 1) + 1
    selection = LCMD().select(Data(x=x, train_mask=torch.arange(24) < labelled), 24 - labelled)
    copies = selection.index[8 - labelled :].tolist()
    assert copies == sorted(copies)
    assert selection.score[8 - labelled :].tolist() == [0.0] * 16
