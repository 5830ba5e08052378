import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqgcn.datasets.hands import Camera, Skeleton
from seqgcn.datasets.hands.camera import BIGHAND_CAMERA, ICVL_CAMERA, MSRA_CAMERA, NYU_CAMERA
from seqgcn.datasets.hands.skeleton import BIGHAND21, ICVL16, MSRA21, NYU14, NYU36
from seqgcn.exceptions import ArgumentError

CAMERAS = {"icvl": ICVL_CAMERA, "nyu": NYU_CAMERA, "msra": MSRA_CAMERA, "bighand": BIGHAND_CAMERA}

coordinates = st.floats(-1000, 1000)
cameras = st.builds(
    Camera,
    *[st.floats(50, 2000)] * 2,
    *[st.floats(-100, 1000)] * 2,
    width=st.integers(1, 2000),
    height=st.integers(1, 2000),
    axes=st.tuples(*[st.sampled_from([1, -1])] * 3),
)


@given(camera=cameras, points=st.lists(st.tuples(coordinates, coordinates, st.floats(10, 5000)), min_size=1))
def test_to_the_image_and_back(camera: Camera, points: list[tuple[float, float, float]]) -> None:
    xyz = torch.tensor(points, dtype=torch.float64)
    uvd = camera.to_image(xyz)
    torch.testing.assert_close(uvd[:, 2], xyz[:, 2])
    torch.testing.assert_close(camera.to_world(uvd), xyz, rtol=1e-9, atol=1e-6)
    torch.testing.assert_close(camera.to_release(camera.from_release(xyz)), xyz, rtol=0, atol=0)


def test_projection_by_hand() -> None:
    camera = Camera(200, 100, 50, 40, 100, 80)
    assert camera.to_image(torch.tensor([10.0, -20.0, 400.0])).tolist() == [55, 35, 400]
    assert camera.to_world(torch.tensor([[[50.0, 40.0, 7.0]]])).tolist() == [[[0, 0, 7]]]


def test_axes_of_the_releases() -> None:
    point = torch.tensor([1.0, 2.0, 3.0])
    found = {name: camera.to_release(point).tolist() for name, camera in CAMERAS.items()}
    assert found == {"icvl": [1, 2, 3], "nyu": [1, -2, 3], "msra": [1, -2, -3], "bighand": [1, 2, 3]}


@pytest.mark.parametrize("method", ["to_image", "to_world"])
@pytest.mark.parametrize(
    ("points", "message"),
    [
        (torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]), "depth must be positive .* rows 1"),
        (torch.tensor([0.0, 0.0, -1.0]), "depth must be positive"),
        (torch.tensor([0.0, 0.0, math.nan]), "depth must be positive"),
        (torch.tensor([1.0, 2.0]), r"must be floats \[..., 3\]"),
        (torch.tensor([1, 2, 3]), r"must be floats \[..., 3\], got torch.int64"),
    ],
)
def test_points_that_are_not_in_front(method: str, points: torch.Tensor, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        getattr(ICVL_CAMERA, method)(points)


@pytest.mark.parametrize(
    "wrong",
    [{"fx": 0}, {"fy": -1}, {"cx": math.nan}, {"cy": math.inf}, {"width": 0}, {"height": 1.5}]
    + [{"axes": axes} for axes in ((1, 1), (1, 1, 0), (2, 1, 1))],
)
def test_wrong_cameras(wrong: dict[str, Any]) -> None:
    arguments = {"fx": 1.0, "fy": 1.0, "cx": 0.0, "cy": 0.0, "width": 1, "height": 1} | wrong
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        Camera(**arguments)


@pytest.mark.parametrize(
    ("skeleton", "joints"), [(ICVL16, 16), (MSRA21, 21), (BIGHAND21, 21), (NYU36, 36), (NYU14, 14)]
)
def test_bones_of_a_hand_are_connected(skeleton: Skeleton, joints: int) -> None:
    assert len(skeleton) == joints
    reached = {skeleton.bones[0][0]}
    for _ in skeleton.bones:
        reached |= {joint for bone in skeleton.bones if reached & set(bone) for joint in bone}
    lonely = {33, 34} if skeleton is NYU36 else set()
    assert reached | lonely == set(range(joints))


@pytest.mark.parametrize(
    ("joints", "bones"),
    [((), ()), (("a", "a"), ()), (("a", "b"), ((0, 2),)), (("a", "b"), ((0, -1),)), (("a",), ((0,),))],
)
def test_wrong_skeletons(joints: Any, bones: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^(joints|bone)"):
        Skeleton(joints, bones)
