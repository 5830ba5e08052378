"""What passes with dropout, or the members of an ensemble, say together about each item.

Passes with dropout draw networks from an approximate posterior (Gal, Islam, Ghahramani, ICML 2017); the members of an
ensemble are networks trained apart (Beluch et al., CVPR 2018). The acquisitions are the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from seqgcn.selectors.extensions import EnsembleOptions, Extension, own_fields
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.selectors.uncertainty import entropy
from seqgcn.utils.former_names import former_arguments
from seqgcn.utils.validation import check_choice

Samples = Tensor


def max_entropy(samples: Samples) -> Tensor:
    r"""Entropy of the mean prediction, :math:`H[\bar p]`, nats, `[n]`, of samples `[n, t, c]`."""
    return entropy(samples.mean(dim=1))


def bald(samples: Samples) -> Tensor:
    r"""Mutual information of prediction and network, :math:`H[\bar p] - \frac1t \sum_t H[p_t] \ge 0`, nats, `[n]`."""
    return _exactly_zero_of_alike((max_entropy(samples) - entropy(samples).mean(dim=1)).clamp(min=0), samples)


def variation_ratio(samples: Samples) -> Tensor:
    r"""One minus the largest mean probability, :math:`1 - \max_c \bar p_c`, `[n]`."""
    return 1 - samples.mean(dim=1).amax(dim=1)


def vote_ratio(samples: Samples) -> Tensor:
    """Share of the passes that do not vote for the class most vote for, `[n]` (Beluch et al., equation 5)."""
    votes = samples.argmax(dim=2)
    counts = samples.new_zeros(len(samples), samples.shape[2])
    counts.scatter_add_(1, votes, torch.ones_like(votes, dtype=samples.dtype))
    return 1 - counts.amax(dim=1) / samples.shape[1]


def mean_std(samples: Samples) -> Tensor:
    r"""Standard deviation over the passes, averaged over the classes, `[n]` (Kampffmeyer et al., CVPRW 2016)."""
    return _exactly_zero_of_alike(samples.std(dim=1, correction=0).mean(dim=1), samples)


def total_variance(samples: Samples) -> Tensor:
    """Variance over the passes, summed over the coordinates, `[n]`: mm² where they are in mm."""
    return _exactly_zero_of_alike(samples.var(dim=1, correction=0).sum(dim=1), samples)


def _exactly_zero_of_alike(score: Tensor, samples: Samples) -> Tensor:
    """The score, 0 where all passes are the same: rounding leaves a residue there, which would rank."""
    return score.masked_fill((samples == samples[:, :1]).flatten(1).all(dim=1), 0.0)


@dataclass(frozen=True, kw_only=True)
class SampleSelector(Selector):
    """Picks the items that several passes are least sure of; what that is, subclasses say."""

    requires: ClassVar[tuple[str, ...]] = ("prob_samples",)
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    acquisition: ClassVar[Callable[[Tensor], Tensor]]

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        # Of the class, as a function that is an attribute of an instance would be bound to it.
        score = type(self).acquisition(query.prob_samples())
        return query.highest(score)


@dataclass(frozen=True, kw_only=True)
class MaxEntropy(SampleSelector):
    r"""Largest entropy of the passes' mean prediction, :math:`H[\bar p]` in nats (Gal et al., ICML 2017).

    The score is that entropy.
    """

    acquisition: ClassVar[Callable[[Tensor], Tensor]] = max_entropy


@dataclass(frozen=True, kw_only=True)
class BALD(SampleSelector):
    r"""Largest mutual information :math:`H[\bar p] - \frac1t \sum_t H[p_t]` (Houlsby et al. 2011; Gal et al. 2017).

    The score is that information in nats: high where each pass is sure, but of another class.
    """

    acquisition: ClassVar[Callable[[Tensor], Tensor]] = bald


@dataclass(frozen=True, kw_only=True)
class VariationRatio(SampleSelector):
    r"""Largest :math:`1 - \max_c \bar p_c` of the passes' mean prediction (Freeman 1965; Gal et al., ICML 2017).

    The score is that ratio.
    """

    acquisition: ClassVar[Callable[[Tensor], Tensor]] = variation_ratio


@dataclass(frozen=True, kw_only=True)
class MeanSTD(SampleSelector):
    """Largest standard deviation over the passes, averaged over the classes (Kampffmeyer et al., CVPRW 2016).

    The score is that deviation.
    """

    acquisition: ClassVar[Callable[[Tensor], Tensor]] = mean_std


@dataclass(frozen=True, kw_only=True)
class Variance(Selector):
    """Largest variance of the predicted targets over the passes: for poses, of all joints and axes together, mm².

    The predictive variance of regression under dropout (Gal, Ghahramani, ICML 2016). The score is that variance.
    """

    requires: ClassVar[tuple[str, ...]] = ("target_samples",)
    tasks: ClassVar[tuple[str, ...]] = ("pose",)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        return query.highest(total_variance(query.target_samples()))


ACQUISITIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "max-entropy": max_entropy,
    "bald": bald,
    "variation-ratio": variation_ratio,
    "vote-ratio": vote_ratio,
    "mean-std": mean_std,
}


@former_arguments(members="n_members")
@dataclass(frozen=True, kw_only=True)
class EnsembleSelector(EnsembleOptions, Selector):
    """What the members of an ensemble disagree on most (Beluch et al., CVPR 2018).

    In the loop the learner becomes an ensemble: its members are trained apart, and their mean is what is measured. For
    targets that are no classes, the acquisition is the variance of the members' predictions. The score is the
    acquisition's value. The remaining arguments are those of `EnsembleOptions`.

    Args:
        acquisition: Of the members' class probabilities: `"vote-ratio"` is the share that does not vote for the class
            most vote for, the others are those of passes with dropout.
    """

    requires_any: ClassVar[tuple[str, ...]] = ("prob_samples", "target_samples")

    acquisition: Literal["max-entropy", "bald", "variation-ratio", "vote-ratio", "mean-std"] = "variation-ratio"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("acquisition", self.acquisition, tuple(ACQUISITIONS))

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """Several members instead of one network."""
        return (EnsembleOptions(**own_fields(self, EnsembleOptions)),)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        if query.first_of(self.requires_any) == "target_samples":
            return query.highest(total_variance(query.target_samples()))
        return query.highest(ACQUISITIONS[self.acquisition](query.prob_samples()))
