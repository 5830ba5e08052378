import math

import torch
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.grid_augmentation import (
    View,
    change,
    draw_surfaces,
    draw_views,
    in_cube,
    paste,
    view_centers,
    view_grids,
)

CAMERA = Camera(72, 72, 47.5, 35.5, 96, 72)


def disc(center: Tensor, radius: float = 60.0, behind: float = 1500.0) -> Tensor:
    """A disc that faces the camera, before a wall, `[1, 72, 96]` mm."""
    v, u = torch.meshgrid(torch.arange(72.0), torch.arange(96.0), indexing="ij")
    x, y = (u - CAMERA.cx) / CAMERA.fx * center[2] - center[0], (v - CAMERA.cy) / CAMERA.fy * center[2] - center[1]
    return torch.where(x.hypot(y) <= radius, center[2], torch.tensor(behind)).unsqueeze(0)


def middle_of(depth: Tensor, z: float) -> Tensor:
    """Mean point of all that lies at a depth."""
    rows, columns = ((depth - z).abs() < 1).nonzero(as_tuple=True)
    image = torch.stack((columns.float().mean(), rows.float().mean(), torch.tensor(z)))
    return CAMERA.to_world(image)


def a_view(**changes: Tensor) -> View:
    still = View(torch.zeros(1, 2), torch.zeros(1), torch.zeros(1, dtype=torch.bool), torch.zeros(1), torch.ones(1))
    return still._replace(**changes)


def test_image_and_center_move_together() -> None:
    center = torch.tensor([[60.0, -40.0, 600.0]])
    for view in (
        a_view(),
        a_view(shift=torch.tensor([[-20.0, 15.0]])),
        a_view(angle=torch.tensor([0.5])),
        a_view(mirror=torch.tensor([True])),
        a_view(offset=torch.tensor([250.0])),
        a_view(scale=torch.tensor([1.15])),
        View(
            torch.tensor([[5.0, -8.0]]),
            torch.tensor([-0.4]),
            torch.tensor([True]),
            torch.tensor([-120.0]),
            torch.tensor([0.9]),
        ),
    ):
        moved = view_centers(center, CAMERA, view)[0]
        seen = middle_of(view_grids(disc(center[0]), center, CAMERA, view)[0], float(moved[2]))
        assert (moved - seen).norm() < 6, view


def test_a_hand_moved_away_keeps_its_size_and_a_scaled_one_does_not() -> None:
    center = torch.tensor([[0.0, 0.0, 500.0]])

    def width(view: View) -> float:
        z = float(view_centers(center, CAMERA, view)[0, 2])
        grid = view_grids(disc(center[0]), center, CAMERA, view)[0]
        return float(((grid - z).abs() < 1).any(dim=0).sum()) * z / CAMERA.fx

    before = width(a_view())
    assert abs(width(a_view(offset=torch.tensor([300.0]))) - before) < 15
    assert abs(width(a_view(scale=torch.tensor([1.2]))) - 1.2 * before) < 1


def test_a_mirror_maps_left_to_right_about_the_principal_point() -> None:
    center = torch.tensor([[70.0, 20.0, 600.0]])
    assert torch.allclose(
        view_centers(center, CAMERA, a_view(mirror=torch.tensor([True]))),
        center * torch.tensor([-1.0, 1.0, 1.0]),
        atol=1e-3,
    )


def test_drawn_views_keep_the_center_in_the_grid_and_before_the_camera() -> None:
    draws = torch.Generator().manual_seed(0)
    centers = torch.tensor([[0.0, 0.0, 200.0], [250.0, -150.0, 500.0], [-500.0, 300.0, 1000.0]]).repeat(100, 1)
    moved = view_centers(centers, CAMERA, draw_views(centers, CAMERA, draws))
    u, v, z = CAMERA.to_image(moved).unbind(1)
    assert z.min() >= 100
    still = (moved - centers).norm(dim=1) < 0.1
    assert 10 < still.sum() < 90
    assert ((u[~still] > 3) & (u[~still] < 93) & (v[~still] > 2) & (v[~still] < 70)).all()


def test_a_pasted_hand_hides_what_is_behind_it_and_nothing_hides_the_hand() -> None:
    center = torch.tensor([[0.0, 0.0, 500.0]])
    hands = disc(center[0])
    for wall in (0.0, 300.0, 505.0, 900.0):
        pasted = paste(hands, center, torch.full((1, 72, 96), wall), CAMERA, 250.0)
        hand = in_cube(hands, center, CAMERA, 250.0)
        assert hand.sum() > 100
        assert (pasted[hand] == 500).all()
        rest = pasted[~hand]
        assert (rest == 0).all() if wall == 0 else (rest >= 520).all()
        assert 1500 not in rest


def test_random_surfaces_vary_and_are_in_front_of_the_camera() -> None:
    draws = torch.Generator().manual_seed(0)
    scenes = draw_surfaces(torch.tensor([[0.0, 0.0, 600.0]]).repeat(20, 1), (72, 96), CAMERA, draws)
    assert scenes.isfinite().all()
    assert scenes.min() >= 0
    assert len({round(float(scene.mean())) for scene in scenes}) > 15


def test_changes_follow_from_the_generator_alone() -> None:
    center = torch.tensor([[0.0, 0.0, 500.0], [40.0, 10.0, 600.0]])
    grids = torch.cat([disc(row) for row in center])
    first, second = (
        change(grids, center, CAMERA, 250.0, torch.Generator().manual_seed(3), pasted=0.5) for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    other = change(grids, center, CAMERA, 250.0, torch.Generator().manual_seed(4), pasted=0.5)
    assert not torch.equal(first[1], other[1])
    assert math.isfinite(float(first[0].sum()))
