"""What every selector keeps to: functions that take a way to build one, `make(**changes)`, and assert a promise.

`make` should build it small and quick. A selector is random if it has a `seed`; only the others are held to
`PERMUTATION`. A selector whose attributes are not attached by `pool` needs them added there.
"""

import copy
import dataclasses
import math
import pickle
import random
import re
from typing import Any

import numpy as np
import pytest
import torch
from contract_pools import (
    BUDGET,
    LABELLED,
    Contract,
    Make,
    N,
    only_needed,
    pool,
    read,
    refuses,
    replaced,
    same,
)
from torch import Tensor
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.datasets import FakeDataset
from torch_geometric.loader import DataLoader, RandomNodeLoader

from seqgcn.exceptions import ArgumentError

# what comes back


def picks_are_unique_unlabelled_and_as_many_as_asked_for(make: Make) -> None:
    data = only_needed(make, pool())
    for budget in (1, BUDGET, N - LABELLED):
        selection = make().select(data, budget)
        assert len(selection) == budget
        assert selection.index.shape == selection.score.shape == (budget,)
        assert selection.index.dtype == torch.int64
        assert len(set(selection.index.tolist())) == budget
        assert not data.train_mask[selection.index].any()


def scores_are_numbers(make: Make) -> None:
    for dtype in (torch.float32, torch.float64):
        score = make().select(pool(dtype=dtype), N - LABELLED).score
        assert score.is_floating_point()
        assert score.isfinite().all()


def scores_never_increase(make: Make) -> None:
    for dtype in (torch.float32, torch.float64):
        assert (make().select(pool(dtype=dtype), N - LABELLED).score.diff() <= 0).all()


def fewer_picks_are_the_first_of_more(make: Make) -> None:
    few, more = (make().select(pool(), budget) for budget in (4, BUDGET))
    assert torch.equal(few.index, more.index[:4])
    assert torch.equal(few.score, more.score[:4])


def details_are_plain_tensors(make: Make) -> None:
    selection = make().select(pool(), BUDGET)
    for name, value in selection.details.items():
        assert type(value) is Tensor, name
        assert not value.requires_grad, name
        assert not value.is_inference(), name
    assert not selection.score.requires_grad
    assert same(pickle.loads(pickle.dumps(selection)), selection)


def no_budget_gives_no_picks(make: Make) -> None:
    for data in (pool(), Data(train_mask=torch.zeros(3, dtype=torch.bool))):
        selection = make().select(data, 0)
        assert len(selection) == 0
        assert (selection.index.dtype, selection.score.dtype) == (torch.int64, torch.float32)


# on what it depends


def the_same_seed_gives_the_same_picks(make: Make) -> None:
    first = make().select(pool(), BUDGET)
    torch.rand(3)  # whatever the global state
    assert same(make().select(pool(), BUDGET), first)
    selector = make()
    assert same(selector.select(pool(), BUDGET), first)
    assert same(selector.select(pool(), BUDGET), first)


def permuting_the_nodes_permutes_the_picks(make: Make) -> None:
    data = pool()
    selection = make().select(data, BUDGET)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(3))
    moved = Data(**{name: data[name][order] for name in data.keys()})  # noqa: SIM118  # Data is no dict
    again = make().select(moved, BUDGET)
    assert torch.equal(order[again.index], selection.index)
    torch.testing.assert_close(again.score, selection.score)


def mixed_precision_around_it_changes_nothing(make: Make) -> None:
    data = pool(dtype=torch.float32)
    expected = make().select(data, BUDGET)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert same(make().select(data, BUDGET), expected)


def other_attributes_and_gradients_change_nothing(make: Make) -> None:
    data = pool()
    expected = make().select(only_needed(make, data), BUDGET)
    decorated = replaced(data, y=torch.arange(N), n_id=torch.arange(N), name="pool")
    assert same(make().select(decorated, BUDGET), expected)
    tracked = replaced(data, **{name: data[name].clone().requires_grad_() for name in read(make)})
    assert same(make().select(tracked, BUDGET), expected)
    assert all(tracked[name].grad is None for name in read(make))
    with torch.no_grad():
        assert same(make().select(data, BUDGET), expected)
    with torch.inference_mode():
        frozen = pool()
        assert same(make().select(frozen, BUDGET), expected)
    assert same(make().select(frozen, BUDGET), expected)


def half_precision_is_taken_as_single(make: Make) -> None:
    for dtype in (torch.float16, torch.bfloat16):
        half = pool(dtype=dtype)
        selection = make().select(half, BUDGET)
        assert selection.score.isfinite().all()
        assert len(set(selection.index.tolist()) - set(half.train_mask.nonzero().flatten().tolist())) == BUDGET
        assert all(value.dtype not in (torch.float16, torch.bfloat16) for value in selection.details.values())
        # Rounded probabilities sum to 1 only roughly: said to be single precision, they would not pass for any.
        if not {"prob", "prob_samples"} & set(read(make)):
            single = {name: half[name].float() for name in read(make)}
            assert same(selection, make().select(replaced(half, **single), BUDGET))


def progress_only_listens(make: Make) -> None:
    calls: list[tuple[str, int, int]] = []
    heard = make().select(pool(), BUDGET, progress=lambda stage, done, of: calls.append((stage, done, of)))
    assert same(heard, make().select(pool(), BUDGET))
    for stage in {call[0] for call in calls}:
        done = [call[1] for call in calls if call[0] == stage]
        assert done == list(range(1, len(done) + 1))
        assert {call[2] for call in calls if call[0] == stage} == {len(done)}


# what it leaves alone


def inputs_are_unchanged(make: Make) -> None:
    data = replaced(pool(), pool_mask=torch.arange(N) < 35)
    before = copy.deepcopy(data)
    tensors = {name: data[name] for name in data.keys()}  # noqa: SIM118
    make().select(data, BUDGET)
    assert data.keys() == before.keys()
    for name, tensor in tensors.items():
        assert data[name] is tensor, name
        assert torch.equal(tensor, before[name]), name
        assert tensor.grad is None, name


def global_random_states_are_unchanged(make: Make) -> None:
    before = torch.random.get_rng_state(), pickle.dumps(np.random.get_state()), random.getstate()  # noqa: NPY002
    make().select(pool(), BUDGET)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert pickle.dumps(np.random.get_state()) == before[1]  # noqa: NPY002
    assert random.getstate() == before[2]


def parameters_are_frozen_and_given_by_name(make: Make) -> None:
    selector = make()
    assert dataclasses.is_dataclass(selector)
    for field in dataclasses.fields(selector):
        assert field.kw_only, field.name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(selector, field.name, getattr(selector, field.name))
    assert dataclasses.replace(selector) == selector
    assert pickle.loads(pickle.dumps(selector)) == selector
    assert hash(selector) == hash(make())
    assert type(selector)() == type(selector)(), "every parameter has a default"


def parameters_change_something(make: Make, alternatives: dict[str, tuple[dict[str, Any], Any]]) -> None:
    """Each parameter has an entry: what else to set, on the pool as `data`, and a value that makes a difference."""
    assert alternatives.keys() == {field.name for field in dataclasses.fields(make())}
    for name, (given, value) in alternatives.items():
        setting = {key: each for key, each in given.items() if key != "data"}
        data = replaced(pool(), **given.get("data", {}))
        assert getattr(make(**setting), name) != value
        default, changed = (make(**options) for options in (setting, setting | {name: value}))
        if default.extensions == changed.extensions:
            assert not same(default.select(data, BUDGET), changed.select(data, BUDGET)), f"{name} changes nothing"


# who may be picked


def the_pool_mask_is_respected(make: Make) -> None:
    data = pool()
    data.pool_mask = torch.arange(N) % 2 == 0  # labeled nodes in it are passed over
    free = data.pool_mask & ~data.train_mask
    assert (data.pool_mask & data.train_mask).any()
    everyone = make().select(data, int(free.sum()))
    assert sorted(everyone.index.tolist()) == free.nonzero().flatten().tolist()
    refuses(make, data, f"but only {int(free.sum())} nodes are unlabeled and in the pool", int(free.sum()) + 1)
    whole = replaced(data, pool_mask=torch.ones(N, dtype=torch.bool))
    assert same(make().select(whole, BUDGET), make().select(pool(), BUDGET))


def validation_and_test_nodes_are_no_candidates(make: Make) -> None:
    data = pool()
    data.val_mask, data.test_mask = torch.arange(N) % 5 == 1, torch.arange(N) % 5 == 3  # some of them labeled
    free = ~(data.train_mask | data.val_mask | data.test_mask)
    count = int(free.sum())
    held_out = N - LABELLED - count
    everyone = make().select(data, count)
    assert sorted(everyone.index.tolist()) == free.nonzero().flatten().tolist()
    assert same(everyone, make().select(replaced(pool(), pool_mask=free), count)), "as if pool_mask had left them out"
    refuses(make, data, rf"only {count} nodes .*{held_out} more are in data\.val_mask or data\.test_mask", count + 1)
    del data.val_mask
    refuses(make, data, r"more are in data\.test_mask, .*data\.pool_mask", N - LABELLED)


def the_pool_mask_overrides_validation_and_test_masks(make: Make) -> None:
    anyone = torch.ones(N, dtype=torch.bool)
    data = replaced(pool(), pool_mask=anyone, val_mask=anyone, test_mask=[])
    assert same(make().select(data, BUDGET), make().select(pool(), BUDGET))


def nothing_labelled_works_or_says_what_does(make: Make) -> None:
    data = replaced(pool(), train_mask=torch.zeros(N, dtype=torch.bool))
    try:
        index = make().select(data, N).index
    except ArgumentError as error:
        assert "no node is labeled; start with Random or CoreSet" in str(error)  # noqa: PT017
    else:
        assert sorted(index.tolist()) == list(range(N))


def everything_labelled_leaves_nothing(make: Make) -> None:
    data = replaced(pool(), train_mask=torch.ones(N, dtype=torch.bool))
    assert len(make().select(data, 0)) == 0
    refuses(make, data, "budget is 1, but only 0 nodes are unlabeled", 1)


def unusable_budgets_are_refused(make: Make) -> None:
    refuses(make, pool(), f"budget is {N}, but only {N - LABELLED} nodes are unlabeled", N)
    for budget in (-1, True, 2.0, "3", None, math.nan):
        refuses(make, pool(), "budget must be a whole number of at least 0, got ", budget)


# what cannot be used


def unusable_masks_are_named(make: Make) -> None:
    data = pool()
    mask = data.train_mask
    wrong: list[tuple[Any, str]] = [
        (mask.float(), "must be bool, got torch.float32"),
        (mask.nonzero().flatten(), "must be bool, got torch.int64"),
        (mask.unsqueeze(1), r"must be 1-D \[n\], got \[40, 1\]"),
        (mask.tolist(), "must be a bool tensor .* got list"),
    ]
    for value, message in wrong:
        refuses(make, replaced(data, train_mask=value), rf"data\.train_mask {message}")
        for name in ("pool_mask", "val_mask", "test_mask"):
            refuses(make, replaced(data, **{name: value}), rf"data\.{name} {message}")
    for name in ("pool_mask", "val_mask", "test_mask"):
        refuses(make, replaced(data, **{name: mask[:-1]}), rf"data\.{name} has 39 entries, but there are 40 nodes")
    del data.train_mask
    refuses(make, data, r"data\.train_mask is missing: attach it")


def what_is_no_data_is_refused_with_the_way_out(make: Make) -> None:
    data = pool()
    features = "Data(x=features, train_mask=labeled)"
    typed = HeteroData()
    typed["author"].x, typed["paper"].x, typed["paper"].train_mask = data.x, data.x, data.train_mask
    wrong: list[tuple[Any, str, str]] = [
        (None, "got NoneType", features),
        (data.x, "got torch.float64 [40, 6]", features),
        (data.x.numpy(), "got ndarray", features),
        ("pool", "got str", features),
        (Data, "got the class Data", features),
        ([data], "got list", "data[0]"),
        ((data, data), "got tuple", "one after another"),
        (data.to_dict(), "got dict", "Data(**data)"),
        (typed, "got HeteroData", "Data(**data['paper'].to_dict())"),
        (HeteroData(), "got HeteroData", features),
        (DataLoader([data, data], batch_size=2), "got DataLoader", "the Data that it was made of"),
        (RandomNodeLoader(data, num_parts=2), "got RandomNodeLoader", "the Data that it was made of"),
        (FakeDataset(num_graphs=1), "got FakeDataset", "dataset[0]"),
        (Batch.from_data_list([data, data]), "batch of 2", "Data.from_dict(data.to_dict())"),
    ]
    for value, what, way_out in wrong:
        refuses(make, value, f"data must be .*{re.escape(what)}.*{re.escape(way_out)}")


def the_ways_to_a_data_lead_to_one(make: Make) -> None:
    data = only_needed(make, pool())
    expected = make().select(data, BUDGET)
    typed = HeteroData()
    for name, value in data.to_dict().items():
        typed["paper"][name] = value
    for same_data in (Data(**typed["paper"].to_dict()), Data(**data.to_dict()), Batch.from_data_list([data])):
        assert same(make().select(same_data, BUDGET), expected)
    other = only_needed(make, pool(seed=1))
    joined = Data.from_dict(Batch.from_data_list([data, other]).to_dict())
    assert len(make().select(joined, 2 * (N - LABELLED))) == 2 * (N - LABELLED)


def missing_attributes_are_named_with_the_way_to_attach_them(make: Make) -> None:
    for name in make().requires:
        data = pool()
        del data[name]
        refuses(make, data, rf"are missing: attach them as data\.{name} \[n")
    if make().requires_any:
        data = pool()
        for name in make().requires_any:
            del data[name]
        ways = " or ".join(rf"data\.{name} \[n, [a-z, ]+\]" for name in make().requires_any)
        refuses(make, data, f"are missing: attach them as {ways}$")


def unusable_attributes_are_named(make: Make) -> None:
    for name in read(make):
        data = only_needed(make, pool())
        value = data[name]
        for wrong in (value[:-1], value.sum(-1), value.unsqueeze(0), value.long(), value.tolist(), value.numpy()):
            refuses(make, replaced(data, **{name: wrong}), rf"{name} (must|has 39 rows, but data\.train_mask has 40)")
        for bad in (math.nan, math.inf, -math.inf):
            broken = value.clone()
            broken.view(N, -1)[[5, 9, 30], -1] = bad
            refuses(make, replaced(data, **{name: broken}), "rows 5, 9, 30")


def probabilities_must_be_some(make: Make) -> None:
    if "prob_samples" in read(make):
        samples = pool().prob_samples
        for wrong in (samples.log(), samples * 1.01, samples - 0.5):
            refuses(make, replaced(pool(), prob_samples=wrong), r"prob_samples must be .*softmax\(logits, dim=2\)")
        passes_first = replaced(pool(), prob_samples=samples.transpose(0, 1))
        refuses(make, passes_first, r"the passes come first, use \.transpose\(0, 1\)")
    if "prob" not in read(make):
        return
    prob = pool().prob
    for wrong in (prob.log(), prob * 1.01, prob - 0.5, torch.zeros_like(prob)):
        refuses(make, replaced(pool(), prob=wrong), r"prob must be .* Are these logits\? Use torch\.softmax")
    one = replaced(pool(), prob=prob.clone())
    one.prob[[2, 17]] *= 0.9
    refuses(make, one, r"rows 2, 17 are not \(row 2 sums to 0\.9\)")


def nodes_outside_the_pool_do_not_matter(make: Make) -> None:
    data = pool()
    outside = (~data.train_mask).nonzero().flatten()[[3, 11, 20]]
    data.pool_mask = torch.ones(N, dtype=torch.bool).index_fill(0, outside, False)
    expected = make().select(data, BUDGET)
    for value in (0.0, 1e30):
        assert torch.equal(
            make().select(replaced(data, x=data.x.index_fill(0, outside, value)), BUDGET).index, expected.index
        )


CONTRACTS: list[Contract] = [
    picks_are_unique_unlabelled_and_as_many_as_asked_for,
    scores_are_numbers,
    details_are_plain_tensors,
    no_budget_gives_no_picks,
    the_same_seed_gives_the_same_picks,
    mixed_precision_around_it_changes_nothing,
    other_attributes_and_gradients_change_nothing,
    half_precision_is_taken_as_single,
    progress_only_listens,
    inputs_are_unchanged,
    global_random_states_are_unchanged,
    parameters_are_frozen_and_given_by_name,
    the_pool_mask_is_respected,
    validation_and_test_nodes_are_no_candidates,
    the_pool_mask_overrides_validation_and_test_masks,
    nothing_labelled_works_or_says_what_does,
    everything_labelled_leaves_nothing,
    unusable_budgets_are_refused,
    unusable_masks_are_named,
    what_is_no_data_is_refused_with_the_way_out,
    the_ways_to_a_data_lead_to_one,
    missing_attributes_are_named_with_the_way_to_attach_them,
    unusable_attributes_are_named,
    probabilities_must_be_some,
]
"""Held by every selector."""

RANKING: list[Contract] = [scores_never_increase]
"""Held by every selector whose score is what it ranks by."""

GREEDY: list[Contract] = [fewer_picks_are_the_first_of_more]
"""Held by every selector that does not look at the budget before its first pick."""

ALONE: list[Contract] = [nodes_outside_the_pool_do_not_matter]
"""Held by every selector that looks at embeddings without a graph over all nodes."""

PERMUTATION: list[Contract] = [permuting_the_nodes_permutes_the_picks]
"""Held by every selector that neither trains nor draws."""
