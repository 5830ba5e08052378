import csv
import io
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqgcn.rounds import tables
from seqgcn.rounds.tables import picks_table, represent, represents_table
from seqgcn.selectors.selector import Selection

quick = settings(max_examples=150, deadline=None, derandomize=True)

ODD = [
    "a,b",
    'say "x"',
    "two\nlines",
    "mac\rline",
    "<script>alert(1)</script>",
    "=cmd()",
    " blank ",
    "",
    "'",
    "é\u2028",
]


@st.composite
def pools(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """Whole-number points, so that duplicates and ties abound and distances are exact; labeled ones; picks."""
    n, d = draw(st.integers(1, 15)), draw(st.integers(1, 3))
    x = torch.tensor(draw(st.lists(st.integers(-2, 2), min_size=n * d, max_size=n * d))).view(n, d)
    labelled = torch.tensor(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    free = (~labelled).nonzero().flatten().tolist()
    picks = draw(st.lists(st.sampled_from(free), unique=True)) if free else []
    return x.to(draw(st.sampled_from([torch.float32, torch.float64]))), labelled, torch.tensor(picks).long()


@quick
@given(pools(), st.sampled_from([1, 2, 1000]))
def test_what_stands_for_what_by_a_plain_double_loop(pool: tuple[Tensor, Tensor, Tensor], block: int) -> None:
    x, labelled, picks = pool
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "_BLOCK", block)
        found = represent(x, labelled, picks)

    def apart(i: int, j: int) -> float:
        return float((x[i] - x[j]).square().sum().sqrt())

    known, picked = labelled.nonzero().flatten().tolist(), picks.tolist()
    stands_for = dict.fromkeys(picked, 0)
    for i in range(len(x)):
        by, nearest = int(found.by[i]), int(found.labelled[i])
        to_labelled = min((apart(i, j) for j in known), default=float("inf"))
        to_pick = min((apart(i, j) for j in picked), default=float("inf"))
        assert float(found.before[i]) == pytest.approx(to_labelled)
        assert nearest == -1 if not known else nearest in known
        assert not known or apart(i, nearest) == pytest.approx(to_labelled)
        if i in known or i in picked:
            assert (by, float(found.distance[i])) == (i, 0)
            continue
        assert float(found.distance[i]) == pytest.approx(min(to_labelled, to_pick))
        if not known and not picked:
            assert by == -1
            continue
        # What is as near to a labeled item was stood for already.
        assert by in (picked if to_pick < to_labelled else known)
        assert apart(i, by) == pytest.approx(min(to_labelled, to_pick))
        if by in stands_for:
            stands_for[by] += 1
    assert found.stands_for.tolist() == [stands_for[pick] for pick in picked]
    assert found.radius == (float(found.before.max()), float(found.distance.max()))


def test_duplicates_and_a_pick_on_top_of_a_labelled_item() -> None:
    x = torch.tensor([[0.0], [0.0], [0.0], [5.0], [5.0], [6.0]])
    labelled = torch.tensor([True, False, False, False, False, False])
    found = represent(x, labelled, torch.tensor([1, 4]))
    assert found.by.tolist() == [0, 1, 0, 4, 4, 4]
    assert found.distance.tolist() == [0, 0, 0, 0, 0, 1]
    assert found.labelled.tolist() == [0] * 6
    assert found.before.tolist() == [0, 0, 0, 5, 5, 6]
    assert found.stands_for.tolist() == [0, 2]
    assert found.radius == (6, 1)


def test_nothing_labelled() -> None:
    found = represent(torch.tensor([[0.0], [1.0], [9.0]]), torch.zeros(3, dtype=torch.bool), torch.tensor([0]))
    assert found.by.tolist() == [0, 0, 0]
    assert found.labelled.tolist() == [-1, -1, -1]
    assert found.before.tolist() == [torch.inf] * 3
    assert found.stands_for.tolist() == [2]
    assert found.radius == (torch.inf, 9)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_squares_that_would_overflow(scale: float) -> None:
    x = torch.tensor([[0.0], [1.0], [3.0]]) * scale
    found = represent(x, torch.tensor([True, False, False]), torch.tensor([2]))
    assert found.by.tolist() == [0, 0, 2]
    torch.testing.assert_close(found.before, torch.tensor([0.0, 1.0, 3.0]) * scale)


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    represent(torch.rand(5000, 2), torch.arange(5000) < 3, torch.tensor([7]), progress=lambda *step: told.append(step))
    assert told == [("represent", 2048, 5000), ("represent", 4096, 5000), ("represent", 5000, 5000)]


# the files


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def question(n: int = 4, **details: Any) -> tuple[Selection, Any]:
    x = torch.arange(float(n)).unsqueeze(1)
    selection = Selection(index=torch.tensor([3, 1]), score=torch.tensor([0.123456789, -2e-9]), details=details)
    return selection, represent(x, torch.arange(n) == 0, selection.index)


def test_picks() -> None:
    text = picks_table(["a", "b", "c", "d"], *question(confidence=torch.tensor([1.0, 0.25, 0.5, 1 / 3])))
    assert read(text) == [
        ["rank", "item", "score", "confidence", "nearest labelled item", "distance", "stands for"],
        ["1", "d", "0.123457", "0.333333", "a", "3", "1"],
        ["2", "b", "-2e-09", "0.25", "a", "1", "0"],
    ]


def test_picks_without_a_confidence_or_a_label() -> None:
    selection, _ = question()
    found = represent(torch.arange(4.0).unsqueeze(1), torch.zeros(4, dtype=torch.bool), selection.index)
    assert read(picks_table(["a", "b", "c", "d"], selection, found))[1:] == [
        ["1", "d", "0.123457", "", "", "", "1"],
        ["2", "b", "-2e-09", "", "", "", "1"],
    ]


def test_what_stands_for_every_item() -> None:
    _, found = question()
    assert read(represents_table(["a", "b", "c", "d"], found)) == [
        ["item", "represented by", "distance"],
        ["a", "a", "0"],
        ["b", "b", "0"],
        ["c", "d", "1"],  # as near to both: the better pick
        ["d", "d", "0"],
    ]


def test_neither_labels_nor_picks() -> None:
    none = torch.tensor([], dtype=torch.int64)
    found = represent(torch.rand(2, 3), torch.zeros(2, dtype=torch.bool), none)
    assert read(represents_table(["a", "b"], found))[1:] == [["a", "", ""], ["b", "", ""]]
    assert len(read(picks_table(["a", "b"], Selection(index=none, score=torch.empty(0)), found))) == 1


@quick
@given(st.lists(st.sampled_from(ODD) | st.text(st.characters(codec="utf-8"), max_size=5), min_size=4, max_size=4))
def test_any_name_can_be_read_back(items: list[str]) -> None:
    selection, found = question()
    rows = read(picks_table(items, selection, found))
    assert [row[1] for row in rows[1:]] == [items[3], items[1]]
    assert [row[4] for row in rows[1:]] == [items[0]] * 2
    assert [row[:2] for row in read(represents_table(items, found))[1:]] == [
        [items[i], items[by]] for i, by in enumerate(found.by.tolist())
    ]
