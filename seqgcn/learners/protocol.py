"""What the loop asks of a learner, and with it what your own needs.

Four ways to bring your own, the shortest first:

1. **Embeddings in a file**: `seqgcn select --features FILE` asks for no learner.
2. **A `torch.nn.Module` that classifies**: `TorchLearner` is all that is here, for any network and the path of one of
   its layers; weights may come from a checkpoint.
3. **A `torch.nn.Module` that estimates hand poses from depth crops**: `TorchPoseLearner`, alike.
4. **Anything else**: a class with the members of `Learner`. Nothing is inherited; `sklearn.base.BaseEstimator` brings
   `get_params` and `set_params`.

In Python an object is given to `seqgcn.runs.loop.ActiveLearning`. On the command line a class is named by its import
path, `--learner my_package.my_module:MyLearner`, for `run` and `select`; `--set learner.NAME=VALUE` gives arguments of
its constructor. What the loop sets by itself, it sets where the constructor has it: `seed` (always), `device`,
`num_classes` (where it is None), `warm_start`. A class attribute `task`, `"classification"` or `"pose"`, has data sets
of the other refused; without one, any data set is taken.

Inputs are what the data set holds and `inputs[ids]` gives: images `[n, c, h, w]` uint8 with classes `[n]` int64, or
`seqgcn.datasets.hands.HandFrames` with joints `[n, J, 3]` in mm.
"""

from collections.abc import Collection, Mapping
from typing import Any, Protocol, Self, runtime_checkable

from torch import Tensor
from torch_geometric.data import Data

from seqgcn.evaluation import Metric
from seqgcn.training import Progress


@runtime_checkable
class Learner(Protocol):
    """Anything with these methods can be trained by the loop and describe the pool to a selector.

    `sklearn.base.clone` must give an untrained copy (a `BaseEstimator`, or anything with `get_params`), and
    `seed` must be one of its parameters.
    """

    metric: Metric
    """What `score` returns."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Attributes that `describe` can give, as the learner's parameters are."""

    def check_parameters(self) -> None:
        """Raise an `ArgumentError` if a constructor argument cannot be used."""

    def fit(self, inputs: Any, targets: Tensor, *, unconfirmed: int = 0, progress: Progress | None = None) -> Self:
        """Train on labeled inputs, the first axis of both being items; return self.

        Of the last `unconfirmed` items nobody has confirmed the target, so that nothing may be measured against them.
        """

    def predict(self, inputs: Any, *, progress: Progress | None = None) -> Tensor:
        """Predicted target of each input, `[n]` or `[n, k]`."""

    def score(self, inputs: Any, targets: Tensor, *, progress: Progress | None = None) -> float:
        """The learner's metric on labeled inputs."""

    def describe(self, inputs: Any, attributes: Collection[str], *, progress: Progress | None = None) -> Data:
        """`Data` with the asked attributes of every input (`x` `[n, d]`, `prob` `[n, c]`, ...), in one pass."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor arguments by name, scikit-learn's manner."""

    def set_params(self, **params: Any) -> Self:
        """Change constructor arguments by name; return self."""


@runtime_checkable
class Diagnosed(Protocol):
    """A learner that measures more than its metric, for the journal."""

    def diagnose(self, inputs: Any, targets: Tensor, *, progress: Progress | None = None) -> Mapping[str, float]:
        """Further measures on labeled inputs, by name."""


@runtime_checkable
class RestorableLearner(Learner, Protocol):
    """A learner whose weights can be put away and taken back, as `warm_start` needs."""

    def state(self) -> dict[str, Tensor]:
        """Everything `fit` has learned, by name."""

    def restore(self, state: dict[str, Tensor]) -> Self:
        """Take over an earlier `state()` and return self, as if just fitted."""


@runtime_checkable
class MemberLearner(RestorableLearner, Protocol):
    """A learner that can be a member of an `Ensemble`; `batch_seed` and `width` are parameters of it."""

    def measure(self, predictions: Tensor, targets: Tensor) -> float:
        """The learner's metric of predictions."""
