"""Pinhole cameras of the hand pose data sets: from pixels and depth to millimeters and back.

Everywhere in this package a point of the world is (x, y, z) in mm with x to the right, y down and z away from the
camera, whatever a release's own files say; a point of the image is (u, v, d) in px, px, mm.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import check_number, check_whole, name_rows


@dataclass(frozen=True)
class Camera:
    """A depth camera without distortion.

    Args:
        fx: Focal length along the image's width, px.
        fy: Focal length along its height, px.
        cx: Principal point, px from the left.
        cy: Principal point, px from the top.
        width: Of the image, px.
        height: Of the image, px.
        axes: Sign of each axis in the release's own files, relative to x right, y down, z away from the camera:
            (1, -1, 1) for NYU's y up.

    Raises:
        ArgumentError: A focal length or size is not positive, or a sign is neither 1 nor -1.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    axes: tuple[int, int, int] = (1, 1, 1)

    def __post_init__(self) -> None:
        for name in ("fx", "fy"):
            check_number(name, getattr(self, name), low=0, open_low=True)
        for name in ("cx", "cy"):
            check_number(name, getattr(self, name), low=-math.inf)
        for name in ("width", "height"):
            check_whole(name, getattr(self, name))
        if len(self.axes) != 3 or any(sign not in (1, -1) for sign in self.axes):
            raise ArgumentError(f"axes must be three signs, each 1 or -1, got {self.axes!r}")

    def to_image(self, xyz: Tensor) -> Tensor:
        """Project points, u = fx x / z + cx and v = fy y / z + cy; `[..., 3]` mm to `[..., 3]` px, px, mm.

        Raises:
            ArgumentError: A point is not in front of the camera.
        """
        x, y, z = _in_front(xyz, "xyz")
        return torch.stack((self.fx * x / z + self.cx, self.fy * y / z + self.cy, z), dim=-1)

    def to_world(self, uvd: Tensor) -> Tensor:
        """The inverse: `[..., 3]` px, px, mm to `[..., 3]` mm.

        Raises:
            ArgumentError: A depth is not positive.
        """
        u, v, d = _in_front(uvd, "uvd")
        return torch.stack(((u - self.cx) * d / self.fx, (v - self.cy) * d / self.fy, d), dim=-1)

    def from_release(self, xyz: Tensor) -> Tensor:
        """Points as the release's files have them in this package's axes, `[..., 3]` mm. Its own inverse."""
        return xyz * xyz.new_tensor(self.axes)

    to_release = from_release


def _in_front(points: Tensor, name: str) -> tuple[Tensor, Tensor, Tensor]:
    if points.shape[-1:] != (3,) or not points.is_floating_point():
        raise ArgumentError(f"{name} must be floats [..., 3], got {points.dtype} {list(points.shape)}")
    # All three are NaN of a joint that is not labeled, and stay so.
    bad = ~((points[..., 2] > 0) | points.isnan().all(dim=-1))
    if bad.any():
        rows = name_rows(bad.flatten())
        raise ArgumentError(f"{name}: depth must be positive (mm in front of the camera), but is not in {rows}")
    x, y, z = points.unbind(-1)
    return x, y, z


ICVL_CAMERA = Camera(240.99, 240.96, 160, 120, 320, 240)
NYU_CAMERA = Camera(588.036865, 587.075073, 320, 240, 640, 480, axes=(1, -1, 1))
MSRA_CAMERA = Camera(241.42, 241.42, 160, 120, 320, 240, axes=(1, -1, -1))
BIGHAND_CAMERA = Camera(475.065948, 475.065857, 315.944855, 245.287079, 640, 480)
