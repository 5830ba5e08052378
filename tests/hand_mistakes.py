"""The mistakes of `benchmarks/evidence/corruptions.py`, for tests."""

import importlib.util
import sys
from pathlib import Path
from typing import Any


def _load() -> Any:
    path = Path(__file__).parents[1] / "benchmarks" / "evidence" / "corruptions.py"
    spec = importlib.util.spec_from_file_location("corruptions", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["corruptions"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


CORRUPTIONS = _load().CORRUPTIONS
MISTAKES = {each.name: each.make for each in CORRUPTIONS}
