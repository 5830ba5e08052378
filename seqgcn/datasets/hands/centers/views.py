"""Parts of a depth frame as pictures that models made for color cameras take, and the way back to its pixels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.shading import shade
from seqgcn.datasets.hands.crop import DepthImage, window

FRAME_SIDE, CUT_SIDE = 640, 480
"""px of the longer side of a whole frame and of each side of a cut, as the detector sees them."""

CUT = 450.0
"""mm along each side of what is cut out around a point: a hand and some of its forearm."""


class View(NamedTuple):
    """A picture of a part of the frame.

    Args:
        picture: RGB `[h, w, 3]`.
        left: Left edge of the part in the full image, px; the first pixel's is -0.5.
        top: Its top edge.
        width: Of the part, px.
        height: Of the part, px.
        rotations: In how many of the four the picture is looked at.
    """

    picture: NDArray[np.uint8]
    left: float
    top: float
    width: float
    height: float
    rotations: int

    def to_image(self, shares: NDArray[np.float64], turns: int) -> NDArray[np.float64]:
        """Px of the full image from shares of the picture after so many quarter turns counterclockwise."""
        x, y = shares[:, 0], shares[:, 1]
        for _ in range(turns):
            x, y = 1 - y, x
        return np.stack((self.left + x * self.width, self.top + y * self.height), axis=1)


def whole_frame(image: DepthImage, camera: Camera) -> View:
    """The whole frame, 640 px long."""
    depth = image.depth.numpy()
    full = _part(depth, image, 0, 0, camera.width, camera.height)
    scale = FRAME_SIDE / max(camera.width, camera.height)
    size = (max(round(camera.width * scale), 1), max(round(camera.height * scale), 1))
    picture = _resize(shade(full, focal=camera.fx), size)
    return View(picture, -0.5, -0.5, camera.width, camera.height, 1)


def cut_around(image: DepthImage, camera: Camera, point: tuple[float, float, float]) -> View:
    """What lies within 225 mm of a point (x, y, z in mm) along each axis, 480 px along each side."""
    depth = image.depth.numpy()
    left, top, right, bottom = window(*point, CUT, camera)
    # Right in front of the camera the window would be many times the frame.
    largest = max(camera.width, camera.height)
    width, height = (min(max(round(side), 1), largest) for side in (right - left, bottom - top))
    first, above = round((left + right - width) / 2), round((top + bottom - height) / 2)
    part = _part(depth, image, first, above, width, height)
    part[np.abs(part - np.float32(point[2])) > CUT / 2] = 0
    picture = _resize(shade(part, point[2] + CUT / 2, focal=camera.fx), (CUT_SIDE, CUT_SIDE))
    return View(picture, first - 0.5, above - 0.5, width, height, 4)


def _part(
    depth: NDArray[np.float32], image: DepthImage, left: int, top: int, width: int, height: int
) -> NDArray[np.float32]:
    """A box of the full image, 0 where the frame has nothing."""
    part = np.zeros((height, width), np.float32)
    rows, there_rows = _overlap(top, height, image.top, depth.shape[0])
    columns, there_columns = _overlap(left, width, image.left, depth.shape[1])
    part[rows, columns] = depth[there_rows, there_columns]
    return part


def _overlap(start: int, length: int, other: int, other_length: int) -> tuple[slice, slice]:
    """What two stretches share, counted from the start of each."""
    first = max(start, other)
    last = max(min(start + length, other + other_length), first)
    return slice(first - start, last - start), slice(first - other, last - other)


def _resize(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if picture.shape[1::-1] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
