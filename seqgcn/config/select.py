"""A round's configuration: what `seqgcn select` can be told."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seqgcn.config.gap import check_gap
from seqgcn.config.registry import CATALOGUE, DEFAULT_LEARNER, default_learner, import_path, load, task
from seqgcn.config.run import YOURS, SelectorSpec, as_config_errors, coerce_fields, option, options, settle
from seqgcn.exceptions import ConfigError
from seqgcn.utils.class_names import fault_of_name, twins

VALIDATION = 0.1
"""Share of the labeled items held out of training in a round, so that its report can tell the learner's error."""

JOINTS, CENTER = "joints", "center"
"""What annotators may be asked for."""

DEPTH_FRAMES = ("depth-folder", "icvl", "nyu", "msra", "hands17")
"""Data sets of depth frames in files."""

DEFAULT_SELECTOR = {JOINTS: "core-gcn", CENTER: "core-set"}

TRAIN_ON = ("all", "confirmed", "moved")
"""Which joints of imported frames may be trained on, the default first."""

LABEL_FREE = (
    "core-set",
    "graph-herding",
    "lcmd",
    "max-herding",
    "posterior-design",
    "probcover",
    "random",
    "typiclust",
)
"""Selectors that read embeddings alone and need no label."""


_LATER = ("targets", "classes")


@dataclass(frozen=True, kw_only=True)
class SelectConfig:
    """Everything that decides what a round picks. One field is one option of `seqgcn select`.

    Raises:
        ConfigError: A value is of the wrong type, or two do not go together.
    """

    dataset: str | None = option(None, f"data set whose items are to be labeled; {YOURS}", kind="dataset")
    root: str | None = option(None, "folder that holds the data set's files", metavar="DIR")
    features: str | None = option(
        None, "instead of a data set: embeddings of all items, a .npy, .npz or .safetensors file", metavar="FILE"
    )
    targets: str | None = option(
        None,
        "what is known of the rows of --features: a CSV file item,class or item,NAME,... of numbers, or a .npy file of "
        "all rows; a learner is trained on them",
        metavar="FILE",
        shown="none, and nothing is trained",
    )
    items: str | None = option(
        None, "names of the rows of --features, one a line", metavar="FILE", shown="their numbers from 0"
    )
    labelled: str | None = option(
        None,
        "what is labeled so far: a list of items, one a line; a file of labels in the data set's own grammar; of items "
        "with classes a table item,class; of pictures a folder with a folder for each class",
        metavar="FILE",
        shown="the data set's file of labels, if it may leave items out; else nothing",
    )
    classes: tuple[str, ...] = option(
        (),
        "names of the classes, of which some may have no label yet; of a data set that has classes, further ones",
        metavar="NAME",
        shown="those of what is labeled",
    )
    learner: str = option(
        "",
        f"network trained on what is labeled; {YOURS}",
        kind="learner",
        shown=", ".join(f"{learner} for {kind}" for kind, learner in DEFAULT_LEARNER.items()),
    )
    selector: str = option(
        "",
        "what picks, MODULE:CLASS for your own; NAME:PARAMETER=VALUE,... sets parameters",
        kind="selector",
        shown=f"{DEFAULT_SELECTOR[JOINTS]}, with --ask {CENTER} {DEFAULT_SELECTOR[CENTER]}",
    )
    ask: str = option(
        JOINTS,
        "what annotators are asked for: joints, all of them, or center, one click a frame on the middle of the palm, "
        "which tells where hands are in depth frames; no network is trained for that",
        metavar="WHAT",
    )
    budget: float = option(100.0, "items to pick or, with --cost, what they may cost together", metavar="N", shown=100)
    seed: int = option(0, "of everything random", metavar="N")
    min_gap: int | str = option(
        0,
        "picks of one sequence are at least this far from each other, not from what is labeled: a number of frames, "
        "or a time such as 0.5s or 500ms where names are time stamps",
        unit="frames",
        metavar="GAP",
        parse=check_gap,
    )
    exclude: str | None = option(None, "list of items that must not be picked, one a line", metavar="FILE")
    candidates: str | None = option(
        None, "list of the only items that may be picked, one a line", metavar="FILE", shown="all without a label"
    )
    train_on: str = option(
        TRAIN_ON[0],
        "which joints of imported frames the network is trained on: all; confirmed, those of frames in which somebody "
        "moved one; moved, only those that were moved from where they were predicted",
        metavar="WHICH",
    )
    cost: str | None = option(None, "CSV file item,cost of what each item costs to label", metavar="FILE")
    image_prefix: str | None = option(
        None,
        "what stands before the names of the pictures in Label Studio's tasks, the start of a web address",
        metavar="ADDRESS",
        shown="/data/local-files/?d=images/, which is right if the folder tasks is Label Studio's document root",
    )
    document_root: str | None = option(
        None,
        "folder that Label Studio serves files from (LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT), above the folders of all "
        "rounds; the pictures' addresses count from there",
        metavar="DIR",
    )
    device: str = option("auto", "auto, cpu, cuda or cuda:N", metavar="NAME")
    set: Mapping[str, Any] = option(
        {}, "parameter of the selector, learner or data set, e.g. selector.margin=0.2", metavar="KEY=VALUE"
    )

    def __post_init__(self) -> None:
        with as_config_errors():
            object.__setattr__(self, "min_gap", check_gap(self.min_gap))
        coerce_fields(self)
        if self.ask not in DEFAULT_SELECTOR:
            raise ConfigError(f"ask must be {JOINTS} or {CENTER}, got {self.ask!r}")
        if self.train_on not in TRAIN_ON:
            raise ConfigError(f"train-on must be one of {', '.join(TRAIN_ON)}, got {self.train_on!r}")
        if not self.selector:
            object.__setattr__(self, "selector", DEFAULT_SELECTOR[self.ask])
        if self.dataset == "features" and self.features is None:
            raise ConfigError("the data set features needs --features FILE")
        if self.dataset == "features":
            object.__setattr__(self, "dataset", None)
        if (self.dataset is None) == (self.features is None):
            raise ConfigError("give either --dataset, and the folder of its files, or --features FILE")
        if self.targets is not None and self.features is None:
            raise ConfigError("--targets goes with --features; a data set has its labels already")
        if self.features is not None:
            self._check_features()
        elif self.items is not None:
            raise ConfigError("--items goes with --features; the items of a data set have names already")
        elif not self.learner and self.ask != CENTER:
            object.__setattr__(self, "learner", default_learner(self.dataset))
        if self.ask == CENTER:
            self._check_center()
        self._check_classes()
        if self.image_prefix is not None and self.document_root is not None:
            raise ConfigError("--image-prefix and --document-root both say where the pictures are found; give one")
        if self.seed < 0 or (isinstance(self.min_gap, int) and self.min_gap < 0):
            raise ConfigError(f"seed and min-gap must not be negative, got {self.seed} and {self.min_gap}")
        if not 0 < self.budget < float("inf"):
            raise ConfigError(f"budget must be above 0 and finite, got {self.budget:g}")
        if self.cost is None and not self.budget.is_integer():
            raise ConfigError(f"budget must be a whole number of items, got {self.budget:g}; or give --cost FILE")

    def _check_features(self) -> None:
        """Refuse what does not go with features; with targets, take the default learner."""
        if self.root:
            raise ConfigError("--root goes with --dataset; --features are given")
        if self.targets is not None and not self.learner:
            object.__setattr__(self, "learner", default_learner(None))
        elif self.targets is None and self.learner:
            raise ConfigError(
                "--learner goes with --dataset, or with --targets; --features are given alone, and nothing is trained"
            )

    def _check_classes(self) -> None:
        """Refuse classes where items have none, and names that cannot be one."""
        if not self.classes:
            return
        own = import_path("dataset", self.dataset or "")
        if self.dataset is not None and not own and task("dataset", self.dataset) == "pose":
            raise ConfigError(f"--classes goes with items that have classes; {self.dataset} has poses")
        for name in self.classes:
            if fault := fault_of_name(name):
                raise ConfigError(f"--classes: {name!r} {fault}")
        if pair := twins(self.classes):
            raise ConfigError(f"--classes: {pair[0]!r} and {pair[1]!r} differ in spelling alone; give one")
        if len(set(self.classes)) != len(self.classes):
            raise ConfigError(f"--classes names a class twice: {', '.join(self.classes)}")

    def _check_center(self) -> None:
        """Refuse what cannot be where a click a frame is asked for, or would have no effect."""
        why = f"--ask {CENTER} trains no network"
        own = import_path("dataset", self.dataset or "")
        kind = "features" if self.dataset is None or own else task("dataset", self.dataset)
        if kind not in ("pose", None):  # one that is not known has a message of its own
            given = self.dataset or kind
            raise ConfigError(
                f"--ask {CENTER} is for data sets of depth frames ({', '.join(DEPTH_FRAMES)}), not for {given}"
            )
        if self.learner:
            raise ConfigError(f"{why}, so that --learner {self.learner} has no effect; leave it out")
        trained = [key for key in self.set if key.startswith("learner.")]
        if trained:
            raise ConfigError(f"{why}, so that --set {trained[0]} has no effect; leave it out")
        name = self.spec.name
        if name in CATALOGUE["selector"] and name not in LABEL_FREE:
            raise ConfigError(f"{why}, which {name} needs; take one of {', '.join(LABEL_FREE)}")
        crop = self.set.get("dataset.crop", "auto")
        if crop != "auto":
            raise ConfigError(
                f"--ask {CENTER} goes with dataset.crop=auto, which takes centers that were clicked and finds the "
                f"others, not with {crop}; leave dataset.crop out"
            )
        for key in ("dataset.train_centres", "dataset.test_centres", "dataset.oracle_centres"):
            if self.set.get(key):
                raise ConfigError(
                    f"--ask {CENTER} does not go with {key}, by which all centers are known; leave it out, or give "
                    "dataset.centers, a file that names frames"
                )

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
        if self.learner:
            names["learner"] = self.learner
        if self.dataset is not None:
            names["dataset"] = self.dataset
        settled = settle(names, self.set, self.spec)
        if "learner.validation" not in self.set and self._holds_out(settled.get("learner", {})):
            settled["learner"]["validation"] = VALIDATION
        return settled

    def _holds_out(self, values: Mapping[str, Any]) -> bool:
        """Whether the learner could hold labeled items out, and does not.

        A user's own, unless it inherits the parameter, may mean something else by its name.
        """
        if values.get("validation") != 0.0 or not isinstance(values["validation"], float):
            return False
        kind = load("learner", self.learner)
        ours = [each for each in getattr(kind, "__mro__", (kind,)) if each.__module__.startswith("seqgcn.")]
        return kind in ours or any("validation" in vars(each).get("__annotations__", {}) for each in ours)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML; of options that 0.1 did not have, only those that are given."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {name: value for name, value in values.items() if name not in _LATER or value not in (None, [])}

    def command(self, folder: str | Path) -> str:
        """The command line that asks for the same."""
        words = ["seqgcn", "select", "--out", str(folder)]
        for item in options(SelectConfig):
            value = getattr(self, item.name)
            if item.name == "set":
                for key, setting in value.items():
                    # JSON is YAML, on one line.
                    words += ["--set", f"{key}={json.dumps(setting, ensure_ascii=False)}"]
            elif item.name == "selector" and value == DEFAULT_SELECTOR[self.ask]:
                continue
            elif isinstance(value, tuple):
                words += [f"--{item.name.replace('_', '-')}", *value] if value else []
            elif value != item.default:
                number = isinstance(value, float) and value.is_integer()
                words += [f"--{item.name.replace('_', '-')}", str(int(value) if number else value)]
        return shlex.join(words)
