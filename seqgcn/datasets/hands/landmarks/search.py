"""The joints of one hand, found by trying in which direction it points."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.views import View, cut_around
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.landmarks.lifting import Floats, HandPixels, coverage, hand_pixels, lift
from seqgcn.datasets.hands.landmarks.model import Looker, Region, next_region

SIDE = 0.6
"""Side of the first region as a share of the cut's 450 mm."""

TURNS = ((0, 2, 4, 6), (1, 3, 5, 7))
"""Directions that are tried, in eighths of a turn: the second four if none of the first fits well."""

FITS = 0.6
"""Score from which on joints are taken as they are: of rendered frames, 97 % of these have them in their place."""

STEADY = 20.0
"""mm by which joints move when they are looked at again, which is e times less likely to be right."""


class Placed(NamedTuple):
    """The joints of a hand.

    Args:
        points: x, y, z in mm, `[21, 3]`.
        measured: Whether each lies on its own surface, `[21]` bool.
        left: Whether the model takes it for a left hand.
        score: How well they fit what was measured, 0 to 1.
    """

    points: Floats
    measured: NDArray[np.bool_]
    left: bool
    score: float


def find_joints(
    look: Looker, image: DepthImage, camera: Camera, center: tuple[float, float, float], cube: float
) -> Placed | None:
    """The joints of the hand around a point; None if the model sees no hand there.

    The model expects fingers that point up. It is shown what lies around the point, turned by multiples of 45 degrees,
    and then what it found each time. Of all that it has found, that is taken which fits the depth best:

        score = (share of joints on their own surface) (share of the hand's pixels near a bone) exp(-m / 20 mm)

    with m the median by which the joints moved at the second look.

    Args:
        look: The model.
        image: The frame.
        camera: Its camera.
        center: Of the hand, x, y, z in mm.
        cube: Side of the cube that the hand fits in, mm.
    """
    view = cut_around(image, camera, center)
    if not view.picture.any():
        return None
    pixels = hand_pixels(image, camera, center, cube)
    best: Placed | None = None
    for turns in TURNS:
        for placed in _tried(look, turns, view, pixels, image, camera, center[2], cube):
            if best is None or placed.score > best.score:
                best = placed
        if best is not None and best.score >= FITS:
            break
    return best


def _tried(
    look: Looker,
    turns: Iterable[int],
    view: View,
    pixels: HandPixels,
    image: DepthImage,
    camera: Camera,
    z: float,
    cube: float,
) -> Iterable[Placed]:
    for turn in turns:
        first = look(view.picture, Region(0.5, 0.5, SIDE, turn * math.pi / 4))
        again = first and look(view.picture, next_region(first.landmarks))
        if first is None or again is None:
            continue
        before, uv = (view.to_image(seen.landmarks[:, :2], 0) for seen in (first, again))
        lifted = lift(uv, again.landmarks[:, 2] * view.width, image, camera, z, cube)
        if lifted is None:
            continue
        moved = float(np.median(np.linalg.norm(uv - before, axis=1))) * z / camera.fx
        fit = float(lifted.measured.mean()) * coverage(uv, lifted.points, pixels, camera, z)
        yield Placed(lifted.points, lifted.measured, again.left, fit * math.exp(-moved / STEADY))
