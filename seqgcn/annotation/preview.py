"""Pictures of depth frames that annotators can click in, and the exact way from a click back to the sensor.

A preview is a box of whole sensor pixels, each enlarged to `zoom` x `zoom` pixels of the picture. For a `Camera` a
whole number is the *center* of a sensor pixel, pixel (c, r) the square from (c - 1/2, r - 1/2) to (c + 1/2, r + 1/2).
Labeling tools count from the picture's left and top *edge*, so that the center of a picture's pixel (i, j) is
(i + 1/2, j + 1/2); they export shares of its width and height, or pixels. With l and w the box's first column and its
columns, a share s of the width is the place u = l - 1/2 + s w of the sensor.
"""

import hashlib
import io
import math
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.colours import depth_colours
from seqgcn.datasets.hands.crop import DepthImage, window
from seqgcn.datasets.hands.text_rows import FARTHEST, check_path
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import check_number

FloatArray = NDArray[np.float64]

LONGEST_SIDE = 1000
"""A preview is enlarged by the largest whole number that keeps it within so many pixels."""

MARGIN = 15.0
"""mm around the hand that a preview shows."""

WIDER = 1.1
"""Side of the largest box that is shown, by that of the cube."""

LEAST = 20.0
"""mm of depth that the colors of a preview span at least."""

HIDDEN = 30.0
"""mm by which something measured must lie before a predicted joint for the joint to count as hidden."""

AROUND = 2
"""Pixels either way of a place that are looked at for its depth."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """A frame to be labeled.

    Args:
        item: Its path below the data set's root; no other frame has the same.
        depth: Decodes it.
        centre: Of the cube around the hand, `[3]` mm.
        cube: Its side, mm.
        joints: Predicted pose in this package's axes, `[J, 3]` mm; None if there is no prediction. Joints that are not
            finite, or not in front of the camera, count as not predicted.
        score: The selector's.

    Raises:
        ArgumentError: The path, the cube or the score cannot be used.
    """

    item: str
    depth: Callable[[], DepthImage]
    centre: Tensor
    cube: float
    joints: Tensor | None = None
    score: float = 0.0

    def __post_init__(self) -> None:
        check_item(self.item, self.score)
        check_number("cube", self.cube, low=1, high=1e5)
        if self.centre.shape != (3,) or not bool(self.centre.isfinite().all()) or not float(self.centre[2]) > 0:
            raise ArgumentError(f"center of {self.item} must be [3] mm in front of the camera, got {self.centre}")

    def draw(self, camera: Camera, joints: int) -> tuple["Preview", bytes]:
        """As `make_preview`."""
        return make_preview(self, camera, joints)


def check_item(item: str, score: float) -> None:
    """Check the path and the score of a frame to be labeled.

    Raises:
        ArgumentError: The path is none below a folder or cannot stand in a list, or the score is out of range.
    """
    try:
        check_path(item, "item")
    except ValueError as error:
        raise ArgumentError(str(error)) from error
    if not item.isprintable() or item.strip() != item:
        raise ArgumentError(
            f"item: {item!r} has an invisible character, or a blank at an end, which lists of frames cannot hold; "
            "rename the file"
        )
    check_number("score", score, low=-FARTHEST, high=FARTHEST)


class PredictedKeypoint(NamedTuple):
    """A joint as it was predicted.

    Args:
        u: px from the left.
        v: px from the top.
        d: Depth, mm.
        hidden: Whether something nearer was measured at its place.
    """

    u: float
    v: float
    d: float
    hidden: bool


@dataclass(frozen=True, kw_only=True)
class Preview:
    """Which part of which frame a picture shows.

    Args:
        item: Path of the frame below the data set's root.
        name: File name of the picture.
        left: First column of the sensor in it.
        top: First row of the sensor in it.
        width: Columns of the sensor in it.
        height: Rows of the sensor in it.
        zoom: Pixels of the picture along the side of one of the sensor.
        near: Nearest depth that is taken for the hand, mm.
        far: Farthest depth that is taken for the hand, mm.
        score: The selector's score of the frame.
        predicted: Each joint's prediction; None where there is none.
        digest: Hash of the frame's depth, see `digest_of`.
        confidence: How sure the prediction is, 0 to 1, where that is known.
    """

    item: str
    name: str
    left: int
    top: int
    width: int
    height: int
    zoom: int
    near: float
    far: float
    score: float
    predicted: tuple[PredictedKeypoint | None, ...]
    digest: str
    confidence: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, px."""
        return self.width * self.zoom, self.height * self.zoom

    def to_sensor(self, x: float, y: float) -> tuple[float, float]:
        """Place on the sensor, (u, v) px, of a place in the picture, shares of its width and height."""
        return self.left - 0.5 + x * self.width, self.top - 0.5 + y * self.height

    def from_sensor(self, u: float, v: float) -> tuple[float, float]:
        """The inverse; shares below 0 or above 1 lie outside the picture."""
        return (u + 0.5 - self.left) / self.width, (v + 0.5 - self.top) / self.height

    def shown(self) -> list[tuple[float, float, bool] | None]:
        """Each joint's prediction in the picture: x, y and whether it is hidden; None if there is none inside."""
        places = [
            None if place is None else (*self.from_sensor(place.u, place.v), place.hidden) for place in self.predicted
        ]
        return [place if place and min(place[:2]) >= 0 and max(place[:2]) <= 1 else None for place in places]


def preview_name(item: str) -> str:
    """File name of a frame's preview: letters, digits and dashes that remind of the path, and a hash of it."""
    slug = re.sub(r"[^0-9A-Za-z]+", "-", item.rpartition(".")[0] or item).strip("-")[-40:].strip("-")
    return f"{slug or 'frame'}-{hashlib.blake2b(item.encode(), digest_size=6).hexdigest()}.png"


def make_preview(frame: Frame, camera: Camera, joints: int) -> tuple[Preview, bytes]:
    """A frame's preview and its picture, a PNG.

    Raises:
        ArgumentError: The cube lies outside of the image, or the prediction is not of so many joints.
        DataFileError: The frame cannot be read.
    """
    image = frame.depth()
    z = float(frame.centre[2])
    near, far = z - frame.cube / 2, z + frame.cube / 2
    predicted = _predicted(frame, image, camera, joints, near, far)
    left, top, width, height = _box(frame, image, camera, predicted, near, far)
    preview = Preview(
        item=frame.item,
        name=preview_name(frame.item),
        left=left,
        top=top,
        width=width,
        height=height,
        zoom=zoom_of(width, height),
        near=near,
        far=far,
        score=float(frame.score),
        predicted=predicted,
        digest=digest_of(image),
    )
    depth = cut(image, left, top, width, height)
    hand = is_between(depth, near, far)
    pixels = depth_colours(depth, hand, least=LEAST, light=shade(depth, hand, z / camera.fx))
    return preview, png(pixels, preview.size)


def zoom_of(width: int, height: int) -> int:
    """Pixels of a picture along the side of one of the sensor, for a box of this size, px."""
    return max(LONGEST_SIDE // max(width, height), 1)


def digest_of(image: DepthImage) -> str:
    """Short hash of a frame's depth: another one for another picture, whatever file it is in."""
    depth = np.ascontiguousarray(image.depth.numpy())
    about = repr((image.left, image.top, depth.shape, str(depth.dtype))).encode()
    return hashlib.blake2b(about + depth.tobytes(), digest_size=8).hexdigest()


def cut(image: DepthImage, left: int, top: int, width: int, height: int) -> FloatArray:
    """A box of a frame, `[height, width]` mm; 0 where nothing was measured or the frame has no pixel."""
    box = np.zeros((height, width))
    pixels = image.depth.numpy()
    row, column = image.top - top, image.left - left
    rows = range(max(row, 0), min(row + pixels.shape[0], height))
    columns = range(max(column, 0), min(column + pixels.shape[1], width))
    if rows and columns:  # a box may lie beside the frame
        inside = pixels[rows.start - row : rows.stop - row, columns.start - column : columns.stop - column]
        box[rows.start : rows.stop, columns.start : columns.stop] = inside
    return box


def surface_at(image: DepthImage, u: float, v: float, near: float, far: float) -> float | None:
    """Median depth of the hand's pixels around a place, mm; None if nothing was measured there.

    Args:
        image: The frame.
        u: px from the left.
        v: px from the top.
        near: Nearest depth that is taken for the hand, mm.
        far: Farthest depth that is taken for the hand, mm.
    """
    side = 2 * AROUND + 1
    around = cut(image, math.floor(u + 0.5) - AROUND, math.floor(v + 0.5) - AROUND, side, side)
    measured = around[is_between(around, near, far)]
    return float(np.median(measured)) if len(measured) else None


def is_between(depth: FloatArray, near: float, far: float) -> NDArray[np.bool_]:
    """Which pixels were measured between two depths, mm; those of the hand, if these are its cube's."""
    return (depth > 0) & (depth >= near) & (depth <= far)


def _box(
    frame: Frame,
    image: DepthImage,
    camera: Camera,
    predicted: Sequence[PredictedKeypoint | None],
    near: float,
    far: float,
) -> tuple[int, int, int, int]:
    """Left, top, width and height of what a preview shows, whole px.

    These are the hand's pixels and the predicted joints within the cube's window, and a margin; the window if there are
    none. A little more than the window, as fingers nearer than its center reach beyond it.
    """
    x, y, z = frame.centre.tolist()
    edges = window(x, y, z, WIDER * frame.cube, camera)
    left, top = (max(math.floor(edge + 0.5), 0) for edge in edges[:2])
    ends = (camera.width, camera.height)
    right, bottom = (min(math.floor(edge + 0.5) + 1, end) for edge, end in zip(edges[2:], ends, strict=True))
    if left >= right or top >= bottom:
        place = [round(value) for value in (x, y, z)]
        raise ArgumentError(f"{frame.item}: the cube of {frame.cube:g} mm around {place} mm lies outside the image")
    rows, columns = np.nonzero(is_between(cut(image, left, top, right - left, bottom - top), near, far))
    places = [(place.u, place.v) for place in predicted if place is not None]
    across = [*(columns + left).tolist(), *(math.floor(u + 0.5) for u, _ in places if left <= u + 0.5 < right)]
    down = [*(rows + top).tolist(), *(math.floor(v + 0.5) for _, v in places if top <= v + 0.5 < bottom)]
    if across and down:
        pad = math.ceil(MARGIN * max(camera.fx, camera.fy) / z)
        left, right = max(left, min(across) - pad), min(right, max(across) + pad + 1)
        top, bottom = max(top, min(down) - pad), min(bottom, max(down) + pad + 1)
    return left, top, right - left, bottom - top


def _predicted(
    frame: Frame, image: DepthImage, camera: Camera, joints: int, near: float, far: float
) -> tuple[PredictedKeypoint | None, ...]:
    if frame.joints is None:
        return (None,) * joints
    if frame.joints.shape != (joints, 3):
        raise ArgumentError(f"joints of {frame.item} must be [{joints}, 3] mm, got {list(frame.joints.shape)}")
    predicted: list[PredictedKeypoint | None] = []
    for point in frame.joints.double():
        u, v, d = camera.to_image(point).tolist() if float(point[2]) > 0 else (math.nan,) * 3
        if not all(abs(value) <= FARTHEST for value in (u, v, d)):  # NaN too
            predicted.append(None)
            continue
        surface = surface_at(image, u, v, near, far)
        predicted.append(PredictedKeypoint(u, v, d, surface is not None and d - surface > HIDDEN))
    return tuple(predicted)


def shade(depth: FloatArray, hand: NDArray[np.bool_], mm_a_pixel: float) -> FloatArray:
    """Light on the surface from the upper left and the front, about 1 where it faces the camera, `[h, w]`."""
    weight = gaussian_filter(hand.astype(np.float64), 1.0)
    smooth = gaussian_filter(np.where(hand, depth, 0.0), 1.0) / np.maximum(weight, 1e-6)
    down, right = np.gradient(smooth) if min(depth.shape) > 1 else (np.zeros_like(depth),) * 2
    # Normal of the surface z(u, v), towards the camera.
    across, along = right / mm_a_pixel, down / mm_a_pixel
    light = (1 - 0.5 * across - 0.5 * along) / np.sqrt(1 + across**2 + along**2)
    return np.clip(0.45 + 0.55 * light, 0.25, 1.15)


def png(pixels: NDArray[np.uint8], size: tuple[int, int]) -> bytes:
    """A picture of colors `[h, w, 3]`, enlarged to a width and height, px."""
    buffer = io.BytesIO()
    picture: Any = Image.fromarray(pixels)
    # After a smooth enlargement, deflate's search for repetitions would take twice the time again and save 4 % of size.
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    picture.save(buffer, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return buffer.getvalue()
