"""Files of features, and how reading them fails."""

from pathlib import Path

import pytest

from seqgcn.datasets.feature_files import read_features
from seqgcn.exceptions import DataFileError


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def fails(path: str | Path, message: str, kind: type[Exception] = DataFileError) -> str:
    with pytest.raises(kind, match=message) as caught:
        read_features(path)
    assert str(path).rpartition(":")[0] in str(caught.value) or str(path) in str(caught.value)
    return str(caught.value)
