"""Pictures of a run and of hand poses.

Names are loaded when first used, so that importing this package does not import matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqgcn.report.curves import confidence_histogram, learning_curve, loss_curve
    from seqgcn.report.hands import contact_sheet, per_joint_bars, success_curves, training_curves

__all__ = [
    "confidence_histogram",
    "contact_sheet",
    "learning_curve",
    "loss_curve",
    "per_joint_bars",
    "success_curves",
    "training_curves",
]

_HOME = dict.fromkeys(("confidence_histogram", "learning_curve", "loss_curve"), "seqgcn.report.curves")
_HOME |= dict.fromkeys(("contact_sheet", "per_joint_bars", "success_curves", "training_curves"), "seqgcn.report.hands")


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
