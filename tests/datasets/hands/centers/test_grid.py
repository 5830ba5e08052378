import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqgcn.datasets.hands.camera import ICVL_CAMERA, NYU_CAMERA, Camera
from seqgcn.datasets.hands.centers.grid import COLUMNS, ROWS, check_grids, grid_camera, shrink
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.exceptions import ArgumentError


def blank(camera: Camera) -> torch.Tensor:
    return torch.zeros(camera.height, camera.width)


@given(
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    place=st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True)),
)
def test_the_grids_camera_sees_a_surface_in_the_cell_that_holds_it(
    width: int, height: int, place: tuple[float, float]
) -> None:
    camera = Camera(300, 310, width / 2, height / 3, width, height)
    # Two pixels wide, as a surface is.
    u, v = int(place[0] * width), int(place[1] * height)
    u = max(min(u, width - 2), 0)
    depth = blank(camera)
    depth[v, u : u + 2] = 700
    grid = shrink(DepthImage(depth), camera)
    world = camera.to_world(torch.tensor([float(u), float(v), 700.0]))
    column, row, _ = grid_camera(camera).to_image(world).tolist()
    seen = np.argwhere(grid == 700)
    assert np.abs(seen - [row, column]).max(axis=1).min() <= 0.5 + 1e-3
    assert 1 <= len(seen) <= 2


def test_the_nearest_surface_of_a_block_is_kept() -> None:
    depth = torch.full((480, 640), 900.0)
    depth[100:104, 200:204] = 500
    grid = shrink(DepthImage(depth), NYU_CAMERA)
    assert set(np.unique(grid)) == {500, 900}
    assert (grid == 500).sum() <= 4


def test_a_single_flying_pixel_is_no_surface() -> None:
    depth = torch.full((480, 640), 900.0)
    depth[100, 200] = 300
    assert set(np.unique(shrink(DepthImage(depth), NYU_CAMERA))) == {900}


def test_nothing_measured_is_nothing_in_the_grid() -> None:
    depth = blank(NYU_CAMERA)
    depth[10, 10:14] = torch.tensor([float("nan"), float("inf"), -5.0, 32001.0])
    assert not shrink(DepthImage(depth), NYU_CAMERA).any()
    assert not shrink(DepthImage(torch.zeros(0, 0), 5, 5), NYU_CAMERA).any()


def test_a_box_of_a_frame_gives_what_the_frame_gives() -> None:
    depth = blank(ICVL_CAMERA)
    depth[60:160, 90:181] = 400 + torch.rand(100, 91).mul(100).round()
    whole = shrink(DepthImage(depth), ICVL_CAMERA)
    box = shrink(DepthImage(depth[60:160, 90:181], left=90, top=60), ICVL_CAMERA)
    # At the box's right edge a pixel has no neighbor to confirm it.
    different = np.unique(np.nonzero(whole != box)[1])
    assert len(different) <= 1
    assert whole.any()


def test_a_wide_frame_is_letterboxed() -> None:
    camera = Camera(500, 500, 320, 100, 640, 200)
    grid = shrink(DepthImage(torch.full((200, 640), 800.0)), camera)
    rows = np.flatnonzero(grid.any(axis=1))
    assert grid.any(axis=0).all()
    assert len(rows) == 30
    assert abs((rows[0] + rows[-1]) / 2 - (ROWS - 1) / 2) <= 1


def test_a_small_frame_is_not_enlarged() -> None:
    camera = Camera(50, 50, 20, 15, 40, 30)
    assert np.count_nonzero(shrink(DepthImage(torch.full((30, 40), 800.0)), camera)) == 1200
    assert grid_camera(camera).fx == 50


def test_an_image_beyond_the_cameras_is_refused_with_both_sizes() -> None:
    with pytest.raises(ArgumentError, match=r"640 x 480.*320 x 240"):
        shrink(DepthImage(torch.zeros(480, 640)), ICVL_CAMERA)


@pytest.mark.parametrize(
    ("grids", "named"),
    [
        (np.zeros((2, 10, 10), np.uint16), r"10, 10"),
        (torch.zeros(2, ROWS, COLUMNS), "float32"),
        (np.full((2, ROWS, COLUMNS), np.nan), "rows 0, 1"),
        (np.full((2, ROWS, COLUMNS), "a"), "numbers"),
        ([1], "list"),
    ],
)
def test_what_are_no_grids_is_refused(grids: object, named: str) -> None:
    with pytest.raises(ArgumentError, match=named):
        check_grids(grids)


def test_half_precision_grids_are_taken() -> None:
    assert check_grids(np.full((1, ROWS, COLUMNS), 801, np.float16)).dtype == np.uint16
