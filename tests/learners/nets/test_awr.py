from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgcn.exceptions import ArgumentError
from seqgcn.learners.nets.awr import AWR, decode, encode, pixels
from seqgcn.utils.seeding import seeded


def small(size: int = 32, joints: int = 3) -> AWR:
    with seeded(0):
        return AWR(size, joints, widths=(4, 8, 8, 16), deconvolution=8)


def test_the_published_layers() -> None:
    with torch.device("meta"):
        net = AWR(128, 14)
    embedding, direction, closeness = net.to_empty(device="cpu").eval().maps(torch.zeros(1, 1, 128, 128))
    assert embedding.shape == (1, 512)
    assert direction.shape == (1, 14, 3, 64, 64)
    assert closeness.shape == (1, 14, 64, 64)


@pytest.mark.parametrize("size", [16, 32, 48, 96])
def test_any_multiple_of_16(size: int) -> None:
    net = small(size)
    embedding, pose = net(torch.zeros(2, 1, size, size))
    assert (embedding.shape, pose.shape) == ((2, 16), (2, 3, 3))
    assert net.maps(torch.zeros(2, 1, size, size))[2].shape == (2, 3, size // 2, size // 2)
    assert net.loss(torch.zeros(2, 1, size, size), pose)[0].isfinite()


@pytest.mark.parametrize("size", [17, 40, 100])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(ArgumentError, match=rf"a multiple of 16 px, got {size}; set dataset.crop_size"):
        AWR(size, 3)


def test_pixels_are_where_the_crop_says() -> None:
    images = torch.full((1, 1, 16, 16), 0.5)
    images[0, 0, 4, 10] = -0.25
    points = pixels(images)
    assert points.shape == (1, 1, 3, 8, 8)
    # Every second pixel: row 4 and column 10 are row 2 and column 5 of 8.
    assert points[0, 0, :, 2, 5].tolist() == [2 * 5.5 / 8 - 1, 2 * 2.5 / 8 - 1, -0.25]


def test_targets_pixel_by_pixel() -> None:
    with seeded(0):
        images = torch.rand(1, 1, 16, 16) * 2 - 1
        pose = torch.rand(1, 2, 3) - 0.5
    images[0, 0, :8] = 1.0
    points = pixels(images)
    direction, closeness = encode(points, pose)
    for joint in range(2):
        for row in range(8):
            for column in range(8):
                p = points[0, 0, :, row, column]
                offset = pose[0, joint] - p
                distance = offset.norm()
                near = bool(distance <= 1) and bool(p[2] < 0.99)
                expected = offset / distance if near else torch.zeros(3)
                torch.testing.assert_close(direction[0, joint, :, row, column], expected)
                assert closeness[0, joint, row, column] == pytest.approx(float(1 - distance) if near else 0.0, abs=1e-6)
    assert (closeness[0, :, :4] == 0).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), m=st.sampled_from([32, 64]))
def test_exact_maps_give_back_the_joints(seed: int, m: int) -> None:
    # A hand in a third of the crop, joints up to 25 mm below its surface: cubes of 250 mm.
    draw = torch.Generator().manual_seed(seed)
    images = torch.ones(2, 1, 2 * m, 2 * m)
    a, b = m // 2, m // 2 + m
    images[..., a:b, a:b] = 0.6 * torch.rand(2, 1, m, m, generator=draw) - 0.3
    place = torch.rand(2, 4, 2, generator=draw) - 0.5
    row, column = (((place[..., axis] + 1) / 2 * 2 * m).long() for axis in (1, 0))
    surface = torch.stack([images[i, 0][row[i], column[i]] for i in range(2)])
    pose = torch.cat((place, (surface + 0.2 * torch.rand(2, 4, generator=draw)).unsqueeze(2)), dim=2)
    points = pixels(images)
    error_mm = (decode(points, *encode(points, pose)) - pose).norm(dim=2) * 125
    assert error_mm.max() < 0.5


def test_background_and_an_empty_crop_are_harmless() -> None:
    points = pixels(torch.ones(1, 1, 16, 16))
    direction, closeness = encode(points, torch.zeros(1, 2, 3))
    assert not direction.any()
    assert not closeness.any()
    # Nothing to vote: the mean of all pixels.
    torch.testing.assert_close(decode(points, direction, closeness), torch.tensor([[[0.0, 0.0, 1.0]] * 2]))


def test_a_joint_at_a_pixel_has_finite_maps_and_gradients() -> None:
    images = torch.zeros(1, 1, 16, 16)
    points = pixels(images)
    pose = points[:, :, :, 3, 3].clone().requires_grad_()
    direction, closeness = encode(points, pose)
    assert closeness[0, 0, 3, 3] == 1
    assert direction[0, 0, :, 3, 3].tolist() == [0, 0, 0]
    net = small(16, 1)
    net.loss(images.repeat(2, 1, 1, 1), pose.detach().repeat(2, 1, 1))[0].backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


def test_frames_of_reference_are_inverse(hands: Callable[..., object]) -> None:
    frames, joints = hands(6)  # type: ignore[misc]
    place = AWR.to_frame(joints, frames.centre, frames.cube)
    assert place.abs().max() < 0.7
    torch.testing.assert_close(AWR.from_frame(place, frames.centre, frames.cube), joints, atol=1e-3, rtol=1e-5)
    # The fixture draws a joint's disc at its place and with its depth.
    batch = frames.batch(torch.arange(6))
    row, column = (((place[:, 2, axis] + 1) / 2 * frames.size).long() for axis in (1, 0))
    seen = batch.images[torch.arange(6), 0, row, column]
    assert (seen <= place[:, 2, 2] + 1e-3).all()


def test_the_pose_is_float32_in_mixed_precision() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embedding, pose = small().eval()(torch.zeros(2, 1, 32, 32))
    assert (embedding.dtype, pose.dtype) == (torch.bfloat16, torch.float32)


def test_the_loss_is_a_sum_over_all_that_a_frame_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """One pixel of the hand at the joint itself: each map is wrong by what it says there, and so is the joint."""
    net = small(16, joints=1)
    images = torch.ones(2, 1, 16, 16)
    images[:, 0, 8, 8] = 0.0
    points = pixels(images)
    pose = points[:, 0, :, 4, 4].unsqueeze(1)
    nothing = torch.zeros(2, 1, 8, 8)
    monkeypatch.setattr(net, "maps", lambda _images: (torch.zeros(2, 16), torch.zeros(2, 1, 3, 8, 8), nothing))
    # The target's closeness is 1 at the joint: Huber's loss of 1 with delta 0.01 is 0.01 (1 - 0.005). With closeness
    # 0 everywhere all 64 votes count alike, and stay where their pixels are.
    joints = F.huber_loss(points.flatten(3).mean(dim=3), pose, delta=0.01, reduction="sum") / 2
    loss, predicted = net.loss(images, pose)
    assert torch.equal(predicted, net(images)[1])
    assert float(loss) == pytest.approx(0.01 * 0.995 + 1000 * float(joints), rel=1e-5)
