"""Picks by the loss that a module on top of the learner's network predicts."""

from dataclasses import dataclass
from typing import ClassVar

from seqgcn.selectors.extensions import Extension, LossPrediction, own_fields
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.utils.former_names import former_arguments


@former_arguments(share="detach_after")
@dataclass(frozen=True, kw_only=True)
class LearningLoss(LossPrediction, Selector):
    r"""Largest predicted loss, :math:`\max_i \hat l_i` (Yoo, Kweon, CVPR 2019).

    In the loop a module that predicts each item's loss is trained together with the network, from the features of
    some of its layers. It only has to rank: for pairs of items,

    .. math:: \max(0, -\mathrm{sign}(l_i - l_j)\,(\hat l_i - \hat l_j) + \xi)

    (equation 2). The score is the predicted loss, whose scale means nothing. The arguments are those of
    `LossPrediction`.
    """

    requires: ClassVar[tuple[str, ...]] = ("loss_pred",)

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """The module that predicts losses."""
        return (LossPrediction(**own_fields(self, LossPrediction)),)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        return query.highest(query.predicted_loss())
