"""scikit-learn's estimators as learners."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch import Tensor

from seqgcn import ActiveLearner
from seqgcn.evaluation import ACCURACY, RMSE
from seqgcn.exceptions import ArgumentError, TrainingError
from seqgcn.learners import EstimatorLearner, GaussianProcessLearner, KNNLearner, LinearLearner, SklearnLearner
from seqgcn.learners.components import check_learner
from seqgcn.selectors import BADGE, LCMD, Variance


def digits(n: int = 120) -> tuple[Tensor, Tensor]:
    data = load_digits()
    return torch.from_numpy(data.data[:n]).float(), torch.from_numpy(data.target[:n]).long()


def diabetes(n: int = 120) -> tuple[Tensor, Tensor]:
    data = load_diabetes()
    return torch.from_numpy(data.data[:n]).float(), torch.from_numpy(data.target[:n]).float()


LEARNERS: dict[str, Callable[[], EstimatorLearner]] = {
    "linear": LinearLearner,
    "knn": KNNLearner,
    "gp": GaussianProcessLearner,
    "forest": lambda: SklearnLearner(RandomForestClassifier(n_estimators=10)),
}
REGRESSORS: dict[str, Callable[[], EstimatorLearner]] = {
    "linear": LinearLearner,
    "knn": KNNLearner,
    "gp": GaussianProcessLearner,
    "forest": lambda: SklearnLearner(RandomForestRegressor(n_estimators=10)),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_classes(name: str) -> None:
    x, y = digits(300)
    learner = LEARNERS[name]().set_params(num_classes=10).fit(x[:200], y[:200])
    assert learner.metric is ACCURACY
    assert learner.score(x[200:], y[200:]) > 0.7
    data = learner.describe(x, ("x", "prob"))
    assert data.x.equal(x)
    assert data.prob.shape == (300, 10)
    assert data.prob.sum(dim=1).allclose(torch.ones(300))
    assert data.prob.argmax(dim=1).equal(learner.predict(x))


@pytest.mark.parametrize("name", REGRESSORS)
def test_numbers(name: str) -> None:
    x, y = diabetes(300)
    learner = REGRESSORS[name]().fit(x[:200], y[:200])
    assert learner.metric is RMSE
    assert learner.score(x[200:], y[200:]) < y.std()
    assert learner.predict(x).shape == (300,)
    both = REGRESSORS[name]().fit(x, torch.stack([y, -y], dim=1))
    assert both.predict(x).shape == (300, 2)
    assert "prob" not in learner.outputs


def test_the_linear_learner_is_scikit_learns_logistic_and_ridge_regression() -> None:
    x, y = digits()
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=300)).fit(x.numpy(), y.numpy())
    ours = LinearLearner(l2=2.0).fit(x, y).describe(x, ("prob",)).prob
    assert np.allclose(ours.numpy(), theirs.predict_proba(x.numpy()), atol=1e-6)
    x, y = diabetes()
    ridge = make_pipeline(StandardScaler(), Ridge(alpha=2.0)).fit(x.numpy(), y.numpy())
    assert np.allclose(LinearLearner(l2=2.0).fit(x, y).predict(x).numpy(), ridge.predict(x.numpy()), rtol=1e-5)


def test_root_mean_squared_error() -> None:
    x = torch.tensor([[0.0], [1.0], [2.0]])
    learner = LinearLearner().fit(x, torch.tensor([3.0, 3.0, 3.0]))
    assert learner.score(x, torch.tensor([3.0, 4.0, 1.0])) == pytest.approx((5 / 3) ** 0.5)


@pytest.mark.parametrize("name", LEARNERS)
def test_one_class_alone_is_predicted(name: str) -> None:
    x, _ = digits(6)
    learner = LEARNERS[name]().set_params(num_classes=4).fit(x, torch.full((6,), 2))
    assert learner.predict(x).tolist() == [2] * 6
    assert learner.describe(x, ("prob",)).prob.tolist() == [[0.0, 0.0, 1.0, 0.0]] * 6


def test_classes_without_a_label_yet_have_probability_zero() -> None:
    x, y = digits()
    kept = (y == 1) | (y == 7)
    prob = LinearLearner(num_classes=10).fit(x[kept], y[kept]).describe(x, ("prob",)).prob
    assert prob[:, [1, 7]].sum(dim=1).allclose(torch.ones(len(x)))
    assert prob.shape == (len(x), 10)


def test_a_number_that_never_changes_is_predicted() -> None:
    x, _ = diabetes(5)
    targets = torch.tensor([[2.0, -1.0]]).repeat(5, 1)
    for make in REGRESSORS.values():
        assert make().fit(x, targets).predict(x[:2]).tolist() == [[2.0, -1.0]] * 2
    data = GaussianProcessLearner().fit(x, targets).describe(x, ("target_samples",))
    assert data.target_samples.tolist() == [[[2.0, -1.0]] * 2] * 5


def test_the_deviation_of_a_gaussian_process_is_that_of_its_samples() -> None:
    x, y = diabetes(60)
    learner = GaussianProcessLearner().fit(x[:40], y[:40])
    samples = learner.describe(x, ("target_samples",)).target_samples
    _, deviation = learner.estimator_.predict(x.numpy(), return_std=True)
    assert samples.shape == (60, 2, 1)
    assert np.allclose(samples.std(dim=1, unbiased=False).squeeze(1).numpy(), deviation, rtol=1e-3)
    assert Variance().requires == ("target_samples",)
    two = GaussianProcessLearner().fit(x[:40], torch.stack([y[:40], -y[:40]], dim=1))
    assert two.describe(x, ("x", "target_samples")).target_samples.shape == (60, 2, 2)


def test_an_estimator_without_probabilities_is_certain() -> None:
    x, y = digits()
    prob = SklearnLearner(LinearSVC(), num_classes=10).fit(x, y).describe(x, ("prob",)).prob
    assert set(prob.unique().tolist()) == {0.0, 1.0}


def test_seeds_reach_every_part_of_an_estimator() -> None:
    nested = make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=3))
    x, y = digits()
    fitted = [SklearnLearner(nested, seed=seed).fit(x, y) for seed in (1, 1, 2)]
    first, again, other = (learner.describe(x, ("prob",)).prob for learner in fitted)
    assert first.equal(again)
    assert not first.equal(other)
    assert SklearnLearner(nested, seed=2**62 + 3).fit(x, y).score(x, y) > 0.9


def test_images_are_rows_and_arrays_are_taken() -> None:
    x, y = digits()
    images = (x.reshape(-1, 1, 8, 8) * 16).to(torch.uint8)
    assert LinearLearner().fit(images, y).score(images, y) == 1.0
    assert LinearLearner().fit(x.numpy(), y.numpy()).predict(x.numpy()).equal(LinearLearner().fit(x, y).predict(x))


def test_a_person_in_the_loop() -> None:
    x, y = digits(300)
    al = ActiveLearner(LinearLearner(), BADGE(), x, labels={i: int(y[i]) for i in range(10)})
    picks = al.ask(5)
    al.tell(picks, [int(y[i]) for i in picks])
    assert len(al.ask(5)) == 5
    numbers = ActiveLearner(LinearLearner(), LCMD(), x, labels={i: float(y[i]) for i in range(10)})
    assert len(numbers.ask(5)) == 5


def test_what_is_decided_by_the_targets_is_asked_for_again() -> None:
    learner = LinearLearner(predicts="numbers")
    assert (learner.metric, learner.outputs) == (RMSE, ("x",))
    x, y = digits(20)
    with pytest.raises(ArgumentError, match=r"predicts numbers.*int64"):
        learner.fit(x, y)
    with pytest.raises(ArgumentError, match=r"predicts classes.*float32"):
        LinearLearner(predicts="classes").fit(x, y.float())


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        (SklearnLearner(), "NoneType"),
        (SklearnLearner(StandardScaler()), "StandardScaler"),
        (SklearnLearner(LogisticRegression), "the class LogisticRegression"),
        (LinearLearner(l2=0.0), "l2 must be"),
        (LinearLearner(predicts="both"), "predicts must be.*'both'"),  # type: ignore[arg-type]
        (KNNLearner(n_neighbors=0), "n_neighbors"),
        (LinearLearner(seed=1.5), "seed"),
        (LinearLearner(num_classes=0), "num_classes"),
    ],
)
def test_parameters_that_cannot_be_used(learner: EstimatorLearner, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        learner.check_parameters()


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (torch.zeros(3), torch.arange(3), r"rows of features \[n, d\]"),
        ("ab", torch.arange(3), "str"),
        (torch.zeros(3, 2), torch.arange(2), "3 items need as many targets"),
        (torch.zeros(0, 2), torch.arange(0), "at least one"),
        (torch.zeros(2, 2), torch.tensor([-1, 2]), "got -1 to 2"),
        (torch.zeros(2, 2), torch.tensor([1.0, torch.nan]), "NaN"),
        (torch.zeros(2, 2), torch.tensor([[1], [0]]), "int64"),
    ],
)
def test_items_that_cannot_be_used(inputs: Any, targets: Tensor, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        LinearLearner().fit(inputs, targets)


def test_what_is_asked_too_early_or_of_other_features() -> None:
    x, y = digits(20)
    with pytest.raises(ArgumentError, match="not fitted"):
        LinearLearner().predict(x)
    with pytest.raises(ArgumentError, match="3 features, but fit was given 64"):
        LinearLearner().fit(x, y).predict(x[:, :3])
    with pytest.raises(ArgumentError, match="cannot output loss_pred"):
        LinearLearner().fit(x, y).describe(x, ("loss_pred",))


def test_an_estimator_that_fails_is_named() -> None:
    x, y = digits(20)
    with pytest.raises(TrainingError, match=r"LogisticRegression cannot be fitted to 20 items.*ValueError"):
        SklearnLearner(LogisticRegression(solver="newton-cholesky", l1_ratio=0.5)).fit(x * torch.nan, y)


@pytest.mark.parametrize("name", LEARNERS)
def test_the_loop_can_copy_it(name: str) -> None:
    learner = check_learner(LEARNERS[name]())
    assert clone(learner).get_params(deep=False).keys() == learner.get_params(deep=False).keys()
