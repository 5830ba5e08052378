import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from seqgcn.exceptions import ArgumentError
from seqgcn.learners.batches import count_held_out, hold_out, shuffled_batches
from seqgcn.learners.devices import channels_last, mixed_precision
from seqgcn.learners.fitted import check_attributes, check_fitted, copy_weights, load_weights
from seqgcn.utils.seeding import seeded


@given(n=st.integers(1, 40), batch_size=st.integers(1, 12), seed=st.integers(0, 100))
def test_every_item_once_and_none_alone(n: int, batch_size: int, seed: int) -> None:
    batches = shuffled_batches(n, batch_size, torch.Generator().manual_seed(seed))
    assert all(len(batch) >= 2 for batch in batches)
    alone = batch_size == 1 or n == 1
    assert all(len(batch) <= max(batch_size + (batch_size > 1), 3) for batch in batches)
    if alone:
        # The last two single items share a batch; the others stand twice.
        assert torch.cat(batches).unique().tolist() == list(range(n))
    else:
        assert torch.cat(batches).sort().values.tolist() == list(range(n))


def test_precision() -> None:
    cpu = torch.device("cpu")
    weight = torch.ones(2, 2)
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16), ("auto", torch.float32)):
        with mixed_precision(precision, cpu):
            assert (weight @ weight).dtype == dtype


def test_layout_is_channels_last() -> None:
    with seeded(0):
        module = nn.Conv2d(3, 4, 3)
    assert channels_last(module) is module
    assert module.weight.is_contiguous(memory_format=torch.channels_last)


def test_weights_go_round() -> None:
    with seeded(0):
        first, second = nn.Linear(2, 3), nn.Linear(2, 3)
    state = copy_weights(first, other=torch.tensor(7))
    assert sorted(state) == ["module_.bias", "module_.weight", "other"]
    load_weights(second, state)
    assert torch.equal(second.weight, first.weight)
    assert not second.training
    with torch.no_grad():
        first.weight.zero_()
    assert state["module_.weight"].any()


def test_messages() -> None:
    with pytest.raises(ArgumentError, match="object cannot output a, b; it outputs x"):
        check_attributes(object(), ("b", "x", "a"), ("x",))
    check_attributes(object(), ("x",), ("x", "prob"))
    with pytest.raises(ArgumentError, match="this object is not fitted yet; call fit first"):
        check_fitted(object())


@pytest.mark.parametrize(
    ("n", "share", "count"), [(9, 0.5, 0), (10, 0.1, 1), (10, 0.01, 1), (40, 0.99, 39), (99, 0, 0)]
)
@pytest.mark.parametrize("unconfirmed", [0, 7])
def test_how_many_items_are_held_out(n: int, share: float, count: int, unconfirmed: int) -> None:
    held_out, kept = hold_out(n + unconfirmed, share, unconfirmed, torch.Generator().manual_seed(1))
    assert len(held_out) == count == count_held_out(n, share)
    assert torch.equal(torch.cat((held_out, kept)).sort().values, torch.arange(n + unconfirmed))
    assert torch.equal(kept, kept.sort().values)
    assert (held_out < n).all()
