import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.runs.pool import Pool
from seqgcn.selectors import CoreSet, Random, Selection
from seqgcn.utils.seeding import generator


def partly_labelled() -> Pool:
    pool = Pool(6)
    pool.reveal([4, 1], cycle=0)
    pool.reveal([5], cycle=2)
    return pool


def test_a_new_pool_has_nothing_labelled() -> None:
    pool = Pool(3)
    assert pool.labelled.tolist() == []
    assert pool.labelled.dtype == torch.int64
    assert pool.unlabelled.tolist() == [0, 1, 2]
    assert pool.since == {}


def test_labelled_items_keep_their_order_and_their_cycle() -> None:
    pool = partly_labelled()
    assert pool.labelled.tolist() == [4, 1, 5]
    assert pool.unlabelled.tolist() == [0, 2, 3]
    assert list(pool.since.items()) == [(4, 0), (1, 0), (5, 2)]
    pool.since.clear()
    assert pool.labelled.tolist() == [4, 1, 5]


@given(st.permutations(range(8)), st.lists(st.integers(0, 8), max_size=3).map(sorted))
def test_every_item_is_labelled_or_not(order: list[int], cuts: list[int]) -> None:
    pool = Pool(8)
    for cycle, (begin, end) in enumerate(zip([0, *cuts], [*cuts, 8], strict=True)):
        assert sorted(pool.labelled.tolist() + pool.unlabelled.tolist()) == list(range(8))
        pool.reveal(order[begin:end], cycle=cycle)
    assert pool.labelled.tolist() == order


def test_any_whole_numbers_are_ids() -> None:
    pool = Pool(6)
    pool.reveal(torch.tensor([4]), cycle=0)
    pool.reveal(np.array([1, 3]), cycle=1)
    assert json.dumps(pool.since) == '{"4": 0, "1": 1, "3": 1}'
    for again in (torch.tensor([4]), np.array([3]), [1]):
        with pytest.raises(ArgumentError, match="is labeled already"):
            pool.reveal(again, cycle=2)
    with pytest.raises(ArgumentError, match="item 5 is given twice"):
        pool.reveal(torch.tensor([5, 5]), cycle=2)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([0, 6], "item 6 is not in the pool of 6 items"),
        ([0, -1], "item -1 is not in the pool"),
        ([0, 4], "item 4 is labeled already"),
        ([0, 2, 0], "item 0 is given twice"),
    ],
)
def test_a_wrong_id_reveals_nothing(ids: list[int], message: str) -> None:
    pool = partly_labelled()
    with pytest.raises(ArgumentError, match=message):
        pool.reveal(ids, cycle=3)
    assert pool.labelled.tolist() == [4, 1, 5]


def test_the_whole_pool_is_sampled_by_default() -> None:
    pool = partly_labelled()
    for subset in (None, 3, 100):
        assert pool.sample(subset, generator(0)).tolist() == list(range(6))


def test_a_subset_holds_all_labelled_and_some_others_ascending() -> None:
    pool = Pool(100)
    pool.reveal(range(90, 100), cycle=0)
    sample = pool.sample(20, generator(0))
    assert sample.tolist() == sorted(set(sample.tolist()))
    assert len(sample) == 30
    assert sample[-10:].tolist() == list(range(90, 100))
    assert torch.equal(pool.sample(20, generator(0)), sample)
    assert not torch.equal(pool.sample(20, generator(1)), sample)


def test_every_other_item_has_the_same_chance() -> None:
    pool = Pool(10)
    pool.reveal([3], cycle=0)
    counts = torch.zeros(10)
    draw = generator(0)
    for _ in range(900):
        counts[pool.sample(3, draw)] += 1
    assert counts[3] == 900
    others = counts[torch.arange(10) != 3]
    assert (others - 300).abs().max() < 5 * 900**0.5 / 2


def test_nodes_stand_for_their_items() -> None:
    pool = partly_labelled()
    n_id = torch.tensor([5, 0, 3, 4])
    description = Data(x=torch.ones(4, 2))
    data = pool.as_data(n_id, description)
    assert data.train_mask.tolist() == [True, False, False, True]
    assert torch.equal(data.n_id, n_id)
    assert torch.equal(data.x, description.x)
    assert description.keys() == ["x"]
    selection = Selection(index=torch.tensor([2, 1]), score=torch.ones(2))
    assert Pool.ids_of(selection.index, data) == [3, 0]


def test_a_selection_comes_back_as_items() -> None:
    pool, x = Pool(50), torch.randn(50, 3, generator=generator(0))
    pool.reveal([7, 20], cycle=0)
    n_id = pool.sample(30, generator(1))
    for selector in (Random(), CoreSet()):
        data = pool.as_data(n_id, Data(x=x[n_id]))
        ids = Pool.ids_of(selector.select(data, 10).index, data)
        assert len(set(ids)) == 10
        assert set(ids) <= set(n_id.tolist()) - {7, 20}
    # The farthest item by its own coordinates, wherever its node is.
    left = [i for i in n_id.tolist() if i not in (7, 20)]
    assert ids[0] == max(left, key=lambda i: float((x[i] - x[[7, 20]]).norm(dim=1).min()))
    pool.reveal(ids, cycle=1)
    assert pool.labelled.tolist() == [7, 20, *ids]


def test_items_asked_for_or_skipped_are_no_candidates() -> None:
    pool = Pool(8, held_out=torch.arange(8) == 7)
    pool.reveal([2], cycle=0)
    assert pool.candidates.tolist() == [0, 1, 3, 4, 5, 6]
    pool.ask([5, 0])
    pool.skip([3])
    assert (pool.asked, pool.skipped, pool.candidates.tolist()) == ((5, 0), (3,), [1, 4, 6])
    pool.skip([5])
    pool.reveal([0, 3], cycle=1)
    assert (pool.asked, pool.skipped, pool.labelled.tolist()) == ((), (5,), [2, 0, 3])
    pool.take_back([2, 5])
    assert (pool.skipped, pool.labelled.tolist(), pool.candidates.tolist()) == ((), [0, 3], [1, 2, 4, 5, 6])


def test_selectors_see_what_is_labelled_or_asked_for_and_candidates() -> None:
    pool = Pool(8, held_out=torch.arange(8) == 7)
    pool.reveal([2], cycle=0)
    pool.ask([5])
    pool.skip([3])
    n_id = pool.sample(None, generator(0, "any"))
    assert n_id.tolist() == [0, 1, 2, 4, 5, 6]
    assert pool.as_data(n_id, Data()).train_mask.tolist() == [False, False, True, False, True, False]
    few = pool.sample(2, generator(0, "any")).tolist()
    assert {2, 5} < set(few)
    assert len(few) == 4


@pytest.mark.parametrize("item", [2, 5, 3, 7, 9])
def test_what_is_no_candidate_cannot_be_asked_for(item: int) -> None:
    pool = Pool(8, held_out=torch.arange(8) == 7)
    pool.reveal([2], cycle=0)
    pool.ask([5])
    pool.skip([3])
    for items in ([1, item], [1, 1]):
        with pytest.raises(ArgumentError, match=f"item {items[1]} was picked, but may not be"):
            pool.ask(items)
    assert pool.asked == (5,)
