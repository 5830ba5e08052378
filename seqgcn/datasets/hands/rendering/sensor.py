"""What a depth sensor makes of a scene: noise, lost pixels at edges, small holes, whole millimetres."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.checks import check_number

FARTHEST = 0xFFFF
"""mm; depth is stored in 16 bits."""

EDGE = 12.0
"""A larger jump of depth between neighbouring pixels is an edge, mm."""


@dataclass(frozen=True)
class Sensor:
    """How one sensor errs.

    Args:
        noise: Standard deviation of a pixel's depth, mm.
        edge_loss: Chance that a pixel next to an edge is lost.
        holes: Mean number of holes in a frame, each 1 to 3 px across.
        background: Value of a pixel that looks past the hand; lost ones are 0.

    Raises:
        ArgumentError: One is negative or too large.
    """

    noise: float = 1.5
    edge_loss: float = 0.3
    holes: float = 3.0
    background: int = 0

    def __post_init__(self) -> None:
        check_number("noise", self.noise, low=0)
        check_number("edge_loss", self.edge_loss, low=0, high=1)
        check_number("holes", self.holes, low=0)
        check_number("background", self.background, low=0, high=FARTHEST)

    def measure(self, depth: Tensor, draws: torch.Generator) -> NDArray[np.uint16]:
        """A frame as it would be stored: `[h, w]` float32 mm, 0 where there is nothing, to `[h, w]` uint16.

        Args:
            depth: From `render_depth`.
            draws: CPU generator of this frame alone.
        """
        hit = depth > 0
        frame = torch.where(hit, 0, self.background).int()
        rows, columns = hit.any(dim=1).nonzero().flatten(), hit.any(dim=0).nonzero().flatten()
        if len(rows):
            box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
            seen = self._lose(depth[box], draws)
            noisy = depth[box] + self.noise * torch.randn(seen.shape, generator=draws)
            frame[box] = torch.where(seen, noisy.round().clamp(1, FARTHEST), frame[box].masked_fill(hit[box], 0)).int()
        return frame.numpy().astype(np.uint16)

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
