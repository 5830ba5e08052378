r"""AWR: every pixel of the hand votes for the joints (Huang et al., AAAI 2020).

At a pixel p = (x, y, depth) of the half-size map, each in [-1, 1], the network predicts for each joint j the direction
(j - p) / ||j - p|| and the closeness h = (k - ||j - p||) / k, k = 1; both are 0 where h would be negative and on the
background. A joint is the mean of the votes p + v k (1 - h) of all pixels, weighted by softmax(30 h).
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgcn.datasets.hands.crop import from_crop, to_crop
from seqgcn.exceptions import ArgumentError
from seqgcn.learners.nets.classification import residual_stages
from seqgcn.learners.nets.pose import PoseNet, known_or

SHARPNESS = 30.0
"""Factor on the closeness in the softmax over pixels."""

DELTA = 0.01
"""Error up to which the loss is quadratic, beyond which it is linear."""

COORDINATE_WEIGHT = 1000.0
"""Weight of the joints' loss beside the maps', as in the authors' configuration of this network: both are sums over
all that a frame has, and the maps have thousands of pixels for each joint."""


class AWR(PoseNet):
    """ResNet-18 and three deconvolutions with a head for directions and one for closeness.

    The pose is (place in the crop, depth): x and y are -1 to 1 from edge to edge of the crop, z is
    (z - z_centre) / (cube / 2). The embedding is the average-pooled output of the last residual stage.

    Args:
        size: Pixels along a crop's side, a multiple of 16; the maps have half of it.
        joints: Joints J.
        widths: Channels of the residual stages; the last is the size of the embedding.
        deconvolution: Channels of the deconvolutions.

    Raises:
        ArgumentError: The size is no multiple of 16.
    """

    loss_modules: ClassVar[tuple[str, ...]] = ("stages.0", "stages.1", "stages.2", "stages.3")

    def __init__(
        self,
        size: int,
        joints: int,
        widths: Sequence[int] = (64, 128, 256, 512),
        deconvolution: int = 256,
    ) -> None:
        super().__init__()
        if size % 16:
            raise ArgumentError(
                f"awr needs crops whose side is a multiple of 16 px, got {size}; set dataset.crop_size, or "
                "CropOptions(size=...)"
            )
        self.joints = joints
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 5, padding=2, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, padding=1),
        )
        self.stages = residual_stages(widths)
        layers: list[nn.Module] = []
        for channels in (widths[-1], deconvolution, deconvolution):
            layers += [
                nn.ConvTranspose2d(channels, deconvolution, 4, 2, padding=1, bias=False),
                nn.BatchNorm2d(deconvolution),
                nn.ReLU(inplace=True),
            ]
        self.deconvolutions = nn.Sequential(*layers)
        self.direction = nn.Conv2d(deconvolution, 3 * joints, 1)
        self.closeness = nn.Conv2d(deconvolution, joints, 1)
        for head in (self.direction, self.closeness):
            # The maps are 0 nearly everywhere, so that is where training starts.
            nn.init.normal_(head.weight, std=1e-3)
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]  # a convolution with a bias

    def maps(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Embedding `[b, d]`, directions `[b, J, 3, m, m]` and closeness `[b, J, m, m]`."""
        features = self.stages(self.stem(images))
        votes = self.deconvolutions(features)
        # A direction rounded to bfloat16 moves a vote by up to half a millimeter.
        with torch.autocast(images.device.type, enabled=False):
            direction, closeness = self.direction(votes.float()), self.closeness(votes.float())
        return features.mean(dim=(2, 3)), direction.unflatten(1, (self.joints, 3)), closeness

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embedding `[b, d]` and pose `[b, J, 3]`."""
        embedding, direction, closeness = self.maps(images)
        return embedding, decode(pixels(images), direction, closeness)

    def loss(self, images: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Huber loss of the maps plus, weighted, that of the joints decoded from them, which are returned too.

        Both are sums over the joints that are known, averaged over the frames.
        """
        _, direction, closeness = self.maps(images)
        points = pixels(images)
        maps_of_pose: tuple[Tensor, ...] = encode(points, pose)
        known = pose.isfinite().all(dim=2)
        if not bool(known.all()):
            # What is unknown is what the network says, and has no gradient.
            maps_of_pose = tuple(
                torch.where(known.view(*known.shape, *[1] * (values.dim() - 2)), values, own.detach())
                for values, own in zip(maps_of_pose, (direction, closeness), strict=True)
            )
        target = torch.cat([values.flatten(1) for values in maps_of_pose], dim=1)
        maps = torch.cat((direction.flatten(1), closeness.flatten(1)), dim=1)
        dense = F.huber_loss(maps, target, delta=DELTA, reduction="sum")
        predicted = decode(points, direction, closeness)
        joints = F.huber_loss(predicted, known_or(predicted, pose), delta=DELTA, reduction="sum")
        return (dense + COORDINATE_WEIGHT * joints) / len(images), predicted

    @staticmethod
    def to_frame(joints: Tensor, centre: Tensor, cube: Tensor) -> Tensor:
        """Joints `[b, J, 3]` mm as (place in the crop, depth)."""
        depth = (joints[..., 2:] - centre[:, 2].view(-1, 1, 1)) / (cube / 2).view(-1, 1, 1)
        return torch.cat((to_crop(joints, centre, cube), depth), dim=-1)

    @staticmethod
    def from_frame(pose: Tensor, centre: Tensor, cube: Tensor) -> Tensor:
        """The inverse, `[b, J, 3]` mm."""
        z = pose[..., 2] * (cube / 2).unsqueeze(1) + centre[:, 2:]
        return from_crop(pose[..., :2], z, centre, cube)


def pixels(images: Tensor) -> Tensor:
    """Points p of the half-size maps, `[b, 1, 3, m, m]`: place in the crop, and depth of every second pixel."""
    depth = images[:, :, ::2, ::2].float()
    m = depth.shape[-1]
    steps = (torch.arange(m, device=depth.device) + 0.5) * (2 / m) - 1
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    place = torch.stack((x, y)).expand(len(depth), 2, m, m)
    return torch.cat((place, depth), dim=1).unsqueeze(1)


def encode(points: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
    """Target maps of a pose `[b, J, 3]`: directions `[b, J, 3, m, m]` and closeness `[b, J, m, m]`."""
    offset = pose[..., None, None] - points
    distance = offset.norm(dim=2, keepdim=True)
    near = _hand(points) & (distance <= 1)
    direction = offset / distance.clamp(min=1e-4) * near
    return direction, ((1 - distance) * near).squeeze(2)


def decode(points: Tensor, direction: Tensor, closeness: Tensor) -> Tensor:
    """The pose `[b, J, 3]` that maps, of `encode` or of the network, stand for."""
    hand = _hand(points)
    closeness = closeness.unsqueeze(2) * hand
    votes = points + direction * hand * (1 - closeness)
    weights = (SHARPNESS * closeness).flatten(3).softmax(dim=3)
    return (votes.flatten(3) * weights).sum(dim=3)


def _hand(points: Tensor) -> Tensor:
    """Which pixels are not background, `[b, 1, 1, m, m]`."""
    return points[:, :, 2:] < 0.99
