"""What a strategy may change in training, besides which items are labeled.

A selector names `Extension`s of the learner (`Selector.extensions`), may make further items (`Selector.generate`) and
may name nodes to train on under the learner's own predictions (`Selection.pseudo`). The loop carries all three out, and
writes items without a true label apart from the labeled ones.
"""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from seqgcn.exceptions import ArgumentError
from seqgcn.utils.former_names import former_arguments
from seqgcn.utils.validation import check_bool, check_choice, check_number, check_whole

if TYPE_CHECKING:
    from torch import Tensor


@former_arguments(share="detach_after")
@dataclass(frozen=True, kw_only=True)
class LossPrediction:
    """A module on top of a network that learns to predict each item's loss (Yoo, Kweon, CVPR 2019).

    Args:
        modules: Paths of the network's modules whose output the loss is predicted from, such as `stages.0`; none for
            those that the network names itself.
        weight: Weight of the module's loss beside the task's (lambda).
        margin: Margin of the ranking loss (xi).
        detach_after: Share of the epochs after which gradients no longer flow from the module into the network.
        loss: Loss of the predicted losses: `"ranking"`, or `"mse"`, which has to follow the scale of a loss that
            shrinks.
        hidden_channels: Features taken from each module's output.
    """

    modules: tuple[str, ...] = ()
    weight: float = 1.0
    margin: float = 1.0
    detach_after: float = 0.6
    loss: Literal["ranking", "mse"] = "ranking"
    hidden_channels: int = 128

    def __post_init__(self) -> None:
        if not isinstance(self.modules, tuple | list) or not all(isinstance(path, str) for path in self.modules):
            raise ArgumentError(f"modules must be a tuple of module paths such as ('stages.0',), got {self.modules!r}")
        # Hashable, and equal to the same modules as a tuple.
        object.__setattr__(self, "modules", tuple(self.modules))
        check_number("weight", self.weight, low=0)
        check_number("margin", self.margin, low=0)
        check_number("detach_after", self.detach_after, low=0, high=1)
        check_choice("loss", self.loss, ("ranking", "mse"))
        check_whole("hidden_channels", self.hidden_channels)


@former_arguments(members="n_members")
@dataclass(frozen=True, kw_only=True)
class EnsembleOptions:
    """Several networks instead of one (Beluch et al., CVPR 2018).

    Args:
        n_members: Number of networks, at least two.
        width: Factor on the channels of each member's network, its capacity.
        same_initialisation: Whether all members start from the same weights.
        same_batches: Whether all members see the same mini-batches in the same order.
    """

    n_members: int = 5
    width: float = 1.0
    same_initialisation: bool = False
    same_batches: bool = False

    def __post_init__(self) -> None:
        if check_whole("n_members", self.n_members) < 2:
            raise ArgumentError("n_members must be at least 2, as one network never disagrees with itself, got 1")
        check_number("width", self.width, low=0, open_low=True)
        check_bool("same_initialisation", self.same_initialisation)
        check_bool("same_batches", self.same_batches)
        if self.same_initialisation and self.same_batches:
            raise ArgumentError("same_initialisation and same_batches together make all members one; leave one of them")


Members = EnsembleOptions
"""The former name."""

Extension = LossPrediction | EnsembleOptions


def own_fields(options: Any, kind: type) -> dict[str, Any]:
    """Values of the fields that options have of one of their base classes."""
    return {item.name: getattr(options, item.name) for item in fields(kind)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Generated:
    """Items that a strategy made.

    Args:
        images: `[m, c, h, w]` uint8.
        targets: The class each was made for, `[m]` int64.
        source: Row of the labeled image each was made from, `[m]` int64.
    """

    images: "Tensor"
    targets: "Tensor"
    source: "Tensor"
