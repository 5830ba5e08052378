import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqgcn.datasets.hands.camera import ICVL_CAMERA, Camera
from seqgcn.datasets.hands.rendering import Hand, HandPose, hand_spheres, render_depth
from seqgcn.datasets.hands.rendering.kinematics import angle_limits
from seqgcn.exceptions import ArgumentError

SMALL = Camera(55.5, 60.25, 31.3, 22.8, 64, 48)


def brute_force(centres: Tensor, radii: Tensor, camera: Camera) -> Tensor:
    """The quadratic equation for every pixel and sphere, in double precision."""
    u, v = torch.arange(camera.width).double(), torch.arange(camera.height).double()
    dx, dy = torch.meshgrid((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, indexing="xy")
    d = torch.stack((dx, dy, torch.ones_like(dx)), dim=-1)
    c, r = centres.double(), radii.double()
    a, b = d.square().sum(dim=-1, keepdim=True), d @ c.T
    root = b.square() - a * (c.square().sum(dim=1) - r.square())
    t = torch.where(root >= 0, (b - root.clamp(min=0).sqrt()) / a, math.inf).amin(dim=2)
    return torch.where(t.isinf(), 0.0, t)


def assert_same(ours: Tensor, exact: Tensor) -> None:
    hit, expected = ours > 0, exact > 0
    # A ray that only just touches may go either way in single precision.
    assert (hit != expected).float().mean() < 0.003
    both = hit & expected
    wrong = (ours - exact).abs()[both] > 0.05
    assert wrong.float().sum() <= 0.002 * both.sum() + 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_the_same_as_every_ray_against_every_sphere(seed: int, m: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    z = 80 + 500 * torch.rand(m, generator=draws)
    xy = (2 * torch.rand(m, 2, generator=draws) - 1) * 0.8 * z.unsqueeze(1)
    centres = torch.cat((xy, z.unsqueeze(1)), dim=1)
    radii = 1 + 60 * torch.rand(m, generator=draws) ** 2
    assert_same(render_depth(centres, radii, SMALL), brute_force(centres, radii, SMALL))


def test_a_hand_is_the_same_as_by_brute_force() -> None:
    camera = Camera(65, 65, 39.5, 29.5, 80, 60)
    pose = HandPose(angle_limits()[1].unsqueeze(0) / 2, torch.tensor([[0.3, 0.2, 0.5]]), torch.tensor([[0.0, 0, 350]]))
    centres, radii = hand_spheres(Hand.average().joints(pose)[0])
    assert_same(render_depth(centres, radii, camera), brute_force(centres, radii, camera))


def test_a_sphere_straight_ahead() -> None:
    depth = render_depth(torch.tensor([[0.0, 0.0, 500.0]]), torch.tensor([20.0]), ICVL_CAMERA)
    assert depth.shape == (240, 320)
    assert depth.dtype == torch.float32
    assert depth[120, 160] == pytest.approx(480, abs=1e-3)
    # The silhouette: tan(asin(20 / 500)) f = 9.65 px on either side.
    assert (depth[120] > 0).nonzero().flatten().tolist() == list(range(151, 170))


def test_the_nearer_of_two_is_seen_whatever_their_order() -> None:
    centres, radii = torch.tensor([[0.0, 0, 500], [2.0, 0, 300]]), torch.tensor([60.0, 10.0])
    depth = render_depth(centres, radii, SMALL)
    assert torch.equal(depth, render_depth(centres.flip(0), radii.flip(0), SMALL))
    row, column = 23, 31
    assert depth[row, column] < 300
    assert depth.max() > 400


@pytest.mark.parametrize("centre", [[0.0, 0, -500], [0.0, 0, 5.0], [2000.0, 0, 500], [0.0, -2000, 500]])
def test_spheres_behind_around_and_beside_the_camera_are_not_seen(centre: Any) -> None:
    assert not render_depth(torch.tensor([centre]), torch.tensor([20.0]), ICVL_CAMERA).any()


def test_a_sphere_that_fills_the_image() -> None:
    centres, radii = torch.tensor([[10.0, -20.0, 1000.0]]), torch.tensor([990.0])
    depth = render_depth(centres, radii, SMALL)
    assert (depth > 0).all()
    assert torch.allclose(depth, brute_force(centres, radii, SMALL).float(), rtol=1e-3, atol=0.05)


def test_no_sphere_is_an_empty_image() -> None:
    assert not render_depth(torch.zeros(0, 3), torch.zeros(0), SMALL).any()


@pytest.mark.parametrize(
    ("centres", "radii", "message"),
    [
        (torch.zeros(2, 2), torch.ones(2), "centres must be"),
        (torch.zeros(2, 3), torch.ones(3), "radii"),
        (torch.tensor([[0.0, 0, math.nan]]), torch.ones(1), "finite"),
        (torch.ones(1, 3), torch.zeros(1), "positive"),
        (torch.ones(1, 3), torch.tensor([math.inf]), "finite"),
    ],
)
def test_what_is_no_sphere_is_refused(centres: Any, radii: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        render_depth(centres, radii, SMALL)
