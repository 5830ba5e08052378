"""A flat open hand drawn as squares before a wall, seen by a camera whose focal lengths differ."""

import numpy as np
import torch
from numpy.typing import NDArray

from seqgcn.datasets.hands import Camera
from seqgcn.datasets.hands.crop import DepthImage

CAMERA = Camera(475.0, 480.0, 310.0, 245.0, 640, 480)
WALL = 1400.0


def open_hand(x: float = 0.0, y: float = 0.0, z: float = 600.0, size: float = 1.0) -> NDArray[np.float64]:
    """Joints of a flat upright hand `[21, 3]` mm, 90 mm from wrist to middle finger around (x, y)."""
    joints = [(0.0, 60.0)]
    for across in (-60.0, -25.0, 0.0, 20.0, 40.0):
        joints += [(across, -30.0 - 22.0 * step) for step in range(4)]
    return np.array([(x + size * a, y + size * b, z) for a, b in joints])


def frame_with(*hands: NDArray[np.float64], back: float = WALL) -> DepthImage:
    """Squares of 24 mm on every joint before a wall."""
    depth = torch.full((CAMERA.height, CAMERA.width), back)
    for hand in hands:
        for u, v, d in CAMERA.to_image(torch.from_numpy(hand)).tolist():
            half = round(12 * CAMERA.fx / d)
            rows, columns = (
                slice(max(round(v) - half, 0), round(v) + half),
                slice(max(round(u) - half, 0), round(u) + half),
            )
            depth[rows, columns] = d
    return DepthImage(depth)


def pixels(hand: NDArray[np.float64]) -> NDArray[np.float64]:
    return CAMERA.to_image(torch.from_numpy(hand)).numpy()[:, :2]
