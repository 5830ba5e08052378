from typing import Any

import numpy as np
import pytest
import torch

from seqgcn.datasets.hands.rendering import Sensor
from seqgcn.errors import ArgumentError
from seqgcn.seeding import generator


def slab() -> torch.Tensor:
    depth = torch.zeros(100, 120)
    depth[20:80, 30:90] = 500
    depth[40:60, 50:70] = 450
    return depth


def measure(sensor: Sensor, seed: int = 0) -> np.ndarray:
    return sensor.measure(slab(), generator(seed, "noise"))


def test_whole_millimetres_with_noise_of_the_given_size() -> None:
    frame = measure(Sensor(noise=1.5, edge_loss=0, holes=0))
    assert frame.dtype == np.uint16
    assert frame.shape == (100, 120)
    error = frame[slab().numpy() > 0] - slab()[slab() > 0].numpy()
    assert error.std() == pytest.approx(1.5, rel=0.1)
    assert abs(error.mean()) < 0.1


def test_a_perfect_sensor_changes_nothing() -> None:
    assert np.array_equal(measure(Sensor(noise=0, edge_loss=0, holes=0)), slab().numpy())


def test_only_pixels_beside_an_edge_are_lost() -> None:
    frame = measure(Sensor(noise=0, edge_loss=1, holes=0))
    lost = (slab().numpy() > 0) & (frame == 0)
    expected = np.zeros_like(lost)
    expected[20:80, 30:90] = True
    expected[21:79, 31:89] = False
    expected[39:61, 49:71] |= True
    expected[41:59, 51:69] = False
    for corner in ((39, 49), (39, 70), (60, 49), (60, 70)):
        expected[corner] = False
    assert np.array_equal(lost, expected)
    some = (measure(Sensor(noise=0, edge_loss=0.3, holes=0)) == 0)[expected].mean()
    assert some == pytest.approx(0.3, abs=0.07)


def test_holes_are_small_and_as_many_as_said_on_average() -> None:
    counts = [(slab().numpy() > 0).sum() - (measure(Sensor(0, 0, 4.0), seed) > 0).sum() for seed in range(200)]
    # A hole is 1, 2 or 3 px wide: 14 / 3 px, less where holes meet the rim.
    assert np.mean(counts) == pytest.approx(4 * 14 / 3, rel=0.15)
    assert min(counts) == 0


def test_past_the_hand_is_background_and_a_lost_pixel_is_0() -> None:
    frame = measure(Sensor(edge_loss=0.5, background=32001))
    assert (frame[slab().numpy() == 0] == 32001).all()
    assert not (frame[slab().numpy() > 0] == 32001).any()
    assert (frame == 0).any()


def test_an_empty_scene_is_background() -> None:
    assert (Sensor(background=32001).measure(torch.zeros(4, 5), generator(0)) == 32001).all()


def test_the_same_seed_gives_the_same_frame() -> None:
    assert np.array_equal(measure(Sensor(), 3), measure(Sensor(), 3))
    assert not np.array_equal(measure(Sensor(), 3), measure(Sensor(), 4))


@pytest.mark.parametrize("wrong", [{"noise": -1}, {"edge_loss": 1.5}, {"holes": -0.1}, {"background": 70000}])
def test_what_no_sensor_does_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        Sensor(**wrong)
