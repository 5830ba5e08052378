"""From pixels of joints to millimeters, by the surface that was measured."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.crop import DepthImage, window
from seqgcn.datasets.hands.landmarks.found import LANDMARKS
from seqgcn.datasets.hands.skin import ELSEWHERE, behind_skin

PALM = (0, 5, 9, 13, 17)
"""The wrist and the bases of the four fingers, whose depth decides that of the hand."""

PARENT = tuple(None if joint == 0 or joint % 4 == 1 else joint - 1 for joint in range(len(LANDMARKS)))
"""The joint before each along its finger; None of the wrist and the fingers' bases."""

BONES = (
    *((0, base) for base in (1, 5, 9, 13, 17)),
    *((base + step, base + step + 1) for base in (1, 5, 9, 13, 17) for step in range(3)),
    *((1, 5), (5, 9), (9, 13), (13, 17)),
)

SKIN = np.array([behind_skin(name) or ELSEWHERE for name in LANDMARKS])
"""mm that each joint lies behind the skin."""

FINGER = 6.0
"""mm around a joint in which its surface is looked for: the half width of a finger."""

OWN = 25.0
"""mm by which a joint's own surface may be off from where the model has it: other fingers lie farther off."""

THICKNESS = 14.0
"""mm from the bones in the image within which a hand's pixels lie."""

REACH = 110.0
"""mm from the middle of the palm within which what was measured is the hand's."""

PIXELS = 600
"""Pixels of the hand that are looked at, at most."""

Floats = NDArray[np.float64]


class Lifted(NamedTuple):
    """A hand in millimeters.

    Args:
        points: x, y, z in mm, `[21, 3]`.
        measured: Which of them lie on their own surface, `[21]` bool.
    """

    points: Floats
    measured: NDArray[np.bool_]


def lift(uv: Floats, relative: Floats, image: DepthImage, camera: Camera, z: float, cube: float) -> Lifted | None:
    """Joints in mm from their pixels; None if nothing was measured at the palm.

    With s the surface's depth, r the model's relative depth (mm) and o what lies between skin and joint, the wrist and
    the fingers' bases are expected at e = r + median over the palm of (s - r), and each joint after these at
    e = r - r' + s', with the joint before it on the finger. If depths around it are within 25 mm of e, s is their
    median and the joint lies at s + o. If what is there is nearer (it hides the joint), farther (the joint is beside
    its finger) or missing, s = e.

    Args:
        uv: Pixels of the full image, `[21, 2]`.
        relative: Depth of each joint relative to the wrist, in px at the hand's distance, `[21]`.
        image: The frame.
        camera: Its camera.
        z: Depth of the hand's center, mm.
        cube: Side of the cube that the hand fits in, mm.
    """
    behind = relative * z / camera.fx
    bases = []
    for joint in PALM:
        values = around(image, uv[joint], 2)
        values = values[np.abs(values - z) <= cube / 2]
        if len(values):
            bases.append(float(np.median(values)) - behind[joint])
    if not bases:
        return None
    depth = float(np.median(bases)) + behind
    radius = max(round(FINGER * camera.fx / z), 1)
    measured = np.zeros(len(LANDMARKS), bool)
    for joint in range(len(LANDMARKS)):
        if (parent := PARENT[joint]) is not None:
            depth[joint] = depth[parent] + behind[joint] - behind[parent]
        values = around(image, uv[joint], radius)
        values = values[np.abs(values - depth[joint]) <= OWN]
        if len(values):
            depth[joint], measured[joint] = np.median(values), True
    depth += SKIN
    if not (depth > 0).all():
        return None
    x, y = (uv[:, 0] - camera.cx) * depth / camera.fx, (uv[:, 1] - camera.cy) * depth / camera.fy
    return Lifted(np.stack((x, y, depth), axis=1), measured)


class HandPixels(NamedTuple):
    """What was measured inside a cube.

    Args:
        uv: Pixels of the full image, `[k, 2]`.
        points: The same in mm, `[k, 3]`.
    """

    uv: Floats
    points: Floats


def hand_pixels(image: DepthImage, camera: Camera, center: tuple[float, float, float], cube: float) -> HandPixels:
    """The pixels inside the cube around a point, thinned out evenly."""
    left, top, right, bottom = window(*center, cube, camera)
    depth = image.depth.numpy()
    rows = slice(max(round(top) - image.top, 0), max(round(bottom) - image.top, 0))
    columns = slice(max(round(left) - image.left, 0), max(round(right) - image.left, 0))
    part = depth[rows, columns]
    v, u = np.nonzero((part > 0) & (np.abs(part - np.float32(center[2])) <= cube / 2))
    thin = slice(None, None, max(len(u) // (4 * PIXELS), 1))
    v, u = v[thin], u[thin]
    z = part[v, u].astype(np.float64)
    uv = np.stack((u + columns.start + image.left, v + rows.start + image.top), axis=1).astype(np.float64)
    x, y = (uv[:, 0] - camera.cx) * z / camera.fx, (uv[:, 1] - camera.cy) * z / camera.fy
    return HandPixels(uv, np.stack((x, y, z), axis=1))


def coverage(uv: Floats, points: Floats, pixels: HandPixels, camera: Camera, z: float) -> float:
    """Share of the hand's pixels that lie near a bone: those ahead of the wrist and near the palm.

    Args:
        uv: Pixels of the joints, `[21, 2]`.
        points: The joints in mm, `[21, 3]`.
        pixels: What was measured in the cube.
        camera: The camera.
        z: Depth of the hand, mm.
    """
    palm, along = points[list(PALM)].mean(axis=0), points[9] - points[0]
    near = np.linalg.norm(pixels.points - palm, axis=1) < REACH
    own = pixels.uv[near & ((pixels.points - points[0]) @ along > 0)]
    if not len(own):
        return 0.0
    own = own[:: max(len(own) // PIXELS, 1)]
    first, last = (uv[list(ends)] for ends in zip(*BONES, strict=True))
    bone = last - first
    length = np.maximum((bone**2).sum(axis=1), 1e-9)
    share = np.clip(((own[:, None] - first) * bone).sum(axis=2) / length, 0, 1)
    off = np.linalg.norm(own[:, None] - first - share[..., None] * bone, axis=2).min(axis=1)
    return float((off * z / camera.fx < THICKNESS).mean())


def around(image: DepthImage, uv: Floats, radius: int) -> NDArray[Any]:
    """Depths measured in a square window around a pixel of the full image."""
    depth = image.depth.numpy()
    column, row = round(float(uv[0])) - image.left, round(float(uv[1])) - image.top
    rows, columns = (slice(max(at - radius, 0), max(at + radius + 1, 0)) for at in (row, column))
    values = depth[rows, columns]
    measured: NDArray[Any] = values[(values > 0) & np.isfinite(values)]
    return measured
