"""Pictures of a run and of hand poses.

Names are loaded when first used, so that importing this package does not import matplotlib.
"""

from typing import TYPE_CHECKING

from seqgcn.utils.lazy import lazy

if TYPE_CHECKING:
    from seqgcn.report.crops import crops_figure
    from seqgcn.report.curves import learning_curve
    from seqgcn.report.differences import differences
    from seqgcn.report.hands import contact_sheet, per_joint_bars, success_curves, training_curves

__all__ = [
    "contact_sheet",
    "crops_figure",
    "differences",
    "learning_curve",
    "per_joint_bars",
    "success_curves",
    "training_curves",
]

_HOME = {"learning_curve": "curves", "crops_figure": "crops", "differences": "differences"}
_HOME |= dict.fromkeys(("contact_sheet", "per_joint_bars", "success_curves", "training_curves"), "hands")

__getattr__, __dir__ = lazy(__name__, _HOME)
