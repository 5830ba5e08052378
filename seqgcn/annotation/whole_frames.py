"""Pictures of whole depth frames, in which annotators click the middle of the palm.

Nothing has to be known of a frame beforehand. What lies between two depths is drawn in colors and lit from the upper
left, so that limbs and fingers stand out; all else that was measured is gray.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.annotation.preview import (
    PredictedKeypoint,
    Preview,
    check_item,
    cut,
    digest_of,
    is_between,
    png,
    preview_name,
    shade,
    zoom_of,
)
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.colours import frame_colours
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.datasets.hands.text_rows import FARTHEST
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import check_number

PALM = Skeleton(("palm",), ())
"""What is clicked."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WholeFrame:
    """A frame in which the palm is to be clicked.

    Args:
        item: Its path below the data set's root; no other frame has the same.
        depth: Decodes it.
        near: Nearest depth at which a hand may be, mm.
        far: Farthest depth at which it may be, mm.
        center: Where the hand is thought to be, `[3]` mm; None, or not finite, where nothing was found.
        confidence: How sure that is, 0 to 1.
        score: The selector's.

    Raises:
        ArgumentError: The path, a depth, the confidence or the score cannot be used.
    """

    item: str
    depth: Callable[[], DepthImage]
    near: float
    far: float
    center: Tensor | None = None
    confidence: float = 0.0
    score: float = 0.0

    def __post_init__(self) -> None:
        check_item(self.item, self.score)
        check_number("near", self.near, low=0)
        check_number("far", self.far, low=self.near, open_low=True)
        check_number("confidence", self.confidence, low=0, high=1)
        if self.center is not None and self.center.shape != (3,):
            raise ArgumentError(f"center of {self.item} must be [3] mm, got {list(self.center.shape)}")

    def draw(self, camera: Camera, joints: int) -> tuple[Preview, bytes]:
        """The preview, which shows all pixels of the sensor, and its picture, a PNG.

        Raises:
            ArgumentError: Another number of joints than one.
            DataFileError: The frame cannot be read.
        """
        if joints != 1:
            raise ArgumentError(f"in whole frames one point is clicked, not {joints} joints")
        image = self.depth()
        predicted = self._predicted(camera)
        preview = Preview(
            item=self.item,
            name=preview_name(self.item),
            left=0,
            top=0,
            width=camera.width,
            height=camera.height,
            zoom=zoom_of(camera.width, camera.height),
            near=float(self.near),
            far=float(self.far),
            score=float(self.score),
            predicted=(predicted,),
            digest=digest_of(image),
            confidence=None if predicted is None else float(self.confidence),
        )
        depth = cut(image, 0, 0, camera.width, camera.height)
        return preview, png(frame_colors(depth, self.near, self.far, camera), preview.size)

    def _predicted(self, camera: Camera) -> PredictedKeypoint | None:
        if self.center is None or not bool(self.center.isfinite().all()) or not float(self.center[2]) > 0:
            return None
        u, v, d = camera.to_image(self.center.double()).tolist()
        return None if max(abs(u), abs(v), d) > FARTHEST else PredictedKeypoint(u, v, d, False)


def frame_colors(depth: NDArray[np.float64], near: float, far: float, camera: Camera) -> NDArray[np.uint8]:
    """Colors `[h, w, 3]` of a frame, lit where a hand may be, gray elsewhere, light gray where nothing was measured.

    Args:
        depth: `[h, w]` mm; 0 where nothing was measured.
        near: Nearest depth at which a hand may be, mm.
        far: Farthest depth at which it may be, mm.
        camera: Of the frame.
    """
    inside = is_between(depth, near, far)
    middle = float(np.median(depth[inside])) if inside.any() else 1.0
    light = shade(depth, inside, middle / camera.fx)
    return frame_colours(depth, inside, light=light)
