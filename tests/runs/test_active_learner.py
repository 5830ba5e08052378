"""The loop with a person in it: what is asked, what may be told, and what comes of it."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FakeLearner
from torch.utils.data import TensorDataset
from torch_geometric.data import Batch, Data, HeteroData

import seqgcn
from seqgcn import CEAL, ActiveLearner, CoreGCN, CoreSet, Margin, Random
from seqgcn.datasets import Digits, ImageDataset
from seqgcn.datasets.hands.hand_dataset import HandFrames
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.exceptions import ArgumentError, SeqGCNWarning
from seqgcn.learners import HandPose, SmallCNNClassifier
from seqgcn.runs import Picks
from seqgcn.runs.loop import ActiveLearning

FIRST = {0: 0, 1: 1, 2: 2, 3: 3, 9: 1}


@pytest.fixture
def al(toy: ImageDataset) -> ActiveLearner:
    """Five of 60 pictures are labeled."""
    return ActiveLearner(FakeLearner(num_classes=4), Margin(), toy.train.inputs, labels=FIRST, seed=3)


def truth(toy: ImageDataset, items: Any) -> list[int]:
    return [int(toy.train.targets[item]) for item in items]


def state(al: ActiveLearner) -> tuple[Any, ...]:
    return al.labels_, al.asked_, al.skipped_


# the loop


def test_ask_and_tell(al: ActiveLearner, toy: ImageDataset) -> None:
    picks = al.ask(6)
    assert isinstance(picks, Picks)
    assert len(picks) == len(set(picks.items)) == len(picks.scores) == 6
    assert not set(picks) & set(FIRST)
    assert al.asked_ == picks.items
    assert al.tell(picks, truth(toy, picks)) is al
    assert al.labels_ == FIRST | dict(zip(picks.items, truth(toy, picks), strict=True))
    assert list(al.labels_) == [*FIRST, *picks.items], "in the order they were told"
    assert al.asked_ == ()
    later = al.ask(6)
    assert not set(later) & set(al.labels_)
    assert (picks.cycle, later.cycle) == (0, 1)
    assert repr(al) == "ActiveLearner(60 items: 11 labeled, 6 asked for, 0 skipped)"


@pytest.mark.parametrize("subset", [None, 12])
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("selector", [Margin(), CoreSet(), Random(), CEAL(delta=1.0)], ids=repr)
def test_told_what_is_known_it_picks_as_active_learning_does(
    toy: ImageDataset, selector: Any, warm_start: bool, subset: int | None
) -> None:
    options: dict[str, Any] = {"seed": 5, "subset": subset, "warm_start": warm_start}
    records = list(ActiveLearning(toy, FakeLearner(), selector, budget=6, cycles=3, **options))
    first = {item: int(toy.train.targets[item]) for item in records[0].labelled}
    al = ActiveLearner(FakeLearner(), selector, toy, labels=first, test=(toy.test.inputs, toy.test.targets), **options)
    for record in records[:-1]:
        picks = al.ask(6)
        assert (picks.items, picks.scores) == (record.picks, record.scores)
        held = al.history_[-1]
        assert (held.labelled, held.metric, held.seeds) == (record.labelled, record.metric, record.seeds)
        assert (held.pseudo, held.generated) == (record.pseudo, record.generated)
        al.tell(picks, truth(toy, picks))
    assert al.fit().learner_.score(toy.test.inputs, toy.test.targets) == records[-1].metric["accuracy"]


def test_the_same_with_a_network_and_a_graph() -> None:
    digits = Digits().limit(60, 20)
    learner, selector = SmallCNNClassifier(epochs=1, width=0.25, device="cpu"), CoreGCN(epochs=5)
    records = list(ActiveLearning(digits, learner, selector, budget=5, cycles=2, seed=1))
    al = ActiveLearner(
        learner,
        selector,
        digits,
        labels={item: int(digits.train.targets[item]) for item in records[0].labelled},
        seed=1,
    )
    for record in records[:-1]:
        picks = al.ask(5)
        assert (picks.items, picks.scores) == (record.picks, record.scores)
        assert "confidence" in picks.details
        al.tell(picks, digits.train.targets[list(picks)])


def test_nothing_given_is_changed(toy: ImageDataset) -> None:
    learner, labels = FakeLearner(num_classes=4), dict(FIRST)
    al = ActiveLearner(learner, Margin(), toy.train.inputs, labels)
    al.tell(al.ask(2), [0, 1])
    assert labels == FIRST
    assert not hasattr(learner, "means_")


def test_the_learner_is_that_of_the_last_training(al: ActiveLearner, toy: ImageDataset) -> None:
    assert not hasattr(al, "learner_")
    al.fit()
    first = al.learner_
    assert al.fit().learner_ is first, "nothing new was told"
    picks = al.ask(2)
    assert al.learner_ is first
    al.tell(picks, truth(toy, picks))
    al.ask(2)
    assert al.learner_ is not first


def test_history_has_a_record_for_each_ask(al: ActiveLearner, toy: ImageDataset) -> None:
    assert al.history_ == ()
    picks = al.ask(2)
    (record,) = al.history_
    assert (record.cycle, record.labelled, record.picks) == (0, tuple(FIRST), picks.items)
    assert record.metric == {}, "nothing to test on was given"
    assert record.environment["versions"]["seqgcn"] == seqgcn.__version__
    al.ask(2)
    assert [each.cycle for each in al.history_] == [0, 1]
    tested = ActiveLearner(FakeLearner(num_classes=4), Margin(), toy, FIRST, test=(toy.test.inputs, toy.test.targets))
    tested.ask(2)
    tested.ask(2)
    assert tested.history_[0].metric == tested.history_[1].metric != {}


# asking


def test_asked_again_it_gives_other_items(al: ActiveLearner) -> None:
    first, second = al.ask(5), al.ask(5)
    assert not set(first) & set(second)
    assert al.asked_ == first.items + second.items


def test_items_asked_for_count_as_labeled_for_the_selector() -> None:
    x = torch.tensor([[0.0], [10.0], [10.1], [5.0]])
    al = ActiveLearner(None, CoreSet(), x, labels={0: 0})
    assert al.ask(1).items == (2,)
    assert al.ask(1).items == (3,), "not the other one at 10"


def test_more_than_there_is(al: ActiveLearner) -> None:
    al.ask(50)
    al.skip(next(item for item in range(60) if item not in al.asked_ and item not in al.labels_))
    with pytest.raises(ArgumentError, match="n is 5, but only 4 items are left: 5 labeled, 50 asked for and 1"):
        al.ask(5)
    assert len(al.ask(3)) == 3
    with pytest.raises(ArgumentError, match="only 1 item is left"):
        al.ask(2)
    al.ask(1)
    with pytest.raises(ArgumentError, match="only 0 items are left"):
        al.ask(1)


@pytest.mark.parametrize("n", [0, -1, 2.5, "3", None, True])
def test_what_is_no_number_of_items(al: ActiveLearner, n: Any) -> None:
    with pytest.raises(ArgumentError, match="n must be a whole number"):
        al.ask(n)


def test_no_more_than_the_subset(toy: ImageDataset) -> None:
    al = ActiveLearner(FakeLearner(num_classes=4), Margin(), toy, FIRST, subset=4)
    assert len(al.ask(4)) == 4
    with pytest.raises(ArgumentError, match=r"n \(5\) must not be larger than subset \(4\)"):
        al.ask(5)


def test_a_failed_ask_can_be_asked_again(toy: ImageDataset, fake_learner: Any, fail_at_fit: Any) -> None:
    al, other = (ActiveLearner(fake_learner(num_classes=4), Margin(), toy, FIRST) for _ in range(2))
    expected = other.ask(3).items
    fail_at_fit(0, RuntimeError("no memory"))
    with pytest.raises(RuntimeError, match="no memory"):
        al.ask(3)
    assert (al.asked_, al.history_) == ((), ())
    assert al.ask(3).items == expected


# nothing labeled


@pytest.mark.parametrize("selector", [CoreSet(), Random()], ids=repr)
def test_a_selector_that_needs_no_label_starts(toy: ImageDataset, selector: Any) -> None:
    al = ActiveLearner(FakeLearner(), selector, toy)
    picks = al.ask(4)
    assert not hasattr(al, "learner_")
    al.tell(picks, truth(toy, picks))
    assert len(al.ask(4)) == 4
    assert hasattr(al, "learner_")


def test_in_place_of_one_that_learns_from_labels_another_picks(toy: ImageDataset) -> None:
    al = ActiveLearner(FakeLearner(), Margin(), toy)
    with pytest.warns(SeqGCNWarning, match="nothing is labeled yet, which Margin needs: typiclust picks") as caught:
        picks = al.ask(4)
    assert caught[0].filename == __file__
    al.tell(picks, truth(toy, picks))
    assert len(al.ask(4)) == 4


def test_items_that_cannot_be_described_need_first_labels() -> None:
    with pytest.raises(ArgumentError, match=r"nothing is labeled yet.*float32 \[9, 2, 2\].*labels="):
        ActiveLearner(FakeLearner(), CoreSet(), torch.zeros(9, 2, 2)).ask(2)


def test_fit_needs_labels_and_a_learner(toy: ImageDataset) -> None:
    with pytest.raises(ArgumentError, match="nothing is labeled yet"):
        ActiveLearner(FakeLearner(), CoreSet(), toy).fit()
    with pytest.raises(ArgumentError, match="no learner"):
        ActiveLearner(None, CoreSet(), torch.rand(5, 2)).fit()


# telling


def test_some_labels_leave_the_others_open(al: ActiveLearner) -> None:
    a, b, c = al.ask(3)
    al.tell((a, b, c), {c: 1, a: 2})
    assert list(al.labels_.items())[-2:] == [(a, 2), (c, 1)]
    assert al.asked_ == (b,)
    assert b not in al.ask(40).items
    al.tell({b: 0})
    assert al.labels_[b] == 0


@pytest.mark.parametrize("item", [20, np.int64(20), torch.tensor(20), np.array(20)], ids=repr)
@pytest.mark.parametrize("label", [1, np.int64(1), torch.tensor(1), [1], np.array([1])], ids=repr)
def test_one_item_by_itself(al: ActiveLearner, item: Any, label: Any) -> None:
    assert al.tell(item, label).labels_ == FIRST | {20: 1}
    assert al.take_back(item).labels_ == FIRST
    assert al.skip(item).skipped_ == (20,)


def test_one_item_by_the_name_of_its_class(toy: ImageDataset) -> None:
    al = ActiveLearner(FakeLearner(), Margin(), toy.train.inputs, classes=["cat", "dog"])
    assert al.tell(5, "dog").labels_ == {5: 1}


def test_none_skips(al: ActiveLearner) -> None:
    picks = al.ask(3)
    al.tell(picks, [1, None, 2])
    assert al.skipped_ == (picks.items[1],)
    assert al.asked_ == ()
    assert picks.items[1] not in al.ask(51).items


def test_skipped_items_come_again_when_they_are_taken_back(al: ActiveLearner) -> None:
    picks = al.ask(3)
    al.skip(picks)
    assert (al.skipped_, al.asked_) == (picks.items, ())
    al.take_back(picks.items[:1])
    assert al.skipped_ == picks.items[1:]
    everything = al.ask(53)
    assert picks.items[0] in everything.items
    al.tell({picks.items[1]: 2})
    assert al.skipped_ == picks.items[2:], "told after all"


def test_open_items_can_be_taken_back(al: ActiveLearner) -> None:
    first = al.ask(3)
    al.take_back(first)
    assert al.asked_ == ()
    assert set(first) <= set(al.ask(55))


def test_a_wrong_label_is_replaced_only_if_that_is_said(al: ActiveLearner) -> None:
    al.tell({0: 0})  # the same again
    with pytest.raises(ArgumentError, match=r"item 0 has the label 0 already, and is told 2.*overwrite=True"):
        al.tell({20: 1, 0: 2})
    assert al.labels_ == FIRST, "nothing was taken"
    al.tell({20: 1, 0: 2}, overwrite=True)
    assert al.labels_ == FIRST | {0: 2, 20: 1}
    assert next(iter(al.labels_)) == 0


def test_a_wrong_label_can_be_taken_back(al: ActiveLearner) -> None:
    al.take_back(3)
    assert 3 not in al.labels_
    assert 3 in al.ask(56).items
    al.tell({3: 1})
    assert al.labels_[3] == 1


def test_training_follows_changed_labels(al: ActiveLearner) -> None:
    before = al.fit().learner_
    al.tell({0: 0})
    assert al.fit().learner_ is before
    for change in (lambda: al.tell({0: 2}, overwrite=True), lambda: al.take_back([1]), lambda: al.tell({30: 1})):
        change()
        assert al.fit().learner_ is not before
        before = al.learner_
    al.skip(40)
    assert al.fit().learner_ is before


def test_a_pseudo_label_gives_way_to_a_true_one(toy: ImageDataset) -> None:
    al = ActiveLearner(FakeLearner(num_classes=4), CEAL(delta=1.3), toy, FIRST)
    al.ask(2)
    trusted = al.history_[0].pseudo["items"]
    assert trusted
    al.tell({trusted[0]: 0})
    al.ask(2)


@pytest.mark.parametrize(
    ("items", "labels", "message"),
    [
        ([60], [0], "item 60 is unknown: there are 60 items, from 0 to 59"),
        ([-1], [0], "item -1 is unknown"),
        (["a"], [0], r"items must be whole numbers.*\['a'\]"),
        ([1.5], [0], "items must be whole numbers"),
        ([True], [0], "items must be whole numbers"),
        (None, [0], "items must be whole numbers.*None"),
        ([20, 20], [0, 1], "item 20 is given twice"),
        ([20, 21], [0], "2 items, but 1 label;"),
        ([20], None, r"labels must be one for each of 1 item, or \{item: label\}, got None"),
        ([20], 3, "labels must be one for each .*got 3"),
        ([20], torch.tensor(3), r"labels must be one for each .*tensor\(3\)"),
        (20, None, "labels must be one for each .*None"),
        (20, 2.5, "item 20: the label must be a class.*2.5"),
        ("20", [0], "items must be whole numbers.*'20'"),
        ([20], "3", "labels must be one for each .*got '3'"),
        ({20: 1}, [0], r"labels already, \{20: 1\}.*\[0\]"),
        ({20: 1}, {20: 0}, r"labels already, \{20: 1\}.*\{20: 0\}"),
        ([20], {21: 1}, "item 21 has a label, but is not among the items"),
        ([20], [2.5], "item 20: the label must be a class, a whole number from 0, got 2.5"),
        ([20], [-1], "item 20: the label must be a class, a whole number from 0, got -1"),
        ([20], [True], "item 20: the label must be a class or numbers, got True; use 0 and 1"),
        ([20], ["cat"], r"item 20: the class 'cat' is not known; name the classes: classes=\[...\]"),
        ([20], [[1, 2]], r"item 20: the label must be a class.*got \[1, 2\]"),
        ([20], [object()], "item 20: the label <object.*neither a class nor numbers"),
        ([0], [None], "item 0 has a label and cannot be skipped; take_back"),
    ],
)
def test_what_cannot_be_told_is_named_and_nothing_is_taken(
    al: ActiveLearner, items: Any, labels: Any, message: str
) -> None:
    before = state(al)
    with pytest.raises(ArgumentError, match=message):
        al.tell(items, labels)
    assert state(al) == before


def test_overwrite_is_true_or_false(al: ActiveLearner) -> None:
    with pytest.raises(ArgumentError, match=r"overwrite must be .*'no'"):
        al.tell({0: 1}, overwrite="no")  # type: ignore[arg-type]
    assert al.labels_ == FIRST


def test_one_wrong_label_spoils_all(al: ActiveLearner) -> None:
    before = state(al)
    with pytest.raises(ArgumentError, match="item 22"):
        al.tell([20, 21, 22], [1, None, "cat"])
    assert state(al) == before


def test_taking_back_and_skipping_what_is_not_there(al: ActiveLearner) -> None:
    with pytest.raises(ArgumentError, match="item 20 has no label, and was neither asked for nor skipped"):
        al.take_back([0, 20])
    with pytest.raises(ArgumentError, match="item 60 is unknown"):
        al.skip(60)
    with pytest.raises(ArgumentError, match="item 0 has a label"):
        al.skip([20, 0])
    assert state(al) == (FIRST, (), ())


def test_labels_by_name(toy: ImageDataset) -> None:
    al = ActiveLearner(FakeLearner(), Margin(), toy, labels={0: "a", 1: "b", 2: 2})
    assert al.labels_ == {0: 0, 1: 1, 2: 2}
    assert al._stages.learner is not None
    assert al._stages.learner.get_params()["num_classes"] == 4
    with pytest.raises(ArgumentError, match="item 5: the class 'e' is not known; there are a, b, c, d"):
        al.tell({5: "e"})
    with pytest.raises(ArgumentError, match=r"item 5: .* from 0 to 3, got 4"):
        al.tell({5: 4})
    named = ActiveLearner(None, CoreSet(), torch.rand(5, 2), {0: "x"}, classes=["w", "x"])
    assert named.labels_ == {0: 1}


class Named(TensorDataset):
    """Items with the names of their classes."""

    def __init__(self, inputs: torch.Tensor, targets: torch.Tensor, classes: list[str]) -> None:
        super().__init__(inputs, targets)
        self.classes = classes


def test_classes_of_the_items_need_a_name_each(toy: ImageDataset) -> None:
    inputs = Named(toy.train.inputs, toy.train.targets, ["crane", "wolf", "crane", "fox"])
    with pytest.raises(ArgumentError, match=r"'crane' twice.*classes="):
        ActiveLearner(FakeLearner(), Margin(), inputs, FIRST)
    assert (
        ActiveLearner(FakeLearner(), Margin(), inputs, FIRST, classes=["bird", "wolf", "tool", "fox"]).labels_ == FIRST
    )


def test_items_to_test_on_are_matched_by_the_names_of_their_classes(toy: ImageDataset) -> None:
    pool, test = toy.train, toy.test
    names = ["w", "x", "y", "z"]
    inputs, other = Named(pool.inputs, pool.targets, names), Named(test.inputs, 3 - test.targets, names[::-1])
    al = ActiveLearner(FakeLearner(), Margin(), inputs, FIRST, test=other)
    same = ActiveLearner(FakeLearner(), Margin(), inputs, FIRST, test=Named(test.inputs, test.targets, names))
    al.ask(2)
    same.ask(2)
    assert al.history_[0].metric == same.history_[0].metric
    other.classes = ["a", "b", "c", "d"]
    with pytest.raises(ArgumentError, match=r"'a' of test.*a, b, c, d, the pool w, x, y, z"):
        ActiveLearner(FakeLearner(), Margin(), inputs, FIRST, test=other)


def test_names_of_items_to_test_on_count_as_those_of_the_pool(toy: ImageDataset) -> None:
    images, targets = toy.test.inputs, toy.test.targets
    names = ["z", "y", "x", "w"]
    al, same = (
        ActiveLearner(FakeLearner(), Margin(), toy.train.inputs, FIRST, classes=names, test=(images, labels))
        for labels in ([names[target] for target in targets], targets)
    )
    assert al.ask(2).items == same.ask(2).items
    assert al.history_[0].metric == same.history_[0].metric


@pytest.mark.parametrize(
    ("classes", "labels", "message"),
    [
        (["z", "y"], ["z", "y", "x"], "test has the class 'x'.*there are z, y"),
        (None, ["0", "1", "0"], r"test has the class '0'.*classes=\[...\]"),
        (["z", "y"], [0, 2, 1], "item 1 of test has the class 2.*from 0 to 1, for z, y"),
        (["z", "y"], [0, -2, 1], "item 1 of test has the class -2"),
        (["z", "y"], [0.5, 1.0, 0.0], "of test must be classes.*float32"),
        (["z", "y"], [0, None, 1], "1 of 3 items of test have no label"),
    ],
)
def test_items_to_test_on_of_no_class_of_the_pool(toy: ImageDataset, classes: Any, labels: Any, message: str) -> None:
    test = (toy.test.inputs[:3], labels)
    with pytest.raises(ArgumentError, match=message):
        ActiveLearner(FakeLearner(), Margin(), toy.train.inputs, {0: 0, 1: 1}, classes=classes, test=test)


@pytest.mark.parametrize("label", [1001, 100_000, 2**60])
def test_a_class_far_beyond_the_items_needs_a_name(toy: ImageDataset, label: int) -> None:
    images = toy.train.inputs
    with pytest.raises(ArgumentError, match=rf"item 1: the class {label} is too large for 60 items.*classes="):
        ActiveLearner(FakeLearner(), Margin(), images, {0: 0, 1: label})
    al = ActiveLearner(FakeLearner(), Margin(), images, {0: 0})
    with pytest.raises(ArgumentError, match=str(label)):
        al.tell({1: label})
    with pytest.raises(ArgumentError, match=f"label {label} is too large"):
        ActiveLearner(FakeLearner(), Margin(), images, {0: 0}, test=(images[:2], [0, label]))


def test_large_classes_that_are_known_are_taken(toy: ImageDataset) -> None:
    images = toy.train.inputs
    assert ActiveLearner(FakeLearner(), Margin(), images, {0: 1000}).labels_ == {0: 1000}
    assert ActiveLearner(FakeLearner(), Margin(), images, {0: 4999}, classes=range(5000)).labels_ == {0: 4999}
    assert ActiveLearner(FakeLearner(num_classes=5000), Margin(), images, {0: 4999}).labels_ == {0: 4999}
    assert ActiveLearner(None, CoreSet(), torch.rand(9, 2), {0: 10**6}).labels_ == {0: 10**6}


@pytest.mark.parametrize("kind", [int, np.int64, np.uint8, torch.tensor, lambda value: np.array([value])[0]])
def test_any_whole_number_is_a_class(al: ActiveLearner, kind: Any) -> None:
    assert al.tell({20: kind(2)}).labels_[20] == 2


def test_numbers_of_one_shape_are_labels_too() -> None:
    al = ActiveLearner(None, CoreSet(), torch.rand(6, 2), {0: [[1.0, 2.0, 3.0]]})
    al.tell({1: np.array([[1, 2, 3]]), 2: torch.rand(1, 3)})
    assert torch.equal(al.labels_[1], torch.tensor([[1.0, 2.0, 3.0]]))
    for wrong, message in (
        ([1.0, 2.0, 3.0], r"shape \[1, 3\], got \[3\]"),
        ([[1.0, 2.0, float("nan")]], "NaN"),
        (4, r"shape \[1, 3\], got \[\]"),
    ):
        with pytest.raises(ArgumentError, match=f"item 3: .*{message}"):
            al.tell({3: wrong})


def test_when_no_label_is_left_the_next_may_be_of_another_kind() -> None:
    al = ActiveLearner(None, CoreSet(), torch.rand(6, 2), {0: 1})
    assert al.take_back(0).tell({0: 1.5}).labels_ == {0: 1.5}


# what the items may be


def test_a_graph_of_ones_own_is_shown_to_the_selector_beside_what_the_learner_says() -> None:
    seen: list[Data] = []

    class Look:
        requires = ("x",)

        def select(self, data: Data, budget: int) -> Any:
            seen.append(data)
            return data.pool_mask.nonzero().flatten()[:budget]

    x = torch.eye(6).repeat(1, 2)
    edges, weight = torch.tensor([[0, 1, 2, 5], [1, 2, 0, 4]]), torch.tensor([0.1, 0.2, 0.3, 0.4])
    data = Data(x=x, edge_index=edges, edge_weight=weight)
    ActiveLearner(FakeLearner(noise=0.0), Look(), data, labels={0: 0, 1: 1}).ask(1)
    assert seen[0].edge_index.equal(edges)
    assert seen[0].edge_weight.equal(weight)
    ActiveLearner(FakeLearner(noise=0.0), Look(), data, labels={0: 0, 1: 1}, subset=2).ask(1)
    kept = {frozenset(edge) for edge in seen[1].n_id[seen[1].edge_index].T.tolist()}
    assert {0, 1} <= set(seen[1].n_id.tolist())
    assert kept == {frozenset(edge) for edge in edges.T.tolist() if set(edge) <= set(seen[1].n_id.tolist())}
    assert len(seen[1].edge_weight) == seen[1].edge_index.shape[1]


def test_rows_of_numbers_in_a_list_are_an_array() -> None:
    rows = [[1.0, 2.0, 4.0], [3.0, 1.0, 0.5], [0.0, 0.0, 9.0]]
    assert len(ActiveLearner(None, CoreSet(), rows, labels={0: 0}).ask(1)) == 1
    assert len(ActiveLearner(None, CoreSet(), [row[:2] for row in rows], labels={0: 0}).ask(1)) == 1


def test_items_of_any_kind(toy: ImageDataset) -> None:
    images = toy.train.inputs
    expected = ActiveLearner(FakeLearner(num_classes=4), Margin(), images, FIRST).ask(4).items
    targets = torch.zeros(60, dtype=torch.int64)  # not looked at
    for inputs in (images.numpy(), TensorDataset(images, targets), TensorDataset(images), toy, toy.train, list(images)):
        assert ActiveLearner(FakeLearner(num_classes=4), Margin(), inputs, FIRST).ask(4).items == expected


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "NoneType is no data set"),
        (3, "int is no data set"),
        (Digits, r"the class Digits; make an object of it"),
        (HeteroData(), "data must be a torch_geometric.data.Data, got HeteroData"),
        (Batch.from_data_list([Data(x=torch.zeros(2, 2))] * 2), "batch of 2"),
        (Data(), "no node"),
        (torch.empty(0, 3), "at least one item"),
    ],
)
def test_what_is_no_items(inputs: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ActiveLearner(FakeLearner(), CoreSet(), inputs)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"learner": FakeLearner}, "the class FakeLearner"),
        ({"learner": object()}, "object is no learner"),
        ({"selector": Margin}, "the class Margin"),
        ({"selector": None}, "NoneType is no selector"),
        ({"labels": [0, 1]}, r"labels must be a mapping \{item: label\}, got list"),
        ({"labels": {99: 1}}, "item 99 is unknown"),
        ({"seed": -1}, "seed must be"),
        ({"subset": 0}, "subset must be"),
        ({"classes": "ab"}, "classes must be a sequence.*'ab'"),
        ({"classes": 2}, "classes must be a sequence.*got 2"),
        ({"classes": {"a": 0, "b": 1}}, "classes must be a sequence.*'a': 0"),
        ({"classes": {"a"}}, "classes must be a sequence.*{'a'}"),
        ({"classes": ["a", "b", "a"]}, "classes has 'a' twice"),
        ({"classes": ["a", None]}, r"classes\[1\] must be a name, got None"),
        ({"progress": True}, "progress must be a function.*got True"),
        ({"warm_start": "no"}, "warm_start must be True or False, got 'no'"),
        ({"learner": None}, r"without a learner, inputs must be a Data or embeddings \[n, d\].*\[60, 1, 8, 8\]"),
        ({"learner": None, "subset": 5, "inputs": torch.rand(9, 2)}, "subset, warm_start and test go with a learner"),
        ({"test": torch.rand(3, 1, 8, 8)}, "test has no labels"),
        ({"learner": FakeLearner(), "selector": seqgcn.BALD()}, "BALD needs prob_samples.*FakeLearner does not give"),
    ],
)
def test_what_cannot_be_used_is_said_at_once(toy: ImageDataset, wrong: Any, message: str) -> None:
    values = {"learner": FakeLearner(), "selector": CoreSet(), "inputs": toy, "labels": FIRST} | wrong
    with pytest.raises(ArgumentError, match=message):
        ActiveLearner(**values)


# nodes of a Data


def graph(**masks: list[int]) -> Data:
    """Twelve nodes on a line."""
    data = Data(x=torch.arange(12.0).unsqueeze(1), y=torch.arange(12) % 3)
    for name, nodes in masks.items():
        data[name] = torch.zeros(12, dtype=torch.bool)
        data[name][nodes] = True
    return data


def test_without_a_learner_the_selector_reads_the_data() -> None:
    data = graph(train_mask=[0, 5])
    held = {name: data[name].clone() for name in data.keys()}  # noqa: SIM118  # Data is no dict
    al = ActiveLearner(None, CoreSet(), data)
    assert al.labels_ == {0: 0, 5: 2}
    expected = CoreSet().select(data, 3)
    picks = al.ask(3)
    assert picks.items == tuple(expected.index.tolist())
    assert not hasattr(al, "learner_")
    al.tell(picks, [0, 1, 2])
    labeled = graph(train_mask=[0, 5, *picks.items])
    assert al.ask(2).items == tuple(CoreSet().select(labeled, 2).index.tolist())
    assert set(data.keys()) == set(held)
    assert all(torch.equal(data[name], value) for name, value in held.items())


def test_labels_and_the_mask_count_both() -> None:
    al = ActiveLearner(None, CoreSet(), graph(train_mask=[0]), labels={11: 2})
    assert al.ask(1).items == tuple(CoreSet().select(graph(train_mask=[0, 11]), 1).index.tolist())
    with pytest.raises(ArgumentError, match="item 0 has the label 0 already, and is told 1"):
        ActiveLearner(None, CoreSet(), graph(train_mask=[0]), labels={0: 1})


def test_a_mask_without_labels_is_enough_where_nothing_is_trained() -> None:
    data = graph(train_mask=[0, 5])
    del data.y
    al = ActiveLearner(None, CoreSet(), data)
    assert al.labels_ == {}
    assert len(al.ask(10)) == 10
    assert al.tell({0: 1}).labels_ == {0: 1}
    with pytest.raises(ArgumentError, match=r"node 0 is in data.train_mask, but its label is not known; attach data.y"):
        ActiveLearner(FakeLearner(), CoreSet(), data)


@pytest.mark.parametrize("learner", [None, FakeLearner()], ids=["none", "fake"])
def test_validation_and_test_nodes_are_never_picked(learner: Any) -> None:
    data = graph(train_mask=[0, 1], val_mask=[2, 3], test_mask=[4, 11])
    al = ActiveLearner(learner, CoreSet(), data)
    assert sorted(al.ask(6).items) == [5, 6, 7, 8, 9, 10]
    with pytest.raises(ArgumentError, match="only 0 items are left"):
        al.ask(1)
    with pytest.raises(ArgumentError, match=r"item 4 is in data.val_mask or data.test_mask.*pool_mask"):
        al.tell({4: 1})
    data = graph(train_mask=[0, 1], test_mask=[4, 11], pool_mask=[4, 5])
    al = ActiveLearner(learner, CoreSet(), data)
    assert sorted(al.ask(2).items) == [4, 5]
    al.tell({4: 1, 9: 2})


def test_a_learner_on_the_features_of_a_data() -> None:
    data = graph(train_mask=[0, 4, 5])
    al = ActiveLearner(FakeLearner(), Margin(), data)
    picks = al.ask(2)
    assert hasattr(al, "learner_")
    al.tell(picks, data.y[list(picks)])
    assert len(al.labels_) == 5


def test_without_labels_the_selector_says_what_it_needs() -> None:
    with pytest.raises(ArgumentError, match="no node is labeled; start with Random or CoreSet"):
        ActiveLearner(None, CoreGCN(epochs=2), graph()).ask(2)


def test_a_selector_of_ones_own(toy: ImageDataset) -> None:
    class First:
        def select(self, data: Data, budget: int) -> Any:
            return data.pool_mask.nonzero().flatten()[:budget]

    al = ActiveLearner(FakeLearner(num_classes=4), First(), toy, FIRST)
    assert al.ask(3).items == (4, 5, 6)
    assert al.ask(3).items == (7, 8, 10)


def test_every_item_can_be_labeled_in_turn(toy: ImageDataset) -> None:
    al = ActiveLearner(FakeLearner(num_classes=4), Margin(), toy, FIRST)
    for size in itertools.chain([10] * 5, [5]):
        picks = al.ask(size)
        al.tell(picks, truth(toy, picks))
    assert sorted(al.labels_) == list(range(60))


# hand poses


def frames_of(n: int = 12, size: int = 60) -> HandFrames:
    """Frames of noise in cubes of 200 mm, of hands of two joints."""
    crops = (
        torch.randint(-9000, 9000, (n, size, size), generator=torch.Generator().manual_seed(2)).to(torch.int16).numpy()
    )
    centre = torch.tensor([0.0, 0.0, 500.0]).repeat(n, 1)
    return HandFrames(crops, torch.arange(n), centre, torch.full((n,), 200.0), Skeleton(("palm", "tip"), ((0, 1),)))


POSE = torch.tensor([[0.0, 10.0, 500.0], [5.0, -20.0, 510.0]])


def test_joints_of_hand_frames_are_told(tmp_path: Path) -> None:
    frames, learner = frames_of(), HandPose(net="deep-prior-no-pca", epochs=1, width=0.0625, device="cpu")
    al = ActiveLearner(learner, CoreSet(), frames)
    first = al.ask(3)
    al.tell(first, [POSE + number for number in range(3)])
    assert torch.equal(al.labels_[first.items[1]], POSE + 1)
    second = al.ask(2)
    assert al.learner_.predict(frames).shape == (12, 2, 3)
    al.tell(second, {second.items[0]: (POSE + 4).numpy().tolist()})
    al.save(tmp_path)
    loaded = ActiveLearner.load(tmp_path, learner, CoreSet(), frames)
    assert loaded.ask(3).items == al.ask(3).items


def test_crops_that_are_too_small_are_said_at_once() -> None:
    with pytest.raises(ArgumentError, match="at least 60 px, got 48"):
        ActiveLearner(HandPose(net="deep-prior-no-pca", device="cpu"), CoreSet(), frames_of(size=48))


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (3, r"shape \[2, 3\], got \[\]"),
        (POSE[:1], r"shape \[2, 3\], got \[1, 3\]"),
        (POSE.flatten(), r"shape \[2, 3\], got \[6\]"),
        (POSE / 0, "NaN or infinite"),
    ],
)
def test_the_first_pose_must_be_one_already(label: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=f"item 4: .*{message}"):
        ActiveLearner(HandPose(epochs=1, device="cpu"), CoreSet(), frames_of()).tell({4: label})
