import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import seqgcn.coverage.k_center
from seqgcn import k_center_greedy
from seqgcn.coverage.k_center import _LazySearch, k_center, nearest_centre
from seqgcn.exceptions import ArgumentError

relaxed = settings(deadline=None)
PRECISIONS = [torch.float32, torch.float64]


def plain(
    points: Tensor, centres: list[int], budget: int, candidates: Tensor | None = None, weights: Tensor | None = None
) -> list[int]:
    """The algorithm as printed: every distance anew for every pick, in double precision."""
    rows = points.double()
    squared = (torch.ones(len(rows)) if weights is None else weights).double().square()
    left = [i for i in range(len(rows)) if i not in centres and (candidates is None or candidates[i])]
    centres, picks = list(centres), []
    for _ in range(budget):
        if centres:
            distance = (rows[left].unsqueeze(1) - rows[centres]).square().sum(dim=2).amin(dim=1)
            pick = left[int((squared[left] * distance).argmax())]
        else:
            from_mean = (points[left] - points[left].mean(dim=0)).square().sum(dim=1)
            pick = left[int(from_mean.where(squared[left] == squared[left].max(), torch.inf).argmin())]
        left.remove(pick)
        centres.append(pick)
        picks.append(pick)
    return picks


def clouds(n: int = 300, d: int = 6, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Points in a few clusters: no ties."""
    draw = torch.Generator().manual_seed(seed)
    middles = 5 * torch.randn(8, d, dtype=torch.float64, generator=draw)
    spread = torch.randn(n, d, dtype=torch.float64, generator=draw)
    return (middles[torch.arange(n) % 8] + spread).to(dtype)


@st.composite
def questions(draw: st.DrawFn, *, weighted: bool = False) -> dict[str, Any]:
    """Whole-number points and weights, so that ties and duplicates abound and every distance is exact."""
    n, d = draw(st.integers(1, 30)), draw(st.integers(1, 3))
    values = draw(st.lists(st.integers(-2, 2), min_size=n * d, max_size=n * d))
    centres = draw(st.lists(st.integers(0, n - 1), max_size=4))
    some = torch.tensor(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    mask = draw(st.sampled_from([None, some, torch.ones(n, dtype=torch.bool)]))
    available = n - len(set(centres)) if mask is None else sum(bool(mask[i]) for i in range(n) if i not in centres)
    budget = draw(st.integers(0, available) | st.just(available))
    points = torch.tensor(values, dtype=draw(st.sampled_from(PRECISIONS))).view(n, d)
    question = {"points": points, "centres": torch.tensor(centres).long(), "budget": budget, "candidates": mask}
    if weighted:
        factors = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
        question["weights"] = torch.tensor(factors, dtype=draw(st.sampled_from(PRECISIONS)))
    return question


# the picks


@relaxed
@given(questions() | questions(weighted=True), st.sampled_from([1, 2, 8, 1024]), st.sampled_from([1, 16, 2**24]))
def test_the_lazy_form_picks_as_the_plain_loop(question: dict[str, Any], active: int, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_LazySearch, "ACTIVE", active)
        patch.setattr(seqgcn.coverage.k_center, "_BLOCK_ELEMENTS", block)
        picks = k_center_greedy(**question)
    assert picks.dtype == torch.int64
    assert picks.tolist() == plain(**(question | {"centres": question["centres"].tolist()}))


@pytest.mark.parametrize("active", [1, 2, 8, 50, 1024])
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_tie_free_points_need_many_refills(active: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_LazySearch, "ACTIVE", active)
    points = clouds(dtype=dtype)
    centres = torch.arange(0, 300, 40)
    assert k_center_greedy(points, centres, 100).tolist() == plain(points, centres.tolist(), 100)
    weights = torch.rand(300, dtype=dtype, generator=torch.Generator().manual_seed(0))
    picks = k_center_greedy(points, centres, 100, weights=weights)
    assert picks.tolist() == plain(points, centres.tolist(), 100, weights=weights)


def test_stale_bounds_are_never_taken_for_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    # The search keeps bounds for all but the active point, and each refill finds every active point on a center.
    monkeypatch.setattr(_LazySearch, "ACTIVE", 1)
    points = torch.tensor([[0.0], [8.0], [8.0], [8.0], [3.0], [3.0]])
    index, distance = k_center(points, torch.tensor([0]), 5)
    assert index.tolist() == [1, 4, 2, 3, 5]
    assert distance.tolist() == [8, 3, 0, 0, 0]


def test_a_refill_of_points_on_centres_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_LazySearch, "ACTIVE", 1)
    points = torch.tensor([[0.0], [4.0], [4.0], [2.0]])
    search = _LazySearch(points, torch.arange(4))
    search.start(points[:1])
    search.take(0)
    search.take(1)
    # Position 2 is on the new center, but its bound is still the largest; position 3 is 2 away from both.
    assert search.farthest() == (3, 4.0)


@pytest.mark.parametrize("centres", [[0], []])
def test_more_points_than_are_kept_active(centres: list[int]) -> None:
    points = torch.randint(0, 12, (3000, 2), generator=torch.Generator().manual_seed(0)).float()
    assert len(points) > _LazySearch.ACTIVE
    assert k_center_greedy(points, torch.tensor(centres), 60).tolist() == plain(points, centres, 60)


def test_distances_are_right_and_never_increase() -> None:
    points = clouds()
    centres = [3, 50]
    index, distance = k_center(points, torch.tensor(centres), 200)
    assert (distance.diff() <= 0).all()
    for number, pick in enumerate(index.tolist()):
        before = centres + index[:number].tolist()
        assert distance[number].item() == pytest.approx((points[pick] - points[before]).norm(dim=1).min().item())


def test_permuted_points_give_permuted_picks() -> None:
    points = clouds()
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    place = order.argsort()
    for centres in (torch.tensor([], dtype=torch.int64), torch.tensor([7, 100, 3])):
        picks = k_center_greedy(points, centres, 80)
        assert torch.equal(k_center_greedy(points[order], place[centres], 80), place[picks])


def test_the_order_of_the_centres_does_not_matter() -> None:
    points, centres = clouds(), torch.tensor([7, 100, 3, 100])
    assert torch.equal(k_center_greedy(points, centres, 50), k_center_greedy(points, centres.flip(0), 50))


def test_a_cold_start_begins_in_the_middle_and_scores_what_it_leaves_uncovered() -> None:
    points = torch.tensor([[0.0], [4.0], [5.0], [11.0]])
    index, distance = k_center(points, torch.tensor([]), 4)
    assert index.tolist() == [2, 3, 0, 1]
    assert distance.tolist() == [6, 6, 5, 1]
    assert k_center(points[:1], torch.tensor([]), 1)[1].tolist() == [0]


def test_a_cold_start_looks_at_candidates_only() -> None:
    points = torch.tensor([[0.0], [4.0], [5.0], [1000.0]])
    index, _ = k_center(points, torch.tensor([]), 2, candidates=torch.tensor([True, True, True, False]))
    assert index.tolist() == [1, 0]


def test_candidates_that_are_centres_are_passed_over() -> None:
    points = torch.tensor([[0.0], [9.0], [5.0]])
    mask = torch.ones(3, dtype=torch.bool)
    assert k_center_greedy(points, torch.tensor([1]), 2, candidates=mask).tolist() == [0, 2]
    assert mask.all()


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("offset", [0.0, 1e4, -3e5])
def test_duplicates_of_a_centre_come_last_at_exactly_zero(offset: float, dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(0)
    different = torch.rand(20, 50, generator=draw).to(dtype) + offset
    points = torch.cat([different, different, different[:5]])
    index, distance = k_center(points, torch.arange(5), 40)
    assert sorted(index[:15].tolist()) == list(range(5, 20))
    assert (distance[:15] > 0).all()
    assert distance[15:].tolist() == [0] * 25
    assert index[15:].tolist() == sorted(index[15:].tolist())


def test_only_duplicates_go_by_index() -> None:
    assert k_center_greedy(torch.ones(9, 2), torch.tensor([4]), 8).tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert k_center_greedy(torch.ones(9, 2), torch.tensor([]), 9).tolist() == list(range(9))
    assert k_center_greedy(torch.zeros(3, 2), torch.tensor([]), 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize("power", [-140, -90, 90, 126])
def test_magnitudes_do_not_matter(power: int) -> None:
    points = torch.randint(-200, 200, (60, 4), generator=torch.Generator().manual_seed(0)).float() / 256
    scaled = torch.ldexp(points.double(), torch.tensor(power)).float()
    index, distance = k_center(points, torch.tensor([0, 1]), 30)
    scaled_index, scaled_distance = k_center(scaled, torch.tensor([0, 1]), 30)
    if power > -120:  # below, single precision has lost digits of the points themselves
        assert torch.equal(scaled_index, index)
        torch.testing.assert_close(scaled_distance.double(), torch.ldexp(distance.double(), torch.tensor(power)))
    assert scaled_distance.isfinite().all()
    assert (scaled_distance > 0).all()


@pytest.mark.parametrize("centres", [[0, 1], []])
@pytest.mark.parametrize(("outside", "scale"), [(1e30, 1.0), (1.0, 1e-30)])
def test_points_that_are_neither_centre_nor_candidate_have_no_say(
    outside: float, scale: float, centres: list[int]
) -> None:
    points = clouds(60, dtype=torch.float32)
    candidates = torch.arange(60) % 5 > 1
    index, distance = k_center(points, torch.tensor(centres), 30, candidates=candidates)
    points = points * scale
    points[~candidates] = outside
    points[centres] = clouds(60, dtype=torch.float32)[centres] * scale
    other, scaled = k_center(points, torch.tensor(centres), 30, candidates=candidates)
    assert torch.equal(other, index)
    torch.testing.assert_close(scaled / scale, distance)


def test_half_precision_is_taken_as_single() -> None:
    points = clouds().half()
    assert torch.equal(
        k_center_greedy(points, torch.tensor([0]), 20), k_center_greedy(points.float(), torch.tensor([0]), 20)
    )


def test_progress_hears_of_every_pick() -> None:
    for centres in ([0], []):
        calls: list[tuple[Any, ...]] = []
        k_center_greedy(clouds(20), torch.tensor(centres), 3, progress=lambda *call, calls=calls: calls.append(call))
        assert calls == [("k-center", 1, 3), ("k-center", 2, 3), ("k-center", 3, 3)]


def test_progress_hears_of_picks_that_make_no_difference_too() -> None:
    done: list[int] = []
    k_center_greedy(
        torch.tensor([[0.0], [1.0], [1.0], [1.0]]), torch.tensor([0]), 3, progress=lambda *a: done.append(a[1])
    )
    assert done == [1, 2, 3]


# weights


def test_weighted_distances_are_right_and_never_increase() -> None:
    points, centres = clouds(), [3, 50]
    weights = torch.rand(300, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) ** 4
    index, distance = k_center(points, torch.tensor(centres), 200, weights=weights)
    assert (distance.diff() <= 0).all()
    for number, pick in enumerate(index.tolist()):
        before = centres + index[:number].tolist()
        nearest = (points[pick] - points[before]).norm(dim=1).min()
        assert distance[number].item() == pytest.approx((weights[pick] * nearest).item())


@pytest.mark.parametrize("factor", [1.0, 0.125, 2.0**100, 2.0**-140])
def test_equal_weights_change_only_the_scale_of_the_distances(factor: float) -> None:
    points = clouds(dtype=torch.float32)
    for centres in (torch.tensor([4]), torch.tensor([])):
        index, distance = k_center(points, centres, 299)
        weighted, scaled = k_center(points, centres, 299, weights=torch.full((300,), factor))
        assert torch.equal(weighted, index)
        torch.testing.assert_close(scaled.double(), distance.double() * factor, atol=2**-149, rtol=1e-6)


def test_what_weighs_nothing_comes_last_by_index() -> None:
    points = torch.tensor([[0.0], [9.0], [1.0], [5.0], [7.0]])
    index, distance = k_center(points, torch.tensor([0]), 4, weights=torch.tensor([1.0, 0.0, 2.0, 1.0, 0.0]))
    assert index.tolist() == [3, 2, 1, 4]
    assert distance.tolist() == [5, 2, 0, 0]
    index, distance = k_center(points, torch.tensor([0]), 4, weights=torch.zeros(5))
    assert index.tolist() == [1, 2, 3, 4]
    assert distance.tolist() == [0, 0, 0, 0]


def test_a_cold_start_begins_with_the_largest_weight() -> None:
    points = torch.tensor([[0.0], [4.0], [5.0], [11.0]])
    index, distance = k_center(points, torch.tensor([]), 4, weights=torch.tensor([2.0, 1.0, 0.0, 2.0]))
    assert index.tolist() == [0, 3, 1, 2]
    assert distance.tolist() == [22, 22, 4, 0]


def test_weights_of_another_precision_and_what_they_are_left_as() -> None:
    points, weights = clouds(dtype=torch.float32), torch.rand(300, generator=torch.Generator().manual_seed(0)) + 1
    before = weights.clone()
    index, distance = k_center(points, torch.tensor([0]), 50, weights=weights.double())
    assert torch.equal(k_center_greedy(points, torch.tensor([0]), 50, weights=weights), index)
    assert distance.dtype == torch.float32
    assert torch.equal(weights, before)


# distances to the nearest center


@relaxed
@given(questions())
def test_nearest_distances_of_whole_numbers_are_exact(question: dict[str, Any]) -> None:
    points = question["points"]
    centres = points[question["centres"]] if len(question["centres"]) else points[:1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seqgcn.coverage.k_center, "_BLOCK_ELEMENTS", 4)
        found = nearest_centre(points, centres)[1]
    assert torch.equal(found, (points.unsqueeze(1) - centres).square().sum(dim=2).amin(dim=1))


@relaxed
@given(questions(), st.sampled_from([4, 2**20]))
def test_the_nearest_centre_is_one_of_the_nearest(question: dict[str, Any], block: int) -> None:
    points = question["points"]
    centres = points[question["centres"]] if len(question["centres"]) else points[:1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seqgcn.coverage.k_center, "_BLOCK_ELEMENTS", block)
        which, squared = nearest_centre(points, centres)
    assert (which.dtype, which.shape) == (torch.int64, squared.shape)
    assert torch.equal((points - centres[which]).square().sum(dim=1), squared)
    assert torch.equal(squared, (points.unsqueeze(1) - centres).square().sum(dim=2).amin(dim=1))


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_the_nearest_centre_is_known_under_an_offset(offset: float) -> None:
    points = clouds(200) + offset
    centres = points[::10]
    exact = (points.unsqueeze(1) - centres).square().sum(dim=2).argmin(dim=1)
    assert torch.equal(nearest_centre(points, centres)[0], exact)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
def test_nearest_distances_keep_their_digits_under_an_offset(offset: float) -> None:
    points = clouds(200, dtype=torch.float32) + offset
    centres = points[::10]
    exact = (points.double().unsqueeze(1) - centres.double()).square().sum(dim=2).amin(dim=1)
    torch.testing.assert_close(nearest_centre(points, centres)[1].double(), exact, rtol=1e-5, atol=0)


def test_a_duplicate_is_at_zero_though_another_centre_is_nearly_as_near() -> None:
    # Beside each center lies another, closer than the matrix product can tell at this distance from the mean.
    some = clouds(50, dtype=torch.float32) * 100
    beside = torch.nextafter(some, torch.tensor(torch.inf))
    for centres, own in ((torch.cat([beside, some]), torch.arange(50, 100)), (torch.cat([some, beside]), range(50))):
        which, squared = nearest_centre(some, centres)
        assert squared.tolist() == [0] * 50
        assert which.tolist() == list(own)


# arguments


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": torch.ones(4)}, r"points must be 2-D .* use points.unsqueeze\(1\)"),
        ({"points": torch.ones(4, 2).int()}, r"use points.float\(\)"),
        ({"points": torch.tensor([[0.0], [math.nan], [1.0], [2.0]])}, "points has NaN or infinite values in rows 1;"),
        ({"centres": torch.tensor([0, 4])}, r"centres must be indices from 0 to 3, got 0\.\.4"),
        ({"centres": torch.tensor([-1])}, r"got -1\.\.-1"),
        ({"centres": torch.tensor([True, False, False, False])}, r"centres must be indices, got torch.bool; use mask"),
        ({"centres": torch.tensor([0.0])}, "centres must be indices, got torch.float32"),
        ({"centres": [0]}, r"centres must be a tensor of indices \[m\], got list; use torch.as_tensor"),
        ({"candidates": torch.tensor([1, 2])}, "candidates must be bool"),
        ({"candidates": torch.ones(3, dtype=torch.bool)}, "candidates has 3 entries, but there are 4 nodes"),
        ({"weights": torch.ones(3)}, r"weights must be a floating-point tensor \[4\], got torch.float32 \[3\]"),
        ({"weights": torch.ones(4).int()}, "weights must be a floating-point tensor"),
        ({"weights": torch.tensor([0.0, -1.0, 2.0, -3.0])}, "weights must not be negative; rows 1, 3 are"),
        ({"weights": torch.tensor([0.0, math.nan, 2.0, 1.0])}, "weights must be finite; rows 1 are"),
        ({"budget": 4}, "budget must be a whole number from 0 to the 3 candidates, got 4"),
        ({"budget": -1}, "got -1"),
        ({"budget": 1.0}, "got 1.0"),
        ({"budget": True}, "got True"),
    ],
)
def test_unusable_arguments_are_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"points": torch.arange(4.0).unsqueeze(1), "centres": torch.tensor([0]), "budget": 2}
    with pytest.raises(ArgumentError, match=message):
        k_center_greedy(**(arguments | change))


def test_no_budget_needs_no_points() -> None:
    assert k_center_greedy(torch.empty(0, 3), torch.tensor([]), 0).shape == (0,)
    assert k_center_greedy(torch.ones(1, 3), torch.tensor([0]), 0).dtype == torch.int64
