"""Variational adversarial active learning."""

from dataclasses import dataclass, replace
from typing import ClassVar

from seqgcn.selectors.adversarial import AdversarialOptions, train_vaal
from seqgcn.selectors.selector import Query, Selection, Selector


@dataclass(frozen=True, kw_only=True)
class VAAL(AdversarialOptions, Selector):
    r"""Picks the images that a discriminator is surest are unlabeled (Sinha, Ebrahimi, Darrell, ICCV 2019).

    .. math:: \arg\min_{i \in U} D(\mu(x_i))

    :math:`\mu` is the mean code of a beta-VAE trained on labeled and unlabeled images to reconstruct them and to
    make all look labeled; D, trained against it, the probability that a code is of a labeled image. It never sees
    a target, so it serves every task. The defaults are sized for a CPU: the paper's networks are larger, and it
    trains them for longer.

    The score is :math:`1 - D`. Details: `confidence` `[n]`, D; `loss` `[steps]`, the VAE's; `discriminator_loss`
    `[(steps + 1) // 2]`. The arguments are those of `AdversarialOptions`; a step takes `batch_size` labeled and as
    many unlabeled images.
    """

    requires: ClassVar[tuple[str, ...]] = ("image",)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        images = query.images()
        query.require_labels(type(self).__name__)
        trained = train_vaal(images, query.labelled, query.candidates, self, progress=query.progress)
        # By the logit, as probabilities near 1 round to 1.
        picks = query.highest(
            -trained.logit,
            confidence=trained.logit.sigmoid(),
            loss=trained.loss,
            discriminator_loss=trained.discriminator_loss,
        )
        return replace(picks, score=picks.score.sigmoid())
