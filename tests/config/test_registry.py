import dataclasses
import subprocess
import sys
from functools import partial
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqgcn.config.registry import (
    CATALOGUE,
    DEFAULT_LEARNER,
    SET_BY_THE_RUN,
    default_learner,
    import_path,
    load,
    parameters,
    task,
)
from seqgcn.config.schema import REQUIRED, Parameter, coerce, describe_type, suggestion
from seqgcn.datasets import Features, ImageDataset
from seqgcn.datasets.hands.splits import HandSplits
from seqgcn.datasets.hands.splits_reader import SplitsReader
from seqgcn.exceptions import ConfigError
from seqgcn.learners import EstimatorLearner, HandPose, ImageClassifier, MediapipeHands, ResNet18Classifier
from seqgcn.selectors import Selector
from seqgcn.utils.docstrings import first_sentence

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
        assert parameter.default is REQUIRED or coerce(key, parameter.default, parameter.type) == parameter.default
    if kind == "selector":
        assert issubclass(component, Selector)
    elif kind == "learner":
        kinds = {"pose": (HandPose, MediapipeHands), "classification": ImageClassifier, "": EstimatorLearner}
        assert issubclass(component, kinds[str(task(kind, name))])
        assert load(kind, name)().get_params().items() >= CATALOGUE[kind][name].preset.items()
    elif name == "features":
        assert (component, task(kind, name)) == (Features, "")
    else:
        assert component.task == task(kind, name)
        if not isinstance(component, SplitsReader):
            assert issubclass(component, HandSplits if component.task == "pose" else ImageDataset)


def test_default_learners_fit_their_task() -> None:
    assert {task("learner", name): name for name in DEFAULT_LEARNER.values()} == DEFAULT_LEARNER
    assert {*DEFAULT_LEARNER, ""} == {entry.task for entry in CATALOGUE["dataset"].values()}
    assert (default_learner("digits"), default_learner("icvl")) == ("small-cnn", "deep-prior")
    assert default_learner("features") == default_learner(None) == "linear"
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
        "graph-herding",
        "posterior-design",
        "uncertainty-herding",
        "power",
    }


@pytest.mark.parametrize("name", CATALOGUE["selector"])
def test_every_selector_says_where_it_comes_from_and_what_it_is_for(name: str) -> None:
    assert CATALOGUE["selector"][name].source
    selector = load("selector", name)()
    assert set(selector.tasks) <= {"classification", "pose"}
    only_classes = {"prob", "prob_samples"} & set(selector.requires)
    assert ("pose" in selector.tasks) == (not only_classes)


def test_loading_the_catalogue_imports_nothing_heavy() -> None:
    code = "import sys, seqgcn.config.registry; print(*{'torch', 'sklearn', 'yaml', 'numpy'} & set(sys.modules))"
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
    ("text", "expected"),
    [
        ("my_module:Mine", "my_module:Mine"),
        ("my_pkg.my_mod:Mine", "my_pkg.my_mod:Mine"),
        ("my_pkg.my_mod:Mine:k=5,graph=knn", "my_pkg.my_mod:Mine"),
        ("my_pkg.my_mod:Mine:", "my_pkg.my_mod:Mine"),
        ("core-gcn:graph=knn,k=5", ""),
        ("my_module:k=5", ""),
        ("margin", ""),
        ("margin:k", ""),  # a setting without its value
        ("my-module:Mine", ""),
        ("../evil:Mine", ""),
        ("my_module:", ""),
        (":Mine", ""),
        ("1module:Mine", ""),
        ("a..b:Mine", ""),
        ("", ""),
    ],
)
def test_import_path(text: str, expected: str) -> None:
    assert import_path("selector", text) == expected
    assert import_path("dataset", text) == (expected or ("margin:k" if text == "margin:k" else ""))
    assert import_path("report", text) == ""


@given(st.text(max_size=30))
def test_import_path_is_what_the_text_begins_with(text: str) -> None:
    assert text.startswith(import_path("learner", text))


class Unhinted:
    """A class whose author thought of no YAML."""

    def __init__(self, needed, depth=2, sizes=(1, 2), act=len, seed=0, *rest, name=None, **more) -> None:  # type: ignore[no-untyped-def]
        del needed, depth, sizes, act, seed, rest, name, more


class Hinted:
    def __init__(
        self,
        steps: list[int],
        depth: int = None,  # type: ignore[assignment]  # noqa: RUF013  # as many write it
        rate: float = 0.1,
        betas: tuple[float, ...] = (0.9, 0.99),
        mode: Literal["a", "b"] = "a",
        layers: list[int] = [1],  # noqa: B006
        sizes: tuple[int, int] = (1, 2),
        limit: float = float("inf"),
    ) -> None: ...


class Unresolved:
    def __init__(self, net: "NotImported", depth: int = 1) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def test_parameters_of_a_users_own_class() -> None:
    own = parameters("learner", f"{__name__}:Unhinted")
    assert own == {
        "needed": Parameter(Any, REQUIRED),
        "depth": Parameter(Any, 2),
        "sizes": Parameter(tuple[Any, ...], (1, 2)),
        "name": Parameter(Any, None),
    }
    hinted = parameters("selector", f"{__name__}:Hinted")
    assert {name: each.type for name, each in hinted.items()} == {
        "steps": list[int],
        "depth": Any,
        "rate": float,
        "betas": tuple[float, ...],
        "mode": Literal["a", "b"],
        "layers": list[int],
        "sizes": tuple[int, int],
        "limit": float,
    }
    assert parameters("learner", f"{__name__}:Unresolved")["depth"] == Parameter(Any, 1)


def test_a_default_of_a_users_own_can_be_read_back() -> None:
    for name in ("Unhinted", "Hinted"):
        for key, parameter in parameters("learner", f"{__name__}:{name}").items():
            if parameter.default is not REQUIRED:
                held = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
                assert coerce(key, held, parameter.type) == parameter.default


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("learner", "no_such_module_there:X", "cannot import no_such_module_there for the learner .*No module named"),
        ("learner", f"{__name__}:Hintd", "has no 'Hintd'; did you mean Hinted"),
        ("learner", f"{__name__}:ENTRIES", "has 'ENTRIES', but that is no class"),
        ("learner", "my_pkg.my_mod.MyLearner", "one of your own is MODULE:CLASS, as in my_pkg.my_mod:MyLearner"),
        ("dataset", f"{__name__}:Hintd", "has no 'Hintd'; did you mean Hinted"),
    ],
)
def test_import_paths_that_lead_nowhere(kind: str, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(kind, name)


def test_task_of_a_users_own_is_what_it_says() -> None:
    assert task("learner", f"{__name__}:Hinted") is None
    assert task("learner", "seqgcn.learners:TorchLearner") == "classification"


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
        ([1, 2], list[int], [1, 2]),
        (5, list[int], [5]),
        ("text", Any, "text"),
        ([1, "x", None], Any, [1, "x", None]),
        ([[1], 2], tuple[Any, ...], ([1], 2)),
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
        (["a"], list[int], "must be whole number, got 'a'"),
        ({"a": 1}, Any, "must be a number, text, true, false, null or a list of these, got {'a': 1}"),
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


@pytest.mark.parametrize(
    ("kind", "written", "meant"),
    [
        ("selector", "CoreGCN", "core-gcn"),
        ("selector", "core_gcn", "core-gcn"),
        ("selector", "BADGE", "badge"),
        ("selector", "EnsembleSelector", "ensemble"),
        ("learner", "HandPose", "deep-prior"),
        ("dataset", "CIFAR10", "cifar10"),
        ("dataset", "Fashion MNIST", "fashion-mnist"),
        ("dataset", "BigHand", "hands17"),
    ],
)
def test_a_class_or_another_spelling_is_told_its_name(kind: str, written: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown {kind} '{written}'; did you mean {meant}[?]"):
        load(kind, written)


def test_suggestion() -> None:
    assert suggestion("CORE-GCN", ["core-gcn", "core_gcn"]).startswith("; did you mean core-gcn?")
    assert suggestion("marign", ["margin", "k"]) == "; did you mean margin? There are: margin, k"
    assert suggestion("z", {"margin": 1}) == "; there are: margin"
    assert suggestion("z", []) == ""


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_every_parameter_has_a_meaning(kind: str, name: str) -> None:
    assert [key for key, parameter in parameters(kind, name).items() if not first_sentence(parameter.meaning)] == []


LEANING = ("that ", "those ", "the same ", "it ", "of ", "in ", "how many,")
"""How a line begins that means something only after the line before it."""


@pytest.mark.parametrize("name", CATALOGUE["dataset"])
def test_a_meaning_stands_alone(name: str) -> None:
    for key, parameter in parameters("dataset", name).items():
        assert not parameter.meaning.lower().startswith(LEANING), key


UNITS = {
    "near": "mm",
    "far": "mm",
    "cube": "mm",
    "second_cube": "mm",
    "shift": "mm",
    "rotation": "degrees",
    "crop_size": "Pixels",
    "image_size": "pixels",
    "depth": "path",
}


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_what_has_a_unit_says_it(kind: str, name: str) -> None:
    for key, parameter in parameters(kind, name).items():
        assert UNITS.get(key, "") in first_sentence(parameter.meaning), key
