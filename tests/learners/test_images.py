import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqgcn.learners.images import channel_statistics, crop_and_flip, normalise


def random_images(n: int = 7, channels: int = 3, height: int = 5, width: int = 6) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, channels, height, width), dtype=torch.uint8, generator=draw)


@pytest.mark.parametrize("block", [1, 3, 7, 4096])
def test_channel_statistics_are_those_of_numpy(block: int) -> None:
    images = random_images()
    mean, std = channel_statistics(images, block=block)
    pixels = images.numpy().astype(np.float64)
    assert mean.dtype == std.dtype == torch.float32
    np.testing.assert_allclose(mean, pixels.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std, pixels.std(axis=(0, 2, 3)), rtol=1e-6)


def test_flat_channel_has_deviation_1() -> None:
    images = random_images()
    images[:, 1] = 200
    mean, std = channel_statistics(images)
    assert mean[1] == 200
    assert std[1] == 1
    assert (normalise(images, mean, std)[:, 1] == 0).all()


def test_normalise_image_by_image() -> None:
    images = random_images()
    mean, std = torch.tensor([10.0, 20, 30]), torch.tensor([1.0, 2, 4])
    result = normalise(images, mean, std)
    assert result.dtype == torch.float32
    for image, normal in zip(images, result, strict=True):
        for channel in range(3):
            expected = (image[channel].float() - mean[channel]) / std[channel]
            torch.testing.assert_close(normal[channel], expected)


def test_normalised_images_have_mean_0_and_deviation_1() -> None:
    images = random_images(50)
    normal = normalise(images, *channel_statistics(images))
    torch.testing.assert_close(normal.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normal.std(dim=(0, 2, 3), unbiased=False), torch.ones(3))


def shifted(image: Tensor, down: int, right: int) -> Tensor:
    """One image moved by whole pixels, zeros moving in: pixel by pixel."""
    result = torch.zeros_like(image)
    _, height, width = image.shape
    for row in range(height):
        for column in range(width):
            source = row - down, column - right
            if 0 <= source[0] < height and 0 <= source[1] < width:
                result[:, row, column] = image[:, source[0], source[1]]
    return result


@settings(max_examples=25, deadline=None)
@given(pad=st.integers(0, 3), flip=st.booleans(), seed=st.integers(0, 10_000), height=st.integers(1, 4))
def test_every_image_is_moved_and_mirrored_as_a_whole(pad: int, flip: bool, seed: int, height: int) -> None:
    images = random_images(4, channels=2, height=height, width=5).float() + 1
    before = images.clone()
    result = crop_and_flip(images, pad, flip, torch.Generator().manual_seed(seed))
    assert result.shape == images.shape
    assert torch.equal(images, before)
    for image, changed in zip(images, result, strict=True):
        moves = range(-pad, pad + 1)
        possible = [shifted(image, down, right) for down in moves for right in moves]
        possible += [each.flip(2) for each in possible] if flip else []
        assert any(torch.equal(changed, each) for each in possible)


def test_all_shifts_and_both_sides_occur_about_equally() -> None:
    # One bright pixel in the middle shows where each of many images went.
    images = torch.zeros(9000, 1, 3, 3)
    images[:, :, 1, 1] = 1
    result = crop_and_flip(images, 1, False, torch.Generator().manual_seed(0))
    assert result.sum() == len(images)
    torch.testing.assert_close(result.mean(dim=0), torch.full((1, 3, 3), 1 / 9), atol=0.015, rtol=0)

    images = torch.zeros(4000, 1, 1, 2)
    images[..., 0] = 1
    result = crop_and_flip(images, 0, True, torch.Generator().manual_seed(0))
    assert result.mean(dim=0).flatten().tolist() == pytest.approx([0.5, 0.5], abs=0.03)


def test_no_shift_and_no_flip_change_nothing() -> None:
    images = random_images()
    assert torch.equal(crop_and_flip(images, 0, False, torch.Generator()), images)


def test_same_generator_state_same_images_and_global_state_untouched() -> None:
    images, state = random_images(), torch.get_rng_state()
    first = crop_and_flip(images, 2, True, torch.Generator().manual_seed(3))
    second = crop_and_flip(images, 2, True, torch.Generator().manual_seed(3))
    other = crop_and_flip(images, 2, True, torch.Generator().manual_seed(4))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
