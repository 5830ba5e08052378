import importlib
import subprocess
import sys
from types import ModuleType

import pytest

import seqgcn
from seqgcn.utils.moved import MOVED, MovedModules


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_an_old_name_is_the_same_module_and_says_the_new_one(old: str, new: str) -> None:
    if new == "integrations.skactiveml":
        pytest.importorskip("skactiveml")
    module = importlib.import_module(f"seqgcn.{new}")
    spec = module.__spec__
    sys.modules.pop(f"seqgcn.{old}", None)
    with pytest.warns(DeprecationWarning, match=f"seqgcn.{new}"):
        assert importlib.import_module(f"seqgcn.{old}") is module
    assert module.__name__ == f"seqgcn.{new}"
    assert module.__spec__ is spec


def test_the_warning_points_at_the_line_that_imports() -> None:
    code = "import seqgcn.errors\nassert seqgcn.errors.SeqGCNError"
    result = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert "<string>:1: DeprecationWarning: seqgcn.errors is now seqgcn.exceptions" in result.stderr


@pytest.mark.parametrize(
    ("name", "names"),
    [("config", ("RunConfig", "SelectorSpec", "CONFIG")), ("coverage", ("k_center_greedy",)), ("runs", ("RunSet",))],
)
def test_names_of_modules_that_became_packages_are_still_there(name: str, names: tuple[str, ...]) -> None:
    module: ModuleType = importlib.import_module(f"seqgcn.{name}")
    for each in names:
        assert getattr(module, each) is not None
        assert each in module.__all__


def test_other_modules_are_still_not_there() -> None:
    assert MovedModules("seqgcn", MOVED).find_spec("seqgcn.nothing", None) is None
    with pytest.raises(ModuleNotFoundError, match=r"seqgcn\.nothing"):
        importlib.import_module("seqgcn.nothing")
    assert seqgcn.__version__
