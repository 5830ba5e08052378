import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgcn.cli import parser
from seqgcn.cli.options import given_options, merged
from seqgcn.config.run import options, read_config
from seqgcn.config.select import SelectConfig
from seqgcn.exceptions import ConfigError
from seqgcn.learners import TorchLearner

quick = settings(max_examples=150, deadline=None, derandomize=True)


def test_defaults() -> None:
    config = SelectConfig(dataset="digits")
    assert (config.learner, config.selector, config.budget, config.seed, config.min_gap) == (
        "small-cnn",
        "core-gcn",
        100,
        0,
        0,
    )
    assert SelectConfig(dataset="icvl", root="d").learner == "deep-prior"
    assert SelectConfig(features="x.npy").learner == ""


class Mine:
    def __init__(self, validation: bool = False, seed: int = 0) -> None: ...


@dataclass
class Inherits(TorchLearner):
    embedding: str = "0"


@pytest.mark.parametrize(
    ("learner", "given", "share"),
    [
        ("small-cnn", {}, 0.1),
        ("small-cnn", {"learner.validation": 0.0}, 0.0),
        ("small-cnn", {"learner.validation": 0.3}, 0.3),
        (f"{__name__}:Inherits", {}, 0.1),
        (f"{__name__}:Mine", {}, False),
    ],
)
def test_what_is_held_out(learner: str, given: dict[str, Any], share: Any) -> None:
    """One's own learner may mean something else by the name."""
    settled = SelectConfig(dataset="digits", learner=learner, set=given).settle()["learner"]["validation"]
    assert (settled, type(settled)) == (share, type(share))


def test_every_option_is_explained() -> None:
    for option in options(SelectConfig):
        assert option.metadata["help"]
        assert not option.metadata["help"].endswith(".")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "give either --dataset, and the folder of its files, or --features FILE"),
        ({"dataset": "digits", "features": "x.npy"}, "give either --dataset"),
        ({"features": "x.npy", "root": "d"}, "--root goes with --dataset; --features are given"),
        ({"features": "x.npy", "learner": "small-cnn"}, "--learner goes with --dataset"),
        ({"dataset": "digits", "items": "n.txt"}, "--items goes with --features"),
        ({"dataset": "digits", "seed": -1}, "seed and min-gap must not be negative, got -1 and 0"),
        ({"dataset": "digits", "min_gap": -2}, "seed and min-gap must not be negative, got 0 and -2"),
        ({"dataset": "digits", "budget": 0}, "budget must be above 0 and finite, got 0"),
        ({"dataset": "digits", "budget": float("nan")}, "budget must be above 0"),
        ({"dataset": "digits", "budget": float("inf")}, "budget must be above 0 and finite"),
        ({"dataset": "digits", "budget": 2.5}, r"budget must be a whole number of items, got 2\.5; or give --cost"),
        ({"dataset": "digits", "budget": "many"}, "budget must be number, got 'many'"),
        ({"dataset": "digits", "min_gap": 1.5}, r"min-gap must be a whole number of frames, .* got 1\.5"),
        ({"dataset": "digits", "min_gap": "5m"}, r"or a time, such as 0\.5s or 500ms, got '5m'"),
        ({"dataset": "digits", "min_gap": True}, r"min-gap must be a whole number of frames, .* got True"),
        ({"dataset": "digits", "min_gap": "-0.5s"}, "min-gap must be a whole number .* got '-0.5s'"),
        (
            {"dataset": "digits", "image_prefix": "http://h/", "document_root": "d"},
            "--image-prefix and --document-root both say",
        ),
        ({"dataset": "digits", "exclude": 3}, "exclude must be text or null, got 3"),
        ({"dataset": "digits", "set": ["a=1"]}, "set must be a mapping"),
    ],
)
def test_wrong_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SelectConfig(**values)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (30, 30),
        ("30", 30),
        (" 30 ", 30),
        ("500ms", "0.5s"),
        ("0.50 s", "0.5s"),
        (".5s", "0.5s"),
        ("90s", "90s"),
        ("0ms", 0),
    ],
)
def test_a_gap_is_kept_in_one_way(given: Any, kept: Any) -> None:
    found = SelectConfig(dataset="digits", min_gap=given).min_gap
    assert (found, type(found)) == (kept, type(kept))


def test_a_budget_in_cost_need_not_be_whole() -> None:
    assert SelectConfig(dataset="digits", budget=2.5, cost="c.csv").budget == 2.5


def test_parameters() -> None:
    config = SelectConfig(
        dataset="image-folder", selector="core-gcn:k=7", set={"learner.epochs": 3, "dataset.image_size": 8}
    )
    values = config.settle()
    assert set(values) == {"selector", "learner", "dataset"}
    assert (values["selector"]["k"], values["learner"]["epochs"], values["dataset"]["image_size"]) == (7, 3, 8)
    assert set(SelectConfig(features="x.npy").settle()) == {"selector"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dataset": "digit"}, r"unknown dataset 'digit'; did you mean digits\?"),
        ({"dataset": "digits", "selector": "cor-gcn"}, r"unknown selector 'cor-gcn'; did you mean core-gcn\?"),
        ({"dataset": "digits", "learner": "deep-prior"}, "the learner deep-prior is for pose, but the data set digits"),
        ({"dataset": "digits", "set": {"epochs": 1}}, r"the key must begin with selector\., learner\. or dataset\."),
        (
            {"features": "x.npy", "set": {"learner.epochs": 1}},
            r"--set learner\.epochs: the key must begin with selector\.$",
        ),
        (
            {"features": "x.npy", "set": {"selector.epoch": 1}},
            r"core-gcn has no parameter 'epoch'; did you mean epochs",
        ),
        ({"dataset": "digits", "set": {"learner.seed": 1}}, r"learner\.seed cannot be set: it comes from --seed"),
        ({"dataset": "digits", "set": {"learner.device": "cpu"}}, "it comes from --device"),
        ({"dataset": "digits", "set": {"learner.epochs": "x"}}, r"learner\.epochs must be"),
    ],
)
def test_wrong_settings(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SelectConfig(**values).settle()


# the command that asks for the same


def asked(command: str) -> SelectConfig:
    """What `seqgcn select` makes of its arguments."""
    words = shlex.split(command)
    assert words[0] == "seqgcn"
    arguments = parser().parse_args(words[1:])
    return SelectConfig(**merged({}, given_options(arguments, SelectConfig)))


paths = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8).filter(
    lambda text: not text.startswith("-")
)
printable = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=8)
scalars = st.none() | st.booleans() | st.integers() | printable
values = scalars | st.floats(allow_nan=False, allow_infinity=False) | st.lists(scalars, max_size=2)
keys = st.sampled_from(["selector.graph", "selector.epochs", "selector.x y"])
configs = st.builds(
    SelectConfig,
    features=paths,
    items=st.none() | paths,
    labelled=st.none() | paths,
    cost=paths,
    exclude=st.none() | paths,
    image_prefix=st.none() | paths,
    budget=st.floats(1e-9, 1e12) | st.integers(1, 10**9).map(float),
    seed=st.integers(0, 2**60),
    min_gap=st.integers(0, 99) | st.sampled_from(["0.5s", "500ms", "2s", "0.033s"]),
    set=st.dictionaries(keys, values, max_size=2),
)


@quick
@given(configs)
def test_command_round_trip(config: SelectConfig) -> None:
    again = asked(config.command("my round"))
    # YAML 1.1 reads 1e-05 as text; a parameter that is a number takes it as one.
    numbers = {key: float(again.set[key]) for key, value in config.set.items() if isinstance(value, float)}
    assert replace(again, set={**again.set, **numbers}) == config


def test_command() -> None:
    config = SelectConfig(dataset="icvl", root="my data", budget=1234567, min_gap=15, set={"learner.epochs": 2})
    assert config.command("round 1") == (
        "seqgcn select --out 'round 1' --dataset icvl --root 'my data' --learner deep-prior --budget 1234567 "
        "--min-gap 15 --set learner.epochs=2"
    )


@quick
@given(configs)
def test_yaml_round_trip(tmp_path_factory: pytest.TempPathFactory, config: SelectConfig) -> None:
    path = tmp_path_factory.mktemp("round") / "round.yaml"
    path.write_text(yaml.safe_dump(config.to_dict()), encoding="utf-8")
    assert SelectConfig(**read_config(path, SelectConfig)) == config


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    def call(text: str) -> dict[str, Any]:
        (tmp_path / "select.yaml").write_text(text)
        return read_config(tmp_path / "select.yaml", SelectConfig)

    return call


def test_yaml_keys(read: Callable[[str], dict[str, Any]]) -> None:
    assert read("min-gap: 3\nseed: 2\nset: {selector: {k: 3}}") == {"min_gap": 3, "seed": 2, "set": {"selector.k": 3}}
    with pytest.raises(ConfigError, match="unknown key 'seeds'; did you mean seed"):
        read("seeds: 1")
    with pytest.raises(ConfigError, match=r"unknown key 'rounds'; there are: dataset, root, features"):
        read("rounds: 1")
