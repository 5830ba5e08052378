import pytest
import torch

from seqgcn.datasets import ImageDataset
from seqgcn.exceptions import ArgumentError
from seqgcn.runs.pool import Pool
from seqgcn.runs.training_set import check_pseudo, generated_record, training_set
from seqgcn.selectors.extensions import Generated


@pytest.fixture
def pool() -> Pool:
    pool = Pool(60)
    pool.reveal([7, 3], cycle=0)
    pool.reveal([20], cycle=1)
    return pool


def test_labelled_items_alone(toy: ImageDataset, pool: Pool) -> None:
    inputs, targets = training_set(toy.train, pool, {}, None)
    assert torch.equal(inputs, toy.train.inputs[[7, 3, 20]])
    assert torch.equal(targets, toy.train.targets[[7, 3, 20]])


def test_pseudo_labels_stand_in_for_true_ones(toy: ImageDataset, pool: Pool) -> None:
    wrong = [(int(toy.train.targets[item]) + 1) % 4 for item in (5, 9)]
    inputs, targets = training_set(toy.train, pool, {"items": [5, 9], "targets": wrong}, None)
    assert torch.equal(inputs, toy.train.inputs[[7, 3, 20, 5, 9]])
    assert targets.tolist() == [*toy.train.targets[[7, 3, 20]].tolist(), *wrong]


def test_generated_items_come_last_and_are_traced_to_their_source(toy: ImageDataset, pool: Pool) -> None:
    made = torch.full((2, 1, 8, 8), 9, dtype=torch.uint8)
    generated = Generated(images=made, targets=torch.tensor([1, 2]), source=torch.tensor([2, 0]))
    inputs, targets = training_set(toy.train, pool, {}, generated)
    assert len(inputs) == 5
    assert torch.equal(inputs[3:], made)
    assert targets[3:].tolist() == [1, 2]
    assert generated_record(generated, pool) == {"source": [20, 7], "targets": [1, 2]}
    assert generated_record(None, pool) == {}


@pytest.mark.parametrize(
    ("items", "message"),
    [([5, 3], "item 3 is pseudo-labeled, but labeled"), ([60], "item 60 .* not in the pool"), ([5, 5], "twice")],
)
def test_no_labelled_item_is_ever_pseudo_labelled(
    toy: ImageDataset, pool: Pool, items: list[int], message: str
) -> None:
    pseudo = {"items": items, "targets": [0] * len(items)}
    for check in (lambda: check_pseudo(pseudo, pool), lambda: training_set(toy.train, pool, pseudo, None)):
        with pytest.raises(ArgumentError, match=message):
            check()


def test_every_pseudo_labelled_item_has_a_target(pool: Pool) -> None:
    for pseudo in ({"items": [5]}, {"items": [5, 6], "targets": [1]}, {"targets": [1]}):
        with pytest.raises(ArgumentError, match="items and their targets are not equally many"):
            check_pseudo(pseudo, pool)
