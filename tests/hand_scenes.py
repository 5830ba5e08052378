"""Depth frames with simple bodies in them: a hand of discs and bars, an arm, a torso, a table."""

import math

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.hands.camera import Camera

CAMERA = Camera(476.0, 476.0, 320.0, 240.0, 640, 480)

Depth = NDArray[np.float32]


class Scene:
    """A frame into which flat things are put; the nearest shows.

    Args:
        camera: Takes the frame.
    """

    def __init__(self, camera: Camera = CAMERA) -> None:
        self.camera = camera
        self.depth: Depth = np.full((camera.height, camera.width), np.inf, np.float32)

    def frame(self, step: float = 1.0) -> Depth:
        """mm, `[h, w]`, in steps; 0 where nothing is."""
        depth = np.where(np.isfinite(self.depth), self.depth, 0)
        return (np.rint(depth / step) * step).astype(np.float32)

    def _points(self, z: float) -> tuple[Depth, Depth]:
        v, u = np.mgrid[: self.camera.height, : self.camera.width].astype(np.float32)
        return (u - self.camera.cx) * z / self.camera.fx, (v - self.camera.cy) * z / self.camera.fy

    def _put(self, where: NDArray[np.bool_], depth: Depth | float) -> "Scene":
        self.depth = np.where(where, np.minimum(self.depth, depth), self.depth).astype(np.float32)
        return self

    def disc(self, x: float, y: float, z: float, radius: float) -> "Scene":
        """A disc that faces the camera; all in mm."""
        across, down = self._points(z)
        return self._put((across - x) ** 2 + (down - y) ** 2 <= radius**2, z)

    def bar(self, start: tuple[float, float, float], end: tuple[float, float, float], width: float) -> "Scene":
        """A flat bar between two points; its depth goes from the first's to the last's."""
        z = (start[2] + end[2]) / 2
        across, down = self._points(z)
        ax, ay = end[0] - start[0], end[1] - start[1]
        length = math.hypot(ax, ay)
        along = ((across - start[0]) * ax + (down - start[1]) * ay) / length**2
        aside = np.abs((across - start[0]) * ay - (down - start[1]) * ax) / length
        depth = start[2] + np.clip(along, 0, 1) * (end[2] - start[2])
        return self._put((along >= 0) & (along <= 1) & (aside <= width / 2), depth)

    def hand(self, x: float, y: float, z: float, angle: float = -90.0, fingers: int = 5) -> "Scene":
        """A palm with spread fingers that point to an angle, degrees from x right to y down."""
        self.disc(x, y, z, 42)
        for i in range(fingers):
            turn = math.radians(angle + (i - 2) * 26)
            tip = (x + 112 * math.cos(turn), y + 112 * math.sin(turn), z)
            self.bar((x, y, z), tip, 17)
        return self

    def forearm(self, x: float, y: float, z: float, angle: float, length: float = 280.0, rise: float = 60.0) -> "Scene":
        """A forearm that leaves a palm into a direction, deeper by `rise` at its end."""
        turn = math.radians(angle)
        elbow = (x + length * math.cos(turn), y + length * math.sin(turn), z + rise)
        return self.bar((x, y, z), elbow, 58)

    def torso(self, z: float, x: float = 60.0) -> "Scene":
        """A person's chest and head."""
        return self.bar((x, -120, z), (x, 400, z), 380).disc(x, -210, z + 30, 78)
