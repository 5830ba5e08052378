"""What importing the package costs, in modules rather than seconds."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import seqgcn

HEAVY = {"torch", "torch_geometric", "sklearn", "scipy", "matplotlib", "pandas", "PIL", "yaml", "networkx", "faiss"}


def modules_after(statement: str) -> set[str]:
    """Modules loaded in a fresh interpreter by the statement, beyond those it starts with."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before), sep='\\n')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    return set(result.stdout.split())


def test_the_package_alone_imports_nothing_else() -> None:
    loaded = modules_after("import seqgcn")
    assert {name for name in loaded if name.startswith("seqgcn")} == {
        "seqgcn",
        "seqgcn.utils",
        "seqgcn.utils.lazy",
        "seqgcn.utils.moved",
    }
    assert {name.partition(".")[0] for name in loaded} - {"seqgcn"} <= set(sys.stdlib_module_names)


def test_the_list_of_names_imports_nothing_else() -> None:
    loaded = modules_after(
        "import seqgcn; dir(seqgcn); seqgcn.__version__; import seqgcn.config.registry, seqgcn.exceptions"
    )
    assert not HEAVY & loaded


def test_selectors_pay_for_their_own_floors_only() -> None:
    loaded = modules_after("import seqgcn.selectors")
    ours = {name.removeprefix("seqgcn.") for name in loaded if name.startswith("seqgcn.")}
    assert {name for name in ours if not name.startswith(("selectors", "utils"))} == {
        "coverage",
        "coverage.facility_location",
        "coverage.graph_cover",
        "coverage.k_center",
        "coverage.neighbors",
        "coverage.posterior",
        "exceptions",
        "gcn",
        "graph",
        "training",
    }
    assert not {"sklearn", "matplotlib", "pandas", "PIL", "yaml", "faiss"} & loaded


def test_every_public_name_is_there() -> None:
    assert dir(seqgcn) == sorted(seqgcn.__all__)
    for name in seqgcn.__all__:
        value = getattr(seqgcn, name)
        assert value is not None
        if name != "__version__":
            assert getattr(import_module(value.__module__), value.__name__) is value


def test_promised_names_can_be_imported() -> None:
    from seqgcn import ConfidenceGCN, CoreGCN, FeatureGraph, Selection, UncertainGCN, k_center_greedy
    from seqgcn.graph import LowRankAdjacency

    assert all([ConfidenceGCN, CoreGCN, FeatureGraph, LowRankAdjacency, Selection, UncertainGCN, k_center_greedy])


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'seqgcn' has no attribute 'CoreGNC'"):
        _ = seqgcn.CoreGNC


def code() -> Iterator[tuple[str, ast.AST]]:
    """Every node of the package's own code, and the file it is in."""
    package = Path(seqgcn.__file__).parent
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            yield str(path.relative_to(package)), node


def test_what_is_private_to_a_module_stays_there() -> None:
    found = [
        f"{file}:{node.lineno} {alias.name}"
        for file, node in code()
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("seqgcn")
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]
    assert found == []


def names_no_encoding(call: ast.Call) -> bool:
    """Whether a call opens a text file in the encoding of the locale."""
    if "encoding" in {keyword.arg for keyword in call.keywords}:
        return False
    if isinstance(call.func, ast.Name):
        modes = call.args[1:2] if call.func.id == "open" else None
    elif isinstance(call.func, ast.Attribute) and call.func.attr == "open":
        # Of a path: others are asked to open something, which is no mode.
        modes = call.args[:1]
        if modes and not (isinstance(modes[0], ast.Constant) and isinstance(modes[0].value, str)):
            return False
    else:
        return isinstance(call.func, ast.Attribute) and call.func.attr in ("read_text", "write_text")
    return modes is not None and not any(isinstance(mode, ast.Constant) and "b" in str(mode.value) for mode in modes)


def test_no_text_file_is_in_the_encoding_of_the_locale() -> None:
    found = [f"{file}:{node.lineno}" for file, node in code() if isinstance(node, ast.Call) and names_no_encoding(node)]
    assert found == []


def test_a_round_draws_no_figures() -> None:
    loaded = modules_after("import seqgcn.rounds.select_round")
    assert not {"matplotlib.figure", "matplotlib.axes", "matplotlib.pyplot"} & loaded
