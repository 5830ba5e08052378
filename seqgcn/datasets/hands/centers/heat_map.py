r"""The localizer's network: which surface of a shrunk frame is the hand, and from there the way to its center.

Every block of 2 x 2 cells stands for a point p of its nearest surface, in mm. The network gives each a score h and a
vector v in mm. Over all measured blocks, softmax(h) is the chance that the hand's center lies at the point. The point's
vote p + v is where the center then is. The scores are trained with the cross-entropy to

    q(p) ~ exp(-|p - center|^2 / (2 s^2)),   s = cube / 12,

the votes with a smooth L1 loss, weighted half by q and half alike within half a cube. The center found is the mean of
the votes around the strongest one, so that it is near a measured surface and more precise than a cell.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgcn.datasets.hands.camera import Camera

FEATURES = 7
"""Channels of `features`."""

_VOTE_SCALE = 25.0
"""Votes are learned in this unit, mm."""

_VOTE_WEIGHT = 3.0
"""Of the votes' loss beside the scores'."""


class Found(NamedTuple):
    """Where n hands are.

    Args:
        points: `[n, 3]` mm; NaN in a frame without any depth.
        mass: Share of the votes' weight within a third of the cube of the point, `[n]`, 0 to 1.
        second: Share of the strongest place elsewhere, `[n]`.
    """

    points: Tensor
    mass: Tensor
    second: Tensor


def surface(depth: Tensor) -> Tensor:
    """Nearest depth in blocks of 2 x 2 cells: `[b, h, w]` mm to `[b, h / 2, w / 2]`, 0 for nothing."""
    far = depth.masked_fill(depth <= 0, 1e6)
    near = -F.max_pool2d(-far.unsqueeze(1), 2).squeeze(1)
    return near.masked_fill(near >= 1e6, 0)


def surface_points(depth: Tensor, camera: Camera) -> Tensor:
    """Points of a `surface`, `[b, h, w]` mm to `[b, h, w, 3]` mm; `camera` is the grid's."""
    h, w = depth.shape[1:]
    x = (2 * torch.arange(w) + 0.5 - camera.cx) / camera.fx
    y = (2 * torch.arange(h) + 0.5 - camera.cy) / camera.fy
    return torch.stack((depth * x, depth * y.unsqueeze(1), depth), dim=-1)


def features(depth: Tensor, camera: Camera) -> Tensor:
    """What the network sees of grids: `[b, h, w]` mm to `[b, FEATURES, h, w]`.

    Measured or not; the logarithms of depth and of a cell's width in mm; how far each point lies in front of what is
    around it, over a small and a large window; how far behind the frame's nearest surface; and the slope.
    """
    mask = (depth > 0).float()
    meters = torch.where(depth > 0, depth, depth.new_tensor(1000.0))
    distance = (meters / 700).log().clamp(-2, 2)
    width = (meters / camera.fx / 8).log().clamp(-2, 2)
    relief = [((_around(depth, mask, size) - depth) / 100).clamp(-3, 3) for size in (9, 31)]
    nearest = torch.where(depth > 0, depth, depth.new_tensor(1e6)).flatten(1)
    nearest = nearest.kthvalue(max(1, nearest.shape[1] // 200), dim=1).values.view(-1, 1, 1)
    behind = ((depth - nearest) / 300).clamp(0, 3)
    slope = ((_around(depth, mask, 3) - depth) / 10).clamp(-3, 3)
    parts = torch.stack([mask, *(mask * part for part in (distance, width, *relief, behind, slope))], dim=1)
    # A third faster on a CPU than channel by channel.
    return parts.contiguous(memory_format=torch.channels_last)


def _around(depth: Tensor, mask: Tensor, size: int) -> Tensor:
    """Mean of the measured depths in a window of `size` x `size` cells around each."""
    total, count = _box_sum(torch.stack((depth, mask), dim=1), size).unbind(1)
    return total / count.clamp(min=1)


def _box_sum(x: Tensor, size: int) -> Tensor:
    """Sums over windows of `size` x `size`, cut at the edges; by running sums, which cost the same for every size."""
    for dim in (2, 3):
        n, half = x.shape[dim], size // 2
        sums = F.pad(x.cumsum(dim), (1, 0) if dim == 3 else (0, 0, 1, 0))
        last, first = (torch.arange(n) + half + 1).clamp(max=n), (torch.arange(n) - half).clamp(min=0)
        x = sums.index_select(dim, last) - sums.index_select(dim, first)
    return x


def _layer(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class HeatMap(nn.Module):
    """From `features` to scores `[b, h / 2, w / 2]` and vectors `[b, h / 2, w / 2, 3]` mm; looks at three scales."""

    def __init__(self) -> None:
        super().__init__()
        self.encode_half = nn.Sequential(_layer(FEATURES, 16, 2), _layer(16, 24))
        self.encode_quarter = nn.Sequential(_layer(24, 32, 2), _layer(32, 32))
        self.encode_eighth = nn.Sequential(_layer(32, 48, 2), _layer(48, 48, dilation=2), _layer(48, 48))
        self.to_quarter = nn.Conv2d(48, 32, 1)
        self.at_quarter = _layer(32, 32)
        self.to_half = nn.Conv2d(32, 24, 1)
        self.at_half = _layer(24, 24)
        self.head = nn.Conv2d(24, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and vectors of features `[b, FEATURES, h, w]`."""
        half = self.encode_half(x)
        quarter = self.encode_quarter(half)
        eighth = self.encode_eighth(quarter)
        quarter = self.at_quarter(quarter + _enlarge(self.to_quarter(eighth), quarter))
        half = self.at_half(half + _enlarge(self.to_half(quarter), half))
        out = self.head(half)
        # A hand's center lies behind its surface.
        return out[:, 0], out[:, 1:].permute(0, 2, 3, 1) * _VOTE_SCALE + out.new_tensor([0.0, 0.0, 20.0])


def _enlarge(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[-2:], mode="nearest")


def target(points: Tensor, measured: Tensor, centers: Tensor, cube: float) -> Tensor:
    """Weights q `[b, h, w]` of the points around each center; all 0 where none lies within half a cube of it."""
    squared = (points - centers.view(-1, 1, 1, 3)).square().sum(dim=-1)
    near = measured & (squared <= (cube / 2) ** 2)
    weight = torch.exp(-squared / (2 * (cube / 12) ** 2)) * near
    return weight / weight.sum(dim=(1, 2), keepdim=True).clamp(min=1e-12)


def heat_loss(network: nn.Module, depth: Tensor, centers: Tensor, camera: Camera, cube: float) -> Tensor:
    """Mean loss of grids `[b, h, w]` mm with centers `[b, 3]` mm; `camera` is the grid's.

    A frame with no surface near its center adds nothing.
    """
    scores, vectors = network(features(depth, camera))
    near = surface(depth)
    points, measured = surface_points(near, camera), near > 0
    weight = target(points, measured, centers, cube)
    # Votes count where the scores are high, which is not only where they should be.
    broad = measured & ((points - centers.view(-1, 1, 1, 3)).norm(dim=-1) <= cube / 2)
    spread = (weight + broad / broad.sum(dim=(1, 2), keepdim=True).clamp(min=1)) / 2
    log_chance = _log_chance(scores, measured)
    cross = -(weight * log_chance).sum(dim=(1, 2))
    votes = F.smooth_l1_loss(
        (points + vectors) / _VOTE_SCALE, (centers.view(-1, 1, 1, 3) / _VOTE_SCALE).expand_as(points), reduction="none"
    )
    loss: Tensor = (cross + _VOTE_WEIGHT * (spread.unsqueeze(-1) * votes).sum(dim=(1, 2, 3))).mean()
    return loss


def _log_chance(scores: Tensor, measured: Tensor) -> Tensor:
    masked = scores.masked_fill(~measured, -1e4)
    return masked.flatten(1).log_softmax(dim=1).view_as(scores)


@torch.no_grad()
def decode(network: nn.Module, depth: Tensor, camera: Camera, cube: float, mirrored: bool = True) -> Found:
    """Centers in grids.

    Args:
        network: Trained.
        depth: The grids, `[n, h, w]` mm.
        camera: Theirs.
        cube: Side of the hand's cube, mm.
        mirrored: Whether the network was trained on mirrored grids too and looks at these both ways; where the two
            disagree, the mass is small.
    """
    near = surface(depth)
    points, measured = surface_points(near, camera), near > 0
    chance, vectors = _look(network, depth, near, camera)
    if mirrored:
        flipped, sideways = _look(network, depth.flip(2), near.flip(2), camera)
        chance = (chance + flipped.flip(2)) / 2
        vectors = (vectors + sideways.flip(2) * vectors.new_tensor([-1, 1, 1])) / 2
    chance = chance * measured
    votes, weight = (points + vectors).flatten(1, 2), chance.flatten(1)
    start = votes[torch.arange(len(votes)), _smooth(chance, measured).flatten(1).argmax(dim=1)]
    for _ in range(2):
        close = weight * ((votes - start.unsqueeze(1)).norm(dim=2) <= cube / 4)
        start = (close.unsqueeze(2) * votes).sum(dim=1) / close.sum(dim=1, keepdim=True).clamp(min=1e-12)
    distance = (votes - start.unsqueeze(1)).norm(dim=2)
    mass = (weight * (distance <= cube / 3)).sum(dim=1)
    second = (weight * (distance > cube / 3)).view_as(chance)
    second = 9 * F.avg_pool2d(second.unsqueeze(1), 3, 1, 1).flatten(1).amax(dim=1)
    seen = measured.flatten(1).any(dim=1) & (start[:, 2] > 0)
    return Found(
        start.masked_fill(~seen.unsqueeze(1), float("nan")), mass.clamp(0, 1) * seen, second.clamp(0, 1) * seen
    )


def _look(network: nn.Module, depth: Tensor, near: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    scores, vectors = network(features(depth, camera))
    return _log_chance(scores, near > 0).exp(), vectors


def _smooth(chance: Tensor, measured: Tensor) -> Tensor:
    """Sums over 3 x 3 cells, at measured cells."""
    return F.avg_pool2d(chance.unsqueeze(1), 3, 1, 1).squeeze(1).masked_fill(~measured, -1)
