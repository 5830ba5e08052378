"""A round's configuration: what `seqgcn select` can be told."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seqgcn.catalogue import DEFAULT_LEARNER, load, task
from seqgcn.config import YOURS, SelectorSpec, as_config_errors, coerce_fields, option, options, settle
from seqgcn.errors import ConfigError
from seqgcn.rounds.gap import check_gap

VALIDATION = 0.1
"""Share of the labelled items held out of training in a round, so that its report can tell the learner's error."""


@dataclass(frozen=True, kw_only=True)
class SelectConfig:
    """Everything that decides what a round picks. One field is one option of `seqgcn select`.

    Raises:
        ConfigError: A value is of the wrong type, or two do not go together.
    """

    dataset: str | None = option(None, "data set whose items are to be labelled", kind="dataset")
    root: str | None = option(None, "folder that holds the data set's files", metavar="DIR")
    features: str | None = option(
        None, "instead of a data set: embeddings of all items, a .npy, .npz or .safetensors file", metavar="FILE"
    )
    items: str | None = option(
        None, "names of the rows of --features, one a line", metavar="FILE", shown="their numbers from 0"
    )
    labelled: str | None = option(
        None,
        "what is labelled so far: a list of items, one a line, or a file of labels in the data set's own grammar",
        metavar="FILE",
        shown="the data set's file of labels, if it may leave items out; else nothing",
    )
    learner: str = option(
        "",
        f"network trained on what is labelled; {YOURS}",
        kind="learner",
        shown=", ".join(f"{learner} for {kind}" for kind, learner in DEFAULT_LEARNER.items()),
    )
    selector: str = option(
        "core-gcn", "what picks, MODULE:CLASS for your own; NAME:PARAMETER=VALUE,... sets parameters", kind="selector"
    )
    budget: float = option(100.0, "items to pick or, with --cost, what they may cost together", metavar="N", shown=100)
    seed: int = option(0, "of everything random", metavar="N")
    min_gap: int | str = option(
        0,
        "picks of one sequence are at least this far from each other, not from what is labelled: a number of frames, "
        "or a time such as 0.5s or 500ms where names are time stamps",
        unit="frames",
        metavar="GAP",
        parse=check_gap,
    )
    exclude: str | None = option(None, "list of items that must not be picked, one a line", metavar="FILE")
    candidates: str | None = option(
        None, "list of the only items that may be picked, one a line", metavar="FILE", shown="all without a label"
    )
    cost: str | None = option(None, "CSV file item,cost of what each item costs to label", metavar="FILE")
    device: str = option("auto", "auto, cpu, cuda or cuda:N", metavar="NAME")
    set: Mapping[str, Any] = option(
        {}, "parameter of the selector, learner or data set, e.g. selector.margin=0.2", metavar="KEY=VALUE"
    )

    def __post_init__(self) -> None:
        with as_config_errors():
            object.__setattr__(self, "min_gap", check_gap(self.min_gap))
        coerce_fields(self)
        if (self.dataset is None) == (self.features is None):
            raise ConfigError("give either --dataset, and the folder of its files, or --features FILE")
        if self.features is not None:
            for name in ("root", "learner"):
                if getattr(self, name):
                    raise ConfigError(f"--{name} goes with --dataset; --features are given, and nothing is trained")
        elif self.items is not None:
            raise ConfigError("--items goes with --features; the items of a data set have names already")
        elif not self.learner:
            kind = task("dataset", self.dataset or "") or "classification"
            object.__setattr__(self, "learner", DEFAULT_LEARNER[kind])
        if self.seed < 0 or (isinstance(self.min_gap, int) and self.min_gap < 0):
            raise ConfigError(f"seed and min-gap must not be negative, got {self.seed} and {self.min_gap}")
        if not 0 < self.budget < float("inf"):
            raise ConfigError(f"budget must be above 0 and finite, got {self.budget:g}")
        if self.cost is None and not self.budget.is_integer():
            raise ConfigError(f"budget must be a whole number of items, got {self.budget:g}; or give --cost FILE")

    @property
    def spec(self) -> SelectorSpec:
        """The selector and the parameters given with it."""
        return SelectorSpec.parse(self.selector)

    def settle(self) -> dict[str, dict[str, Any]]:
        """Every parameter of selector, learner and data set: as set, else its default.

        Raises:
            ConfigError: An unknown component or parameter, or a value of the wrong type.
        """
        names = {"selector": self.spec.name}
        if self.dataset is not None:
            names |= {"learner": self.learner, "dataset": self.dataset}
        settled = settle(names, self.set, self.spec)
        if "learner.validation" not in self.set and self._holds_out(settled.get("learner", {})):
            settled["learner"]["validation"] = VALIDATION
        return settled

    def _holds_out(self, values: Mapping[str, Any]) -> bool:
        """Whether the learner could hold labelled items out, and does not.

        A user's own, unless it inherits the parameter, may mean something else by its name.
        """
        if values.get("validation") != 0.0 or not isinstance(values["validation"], float):
            return False
        from seqgcn.learners.torch_model import TorchModel

        kind = load("learner", self.learner)
        return kind.__module__.startswith("seqgcn.") or (isinstance(kind, type) and issubclass(kind, TorchModel))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML."""
        return asdict(self)

    def command(self, folder: str | Path) -> str:
        """The command line that asks for the same."""
        words = ["seqgcn", "select", "--out", str(folder)]
        for item in options(SelectConfig):
            value = getattr(self, item.name)
            if item.name == "set":
                for key, setting in value.items():
                    # JSON is YAML, on one line.
                    words += ["--set", f"{key}={json.dumps(setting, ensure_ascii=False)}"]
            elif value != item.default:
                number = isinstance(value, float) and value.is_integer()
                words += [f"--{item.name.replace('_', '-')}", str(int(value) if number else value)]
        return shlex.join(words)
