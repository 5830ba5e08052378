from typing import Any

import numpy as np
import pytest
import torch

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.rendering import SENSORS, Sensor, render_depth
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.seeding import generator


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


CAMERA = Camera(100, 100, 59.5, 49.5, 120, 100)


def test_depth_is_stored_in_steps() -> None:
    slope = torch.linspace(400, 410, 12000).view(100, 120)
    frame = Sensor(noise=0, edge_loss=0, holes=0, step=0.125).measure(slope, generator(0))
    assert np.abs(frame * 0.125 - slope.numpy()).max() <= 0.0625 + 1e-4
    assert len(np.unique(frame)) == 81


@pytest.mark.parametrize("depth", [500.0, 1000.0, 2000.0])
def test_steps_and_noise_of_a_sensor_of_disparities_grow_with_depth_squared(depth: float) -> None:
    growth = (depth / 1000) ** 2
    slope = torch.linspace(depth, depth * 1.05, 12000).view(100, 120)
    frame = Sensor(noise=0, edge_loss=0, holes=0, step=0.05, disparity_step=2.0).measure(slope, generator(0))
    steps = np.diff(np.unique(frame)) * 0.05
    assert steps[0] == pytest.approx(2 * growth, abs=0.06)
    assert steps[-1] == pytest.approx(2 * growth * 1.05**2, rel=0.05)
    flat = torch.full((100, 120), depth)
    sensor = Sensor(noise=3.0, edge_loss=0, holes=0, step=0.05, disparity_step=0.01)
    assert (sensor.measure(flat, generator(1)) * 0.05).std() == pytest.approx(3 * growth, rel=0.1)


def test_a_shadow_is_left_of_what_is_near_and_as_wide_as_its_parallax() -> None:
    wall = torch.full((100, 120), 1000.0)
    wall[40:60, 50:70] = 500
    sensor = Sensor(noise=0, edge_loss=0, holes=0, baseline=80.0)
    lost = sensor.measure(wall, generator(0), CAMERA) == 0
    # 100 px * 80 mm * (1 / 500 mm - 1 / 1000 mm).
    assert lost[40:60, 42:50].all()
    assert lost.sum() == 20 * 8
    with pytest.raises(ArgumentError, match=r"baseline, 80\.0 mm, needs the camera"):
        sensor.measure(wall, generator(0))


def test_a_smooth_slope_has_no_shadow_and_a_steep_one_has() -> None:
    sensor = Sensor(noise=0, edge_loss=0, holes=0, baseline=80.0)
    for drop, shaded in ((1.0, False), (-1.0, False), (60.0, False), (-60.0, True)):
        slope = (3000.0 + drop * (torch.arange(40.0) - 40)).clamp(min=100).expand(10, 40)
        assert bool((sensor.measure(slope, generator(0), Camera(2000, 2000, 20, 5, 40, 10)) == 0).any()) == shaded


def test_named_sensors_err_as_they_are_known_to() -> None:
    wall = torch.full((200, 200), 900.0)
    camera = Camera(460, 460, 100, 100, 200, 200)
    spread = {}
    for name, sensor in SENSORS.items():
        frame = sensor.measure(wall, generator(0, name), camera)
        spread[name] = (frame[frame > 0] * sensor.step).std()
    assert spread["ideal"] == 0
    assert spread["sr305"] < 0.1 < spread["kinect1"]
    assert 0.5 < spread["realsense-d435"] < 3


def steps(depth: torch.Tensor) -> np.ndarray:
    return depth.numpy().round().astype(np.uint16)


def test_a_flying_pixel_is_beside_an_edge_and_between_both_surfaces() -> None:
    wall = torch.full((100, 120), 900.0)
    wall[40:60, 50:70] = 500
    frame = Sensor(noise=0, edge_loss=0, holes=0, flying=0.5).measure(wall, generator(0))
    moved = frame != steps(wall)
    beside = np.zeros_like(moved)
    beside[39:61, 49:71] = True
    beside[41:59, 51:69] = False
    for corner in ((39, 49), (39, 70), (60, 49), (60, 70)):
        beside[corner] = False
    assert not (moved & ~beside).any()
    assert moved[beside].mean() == pytest.approx(0.5, abs=0.1)
    assert ((frame[moved] >= 500) & (frame[moved] <= 900)).all()
    assert np.std(frame[moved]) > 60


def test_nothing_flies_where_there_is_no_second_surface() -> None:
    alone = torch.where(slab() == 450, 500.0, slab())
    frame = Sensor(noise=0, edge_loss=0, holes=0, flying=1.0).measure(alone, generator(0))
    assert np.array_equal(frame, steps(alone))


@pytest.mark.parametrize(("angle", "least", "most"), [(40, 0.0, 0.0), (70, 0.0, 0.01), (80, 0.3, 0.7), (88, 0.9, 1.0)])
def test_depth_is_lost_on_surfaces_that_are_seen_from_aside(angle: float, least: float, most: float) -> None:
    camera = Camera(400, 400, 60, 50, 120, 100)
    # A plane at an angle to the middle ray: z = z0 + x tan(angle).
    slope = torch.tensor(angle).deg2rad().tan()
    x = (torch.arange(120) - 60) / 400
    plane = (600 / (1 - x * slope)).clamp(300, 1200).expand(100, 120)[:, 55:66]
    sensor = Sensor(noise=0, edge_loss=0, holes=0, grazing=80.0)
    frame = sensor.measure(plane.contiguous(), generator(0), camera)
    assert least <= (frame == 0).mean() <= most


def test_the_border_of_what_is_lost_at_grazing_angles_is_ragged() -> None:
    """On a ball it is no circle."""
    camera = Camera(400, 400, 100, 100, 201, 201)
    ball = render_depth(torch.tensor([[0.0, 0.0, 600.0]]), torch.tensor([100.0]), camera)
    frame = Sensor(noise=0, edge_loss=0, holes=0, grazing=70.0).measure(ball, generator(0), camera)
    v, u = np.nonzero((frame > 0) & (ball.numpy() > 0))
    far = np.hypot(v - 100, u - 100)
    turn = np.digitize(np.arctan2(v - 100, u - 100), np.linspace(-np.pi, np.pi, 73))
    rim = np.array([far[turn == each].max() for each in np.unique(turn)])
    assert 0.5 < rim.std() < 4
    assert rim.mean() < np.hypot(*np.subtract(np.nonzero(ball.numpy() > 0), 100)).max() - 1
    with pytest.raises(ArgumentError, match=r"70\.0 degrees.*camera"):
        Sensor(grazing=70.0).measure(ball, generator(0))


def test_time_of_flight_has_flying_pixels_and_structured_light_has_none() -> None:
    wall = torch.full((200, 200), 900.0)
    wall[60:140, 60:140] = 500
    camera = Camera(460, 460, 100, 100, 200, 200)
    between = {}
    for name, sensor in SENSORS.items():
        frame = sensor.measure(wall, generator(0, name), camera) * sensor.step
        between[name] = ((frame > 520) & (frame < 880)).sum()
    assert between["kinect2"] > 100
    assert {name for name, count in between.items() if count} == {"kinect2"}


@pytest.mark.parametrize(
    "wrong", [{"step": 0}, {"disparity_step": -1}, {"baseline": -0.5}, {"grazing": 0}, {"grazing": 91}, {"flying": 1.5}]
)
def test_steps_and_baselines_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        Sensor(**wrong)
