import torch

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.heat_map import FEATURES, HeatMap, decode, features, surface, surface_points, target

CAMERA = Camera(72, 72, 47.5, 35.5, 96, 72)


def test_a_block_has_its_nearest_measured_depth() -> None:
    depth = torch.zeros(1, 4, 4)
    depth[0, 0, :2] = torch.tensor([900.0, 500.0])
    depth[0, 2, 3] = 700
    assert surface(depth)[0].tolist() == [[500, 0], [0, 700]]


def test_points_of_a_surface_project_into_the_middle_of_their_blocks() -> None:
    points = surface_points(torch.full((1, 36, 48), 650.0), CAMERA)
    image = CAMERA.to_image(points)[0]
    assert torch.allclose(image[0, 0], torch.tensor([0.5, 0.5, 650.0]), atol=1e-3)
    assert torch.allclose(image[20, 7], torch.tensor([14.5, 40.5, 650.0]), atol=1e-3)


def test_relief_is_of_measured_neighbors_alone_and_relative() -> None:
    depth = torch.zeros(1, 72, 96)
    depth[0, 30:50, 30:60] = 600
    seen = features(depth, CAMERA)
    assert seen.shape == (1, FEATURES, 72, 96)
    # A flat surface has no relief, even at its edge to nothing.
    assert seen[:, 3:].abs().max() < 1e-3
    assert (seen[0, :, 0, 0] == 0).all()


def test_the_target_is_near_the_center_and_nothing_where_no_surface_is() -> None:
    depth = torch.full((2, 36, 48), 600.0)
    points = surface_points(depth, CAMERA)
    centers = torch.tensor([[50.0, 20.0, 620.0], [0.0, 0.0, 1500.0]])
    weight = target(points, depth > 0, centers, 250.0)
    assert torch.allclose(weight.sum(dim=(1, 2)), torch.tensor([1.0, 0.0]))
    mean = (weight[0].unsqueeze(-1) * points[0]).sum(dim=(0, 1))
    assert (mean - torch.tensor([50.0, 20.0, 600.0])).norm() < 10


def test_an_empty_grid_has_no_center_and_no_mass() -> None:
    found = decode(HeatMap().eval(), torch.zeros(2, 72, 96), CAMERA, 250.0)
    assert found.points.isnan().all()
    assert found.mass.tolist() == [0, 0]
    assert found.second.tolist() == [0, 0]
