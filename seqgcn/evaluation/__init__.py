"""How good a learner is, and whether one selector beats another beyond the luck of the seed.

Importing this package imports neither torch nor PyG, which take seconds: comparing finished runs needs no tensor.
"""

from seqgcn.evaluation.accuracy import accuracy, per_class_accuracy
from seqgcn.evaluation.curve import Curve, area_under_budget_curve
from seqgcn.evaluation.metric import ACCURACY, MEAN_JOINT_ERROR, RMSE, Metric
from seqgcn.evaluation.pose import (
    THRESHOLDS,
    Score,
    area_under_success,
    joint_errors,
    joint_success_curve,
    mean_joint_error,
    per_joint_error,
    score_poses,
    success_curve,
)
from seqgcn.evaluation.savings import Saving, how_to_read, labels_saved, saving_columns
from seqgcn.evaluation.statistics import (
    MAX_CONFIRMATORY,
    MIN_SEEDS_FOR_P,
    Comparison,
    bootstrap_interval,
    compare,
    comparison_cells,
    comparison_table,
    holm,
    wilcoxon_p,
)

__all__ = [
    "ACCURACY",
    "MAX_CONFIRMATORY",
    "MEAN_JOINT_ERROR",
    "MIN_SEEDS_FOR_P",
    "RMSE",
    "THRESHOLDS",
    "Comparison",
    "Curve",
    "Metric",
    "Saving",
    "Score",
    "accuracy",
    "area_under_budget_curve",
    "area_under_success",
    "bootstrap_interval",
    "compare",
    "comparison_cells",
    "comparison_table",
    "holm",
    "how_to_read",
    "joint_errors",
    "joint_success_curve",
    "labels_saved",
    "mean_joint_error",
    "per_class_accuracy",
    "per_joint_error",
    "saving_columns",
    "score_poses",
    "success_curve",
    "wilcoxon_p",
]
