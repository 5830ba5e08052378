"""The center of a hand from any place on it."""

import math

import numpy as np
import pytest
import torch
from hand_scenes import CAMERA, Depth, Scene

from seqgcn.datasets.hands.centers.palms import Grid, grid_of
from seqgcn.datasets.hands.centers.wrist import BEHIND, hand_at
from seqgcn.datasets.hands.crop import DepthImage

Point = tuple[float, float, float]


def grid_with(depth: Depth) -> Grid:
    grid = grid_of(DepthImage(torch.from_numpy(depth)), CAMERA, 10.0, 1500.0)
    assert grid is not None
    return grid


def center_from(depth: Depth, x: float, y: float, z: float) -> Point:
    grid = grid_with(depth)
    row = round((y * CAMERA.fy / z + CAMERA.cy - grid.top) / grid.step)
    column = round((x * CAMERA.fx / z + CAMERA.cx - grid.left) / grid.step)
    assert grid.depth[row, column] > 0
    return hand_at(grid, CAMERA, row, column).center


@pytest.mark.parametrize("start", [(0.0, 0.0), (0.0, -60.0), (30.0, 0.0), (0.0, 25.0)])
def test_the_center_depends_little_on_where_on_palm_or_fingers_it_starts(start: tuple[float, float]) -> None:
    depth = Scene().hand(0, 0, 600).forearm(0, 0, 600, 90, rise=0).frame()
    middle = center_from(depth, 0, 0, 600)
    assert math.dist(center_from(depth, *start, 600), middle) < 20
    assert math.dist(middle, (0, 0, 600)) < 45


@pytest.mark.parametrize("angle", [0, 60, 180, 250])
def test_a_long_forearm_moves_the_center_no_more_than_a_short_one(angle: int) -> None:
    centers = [
        center_from(Scene().hand(0, 0, 600, angle + 180).forearm(0, 0, 600, angle, length, 0).frame(), 0, 0, 600)
        for length in (140, 160, 400)
    ]
    assert max(math.dist(center, centers[0]) for center in centers) < 12


def test_the_center_lies_behind_the_surface_on_its_line_of_sight() -> None:
    x, y, z = center_from(Scene().disc(100, 50, 500, 45).frame(), 100, 50, 500)
    assert z == pytest.approx(500 + BEHIND, abs=1)
    assert (x / z, y / z) == pytest.approx((0.2, 0.1), abs=0.01)


def test_what_touches_the_hand_only_in_the_picture_is_left_out() -> None:
    alone = Scene().hand(0, 0, 500).frame()
    before_a_torso = Scene().hand(0, 0, 500).torso(900, x=0).frame()
    assert math.dist(center_from(alone, 0, 0, 500), center_from(before_a_torso, 0, 0, 500)) < 5


def test_a_single_point_is_its_own_center() -> None:
    depth = np.zeros((480, 640), np.float32)
    depth[238:246, 318:326] = 700
    assert center_from(depth, 0, 0, 700) == pytest.approx((0, 0, 700 + BEHIND), abs=8)
