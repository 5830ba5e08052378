"""Other ways to read labels and cameras, and which of them fits where labels as they are do not."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.checks.surface import AS_GIVEN, Looked, Reading, distances, fits

GOOD = 0.5
"""Fit from which on labels are right; see `surface`."""

BAD = 0.15
"""Fit below which labels are wrong, whatever the cause."""

POOR = 0.45
"""Fit below which labels that are all off by the same, or are those of other frames, are looked for."""

FITTING = 0.5
"""Fit that another reading must have."""

GAIN, GAIN_OF_FEW = 0.15, 0.4
"""By how much another reading must fit better; where there are less than `FEW` frames."""

FEW = 3
"""Frames; of less, nothing is said unless it is very clear."""

WINS = 0.7
"""Share of frames that another reading must fit better."""

SPANS = (40.0, 330.0)
"""mm between the joints of a hand that are farthest apart."""

MOST = 24
"""Frames on which readings are tried."""

NEARER = 0.04
"""A reading with a simpler explanation may fit that much less."""

UNITS = {1000.0: "meters", 10.0: "centimeters", 0.1: "tenths of a millimeter", 0.001: "micrometers", 25.4: "inches"}
SCALES = (1000.0, 0.001, 10.0, 0.1, 4.0, 0.25, 8.0, 0.125, 5.0, 0.2, 2.0, 0.5)
LENSES = (2.0, 0.5, 1.5, 2 / 3, 3.0, 1 / 3, 4.0, 0.25)
SIGNS = ((1, 1, 1), (1, -1, 1), (-1, 1, 1), (-1, -1, 1))
ORDERS = ((0, 1, 2), (1, 0, 2), (1, 2, 0), (2, 1, 0), (0, 2, 1), (2, 0, 1))


class Found(NamedTuple):
    """Another reading that fits.

    Args:
        reading: It.
        fit: Its fit, 0 to 1.
        given: That of the labels as they are.
    """

    reading: Reading
    fit: float
    given: float


def better_reading(frames: Sequence[Looked], given: NDArray[np.float64], own_camera: bool = True) -> Found | None:
    """Another reading that fits clearly better than labels as they are, if there is one.

    Args:
        frames: Some that were looked at.
        given: Their fits, `[f]`.
        own_camera: Whether the user described the camera; that of a release is known.
    """
    chosen = np.flatnonzero(np.isfinite(given))
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(len(chosen), MOST)).astype(np.int64)] if len(chosen) else chosen
    tried = [frames[i] for i in chosen.tolist()]
    if not tried:
        return None
    before = given[chosen]
    mean = float(before.mean())
    gain = GAIN if len(tried) >= FEW else GAIN_OF_FEW
    best: Found | None = None
    for reading in _readings(mean >= GOOD, tried[0].camera if own_camera else None):
        if not _plausible(tried, reading):
            continue
        after = fits(tried, reading)
        fit = float(np.nanmean(after))
        if fit < max(FITTING, mean + gain) or (after > before).mean() < WINS:
            continue
        if best is None or fit > best.fit + NEARER:
            best = Found(reading, fit, mean)
    return best if best is not None or mean >= POOR or len(tried) < FEW else _shifted(tried, before)


def _readings(small: bool, camera: Camera | None) -> Iterator[Reading]:
    """Readings, the simplest first; if labels fit as they are, only those that can be mistaken for them."""
    axes = [Reading("axes", order, signs) for order in (ORDERS[:2] if small else ORDERS) for signs in SIGNS]
    yield from axes[1:]
    if not small:
        yield Reading("mirror", mirrored=True)
    if camera is not None:
        yield from _lenses(camera)
    if small:
        return
    for unit in UNITS:
        yield Reading("unit", unit=unit)
    for pixels in ("px", "share"):
        for unit in (1.0, 1000.0, 10.0, 0.1):
            for order in ORDERS[:2]:
                for signs in SIGNS:
                    yield Reading("pixels", order, signs, unit=unit, pixels=pixels)
    if camera is not None:
        for scale in SCALES:
            yield Reading("depth scale", depth=scale)
    for unit in UNITS:
        for reading in axes[1:]:
            yield Reading("unit", reading.order, reading.signs, unit=unit)


def _lenses(camera: Camera) -> Iterator[Reading]:
    yield Reading("intrinsics", swapped=True)
    if camera.cx > 0 and camera.cy > 0:
        yield Reading("intrinsics", lens=(camera.width / 2 / camera.cx, camera.height / 2 / camera.cy))
    for factor in LENSES:
        yield Reading("intrinsics", lens=(factor, factor))
        yield Reading("intrinsics", focal=factor)


def _plausible(frames: Sequence[Looked], reading: Reading) -> bool:
    """Whether poses have the size of hands in a reading."""
    spans = [span_of(reading.points(frame.joints, frame.camera)) for frame in frames]
    low = SPANS[0] if len(frames[0].joints) >= 8 else 0.0
    return bool(low <= np.nanmedian(spans) <= SPANS[1])


def span_of(joints: NDArray[np.float64]) -> float:
    """Distance between the two joints of a pose that are farthest apart, mm, about."""
    known = joints[np.isfinite(joints).all(axis=1)]
    if len(known) < 2:
        return float("nan")
    return float(np.linalg.norm(known[:, None] - known, axis=2).max())


def _shifted(frames: Sequence[Looked], given: NDArray[np.float64]) -> Found | None:
    """Labels that are all off by the same."""
    tried = frames[:12]
    grid = np.arange(-100.0, 101.0, 12.5)
    best: Found | None = None
    mean = float(given.mean())
    for x in grid:
        for y in grid:
            off = np.concatenate([distances(frame, Reading(shift=(x, y, 0))) for frame in tried])
            near = off[np.abs(off) < 150]
            if len(near) < 0.3 * len(off):
                continue
            depth = float(np.round(10 - np.median(near)))
            reading = Reading("offset", shift=(x, y, depth))
            fit = float(np.nanmean(fits(tried, reading)))
            if fit >= max(GOOD + 0.1, mean + GAIN + 0.1) and (best is None or fit > best.fit):
                best = Found(reading, fit, mean)
    return best


def floating(looked: Looked) -> bool:
    """Whether a label hangs in the air: nearly no joint lies on or behind what the camera saw."""
    off = distances(looked, AS_GIVEN)
    off = off[~np.isnan(off)]
    if not len(off) or not bool((looked.image.depth > 0).any()):
        return False
    return bool(((off < -25) | np.isinf(off)).mean() >= 0.9)
