import subprocess
import sys

import pytest

import seqgcn.datasets.hands as hands


def test_every_promised_name_is_there() -> None:
    assert set(hands.__all__) <= set(dir(hands))
    for name in hands.__all__:
        kind = getattr(hands, name)
        assert kind.__name__ == name
    for name in ("ICVL", "NYU", "MSRA", "BigHand", "DepthFolder"):
        assert issubclass(getattr(hands, name), hands.HandDataset)


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match=r"'seqgcn\.datasets\.hands' has no attribute 'FreiHAND'"):
        hands.FreiHAND  # noqa: B018


def test_a_data_set_costs_only_what_it_needs() -> None:
    code = (
        "import sys, seqgcn.datasets.hands as h; assert 'torch' not in sys.modules; "
        "h.NYU; assert not {'sklearn', 'scipy', 'yaml', 'torch_geometric'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)  # noqa: S603
