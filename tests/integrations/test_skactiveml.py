import importlib.util
import pickle
import sys
from typing import Any

import numpy as np
import pytest
import torch
from contract_pools import Contract
from contracts import CONTRACTS, parameters_change_something
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from torch_geometric.data import Data

from seqgcn.datasets import ImageDataset
from seqgcn.exceptions import ArgumentError, MissingPackageError
from seqgcn.runs.loop import ActiveLearning
from seqgcn.selectors import BALD, CoreGCN, CoreSet, Entropy, GraphHerding, Margin, Random, Selector
from seqgcn.selectors.selector import for_cycle
from seqgcn.utils.seeding import derive_seed

pytest.importorskip("skactiveml")

from skactiveml import pool as strategies
from skactiveml.base import SingleAnnotatorPoolQueryStrategy
from skactiveml.classifier import ParzenWindowClassifier
from skactiveml.exceptions import MappingError

from seqgcn.integrations.skactiveml import STRATEGIES, AsQueryStrategy, FromQueryStrategy

N, LABELLED = 60, 12
CLASSIFIER = ParzenWindowClassifier(classes=[0, 1, 2], random_state=0)


def samples() -> tuple[Any, Any, Data]:
    """Embeddings and labels as scikit-activeml takes them, and the same as a pool."""
    draw = np.random.default_rng(0)
    x = draw.random((N, 4))
    y = np.full(N, np.nan)
    labelled = draw.permutation(N)[:LABELLED]
    y[labelled] = np.arange(LABELLED) % 3
    prob = CLASSIFIER.fit(x, y).predict_proba(x)
    train_mask = torch.tensor(~np.isnan(y))
    return x, y, Data(x=torch.tensor(x), prob=torch.tensor(prob), train_mask=train_mask)


# our selectors as theirs


@pytest.mark.parametrize("selector", [CoreSet(), Random(seed=3), CoreGCN(epochs=3, hidden_channels=8)])
def test_a_selector_picks_as_it_does_by_itself(selector: Selector) -> None:
    x, y, data = samples()
    strategy = AsQueryStrategy(selector)
    assert isinstance(strategy, SingleAnnotatorPoolQueryStrategy)
    expected = selector.select(data, 10)
    assert strategy.query(x, y, batch_size=10).tolist() == expected.index.tolist()
    picks, utilities = strategy.query(x, y, batch_size=10, return_utilities=True)
    assert picks.dtype == np.int64
    assert utilities.shape == (10, N)
    assert np.nanargmax(utilities, axis=1).tolist() == picks.tolist()
    assert utilities[np.arange(10), picks].tolist() == expected.score.tolist()
    assert np.isnan(utilities).sum() == 10 * (N - 1)
    assert strategy.query(x.tolist(), y.tolist()).tolist() == expected.index.tolist()[:1]


def test_only_unlabelled_candidates_are_picked() -> None:
    x, y, data = samples()
    candidates = np.flatnonzero(np.isnan(y))[5:15]
    picks = AsQueryStrategy(CoreSet()).query(x, y, candidates=candidates, batch_size=4)
    data.pool_mask = torch.isin(torch.arange(N), torch.tensor(candidates))
    assert picks.tolist() == CoreSet().select(data, 4).index.tolist()
    with pytest.warns(UserWarning, match="batch_size=20"):
        picks = AsQueryStrategy(CoreSet()).query(x, y, candidates=candidates, batch_size=20)
    assert sorted(picks) == candidates.tolist()
    with pytest.raises(ValueError, match="must not contain labeled"):
        AsQueryStrategy(CoreSet()).query(x, y, candidates=np.flatnonzero(~np.isnan(y))[:2])
    with pytest.raises(MappingError):
        AsQueryStrategy(CoreSet()).query(x, y, candidates=x[:3])


def test_class_probabilities_come_from_an_array_or_a_classifier() -> None:
    x, y, data = samples()
    expected = Margin().select(data, 5).index.tolist()
    strategy = AsQueryStrategy(Margin())
    assert strategy.query(x, y, prob=data.prob.numpy(), batch_size=5).tolist() == expected
    assert strategy.query(x, y, clf=clone(CLASSIFIER), batch_size=5).tolist() == expected
    fitted = clone(CLASSIFIER).fit(x, y)
    assert strategy.query(x, y, fitted, fit_clf=False, batch_size=5).tolist() == expected
    with pytest.raises(ArgumentError, match=r"class probabilities are missing: attach them as data\.prob"):
        strategy.query(x, y)


def test_probabilities_that_a_selector_can_do_without_are_read_where_there_is_a_classifier() -> None:
    x, y, data = samples()
    sharp = ParzenWindowClassifier(classes=[0, 1, 2], metric_dict={"gamma": 30.0}, random_state=0)
    data.prob = torch.tensor(clone(sharp).fit(x, y).predict_proba(x))
    expected = GraphHerding().select(data, 8).index.tolist()
    assert expected != GraphHerding().select(Data(x=data.x, train_mask=data.train_mask), 8).index.tolist()
    assert AsQueryStrategy(GraphHerding()).query(x, y, clf=sharp, batch_size=8).tolist() == expected
    prob = data.prob.numpy()
    assert AsQueryStrategy(GraphHerding()).query(x, y, prob=prob, batch_size=8).tolist() == expected


def test_a_classifier_that_would_learn_missing_labels_is_refused() -> None:
    x, y, _ = samples()
    whole = np.where(np.isnan(y), -1, y).astype(int)
    strategy = AsQueryStrategy(Margin(), missing_label=-1)
    with pytest.raises(ArgumentError, match=r"LogisticRegression .*SklearnClassifier"):
        strategy.query(x, whole, clf=LogisticRegression())
    with pytest.raises(ArgumentError, match=r"missing_label of clf is nan, .* -1"):
        strategy.query(x, whole, clf=clone(CLASSIFIER))
    right = ParzenWindowClassifier(classes=[0, 1, 2], missing_label=-1, random_state=0)
    expected = AsQueryStrategy(Margin()).query(x, y, clf=clone(CLASSIFIER), batch_size=5).tolist()
    assert strategy.query(x, whole, clf=right, batch_size=5).tolist() == expected
    labeled = ~np.isnan(y)
    fitted = LogisticRegression().fit(x[labeled], y[labeled])
    assert len(strategy.query(x, whole, clf=fitted, fit_clf=False, batch_size=5)) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"clf": "tree"}, "clf must be .*predict_proba"), ({"clf": CLASSIFIER, "fit_clf": "no"}, "fit_clf must be")],
)
def test_what_is_no_classifier_is_refused(arguments: dict[str, Any], message: str) -> None:
    x, y, _ = samples()
    with pytest.raises(ArgumentError, match=message):
        AsQueryStrategy(Margin()).query(x, y, **arguments)


def test_a_misspelt_argument_is_named() -> None:
    x, y, _ = samples()
    with pytest.raises(
        ArgumentError, match="query takes no bach_size; as arrays CoreSet takes edge_index, edge_weight"
    ):
        AsQueryStrategy(CoreSet()).query(x, y, bach_size=5)


def test_other_attributes_are_passed_by_name() -> None:
    x, y, data = samples()
    data.prob_samples = torch.randn(N, 3, 4, generator=torch.Generator().manual_seed(0)).softmax(dim=2)
    picks = AsQueryStrategy(BALD()).query(x, y, prob_samples=data.prob_samples.numpy(), batch_size=5)
    assert picks.tolist() == BALD().select(data, 5).index.tolist()


def test_missing_labels_may_be_marked_otherwise() -> None:
    x, y, data = samples()
    names = np.array([None if np.isnan(label) else f"class {label:.0f}" for label in y], dtype=object)
    picks = AsQueryStrategy(CoreSet(), missing_label=None).query(x, names, batch_size=5)
    assert picks.tolist() == CoreSet().select(data, 5).index.tolist()
    nothing = AsQueryStrategy(CoreSet()).query(x, np.full(N, np.nan), batch_size=N)
    assert sorted(nothing) == list(range(N))


def test_whole_numbers_are_features_too() -> None:
    whole = np.array([[0], [1], [5], [9]])
    assert AsQueryStrategy(CoreSet()).query(whole, [0, np.nan, np.nan, np.nan], batch_size=3).tolist() == [3, 2, 1]
    single = whole.astype(np.float32)
    assert AsQueryStrategy(CoreSet()).query(single, [0, np.nan, np.nan, np.nan], batch_size=3).tolist() == [3, 2, 1]


def test_its_random_state_seeds_the_selector() -> None:
    x, y, data = samples()
    own = Random(seed=5).select(data, 8).index.tolist()
    assert AsQueryStrategy(Random(seed=5)).query(x, y, batch_size=8).tolist() == own
    first, again, other = (
        AsQueryStrategy(Random(seed=5), random_state=state).query(x, y, batch_size=8).tolist() for state in (1, 1, 2)
    )
    assert first == again
    assert len({tuple(own), tuple(first), tuple(other)}) == 3
    assert AsQueryStrategy(CoreSet(), random_state=1).query(x, y).tolist() == CoreSet().select(data, 1).index.tolist()


def test_it_leaves_its_inputs_alone_and_can_be_cloned_pickled_and_wrapped() -> None:
    x, y, data = samples()
    before = x.copy(), y.copy()
    strategy = AsQueryStrategy(CoreSet(), random_state=0)
    expected = strategy.query(x, y, batch_size=3).tolist()
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])
    assert clone(strategy).get_params() == {"selector": CoreSet(), "missing_label": np.nan, "random_state": 0}
    assert pickle.loads(pickle.dumps(strategy)).query(x, y, batch_size=3).tolist() == expected
    wrapped = strategies.SubSamplingWrapper(strategy, max_candidates=20, random_state=0)
    picks = wrapped.query(x, y, batch_size=3)
    assert len(set(picks)) == 3
    assert not data.train_mask[torch.tensor(picks)].any()


def test_only_a_selector_can_be_a_strategy() -> None:
    x, y, _ = samples()
    with pytest.raises(ArgumentError, match=r"selector must be a Selector such as CoreSet\(\), got 'core-set'"):
        AsQueryStrategy("core-set").query(x, y)  # type: ignore[arg-type]


# their strategies as ours


SEED = derive_seed(0, "strategy") % 2**31
"""A strategy's `random_state` under seed 0."""


def build(name: str, **changes: Any) -> Selector:
    strategy: Any = strategies.ProbCover(n_classes=3) if name == "ProbCover" else name
    return FromQueryStrategy(**{"strategy": strategy} | changes)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("name", STRATEGIES)
def test_contract(name: str, contract: Contract) -> None:
    if name == "ProbCover" and contract.__name__ == "parameters_are_frozen_and_given_by_name":
        pytest.skip("an object of scikit-activeml equals no copy of it")
    contract(lambda **changes: build(name, **changes))


def test_each_parameter_changes_something() -> None:
    parameters_change_something(
        FromQueryStrategy, {"strategy": ({}, "CoreSet"), "subset": ({"subset": 20}, 25), "seed": ({}, 1)}
    )


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - {"ProbCover"}))
def test_strategies_pick_as_with_true_labels_and_a_classifier_of_the_same_probabilities(name: str) -> None:
    x, y, data = samples()
    selection = FromQueryStrategy(strategy=name).select(data, 8)
    shown = np.concatenate([np.flatnonzero(~np.isnan(y)), np.flatnonzero(np.isnan(y))])
    model = "estimator" if name == "Clue" else "clf"
    arguments = {model: clone(CLASSIFIER).fit(x, y), f"fit_{model}": False} if "prob" in STRATEGIES[name] else {}
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(SEED)  # noqa: NPY002  # what Clue's clustering draws from
        expected = getattr(strategies, name)(random_state=SEED).query(x[shown], y[shown], batch_size=8, **arguments)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    assert selection.index.tolist() == shown[expected].tolist()


def test_theirs_and_ours_agree() -> None:
    _, _, data = samples()
    assert torch.equal(FromQueryStrategy(strategy="CoreSet").select(data, 20).index, CoreSet().select(data, 20).index)
    theirs = FromQueryStrategy(strategy=strategies.UncertaintySampling(method="entropy")).select(data, 20)
    ours = Entropy().select(data, 20)
    assert torch.equal(theirs.index, ours.index)
    torch.testing.assert_close(theirs.score, ours.score)


def test_only_a_part_of_the_candidates_is_shown() -> None:
    _, _, data = samples()
    selector = FromQueryStrategy(strategy="CoreSet", subset=9)
    drawn = set(selector.select(data, 9).index.tolist())
    assert len(drawn) == 9
    assert set(selector.select(data, 4).index.tolist()) < drawn
    assert set(for_cycle(selector, seed=1, cycle=0).select(data, 9).index.tolist()) != drawn
    with pytest.raises(ArgumentError, match=r"subset \(9\) must not be smaller than the budget \(10\)"):
        selector.select(data, 10)


def test_items_with_equal_embeddings_keep_their_own_probabilities() -> None:
    _, _, data = samples()
    data.x = torch.ones_like(data.x)
    theirs = FromQueryStrategy(strategy=strategies.UncertaintySampling(method="margin_sampling")).select(data, 20)
    assert torch.equal(theirs.index, Margin().select(data, 20).index)


def test_a_strategy_reads_what_it_needs() -> None:
    assert FromQueryStrategy().requires == ("x",)
    assert FromQueryStrategy().tasks == ("classification", "pose")
    badge = FromQueryStrategy(strategy=strategies.Badge())
    assert (badge.requires, badge.tasks) == (("x", "prob"), ("classification",))
    assert build("ProbCover").tasks == ("classification",)
    assert for_cycle(badge, seed=3, cycle=1).requires == ("x", "prob")


def test_a_strategy_keeps_its_own_parameters_and_is_left_as_it_was() -> None:
    _, _, data = samples()
    many, one = strategies.TypiClust(k=40, random_state=7, missing_label=-1), strategies.TypiClust(k=1)
    assert not torch.equal(
        FromQueryStrategy(strategy=many).select(data, 10).index, FromQueryStrategy(strategy=one).select(data, 10).index
    )
    assert many.get_params()["random_state"] == 7
    assert many.missing_label == -1


def test_strategies_that_ask_for_more_are_refused_with_those_that_do_not() -> None:
    known = [getattr(strategies, name) for name in strategies.__all__]
    kinds = [kind for kind in known if isinstance(kind, type) and issubclass(kind, SingleAnnotatorPoolQueryStrategy)]
    refused = [kind.__name__ for kind in kinds if kind.__name__ not in STRATEGIES]
    assert {kind.__name__ for kind in kinds} >= set(STRATEGIES)
    assert {"Quire", "QueryByCommittee", "ExpectedErrorReduction", "GreedySamplingTarget"} <= set(refused)
    for name in (*refused, "typiclust", ""):
        with pytest.raises(ArgumentError, match=rf"strategy must be one of Badge, .*, got '{name}'; others ask for"):
            FromQueryStrategy(strategy=name)
    for thing in (strategies.QueryByCommittee(), AsQueryStrategy(CoreSet()), strategies.TypiClust, None, Random()):
        with pytest.raises(ArgumentError, match="strategy must be one of Badge"):
            FromQueryStrategy(strategy=thing)

    class TypiClust(strategies.TypiClust):  # type: ignore[misc]
        """Another of the same name."""

    with pytest.raises(ArgumentError, match="strategy must be one of Badge"):
        FromQueryStrategy(strategy=TypiClust())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strategy": "ProbCover"}, "ProbCover counts the classes among labels, .*; set n_classes"),
        ({"subset": 0}, "subset must be a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
    ],
)
def test_unusable_parameters_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        FromQueryStrategy(**change)


def test_a_strategy_runs_in_the_loop(toy: ImageDataset, fake_learner: type) -> None:
    runs = [
        list(
            ActiveLearning(
                toy,
                fake_learner(num_classes=4),
                FromQueryStrategy(strategy="Badge", subset=15),
                budget=3,
                cycles=2,
                seed=1,
            )
        )
        for _ in range(2)
    ]
    assert [record.picks for record in runs[0]] == [record.picks for record in runs[1]]
    assert [len(record.labelled) for record in runs[0]] == [3, 6, 9]


# without the package


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec("seqgcn.integrations.skactiveml")
    assert found is not None
    assert found.origin is not None
    for name in [name for name in sys.modules if name.split(".")[0] == "skactiveml"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "skactiveml", None)
    spec = importlib.util.spec_from_file_location("adapter", found.origin)
    assert spec is not None
    assert spec.loader is not None
    with pytest.raises(MissingPackageError, match=r'needs scikit-activeml: pip install "seqgcn\[skactiveml\]"'):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
