"""Selectors of one's own: what has to be written, and what is said of what is wrong."""

import pickle
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from contract_pools import BUDGET, pool, same
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors import CoreSet, Query, Random, Selection, Selector, as_selector


class Last:
    """Nothing but the one method."""

    def __init__(self, stride: int = 1) -> None:
        self.stride = stride

    def select(self, data: Data, budget: int) -> Any:
        return data.pool_mask.nonzero().flatten().flip(0)[:: self.stride][:budget]


class Seeded:
    requires: ClassVar[tuple[str, ...]] = ("prob",)
    seed, cycle = 0, 0

    def select(self, data: Data, budget: int) -> Any:
        draw = torch.Generator().manual_seed(self.seed + self.cycle)
        free = data.pool_mask.nonzero().flatten()
        return free[torch.randperm(len(free), generator=draw)[:budget]].tolist()


class Picks:
    """Whatever it is told."""

    def __init__(self, picks: Any) -> None:
        self.picks = picks

    def select(self, data: Data, budget: int) -> Any:
        return self.picks


def test_a_selector_is_itself() -> None:
    selector = CoreSet()
    assert as_selector(selector) is selector


def test_one_method_is_enough() -> None:
    data = pool()
    selection = as_selector(Last()).select(data, BUDGET)
    assert selection.index.tolist() == (~data.train_mask).nonzero().flatten().flip(0)[:BUDGET].tolist()
    assert len(selection.score) == BUDGET
    assert data.get("pool_mask") is None, "the pool is as it was"


def test_nodes_held_out_are_not_offered() -> None:
    data = pool()
    data.test_mask = torch.zeros(len(data.train_mask), dtype=torch.bool)
    data.test_mask[-10:] = True
    assert not data.test_mask[as_selector(Last()).select(data, BUDGET).index].any()


def test_indices_may_be_a_list_an_array_or_a_selection() -> None:
    data = pool()
    free = (~data.train_mask).nonzero().flatten()[:3]
    score = torch.tensor([3.0, 2.0, 1.0])
    for picks in (free.tolist(), free.numpy(), free, free.int(), free.numpy().astype(np.int32)):
        assert as_selector(Picks(picks)).select(data, 3).index.tolist() == free.tolist()
    assert torch.equal(as_selector(Picks(Selection(index=free, score=score))).select(data, 3).score, score)


def test_what_it_reads_is_what_it_says_or_what_is_there() -> None:
    assert as_selector(Last()).reads(("x", "prob", "image")) == ("x", "prob")
    assert as_selector(Last()).reads(("x",)) == ("x",)
    assert as_selector(Last()).missing(()) == ()
    assert as_selector(Seeded()).reads(("x", "prob")) == ("prob",)
    assert as_selector(Seeded()).missing(("x",)) == ("prob",)


def test_seed_and_cycle_are_set_where_it_has_them() -> None:
    own = Seeded()
    selector, data = as_selector(own), pool()
    first, again, later = (selector.for_cycle(seed=seed, cycle=cycle) for seed, cycle in ((1, 0), (1, 0), (1, 1)))
    assert same(first.select(data, BUDGET), again.select(data, BUDGET))
    assert not same(first.select(data, BUDGET), later.select(data, BUDGET))
    assert (own.seed, own.cycle) == (0, 0)
    assert as_selector(Last()).for_cycle(seed=1, cycle=2).select(data, 2).index.tolist()


def test_it_is_called_by_its_own_name_without_addresses() -> None:
    selector = as_selector(Last(stride=2))
    assert repr(selector) == "Last(stride=2)"
    assert (type(selector).__name__, type(selector).__module__) == ("Last", __name__)
    assert " at 0x" not in repr(as_selector(Picks(object())))
    assert pickle.loads(pickle.dumps(selector)).select(pool(), 2).index.tolist()


@pytest.mark.parametrize(
    ("picks", "message"),
    [
        ([0, 1], "must pick 3 nodes, but picked 2"),
        ([0, 1, 999], "node 999 cannot be picked .there is no such node"),
        ([-1, 1, 2], "node -1 cannot be picked .there is no such node"),
        ([0.0, 1.0, 2.0], r"indices.*float32 \[3\]"),
        ([[0], [1], [2]], r"indices.*int64 \[3, 1\]"),
        ("abc", "indices.*got str"),
        (None, "indices.*got NoneType"),
        ([True, False, True], r"indices.*torch.bool \[3\]"),
    ],
)
def test_picks_that_cannot_be_are_named(picks: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=f"Picks.select.*{message}"):
        as_selector(Picks(picks)).select(pool(), 3)


def test_labeled_and_repeated_picks_are_named() -> None:
    data = pool()
    labeled, free = int(data.train_mask.nonzero()[0]), (~data.train_mask).nonzero().flatten().tolist()
    with pytest.raises(ArgumentError, match=f"node {labeled} cannot be picked .it is labeled already"):
        as_selector(Picks([labeled, free[0]])).select(data, 2)
    with pytest.raises(ArgumentError, match=f"node {free[0]} more than once"):
        as_selector(Picks([free[0], free[0]])).select(data, 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Last, r"the class Last; make an object of it: Last\(\)"),
        (CoreSet, r"the class CoreSet; make an object of it: CoreSet\(\)"),
        ("core-set", r"str is no selector.*select\(data, budget\)"),
        (None, r"NoneType is no selector.*select\(data, budget\)"),
    ],
)
def test_what_cannot_select_is_refused_with_the_way_out(wrong: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        as_selector(wrong)


def test_an_attribute_that_is_not_there_is_named_with_the_way_to_it() -> None:
    class Confident:
        def select(self, data: Data, budget: int) -> Any:
            return data.prob_samples.mean(dim=1)

    class Mistaken:
        def select(self, data: Data, budget: int) -> Any:
            return budget.no_such_thing  # type: ignore[attr-defined]

    data = Data(x=torch.rand(4, 2), train_mask=torch.zeros(4, dtype=torch.bool))
    message = (
        r'Confident.select reads data.prob_samples.*there are pool_mask, train_mask, x.*requires = \("prob_samples",\)'
    )
    with pytest.raises(ArgumentError, match=message):
        as_selector(Confident()).select(data, 2)
    with pytest.raises(AttributeError, match="no_such_thing"):
        as_selector(Mistaken()).select(data, 2)


def test_another_signature_is_refused_before_anything_is_trained() -> None:
    class Three:
        def select(self, data: Data, budget: int, model: Any) -> Any: ...

    with pytest.raises(ArgumentError, match=r"Three.select must take \(data, budget\)"):
        as_selector(Three())


def test_the_old_name_of_the_method_still_works_and_is_said() -> None:
    with pytest.warns(DeprecationWarning, match="Old writes _answer"):

        @dataclass(frozen=True, kw_only=True)
        class Old(CoreSet):
            def _answer(self, query: Query) -> Selection:
                return super()._answer(query)

    assert same(Old().select(pool(), BUDGET), CoreSet().select(pool(), BUDGET))
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        class New(Random):
            def pick(self, query: Query) -> Selection:
                return super().pick(query)

    assert same(New().select(pool(), BUDGET), Random().select(pool(), BUDGET))


def test_the_warning_points_at_the_class() -> None:
    with pytest.warns(DeprecationWarning, match="_answer") as caught:

        class Old(Selector):
            def _answer(self, query: Query) -> Selection: ...

    assert caught[0].filename == __file__


def test_a_pick_that_returns_no_selection_is_said() -> None:
    class Wrong(Selector):
        def pick(self, query: Query) -> Any:
            return [1, 2]

    with pytest.raises(ArgumentError, match=r"Wrong.pick must return a Selection, got list"):
        Wrong().select(pool(), 2)
