"""What a person looks at to tell whether labels are right: frames with their labels drawn on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.checks.findings import CheckReport
from seqgcn.datasets.hands.checks.surface import Looked, fit_of
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.crop_views import SIDE, frame_picture
from seqgcn.exceptions import DataFileError

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset

SHOWN = 8
"""Frames on the page."""

ROOM = 0.3
"""Share of a label's size that is shown around it."""

LEAST = 32
"""Pixels along a side that are shown around a label at least."""

BEYOND = 150.0
"""mm of depth in front of and behind a label that are shown in color."""

Place = tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelView:
    """One frame and its label.

    Args:
        file: Path of the frame below the data set's folder.
        frame: The frame in colors, shrunk, `[h, w, 3]` uint8; None if it cannot be read.
        places: Of each joint in it, px; None of those without a label or far outside.
        near: The part around the label, `[h, w, 3]` uint8; None where the label is outside of the picture.
        near_places: Of each joint in that part.
        fit: Share of its joints on the surface that the camera saw; NaN without a label.
        said: What was found about this frame.
        problem: Why there is no picture.
    """

    file: str
    frame: NDArray[np.uint8] | None
    places: Sequence[Place | None]
    near: NDArray[np.uint8] | None
    near_places: Sequence[Place | None]
    fit: float
    said: tuple[str, ...]
    problem: str = ""


def look_at_labels(hands: "HandDataset", report: CheckReport, most: int = SHOWN) -> list[LabelView]:
    """Frames that findings name, then others with a label, spread over all of them; without labels any frames.

    Args:
        hands: The data set.
        report: What `check_dataset` found in it.
        most: How many frames.
    """
    number = {file: row for row, file in enumerate(hands.files)}
    chosen: dict[int, None] = {}
    for finding in report.findings:
        share = max(1, (most - 2) // len(report.findings))
        spread = np.linspace(0, len(finding.rows) - 1, min(len(finding.rows), share)).astype(np.int64).tolist()
        chosen |= dict.fromkeys([number[finding.frame], *(finding.rows[i] for i in spread)][:share])
    others = report.looked_at or tuple(range(len(hands)))
    for i in np.linspace(0, len(others) - 1, min(len(others), most)).astype(np.int64).tolist():
        if len(chosen) < most:
            chosen[others[i]] = None
    said: dict[int, list[str]] = {row: [] for row in chosen}
    for finding in report.findings:
        for row in finding.rows:
            if row in said:
                said[row].append(finding.kind)
    return [_view(hands, row, tuple(said[row])) for row in list(chosen)[:most]]


def _view(hands: "HandDataset", row: int, said: tuple[str, ...]) -> LabelView:
    joints: NDArray[np.float64] = hands.joints[row].double().numpy()
    try:
        image = hands.depth(row)
    except DataFileError as error:
        nothing: list[Place | None] = [None] * len(joints)
        return LabelView(
            file=hands.files[row],
            frame=None,
            places=nothing,
            near=None,
            near_places=nothing,
            fit=float("nan"),
            said=said,
            problem=str(error),
        )
    camera = hands.camera_of(row)
    pixels = _pixels(joints, camera) - [image.left, image.top]
    near, corner, zoom = _near(image, pixels, joints)
    shrunk = min(1.0, SIDE / max(image.depth.shape))
    return LabelView(
        file=hands.files[row],
        frame=frame_picture(image, hands.options.near, hands.options.far),
        places=_places((pixels + 0.5) * shrunk, image.depth.shape),
        near=near,
        near_places=_places((pixels + 0.5 - corner) * zoom, image.depth.shape),
        fit=fit_of(Looked(row, image, camera, joints)),
        said=said,
    )


def _pixels(joints: NDArray[np.float64], camera: Camera) -> NDArray[np.float64]:
    """Column and row of each joint, `[J, 2]`; NaN without a label."""
    x, y, z = joints.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack((camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy), axis=1)


def _places(pixels: NDArray[np.float64], shape: Sequence[int]) -> list[Place | None]:
    far = 5.0 * max(*shape, SIDE)
    return [(float(u), float(v)) if abs(u) < far and abs(v) < far else None for u, v in pixels]


def _near(
    image: DepthImage, pixels: NDArray[np.float64], joints: NDArray[np.float64]
) -> tuple[NDArray[np.uint8] | None, NDArray[np.float64], float]:
    """The part of a frame around its label, where it begins, and how much it is shrunk."""
    known = pixels[np.isfinite(pixels).all(axis=1)]
    h, w = image.depth.shape
    if not len(known):
        return None, np.zeros(2), 1.0
    low, high = known.min(axis=0), known.max(axis=0)
    half = max((high - low).max() * (0.5 + ROOM), LEAST / 2)
    middle = (low + high) / 2
    if not ((middle > -half) & (middle < np.array([w, h]) + half)).all() or half > 2 * max(w, h):
        return None, np.zeros(2), 1.0
    left, top = (max(int(value), 0) for value in middle - half)
    right, bottom = min(int(middle[0] + half) + 1, w), min(int(middle[1] + half) + 1, h)
    if right - left < 2 or bottom - top < 2:
        return None, np.zeros(2), 1.0
    depth = float(np.nanmedian(joints[:, 2]))
    part = DepthImage(image.depth[top:bottom, left:right].contiguous())
    # Small parts are drawn larger, so that lines do not hide them.
    grown = max(1, SIDE // max(part.depth.shape))
    part = DepthImage(torch.from_numpy(np.kron(part.depth.numpy(), np.ones((grown, grown), np.float32))))
    zoom = grown * min(1.0, SIDE / max(part.depth.shape))
    picture = frame_picture(part, max(depth - BEYOND, 0), depth + BEYOND)
    return picture, np.array([left, top], np.float64), zoom
