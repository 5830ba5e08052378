"""A run's configuration: what the command line and a YAML file can say, and how the two come together."""

from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from seqgcn.catalogue import CATALOGUE, DEFAULT_LEARNER, SET_BY_THE_RUN, coerce, parameters, suggestion, task
from seqgcn.errors import ConfigError, MissingFileError

CONFIG = "config.yaml"
FINGERPRINT = "fingerprint"
KINDS = ("selector", "learner", "dataset")


def _option(default: Any, text: str, **metadata: Any) -> Any:
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

    dataset: str = _option("digits", "data set", kind="dataset")
    root: str | None = _option(None, "folder that holds the data set's files", metavar="DIR")
    learner: str = _option(
        "",
        "network trained on the labelled items",
        kind="learner",
        shown=", ".join(f"{learner} for {kind}" for kind, learner in DEFAULT_LEARNER.items()),
    )
    selector: tuple[str, ...] = _option(
        ("core-gcn",),
        "one or more selectors; NAME:PARAMETER=VALUE,... sets parameters of one",
        kind="selector",
    )
    seeds: tuple[int, ...] = _option((0,), "one or more seeds, one run each", metavar="N")
    initial: int | None = _option(None, "items labelled at random at first", unit="items", shown="the budget")
    budget: int = _option(40, "items labelled a cycle", unit="items")
    cycles: int = _option(8, "how often the budget is spent", unit="cycles")
    subset: int | None = _option(
        None, "random unlabelled items a selector sees a cycle (the paper: 10000)", unit="items", shown="all"
    )
    pool_size: int | None = _option(None, "use a fixed random part of the pool", unit="items", shown="all")
    test_size: int | None = _option(None, "use a fixed random part of the test set", unit="items", shown="all")
    warm_start: bool = _option(False, "train on from the last cycle's weights instead of fresh ones")
    device: str = _option("auto", "auto, cpu, cuda or cuda:N", metavar="NAME")
    set: Mapping[str, Any] = _option(
        {}, "parameter of the selector, learner or data set, e.g. selector.margin=0.2", metavar="KEY=VALUE"
    )

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name != "set":
                object.__setattr__(self, item.name, coerce(item.name.replace("_", "-"), value, hints[item.name]))
            elif not isinstance(value, Mapping):
                raise ConfigError(f"set must be a mapping such as {{selector.margin: 0.2}}, got {value!r}")
        if not self.learner:
            object.__setattr__(self, "learner", DEFAULT_LEARNER[task("dataset", self.dataset) or "classification"])
        for name in ("selector", "seeds"):
            values = getattr(self, name)
            if not values or len(dict.fromkeys(values)) != len(values):
                raise ConfigError(f"{name} must hold at least one value and none twice, got {list(values)}")
        for name in ("initial", "budget", "cycles", "subset", "pool_size", "test_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name.replace('_', '-')} must be at least 1, got {value}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML."""
        values = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def options() -> tuple[Field[Any], ...]:
    """Fields of `RunConfig` with what the command line needs to know of each."""
    return fields(RunConfig)


def read_config(path: str | Path) -> dict[str, Any]:
    """Values of a YAML file, keys as on the command line (with `-` or `_`).

    Raises:
        MissingFileError: There is no such file.
        ConfigError: Not YAML, not a mapping, or an unknown key.
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
    # A run folder's configuration also says which data it was made with; that is not for the user to choose.
    values.pop(FINGERPRINT, None)
    known = [item.name for item in options()]
    result: dict[str, Any] = {}
    for key, value in values.items():
        name = {"seed": "seeds"}.get(str(key), str(key).replace("-", "_"))
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
    return result


def parse_setting(text: str) -> tuple[str, Any]:
    """`"selector.margin=0.2"` as a key and its YAML value.

    Raises:
        ConfigError: No `=`, or not YAML behind it.
    """
    import yaml

    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ConfigError(f"{text!r} must be KEY=VALUE, for example selector.margin=0.2")
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
        """`"core-gcn:graph=knn,k=5"`.

        Raises:
            ConfigError: The part behind the colon is not a list of settings.
        """
        name, _, rest = text.partition(":")
        return cls(text, name, dict(parse_setting(part) for part in rest.split(",")) if rest else {})

    @property
    def folder(self) -> str:
        """The same as a folder name every file system takes."""
        return "".join(c if c.isalnum() or c in "-_=." else "_" for c in self.text)


def resolve(config: RunConfig, spec: SelectorSpec) -> dict[str, dict[str, Any]]:
    """Every parameter of the run's selector, learner and data set: as set, else its default.

    A `selector.` setting applies to all selectors of the run that have it; one that none has is an error.

    Raises:
        ConfigError: An unknown component or parameter, or a value of the wrong type.
    """
    names = {"selector": spec.name, "learner": config.learner, "dataset": config.dataset}
    _check_tasks(config)
    known = {kind: parameters(kind, names[kind]) for kind in KINDS}
    values = {kind: {key: item.default for key, item in known[kind].items()} for kind in KINDS}
    settings = {**config.set, **{f"selector.{key}": value for key, value in spec.settings.items()}}
    for full, value in settings.items():
        kind, _, key = full.partition(".")
        if kind not in KINDS or not key:
            raise ConfigError(f"--set {full}: the key must begin with selector., learner. or dataset.")
        if key in SET_BY_THE_RUN:
            raise ConfigError(f"{full} cannot be set: it comes from {SET_BY_THE_RUN[key]}")
        if key in known[kind]:
            values[kind][key] = coerce(full, value, known[kind][key].type)
        elif kind != "selector" or key in spec.settings or len(config.selector) == 1:
            raise ConfigError(f"{names[kind]} has no parameter {key!r}{suggestion(key, known[kind])}")
        else:
            _check_another_has(config, key)
    return values


def _check_tasks(config: RunConfig) -> None:
    wanted, offered = task("dataset", config.dataset), task("learner", config.learner)
    if wanted and offered and wanted != offered:
        fitting = [name for name, entry in CATALOGUE["learner"].items() if entry.task == wanted]
        raise ConfigError(
            f"the learner {config.learner} is for {offered}, but the data set {config.dataset} for {wanted}; take "
            f"one of {', '.join(fitting)}"
        )


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
