"""What a person looks at to tell whether crops are right: each frame with its window, and the crop beside it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.datasets.hands.cache import in_threads
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.doubt import doubt_given
from seqgcn.datasets.hands.centers.found import DOUBTFUL, SOURCES, Centers
from seqgcn.datasets.hands.colours import frame_colours
from seqgcn.datasets.hands.crop import FULL_SCALE, DepthImage, crop, window
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.exceptions import DataFileError
from seqgcn.training import Progress
from seqgcn.utils.validation import check_whole

SIDE = 240
"""Longest side of a frame as it is shown, px."""


_FAR = "the center is far from those of the frames before and after"

WHY = {"file": _FAR, "oracle": _FAR, "mass": "what is seen goes on beyond the cube on several sides"}
"""Why a crop with depth is doubted, by the source of its center."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CropView:
    """One frame and its crop.

    Args:
        file: Path of the frame below the data set's folder.
        source: Where the center is from, one of `SOURCES`.
        confidence: How sure the center is, 0 to 1.
        center: x, y, z in mm; None where no hand was found.
        cube: Side of the cube, mm.
        frame: The frame in colors, shrunk, `[h, w, 3]` uint8; None if it cannot be read.
        window: Left, top, right and bottom edge of the cube's window in the pixels of `frame`; None without a center.
        other: The same of the place that may be another hand, which raised doubt; None where there is none.
        crop: What networks see, `[size, size]` float32 in [-1, 1], +1 is background; None if there is none.
        problem: Why there is no crop, in words; empty if there is one.
    """

    file: str
    source: str
    confidence: float
    center: tuple[float, float, float] | None
    cube: float
    frame: NDArray[np.uint8] | None
    window: tuple[float, float, float, float] | None
    crop: NDArray[np.float32] | None
    problem: str = ""
    other: tuple[float, float, float, float] | None = None

    @property
    def doubtful(self) -> bool:
        """Whether the crop may well be wrong: the center is not sure, or there is no crop."""
        return self.crop is None or not self.confidence >= DOUBTFUL


@dataclass(frozen=True, kw_only=True, eq=False)
class CropViews:
    """The worst crops of a data set.

    Args:
        name: Of the data set.
        centers: Of all its frames.
        views: Of those shown, worst first.
        near: Nearest depth at which a hand was looked for, mm.
        far: Farthest depth at which it was, mm.
    """

    name: str
    centers: Centers
    views: tuple[CropView, ...]
    near: float
    far: float


def look_at_crops(hands: HandDataset, most: int, *, progress: Progress | None = None) -> CropViews:
    """Find the hand in every frame, and decode those whose crops are most likely wrong. No crop cache is made.

    Args:
        hands: The frames; none needs a label.
        most: How many to decode at most, at least 1.
        progress: Told about it, as stages `"hands"`, `"depth"` and `"pictures"`.

    Raises:
        ArgumentError: `most` is below 1.
        DataFileError: No frame can be read, or one cannot and the data set is not lenient.
        RunFolderError: What was found cannot be kept.
    """
    check_whole("most", most)
    centers = _centers_of(hands, progress)
    chosen = worst(centers.confidence, most).tolist()
    views: list[CropView] = []
    for block in in_threads(lambda k: _view(hands, centers, chosen[k]), len(chosen)):
        views += block
        if progress is not None:
            progress("pictures", len(views), len(chosen))
    unread = [view for view in views if view.frame is None]
    if len(unread) == len(views) and bool(centers.points.isnan().any(dim=1).all()):
        raise DataFileError(f"{hands.name}: none of {len(hands):,} frames can be read; the first: {unread[0].problem}")
    views.sort(key=lambda view: -1.0 if view.crop is None else view.confidence)
    return CropViews(
        name=hands.name, centers=centers, views=tuple(views), near=hands.options.near, far=hands.options.far
    )


def worst(confidence: Tensor, most: int) -> Tensor:
    """Numbers of the frames with the least confidence, lowest first; of equals, spread over all of them.

    Args:
        confidence: `[n]`; NaN is the least.
        most: How many.

    Returns:
        `[min(n, most)]` int64.
    """
    known = confidence.nan_to_num(nan=-1.0)
    order = known.argsort(stable=True)
    if len(order) <= most:
        return order
    limit = known[order[most - 1]]
    below = order[known[order] < limit]
    equal = order[known[order] == limit]
    # Frames beside each other look alike: as many from everywhere tell more.
    steps = torch.linspace(0, len(equal) - 1, most - len(below), dtype=torch.float64).round().long()
    return torch.cat((below, equal[steps]))


def _centers_of(hands: HandDataset, progress: Progress | None) -> Centers:
    found = hands.find(progress)
    # Of a data set whose crops were made, frames may have been left out since.
    centers = found if len(found) == len(hands) else hands.centers
    return doubt_given(hands, centers, progress)


def _depth(hands: HandDataset, i: int) -> DepthImage | DataFileError:
    try:
        return hands.depth(i)
    except DataFileError as error:
        return error


def _view(hands: HandDataset, centers: Centers, i: int) -> CropView:
    image = _depth(hands, i)
    point: tuple[float, float, float] | None = tuple(centers.points[i].tolist())
    cube, camera = float(hands.cube[i]), hands.camera_of(i)
    problem, place, pixels, other = "", None, None, None
    if isinstance(image, DataFileError):
        problem = f"cannot be read: {image}"
    if point is None or not all(map(math.isfinite, point)):
        point, problem = None, problem or "no hand was found"
    elif point[2] <= 0:
        problem = problem or f"the center is not in front of the camera (z is {point[2]:g} mm)"
    elif isinstance(image, DepthImage):
        place = _shown_window(image, point, cube, camera)
        pixels = crop(image, centers.points[i], cube, camera, hands.options.size)
        if pixels is None:
            problem = "no depth inside the cube"
        elif not centers.confidence[i]:
            problem = WHY.get(SOURCES[int(centers.source[i])], "")
    if len(centers.others) and isinstance(image, DepthImage) and bool(centers.others[i].isfinite().all()):
        x, y, z = centers.others[i].tolist()
        other = _shown_window(image, (x, y, z), cube, camera)
        if not problem and float(centers.confidence[i]) < DOUBTFUL:
            problem = "another place looks like a hand too"
    return CropView(
        file=hands.files[i],
        source=SOURCES[int(centers.source[i])],
        confidence=float(centers.confidence[i].nan_to_num(nan=0.0)),
        center=point,
        cube=cube,
        frame=frame_picture(image, hands.options.near, hands.options.far) if isinstance(image, DepthImage) else None,
        window=place,
        other=other,
        crop=None if pixels is None else pixels.numpy().astype(np.float32) / np.float32(FULL_SCALE),
        problem=problem,
    )


def _shown_window(
    image: DepthImage, point: tuple[float, float, float], cube: float, camera: Camera
) -> tuple[float, float, float, float]:
    """Window of a cube in the pixels of the shown frame."""
    scale = _shrunk(image)
    left, top, right, bottom = window(*point, cube, camera)
    return (
        (left - image.left) * scale,
        (top - image.top) * scale,
        (right - image.left) * scale,
        (bottom - image.top) * scale,
    )


def _shrunk(image: DepthImage) -> float:
    """Pixels of the shown frame for one of the image."""
    return min(1.0, SIDE / max(image.depth.shape))


def frame_picture(image: DepthImage, near: float, far: float) -> NDArray[np.uint8]:
    """A frame in colors where a hand may be, in gray outside of that, light gray where nothing was measured.

    Args:
        image: The frame.
        near: Nearest depth at which a hand may be, mm.
        far: Farthest depth at which it may be, mm.

    Returns:
        `[h, w, 3]`, the longer side `SIDE` px at most.
    """
    scale = _shrunk(image)
    h, w = image.depth.shape
    rows, columns = (
        ((np.arange(max(1, round(n * scale))) + 0.5) * n / max(1, round(n * scale))).astype(np.intp) for n in (h, w)
    )
    depth: NDArray[Any] = image.depth.numpy()[rows][:, columns]
    inside = (depth > 0) & (depth >= near) & (depth <= far)
    return frame_colours(depth, inside)
