"""Crops of hand frames as learners take them."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.datasets.hands.crop import FULL_SCALE
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.exceptions import ArgumentError

if TYPE_CHECKING:
    from seqgcn.datasets.hands.landmarks.found import LandmarkSource


class CropBatch(NamedTuple):
    """Some crops as a network sees them, with what puts poses into their frame of reference.

    Args:
        images: `[b, 1, size, size]` float32 in [-1, 1].
        centre: `[b, 3]` mm.
        cube: `[b]` mm.
    """

    images: Tensor
    centre: Tensor
    cube: Tensor


@dataclass(frozen=True, eq=False)
class HandFrames:
    """Crops of n frames; `frames[ids]` is a view of some of them that copies no pixel.

    Args:
        crops: Of a whole cache, `[N, size, size]` int16.
        index: Which of them, `[n]` int64.
        centre: Center of each frame's cube, `[n, 3]` float32, mm.
        cube: Its side, `[n]` float32, mm.
        skeleton: Joints of the poses.
        mirror: Whether networks see the frames, and poses, mirrored left to right (left hands): all of them, or which,
            `[n]` bool.
        landmarks: What finds mediapipe's landmarks in the frames, if they are of files; asked with `index`.
        offset: What the centers are off by along an axis, root mean square, mm, as a localizer that found them was on
            labeled frames it had not seen; None where they are from elsewhere.
    """

    crops: NDArray[np.int16]
    index: Tensor
    centre: Tensor
    cube: Tensor
    skeleton: Skeleton
    mirror: bool | Tensor = False
    landmarks: "LandmarkSource | None" = None
    offset: float | None = None

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, ids: Tensor) -> "HandFrames":
        mirror = self.mirror if isinstance(self.mirror, bool) else self.mirror[ids]
        return replace(self, index=self.index[ids], centre=self.centre[ids], cube=self.cube[ids], mirror=mirror)

    @property
    def size(self) -> int:
        """Pixels along a crop's side."""
        return int(self.crops.shape[1])

    def batch(self, ids: Tensor, device: torch.device | str = "cpu") -> CropBatch:
        """Crops, centers and cubes of some frames, `ids` `[b]`, mirrored if the frames are."""
        pixels = torch.from_numpy(self.crops[self.index[ids].numpy()])
        images = pixels.to(device, non_blocking=True).float().div_(FULL_SCALE).unsqueeze(1)
        centre = self.reflect(self.centre[ids].to(device, non_blocking=True), ids)
        if isinstance(self.mirror, bool):
            images = images.flip(3) if self.mirror else images
        else:
            images = torch.where(self.mirror[ids].to(device).view(-1, 1, 1, 1), images.flip(3), images)
        return CropBatch(images, centre, self.cube[ids].to(device))

    def reflect(self, points: Tensor, ids: Tensor | None = None) -> Tensor:
        """Points of the world as networks know them, and back: x is negated where frames are mirrored.

        Args:
            points: `[..., 3]` mm; if there are hands of both sides, `[b, ..., 3]` of b frames.
            ids: Which frames, `[b]`; by default all, in their order.

        Raises:
            ArgumentError: There are hands of both sides, and points of another number of frames.
        """
        signs = points.new_tensor([-1.0, 1.0, 1.0])
        if isinstance(self.mirror, bool):
            return points * signs if self.mirror else points
        mirror = self.mirror if ids is None else self.mirror[ids]
        if len(mirror) != len(points):
            raise ArgumentError(
                f"points of {len(points)} frames were given, of {len(mirror)}; there are left and right hands, so say "
                "which frames: reflect(points, ids)"
            )
        shape = (-1, *[1] * (points.dim() - 1))
        return torch.where(mirror.to(points.device).view(shape), points * signs, points)
