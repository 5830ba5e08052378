from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

import seqgcn.coverage.facility_location
from seqgcn.coverage.facility_location import Similarity, _Search, cosine, facility_location, gaussian
from seqgcn.exceptions import ArgumentError
from seqgcn.graph import unit_rows


def matrix(similarity: Similarity) -> Tensor:
    return similarity.value(similarity.left @ similarity.right.T)


def plain(
    kernel: Tensor, rows: list[int], columns: list[int], centres: list[int], budget: int, least: float
) -> tuple[list[int], list[float]]:
    """The algorithm as printed: the whole sum anew for every row and pick; equal to nine digits goes to the first."""
    cover = torch.full((len(columns),), least, dtype=torch.float64)
    for centre in centres:
        cover = torch.maximum(cover, kernel[centre, columns])
    left, picks, gains = list(rows), [], []
    for _ in range(budget):
        gain = torch.stack([(torch.maximum(kernel[i, columns], cover) - cover).sum() for i in left])
        slot = int((gain >= gain.max() - 1e-9).nonzero()[0])
        picks.append(left.pop(slot))
        gains.append(float(gain[slot]))
        cover = torch.maximum(cover, kernel[picks[-1], columns])
    return picks, gains


def clouds(n: int = 120, d: int = 5, dtype: torch.dtype = torch.float64) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    middles = 3 * torch.randn(7, d, dtype=torch.float64, generator=draw)
    return (middles[torch.arange(n) % 7] + torch.randn(n, d, dtype=torch.float64, generator=draw)).to(dtype)


KERNELS = {"gaussian": (lambda x: gaussian(x, sigma=1.5), 0.0), "cosine": (cosine, -1.0)}
written_down = pytest.mark.parametrize("pairs", [0, 2_000, 2**27], ids=["never", "later", "at once"])


@written_down
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("centres", [[], [3, 50, 111]], ids=["cold", "warm"])
def test_it_picks_as_the_plain_loop(
    kernel: str, centres: list[int], pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Search, "PAIRS", pairs)
    monkeypatch.setattr(_Search, "ELEMENTS", 300)
    monkeypatch.setattr(seqgcn.coverage.facility_location, "_BLOCK", 32)
    make, least = KERNELS[kernel]
    similarity = make(clouds())
    rows = [i for i in range(120) if i % 3 and i not in centres]
    columns = [i for i in range(120) if i % 5]
    index, gain = facility_location(
        similarity, torch.tensor(rows), torch.tensor(columns), 60, centres=torch.tensor(centres).long()
    )
    picks, gains = plain(matrix(similarity), rows, columns, centres, 60, least)
    assert index.tolist() == picks
    torch.testing.assert_close(gain, torch.tensor(gains, dtype=torch.float64), rtol=1e-9, atol=1e-9)


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """Whole-number points, so that ties and duplicates abound."""
    n, d = draw(st.integers(1, 20)), draw(st.integers(1, 3))
    values = draw(st.lists(st.integers(-2, 2), min_size=n * d, max_size=n * d))
    some = st.lists(st.integers(0, n - 1), max_size=4, unique=True)
    centres = draw(some)
    rows = draw(st.permutations([i for i in range(n) if i not in centres]))
    return {
        "points": torch.tensor(values, dtype=torch.float64).view(n, d),
        "rows": rows,
        "columns": draw(st.lists(st.integers(0, n - 1), min_size=1, unique=True)),
        "centres": centres,
        "budget": draw(st.integers(0, len(rows))),
    }


@settings(deadline=None)
@example(
    # Columns 3 and 7 gain alike, but have levels that were rounded up by unlike amounts.
    question={
        "points": torch.tensor(
            [[0, 0], [-1, 0], [2, 0], [0, 1], [0, 0], [0, 2], [2, 0], [-2, 0], [0, 2]], dtype=torch.float64
        ),
        "rows": [4, 6, 7, 3, 8],
        "columns": [0, 1, 2, 3, 4, 5, 6, 7],
        "centres": [0, 1, 2, 5],
        "budget": 1,
    },
    pairs=0,
    kernel="gaussian",
)
@given(questions(), st.sampled_from([0, 30, 2**27]), st.sampled_from(sorted(KERNELS)))
def test_equal_gains_go_to_the_first_row(question: dict[str, Any], pairs: int, kernel: str) -> None:
    make, least = KERNELS[kernel]
    similarity = make(question.pop("points"))
    expected, gains = plain(matrix(similarity), least=least, **question)
    tensors = {name: torch.tensor(question[name], dtype=torch.int64) for name in ("rows", "columns", "centres")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Search, "PAIRS", pairs)
        index, gain = facility_location(similarity, **tensors, budget=question["budget"])
    assert index.tolist() == expected
    torch.testing.assert_close(gain, torch.tensor(gains, dtype=torch.float64), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_small_gains_that_are_equal_go_to_the_first_row(seed: int) -> None:
    """Centers near the columns leave next to nothing to gain, and rounding is large beside it."""
    draw = torch.Generator().manual_seed(seed)
    column = 6 * torch.randn(6, 3, dtype=torch.float64, generator=draw)
    near = column + torch.tensor([0.01, 0.0, 0.0], dtype=torch.float64)
    points = torch.cat([column, near, column[torch.randperm(6, generator=draw)]])
    similarity = gaussian(points, sigma=1.0)
    rows, columns, centres = torch.arange(12, 18), torch.arange(6), torch.arange(6, 12)
    index, _ = facility_location(similarity, rows, columns, 6, centres=centres)
    gain = (1 - matrix(similarity)[rows][:, columns]).amin(dim=1)
    assert gain.max() < 1e-9, "each row is a column"
    assert index.tolist() == rows.tolist()


@written_down
def test_single_precision_finds_as_good_a_cover(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Search, "PAIRS", pairs)
    every = torch.arange(120)
    double, single = (
        facility_location(gaussian(clouds(dtype=dtype)), every, every, 20) for dtype in (torch.float64, torch.float32)
    )
    assert single[1].dtype == torch.float32
    torch.testing.assert_close(single[1].double(), double[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_duplicates_of_a_centre_gain_exactly_nothing(dtype: torch.dtype) -> None:
    points = clouds(30, dtype=dtype).repeat(2, 1)
    rows = torch.arange(30, 60)
    for similarity in (gaussian(points), cosine(points)):
        index, gain = facility_location(similarity, rows, rows, 30, centres=torch.arange(30))
        assert index.tolist() == rows.tolist()
        assert gain.tolist() == [0.0] * 30


@written_down
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kernel", KERNELS)
def test_duplicates_of_centres_gain_exactly_nothing_whatever_product_they_come_from(
    kernel: str, dtype: torch.dtype, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last digits of 300 products' sum depend on the shapes of the matrices it is taken in.
    monkeypatch.setattr(_Search, "PAIRS", pairs)
    monkeypatch.setattr(seqgcn.coverage.facility_location, "_BLOCK", 7)
    similarity = {"gaussian": gaussian, "cosine": cosine}[kernel](clouds(50, 300, dtype).repeat(2, 1))
    copies = torch.arange(50, 100)
    for columns in (copies, copies[::3]):
        index, gain = facility_location(similarity, copies, columns, 50, centres=torch.arange(50))
        assert index.tolist() == copies.tolist()
        assert gain.tolist() == [0.0] * 50


@pytest.mark.parametrize("pairs", [0, 2**27], ids=["never", "at once"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_copies_of_picks_gain_exactly_nothing(dtype: torch.dtype, pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Search, "PAIRS", pairs)
    every = torch.arange(100)
    index, gain = facility_location(gaussian(clouds(50, 300, dtype).repeat(2, 1)), every, every, 100)
    assert sorted(index[:50].tolist()) == every[:50].tolist()
    assert (gain[:50] > 0).all()
    assert index[50:].tolist() == every[50:].tolist()
    assert gain[50:].tolist() == [0.0] * 50


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("pairs", [0, 75, 150, 600, 2**27])
def test_gains_never_increase(sigma: float, pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Twenty equal clouds, so that gains are equal but for rounding, which writing down the pairs changes.
    monkeypatch.setattr(_Search, "PAIRS", pairs)
    cloud, every = torch.randn(15, 5, generator=torch.Generator().manual_seed(0)), torch.arange(300)
    apart = 8 * torch.eye(20).repeat_interleave(15, dim=0)
    _, gain = facility_location(gaussian(torch.cat([cloud.repeat(20, 1), apart], dim=1), sigma), every, every, 300)
    assert gain.dtype == torch.float32
    assert (gain.diff() <= 0).all()
    assert (gain > 0).all()


@pytest.mark.parametrize("spread", [300.0, 1000.0, 3000.0, 1e5])
def test_distances_of_many_widths_are_told_apart_in_single_precision(spread: float) -> None:
    draw = torch.Generator().manual_seed(0)
    middles = spread * torch.randn(8, 4, generator=draw)
    points = middles[torch.arange(400) % 8] + torch.randn(400, 4, generator=draw)
    every = torch.arange(400)
    single, double = (facility_location(gaussian(x, sigma=1.0), every, every, 60) for x in (points, points.double()))
    assert torch.equal(single[0], double[0])
    assert single[1].dtype == torch.float32
    torch.testing.assert_close(single[1].double(), double[1], rtol=1e-6, atol=0)
    squared = (points.double().unsqueeze(1) - points[single[0]].double()).square().sum(dim=2).amin(dim=1)
    torch.testing.assert_close(double[1].sum(), torch.exp(-squared / 2).sum(), rtol=1e-3, atol=0)


def test_pairs_that_no_longer_count_are_forgotten() -> None:
    every = torch.arange(120)
    search = _Search(gaussian(clouds()), every, every, every[:0])
    at_first = len(search.row)
    for _ in range(60):
        search.take(search.best()[0])
    assert at_first == 120 * 120
    assert len(search.row) < at_first / 4
    assert len(search.row) == search.first[-1]


def test_the_kernels_are_those_of_the_formulas() -> None:
    points = clouds(20)
    squared = torch.cdist(points, points).square()
    torch.testing.assert_close(matrix(gaussian(points, sigma=2.0)), torch.exp(-squared / 8))
    half_mean = squared.mean() / 2
    torch.testing.assert_close(matrix(gaussian(points)), torch.exp(-squared / (2 * half_mean)))
    angles = torch.nn.functional.cosine_similarity(points.unsqueeze(1), points, dim=2)
    torch.testing.assert_close(matrix(cosine(points)), angles)


def test_the_default_width_is_one_for_directions_without_a_mean() -> None:
    directions = torch.cat([torch.eye(6), -torch.eye(6)]).double()
    torch.testing.assert_close(matrix(gaussian(directions)), matrix(gaussian(directions, sigma=1.0)))


@pytest.mark.parametrize("factor", [1e-30, 1.0, 1e30])
def test_the_unit_of_the_points_does_not_matter(factor: float) -> None:
    points = clouds(30, dtype=torch.float32)
    for make in (gaussian, cosine):
        torch.testing.assert_close(matrix(make(points * factor)), matrix(make(points)))
    torch.testing.assert_close(unit_rows(points * factor)[0], unit_rows(points)[0])


def test_zero_rows_are_similar_to_nothing_and_equal_points_to_each_other() -> None:
    assert matrix(cosine(torch.tensor([[0.0, 0.0], [1.0, 2.0]])))[0].tolist() == [0, 0]
    for points in (torch.zeros(4, 2), torch.full((4, 2), 3.0)):
        torch.testing.assert_close(matrix(gaussian(points)), torch.ones(4, 4))


def test_progress_is_told_every_pick() -> None:
    heard: list[tuple[str, int, int]] = []
    every = torch.arange(9)
    facility_location(cosine(clouds(9)), every, every, 3, progress=lambda *call: heard.append(call), stage="herding")
    assert heard == [("herding", 1, 3), ("herding", 2, 3), ("herding", 3, 3)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sigma", [1e-6, 1e-30, 1e-300])
def test_a_width_against_which_no_digits_of_distances_are_left_is_refused(sigma: float, dtype: torch.dtype) -> None:
    with pytest.raises(ArgumentError, match=rf"sigma = {sigma} is too small .* enlarge it or normalize x"):
        gaussian(clouds(9, dtype=dtype), sigma=sigma)


def test_no_budget_gives_nothing_in_the_precision_of_the_points() -> None:
    for sigma in (1.0, 1e-3):
        index, gain = facility_location(
            gaussian(clouds(9, dtype=torch.float32), sigma), *torch.arange(18).view(2, 9), 0
        )
        assert (index.dtype, gain.dtype, len(index), len(gain)) == (torch.int64, torch.float32, 0, 0)
