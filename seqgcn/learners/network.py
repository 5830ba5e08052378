"""What learners that train one network share as objects: whose loss can be predicted, and whose batches have a seed."""

from typing import Any

from sklearn.base import BaseEstimator
from torch import Tensor, nn

from seqgcn.extensions import LossPrediction
from seqgcn.learners.loss_prediction import RANK_CORRELATION, LossPredictor, attach, rank_correlation
from seqgcn.training import Progress


class NetworkLearner(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """A learner of one network; subclasses are dataclasses with the parameters named here."""

    loss_prediction: LossPrediction | None
    batch_seed: int | None
    seed: int
    predictor_: LossPredictor | None

    def diagnose(self, inputs: Any, targets: Tensor, *, progress: Progress | None = None) -> dict[str, float]:
        """Rank correlation of predicted and real loss, where the loss is predicted."""
        if self.loss_prediction is None:
            return {}
        predicted: Tensor = self._forward(inputs, ("loss_pred",), progress, "test")["loss_pred"]
        return {RANK_CORRELATION: rank_correlation(predicted, self.item_losses(inputs, targets, progress=progress))}

    @property
    def _batch_seed(self) -> int:
        return self.seed if self.batch_seed is None else self.batch_seed

    def _attach(self, module: nn.Module, example: Tensor) -> LossPredictor | None:
        """Give the network what predicts its loss, if asked for; what it already has stays."""
        self.predictor_ = attach(self.loss_prediction, module, example, getattr(self, "predictor_", None))
        return self.predictor_
