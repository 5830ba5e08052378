"""What learners that train one network share as objects: whose loss can be predicted, and whose batches have a seed."""

from abc import abstractmethod
from collections.abc import Collection
from typing import Any

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from seqgcn.exceptions import ArgumentError
from seqgcn.learners.loss_prediction import RANK_CORRELATION, LossPredictor, attach, find_modules, rank_correlation
from seqgcn.selectors.extensions import LossPrediction
from seqgcn.training import Progress
from seqgcn.utils.seeding import derive_seed, seeded
from seqgcn.utils.validation import check_number, check_whole


class NetworkLearner(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """A learner of one network; subclasses are dataclasses with the parameters named here."""

    samples: int
    width: float
    loss_prediction: LossPrediction | None
    batch_seed: int | None
    seed: int
    predictor_: LossPredictor | None
    module_: nn.Module

    def diagnose(self, inputs: Any, targets: Tensor, *, progress: Progress | None = None) -> dict[str, float]:
        """Rank correlation of predicted and real loss, where the loss is predicted."""
        if self.loss_prediction is None:
            return {}
        predicted: Tensor = self._forward(inputs, ("loss_pred",), progress, "test")["loss_pred"]
        return {RANK_CORRELATION: rank_correlation(predicted, self.item_losses(inputs, targets, progress=progress))}

    def _check_network(self) -> None:
        if check_whole("samples", self.samples) < 2:
            raise ArgumentError("samples must be at least 2, as one pass never disagrees with itself, got 1")
        check_number("width", self.width, low=0, open_low=True)
        if self.batch_seed is not None:
            check_whole("batch_seed", self.batch_seed, low=0)
        if not isinstance(self.loss_prediction, LossPrediction | None):
            raise ArgumentError(
                "loss_prediction must be None or a LossPrediction of seqgcn.selectors.extensions, got "
                f"{self.loss_prediction!r}"
            )

        if self.loss_prediction is not None:
            with torch.device("meta"):
                find_modules(self._blueprint(), self.loss_prediction.modules)

    def _check_fitted_with(self, attributes: Collection[str]) -> None:
        """Raise an `ArgumentError` if the network was fitted under parameters that cannot give what is asked for."""
        without_predictor = "loss_pred" in attributes and self.predictor_ is None
        without_dropout = getattr(self.module_, "dropout", 1.0) == 0
        if without_predictor or (without_dropout and {"prob_samples", "target_samples"} & set(attributes)):
            what = "loss_prediction" if without_predictor else "dropout"
            raise ArgumentError(f"{what} was set after this {type(self).__name__} was fitted; fit it again")

    @abstractmethod
    def _blueprint(self) -> nn.Module:
        """A network of the kind that is trained, whatever its sizes."""

    @property
    def _batch_seed(self) -> int:
        return self.seed if self.batch_seed is None else self.batch_seed

    def _attach(self, module: nn.Module, example: Tensor) -> LossPredictor | None:
        """Give the network what predicts its loss, if asked for; what it already has stays."""
        # Under a seed of its own, so that the network's own training draws what it would draw without.
        with seeded(derive_seed(self.seed, "loss prediction"), example.device):
            self.predictor_ = attach(self.loss_prediction, module, example, getattr(self, "predictor_", None))
        return self.predictor_
