"""What a depth sensor makes of a scene: noise, lost and flying pixels at edges, holes, shadows, steps of depth."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import check_number

FARTHEST = 0xFFFF
"""mm; depth is stored in 16 bits."""

EDGE = 12.0
"""A larger jump of depth between neighboring pixels is an edge, mm."""

RAGGED = 4.0
"""By how much the angle from which on depth is lost varies from place to place, standard deviation, degrees."""

PERPENDICULAR = 90.0
"""Between the normal of a surface and a ray along it, degrees."""


@dataclass(frozen=True)
class Sensor:
    """How one sensor errs.

    Args:
        noise: Standard deviation of a pixel's depth, mm; of a stereo sensor at 1 m, growing with depth squared.
        edge_loss: Chance that a pixel next to an edge is lost.
        holes: Mean number of holes in a frame, each 1 to 3 px across.
        background: Value of a pixel that looks past the hand; lost ones are 0.
        step: What one unit of the stored frame stands for, mm.
        disparity_step: Of a sensor that measures disparity in steps, how far these are apart at 1 m, mm; at other
            depths it grows with depth squared. 0 for other sensors.
        baseline: How far to the right of the camera the pattern comes from, or the second camera is, mm: what is not
            seen from there is lost.
        grazing: Angle between a surface's normal and the ray that meets it, from which on depth is lost, degrees, with
            a ragged border; 90 for a sensor that loses none.
        flying: Chance that a pixel beside an edge between two surfaces has a depth anywhere between both, as of a
            time-of-flight sensor, whose pixel there gets light from both.

    Raises:
        ArgumentError: One is negative or too large, or the step or the angle is 0.
    """

    noise: float = 1.5
    edge_loss: float = 0.3
    holes: float = 3.0
    background: int = 0
    step: float = 1.0
    disparity_step: float = 0.0
    baseline: float = 0.0
    grazing: float = PERPENDICULAR
    flying: float = 0.0

    def __post_init__(self) -> None:
        check_number("noise", self.noise, low=0)
        check_number("edge_loss", self.edge_loss, low=0, high=1)
        check_number("holes", self.holes, low=0)
        check_number("background", self.background, low=0, high=FARTHEST)
        check_number("step", self.step, low=0, open_low=True)
        check_number("disparity_step", self.disparity_step, low=0)
        check_number("baseline", self.baseline, low=0)
        check_number("grazing", self.grazing, low=0, high=PERPENDICULAR, open_low=True)
        check_number("flying", self.flying, low=0, high=1)

    def measure(self, depth: Tensor, draws: torch.Generator, camera: Camera | None = None) -> NDArray[np.uint16]:
        """A frame as it would be stored: `[h, w]` float32 mm, 0 where there is nothing, to `[h, w]` uint16 steps.

        Args:
            depth: From `render_depth`.
            draws: CPU generator of this frame alone.
            camera: Has taken `depth`; what shadows and grazing angles take if the sensor has a baseline or loses
                depth there.

        Raises:
            ArgumentError: The sensor needs the camera and none is given.
        """
        if self.baseline and camera is None:
            raise ArgumentError(f"a sensor with a baseline, {self.baseline} mm, needs the camera")
        if self.grazing < PERPENDICULAR and camera is None:
            raise ArgumentError(f"a sensor that loses depth from {self.grazing} degrees on needs the camera")
        hit = depth > 0
        frame = torch.where(hit, 0, self.background).int()
        rows, columns = hit.any(dim=1).nonzero().flatten(), hit.any(dim=0).nonzero().flatten()
        if len(rows):
            box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
            seen = self._lose(depth[box], draws)
            if camera is not None and self.baseline:
                seen &= ~_shadow(depth[box], self.baseline * camera.fx)
            noise = self.noise * torch.randn(seen.shape, generator=draws)
            # Drawn last, so that frames of sensors without these are what they were before there were any.
            if camera is not None and self.grazing < PERPENDICULAR:
                seen &= ~self._grazed(depth[box], camera, draws)
            between = _flying(depth[box], self.flying, draws) if self.flying else depth[box]
            noisy = self._quantize(between, noise)
            frame[box] = torch.where(seen, noisy.round().clamp(1, FARTHEST), frame[box].masked_fill(hit[box], 0)).int()
        return frame.numpy().astype(np.uint16)

    def _quantize(self, depth: Tensor, noise: Tensor) -> Tensor:
        """Noisy depth in units of `step`, not yet whole ones."""
        if self.disparity_step:
            # Steps of 1 / z are evenly spaced: one more or less at depth z is z^2 disparity_step / (1 m)^2.
            unit = 1e6 / self.disparity_step
            disparity = unit / depth.clamp(min=1)
            disparity -= noise / self.disparity_step
            return unit / disparity.round().clamp(min=1) / self.step
        return (depth + noise) / self.step

    def _grazed(self, depth: Tensor, camera: Camera, draws: torch.Generator) -> Tensor:
        """Which pixels see a surface from too far aside, `[h, w]` bool."""
        # tan(angle) = f |gradient| / z, but for the ray's own slant. Of both neighbors the one nearer in depth: the
        # other may be of another surface.
        slope = torch.zeros_like(depth)
        for axis, focal in ((0, camera.fy), (1, camera.fx)):
            step = depth.diff(dim=axis).abs()
            n = step.shape[axis]
            least = torch.full_like(depth, math.inf)
            least.narrow(axis, 0, n).copy_(step)
            after = least.narrow(axis, 1, n)
            torch.minimum(after, step, out=after)
            slope += (focal * least).square()
        blur = torch.randn((1, 1, *depth.shape), generator=draws)
        blur = 3 * F.avg_pool2d(blur, 3, stride=1, padding=1)[0, 0]
        limit = (self.grazing + RAGGED * blur).clamp(1, PERPENDICULAR - 0.1).deg2rad().tan()
        return slope > (limit * depth).square()

    def _lose(self, depth: Tensor, draws: torch.Generator) -> Tensor:
        """Which pixels of the hand's box are measured, `[h, w]` bool."""
        edge = torch.zeros_like(depth, dtype=torch.bool)
        # Beside the box there is nothing: its rim is an edge too.
        padded = F.pad(depth, (1, 1, 1, 1))
        for axis in (0, 1):
            jump = padded.diff(dim=axis).abs() > EDGE
            jump = jump[:, 1:-1] if axis == 0 else jump[1:-1]
            steps = jump.shape[axis] - 1
            edge |= jump.narrow(axis, 0, steps) | jump.narrow(axis, 1, steps)
        lost = edge & (torch.rand(depth.shape, generator=draws) < self.edge_loss)
        h, w = depth.shape
        for _ in range(int(torch.poisson(torch.tensor(float(self.holes)), generator=draws))):
            size, y, x = (int(torch.randint(0, most, (), generator=draws)) for most in (3, h, w))
            lost[y : y + size + 1, x : x + size + 1] = True
        return (depth > 0) & ~lost


def _flying(depth: Tensor, chance: float, draws: torch.Generator) -> Tensor:
    """Depth, `[h, w]` mm, with pixels beside an edge between two surfaces at times between both."""
    jump = torch.zeros_like(depth)
    for axis in (0, 1):
        step = depth.diff(dim=axis)
        n = step.shape[axis]
        both = (depth.narrow(axis, 0, n) > 0) & (depth.narrow(axis, 1, n) > 0)
        step = torch.where(both, step, 0)
        # The way to the neighbor after and before; the longest counts.
        for start, way in ((0, step), (1, -step)):
            part = jump.narrow(axis, start, n)
            part.copy_(torch.where(way.abs() > part.abs(), way, part))
    share, drawn = torch.rand((2, *depth.shape), generator=draws)
    return depth + torch.where((jump.abs() > EDGE) & (drawn < chance), share * jump, 0)


def _shadow(depth: Tensor, reach: float) -> Tensor:
    """Which pixels cannot be seen from the right of the camera, `[h, w]` bool; `reach` is baseline times fx, mm px."""
    # From there a pixel's point is seen in column u - reach / z. A point hides all those that are left of it in the
    # image and no more left from there.
    column = torch.arange(depth.shape[1]) - reach / depth.clamp(min=1)
    column = torch.where(depth > 0, column, torch.inf)
    leftmost = column.flip(1).cummin(dim=1).values.flip(1)
    hidden = torch.zeros_like(depth, dtype=torch.bool)
    hidden[:, :-1] = column[:, :-1] >= leftmost[:, 1:]
    return hidden & (depth > 0)


SENSORS = {
    "sr305": Sensor(noise=0.05, edge_loss=1.0, holes=30.0, step=0.125, baseline=25.0, grazing=82.0),
    # 640 px over 57 degrees see disparities in eighths of a pixel, from 75 mm: 10^6 / (580 * 75 * 8) mm.
    "kinect1": Sensor(noise=1.2, edge_loss=0.3, holes=10.0, disparity_step=2.87, baseline=75.0, grazing=74.0),
    # Disparities in 32nds of a pixel from 50 mm: 10^6 / (640 * 50 * 32) mm.
    "realsense-d435": Sensor(noise=1.5, edge_loss=0.4, holes=15.0, disparity_step=0.98, baseline=50.0),
    # Time of flight: no second point of view, and so no shadows, but pixels with light from two surfaces.
    "kinect2": Sensor(noise=1.2, edge_loss=0.2, holes=5.0, flying=0.5),
    "ideal": Sensor(noise=0, edge_loss=0, holes=0, step=0.125),
}
"""Sensors by name, for layouts that say what a step of depth is."""
