"""Several learners as one."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from sklearn.base import BaseEstimator, clone
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.evaluation import Metric
from seqgcn.exceptions import ArgumentError
from seqgcn.learners.fitted import check_attributes
from seqgcn.learners.parameters import check_seed
from seqgcn.learners.protocol import MemberLearner
from seqgcn.learners.saved_learner import SavedLearner
from seqgcn.selectors.extensions import EnsembleOptions
from seqgcn.training import Progress
from seqgcn.utils.seeding import derive_seed
from seqgcn.utils.validation import check_bool, check_instance


@dataclass(kw_only=True, eq=False, repr=False)
class Ensemble(BaseEstimator, SavedLearner):  # type: ignore[misc]  # scikit-learn is untyped
    """Networks trained apart on the same items, whose mean prediction counts (Beluch et al., CVPR 2018).

    It gives `prob_samples` `[n, members, num_classes]` or, for poses, `target_samples` `[n, members, 3J]` mm; `prob` is
    their mean, and `x` the embedding of the first member. After `fit`, `members_` are the fitted learners.

    Args:
        learner: What every member is a copy of, with its own seed.
        members: How many, and in what they differ.
        warm_start: Whether `fit` goes on from the last fit's members instead of fresh ones.
        seed: From which those of the members are derived.
    """

    learner: MemberLearner
    members: EnsembleOptions = field(default_factory=EnsembleOptions)
    warm_start: bool = False
    seed: int = 0

    members_: list[MemberLearner] = field(init=False)

    @property
    def metric(self) -> Metric:
        """The members' metric, of their mean prediction."""
        return self.learner.metric

    @property
    def device(self) -> str:
        """Where the members are trained."""
        return str(getattr(self.learner, "device", "cpu"))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Attributes that `describe` can give."""
        given = self.learner.outputs
        samples = ("prob", "prob_samples") if "prob" in given else ("target_samples",)
        return (*(name for name in ("x", "image") if name in given), *samples)

    def check_parameters(self) -> None:
        """Check the members' arguments, as `fit` does first.

        Raises:
            ArgumentError: One cannot be used.
        """
        if not isinstance(self.members, EnsembleOptions):
            raise ArgumentError(
                f"members must be EnsembleOptions(n_members=...) of seqgcn.selectors.extensions, got {self.members!r}"
            )
        check_bool("warm_start", self.warm_start)
        check_seed(self.seed)
        check_instance("learner", self.learner)
        if not isinstance(self.learner, MemberLearner):
            lacking = [each for each in ("state", "restore", "measure") if not hasattr(self.learner, each)]
            what = f"no {', '.join(lacking)}()" if lacking else "not all that a learner needs"
            raise ArgumentError(f"{type(self.learner).__name__} cannot be a member of an ensemble: it has {what}")
        for name in ("seed", "batch_seed", *(() if self.members.width == 1 else ("width",))):
            if name not in self.learner.get_params():
                raise ArgumentError(f"{type(self.learner).__name__} has no parameter {name}, which an ensemble sets")
        self._member(0).check_parameters()

    def fit(self, inputs: Any, targets: Any, *, unconfirmed: int = 0, progress: Progress | None = None) -> Self:
        """Train every member on the same items.

        Raises:
            ArgumentError: Inputs, targets or a parameter cannot be used.
            TrainingError: A member's loss became NaN or infinite.
        """
        self.check_parameters()
        count = self.members.n_members
        goes_on = self.warm_start and hasattr(self, "members_")
        fresh = [self._member(number) for number in range(count)]
        members = [old.set_params(**self._seeds(k)) for k, old in enumerate(self.members_)] if goes_on else fresh
        for number, member in enumerate(members):
            member.fit(inputs, targets, unconfirmed=unconfirmed, progress=_part(progress, number, count))
        self.members_ = members
        return self

    def predict(self, inputs: Any, *, progress: Progress | None = None) -> Tensor:
        """Most probable class `[n]` by the mean of the members' probabilities, or the mean of their predictions."""
        if "prob" in self.learner.outputs:
            return self._samples(inputs, progress, "predict").mean(dim=1).argmax(dim=1)
        return torch.stack([m.predict(inputs, progress=p) for m, p in self._parts(progress)], dim=1).mean(dim=1)

    def score(self, inputs: Any, targets: Any, *, progress: Progress | None = None) -> float:
        """The members' metric, of their mean prediction."""
        return self.learner.measure(self.predict(inputs, progress=progress), targets)

    def measure(self, predictions: Tensor, targets: Any) -> float:
        """The members' metric of predictions."""
        return self.learner.measure(predictions, targets)

    def describe(self, inputs: Any, attributes: Collection[str], *, progress: Progress | None = None) -> Data:
        """Describe every item by the attributes asked for, in one pass of each member.

        Raises:
            ArgumentError: Another attribute is asked for.
        """
        self._check_fitted()
        check_attributes(self, attributes, self.outputs)
        own = tuple(name for name in ("x", "image") if name in attributes)
        given: dict[str, Tensor] = {}
        if {"prob", "prob_samples"} & set(attributes):
            described = [
                member.describe(inputs, ("prob", *(own if number == 0 else ())), progress=told)
                for number, (member, told) in enumerate(self._parts(progress))
            ]
            samples = torch.stack([each.prob for each in described], dim=1)
            given = described[0].to_dict() | {"prob": samples.mean(dim=1), "prob_samples": samples}
        elif own:
            given = self.members_[0].describe(inputs, own, progress=progress).to_dict()
        if "target_samples" in attributes:
            predictions = [member.predict(inputs, progress=told) for member, told in self._parts(progress, "embed")]
            given["target_samples"] = torch.stack([one.flatten(1) for one in predictions], dim=1)
        return Data(**{name: given[name] for name in attributes})

    @property
    def curves_(self) -> dict[str, Tensor]:
        """What the members measured after each epoch, by name, their mean."""
        curves = [getattr(member, "curves_", {}) for member in getattr(self, "members_", [])]
        return {
            name: torch.stack([curve[name] for curve in curves]).mean(dim=0) for name in (curves[0] if curves else {})
        }

    def state(self) -> dict[str, Tensor]:
        """Copies of what all members have learned, by number and name.

        Raises:
            ArgumentError: The ensemble is not fitted.
        """
        self._check_fitted()
        return self._numbered([member.state() for member in self.members_])

    def _saved(self) -> dict[str, Tensor]:
        self._check_fitted()
        return self._numbered([m._saved() if isinstance(m, SavedLearner) else m.state() for m in self.members_])

    @staticmethod
    def _numbered(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        return {f"{number}.{name}": value for number, state in enumerate(states) for name, value in state.items()}

    def restore(self, state: dict[str, Tensor]) -> Self:
        """Take over an earlier `state()` of as many members.

        Raises:
            ArgumentError: The state is that of another ensemble.
        """
        count = self.members.n_members
        parts: dict[str, dict[str, Tensor]] = {str(number): {} for number in range(count)}
        for name, value in state.items():
            number, _, rest = name.partition(".")
            if number not in parts:
                raise ArgumentError(f"this state is not that of an ensemble of {count}: it has {name}")
            parts[number][rest] = value
        self.members_ = [self._member(int(number)).restore(part) for number, part in parts.items()]
        return self

    def _member(self, number: int) -> MemberLearner:
        settings: dict[str, Any] = {"warm_start": self.warm_start, **self._seeds(number)}
        if self.members.width != 1:
            width = self.learner.get_params()["width"]
            # A learner of one's own may count channels instead of having a factor on them.
            whole = isinstance(width, int)
            settings["width"] = max(1, round(width * self.members.width)) if whole else width * self.members.width
        member: MemberLearner = clone(self.learner).set_params(**settings)
        return member

    def _seeds(self, number: int) -> dict[str, int]:
        init, batches = (
            0 if same else number for same in (self.members.same_initialisation, self.members.same_batches)
        )
        return {
            "seed": derive_seed(self.seed, "member", init),
            "batch_seed": derive_seed(self.seed, "member batches", batches),
        }

    def _samples(self, inputs: Any, progress: Progress | None, stage: str) -> Tensor:
        """Class probabilities of every member, `[n, members, num_classes]`."""
        self._check_fitted()
        return torch.stack([m.describe(inputs, ("prob",), progress=p).prob for m, p in self._parts(progress, stage)], 1)

    def _parts(
        self, progress: Progress | None, stage: str | None = None
    ) -> list[tuple[MemberLearner, Progress | None]]:
        """The members, each with what it tells its progress to."""
        self._check_fitted()
        count = len(self.members_)
        return [(member, _part(progress, number, count, stage)) for number, member in enumerate(self.members_)]

    def _check_fitted(self) -> None:
        if not hasattr(self, "members_"):
            raise ArgumentError("this Ensemble is not fitted yet; call fit first")


def _part(progress: Progress | None, number: int, count: int, stage: str | None = None) -> Progress | None:
    """Progress of one member as that of all."""
    if progress is None:
        return None

    def tell(own: str, done: int, of: int) -> None:
        progress(stage or own, number * of + done, count * of)

    return tell
