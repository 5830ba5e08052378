"""scikit-learn's classifiers and regressors as learners, on rows of features."""

import warnings
from abc import abstractmethod
from collections.abc import Collection
from typing import Any, Literal, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.evaluation import ACCURACY, RMSE, Metric, accuracy
from seqgcn.exceptions import ArgumentError, TrainingError
from seqgcn.learners.fitted import check_attributes
from seqgcn.learners.parameters import check_seed
from seqgcn.training import Progress
from seqgcn.utils.validation import check_choice, check_instance, check_number, check_whole, kind_of

Predicts = Literal["auto", "classes", "numbers"]
"""What is predicted; `"auto"` is decided by the targets: int64 are classes."""

CLASSES, NUMBERS = "classes", "numbers"


class EstimatorLearner(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """A learner whose training and predictions are those of a scikit-learn estimator.

    Items are rows of features `[n, d]`; of items of more axes, such as images, all values are one row. The embedding
    `x` is the row itself. Targets are classes `[n]` int64 or numbers `[n]` or `[n, k]`. Of one class alone, or with a
    number that never changes, whatever the estimator would say, that is predicted.

    Subclasses make the estimator in `make_estimator`.
    """

    num_classes: int | None
    seed: int

    estimator_: Any
    """Fitted; None where `constant_` is predicted."""
    constant_: Any
    """The target of all items, if they have the same; else None."""

    @abstractmethod
    def make_estimator(self, targets: str, n: int) -> Any:
        """A new estimator.

        Args:
            targets: `"classes"` or `"numbers"`.
            n: How many labeled items it will be fitted to.
        """

    @property
    def kind(self) -> str:
        """`"classes"` or `"numbers"`, or `"auto"` where the targets have yet to decide."""
        return CLASSES

    @property
    def metric(self) -> Metric:
        """Accuracy of classes, root mean squared error of numbers."""
        return RMSE if getattr(self, "kind_", self.kind) == NUMBERS else ACCURACY

    @property
    def outputs(self) -> tuple[str, ...]:
        """Attributes that `describe` can give."""
        return ("x",) if getattr(self, "kind_", self.kind) == NUMBERS else ("x", "prob")

    def check_parameters(self) -> None:
        """Check the constructor's arguments, as `fit` does first.

        Raises:
            ArgumentError: One cannot be used.
        """
        check_seed(self.seed)
        if self.num_classes is not None:
            check_whole("num_classes", self.num_classes)

    def fit(self, inputs: Any, targets: Any, *, unconfirmed: int = 0, progress: Progress | None = None) -> Self:
        """Train on labeled items.

        Args:
            inputs: `[n, d]`, or of more axes.
            targets: Classes `[n]` int64, or numbers `[n]` or `[n, k]`.
            unconfirmed: How many of the last items have a predicted target; they count as the others.
            progress: Not told anything: this takes milliseconds.

        Raises:
            ArgumentError: Inputs, targets or a parameter cannot be used.
            TrainingError: The estimator fails on them.
        """
        del unconfirmed
        self.check_parameters()
        x, y = _rows(inputs), torch.as_tensor(targets).detach().cpu()
        if len(x) != len(y) or len(y) == 0:
            raise ArgumentError(f"{len(x)} items need as many targets, and at least one, got {kind_of(y)}")
        kind = NUMBERS if y.is_floating_point() else CLASSES
        if self.kind not in ("auto", kind):
            raise ArgumentError(f"{type(self).__name__} predicts {self.kind}, but the targets are {kind_of(y)}")
        if kind == CLASSES:
            self._check_classes(y)
        elif not bool(y.isfinite().all()):
            raise ArgumentError("targets hold NaN or infinite numbers; leave these items out")
        self.kind_, self.width_ = kind, x.shape[1]
        self.constant_ = y[0].numpy() if bool((y == y[0]).all()) else None
        self.shape_ = tuple(y.shape[1:])
        self.estimator_ = None
        if self.constant_ is None:
            self.estimator_ = self._fitted(x, y.flatten(1).numpy() if y.dim() > 2 else y.numpy())
        del progress
        return self

    def predict(self, inputs: Any, *, progress: Progress | None = None) -> Tensor:
        """Predicted classes `[n]` int64, or numbers `[n]` or `[n, k]` float32."""
        del progress
        x = self._checked(inputs)
        if self.kind_ == CLASSES:
            return self._prob(x).argmax(dim=1)
        if self.constant_ is not None:
            return torch.from_numpy(np.repeat(self.constant_[None], len(x), axis=0)).float()
        said = torch.from_numpy(np.asarray(self.estimator_.predict(x))).float()
        return said.reshape(len(x), *self.shape_)

    def score(self, inputs: Any, targets: Any, *, progress: Progress | None = None) -> float:
        """Accuracy, or root mean squared error."""
        return self.measure(self.predict(inputs, progress=progress), torch.as_tensor(targets))

    def measure(self, predictions: Tensor, targets: Tensor) -> float:
        """The learner's metric of predictions."""
        if self.metric == ACCURACY:
            return accuracy(predictions, targets)
        return float((predictions.double() - targets.double().cpu()).square().mean().sqrt())

    def describe(self, inputs: Any, attributes: Collection[str], *, progress: Progress | None = None) -> Data:
        """`Data` with the asked attributes: `x` `[n, d]` float32, and of classes `prob` `[n, c]` float32."""
        del progress
        x = self._checked(inputs)
        check_attributes(self, attributes, self.outputs)
        data = Data()
        if "x" in attributes:
            data.x = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
        if "prob" in attributes:
            data.prob = self._prob(x).float()
        return data

    def _prob(self, x: NDArray[Any]) -> Tensor:
        """Class probabilities `[n, c]` float64; 0 for classes without a label yet."""
        known = [int(self.constant_)] if self.constant_ is not None else self.estimator_.classes_.tolist()
        prob = torch.zeros(len(x), max(self.num_classes or 0, max(known) + 1), dtype=torch.float64)
        if self.constant_ is not None:
            prob[:, known] = 1.0
        elif hasattr(self.estimator_, "predict_proba"):
            prob[:, known] = torch.from_numpy(np.asarray(self.estimator_.predict_proba(x), dtype=np.float64))
        else:
            prob[torch.arange(len(x)), torch.from_numpy(np.asarray(self.estimator_.predict(x), dtype=np.int64))] = 1.0
        return prob

    def _fitted(self, x: NDArray[Any], y: NDArray[Any]) -> Any:
        estimator = self.make_estimator(self.kind_, len(x))
        try:
            with warnings.catch_warnings():
                # With a few labels nearly everything is separable, and more steps would change nothing.
                warnings.simplefilter("ignore", ConvergenceWarning)
                return estimator.fit(x, y)
        except Exception as error:  # whatever an estimator does
            raise TrainingError(
                f"{type(estimator).__name__} cannot be fitted to {len(x)} items: {type(error).__name__}: {error}"
            ) from error

    def _check_classes(self, y: Tensor) -> None:
        if y.dim() != 1 or y.dtype != torch.int64:
            raise ArgumentError(f"targets must be classes [{len(y)}] int64, or numbers, got {kind_of(y)}")
        low, high = int(y.min()), int(y.max())
        if low < 0 or (self.num_classes is not None and high >= self.num_classes):
            raise ArgumentError(
                f"targets must be classes from 0 to {(self.num_classes or high + 1) - 1}, got {low} to {high}; "
                "num_classes says how many classes there are"
            )

    def _checked(self, inputs: Any) -> NDArray[Any]:
        if not hasattr(self, "kind_"):
            raise ArgumentError(f"this {type(self).__name__} is not fitted; call fit first")
        x = _rows(inputs)
        if x.shape[1] != self.width_:
            raise ArgumentError(f"items have {x.shape[1]} features, but fit was given {self.width_}")
        return x


def _rows(inputs: Any) -> NDArray[Any]:
    """Items as rows of numbers, `[n, d]`."""
    values = inputs.detach().cpu().numpy() if isinstance(inputs, Tensor) else inputs
    if not isinstance(values, np.ndarray) or values.ndim < 2 or values.dtype.kind not in "biuf":
        raise ArgumentError(f"items must be rows of features [n, d], got {kind_of(inputs)}")
    return values.reshape(len(values), int(np.prod(values.shape[1:])))


class SklearnLearner(EstimatorLearner):
    """Any scikit-learn classifier or regressor as a learner.

    >>> from sklearn.ensemble import RandomForestClassifier
    >>> learner = SklearnLearner(RandomForestClassifier(n_estimators=5))
    >>> learner.outputs, learner.metric.name
    (('x', 'prob'), 'accuracy')

    Args:
        estimator: Unfitted; it is copied for each fit. One without `predict_proba` is certain of every class.
        num_classes: Classes; by default the largest target seen in `fit` plus 1.
        seed: Becomes the estimator's `random_state`, and those of what it is made of, where they have one.
    """

    def __init__(self, estimator: Any = None, *, num_classes: int | None = None, seed: int = 0) -> None:
        self.estimator, self.num_classes, self.seed = estimator, num_classes, seed

    @property
    def kind(self) -> str:
        """`"classes"` or `"numbers"`, as the estimator is for."""
        return NUMBERS if _is_estimator(self.estimator) and is_regressor(self.estimator) else CLASSES

    def check_parameters(self) -> None:
        """Check the constructor's arguments, as `fit` does first.

        Raises:
            ArgumentError: One cannot be used.
        """
        super().check_parameters()
        check_instance("estimator", self.estimator)
        if not _is_estimator(self.estimator):
            raise ArgumentError(
                f"estimator must be a scikit-learn classifier or regressor such as LogisticRegression(), "
                f"got {kind_of(self.estimator)}"
            )

    def make_estimator(self, targets: str, n: int) -> Any:
        """A copy of the estimator with seeds."""
        del targets, n
        made = cast(Any, clone(self.estimator))
        seeds = [name for name in made.get_params() if name.rpartition("__")[2] == "random_state"]
        return made.set_params(**dict.fromkeys(seeds, self.seed % 2**32))


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "get_params") and (is_classifier(value) or is_regressor(value))


class _StandardizedLearner(EstimatorLearner):
    """One of this package's own models on standardized features, for classes or numbers as `predicts` says."""

    predicts: Predicts

    @property
    def kind(self) -> str:
        """What is predicted, as far as it is known."""
        return self.predicts

    def check_parameters(self) -> None:
        """Check the constructor's arguments, as `fit` does first.

        Raises:
            ArgumentError: One cannot be used.
        """
        super().check_parameters()
        check_choice("predicts", self.predicts, ("auto", CLASSES, NUMBERS))

    def make_estimator(self, targets: str, n: int) -> Any:
        """Standardization, then the model."""
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), self.make_model(targets, n))

    @abstractmethod
    def make_model(self, targets: str, n: int) -> Any:
        """A new model; the arguments are those of `make_estimator`."""


class LinearLearner(_StandardizedLearner):
    """Logistic regression of classes, ridge regression of numbers, on standardized features; takes milliseconds.

    Args:
        l2: Strength of the L2 penalty: `C = 1 / l2` of scikit-learn's `LogisticRegression`, `alpha` of `Ridge`.
        predicts: `"classes"`, `"numbers"`, or `"auto"`, by what the targets are.
        num_classes: Classes; by default the largest target seen in `fit` plus 1.
        seed: Of nothing: both are solved exactly.
    """

    def __init__(
        self, *, l2: float = 1.0, predicts: Predicts = "auto", num_classes: int | None = None, seed: int = 0
    ) -> None:
        self.l2, self.predicts, self.num_classes, self.seed = l2, predicts, num_classes, seed

    def check_parameters(self) -> None:
        """Check the constructor's arguments, as `fit` does first.

        Raises:
            ArgumentError: One cannot be used.
        """
        super().check_parameters()
        check_number("l2", self.l2, low=0, open_low=True)

    def make_model(self, targets: str, n: int) -> Any:
        """The linear model."""
        from sklearn.linear_model import LogisticRegression, Ridge

        del n
        return LogisticRegression(C=1 / self.l2, max_iter=300) if targets == CLASSES else Ridge(alpha=self.l2)


class KNNLearner(_StandardizedLearner):
    """The nearest labeled items decide, each by 1 over its distance; on standardized features.

    Args:
        n_neighbors: How many; all there are, where fewer are labeled.
        predicts: `"classes"`, `"numbers"`, or `"auto"`, by what the targets are.
        num_classes: Classes; by default the largest target seen in `fit` plus 1.
        seed: Of nothing.
    """

    def __init__(
        self, *, n_neighbors: int = 5, predicts: Predicts = "auto", num_classes: int | None = None, seed: int = 0
    ) -> None:
        self.n_neighbors, self.predicts, self.num_classes, self.seed = n_neighbors, predicts, num_classes, seed

    def check_parameters(self) -> None:
        """Check the constructor's arguments, as `fit` does first.

        Raises:
            ArgumentError: One cannot be used.
        """
        super().check_parameters()
        check_whole("n_neighbors", self.n_neighbors)

    def make_model(self, targets: str, n: int) -> Any:
        """The neighbors."""
        from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

        kind = KNeighborsClassifier if targets == CLASSES else KNeighborsRegressor
        return kind(min(self.n_neighbors, n), weights="distance")


class GaussianProcessLearner(_StandardizedLearner):
    """An exact Gaussian process with a Gaussian kernel and noise, on standardized features; for some hundred labels.

    Numbers are regressed exactly; classes by Laplace's approximation, one against the rest. Fitting takes time cubic
    in the number of labels, and several fits: length scale and noise maximize the marginal likelihood. For numbers
    `target_samples` holds the mean minus and plus the posterior deviation, so that their variance is the posterior's.

    Args:
        predicts: `"classes"`, `"numbers"`, or `"auto"`, by what the targets are.
        num_classes: Classes; by default the largest target seen in `fit` plus 1.
        seed: Of the optimizer.
    """

    def __init__(self, *, predicts: Predicts = "auto", num_classes: int | None = None, seed: int = 0) -> None:
        self.predicts, self.num_classes, self.seed = predicts, num_classes, seed

    @property
    def outputs(self) -> tuple[str, ...]:
        """Attributes that `describe` can give."""
        return ("x", "target_samples") if getattr(self, "kind_", self.kind) == NUMBERS else ("x", "prob")

    def make_model(self, targets: str, n: int) -> Any:
        """The process."""
        from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        del n
        kernel = ConstantKernel(1.0) * RBF(float(self.width_) ** 0.5)
        if targets == CLASSES:
            return GaussianProcessClassifier(kernel, random_state=self.seed % 2**32)
        kernel += WhiteKernel(0.1)
        return GaussianProcessRegressor(kernel, normalize_y=True, random_state=self.seed % 2**32)

    def describe(self, inputs: Any, attributes: Collection[str], *, progress: Progress | None = None) -> Data:
        """`Data` with the asked attributes; of numbers `target_samples` `[n, 2, k]` too."""
        rest = [name for name in attributes if name != "target_samples" or "target_samples" not in self.outputs]
        data = super().describe(inputs, rest, progress=progress)
        if len(rest) < len(set(attributes)):
            x = self._checked(inputs)
            mean, deviation = self.predict(inputs).double().reshape(len(x), -1), torch.zeros(len(x), 1).double()
            if self.estimator_ is not None:
                _, spread = self.estimator_.predict(x, return_std=True)
                deviation = torch.from_numpy(np.asarray(spread)).reshape(len(x), -1)
            data.target_samples = torch.stack([mean - deviation, mean + deviation], dim=1).float()
        return data
