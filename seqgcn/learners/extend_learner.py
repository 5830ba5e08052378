"""Giving a learner what a strategy adds to training."""

from collections.abc import Iterable
from typing import cast

from sklearn.base import clone

from seqgcn.exceptions import ArgumentError
from seqgcn.learners.ensemble import Ensemble
from seqgcn.learners.fitted import how_to_output
from seqgcn.learners.protocol import Learner, MemberLearner
from seqgcn.selectors.extensions import EnsembleOptions, Extension
from seqgcn.selectors.selector import Selector


def extended(learner: Learner, extensions: Iterable[Extension]) -> Learner:
    """An unfitted learner that also does what a selector's `extensions` say; the learner itself if there are none.

    One that predicts its loss already goes on doing it in its own way.

    Raises:
        ArgumentError: The learner cannot be extended that way.
    """
    for extension in extensions:
        if isinstance(extension, EnsembleOptions):
            if isinstance(learner, Ensemble):
                raise ArgumentError("the learner is an ensemble already; give its members to the selector alone")
            warm_start = bool(learner.get_params().get("warm_start", False))
            member = cast(MemberLearner, clone(learner))
            learner = Ensemble(learner=member, members=extension, warm_start=warm_start)
        elif "loss_pred" not in learner.outputs:
            if "loss_prediction" not in learner.get_params():
                raise ArgumentError(f"{_name(learner)} has no parameter loss_prediction, so its loss is not predicted")
            learner = clone(learner).set_params(loss_prediction=extension)
        learner.check_parameters()
    return learner


def with_classes(learner: Learner, count: int) -> Learner:
    """An unfitted learner that knows how many classes there are; the first labels need not hold every class."""
    # Also of an ensemble's members, whose parameters are listed as learner__parameter.
    unset = [k for k, v in learner.get_params().items() if k.rpartition("__")[2] == "num_classes" and v is None]
    return cast(Learner, clone(learner)).set_params(**dict.fromkeys(unset, count)) if unset else learner


def with_task(learner: Learner, task: str | None) -> Learner:
    """An unfitted learner that knows whether it predicts classes or numbers, where its targets would have to tell.

    Args:
        learner: One with a parameter `predicts` that is `"auto"`, or any other, which stays as it is.
        task: `"classification"` or another; None if it is not known.
    """
    if task is None or learner.get_params().get("predicts") != "auto":
        return learner
    predicts = "classes" if task == "classification" else "numbers"
    return cast(Learner, clone(learner)).set_params(predicts=predicts)


def classes_of(learner: Learner) -> int:
    """How many classes a learner was told there are; 0 if it was not."""
    # Also of an ensemble's members, whose parameters are listed as learner__parameter.
    told = (v for k, v in learner.get_params().items() if k.rpartition("__")[2] == "num_classes")
    return next((count for count in told if isinstance(count, int)), 0)


def check_served(learner: Learner, selector: Selector) -> None:
    """Check that a learner gives what a selector needs of every item.

    Raises:
        ArgumentError: It does not; the message says what, and what it gives.
    """
    missing = selector.missing(learner.outputs)
    if missing:
        raise ArgumentError(
            f"{type(selector).__name__} needs {', '.join(missing)} of every item, which {_name(learner)} does not give "
            f"(it gives {', '.join(learner.outputs)}){how_to_output(learner, missing)}"
        )


def _name(learner: Learner) -> str:
    return type(learner).__name__
