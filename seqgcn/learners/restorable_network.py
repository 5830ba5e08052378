"""What a learner's network is made from, and how it is put away and taken back."""

import copy
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from seqgcn.exceptions import ArgumentError
from seqgcn.learners.devices import resolve_device
from seqgcn.learners.fitted import check_fitted, copy_weights, load_weights
from seqgcn.learners.loss_prediction import LossPredictor, saved_channels
from seqgcn.learners.parameters import check_network_parameters
from seqgcn.learners.saved_learner import SavedLearner
from seqgcn.selectors.extensions import LossPrediction
from seqgcn.utils.seeding import seeded


class RestorableNetwork(BaseEstimator, SavedLearner):  # type: ignore[misc]  # scikit-learn is untyped
    """The part of `NetworkLearner` that makes a network anew from its sizes and its weights."""

    loss_prediction: LossPrediction | None
    device: str

    _count: ClassVar[str]
    """Parameter for how many outputs the network has."""
    _usual_sizes: ClassVar[Mapping[str, int]]
    """Fitted attributes that `make_network` is given, and their values where a network is built only to be checked."""
    _fitted: ClassVar[tuple[str, ...]]
    """Fitted attributes in `state()`, besides the weights."""
    _least: ClassVar[int] = 1
    """The smallest number of epochs and of samples."""
    _optional: ClassVar[tuple[str, ...]] = ("num_classes", "num_joints", "batch_seed")
    """Parameters that may be None."""
    module_: Any
    predictor_: LossPredictor | None

    @abstractmethod
    def make_network(self, sizes: Mapping[str, int]) -> nn.Module:
        """New network of these sizes, fitted attributes by name."""

    def state(self) -> dict[str, Tensor]:
        """Copies of the fitted learner's weights, and of what else it has learned, by name, for `torch.save`.

        Raises:
            ArgumentError: The learner is not fitted.
        """
        check_fitted(self)
        others = {name: torch.as_tensor(getattr(self, name)) for name in self._fitted}
        return copy_weights(self.module_, self.predictor_, **others)

    def restore(self, state: Mapping[str, Tensor]) -> Self:
        """Take over an earlier `state()` and return self, as if just fitted.

        Raises:
            ArgumentError: It is the state of another network, or does not say how many outputs there are, and the
                constructor was not told either.
        """
        self._check_values()
        if f"{self._count}_" not in state and getattr(self, self._count, 0) is None:
            raise ArgumentError(f"restore needs {self._count} to be given to the constructor")
        device = resolve_device(self.device)
        fresh = copy.copy(self)  # so that a state that does not fit leaves this one as it was
        try:
            with seeded(0, device):
                sizes = fresh._sizes(state)
                fresh._take(sizes, fresh.make_network(sizes), device)
                if options := self._loss_options(fresh.module_):
                    fresh.predictor_ = LossPredictor(fresh.module_, options, channels=saved_channels(state))
                load_weights(fresh.module_, state, fresh.predictor_)
                for name in set(self._fitted) - set(sizes):
                    setattr(fresh, name, state[name].to(device))
        except (KeyError, RuntimeError, ArgumentError) as error:
            lines = (str(error) or type(error).__name__).splitlines()
            reason = f"it has no {error.args[0]}" if isinstance(error, KeyError) else lines[-1].strip()
            raise ArgumentError(f"this state is that of another network than {self._named}: {reason}") from error
        self.__dict__.update(fresh.__dict__)
        return self

    def _check_values(self) -> None:
        check_network_parameters(self, self._least, self._count, self._optional)

    @property
    def _named(self) -> str:
        """What this is, with the article, for messages."""
        return f"a {type(self).__name__}"

    def _saved(self) -> dict[str, Tensor]:
        return self.state() | {name: torch.tensor(getattr(self, name)) for name in self._usual_sizes}

    def _sizes(self, state: Mapping[str, Tensor]) -> dict[str, int]:
        """The sizes that `make_network` needs, of a state, or else as the constructor was told them."""
        asked = getattr(self, self._count, None)
        known = {**({} if asked is None else {f"{self._count}_": asked}), **state}
        return {name: int(known[name]) for name in self._usual_sizes}

    def _take(self, sizes: Mapping[str, int], module: nn.Module, device: torch.device) -> None:
        for name, value in sizes.items():
            setattr(self, name, value)
        self.module_, self.predictor_ = module.to(device), None

    def _loss_options(self, module: nn.Module) -> LossPrediction | None:
        """How the network's loss is predicted, if it is."""
        del module
        return self.loss_prediction
