"""The hand pose networks by name, and how those who published them trained them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from seqgcn.learners.nets import AWR, PoseNet, deep_prior, deep_prior_no_pca, deep_prior_plus, scaled


@dataclass(frozen=True)
class Recipe:
    """A network and its training; the optimizer is Adam in all cases.

    Args:
        build: New network for a crop size (px), a number of joints, one of principal axes, a dropout and a width.
        prior: Whether it composes poses of the training poses' principal axes.
        epochs: Passes over the labeled frames.
        batch_size: Frames a step.
        lr: Learning rate.
        schedule: Factor on it, as a function of the share of the epochs that is done.
        dropout: Share of hidden units dropped; None where there is no dropout.
    """

    build: Callable[[int, int, int, float, float], PoseNet]
    prior: bool
    epochs: int
    batch_size: int
    lr: float
    schedule: Callable[[float], float]
    dropout: float | None


RECIPES: dict[str, Recipe] = {
    # Trained as in the sequential GCN sampler's hand pose experiment.
    "deep-prior": Recipe(
        build=deep_prior, prior=True, epochs=60, batch_size=64, lr=1e-3, schedule=lambda _: 1.0, dropout=0.3
    ),
    # The network of that experiment's authors.
    "deep-prior-no-pca": Recipe(
        build=lambda size, joints, _, dropout, width: deep_prior_no_pca(size, joints, dropout, width),
        prior=False,
        epochs=60,
        batch_size=64,
        lr=1e-3,
        schedule=lambda _: 1.0,
        dropout=0.0,
    ),
    # A tenth of the rate for two epochs, then exp(-0.04 epoch).
    "deep-prior-plus": Recipe(
        build=lambda size, joints, components, dropout, width: deep_prior_plus(
            size, joints, components, dropout, width=width
        ),
        prior=True,
        epochs=100,
        batch_size=128,
        lr=1e-3,
        schedule=lambda done: 0.1 if done < 0.02 else math.exp(-4 * done),
        dropout=0.3,
    ),
    # A tenth of the rate from epoch 30 of 40 on.
    "awr": Recipe(
        build=lambda size, joints, _, __, width: AWR(
            size, joints, scaled(width, (64, 128, 256, 512)), *scaled(width, (256,))
        ),
        prior=False,
        epochs=40,
        batch_size=32,
        lr=1e-3,
        schedule=lambda done: 1.0 if done < 0.75 else 0.1,
        dropout=None,
    ),
}
