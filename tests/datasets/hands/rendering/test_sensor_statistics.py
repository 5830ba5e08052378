"""The evidence script that measures how a sensor errs, on frames whose errors are known."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from seqgcn.datasets.hands.rendering import write_dataset

SCRIPT = Path(__file__).parents[4] / "benchmarks" / "evidence" / "sensor_statistics.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sensor_statistics", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sensor_statistics"] = module
    spec.loader.exec_module(module)
    return module


def frame() -> np.ndarray:
    """A wall at 900 mm, the left half of the image unmeasured, and a block before the wall."""
    depth = np.full((100, 120), 900.0)
    depth[:, :60] = 0
    depth[30:70, 80:100] = 600
    return depth


def test_noise_away_from_edges_is_the_residual(script: ModuleType) -> None:
    draws = np.random.default_rng(0)
    noisy = np.where(frame() > 0, frame() + draws.normal(0, 1.0, frame().shape), 0)
    # Mean absolute value of a standard normal: 0.8; the median of 25 takes part of it.
    assert script.residual(noisy) == pytest.approx(0.8, abs=0.06)
    assert script.residual(frame()) == 0
    assert np.isnan(script.residual(np.zeros((20, 20))))


def test_holes_are_small_unmeasured_regions(script: ModuleType) -> None:
    depth = frame()
    assert script.holes(depth) == 0
    depth[5, 70], depth[80:83, 100:103] = 0, 0
    assert script.holes(depth) == pytest.approx(10 / 6000)
    depth[80:86, 70:76] = 0
    assert script.holes(depth) == pytest.approx(10 / (6000 - 36))


def test_the_step_is_what_neighbors_differ_by(script: ModuleType) -> None:
    slope = 500 + np.arange(60).reshape(1, -1) * 0.1 * np.ones((40, 1))
    for step in (0.125, 1.0):
        stored = np.round(slope / step) * step
        assert script.smallest(script.differences(stored)) == pytest.approx(step)


def test_a_flying_pixel_is_alone_between_two_surfaces(script: ModuleType) -> None:
    depth = frame()
    assert script.flying(depth) == 0
    beside = 2 * (2 * 40 + 2 * 20) - 4
    depth[40, 79] = 750
    # The flying pixel's left neighbor is now beside an edge too.
    assert script.flying(depth) == pytest.approx(1 / (beside + 3), rel=0.02)
    assert script.flying(np.full((10, 10), 500.0)) == 0


def test_sr305_errs_like_real_frames_of_it(script: ModuleType, tmp_path: Path) -> None:
    """Within a factor of two of eight real frames of hands before a body."""
    home = write_dataset(tmp_path / "out", "depth-folder", frames=12, sequences=4, sensor="sr305")
    found = script.measure(script.read(home))
    assert 0.045 / 2 < found.residual < 0.045 * 2
    assert 0.0019 / 2 < found.holes < 0.0019 * 2
    assert found.step == 0.125
    assert 0.786 / 2 < found.unmeasured < 1
    assert found.flying < 0.001


def test_the_script_prints_a_line_a_folder(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    homes = [str(write_dataset(tmp_path / name, "depth-folder", frames=1, sequences=1)) for name in ("one", "two")]
    monkeypatch.setattr(sys, "argv", ["sensor_statistics.py", *homes])
    script.main()
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == ["folder", "one", "two"]
    (tmp_path / "two" / "sequence_001" / "000000.png").unlink()
    with pytest.raises(SystemExit, match="two has no PNG"):
        script.main()
