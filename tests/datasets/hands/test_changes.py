"""A crop and its pose change together."""

import math

import pytest
import torch
from hand_releases import disc
from torch import Tensor

from seqgcn.datasets.hands.camera import ICVL_CAMERA
from seqgcn.datasets.hands.crop import (
    FULL_SCALE,
    Change,
    DepthImage,
    change_images,
    change_poses,
    crop,
    draw_changes,
    to_crop,
)

SIZE, CUBE = 96, 200.0
CENTRE = torch.tensor([10.0, -15.0, 420.0])
JOINT = torch.tensor([35.0, 20.0, 400.0])


def frame() -> DepthImage:
    """A small blob of depth around a joint."""
    return DepthImage(torch.from_numpy(disc(ICVL_CAMERA, JOINT, radius=16).astype("float32")))


def cropped(centre: Tensor, cube: float) -> Tensor:
    pixels = crop(frame(), centre, cube, ICVL_CAMERA, SIZE)
    assert pixels is not None
    return (pixels.float() / FULL_SCALE).view(1, 1, SIZE, SIZE)


def change(shift: tuple[float, float, float] = (0, 0, 0), angle: float = 0, scale: float = 1) -> Change:
    return Change(torch.tensor([shift], dtype=torch.float32), torch.tensor([angle]), torch.tensor([float(scale)]))


def blob(image: Tensor) -> Tensor:
    """Where the blob is in a crop, -1 to 1."""
    rows, columns = (image[0, 0] < 1).nonzero(as_tuple=True)
    assert len(rows)
    return (torch.stack([columns, rows]).double().mean(dim=1) + 0.5) * 2 / SIZE - 1


def moved(made: Change) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Image, joint, center and cube after a change."""
    centre, cube = CENTRE.view(1, 3), torch.tensor([CUBE])
    image = change_images(cropped(CENTRE, CUBE), centre, cube, made)
    joint, new_centre, new_cube = change_poses(JOINT.view(1, 1, 3), centre, cube, made)
    return image, joint, new_centre, new_cube


CHANGES = {
    "nothing": change(),
    "shift": change((12.0, -8.0, 0.0)),
    "shift in depth": change((0.0, 0.0, 15.0)),
    "rotation": change(angle=0.7),
    "turned over": change(angle=math.pi),
    "smaller cube": change(scale=0.8),
    "larger cube": change(scale=1.3),
    "everything": change((5.0, 5.0, -10.0), -1.2, 1.1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_image_moves_with_its_joint(name: str) -> None:
    image, joint, centre, cube = moved(CHANGES[name])
    place = to_crop(joint, centre, cube)[0, 0].double()
    assert (place.abs() < 0.9).all(), "the blob must stay in the crop"
    # To a pixel, of which the crop has 96.
    torch.testing.assert_close(blob(image), place, rtol=0, atol=2.5 / SIZE)


@pytest.mark.parametrize("name", CHANGES)
def test_depth_in_the_image_is_the_joint_s(name: str) -> None:
    image, joint, centre, cube = moved(CHANGES[name])
    value = image[image < 1].mean()
    torch.testing.assert_close(value * cube[0] / 2 + centre[0, 2], JOINT[2], rtol=0, atol=0.01)
    assert joint[0, 0, 2] == JOINT[2]


def test_nothing_changes_nothing() -> None:
    image, joint, centre, cube = moved(change())
    assert image.equal(cropped(CENTRE, CUBE))
    torch.testing.assert_close(joint[0, 0], JOINT)
    assert (centre[0].tolist(), cube.tolist()) == (CENTRE.tolist(), [CUBE])


@pytest.mark.parametrize("name", ["shift", "shift in depth", "smaller cube", "larger cube"])
def test_as_if_cropped_anew_from_the_frame(name: str) -> None:
    made = CHANGES[name]
    image, joint, centre, cube = moved(made)
    torch.testing.assert_close(joint[0, 0], JOINT)
    anew = cropped(centre[0], float(cube[0]))
    # Taken twice by the nearest pixel, the blob's edge may differ; nothing else.
    different = ((image - anew).abs() > 1e-3).sum()
    assert different <= 0.2 * (anew < 1).sum()
    both = (image < 1) & (anew < 1)
    torch.testing.assert_close(image[both], anew[both], rtol=0, atol=1e-3)


def test_rotation_turns_the_pose_around_the_centre() -> None:
    _, joint, centre, cube = moved(change(angle=math.pi / 2))
    x, y = to_crop(JOINT.view(1, 1, 3), CENTRE.view(1, 3), cube)[0, 0].tolist()
    # Clockwise to the eye, as y points down.
    torch.testing.assert_close(to_crop(joint, centre, cube)[0, 0], torch.tensor([-y, x]))


def test_what_comes_into_the_crop_is_background() -> None:
    full = torch.zeros(1, 1, SIZE, SIZE)
    out = change_images(full, CENTRE.view(1, 3), torch.tensor([CUBE]), change((CUBE / 2, 0.0, 0.0)))
    assert (out[..., : SIZE // 2 - 1] == 0).all()
    assert (out[..., SIZE // 2 + 1 :] == 1).all()


def test_a_cube_moved_away_leaves_background_and_front() -> None:
    full = torch.zeros(1, 1, SIZE, SIZE)
    for shift, value in ((CUBE, -1), (-CUBE, 1)):
        out = change_images(full, CENTRE.view(1, 3), torch.tensor([CUBE]), change((0.0, 0.0, shift)))
        assert (out[0, 0, 40:56, 40:56] == value).all()


def test_each_crop_of_a_batch_has_its_own_change() -> None:
    centre, cube = CENTRE.expand(2, 3), torch.tensor([CUBE, CUBE])
    both = Change(*(torch.cat([a, b]) for a, b in zip(CHANGES["shift"], CHANGES["rotation"], strict=True)))
    images = change_images(cropped(CENTRE, CUBE).expand(2, 1, SIZE, SIZE), centre, cube, both)
    for i, name in enumerate(("shift", "rotation")):
        assert images[i : i + 1].equal(moved(CHANGES[name])[0])


def test_drawn_changes() -> None:
    drawn = draw_changes(4000, torch.Generator().manual_seed(0), 5.0, math.pi, 0.02)
    shifted, turned, scaled = drawn.shift.ne(0).any(dim=1), drawn.angle != 0, drawn.scale != 1
    assert (shifted.int() + turned.int() + scaled.int() <= 1).all()
    for share in (shifted, turned, scaled, ~(shifted | turned | scaled)):
        assert 0.22 < share.float().mean() < 0.28
    assert 4.5 < drawn.shift[shifted].std() < 5.5
    assert 3.0 < drawn.angle.abs().max() <= math.pi
    assert 0.017 < (drawn.scale[scaled] - 1).std() < 0.023
    again = draw_changes(4000, torch.Generator().manual_seed(0), 5.0, math.pi, 0.02)
    assert all(a.equal(b) for a, b in zip(drawn, again, strict=True))
    wild = draw_changes(500, torch.Generator().manual_seed(0), 0.0, 0.0, 10.0)
    assert wild.scale.min() >= 0.1
