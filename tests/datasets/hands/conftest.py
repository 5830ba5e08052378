from pathlib import Path

import pytest

from seqgcn.datasets.hands import CropOptions


@pytest.fixture
def options(tmp_path: Path) -> CropOptions:
    """Small crops, cached in the test's own folder."""
    return CropOptions(size=32, cache=str(tmp_path / "cache"))
