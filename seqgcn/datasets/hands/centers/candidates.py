"""All places of one frame that may be hands, for those who choose among them."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.rule import Candidate, candidates_of
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import check_number


def hand_candidates(
    depth: NDArray[Any] | Tensor, camera: Camera, *, cube: float = 250.0, near: float = 10.0, far: float = 1500.0
) -> list[Candidate]:
    """Where a frame may show a hand, best first: of two hands, both.

    What `dataset.crop=rule` chooses from. Depth alone does not say whose hand or which hand one is.

    Args:
        depth: `[h, w]` mm, 0 where nothing was measured.
        camera: Takes frames of that height and width.
        cube: Side of the cube around a hand, mm.
        near: Nearest depth at which a hand may be, mm.
        far: Farthest depth, mm.

    Returns:
        Candidates with `center`, (x, y, z) mm, x right, y down and z away from the camera, and `score`, 0 to 1, how
        much what is there looks like a hand; none where nothing was measured.

    Raises:
        ArgumentError: Another shape than the camera's, depth that is negative or not finite, or a range that is empty.
    """
    frame = torch.as_tensor(depth).detach().cpu()
    if frame.shape != (camera.height, camera.width) or frame.is_complex():
        raise ArgumentError(
            f"depth must be [{camera.height}, {camera.width}] as the camera's frames, got {list(frame.shape)}"
        )
    frame = frame.float()
    if not bool((frame.isfinite() & (frame >= 0)).all()):
        raise ArgumentError("depth must be finite and at least 0 mm (0 where nothing was measured)")
    check_number("cube", cube, low=0, open_low=True)
    check_number("near", near, low=0)
    check_number("far", far, low=0)
    if near >= far:
        raise ArgumentError(f"near must be below far, got near={near:g} and far={far:g} mm")
    return candidates_of(DepthImage(frame), camera, float(cube), float(near), float(far))
