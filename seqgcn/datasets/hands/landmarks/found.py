"""The joints of mediapipe's landmark model in n frames."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from seqgcn.datasets.hands.skeleton import FINGERS
from seqgcn.training import Progress

LANDMARKS = ("wrist", *(f"{finger} {part}" for finger in FINGERS for part in ("mcp", "pip", "dip", "tip")))
"""Names of the 21 landmarks in mediapipe's order; it calls the thumb's cmc, mcp, ip and tip."""


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The 21 landmarks of a hand in each of n frames.

    Args:
        points: x, y, z in mm, `[n, 21, 3]` float32, in the order of `LANDMARKS`; NaN in frames without a hand. Their
            u, v in the image are `Camera.to_image(points)`.
        measured: Whether a landmark's depth is that of the surface there, plus what lies between skin and joint;
            else it is what the model says of its depth relative to the palm, `[n, 21]` bool.
        score: How well each hand fits what was measured, 0 to 1, `[n]` float32; 0 without a hand.
        left: Whether the model takes it for a left hand, `[n]` bool; False without a hand.
    """

    points: Tensor
    measured: Tensor
    score: Tensor
    left: Tensor

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, ids: Tensor) -> "Landmarks":
        return Landmarks(self.points[ids], self.measured[ids], self.score[ids], self.left[ids])

    @classmethod
    def none(cls, n: int) -> "Landmarks":
        """No hand in any of n frames."""
        dark = torch.zeros(n, len(LANDMARKS), dtype=torch.bool)
        points = torch.full((n, len(LANDMARKS), 3), torch.nan)
        return cls(points, dark, torch.zeros(n), torch.zeros(n, dtype=torch.bool))

    @property
    def found(self) -> Tensor:
        """In which frames there is a hand, `[n]` bool."""
        return self.points[:, 0, 0].isfinite()

    def joints(self, weights: Tensor) -> Tensor:
        """The joints of a skeleton, `[n, J, 3]` mm: weighted means of landmarks.

        Args:
            weights: Of each landmark in each joint, `[J, 21]`; NaN in the rows of joints without landmarks, which are
                NaN then.
        """
        return torch.einsum("jl,nlc->njc", weights, self.points)


@dataclass(frozen=True)
class LandmarkSource:
    """Where crops get the landmarks of the frames that they are of.

    Args:
        find: Gives those of frames by their numbers in the cache of crops, `[m]` int64.
        weights: As for `Landmarks.joints`.
    """

    find: Callable[[Tensor, Progress | None], Landmarks]
    weights: Tensor
