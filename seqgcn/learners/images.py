"""Normalization and augmentation of image batches, as tensor operations on the whole batch."""

import torch
from torch import Tensor


def channel_statistics(images: Tensor, block: int = 4096) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel in gray levels, `[c]` float32 each; a flat channel has std 1.

    Args:
        images: `[n, c, h, w]` uint8.
        block: Images converted at a time.
    """
    count = images.numel() // images.shape[1]
    total, squares = (
        torch.zeros(images.shape[1], dtype=torch.float64),
        torch.zeros(images.shape[1], dtype=torch.float64),
    )
    for some in images.split(block):
        values = some.transpose(0, 1).flatten(1).double()
        total += values.sum(dim=1).cpu()
        squares += values.square().sum(dim=1).cpu()
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt()
    return mean.float(), torch.where(std > 0, std, 1).float()


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(image - mean) / std by channel, `[b, c, h, w]` uint8 to float32."""
    return (images.float() - mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))


def crop_and_flip(images: Tensor, pad: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Each image shifted by up to `pad` pixels both ways (zeros move in) and, for `flip`, mirrored half the time.

    Args:
        images: `[b, c, h, w]`.
        pad: Largest shift in pixels.
        flip: Whether to mirror left and right.
        generator: CPU generator of the shifts and flips.
    """
    b, _, h, w = images.shape
    padded = torch.nn.functional.pad(images, (pad, pad, pad, pad))
    top, left = torch.randint(0, 2 * pad + 1, (2, b), generator=generator).to(images.device)
    rows = top.unsqueeze(1) + torch.arange(h, device=images.device)
    columns = torch.arange(w, device=images.device).expand(b, w)
    if flip:
        mirrored = (torch.rand(b, generator=generator) < 0.5).to(images.device)
        columns = torch.where(mirrored.unsqueeze(1), columns.flip(1), columns)
    columns = left.unsqueeze(1) + columns
    item = torch.arange(b, device=images.device).view(b, 1, 1)
    # Advanced indices around a slice put the channel last.
    return padded[item, :, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)
