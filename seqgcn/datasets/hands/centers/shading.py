"""Depth as a picture that models made for color cameras take for one."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import check_number

SKIN = (230, 180, 150)

FADING = 0.9
"""How much darker than the nearest surface the farthest is."""

AMBIENT = 0.1
"""Share of the light that does not depend on the slope. With much more of it the detector misses hands."""

STEP = 30.0
"""mm between neighboring pixels from which on they belong to different surfaces."""

SLOPE_NOISE = 0.05
"""Slope that a sensor's noise may look like once it is blurred away."""

MOST_BLUR = 4.0
"""px; more would blur fingers away."""


def shade(depth: NDArray[np.float32], farthest: float = 1500.0, *, focal: float | None = None) -> NDArray[np.uint8]:
    """A depth image as a picture like a color camera's in a dark room: near and facing surfaces are bright.

    Args:
        depth: `[h, w]` mm; 0 or NaN where nothing was measured.
        farthest: What lies beyond is black, mm.
        focal: Focal length, px; three quarters of the longer side where not given. Slopes are relative to it.

    Returns:
        RGB `[h, w, 3]`, black where nothing was measured.

    Raises:
        ArgumentError: No such array, or a number is not positive.
    """
    if not isinstance(depth, np.ndarray) or depth.ndim != 2 or not np.issubdtype(depth.dtype, np.floating):
        kind = f"{depth.dtype} {list(depth.shape)}" if isinstance(depth, np.ndarray) else type(depth).__name__
        raise ArgumentError(f"depth must be a floating-point array [h, w] in mm, got {kind}")
    farthest = check_number("farthest", farthest, low=0, open_low=True)
    if focal is None:
        focal = 0.75 * max(depth.shape)
    focal = check_number("focal", focal, low=0, open_low=True)
    seen = (depth > 0) & (depth <= farthest)
    if not seen.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    z = _smooth(depth, seen, focal)
    nearest = float(np.percentile(z[seen], 1))
    behind = np.clip((z - nearest) / max(farthest - nearest, 1.0), 0, 1)
    slope = np.hypot(_slope(z, seen), _slope(z.T, seen.T).T) * focal / z
    # The square of the cosine between surface and view.
    light = (1 - FADING * behind) * (AMBIENT + (1 - AMBIENT) / (1 + slope**2)) * seen
    picture: NDArray[np.uint8] = np.rint(light[..., None] * np.array(SKIN)).astype(np.uint8)
    return picture


def _smooth(depth: NDArray[np.float32], seen: NDArray[np.bool_], focal: float) -> NDArray[np.float32]:
    """Blurred over what was measured alone, the more the noisier it is; 1 elsewhere.

    After a blur of s px, white noise of n mm leaves slopes of 0.2 n / s² mm a pixel, or 0.2 n / s² f / z.
    """
    z = np.where(seen, depth, 0).astype(np.float32)
    noise = _noise(z, seen)
    sigma = float(np.clip(np.sqrt(0.2 * noise * focal / np.median(z[seen]) / SLOPE_NOISE), 1, MOST_BLUR))
    weight = gaussian_filter(seen.astype(np.float32), sigma)
    return np.where(seen, gaussian_filter(z, sigma) / np.where(seen, weight, 1), 1).astype(np.float32)


def _noise(z: NDArray[np.float32], seen: NDArray[np.bool_]) -> float:
    """Standard deviation of a pixel's depth, mm, from the second differences along rows within surfaces."""
    bends = z[:, 2:] - 2 * z[:, 1:-1] + z[:, :-2]
    same = seen[:, 2:] & seen[:, 1:-1] & seen[:, :-2] & (np.abs(bends) < STEP)
    # Steps of a coarse sensor are between few pixels, which a median would not see.
    return float(np.abs(bends[same]).mean() * np.sqrt(np.pi / 2 / 6)) if same.any() else 0.0


def _slope(z: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Slope along the rows, mm a pixel, from those neighbors that belong to the same surface."""
    steps = np.diff(z, axis=1)
    same = seen[:, 1:] & seen[:, :-1] & (np.abs(steps) < STEP)
    steps = steps * same
    total, n = np.zeros_like(z), np.zeros_like(z)
    for side in (np.s_[:, 1:], np.s_[:, :-1]):
        total[side] += steps
        n[side] += same
    return np.divide(total, np.maximum(n, 1), dtype=np.float32)
