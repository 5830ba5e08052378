"""Centers of hands with where they are from and how sure they are."""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SOURCES = ("file", "localizer", "rule", "mass", "oracle", "detector")

DOUBTFUL = 0.35
"""Centers less sure than this are called doubtful."""

MOST = 0.5
"""Share of centers by a localizer from which on its error is that of all."""

RIGHT = 40.0
"""mm within which a center is called right: a cube of 250 mm still holds the hand."""

JUMP = 250.0
"""mm from both neighbors in a sequence that no hand moves there and back."""

NEAR = 100.0
"""mm between these neighbors, at most."""


@dataclass(frozen=True, eq=False)
class Centers:
    """The centers of n frames.

    Args:
        points: `[n, 3]` float32, x, y, z in mm; NaN where none was found.
        source: Number in `SOURCES` of where each is from, `[n]` uint8.
        confidence: How sure each is, `[n]` float32, 0 to 1; 1 of those that were given.
        error: Of the localizer on labeled frames that it was not trained on, `[m]` mm; empty without one.
        others: Where another hand may be, which raised doubt, `[n, 3]` mm; NaN where none was seen. Empty if none was
            looked for.
        residual: What the localizer is off by along x, y and z on these labeled frames, root mean square, `[3]` mm;
            empty without one.
    """

    points: Tensor
    source: NDArray[np.uint8]
    confidence: Tensor
    error: Tensor
    others: Tensor = field(default_factory=lambda: torch.empty(0, 3))
    residual: Tensor = field(default_factory=lambda: torch.empty(0))

    @classmethod
    def given(cls, points: Tensor, source: str) -> "Centers":
        """Centers that are certain, or that nothing is known about."""
        n = len(points)
        numbers = np.full(n, SOURCES.index(source), np.uint8)
        return cls(points.float(), numbers, torch.ones(n), torch.empty(0))

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, ids: Tensor) -> "Centers":
        others = self.others[ids] if len(self.others) else self.others
        return replace(
            self,
            points=self.points[ids],
            source=self.source[ids.numpy()],
            confidence=self.confidence[ids],
            others=others,
        )

    @property
    def names(self) -> list[str]:
        """Where each is from, in a word."""
        return [SOURCES[number] for number in self.source.tolist()]

    @property
    def doubtful(self) -> Tensor:
        """Which are doubtful, `[n]` bool: found with little confidence, or not at all."""
        return ~(self.confidence >= DOUBTFUL)

    @property
    def offset(self) -> float | None:
        """What the centers are off by along an axis, root mean square, mm, if most are by a localizer."""
        by_localizer = float((self.source == SOURCES.index("localizer")).mean()) if len(self) else 0.0
        if by_localizer < MOST or not len(self.residual) or not bool(self.residual.isfinite().all()):
            return None
        return float(self.residual.square().mean().sqrt())

    def summary(self) -> str:
        """Crops by source and how many are doubtful, and how far the localizer is off."""
        counts = Counter(self.names)
        parts = ", ".join(f"{counts[name]:,} by {name}" for name in SOURCES if counts[name])
        text = f"crops: {parts}; {int(self.doubtful.sum()):,} of {len(self):,} doubtful"
        if len(self.error):
            text += (
                f"; on the {len(self.error):,} labeled frames the localizer is {float(self.error.median()):.0f} mm off "
                f"in the median, and within {RIGHT:g} mm in {float((self.error <= RIGHT).float().mean()):.0%}"
            )
        return text


def jumps(points: Tensor, sequence: Tensor) -> Tensor:
    """Frames whose center is far from those of the frames beside it, which are near each other, `[n]` bool.

    Args:
        points: Centers in the order of the frames, `[n, 3]` mm.
        sequence: Number of the sequence of each frame, `[n]`.
    """
    jumped = torch.zeros(len(points), dtype=torch.bool)
    if len(points) < 3:
        return jumped
    before, here, after = points[:-2], points[1:-1], points[2:]
    same = (sequence[:-2] == sequence[1:-1]) & (sequence[1:-1] == sequence[2:])
    away = ((here - before).norm(dim=1) > JUMP) & ((here - after).norm(dim=1) > JUMP)
    jumped[1:-1] = same & away & ((after - before).norm(dim=1) < NEAR)
    return jumped
