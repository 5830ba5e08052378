import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqgcn.config.run import (
    RunConfig,
    SelectorSpec,
    as_config_errors,
    coerce_fields,
    options,
    parse_setting,
    read_config,
    resolve,
    settle,
)
from seqgcn.exceptions import ArgumentError, ConfigError, DataFileError, MissingFileError


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """What `read_config` makes of a text."""

    def call(text: str) -> dict[str, Any]:
        (tmp_path / "run.yaml").write_text(text)
        return read_config(tmp_path / "run.yaml")

    return call


def resolved(text: str = "core-gcn", **changes: Any) -> dict[str, dict[str, Any]]:
    config = RunConfig(**{"selector": [text]} | changes)
    return resolve(config, SelectorSpec.parse(text))


def test_defaults_are_the_digits_example() -> None:
    config = RunConfig()
    assert (config.dataset, config.learner, config.selector, config.seeds) == (
        "digits",
        "small-cnn",
        ("core-gcn",),
        (0,),
    )
    assert (config.budget, config.cycles, config.initial, config.subset) == (40, 8, None, None)
    assert (config.warm_start, config.device, config.root, dict(config.set)) == (False, "auto", None, {})


def test_every_option_is_explained() -> None:
    for option in options():
        assert option.metadata["help"]
        assert not option.metadata["help"].endswith(".")


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        ({"selector": "random"}, "selector", ("random",)),
        ({"selector": ["random", "margin"]}, "selector", ("random", "margin")),
        ({"seeds": 3}, "seeds", (3,)),
        ({"seeds": [1, 2]}, "seeds", (1, 2)),
        ({"initial": 5}, "initial", 5),
    ],
)
def test_values_are_coerced(values: dict[str, Any], name: str, expected: Any) -> None:
    assert getattr(RunConfig(**values), name) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"budget": 0}, "budget must be at least 1, got 0"),
        ({"pool_size": -3}, "pool-size must be at least 1, got -3"),
        ({"budget": "many"}, "budget must be whole number, got 'many'"),
        ({"budget": True}, "budget must be whole number, got True"),
        ({"cycles": None}, "cycles must be whole number, got None"),
        ({"warm_start": "yes"}, "warm-start must be true or false, got 'yes'"),
        ({"seeds": []}, "seeds must hold at least one value and none twice"),
        ({"seeds": [1, 1]}, r"none twice, got \[1, 1\]"),
        ({"seeds": [3, -1]}, r"seeds .* at least 0, got -1"),
        ({"selector": ["random", "random"]}, "selector must hold .* none twice"),
        ({"root": 5}, "root must be text or null"),
        ({"set": ["selector.margin=0.2"]}, "set must be a mapping"),
        ({"set": None}, "set must be a mapping"),
    ],
)
def test_wrong_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RunConfig(**values)


def test_yaml_with_dashes_underscores_and_the_alias(read: Any) -> None:
    values = read("pool-size: 10\ntest_size: 5\nseed: 4\nwarm-start: true\n")
    assert values == {"pool_size": 10, "test_size": 5, "seeds": 4, "warm_start": True}
    assert RunConfig(**values).seeds == (4,)
    assert read("seeds: [1, 2]") == {"seeds": [1, 2]}


def test_yaml_settings_nested_or_dotted(read: Any) -> None:
    expected = {"selector.margin": 0.2, "learner.epochs": 3, "learner.milestones": [1, 2]}
    nested = "set:\n  selector:\n    margin: 0.2\n  learner:\n    epochs: 3\n    milestones: [1, 2]\n"
    assert read(nested)["set"] == expected
    dotted = "set:\n  selector.margin: 0.2\n  learner.epochs: 3\n  learner.milestones: [1, 2]\n"
    assert read(dotted)["set"] == expected
    assert read("set:\n  # selector.margin: 0.2\n")["set"] == {}


def test_fingerprint_of_a_run_folder_is_passed_over(read: Any) -> None:
    assert read("budget: 3\nfingerprint: abc\n") == {"budget": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bugdet: 3", r"run.yaml: unknown key 'bugdet'; did you mean budget\? There are: dataset, root"),
        ("3: 3", "unknown key 3; there are"),
        ("budget: [1", "cannot read .*run.yaml as YAML"),
        ("budget: 2020-13-45", "cannot read .*run.yaml as YAML"),
        ("", "must hold a mapping of options to values, for example 'budget: 40'"),
        ("- budget", "must hold a mapping"),
        ("seed: 1\nseeds: [1]", "seeds and another key mean the same option"),
        ("pool-size: 1\npool_size: 1", "pool_size and another key mean the same option"),
        ("set: selector.margin=0.2", "set must be a mapping such as {selector.margin: 0.2}"),
    ],
)
def test_wrong_yaml(read: Any, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(text)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"configuration file .*run.yaml does not exist"):
        read_config(tmp_path / "run.yaml")
    with pytest.raises(ConfigError, match=r"cannot read .*: Is a directory"):
        read_config(tmp_path)


@settings(deadline=None)
@given(st.binary(max_size=30) | st.text(max_size=30).map(str.encode))
@example(b"\xff\xfe")
@example(b"set: {selector: {margin: 1}}")
def test_any_file_gives_values_or_a_config_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("run") / "run.yaml"
    path.write_bytes(data)
    try:
        values = read_config(path)
    except ConfigError:
        return
    assert set(values) <= {field.name for field in dataclasses.fields(RunConfig)}


keys = st.sampled_from(["selector.margin", "learner.epochs", "dataset.extra"])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
configs = st.builds(
    RunConfig,
    root=st.none() | st.text(max_size=5),
    selector=st.lists(st.sampled_from(["random", "margin", "core-gcn:k=5"]), min_size=1, unique=True),
    seeds=st.lists(st.integers(min_value=0), min_size=1, unique=True, max_size=4),
    initial=st.none() | st.integers(1, 9),
    budget=st.integers(1, 2**40),
    warm_start=st.booleans(),
    set=st.dictionaries(keys, scalars | st.lists(scalars, max_size=2), max_size=3),
)


@settings(deadline=None)
@given(configs)
def test_yaml_round_trip(tmp_path_factory: pytest.TempPathFactory, config: RunConfig) -> None:
    path = tmp_path_factory.mktemp("run") / "run.yaml"
    path.write_text(yaml.safe_dump(config.to_dict()))
    assert RunConfig(**read_config(path)) == config


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("selector.margin=0.2", ("selector.margin", 0.2)),
        ("learner.milestones=[1, 2]", ("learner.milestones", [1, 2])),
        ("learner.flip=true", ("learner.flip", True)),
        ("learner.lr=1e-3", ("learner.lr", "1e-3")),
        ("selector.k = 5", ("selector.k", 5)),
        ("selector.patience=null", ("selector.patience", None)),
        ("a=b=c", ("a", "b=c")),
        ("a=", ("a", None)),
    ],
)
def test_setting(text: str, expected: tuple[str, Any]) -> None:
    assert parse_setting(text) == expected


def test_a_pattern_is_text_without_quotes() -> None:
    assert parse_setting("dataset.depth=*/depth/*.png") == ("dataset.depth", "*/depth/*.png")


@pytest.mark.parametrize("text", ["selector.margin", "=3", "", "a=[1", "a=2020-13-45"])
def test_wrong_setting(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"must be KEY=VALUE, for example selector.margin=0.2|cannot read the value of"
    ):
        parse_setting(text)


@given(st.text(max_size=20))
def test_any_text_is_a_setting_or_a_config_error(text: str) -> None:
    try:
        parse_setting(text)
        SelectorSpec.parse(text)
    except ConfigError:
        return


def test_selector_spec() -> None:
    spec = SelectorSpec.parse("core-gcn:graph=knn,k=5")
    assert (spec.name, spec.settings) == ("core-gcn", {"graph": "knn", "k": 5})
    assert spec.folder == "core-gcn_graph=knn_k=5"
    plain = SelectorSpec.parse("random")
    assert (plain.name, plain.settings, plain.folder) == ("random", {}, "random")
    with pytest.raises(ConfigError, match="'knn' must be KEY=VALUE"):
        SelectorSpec.parse("core-gcn:knn")


@given(st.text(max_size=20))
def test_folder_stays_in_the_run_folder(text: str) -> None:
    spec = SelectorSpec(text, text, {})
    assert not set(spec.folder) & set('/\\:*?"<>| \0\n')


def test_resolved_values_are_complete() -> None:
    values = resolved(set={"selector.k": 5, "learner.lr": "1e-2", "learner.milestones": [3]})
    assert values["selector"]["k"] == 5
    assert values["selector"]["hidden_channels"] == 128
    assert values["learner"]["lr"] == 0.01
    assert values["learner"]["milestones"] == (3,)
    assert values["learner"]["batch_size"] == 32
    assert values["dataset"] == {}
    assert "seed" not in values["selector"]


def test_what_comes_with_a_selector_is_for_it_alone_and_wins() -> None:
    config = RunConfig(selector=["core-gcn:k=5", "core-gcn", "uncertain-gcn", "random"], set={"selector.k": 7})
    specs = [SelectorSpec.parse(text) for text in config.selector]
    assert [resolve(config, spec)["selector"].get("k") for spec in specs] == [5, 7, 7, None]


def test_a_setting_goes_to_the_selectors_that_have_it() -> None:
    config = RunConfig(selector=["random", "uncertain-gcn"], set={"selector.margin": 0.3})
    assert "margin" not in resolve(config, SelectorSpec.parse("random"))["selector"]
    assert resolve(config, SelectorSpec.parse("uncertain-gcn"))["selector"]["margin"] == 0.3


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("core-gcn", {"set": {"selector.margin": 0.2}}, "core-gcn has no parameter 'margin'; there are: hidden_ch"),
        ("random", {"set": {"selector.margin": 0.2}}, "random has no parameter 'margin'"),
        ("core-gcn", {"set": {"learner.epoch": 2}}, r"small-cnn has no parameter 'epoch'; did you mean epochs\?"),
        ("core-gcn", {"set": {"epochs": 2}}, "--set epochs: the key must begin with selector., learner. or dataset"),
        ("core-gcn", {"set": {"selector.": 2}}, "--set selector.: the key must begin"),
        ("core-gcn", {"set": {"learner.seed": 2}}, "learner.seed cannot be set: it comes from --seeds"),
        ("core-gcn", {"set": {"learner.num_classes": 2}}, "learner.num_classes cannot be set: it comes from the data"),
        ("core-gcn", {"set": {"learner.epochs": 2.5}}, "learner.epochs must be whole number, got 2.5"),
        ("core-gcn:graph=knm", {}, r"selector.graph must be .*knn.*, got 'knm'"),
        ("random:k=3", {"selector": ["random:k=3", "core-gcn"]}, "random has no parameter 'k'"),
        (
            "random",
            {"selector": ["random", "core-gcn"], "set": {"selector.margn": 1}},
            "no selector of this run has a parameter 'margn'; there are: dropout, ",
        ),
        ("randm", {}, r"unknown selector 'randm'; did you mean random\?"),
        ("random", {"learner": "resnet"}, r"unknown learner 'resnet'; did you mean resnet18\?"),
        ("random", {"dataset": "cifar"}, "unknown dataset 'cifar'; did you mean cifar1"),
    ],
)
def test_wrong_settings(text: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolved(text, **changes)


# other configurations than a run's


def test_only_the_components_there_are_can_be_set() -> None:
    spec = SelectorSpec.parse("core-gcn:k=5")
    values = settle({"selector": "core-gcn"}, {"selector.k": 7, "selector.epochs": 3}, spec)
    assert (values["selector"]["k"], values["selector"]["epochs"], list(values)) == (5, 3, ["selector"])
    both = settle({"selector": "random", "learner": "small-cnn"}, {"learner.epochs": 2}, SelectorSpec.parse("random"))
    assert (both["selector"], both["learner"]["epochs"]) == ({}, 2)


@pytest.mark.parametrize(
    ("names", "key", "message"),
    [
        ({"selector": "random"}, "learner.epochs", r"--set learner\.epochs: the key must begin with selector\.$"),
        ({"selector": "random", "learner": "awr"}, "x", r"--set x: the key must begin with selector\. or learner\.$"),
        ({"selector": "random"}, "selector.seed", "selector.seed cannot be set"),
        ({"selector": "random"}, "selector.k", "random has no parameter 'k'"),
        ({"selector": "random", "learner": "awr", "dataset": "digits"}, "x", "the learner awr is for pose, but"),
        ({"selector": "randm"}, "selector.k", r"unknown selector 'randm'; did you mean random\?"),
    ],
)
def test_wrong_settings_of_some_components(names: dict[str, str], key: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settle(names, {key: 1}, SelectorSpec.parse("random"))


@dataclasses.dataclass(frozen=True)
class Plain:
    some_number: float
    names: tuple[str, ...] = ()
    set: dict[str, Any] = dataclasses.field(default_factory=dict)


def test_fields_become_what_they_are_declared_as() -> None:
    plain = Plain(3, ["a"], {"a": object})  # type: ignore[arg-type]
    coerce_fields(plain)
    assert plain == Plain(3.0, ("a",), {"a": object})
    assert isinstance(plain.some_number, float)
    with pytest.raises(ConfigError, match="some-number must be number, got 'x'"):
        coerce_fields(Plain("x"))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="set must be a mapping such as"):
        coerce_fields(Plain(1, (), []))  # type: ignore[arg-type]


def test_an_argument_of_the_configuration_is_its_error() -> None:
    with pytest.raises(ConfigError, match="awr: lr must be") as caught, as_config_errors("awr: "):
        raise ArgumentError("lr must be")
    assert isinstance(caught.value.__cause__, ArgumentError)
    with pytest.raises(DataFileError, match=r"^damaged$"), as_config_errors("awr: "):
        raise DataFileError("damaged")
    with as_config_errors():
        pass
