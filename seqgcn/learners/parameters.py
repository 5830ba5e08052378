"""What is checked of the constructor arguments that all learners of a network have."""

from numbers import Integral
from typing import Any

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors.extensions import LossPrediction
from seqgcn.utils.validation import check_bool, check_choice, check_number, check_whole


def check_network_parameters(learner: Any, least: int, count: str, optional: tuple[str, ...]) -> None:
    """Check what says how a network is trained.

    Args:
        learner: A `NetworkLearner`.
        least: The smallest number of epochs and of passes with dropout.
        count: Its parameter for how many outputs there are, if it has one.
        optional: Parameters that may be None.

    Raises:
        ArgumentError: One has another type, or is out of range.
    """

    def given(name: str) -> bool:
        return hasattr(learner, name) and not (getattr(learner, name) is None and name in optional)

    for name, low in (("epochs", least), ("batch_size", 1), (count, 1), ("batch_seed", 0)):
        if given(name):
            check_whole(name, getattr(learner, name), low=low)
    if given("lr"):
        check_number("lr", learner.lr, low=0, open_low=True)
    check_number("validation", learner.validation, low=0, high=1, open_high=True)
    check_number("weight_decay", learner.weight_decay, low=0)
    if check_whole("samples", learner.samples, low=least) == 1:
        than = "at least" if least else "0 or at least"
        raise ArgumentError(f"samples must be {than} 2, as one pass never disagrees with itself, got 1")
    check_choice("precision", learner.precision, ("auto", "float32", "bfloat16"))
    check_bool("warm_start", learner.warm_start)
    check_seed(learner.seed)
    if not isinstance(learner.device, str):
        raise ArgumentError(f"device must be a name such as 'auto', 'cpu' or 'cuda:1', got {learner.device!r}")
    if not isinstance(learner.loss_prediction, LossPrediction | None):
        raise ArgumentError(
            "loss_prediction must be None or a LossPrediction of seqgcn.selectors.extensions, got "
            f"{learner.loss_prediction!r}"
        )


def check_seed(seed: Any) -> None:
    """Raise an `ArgumentError` unless a seed is a whole number, of either sign."""
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise ArgumentError(f"seed must be a whole number, got {seed!r}")
