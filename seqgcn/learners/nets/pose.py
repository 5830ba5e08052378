"""What networks that estimate a hand's pose from a depth crop have in common."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from seqgcn.datasets.hands.crop import normalise_pose, pose_in_mm


class PoseNet(nn.Module, ABC):
    """A network from a crop to the joints' positions, in a frame of reference of its own.

    Shapes:
        - **input:** `[b, 1, size, size]` in [-1, 1], +1 being background
        - **output:** embedding `[b, d]`, pose `[b, J, 3]` in the network's frame, about -1 to 1, float32
    """

    loss_modules: ClassVar[tuple[str, ...]] = ()
    """Paths of the modules from whose output the loss is predicted, unless others are named."""

    @abstractmethod
    def loss(self, images: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Scalar training loss, and the predicted pose `[b, J, 3]`; `pose` is the true one in the network's frame."""

    @staticmethod
    def item_losses(predicted: Tensor, pose: Tensor) -> Tensor:
        """Squared distance of predicted from true joints, averaged over the joints, `[b]`, in the network's frame.

        Joints that are not labeled (NaN) do not count.
        """
        return (predicted - known_or(predicted, pose)).square().sum(dim=2).mean(dim=1) * share_inverse(pose, dim=1)

    @staticmethod
    def to_frame(joints: Tensor, centre: Tensor, cube: Tensor) -> Tensor:
        """Joints `[b, J, 3]` mm in the network's frame, unless it has another: (xyz - center) / (cube / 2).

        Args:
            joints: `[b, J, 3]` mm.
            centre: Of each crop's cube, `[b, 3]` mm.
            cube: Its side, `[b]` mm.
        """
        return normalise_pose(joints, centre, cube)

    @staticmethod
    def from_frame(pose: Tensor, centre: Tensor, cube: Tensor) -> Tensor:
        """The inverse of `to_frame`: `[b, J, 3]` to `[b, J, 3]` mm."""
        return pose_in_mm(pose, centre, cube)


def known_or(predicted: Tensor, pose: Tensor) -> Tensor:
    """A true pose whose unknown coordinates (NaN) are the predicted ones, so that they have neither loss nor gradient.

    Args:
        predicted: `[b, J, 3]`.
        pose: `[b, J, 3]`.
    """
    return torch.where(pose.isfinite(), pose, predicted.detach().to(pose.dtype))


def share_inverse(pose: Tensor, dim: int | None = None) -> Tensor:
    """Joints by known joints: a factor that makes a mean over all joints one over those that are known.

    Args:
        pose: `[b, J, 3]`; NaN of unknown joints.
        dim: 1 for a factor of each pose, `[b]`; None for one of all.
    """
    known = pose[..., 0].isfinite().float()
    return 1 / (known.mean() if dim is None else known.mean(dim=dim))
