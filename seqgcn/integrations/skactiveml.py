"""An adapter both ways to scikit-activeml: `pip install "seqgcn[skactiveml]"`.

`AsQueryStrategy` makes a selector one of its query strategies, `FromQueryStrategy` one of its strategies a selector.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError, MissingPackageError
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.utils.seeding import derive_seed, generator
from seqgcn.utils.validation import check_bool, check_whole, kind_of

try:
    import skactiveml.pool
    from skactiveml.base import SingleAnnotatorPoolQueryStrategy, SkactivemlClassifier
    from skactiveml.utils import MISSING_LABEL, check_equal_missing_label, is_labeled
except ImportError as error:
    raise MissingPackageError('the adapter needs scikit-activeml: pip install "seqgcn[skactiveml]"') from error

STRATEGIES: dict[str, tuple[str, ...]] = {
    "Badge": ("x", "prob"),
    "Clue": ("x", "prob"),
    "ContrastiveAL": ("x", "prob"),
    "CoreSet": ("x",),
    "Falcun": ("prob",),
    "GreedySamplingX": ("x",),
    "MaxHerding": ("x",),
    "ProbCover": ("x",),
    "RandomSampling": ("x",),
    "TypiClust": ("x",),
    "UncertaintySampling": ("prob",),
}
"""Strategies that ask of labels no more than whether they are there, and what of a pool each reads."""


class AsQueryStrategy(SingleAnnotatorPoolQueryStrategy):  # type: ignore[misc]  # scikit-activeml is untyped
    """A selector as a query strategy of scikit-activeml.

    It can be cloned, and wrapped in `SubSamplingWrapper`, as any other. `ParallelUtilityEstimationWrapper` is not
    supported: it asks for the utility of each candidate alone, and selectors pick candidates together. What a selector
    may change in training (another learner, pseudo-labels, generated items) has no place there, and is left out.

    Args:
        selector: Any selector.
        missing_label: What stands in `y` for a label that is not known.
        random_state: Seeds the selector, where it has a seed; None leaves it its own.

    >>> from seqgcn import CoreSet
    >>> strategy = AsQueryStrategy(CoreSet())
    >>> strategy.query(X=[[0.0], [1.0], [5.0], [9.0]], y=[0, np.nan, np.nan, np.nan], batch_size=2).tolist()
    [3, 2]
    """

    def __init__(self, selector: Selector, missing_label: Any = MISSING_LABEL, random_state: Any = None) -> None:
        super().__init__(missing_label=missing_label, random_state=random_state)
        self.selector = selector

    def query(
        self,
        X: Any,  # noqa: N803  # scikit-learn's name
        y: Any,
        clf: Any = None,
        fit_clf: bool = True,
        candidates: Any = None,
        batch_size: int = 1,
        return_utilities: bool = False,
        **attributes: Any,
    ) -> NDArray[np.int64] | tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Pick the samples to label next.

        Args:
            X: Embeddings of all samples, `[n, d]`, a selector's `data.x`.
            y: Labels `[n]`, `missing_label` where there is none; which class it is, no selector asks.
            clf: Classifier that gives the class probabilities, for selectors that read them: one of scikit-activeml,
                with the same `missing_label`, or any that is fitted.
            fit_clf: Whether to fit a clone of it on X and y first.
            candidates: Indices of the unlabeled samples that may be picked, all of them by default. Samples that are
                not in X cannot be candidates.
            batch_size: How many to pick.
            return_utilities: Whether to return utilities too.
            attributes: Whatever else the selector reads, as arrays: `prob` `[n, c]`, `prob_samples` `[n, t, c]`, ...

        Returns:
            Indices of the picks, `[batch_size]`, best first; with `return_utilities` also `[batch_size, n]`, in whose
            row i is the score of pick i. The rest is NaN: selectors do not score what they do not pick.

        Raises:
            ArgumentError: `selector` is none, or cannot use what it is given; or the classifier cannot.
        """
        if not isinstance(self.selector, Selector):
            raise ArgumentError(f"selector must be a Selector such as CoreSet(), got {self.selector!r}")
        features = {"dtype": [np.float64, np.float32]}
        X, y, candidates, batch_size, return_utilities = self._validate_data(  # noqa: N806
            X, y, candidates, batch_size, return_utilities, reset=True, check_X_dict=features
        )
        _, free = self._transform_candidates(candidates, X, y, enforce_mapping=True, allow_only_unlabeled=True)
        read = (*self.selector.requires, *self.selector.requires_any, *self.selector.optional)
        readable = {*read, "edge_index", "edge_weight"} - {"x"}
        unknown = sorted(attributes.keys() - readable)
        if unknown:
            raise ArgumentError(
                f"query takes no {', '.join(unknown)}; as arrays {type(self.selector).__name__} takes "
                f"{', '.join(sorted(readable))}"
            )
        if clf is not None and "prob" in readable and "prob" not in attributes:
            check_bool("fit_clf", fit_clf)
            self._check_classifier(clf, fit_clf)
            attributes["prob"] = (clone(clf).fit(X, y) if fit_clf else clf).predict_proba(X)
        data = Data(x=torch.tensor(X), **{name: torch.tensor(np.asarray(array)) for name, array in attributes.items()})
        data.train_mask = torch.tensor(is_labeled(y, missing_label=self.missing_label_))
        data.pool_mask = torch.zeros(len(X), dtype=torch.bool)
        data.pool_mask[torch.tensor(free)] = True
        selector = self.selector
        if self.random_state is not None and "seed" in {field.name for field in fields(selector)}:
            selector = replace(selector, **{"seed": int(self.random_state_.randint(2**31 - 1))})
        selection = selector.select(data, batch_size)
        picks = selection.index.numpy()
        if not return_utilities:
            return picks
        utilities = np.full((batch_size, len(X)), np.nan)
        utilities[np.arange(batch_size), picks] = selection.score.numpy()
        return picks, utilities

    def _check_classifier(self, clf: Any, fit_clf: bool) -> None:
        if not hasattr(clf, "predict_proba"):
            raise ArgumentError(f"clf must be a classifier with predict_proba, got {kind_of(clf)}")
        if not fit_clf:
            return
        if not isinstance(clf, SkactivemlClassifier):
            raise ArgumentError(
                f"clf is to be fitted to labels that are missing in part, which {type(clf).__name__} would take for a "
                "class; wrap it in skactiveml.classifier.SklearnClassifier, or fit it and give fit_clf=False"
            )
        try:
            check_equal_missing_label(clf.missing_label, self.missing_label)
        except (TypeError, ValueError) as error:
            raise ArgumentError(
                f"missing_label of clf is {clf.missing_label!r}, but that of the strategy {self.missing_label!r}; "
                "give both the same"
            ) from error


@dataclass(frozen=True, kw_only=True)
class FromQueryStrategy(Selector):
    """A query strategy of scikit-activeml as a selector, on a random part of the candidates.

    It sees the embeddings and which items are labeled, not the labels themselves, and takes the class probabilities
    of the pool for those of its classifier. So only the strategies of `STRATEGIES` can be used. It runs on the CPU.

    The score is the utility of each item when it was picked, whatever the strategy means by that.

    Args:
        strategy: One of the strategies, or its name. Its `random_state` and `missing_label` are set from here.
        subset: Candidates drawn and shown to the strategy, beside all labeled items: many of them need memory
            with the square of both together.
        seed: Of the draw, and the strategy's `random_state`.
    """

    requires: ClassVar[tuple[str, ...]] = ("x",)

    strategy: str | SingleAnnotatorPoolQueryStrategy = "TypiClust"
    subset: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("subset", self.subset)
        check_whole("seed", self.seed, low=0)
        name = self.strategy if isinstance(self.strategy, str) else type(self.strategy).__name__
        kind = getattr(skactiveml.pool, name, None) if name in STRATEGIES else None
        if kind is None or not (isinstance(self.strategy, str) or type(self.strategy) is kind):
            raise ArgumentError(
                f"strategy must be one of {', '.join(STRATEGIES)}, by name or as an object, got {self.strategy!r}; "
                "others ask for labels or for a model to train, which a pool does not hold"
            )
        if name == "ProbCover" and getattr(self.strategy, "n_classes", None) is None:
            raise ArgumentError("ProbCover counts the classes among labels, which a pool does not hold; set n_classes")
        # What is read is the strategy's affair: of this object, not of the class.
        object.__setattr__(self, "requires", STRATEGIES[name])
        if name == "ProbCover" or "prob" in self.requires:
            object.__setattr__(self, "tasks", ("classification",))

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        if self.subset < query.budget:
            raise ArgumentError(f"subset ({self.subset}) must not be smaller than the budget ({query.budget})")
        drawn = query.candidates.nonzero().squeeze(1)
        order = torch.randperm(len(drawn), generator=generator(self.seed, "candidates")).to(drawn.device)
        drawn = drawn[order[: self.subset].sort().values]
        shown = torch.cat([query.labelled.nonzero().squeeze(1), drawn])
        y = np.where(query.labelled[shown].cpu().numpy(), 0.0, np.nan)
        seed = derive_seed(self.seed, "strategy") % 2**31
        strategy = getattr(skactiveml.pool, self.strategy)() if isinstance(self.strategy, str) else clone(self.strategy)
        strategy.set_params(random_state=seed, missing_label=np.nan)
        values = query.features() if "x" in self.requires else query.probabilities()
        x = values[shown].cpu().numpy() if "x" in self.requires else None
        arguments: dict[str, Any] = {"X": x}
        if "prob" in self.requires:
            prob = query.probabilities()[shown].double().cpu().numpy()
            model = "estimator" if isinstance(strategy, skactiveml.pool.Clue) else "clf"
            # By number instead of by embedding, so that each item gets its own probabilities.
            arguments = {"X": np.arange(len(shown))[:, None], model: _Known(prob, x), f"fit_{model}": False}
        with _numpy_seeded(seed):
            picks, utilities = strategy.query(y=y, batch_size=query.budget, return_utilities=True, **arguments)
        score = torch.tensor(utilities[np.arange(query.budget), picks])
        return Selection(index=shown[torch.tensor(picks, device=shown.device)], score=score.to(values))


class _Known(SkactivemlClassifier):  # type: ignore[misc]  # scikit-activeml is untyped
    """Class probabilities `[n, c]` that are there already; samples are asked for by their number.

    Strategies take a second thing returned for the samples' embeddings; those that want none are not given any.
    """

    def __init__(self, prob: NDArray[np.float64], x: NDArray[Any] | None) -> None:
        super().__init__()
        self.prob, self.x = prob, x
        self.classes_ = np.arange(prob.shape[1])

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "_Known":  # noqa: N803, ARG002
        return self

    def predict_proba(self, X: NDArray[np.int64]) -> Any:  # noqa: N803
        rows = X[:, 0]
        # As a softmax rounds, but closer to 1 than some strategies check.
        prob = self.prob[rows] / self.prob[rows].sum(axis=1, keepdims=True)
        return prob if self.x is None else (prob, self.x[rows])


@contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """Run a block under a seeded global state of NumPy, from which some clusterings draw, then put the old one back."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
