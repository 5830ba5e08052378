"""Checks of frames, cameras and labels before anything is trained on them."""

from seqgcn.datasets.hands.checks.checking import check_dataset
from seqgcn.datasets.hands.checks.findings import CheckReport, Finding

__all__ = ["CheckReport", "Finding", "check_dataset"]
