"""mediapipe's landmark model alone, without the palm model that usually tells it where to look."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.hands.centers.detector import missing_mediapipe, silence

GRAPH = """
input_stream: "image"
input_stream: "roi"
input_side_packet: "model_complexity"
output_stream: "landmarks"
output_stream: "handedness"
node {
  calculator: "HandLandmarkCpu"
  input_side_packet: "MODEL_COMPLEXITY:model_complexity"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  output_stream: "LANDMARKS:landmarks"
  output_stream: "HANDEDNESS:handedness"
}
"""

FULL = 1
"""The larger of its two models."""

ROI_POINTS = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
"""Landmarks that decide where mediapipe looks next in a video."""

ROI_SCALE, ROI_SHIFT = 2.0, 0.1
"""By how much its region is larger than these, and shifted towards the fingers, by its height."""


class Region(NamedTuple):
    """A square part of a square picture.

    Args:
        x: Of its middle, share of the picture's width.
        y: Of its middle, share of the picture's height.
        side: Share of the picture's width.
        rotation: By which it is turned clockwise, radians; 0 shows fingers that point up.
    """

    x: float
    y: float
    side: float
    rotation: float


class Seen(NamedTuple):
    """What the model says of a region.

    Args:
        landmarks: x and y as shares of the picture's width and height, and depth relative to the wrist as a share of
            its width, `[21, 3]`.
        left: Whether it takes the hand for a left one.
    """

    landmarks: NDArray[np.float64]
    left: bool


Looker = Callable[[NDArray[np.uint8], Region], Seen | None]
"""Looks at a region of an RGB picture `[h, w, 3]`; None if it shows no hand."""


def next_region(landmarks: NDArray[np.float64]) -> Region:
    """The region around landmarks that the model wants to see, as mediapipe has it between frames of a video.

    Args:
        landmarks: Shares of a square picture, `[21, 2]` or more columns.
    """
    wrist = landmarks[0, :2]
    fingers = ((landmarks[6, :2] + landmarks[14, :2]) / 2 + landmarks[10, :2]) / 2
    ahead = fingers - wrist
    rotation = math.remainder(math.pi / 2 - math.atan2(-ahead[1], ahead[0]), math.tau)
    cosine, sine = math.cos(rotation), math.sin(rotation)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    points = landmarks[list(ROI_POINTS), :2] @ turn.T
    low, high = points.min(axis=0), points.max(axis=0)
    size = high - low
    x, y = ((low + high) / 2 - (0, ROI_SHIFT * size[1])) @ turn
    return Region(float(x), float(y), ROI_SCALE * float(size.max()), rotation)


class LandmarkModel:
    """The model, as a `Looker`. Not for several threads at a time.

    Raises:
        MissingPackageError: mediapipe cannot be imported or is another version.
    """

    def __init__(self) -> None:
        with silence():
            try:
                from google.protobuf import text_format
                from mediapipe.framework import calculator_pb2
                from mediapipe.framework.formats.rect_pb2 import NormalizedRect
                from mediapipe.python.solution_base import SolutionBase
                from mediapipe.python.solutions import hands  # noqa: F401  # registers what the graph is made of
            except ImportError as error:
                raise missing_mediapipe() from error
            graph = text_format.Parse(GRAPH, calculator_pb2.CalculatorGraphConfig())
            self._graph = SolutionBase(graph_config=graph, side_inputs={"model_complexity": FULL})
            self._rect: Any = NormalizedRect
            # The model says what it runs on when it sees its first picture.
            self(np.zeros((64, 64, 3), np.uint8), Region(0.5, 0.5, 1.0, 0.0))

    def __call__(self, picture: NDArray[np.uint8], region: Region) -> Seen | None:
        """What is seen in a region."""
        x, y, side, rotation = region
        rect = self._rect(x_center=x, y_center=y, width=side, height=side, rotation=rotation)
        result = self._graph.process({"image": picture, "roi": rect})
        if not result.landmarks:
            return None
        landmarks = np.array([(point.x, point.y, point.z) for point in result.landmarks.landmark])
        # mediapipe means pictures that are mirrored as selfies are, and these are not.
        return Seen(landmarks, result.handedness.classification[0].label == "Right")

    def close(self) -> None:
        """Free the model."""
        self._graph.close()
