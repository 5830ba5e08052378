"""Random changes of training crops and of their poses."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from seqgcn.datasets.hands.crop import Change, change_images, change_poses, draw_changes, normalise_pose
from seqgcn.datasets.hands.hand_dataset import CropBatch, HandFrames
from seqgcn.utils.validation import check_number

SHIFT = 5.0
"""mm by which crops are shifted whose centers' error is not known."""

PRIOR_POSES = 10_000
"""About how many augmented poses a prior is taken from, however few are labeled."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Each crop is at random shifted, turned, resized or left as it is.

    Args:
        shift: Standard deviation of the shift along each axis, mm.
        rotation: Largest angle turned by either way, degrees.
        scale: Standard deviation of the factor on the cube's side.
    """

    shift: float
    rotation: float
    scale: float

    def __post_init__(self) -> None:
        check_number("shift", self.shift, low=0)
        check_number("rotation", self.rotation, low=0, high=180)
        check_number("scale", self.scale, low=0, high=1)

    @classmethod
    def of(cls, shift: float | None, offset: float | None, *, rotation: float, scale: float) -> "Augmentation":
        """With the shift that is asked for, else what centers are known to be off by, else `SHIFT`.

        Args:
            shift: Asked for, mm, if it is.
            offset: What the centers are off by along an axis, mm, if that is known.
            rotation: As of the class.
            scale: As of the class.
        """
        known = SHIFT if offset is None else offset
        return cls(shift=known if shift is None else shift, rotation=rotation, scale=scale)

    def batch(self, batch: CropBatch, pose: Tensor, draw: torch.Generator) -> tuple[CropBatch, Tensor]:
        """A changed batch of crops, and the joints `[b, J, 3]` mm that are now in them."""
        images, centre, cube = batch
        change = self._changes(len(images), draw)
        change = Change(*(values.to(images.device, non_blocking=True) for values in change))
        images = change_images(images, centre, cube, change)
        pose, centre, cube = change_poses(pose, centre, cube, change)
        return CropBatch(images, centre, cube), pose

    def poses(self, frames: HandFrames, joints: Tensor, draw: torch.Generator) -> Tensor:
        """Normalized changed poses, `[m, J, 3]`; over and over if there are few."""
        ids = torch.arange(len(frames)).repeat(max(1, math.ceil(PRIOR_POSES / len(frames))))
        changed = change_poses(
            joints[ids], frames.reflect(frames.centre[ids], ids), frames.cube[ids], self._changes(len(ids), draw)
        )
        return normalise_pose(*changed)

    def _changes(self, b: int, draw: torch.Generator) -> Change:
        return draw_changes(b, draw, self.shift, math.radians(self.rotation), self.scale)
