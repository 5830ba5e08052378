"""Pictures of a run.

Names are loaded when first used, so that importing this package does not import matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqgcn.report.curves import confidence_histogram, learning_curve, loss_curve

__all__ = ["confidence_histogram", "learning_curve", "loss_curve"]

_HOME = dict.fromkeys(__all__, "seqgcn.report.curves")


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
