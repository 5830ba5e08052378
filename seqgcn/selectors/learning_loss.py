"""Picks by the loss that a module on top of the learner's network predicts."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from seqgcn.extensions import Extension, LossPrediction
from seqgcn.selectors.base import Query, Selection, Selector


@dataclass(frozen=True, kw_only=True)
class LearningLoss(Selector):
    r"""Largest predicted loss, :math:`\max_i \hat l_i` (Yoo, Kweon, CVPR 2019).

    In the loop a module that predicts each item's loss is trained together with the network, from the features of
    some of its layers. It only has to rank: for pairs of items,

    .. math:: \max(0, -\mathrm{sign}(l_i - l_j)\,(\hat l_i - \hat l_j) + \xi)

    (equation 2). The score is the predicted loss, whose scale means nothing.

    Args:
        modules: Paths of the network's modules whose output the loss is predicted from, such as `stages.0`; none for
            those that the network names itself.
        weight: Of the module's loss beside the task's, lambda.
        margin: xi of the ranking loss.
        share: Of the epochs, after which gradients no longer flow from the module into the network.
        loss: `"ranking"`, or `"mse"`, which has to follow the scale of a loss that shrinks.
        hidden_channels: Features taken from each module's output.
    """

    needs: ClassVar[tuple[str, ...]] = ("loss_pred",)

    modules: tuple[str, ...] = ()
    weight: float = 1.0
    margin: float = 1.0
    share: float = 0.6
    loss: Literal["ranking", "mse"] = "ranking"
    hidden_channels: int = 128

    def __post_init__(self) -> None:
        _ = self.extensions

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """The module that predicts losses."""
        return (
            LossPrediction(
                modules=self.modules,
                weight=self.weight,
                margin=self.margin,
                share=self.share,
                loss=self.loss,
                hidden_channels=self.hidden_channels,
            ),
        )

    def _answer(self, query: Query) -> Selection:
        return query.highest(query.predicted_loss())
