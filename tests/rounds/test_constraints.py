from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.rounds.constraints import Videos, choose, most_items
from seqgcn.selectors import CoreSet, Random, TypiClust
from seqgcn.selectors.selector import Query, Selection, Selector

quick = settings(max_examples=200, deadline=None, derandomize=True)


@dataclass(frozen=True, kw_only=True)
class First(Selector):
    """Ranks by the first column, and notes what it was asked for."""

    requires: ClassVar[tuple[str, ...]] = ("x",)

    asked: list[int] = field(default_factory=list)

    def pick(self, query: Query) -> Selection:
        self.asked.append(query.budget)
        return query.highest(query.features()[:, 0], rank=query.features()[:, 0])


def pool(scores: list[float], labelled: tuple[int, ...] = (), allowed: list[bool] | None = None) -> Data:
    data = Data(x=torch.tensor(scores).unsqueeze(1), train_mask=torch.zeros(len(scores), dtype=torch.bool))
    data.train_mask[list(labelled)] = True
    if allowed is not None:
        data.pool_mask = torch.tensor(allowed)
    return data


def one_video(frames: list[int], sequence: list[int] | None = None) -> Videos:
    return Videos(np.array(sequence or [0] * len(frames)), np.array(frames))


def order(data: Data) -> list[int]:
    """Candidates by the first column, the best first."""
    free = ~data.train_mask & (data.pool_mask if "pool_mask" in data else True)
    return sorted(free.nonzero().flatten().tolist(), key=lambda i: (-float(data.x[i, 0]), i))


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """A pool, prices (perhaps), a video of each node (perhaps with a gap), and a budget that may be too large."""
    n = draw(st.integers(1, 25))

    def each(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    data = pool([float(value) for value in each(st.integers(-5, 5))])
    data.train_mask = torch.tensor(each(st.booleans()))
    if draw(st.booleans()):
        data.pool_mask = torch.tensor(each(st.booleans()))
    question: dict[str, Any] = {"data": data, "budget": draw(st.integers(1, 12))}
    if draw(st.booleans()):
        question["costs"] = torch.tensor(each(st.integers(1, 40)), dtype=torch.float64) / 8
    if draw(st.booleans()):
        question["min_gap"] = draw(st.integers(0, 8))
        sequence, frame = each(st.integers(0, 2)), draw(st.permutations(range(n)))
        question["videos"] = Videos(np.array(sequence), np.array(frame))
    return question


def possible(question: dict[str, Any]) -> None:
    """Go on only if the budget can be spent."""
    terms = {key: value for key, value in question.items() if key != "data"}
    data = question["data"]
    candidates = ~data.train_mask & (data.pool_mask if "pool_mask" in data else True)
    try:
        most_items(candidates, **terms)
    except ArgumentError:
        assume(False)


def of_the_full_ranking(question: dict[str, Any]) -> list[int]:
    """Down the whole ranking, what can be afforded and is near none that was taken."""
    data, left = question["data"], question["budget"] * (1 + 1e-9)
    costs = question.get("costs", torch.ones(len(data.x)))
    videos, gap, taken = question.get("videos"), question.get("min_gap", 0), []
    for node in order(data):
        near = videos is not None and any(
            videos.sequence[node] == videos.sequence[other] and abs(videos.frame[node] - videos.frame[other]) < gap
            for other in taken
        )
        if not near and float(costs[node]) <= left:
            left -= float(costs[node])
            taken.append(node)
    return taken


@quick
@given(questions())
def test_picks_keep_to_all_terms(question: dict[str, Any]) -> None:
    possible(question)
    data = question["data"]
    before = {key: value.clone() for key, value in data.to_dict().items()}
    picks = choose(First(), **question)
    index = picks.index.tolist()
    assert len(index) >= 1
    assert len(set(index)) == len(index)
    assert not data.train_mask[picks.index].any()
    assert "pool_mask" not in data or data.pool_mask[picks.index].all()
    assert torch.equal(picks.score, data.x[picks.index, 0])
    costs, videos, gap = question.get("costs"), question.get("videos"), question.get("min_gap", 0)
    if costs is None:
        assert len(index) <= question["budget"]
    else:
        assert float(costs[picks.index].sum()) <= question["budget"] * (1 + 1e-9)
    if videos is not None:
        for sequence in set(videos.sequence[index].tolist()):
            frames = np.sort(videos.frame[index][videos.sequence[index] == sequence])
            assert (np.diff(frames) >= gap).all()
    assert all(torch.equal(value, data[key]) for key, value in before.items())
    assert set(data.to_dict()) == set(before)


@quick
@given(questions())
def test_picks_are_the_first_of_the_full_ranking_that_fit(question: dict[str, Any]) -> None:
    possible(question)
    expected = of_the_full_ranking(question)
    index = choose(First(), **question).index.tolist()
    # With costs the walk ends where the selector has named as many as the money could buy at most.
    assert index == (expected if "costs" not in question else expected[: len(index)])


@quick
@given(questions(), st.sampled_from([Random(seed=3), CoreSet(), First(), TypiClust(max_clusters=3)]))
def test_without_terms_it_is_the_selector(question: dict[str, Any], selector: Selector) -> None:
    question = {key: question[key] for key in ("data", "budget")}
    possible(question)
    picks, alone = choose(selector, **question), selector.select(**question)
    assert torch.equal(picks.index, alone.index)
    assert torch.equal(picks.score, alone.score)
    assert picks.details.keys() == alone.details.keys()


def test_a_gap_asks_for_more_until_the_budget_is_spent() -> None:
    # Twenty good frames beside each other, and ten bad ones far apart.
    data = pool([100.0 - i for i in range(20)] + [-float(i) for i in range(10)])
    videos = one_video([*range(20), *range(1000, 2000, 100)])
    selector = First()
    picks = choose(selector, data, 3, videos=videos, min_gap=50)
    assert picks.index.tolist() == [0, 20, 21]
    assert selector.asked == [3, 6, 12, 24]
    assert len(picks.details["rank"]) == 30


def test_a_gap_of_another_sequence_is_none() -> None:
    data = pool([5.0, 4.0, 3.0, 2.0])
    videos = one_video([10, 11, 12, 30], [0, 1, 0, 0])
    assert choose(First(), data, 3, videos=videos, min_gap=5).index.tolist() == [0, 1, 3]


def test_a_pick_in_the_way_of_two_leaves_fewer_than_the_budget() -> None:
    # 0 and 10 could both be had, but the best frame lies between them.
    videos = one_video([0, 5, 10])
    assert choose(First(), pool([1.0, 9.0, 1.0]), 2, videos=videos, min_gap=10).index.tolist() == [1]
    assert choose(First(), pool([9.0, 1.0, 1.0]), 2, videos=videos, min_gap=10).index.tolist() == [0, 2]


def test_frames_of_the_same_number_are_one_apart_from_none() -> None:
    videos = one_video([3, 3, 4])
    assert choose(First(), pool([3.0, 2.0, 1.0]), 2, videos=videos, min_gap=1).index.tolist() == [0, 2]
    assert choose(First(), pool([3.0, 2.0, 1.0]), 2, videos=videos).index.tolist() == [0, 1]


def costs(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_what_is_too_dear_is_passed_over() -> None:
    selector = First()
    picks = choose(selector, pool([5.0, 4.0, 3.0, 2.0, 1.0]), 10.0, costs=costs(6, 5, 3, 1, 1))
    assert picks.index.tolist() == [0, 2, 3]
    assert selector.asked == [4]


def test_an_item_dearer_than_the_whole_budget_is_no_candidate() -> None:
    data = pool([9.0, 8.0, 1.0])
    assert choose(First(), data, 50, costs=costs(100, 100, 1)).index.tolist() == [2]
    assert "pool_mask" not in data


@pytest.mark.parametrize("prices", [None, (1, 1, 1, 1)])
def test_validation_and_test_items_are_no_candidates(prices: tuple[float, ...] | None) -> None:
    data = pool([4.0, 3.0, 2.0, 1.0])
    data.val_mask, data.test_mask = torch.arange(4) == 0, torch.arange(4) == 2
    terms = {} if prices is None else {"costs": costs(*prices)}
    assert choose(First(), data, 2, **terms).index.tolist() == [1, 3]
    with pytest.raises(ArgumentError, match="only 2 items") if prices is None else nullcontext():
        assert choose(First(), data, 3, **terms).index.tolist() == [1, 3], "the budget in cost buys what there is"


def test_sums_of_costs_may_be_rounded() -> None:
    data = pool([3.0, 2.0, 1.0])
    assert len(choose(First(), data, 0.3, costs=costs(0.1, 0.1, 0.1))) == 3
    assert len(choose(First(), data, 0.3, costs=costs(0.1 + 0.2, 1, 1))) == 1
    assert len(choose(First(), data, 0.2999, costs=costs(0.1, 0.1, 0.1))) == 2


def test_costs_are_only_needed_of_candidates() -> None:
    data = pool([9.0, 8.0, 7.0], labelled=(0,), allowed=[True, False, True])
    assert choose(First(), data, 1, costs=costs(np.nan, np.nan, 1)).index.tolist() == [2]


def test_costs_and_a_gap_ask_for_more_only_while_money_is_left() -> None:
    data = pool([float(-i) for i in range(64)])
    videos = one_video([0, 1, *range(100, 162)])
    selector = First()
    # The first two are near each other, and the third takes what is left.
    picks = choose(selector, data, 4, costs=torch.full((64,), 2.0), videos=videos, min_gap=5)
    assert (picks.index.tolist(), selector.asked) == ([0, 2], [2, 4])


@pytest.mark.parametrize(
    ("budget", "terms", "message"),
    [
        (2.5, {}, r"budget must be a whole number .*got 2\.5"),
        (True, {}, "budget must be a whole number"),
        (-1, {}, "budget"),
        (5, {}, "budget is 5, but only 4 items are unlabeled and may be picked"),
        (2, {"min_gap": 3}, "min_gap needs videos, the sequence and frame of each of the 5 nodes"),
        (2, {"min_gap": 3, "videos": one_video([1, 2])}, "min_gap needs videos"),
        (2, {"min_gap": -1}, "min_gap must be"),
        (
            4,
            {"min_gap": 2, "videos": one_video([1, 2, 3, 4, 5])},
            "budget is 4, but only 2 candidates are 2 frames apart of each other; lower the budget or the gap",
        ),
        (0.5, {"costs": costs(0.1, 1, 2, 3, 4)}, r"budget is 0\.5, but the cheapest candidate costs 1$"),
        (1234567.5, {"costs": costs(0, 9e9, 9e9, 9e9, 9e9)}, r"budget is 1234567\.5, but .* costs 9000000000$"),
        (-1.0, {"costs": costs(1, 1, 1, 1, 1)}, "budget must be"),
        (float("nan"), {"costs": costs(1, 1, 1, 1, 1)}, "budget must be"),
        (5, {"costs": costs(1, 1, 0, 1, 1)}, "costs must be above 0; see rows 2"),
        (5, {"costs": costs(1, 1, 1, np.nan, 1)}, "costs must be finite; rows 3"),
        (5, {"costs": costs(1, 1)}, r"costs must be a floating-point tensor \[5\]"),
    ],
)
def test_what_cannot_be_spent_is_said_before_anything_is_picked(
    budget: float, terms: dict[str, Any], message: str
) -> None:
    selector = First()
    with pytest.raises(ArgumentError, match=message):
        choose(selector, pool([1.0] * 5, labelled=(0,)), budget, **terms)
    assert selector.asked == []


def test_nothing_left_to_pick() -> None:
    done = pool([1.0, 2.0], labelled=(0, 1))
    with pytest.raises(ArgumentError, match="budget is 1, but only 0 items are unlabeled"):
        choose(First(), done, 1)
    with pytest.raises(ArgumentError, match="no item is left to pick: all are labeled or left out"):
        choose(First(), done, 1, costs=costs(1, 1))
    assert len(choose(First(), done, 0)) == 0


# which frame of which video


def videos(*names: str) -> tuple[list[int], list[int]]:
    found = Videos.of(names)
    return found.sequence.tolist(), found.frame.tolist()


def test_a_folder_is_a_sequence_and_numbers_that_count_are_frames() -> None:
    names = ("a/b/image_0007.png", "a/b/image_0010.png", "a/c/depth_1_0000003.png", "7.png", "a/b/image_0012.png")
    assert videos(*names) == ([0, 0, 1, 2, 0], [7, 10, 0, 0, 12])


TUM = [f"rgbd/{1305031102 + i // 30}.{i % 30 * 100_000 // 3:06d}.png" for i in range(90)]


def test_time_stamps_count_in_their_order() -> None:
    found = Videos.of(TUM)
    assert found.frame.tolist() == list(range(90))
    assert found.time is not None
    assert set((np.diff(found.time) // 1000).tolist()) == {33333, 33334}
    assert found.notes == ("the names of rgbd (such as rgbd/1305031102.000000.png) are time stamps in seconds",)


@pytest.mark.parametrize(("gap", "apart"), [(30, 30), ("1s", 30), ("500ms", 15), ("0.5s", 15)])
def test_picks_of_frames_named_by_time_stamps_are_apart(gap: int | str, apart: int) -> None:
    data = pool([float(-i) for i in range(90)])
    picks = choose(First(), data, 3, videos=Videos.of(TUM), min_gap=gap)
    assert picks.index.tolist() == [0, apart, 2 * apart]
    with pytest.raises(ArgumentError, match=rf"only {90 // apart} candidates are \S+( frames)? apart"):
        choose(First(), data, 1 + 90 // apart, videos=Videos.of(TUM), min_gap=gap)


def test_a_gap_in_time_needs_time_stamps() -> None:
    names = [*TUM, *(f"lab/image_{i:04d}.png" for i in range(10))]
    data = pool([1.0] * 100)
    with pytest.raises(
        ArgumentError, match=r"min-gap is 0\.5s, but the names of lab \(such as lab/image_0000.png\) count frames"
    ):
        choose(First(), data, 3, videos=Videos.of(names), min_gap="0.5s")
    with pytest.raises(ArgumentError, match=r"min-gap is 0\.5s, but no item has a time"):
        most_items(torch.ones(2, dtype=torch.bool), 1, videos=one_video([1, 2]), min_gap="500ms")
    with pytest.raises(ArgumentError, match=r"got 'soon'"):
        most_items(torch.ones(2, dtype=torch.bool), 1, videos=one_video([1, 2]), min_gap="soon")


@quick
@given(st.integers(5, 60), st.integers(1, 40), st.randoms(use_true_random=False))
def test_a_gap_in_time_keeps_picks_apart_in_time(n: int, tenths: int, random: Any) -> None:
    times = np.cumsum([random.randint(20, 60) for _ in range(n)])
    names = [f"v/{1305031102 + t // 1000}.{t % 1000:03d}.png" for t in times.tolist()]
    data = pool([random.random() for _ in range(n)])
    found = Videos.of(names)
    most = choose(First(), data, 1, videos=found, min_gap=f"{100 * tenths}ms").index.tolist()
    for budget in range(2, 6):
        try:
            most = choose(First(), data, budget, videos=found, min_gap=f"{tenths / 10}s").index.tolist()
        except ArgumentError:
            break
        assert (np.diff(np.sort(times[most])) >= 100 * tenths).all()
    assert most


@pytest.mark.parametrize(
    ("names", "frames"),
    [
        (("s/12", "s/8"), [12, 8]),  # no suffix
        (("s/frame.0012", "s/frame.0008"), [12, 8]),
        (("s/render.0012.exr", "s/render.8.exr"), [12, 8]),
        (("s/5.mp4", "s/9.mp4"), [5, 9]),
        (("s/.hidden5", "s/.hidden9"), [5, 9]),
        (("s/a1b6", "s/a1b4.png"), [6, 4]),
        (("s/a1b222", "s/a1b4.png", "s/a1b10"), [2, 0, 1]),  # too far apart to count frames
        (("2024/x.png", "2024/y.png"), [0, 1]),  # numbers of folders are none of frames
        (("s/5.png", "s/x.png", "s/1.png"), [0, 1, 2]),
        (("s/image_5.png", "s/preview_1.png"), [0, 1]),
        (("s/cam1_5.png", "s/cam2_5.png"), [1, 2]),
        (("s/cam2_4.png", "s/cam1_5.png", "s/cam1_4.png"), [2, 1, 0]),
        (("s/" + "9" * 19 + ".png", "s/1.png"), [1, 0]),
        (("s/" + "9" * 18 + ".png", "s/1.png"), [1, 0]),
        (("s/٣.png", "s/٤.png"), [0, 1]),  # digits, but none that Python and others agree about
        (("", "/", "."), [0, 1, 2]),
    ],
)
def test_odd_names(names: tuple[str, ...], frames: list[int]) -> None:
    assert videos(*names)[1] == frames


def test_a_long_name_takes_no_time() -> None:
    assert videos("1" * 10**6 + "x.png", "2.png") == ([0, 0], [0, 1])


@quick
@given(st.lists(st.text(st.sampled_from("a1٣²/._-\n"), max_size=8), min_size=1, max_size=12))
def test_frames_of_a_sequence_differ_whatever_the_names(names: list[str]) -> None:
    found = Videos.of(names)
    assert found.sequence.dtype == found.frame.dtype == np.int64
    for sequence in np.unique(found.sequence):
        frames = found.frame[found.sequence == sequence]
        assert len(np.unique(frames)) == len(frames)
    folders = [name.rpartition("/")[0] for name in names]
    assert [folders.index(folder) for folder in folders] == [
        found.sequence.tolist().index(number) for number in found.sequence.tolist()
    ]


def test_no_items() -> None:
    assert videos() == ([], [])


def test_cheap_items_are_asked_for_when_a_dear_one_does_not_fit() -> None:
    x = torch.arange(100.0).flip(0).unsqueeze(1)  # the first are the best
    costs = torch.tensor([30.0] * 40 + [1.0] * 60)
    pool = Data(x=x, train_mask=torch.zeros(100, dtype=torch.bool))
    picked = choose(First(), pool, 35, costs=costs).index
    assert float(costs[picked].sum()) == 35
