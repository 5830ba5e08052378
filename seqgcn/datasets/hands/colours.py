"""Colors of depth, the same in all small pictures of hands."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

NO_HAND = 225
"""Gray of what is no hand."""

OUTSIDE = (120, 190)
"""Gray levels of what was measured where no hand can be, from far to near."""

LEAST = 40.0
"""mm of depth that the colors of a whole frame span at least."""


def depth_colours(
    depth: NDArray[np.floating[Any]],
    hand: NDArray[np.bool_],
    *,
    least: float,
    light: NDArray[np.floating[Any]] | None = None,
) -> NDArray[np.uint8]:
    """Colors `[h, w, 3]`: near is bright, far is dark, in a color map of even steps to the eye.

    The nearest and the farthest hundredth of the hand have the colors of the ends, so that a stray pixel does not
    take the contrast from the others.

    Args:
        depth: In any unit, `[h, w]`; anything where there is no hand.
        hand: Where there is one, `[h, w]`.
        least: The least range of depth that the colors span: what is flatter has fewer of them.
        light: Brightness to multiply them with, `[h, w]`.
    """
    low, high = np.percentile(depth[hand], (1, 99)) if hand.any() else (0.0, 1.0)
    nearness = np.where(hand, np.clip((high - depth) / max(high - low, least), 0, 1), 0.0)
    colours: NDArray[np.float64] = np.asarray(colormaps["cividis"](0.15 + 0.85 * nearness))[..., :3]
    if light is not None:
        colours = np.clip(colours * light[..., None], 0, 1)
    pixels = np.rint(255 * colours).astype(np.uint8)
    pixels[~hand] = NO_HAND
    return pixels


def frame_colours(
    depth: NDArray[np.floating[Any]],
    inside: NDArray[np.bool_],
    *,
    light: NDArray[np.floating[Any]] | None = None,
) -> NDArray[np.uint8]:
    """The same of a whole frame, `[h, w, 3]`: what was measured where no hand can be is gray.

    Args:
        depth: `[h, w]` mm; 0 where nothing was measured.
        inside: What was measured where a hand may be, `[h, w]`.
        light: Brightness to multiply colors with, `[h, w]`.
    """
    pixels = depth_colours(depth, inside, least=LEAST, light=light)
    outside = (depth > 0) & ~inside
    if outside.any():
        low, high = np.percentile(depth[outside], (1, 99))
        nearness = np.clip((high - depth[outside]) / max(high - low, 1e-6), 0, 1)
        pixels[outside] = np.rint(OUTSIDE[0] + (OUTSIDE[1] - OUTSIDE[0]) * nearness).astype(np.uint8)[:, None]
    return pixels
