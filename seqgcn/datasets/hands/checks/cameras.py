"""Cameras that cannot be those of their pictures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.checks.findings import Finding
from seqgcn.datasets.hands.checks.surface import Looked, Reading
from seqgcn.datasets.hands.checks.words import cause_of

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset

APART = 1.34
"""Factor by which both coordinates of the principal point must differ from the picture's middle."""

ALIKE = 1.55
"""By what factor these two factors may differ from each other: 640 x 480 and 1280 x 720 do by 1.33."""

CLOSE = 0.06
"""Share by which the principal point of a turned picture may differ from its middle."""

SCALES = (1000.0, 0.1, 0.001, 0.25, 0.125, 10.0, 100.0, 0.01)
"""Factors of depth_scale that are tried where no depth is where hands are."""

MEASURED = 1e-4
"""Share of the pixels that must lie where hands may be."""


def check_lens(hands: "HandDataset") -> list[Finding]:
    """Whether principal points are those of pictures of this size."""
    if hands.camera_path is None:
        return []
    for camera in hands.cameras:
        reading = _of_another_size(camera)
        if reading is None:
            continue
        row = next(i for i in range(len(hands)) if hands.camera_of(i) == camera)
        cause, cure = cause_of(reading, camera)
        return [
            Finding(
                kind="intrinsics",
                whole=True,
                file=hands.camera_path,
                frame=hands.files[row],
                found=f"cx and cy are {camera.cx:g} and {camera.cy:g} px in pictures of {camera.width} x "
                f"{camera.height} px",
                expected=f"about the middle, {camera.width / 2:g} and {camera.height / 2:g}",
                cause=cause,
                cure=cure,
                rows=(row,),
            )
        ]
    return []


def _of_another_size(camera: Camera) -> Reading | None:
    across, down = camera.width / 2, camera.height / 2
    if camera.cx <= 0 or camera.cy <= 0:
        return None
    if across / down > 1.2 or down / across > 1.2:
        turned = abs(camera.cx - down) < CLOSE * down and abs(camera.cy - across) < CLOSE * across
        if turned:
            return Reading("intrinsics", swapped=True)
    a, b = across / camera.cx, down / camera.cy
    apart = min(a, b) > APART or max(a, b) < 1 / APART
    return Reading("intrinsics", lens=(a, b)) if apart and max(a / b, b / a) < ALIKE else None


def check_depths(hands: "HandDataset", frames: Sequence[Looked]) -> list[Finding]:
    """Whether anything was measured where hands may be.

    Args:
        hands: The data set.
        frames: Some of its frames, labeled or not.
    """
    near, far = hands.options.near, hands.options.far
    middles = []
    for frame in frames:
        depth = frame.image.depth.numpy()
        measured = depth[depth > 0]
        if not len(measured):
            continue
        if ((measured >= near) & (measured <= far)).sum() > MEASURED * depth.size:
            return []
        middles.append((float(np.quantile(measured, 0.02)), frame.row))
    if len(middles) < min(len(frames), 3) or not middles:
        return []
    nearest, row = sorted(middles)[len(middles) // 2]
    fitting = [scale for scale in SCALES if max(near, 150) <= nearest * scale <= min(far, 1200)]
    if fitting:
        cause, cure = cause_of(Reading("depth scale", depth=fitting[0]), hands.camera_of(row))
        if 0.001 not in fitting and 1000.0 not in fitting:
            cause += " (RealSense's 0.001 is meters a unit, which is 1 here)"
    else:
        cause, cure = "near and far are not where the hands are", "Set dataset.near and dataset.far (mm)"
    return [
        Finding(
            kind="depth scale",
            whole=True,
            file=hands.camera_path or hands.root,
            frame=hands.files[row],
            found=f"nothing was measured between near and far, {near:g} and {far:g} mm; the nearest depths are about "
            f"{nearest:.4g} mm",
            expected="a hand there",
            cause=cause,
            cure=cure,
            rows=tuple(row for _, row in middles),
        )
    ]
