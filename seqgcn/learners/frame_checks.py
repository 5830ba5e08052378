"""What hand pose learners check of the frames and poses that they are given."""

from typing import Any

import torch
from torch import Tensor

from seqgcn.datasets.hands.crop import mean_of_known
from seqgcn.datasets.hands.hand_dataset import HandFrames
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import name_rows


def check_frames(frames: Any) -> None:
    """Check that a learner is given at least one hand frame.

    Raises:
        ArgumentError: It is not.
    """
    if not isinstance(frames, HandFrames):
        raise ArgumentError(f"frames must be HandFrames, as dataset.frames[ids] gives, got {type(frames).__name__}")
    if len(frames) == 0:
        raise ArgumentError("there are no frames; give at least one")


def check_joints(joints: Any, n: int, num_joints: int | None = None) -> None:
    """Check poses `[n, J, 3]` mm of n frames, of `num_joints` joints if given, in front of the camera.

    Joints that are not labeled are NaN; each frame has at least one that is.

    Raises:
        ArgumentError: They cannot be used; the message names the rows.
    """
    wanted = f"[{n}, {num_joints or 'J'}, 3]"
    if not isinstance(joints, Tensor) or not joints.is_floating_point():
        got = str(joints.dtype) if isinstance(joints, Tensor) else type(joints).__name__
        raise ArgumentError(f"joints must be a floating-point tensor {wanted}, mm, got {got}")
    shape = joints.shape
    if len(shape) != 3 or shape[0] != n or shape[1] != (num_joints or max(shape[1], 1)) or shape[2] != 3:
        raise ArgumentError(f"joints must be {wanted}, mm, one row a frame, got {list(shape)}")
    known = joints.isfinite().all(dim=2)
    broken = (joints.isinf().any(dim=2) | (~known & ~joints.isnan().all(dim=2))).any(dim=1)
    if broken.any():
        raise ArgumentError(
            f"joints are infinite, or NaN along one axis alone, in {name_rows(broken)}; a joint without a label is NaN "
            "along all three"
        )
    unlabelled = ~known.any(dim=1)
    if unlabelled.any():
        raise ArgumentError(
            f"joints are missing (NaN) in {name_rows(unlabelled)}; "
            "keep only labeled frames: frames[dataset.labelled] and joints[dataset.labelled]"
        )
    behind = (joints[..., 2] <= 0).any(dim=1)
    if behind.any():
        raise ArgumentError(
            f"joints must lie in front of the camera (z > 0 mm), but do not in {name_rows(behind)}; "
            "Camera.from_release turns a release's axes into this package's"
        )


def shows_pose(frames: HandFrames, joints: Tensor) -> Tensor:
    """Which crops show the hand whose joints are known, `[n]` bool: the mean of the joints lies in the frame's cube.

    A crop around another hand, or around something else, teaches a network nothing but errors. Where that is true of
    most frames, though, the centers are not what is wrong with them, and all count.

    Args:
        frames: n frames.
        joints: Of their hands, `[n, J, 3]` mm; NaN of joints that are not labeled.
    """
    away = (mean_of_known(joints) - frames.centre).abs()
    shown = (away <= frames.cube.unsqueeze(1) / 2).all(dim=1)
    return shown if 2 * int(shown.sum()) > len(shown) else torch.ones_like(shown)
