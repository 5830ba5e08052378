"""A run's configuration: what the command line and a YAML file can say, and how the two come together."""

import json
import os
import shlex
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import Field, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from seqgcn.config.registry import (
    CATALOGUE,
    DEFAULT_LEARNER,
    SET_BY_THE_RUN,
    default_learner,
    former_names,
    import_path,
    load,
    parameters,
    task,
)
from seqgcn.config.schema import REQUIRED, coerce, suggestion
from seqgcn.exceptions import ArgumentError, ConfigError, MissingFileError

CONFIG = "config.yaml"
"""File of a run folder that holds its configuration, with every default resolved."""

PATHS = ("train_centres", "test_centres", "centers", "cache", "checkpoint")
"""Parameters that are paths."""

FEATURES = {
    "features": "embeddings of all items, a .npy, .npz or .safetensors file; means --dataset features",
    "targets": "targets of the rows of --features: a CSV file item,class or item,NAME,... of numbers, or a .npy file",
    "items": "names of the rows of --features, one a line",
    "test_items": "rows of --features to test on, one a line",
}
"""Parameters of the data set `features` that are options of their own."""

FINGERPRINT, REFERENCES = "fingerprint", "references"
"""What a run folder's configuration says besides options: the data it was made with, and what is published of it."""

OWN_NETWORK = {"classification": "TorchLearner", "pose": "TorchPoseLearner"}
"""What makes a learner of a `torch.nn.Module`, for each task."""

YOURS = "MODULE:CLASS for your own, imported as python -m would, from the current directory first"
"""What the help says of components by import path."""


def option(default: Any, text: str, **metadata: Any) -> Any:
    """A field that is one option of a command and one key of its YAML file."""
    metadata = {"help": text, **metadata}
    return (
        field(default_factory=dict, metadata=metadata) if default == {} else field(default=default, metadata=metadata)
    )


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides what a run computes. One field is one option of `seqgcn run` and one YAML key.

    Raises:
        ConfigError: A value is of the wrong type.
    """

    dataset: str = option("digits", f"data set; {YOURS}", kind="dataset")
    root: str | None = option(None, "folder that holds the data set's files", metavar="DIR")
    learner: str = option(
        "",
        f"network trained on the labeled items; {YOURS}",
        kind="learner",
        shown=", ".join(f"{learner} for {kind}" for kind, learner in DEFAULT_LEARNER.items()) + ", linear for features",
    )
    selector: tuple[str, ...] = option(
        ("core-gcn",),
        "one or more selectors, MODULE:CLASS for your own; NAME:PARAMETER=VALUE,... sets parameters of one",
        kind="selector",
    )
    seeds: tuple[int, ...] = option((0,), "one or more seeds, one run each", metavar="N")
    initial: int | None = option(None, "items labeled at random at first", unit="items", shown="the budget")
    budget: int = option(40, "items labeled a cycle", unit="items")
    cycles: int = option(8, "how often the budget is spent", unit="cycles")
    subset: int | None = option(
        None, "random unlabeled items a selector sees a cycle (the paper: 10000)", unit="items", shown="all"
    )
    pool_size: int | None = option(None, "use a fixed random part of the pool", unit="items", shown="all")
    test_size: int | None = option(None, "use a fixed random part of the test set", unit="items", shown="all")
    warm_start: bool = option(False, "train on from the last cycle's weights instead of fresh ones")
    device: str = option("auto", "auto, cpu, cuda or cuda:N", metavar="NAME")
    set: Mapping[str, Any] = option(
        {}, "parameter of the selector, learner or data set, e.g. selector.margin=0.2", metavar="KEY=VALUE"
    )

    def __post_init__(self) -> None:
        coerce_fields(self)
        if not self.learner:
            object.__setattr__(self, "learner", default_learner(self.dataset))
        for name in ("selector", "seeds"):
            values = getattr(self, name)
            if not values or len(dict.fromkeys(values)) != len(values):
                raise ConfigError(f"{name} must hold at least one value and none twice, got {list(values)}")
        if negative := [seed for seed in self.seeds if seed < 0]:
            raise ConfigError(f"seeds must be whole numbers of at least 0, got {negative[0]}")
        for name in ("initial", "budget", "cycles", "subset", "pool_size", "test_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name.replace('_', '-')} must be at least 1, got {value}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML."""
        values = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    def command(self, folder: Path, **changes: Any) -> str:
        """The command line that runs the same into another folder, with other values of some options.

        Parameters of the selector are left out where it is another one.
        """
        config = replace(self, **changes)
        words = ["seqgcn", "run", "--out", str(folder)]
        for item in options():
            value = getattr(config, item.name)
            if item.name == "set":
                words += _settings(config, keep_selector=config.selector == self.selector)
            elif value != item.default and not (item.name == "initial" and value == config.budget):
                flag = f"--{item.name.replace('_', '-')}"
                # Of those that are off by default, the flag alone is the value.
                words += [flag] if value is True else [flag, *map(str, value if isinstance(value, tuple) else [value])]
        return shlex.join(words)


def _settings(config: RunConfig, *, keep_selector: bool) -> list[str]:
    """`--set` for each parameter that is not the default of its component."""
    words: list[str] = []
    for key, value in config.set.items():
        kind, _, name = key.partition(".")
        if kind == "selector" and not keep_selector:
            continue
        component = getattr(config, kind) if kind != "selector" else ""
        usual = parameters(kind, component).get(name) if component in CATALOGUE[kind] else None
        if usual is None or portable(name, usual.default) != portable(name, value):
            # JSON is YAML, on one line.
            words += ["--set", f"{key}={json.dumps(portable(name, value), ensure_ascii=False)}"]
    return words


def coerce_fields(config: Any) -> None:
    """Turn the fields of a frozen configuration into the types they are declared with.

    Raises:
        ConfigError: A value is of another type.
    """
    hints = get_type_hints(type(config))
    for item in fields(config):
        value = getattr(config, item.name)
        if item.name != "set":
            object.__setattr__(config, item.name, coerce(item.name.replace("_", "-"), value, hints[item.name]))
        elif not isinstance(value, Mapping):
            raise ConfigError(f"set must be a mapping such as {{selector.margin: 0.2}}, got {value!r}")


def options(config: type = RunConfig) -> tuple[Field[Any], ...]:
    """Fields of a configuration with what the command line needs to know of each."""
    return fields(config)


def portable(name: str, value: Any, paths: Collection[str] = PATHS) -> Any:
    """A value as YAML holds it in a folder that is gone on with from anywhere: lists, and paths from the root."""
    if name in paths and isinstance(value, str):
        return os.path.abspath(os.path.expanduser(value))
    return list(value) if isinstance(value, tuple) else value


def read_config(path: str | Path, config: type = RunConfig) -> dict[str, Any]:
    """Values of a YAML file, keys as on the command line (with `-` or `_`).

    Args:
        path: The file.
        config: Whose fields the keys are.

    Raises:
        MissingFileError: There is no such file.
        ConfigError: Not YAML, not a mapping, or an unknown key.
    """
    return options_of(read_mapping(path), path, config)


def read_mapping(path: str | Path) -> dict[str, Any]:
    """A YAML file as it is.

    Raises:
        MissingFileError: There is no such file.
        ConfigError: Not YAML, or not a mapping.
    """
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_bytes())
    except FileNotFoundError as error:
        raise MissingFileError(f"configuration file {path} does not exist") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError) as error:  # a ValueError of an impossible date, for one
        raise ConfigError(f"cannot read {path} as YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold a mapping of options to values, for example 'budget: 40'")
    return values


def options_of(values: Mapping[str, Any], path: str | Path, config: type = RunConfig) -> dict[str, Any]:
    """The options among the values of a file; see `read_config`."""
    known = [item.name for item in options(config)]
    result: dict[str, Any] = {}
    features: dict[str, Any] = {}
    for key, value in values.items():
        if key in (FINGERPRINT, REFERENCES):  # not for the user to choose
            continue
        name = str(key).replace("-", "_")
        if name in FEATURES and name not in known:
            features[f"dataset.{name}"] = value
            continue
        if name == "seed" and name not in known:
            name = "seeds"
        if name not in known:
            raise ConfigError(f"{path}: unknown key {key!r}{suggestion(name, known)}")
        if name in result:
            raise ConfigError(f"{path}: {key} and another key mean the same option; keep one")
        result[name] = value
    if "set" in result:
        # A heading whose lines are all commented out is None.
        settings = result["set"] or {}
        if not isinstance(settings, dict):
            raise ConfigError(f"{path}: set must be a mapping such as {{selector.margin: 0.2}}, got {settings!r}")
        result["set"] = _flat(settings)
    if features:
        if twice := sorted(features.keys() & result.get("set", {}).keys()):
            raise ConfigError(f"{path}: {twice[0].partition('.')[2]} and set.{twice[0]} mean the same option; keep one")
        result["set"] = {**result.get("set", {}), **features}
    return result


def means_features(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a run, in which a file of features means the data set `features`; its paths become absolute.

    Raises:
        ConfigError: Another data set is named, or there are targets without features.
    """
    given = [name for name in FEATURES if values.get("set", {}).get(f"dataset.{name}") is not None]
    dataset = values.get("dataset")
    flags = [f"--{name.replace('_', '-')}" for name in given]
    if dataset == "features" and "features" not in given:
        raise ConfigError("the data set features needs --features FILE")
    if not given or (dataset is not None and import_path("dataset", dataset)):
        return dict(values)
    if dataset not in (None, "features"):
        raise ConfigError(f"{flags[0]} goes with --dataset features, not with {dataset}; leave one of them out")
    if "features" not in given:
        raise ConfigError(f"{flags[0]} goes with --features FILE")
    for name in given:
        if not isinstance(value := values["set"][f"dataset.{name}"], str):
            raise ConfigError(f"{name.replace('_', '-')} must be the path of a file, got {value!r}")
    # So that a run goes on from any working directory.
    paths = {f"dataset.{name}": os.path.abspath(os.path.expanduser(values["set"][f"dataset.{name}"])) for name in given}
    return {**values, "dataset": "features", "set": {**values["set"], **paths}}


def parse_setting(text: str) -> tuple[str, Any]:
    """`"selector.margin=0.2"` as a key and its YAML value.

    Raises:
        ConfigError: No `=`, or not YAML behind it.
    """
    import yaml

    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ConfigError(f"{text!r} must be KEY=VALUE, for example selector.margin=0.2")
    if value.lstrip().startswith("*"):  # a pattern of paths; YAML's aliases name nothing on one line
        return key.strip(), value.strip()
    try:
        return key.strip(), yaml.safe_load(value)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"cannot read the value of {text!r}: {error}") from error


@dataclass(frozen=True)
class SelectorSpec:
    """One selector of a run: its name in the catalogue, and parameters given with it."""

    text: str
    name: str
    settings: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> "SelectorSpec":
        """`"core-gcn:graph=knn,k=5"`, or `"my_package.my_module:MySelector:k=5"`.

        Raises:
            ConfigError: The part behind the name and its colon is not a list of settings.
        """
        own = import_path("selector", text)
        name, rest = (own, text[len(own) + 1 :]) if own else text.partition(":")[::2]
        return cls(text, name, dict(parse_setting(part) for part in rest.split(",")) if rest else {})

    @property
    def folder(self) -> str:
        """The same as a folder name every file system takes."""
        return "".join(c if c.isalnum() or c in "-_=." else "_" for c in self.text)


@contextmanager
def as_config_errors(prefix: str = "") -> Iterator[None]:
    """An argument that came from the configuration is the configuration's error."""
    try:
        yield
    except ArgumentError as error:
        raise ConfigError(f"{prefix}{error}") from error


def resolve(config: RunConfig, spec: SelectorSpec) -> dict[str, dict[str, Any]]:
    """Every parameter of the run's selector, learner and data set: as set, else its default.

    A `selector.` setting applies to all selectors of the run that have it; one that none has is an error.

    Raises:
        ConfigError: An unknown component or parameter, or a value of the wrong type.
    """
    settings = dict(config.set)
    if len(config.selector) > 1:
        own = parameters("selector", spec.name)
        for full in config.set:
            kind, _, key = full.partition(".")
            if kind == "selector" and key and key not in own and key not in SET_BY_THE_RUN:
                _check_another_has(config, key)
                del settings[full]
    return settle({"selector": spec.name, "learner": config.learner, "dataset": config.dataset}, settings, spec)


def settle(names: Mapping[str, str], settings: Mapping[str, Any], spec: SelectorSpec) -> dict[str, dict[str, Any]]:
    """Every parameter of some components: as set, or with the selector, else its default.

    Keys are as in files: of a parameter that was renamed, the former name.

    Args:
        names: Of the components, by kind.
        settings: Values by `kind.parameter`.
        spec: The selector.

    Raises:
        ConfigError: An unknown component or parameter, components of different tasks, or a value of the wrong type.
    """
    _check_tasks(names)
    known = {kind: parameters(kind, name) for kind, name in names.items()}
    former = {kind: former_names(kind, name) for kind, name in names.items()}
    now = {kind: {old: new for new, old in each.items()} for kind, each in former.items()}
    values = {kind: {key: item.default for key, item in each.items()} for kind, each in known.items()}
    for full, value in {**settings, **{f"selector.{key}": value for key, value in spec.settings.items()}}.items():
        kind, _, key = full.partition(".")
        if kind not in names or not key:
            *others, last = [f"{each}." for each in names]
            start = f"{', '.join(others)} or {last}" if others else last
            raise ConfigError(f"--set {full}: the key must begin with {start}")
        if key in SET_BY_THE_RUN:
            raise ConfigError(f"{full} cannot be set: it comes from {SET_BY_THE_RUN[key]}")
        key = now[kind].get(key, key)
        if key not in known[kind]:
            raise ConfigError(f"{names[kind]} has no parameter {key!r}{suggestion(key, known[kind])}")
        values[kind][key] = coerce(full, value, known[kind][key].type)
    for kind, each in values.items():
        # So that runs and rounds begun before there were such parameters hold the same configuration as now.
        for key in getattr(load(kind, names[kind]), "later_parameters", ()):
            if key in each and each[key] == known[kind][key].default:
                del each[key]
        if unset := [f"{kind}.{key}" for key, value in each.items() if value is REQUIRED]:
            raise ConfigError(f"{names[kind]} has no default for {', '.join(unset)}; give --set {unset[0]}=VALUE")
    return {kind: {former[kind].get(key, key): value for key, value in each.items()} for kind, each in values.items()}


def _check_tasks(names: Mapping[str, str]) -> None:
    wanted, offered = (task(kind, names[kind]) if kind in names else None for kind in ("dataset", "learner"))
    fitting = [name for name, entry in CATALOGUE["learner"].items() if entry.task == wanted]
    images_for_rows = wanted == "" and offered and names["learner"] in CATALOGUE["learner"]
    if images_for_rows or (wanted == "pose" and offered == ""):
        raise ConfigError(
            f"the learner {names['learner']} does not go with the data set {names['dataset']}; "
            f"take one of {', '.join(fitting)}"
        )
    if wanted and offered and wanted != offered:
        raise ConfigError(
            f"the learner {names['learner']} is for {offered}, but the data set {names['dataset']} for {wanted}; "
            f"{_of_yours(names['learner'], wanted)}take one of {', '.join(fitting)}"
        )


def _of_yours(learner: str, wanted: str) -> str:
    """What a user's own learner must be for a task."""
    if not import_path("learner", learner):
        return ""
    base = OWN_NETWORK.get(wanted)
    inherit = f"inherit from seqgcn.learners.{base}, or " if base else ""
    return f"{inherit}have the members of seqgcn.learners.Learner and task = {wanted!r}, or "


def _check_another_has(config: RunConfig, key: str) -> None:
    names = {SelectorSpec.parse(text).name for text in config.selector}
    known = sorted({parameter for name in names for parameter in parameters("selector", name)})
    if key not in known:
        raise ConfigError(f"no selector of this run has a parameter {key!r}{suggestion(key, known)}")


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"selector": {"margin": 0.2}}` as `{"selector.margin": 0.2}`."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        result |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return result
