import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.rendering.raycast import render_depth
from seqgcn.datasets.hands.rendering.solids import Box, Cone, Ellipsoid, nearer, solids_depth

CAMERA = Camera(60, 62, 40.3, 29.6, 80, 60)
places = st.tuples(st.floats(-250, 250), st.floats(-200, 200), st.floats(300, 700)).map(torch.tensor)
radii = st.floats(5, 80)


def balls(start: torch.Tensor, end: torch.Tensor, sizes: tuple[float, float]) -> torch.Tensor:
    share = torch.linspace(0, 1, 1500).unsqueeze(1)
    return render_depth(start + share * (end - start), (sizes[0] + share * (sizes[1] - sizes[0])).flatten(), CAMERA)


@settings(deadline=None, max_examples=25)
@given(places, places, st.tuples(radii, radii))
def test_a_cone_is_all_balls_between_its_two(
    start: torch.Tensor, end: torch.Tensor, sizes: tuple[float, float]
) -> None:
    cone, expected = solids_depth([Cone(start, end, sizes)], CAMERA), balls(start, end, sizes)
    both = (cone > 0) & (expected > 0)
    # Sampled balls leave out a little between them, and rays along the outline may hit one and not the other.
    assert ((cone > 0) != (expected > 0)).sum() <= 2
    # Never behind the balls it holds, but for rounding.
    assert ((cone - expected)[both] < 0.2).all()
    assert ((cone - expected)[both].abs() < 0.05).sum() >= both.sum() // 2


@settings(deadline=None, max_examples=25)
@given(places, radii)
def test_an_ellipsoid_of_three_equal_radii_is_a_ball(center: torch.Tensor, radius: float) -> None:
    seen = solids_depth([Ellipsoid(center, torch.full((3,), radius))], CAMERA)
    expected = render_depth(center.unsqueeze(0), torch.tensor([radius]), CAMERA)
    assert ((seen > 0) != (expected > 0)).sum() <= 1
    both = (seen > 0) & (expected > 0)
    # Where a ray grazes the outline a rounding moves the hit along the ray.
    assert torch.allclose(seen[both], expected[both], atol=0.5)


def test_points_on_an_ellipsoid_satisfy_its_equation() -> None:
    center, sizes = torch.tensor([30.0, -20, 500]), torch.tensor([90.0, 150, 60])
    seen = solids_depth([Ellipsoid(center, sizes)], CAMERA)
    v, u = seen.nonzero().unbind(1)
    points = CAMERA.to_world(torch.stack((u.float(), v.float(), seen[v, u]), dim=1))
    assert len(points) > 300
    assert torch.allclose(((points - center) / sizes).square().sum(dim=1), torch.ones(len(points)), atol=1e-3)


def test_a_box_that_faces_the_camera_is_a_rectangle_at_its_front() -> None:
    box = Box(torch.tensor([0.0, 0, 500]), torch.eye(3), torch.tensor([100.0, 50, 20]))
    seen = solids_depth([box], CAMERA)
    assert set(seen.unique().tolist()) == {0, 480}
    rows, columns = (seen > 0).nonzero().unbind(1)
    assert (columns.min(), columns.max()) == (28, 52)  # 40.3 -+ 60 * 100 / 480
    assert (rows.min(), rows.max()) == (24, 36)  # 29.6 -+ 62 * 50 / 480


@pytest.mark.parametrize("degrees", [20.0, 45.0, 70.0])
def test_points_on_a_turned_box_are_on_its_faces(degrees: float) -> None:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    axes, half = torch.tensor([[c, 0, -s], [0, 1, 0], [s, 0, c]]), torch.tensor([80.0, 60, 40])
    center = torch.tensor([20.0, 10, 450])
    seen = solids_depth([Box(center, axes, half)], CAMERA)
    v, u = seen.nonzero().unbind(1)
    points = CAMERA.to_world(torch.stack((u.float(), v.float(), seen[v, u]), dim=1))
    own = (points - center) @ axes.T
    assert len(points) > 200
    assert torch.allclose((own.abs() / half).max(dim=1).values, torch.ones(len(points)), atol=1e-3)


def test_solids_around_or_behind_the_camera_are_not_seen() -> None:
    behind = torch.tensor([0.0, 0, -300])
    solids = [
        Ellipsoid(behind, torch.full((3,), 50.0)),
        Ellipsoid(torch.zeros(3), torch.full((3,), 50.0)),
        Box(behind, torch.eye(3), torch.full((3,), 50.0)),
        Cone(behind, behind + 20, (30.0, 40.0)),
    ]
    assert not solids_depth(solids, CAMERA).any()
    assert not solids_depth([], CAMERA).any()


def test_the_nearer_of_two_images_wins_and_0_is_nothing() -> None:
    one, other = torch.tensor([[0.0, 0, 5, 5, 7]]), torch.tensor([[0.0, 3, 0, 9, 6]])
    assert nearer(one, other).tolist() == nearer(other, one).tolist() == [[0, 3, 5, 5, 6]]
