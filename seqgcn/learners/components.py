"""Learners by name, what they are checked for, and where a user's own learner and selector come from."""

import hashlib
import inspect
import warnings
from collections.abc import Collection, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

from sklearn.base import BaseEstimator, clone
from torch import Tensor, nn
from torch_geometric.data import Data

from seqgcn.config.registry import load, make
from seqgcn.exceptions import ArgumentError
from seqgcn.learners.protocol import Learner
from seqgcn.selectors.selector import Selector
from seqgcn.utils.validation import check_instance, kind_of

MEMBERS = tuple(name for name in (*Learner.__annotations__, *vars(Learner)) if not name.startswith("_"))
"""What a learner must have."""


def new_learner(name: str, values: Mapping[str, Any], device: str) -> Learner:
    """A learner of the catalogue, or of the user's own, its parameters checked.

    Args:
        name: As for `seqgcn.config.registry.load`.
        values: Its parameters.
        device: Where it trains, for those that have this parameter.

    Raises:
        ArgumentError: It cannot be made of these, or lacks what the loop asks of a learner.
    """
    placed = {"device": device} if "device" in inspect.signature(load("learner", name)).parameters else {}
    made = check_learner(make("learner", name, {**values, **placed}))
    made.check_parameters()
    return made


def check_learner(learner: Any) -> Learner:
    """A learner that can be copied for each cycle, not its class.

    Raises:
        ArgumentError: Anything else; the message says what it lacks, and how such a thing takes part.
    """
    check_instance("learner", learner)
    _take_provides(type(learner))
    missing = [member for member in MEMBERS if not hasattr(learner, member)]
    if missing:
        raise ArgumentError(
            f"{type(learner).__name__} is no learner: it lacks {', '.join(missing)}; {_way_to_learner(learner)}"
        )
    if "seed" not in learner.get_params():
        raise ArgumentError("the constructor must take a seed, and keep it as self.seed")
    try:
        clone(learner)
    except Exception as error:  # whatever a constructor does
        raise ArgumentError(f"this cannot be copied for each cycle: {type(error).__name__}: {error}") from error
    return cast(Learner, learner)


def _take_provides(cls: type) -> None:
    """Have a class that inherits nothing, and still calls its `outputs` by their former name, give them by both."""
    if not hasattr(cls, "outputs") and hasattr(cls, "provides"):
        warnings.warn(f"{cls.__name__}.provides is now called outputs; rename it", DeprecationWarning, stacklevel=3)
        setattr(cls, "outputs", property(attrgetter("provides")))  # noqa: B010  # for mypy, it has no such attribute


def _way_to_learner(value: Any) -> str:
    """How something that is no learner can take part."""
    if isinstance(value, nn.Module):
        return (
            "wrap it: seqgcn.learners.TorchLearner(module=net, embedding=NAME_OF_A_LAYER), or TorchPoseLearner for "
            "hand poses"
        )
    ways = (
        "seqgcn.learners.Learner says what each is, and seqgcn.learners.TorchLearner, or TorchPoseLearner for hand "
        "poses, brings them all for a torch.nn.Module"
    )
    if isinstance(value, BaseEstimator):
        ways += (
            "; to select by what a scikit-learn estimator says, attach it to a Data: "
            "Data(x=features, prob=torch.tensor(model.predict_proba(features)), train_mask=labeled)"
        )
    return ways


def check_described(learner: Learner, data: Any, attributes: Collection[str], n: int) -> None:
    """Check that a learner described all n items, by everything that was asked for.

    Raises:
        ArgumentError: It did not.
    """
    who = f"{type(learner).__name__}.describe"
    if not isinstance(data, Data):
        raise ArgumentError(f"{who} must return a torch_geometric.data.Data, got {kind_of(data)}")
    for name in attributes:
        values = data.get(name)
        if not isinstance(values, Tensor) or values.dim() == 0 or len(values) != n:
            raise ArgumentError(f"{who} must give {name} as a tensor of {n:,} rows, one an item, got {kind_of(values)}")


def sources(learner: Learner | None, selector: Selector | None) -> dict[str, str]:
    """What a result depends on besides configuration, data and packages: a short hash of each file, by its name.

    Those are the source files of the user's own classes (learner, network, selector), and a learner's `checkpoint`.
    """
    values = [] if learner is None else [learner, *learner.get_params().values()]
    parts: list[Any] = [value for value in values if isinstance(value, Learner | nn.Module | type)]
    parts += [] if selector is None else [selector]
    kinds = [part if isinstance(part, type) else type(part) for part in parts]
    own = [kind for kind in dict.fromkeys(kinds) if kind.__module__.partition(".")[0] not in ("seqgcn", "torch")]
    found = {f"{kind.__module__}:{kind.__qualname__}": _file_hash(_source_file(kind)) for kind in own}
    checkpoint = getattr(learner, "checkpoint", None)
    return {**found, checkpoint: _file_hash(checkpoint)} if isinstance(checkpoint, str) else found


def changes(then: Any, now: Mapping[str, str]) -> list[str]:
    """A sentence on each of `sources` that is not what it was.

    Args:
        then: What was written down, as far as anything was.
        now: What is.
    """
    held = then if isinstance(then, dict) else {}
    return [
        f"{name} has changed since (hash {held[name]} then, {digest} now): what follows is of the new one"
        for name, digest in now.items()
        if held.get(name, digest) != digest
    ]


def _source_file(kind: type) -> str | None:
    try:
        return inspect.getsourcefile(kind)
    except (TypeError, OSError):  # defined in a notebook or a console
        return None


def _file_hash(path: str | None) -> str:
    """Short hash of a file, or that there is none."""
    try:
        return hashlib.blake2b(Path(path or "").expanduser().read_bytes(), digest_size=8).hexdigest()
    except OSError:
        return "no file"
