import dataclasses
import subprocess
import sys
from functools import partial
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqgcn.catalogue import (
    CATALOGUE,
    DEFAULT_LEARNER,
    SET_BY_THE_RUN,
    coerce,
    describe_type,
    load,
    parameters,
    suggestion,
    task,
)
from seqgcn.datasets import ImageDataset
from seqgcn.datasets.hands.poses import PoseDataset
from seqgcn.errors import ConfigError
from seqgcn.learners import HandPose, ImageClassifier, ResNet18Classifier
from seqgcn.selectors import Selector

ENTRIES = [(kind, name) for kind, entries in CATALOGUE.items() for name in entries]


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_every_entry(kind: str, name: str) -> None:
    component = load(kind, name)
    component = component.func if isinstance(component, partial) else component
    assert CATALOGUE[kind][name].summary
    assert name == name.lower().replace("_", "-")
    for key, parameter in parameters(kind, name).items():
        assert describe_type(parameter.type)
        # A default is a value that could have been set.
        assert coerce(key, parameter.default, parameter.type) == parameter.default
    if kind == "selector":
        assert issubclass(component, Selector)
    elif kind == "learner":
        assert issubclass(component, HandPose if task(kind, name) == "pose" else ImageClassifier)
        assert load(kind, name)().get_params().items() >= CATALOGUE[kind][name].preset.items()
    else:
        assert component.task == task(kind, name)
        assert issubclass(component, PoseDataset if component.task == "pose" else ImageDataset)


def test_default_learners_fit_their_task() -> None:
    assert {task("learner", name): name for name in DEFAULT_LEARNER.values()} == DEFAULT_LEARNER
    assert set(DEFAULT_LEARNER) == {entry.task for entry in CATALOGUE["dataset"].values()}
    assert task("learner", "no-such-net") is None


def test_kebab_case_names_are_a_promise() -> None:
    assert set(CATALOGUE["selector"]) == {
        "random",
        "least-confidence",
        "margin",
        "entropy",
        "core-set",
        "uncertain-gcn",
        "core-gcn",
        "weighted-core-gcn",
        "max-entropy",
        "bald",
        "variation-ratio",
        "mean-std",
        "variance",
        "ensemble",
        "learning-loss",
        "ceal",
        "suggestive-annotation",
        "emoc",
        "discriminative",
        "bgadl",
        "vaal",
        "badge",
        "typiclust",
        "probcover",
        "lcmd",
        "max-herding",
    }


@pytest.mark.parametrize("name", CATALOGUE["selector"])
def test_every_selector_says_where_it_comes_from_and_what_it_is_for(name: str) -> None:
    assert CATALOGUE["selector"][name].source
    selector = load("selector", name)()
    assert set(selector.tasks) <= {"classification", "pose"}
    only_classes = {"prob", "prob_samples"} & set(selector.needs)
    assert ("pose" in selector.tasks) == (not only_classes)


def test_loading_the_catalogue_imports_nothing_heavy() -> None:
    code = "import sys, seqgcn.catalogue; print(*{'torch', 'sklearn', 'yaml', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("selector", "core-gnc", "unknown selector 'core-gnc'; did you mean core-gcn[?] There are: core-gcn, unc"),
        ("learner", "vit", "unknown learner 'vit'; there are: small-cnn, resnet18"),
        ("dataset", "", "unknown dataset ''; there are: digits"),
    ],
)
def test_unknown_name(kind: str, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(kind, name)


def test_parameters() -> None:
    known = parameters("selector", "uncertain-gcn")
    assert known["margin"].default == 0.1
    assert known["margin"].type is float
    assert not set(known) & set(SET_BY_THE_RUN)
    assert parameters("selector", "random") == {}
    assert parameters("learner", "resnet18")["milestones"].default == (160,)
    # Those of its own constructor, not the fields it inherits.
    assert set(parameters("dataset", "cifar10")) == {"train_files", "test_files"}
    assert parameters("dataset", "digits") == {}
    assert set(parameters("learner", "resnet18")) == {
        field.name for field in dataclasses.fields(ResNet18Classifier) if field.init
    } - set(SET_BY_THE_RUN)


@pytest.mark.parametrize(
    ("value", "wanted", "expected"),
    [
        ("1e-3", float, 0.001),
        (1, float, 1.0),
        (3, int, 3),
        (True, bool, True),
        ([1, 2], tuple[int, ...], (1, 2)),
        (5, tuple[int, ...], (5,)),
        ([], tuple[int, ...], ()),
        (["1e-3", 2], tuple[float, ...], (0.001, 2.0)),
        ("sgd", Literal["sgd", "adam"], "sgd"),
        (None, int | None, None),
        (7, int | None, 7),
        (["a"], tuple[str, ...] | None, ("a",)),
        ("text", str, "text"),
    ],
)
def test_coerce(value: Any, wanted: Any, expected: Any) -> None:
    result = coerce("key", value, wanted)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("value", "wanted", "message"),
    [
        ("much", float, "a.b must be number, got 'much'"),
        (True, float, "must be number, got True"),
        (10**400, float, "must be number"),
        (True, int, "must be whole number, got True"),
        (2.0, int, "must be whole number, got 2.0"),
        ("2", int, "must be whole number, got '2'"),
        (1, bool, "must be true or false, got 1"),
        ("rmsprop", Literal["sgd", "adam"], "must be sgd | adam, got 'rmsprop'"),
        (["sgd"], Literal["sgd", "adam"], "must be sgd | adam"),
        ([1, "x"], tuple[int, ...], "must be whole number, got 'x'"),
        (None, int, "must be whole number, got None"),
        ("x", int | None, "must be whole number or null, got 'x'"),
        (5, str, "must be text, got 5"),
        (5, tuple[str, ...] | None, "must be list of text or null, got 5"),
    ],
)
def test_coerce_refuses(value: Any, wanted: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        coerce("a.b", value, wanted)
    assert message in str(caught.value)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates()
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=3), scalars, max_size=2)
kinds: dict[Any, tuple[type, ...]] = {
    float: (float,),
    int: (int,),
    bool: (bool,),
    str: (str,),
    int | None: (int, type(None)),
    tuple[int, ...]: (tuple,),
    Literal["sgd", "adam"]: (str,),
}


@given(values, st.sampled_from(list(kinds)))
def test_coerce_gives_the_type_or_a_config_error(value: Any, wanted: Any) -> None:
    try:
        result = coerce("key", value, wanted)
    except ConfigError:
        return
    assert type(result) in kinds[wanted]


def test_suggestion() -> None:
    assert suggestion("marign", ["margin", "k"]) == "; did you mean margin? There are: margin, k"
    assert suggestion("z", {"margin": 1}) == "; there are: margin"
    assert suggestion("z", []) == ""
