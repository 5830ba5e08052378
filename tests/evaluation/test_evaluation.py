import subprocess
import sys
from importlib import import_module

import seqgcn.evaluation


def test_import_is_light() -> None:
    code = "import sys, seqgcn.evaluation; print({'torch', 'torch_geometric', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "set()"


def test_public_names_of_the_parts_are_names_of_the_whole() -> None:
    for part in ("accuracy", "metric", "pose", "savings", "statistics"):
        module = import_module(f"seqgcn.evaluation.{part}")
        own = {name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__}
        assert {name for name in own if not name.startswith("_")} <= set(seqgcn.evaluation.__all__)
