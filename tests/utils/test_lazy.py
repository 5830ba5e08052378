import sys
from types import ModuleType

import pytest

from seqgcn.utils.lazy import lazy


def test_a_name_is_imported_once_and_then_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    package, home = ModuleType("somewhere"), ModuleType("somewhere.deep")
    package.__all__ = ["thing", "at_hand"]  # type: ignore[attr-defined]
    home.thing = object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somewhere", package)
    monkeypatch.setitem(sys.modules, "somewhere.deep", home)
    get, names = lazy("somewhere", {"thing": "deep"})
    assert names() == ["at_hand", "thing"]
    assert "thing" not in vars(package)
    assert get("thing") is home.thing is vars(package)["thing"]
    with pytest.raises(AttributeError, match="module 'somewhere' has no attribute 'other'"):
        get("other")
