"""The hand's center by a detector made for color pictures, mediapipe's, which is shown shaded depth.

Its palm and landmark models come with mediapipe's wheel (the extra `mediapipe`) and need no label. They look at the
whole frame, and at pictures cut around given points, enlarged and turned, since the palm model finds small and
upside-down hands less well. The joints that come back are pixels; depth is taken from the measured surface, and what
is then not of a hand's size is dropped.
"""

import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.views import View, cut_around, whole_frame
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.exceptions import ArgumentError, MissingPackageError
from seqgcn.utils.validation import check_number

JOINTS = 21
"""Wrist, then thumb, index, middle, ring and pinky, each from its base to its tip."""

PALM = (0, 1, 5, 9, 13, 17)
"""The wrist and the fingers' bases."""

CENTRAL = (*PALM, 2, 6, 10, 14, 18)
"""The palm's joints and the fingers' middle ones; the mean of all lies at the fingers' roots where they are spread."""

WRIST, MIDDLE_MCP = 0, 9

PALM_LENGTH = (60.0, 130.0)
"""mm from the wrist to the base of the middle finger, from a child's hand to a large one."""

NEAREST = 10.0
"""mm; a point that is said to be nearer was given in meters."""

FINGER = 6.0
"""mm around a joint in which its surface is looked for: the half width of a finger."""

LEAST_MEASURED = 0.5
"""Share of the joints that must lie on a measured surface."""

Finder = Callable[[NDArray[np.uint8]], Sequence[tuple[NDArray[np.floating[Any]], float]]]
"""From an RGB picture `[h, w, 3]` to its hands: joints `[21, 2]` as shares of width and height, and a score 0 to 1."""


class Detection(NamedTuple):
    """A hand in a frame.

    Args:
        joints: u, v of the joints in the full image, px, `[21, 2]`: wrist, then thumb, index, middle, ring and pinky,
            each from its base to its tip.
        center: Mean of wrist, bases and middle joints of the fingers on the measured surface, x, y, z in mm.
        score: The detector's own, times the share of joints that lie on a measured surface; 0 to 1.
    """

    joints: NDArray[np.float64]
    center: tuple[float, float, float]
    score: float


def detector_available() -> bool:
    """Whether mediapipe is installed; does not import it."""
    return importlib.util.find_spec("mediapipe") is not None


class HandDetector:
    """Finds hands in depth frames by mediapipe's models for color pictures.

    Not for several threads at a time. Gives the same for the same frame. `close`, or a `with` block, frees the models.

    Args:
        confidence: From which score on mediapipe takes a palm for one, 0 to 1.
        find: Looks at a picture instead of mediapipe.

    Raises:
        ArgumentError: The confidence is not from 0 to 1.
        MissingPackageError: mediapipe is needed and not installed.
    """

    def __init__(self, *, confidence: float = 0.5, find: Finder | None = None) -> None:
        self.confidence = check_number("confidence", confidence, low=0, high=1)
        if find is None and not detector_available():
            raise missing_mediapipe()
        self._find = find
        self._models: _Models | None = None

    def detect(
        self,
        image: DepthImage,
        camera: Camera,
        around: Sequence[tuple[float, float, float]] = (),
        cube: float = 250.0,
    ) -> list[Detection]:
        """The hands of a frame, the surest first, no two of them within half a cube.

        Args:
            image: The frame.
            camera: Its camera.
            around: Points where a hand may be, x, y, z in mm; 450 mm around each are looked at more closely, in four
                rotations.
            cube: Side of the cube that a hand fits in, mm.

        Raises:
            ArgumentError: A point is not three finite numbers or not in front of the camera, the cube is not positive.
            MissingPackageError: mediapipe cannot be imported or is another version.
        """
        cube = check_number("cube", cube, low=0, open_low=True)
        points = [_check_point(number, point) for number, point in enumerate(around)]
        views = [whole_frame(image, camera), *(cut_around(image, camera, point) for point in points)]
        found = []
        for view in views:
            for joints, score in self._look(view):
                detection = _measure(joints, score, image, camera, cube)
                if detection is not None:
                    found.append(detection)
        return _distinct(found, cube)

    def _look(self, view: View) -> Iterator[tuple[NDArray[np.float64], float]]:
        """Joints in px of the full image and the finder's score, for each hand in each rotation of a picture."""
        if not view.picture.any():
            return
        for turns in range(view.rotations):
            for shares, score in self._finder()(np.ascontiguousarray(np.rot90(view.picture, turns))):
                yield view.to_image(np.asarray(shares, np.float64), turns), float(score)

    def _finder(self) -> Finder:
        if self._find is not None:
            return self._find
        if self._models is None:
            self._models = _Models(self.confidence)
        return self._models

    def close(self) -> None:
        """Free the models; they are loaded again when needed."""
        if self._models is not None:
            self._models.close()
            self._models = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_point(number: int, point: Sequence[float]) -> tuple[float, float, float]:
    values = np.asarray(point, np.float64)
    if values.shape != (3,) or not np.isfinite(values).all():
        raise ArgumentError(f"around[{number}] must be x, y, z in mm, three finite numbers, got {point!r}")
    x, y, z = values.tolist()
    if z < NEAREST:
        raise ArgumentError(
            f"around[{number}] must lie in front of the camera, at least {NEAREST:g} mm away, got z = {z:g}; "
            "points are in mm, with z away from the camera"
        )
    return x, y, z


def _measure(
    joints: NDArray[np.float64], score: float, image: DepthImage, camera: Camera, cube: float
) -> Detection | None:
    """The detection with depth from the surface; None where that is missing or not of a hand's size."""
    rough = [_median(_around(image, joints[joint], 2)) for joint in PALM]
    depths = [depth for depth in rough if depth is not None]
    if not depths:
        return None
    middle = float(np.median(depths))
    radius = max(round(FINGER * camera.fx / middle), 1)
    z, measured = np.full(JOINTS, middle), np.zeros(JOINTS, bool)
    for joint in range(JOINTS):
        values = _around(image, joints[joint], radius)
        # A joint beside its finger sees what lies behind the hand.
        value = _median(values[np.abs(values - middle) <= cube / 2])
        if value is not None:
            z[joint], measured[joint] = value, True
    share = float(measured.mean())
    points = np.stack(
        ((joints[:, 0] - camera.cx) * z / camera.fx, (joints[:, 1] - camera.cy) * z / camera.fy, z), axis=1
    )
    length = float(np.linalg.norm(points[MIDDLE_MCP] - points[WRIST]))
    if share < LEAST_MEASURED or not PALM_LENGTH[0] <= length <= PALM_LENGTH[1]:
        return None
    x, y, depth = points[list(CENTRAL)].mean(axis=0).tolist()
    return Detection(joints, (x, y, depth), min(max(score, 0.0), 1.0) * share)


def _around(image: DepthImage, uv: NDArray[np.float64], radius: int) -> NDArray[np.float32]:
    """Depths measured in a square window around a pixel of the full image."""
    depth = image.depth.numpy()
    column, row = round(float(uv[0])) - image.left, round(float(uv[1])) - image.top
    rows, columns = (slice(max(at - radius, 0), max(at + radius + 1, 0)) for at in (row, column))
    values = depth[rows, columns]
    measured: NDArray[np.float32] = values[(values > 0) & np.isfinite(values)]
    return measured


def _median(values: NDArray[np.float32]) -> float | None:
    return float(np.median(values)) if len(values) else None


def _distinct(found: list[Detection], cube: float) -> list[Detection]:
    """The surest of those that are the same hand, seen in several pictures."""
    kept: list[Detection] = []
    for detection in sorted(found, key=lambda one: -one.score):
        if all(np.linalg.norm(np.subtract(detection.center, other.center)) > cube / 2 for other in kept):
            kept.append(detection)
    return kept


class _Models:
    """mediapipe's palm and landmark models, as a `Finder`."""

    def __init__(self, confidence: float) -> None:
        with silence():
            try:
                from mediapipe.python.solutions.hands import Hands
            except ImportError as error:
                raise missing_mediapipe() from error
            self._hands = Hands(static_image_mode=True, max_num_hands=2, min_detection_confidence=confidence)
            # The models say what they run on when they see their first picture.
            self._hands.process(np.zeros((64, 64, 3), np.uint8))

    def __call__(self, picture: NDArray[np.uint8]) -> list[tuple[NDArray[np.floating[Any]], float]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # protobuf's, about mediapipe's use of it
            result = self._hands.process(picture)
        hands = zip(result.multi_hand_landmarks or (), result.multi_handedness or (), strict=True)
        return [
            (np.array([(point.x, point.y) for point in hand.landmark]), float(side.classification[0].score))
            for hand, side in hands
        ]

    def close(self) -> None:
        self._hands.close()


def missing_mediapipe() -> MissingPackageError:
    """What to raise where mediapipe is needed and not installed."""
    if sys.version_info >= (3, 13):
        return MissingPackageError(
            "finding hands by the detector needs mediapipe 0.10.14, which there is for Python 3.11 and 3.12 only"
        )
    return MissingPackageError('finding hands by the detector needs mediapipe 0.10.14: pip install "seqgcn[mediapipe]"')


@contextmanager
def silence() -> Iterator[None]:
    """Write nothing to the standard error stream: neither Python's warnings nor what libraries in C++ write there."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
