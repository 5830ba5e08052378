import math
from typing import Any

import numpy as np
import pytest
import torch
from hand_releases import disc
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqgcn.datasets.hands import Camera
from seqgcn.datasets.hands.crop import (
    FULL_SCALE,
    DepthImage,
    centre_of_mass,
    crop,
    from_crop,
    normalise_pose,
    pose_in_mm,
    to_crop,
    window,
)
from seqgcn.exceptions import ArgumentError

CAMERA = Camera(100.0, 110.0, 40.0, 30.0, 80, 60)


def slow_crop(image: DepthImage, centre: Tensor, cube: float, camera: Camera, size: int) -> list[list[float]]:
    """Pixel by pixel, from the definition."""
    x, y, z = centre.double().tolist()
    u, v = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
    width, height = cube * camera.fx / z, cube * camera.fy / z
    values = []
    for i in range(size):
        values.append([])
        for j in range(size):
            column = math.floor(u - width / 2 + (j + 0.5) / size * width + 0.5) - image.left
            row = math.floor(v - height / 2 + (i + 0.5) / size * height + 0.5) - image.top
            value = 1.0
            if 0 <= row < image.depth.shape[0] and 0 <= column < image.depth.shape[1]:
                depth = float(image.depth[row, column])
                if depth > 0:
                    value = min(max((depth - z) / (cube / 2), -1), 1)
            values[-1].append(value)
    return values


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 999),
    x=st.floats(-150, 150),
    y=st.floats(-150, 150),
    z=st.floats(100, 900),
    cube=st.floats(20, 600),
    size=st.integers(1, 20),
    box=st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 60), st.integers(1, 40)),
)
def test_crop_is_what_its_definition_says(
    seed: int, x: float, y: float, z: float, cube: float, size: int, box: tuple[int, int, int, int]
) -> None:
    left, top, width, height = box
    draw = np.random.default_rng(seed)
    depth = draw.integers(int(z) - 400, int(z) + 400, (height, width)).clip(min=0).astype(np.float32)
    depth[draw.random(depth.shape) < 0.2] = 0
    image, centre = DepthImage(torch.from_numpy(depth), left, top), torch.tensor([x, y, z])
    found = crop(image, centre, cube, CAMERA, size)
    expected = torch.tensor(slow_crop(image, centre, cube, CAMERA, size))
    if found is None:
        # Nothing but background and what lies in front of the cube.
        assert (expected.abs() == 1).all()
    else:
        assert found.dtype == torch.int16
        torch.testing.assert_close(found / FULL_SCALE, expected, rtol=0, atol=1e-4)


def test_front_is_clamped_and_behind_is_background() -> None:
    depth = torch.full((60, 80), 400.0)
    depth[28:33, 39:42], depth[28:33, 45], depth[28:33, 35] = 200, 600, 0
    found = crop(DepthImage(depth), torch.tensor([0.0, 0.0, 400.0]), 200, CAMERA, 50)
    assert found is not None
    assert found[25, 24] == -FULL_SCALE
    assert found.unique().tolist() == [-FULL_SCALE, 0, FULL_SCALE]


@pytest.mark.parametrize("value", [0.0, 250.0, 550.0])
def test_no_depth_inside_the_cube(value: float) -> None:
    image = DepthImage(torch.full((60, 80), value))
    assert crop(image, torch.tensor([0.0, 0.0, 400.0]), 200, CAMERA, 16) is None


def test_cube_outside_of_the_image() -> None:
    image = DepthImage(torch.full((60, 80), 400.0))
    assert crop(image, torch.tensor([9000.0, 0.0, 400.0]), 200, CAMERA, 16) is None


@pytest.mark.parametrize("centre", [[0.0, 0.0, 0.0], [0.0, 0.0, -4.0], [math.nan, 0.0, 400.0], [0.0, math.inf, 400.0]])
def test_wrong_centres(centre: list[float]) -> None:
    image = DepthImage(torch.full((60, 80), 400.0))
    with pytest.raises(ArgumentError, match="the center must lie in front of the camera"):
        crop(image, torch.tensor(centre), 200, CAMERA, 16)


def test_window() -> None:
    left, top, right, bottom = window(40, 0, 400, 200, CAMERA)
    assert (left, top, right, bottom) == (25, 2.5, 75, 57.5)


def test_centre_of_mass_by_hand() -> None:
    depth = torch.zeros(60, 80)
    depth[10:13, 20:25] = 400
    depth[10:13, 60] = 2000  # too far to count
    depth[50, 70] = 5  # too near
    expected = CAMERA.to_world(torch.tensor([22.0, 11.0, 400.0]))
    found = centre_of_mass(DepthImage(depth), CAMERA, 200, 10, 1500)
    assert found is not None
    torch.testing.assert_close(found, expected)
    moved = centre_of_mass(DepthImage(depth[10:13, 20:25], 20, 10), CAMERA, 200, 10, 1500)
    assert moved is not None
    torch.testing.assert_close(moved, expected)


def test_centre_of_mass_is_refined_inside_the_cube() -> None:
    depth = torch.from_numpy(disc(CAMERA, torch.tensor([-40.0, 0.0, 400.0]), 30).astype(np.float32))
    hand = centre_of_mass(DepthImage(depth), CAMERA, 100, 10, 1500)
    depth[25:35, 70:76] = 700
    found = centre_of_mass(DepthImage(depth), CAMERA, 200, 10, 1500)
    assert hand is not None
    assert found is not None
    torch.testing.assert_close(found, hand)


def test_centre_of_mass_of_nothing() -> None:
    assert centre_of_mass(DepthImage(torch.zeros(60, 80)), CAMERA, 200, 10, 1500) is None
    assert centre_of_mass(DepthImage(torch.full((60, 80), 1600.0)), CAMERA, 200, 10, 1500) is None
    # Where the mean lies between two things, nothing is in its cube: the first guess stays.
    depth = torch.zeros(60, 80)
    depth[30, 5], depth[30, 75] = 400, 400
    found = centre_of_mass(DepthImage(depth), CAMERA, 40, 10, 1500)
    assert found is not None
    torch.testing.assert_close(found, CAMERA.to_world(torch.tensor([40.0, 30.0, 400.0])))


points = st.lists(st.tuples(st.floats(-300, 300), st.floats(-300, 300), st.floats(200, 900)), min_size=1, max_size=5)


@given(
    joints=points,
    centre=st.tuples(st.floats(-200, 200), st.floats(-200, 200), st.floats(200, 900)),
    cube=st.floats(50, 400),
)
def test_poses_and_places_come_back(joints: Any, centre: Any, cube: float) -> None:
    pose = torch.tensor([joints], dtype=torch.float64)
    middle, side = torch.tensor([centre], dtype=torch.float64), torch.tensor([cube], dtype=torch.float64)
    torch.testing.assert_close(pose_in_mm(normalise_pose(pose, middle, side), middle, side), pose)
    place = to_crop(pose, middle, side)
    torch.testing.assert_close(from_crop(place, pose[..., 2], middle, side), pose)
    # The same place over the image: the window's edges are at -1 and 1.
    left, top, right, bottom = window(*middle[0].tolist(), cube, CAMERA)
    uvd = CAMERA.to_image(pose[0])
    across = 2 * (uvd[:, 0] - left) / (right - left) - 1
    down = 2 * (uvd[:, 1] - top) / (bottom - top) - 1
    torch.testing.assert_close(place[0], torch.stack([across, down], dim=1), rtol=1e-6, atol=1e-6)
