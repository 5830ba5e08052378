import subprocess
import sys

import pytest

import seqgcn.datasets
from seqgcn.datasets import dataset as base


def test_every_promised_name_is_there() -> None:
    assert set(seqgcn.datasets.__all__) <= set(dir(seqgcn.datasets))
    for name in seqgcn.datasets.__all__:
        kind = getattr(seqgcn.datasets, name)
        assert kind.__name__ == name
        assert name in ("Features", "Split", "as_dataset") or issubclass(kind, base.ImageDataset)


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match=r"'seqgcn\.datasets' has no attribute 'ImageNet'"):
        seqgcn.datasets.ImageNet  # noqa: B018


def test_a_data_set_costs_only_what_it_needs() -> None:
    code = (
        "import sys, seqgcn.datasets as d; assert 'torch' not in sys.modules; "
        "d.CIFAR10; assert not {'sklearn', 'scipy', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)  # noqa: S603
