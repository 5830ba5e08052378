"""What a reading that fits better means, in words."""

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.checks.readings import UNITS
from seqgcn.datasets.hands.checks.surface import Reading

AXES = "labels need x to the right, y down and z away from the camera, in mm"


def cause_of(reading: Reading, camera: Camera) -> tuple[str, str]:
    """The likely cause, and the cure.

    Args:
        reading: Fits where labels as they are do not.
        camera: Of a frame.
    """
    if reading.key == "depth scale":
        return _depth_scale(reading.depth)
    if reading.key == "intrinsics":
        return _intrinsics(reading, camera)
    if reading.key == "pixels":
        told = {"px": "u v d (px, px, depth)", "share": "u v d as shares of the picture's width and height"}
        ends = _ends(reading, "columns counted from the right", "rows counted from the bottom")
        unit = "" if reading.unit == 1 else f", d in {UNITS.get(reading.unit, 'another unit')}"
        first = "v before u" if reading.order[0] == 1 else ""
        more = ", ".join(part for part in (ends, first) if part)
        return (
            f"the numbers are {told[reading.pixels]}{unit}{', ' + more if more else ''}, not x y z in mm",
            "Convert them: x = (u - cx) d / fx, y = (v - cy) d / fy, z = d; seqgcn.datasets.hands.Camera.to_world does",
        )
    if reading.key == "offset":
        x, y, z = (round(-each) for each in reading.shift)
        return (
            f"all labels are off by about ({x}, {y}, {z}) mm, as those of another camera beside it are",
            "Convert them from the color camera's frame of reference to the depth camera's",
        )
    if reading.key == "mirror":
        return (
            "left and right are exchanged within each pose, as of crops that were mirrored",
            "Mirror each pose back, about its own middle",
        )
    parts, cures = [], []
    if reading.unit != 1:
        unit = UNITS.get(reading.unit, "another unit")
        parts.append(f"the numbers are {unit}, not millimeters")
        cures.append(f"multiply them by {reading.unit:,g}")
    if reading.order != (0, 1, 2):
        held = {reading.order.index(column): column for column in range(3)}
        parts.append(f"the columns x, y, z hold {', '.join('xyz'[held[column]] for column in range(3))}")
        cures.append("name the columns by what they hold")
    flips = _ends(reading, "x points to the left (left for right)", "y points up (upside down)")
    if flips:
        parts.append(flips)
        cures.append("change the sign of " + " and ".join("xyz"[axis] for axis in range(3) if reading.signs[axis] < 0))
    cure = ", ".join(cures)
    return " and ".join(parts), f"{cure[:1].upper()}{cure[1:]}: {AXES}"


def _ends(reading: Reading, first: str, second: str) -> str:
    return " and ".join(text for sign, text in zip(reading.signs, (first, second), strict=False) if sign < 0)


def _depth_scale(factor: float) -> tuple[str, str]:
    realsense = "; RealSense reports it in meters a unit: 0.001 there is 1 here" if factor in (1000.0, 0.001) else ""
    return (
        f"depth_scale is {1 / factor:g} times what it should be{realsense}",
        f"In camera.yaml, multiply depth_scale (millimeters a unit of the files) by {factor:g}",
    )


def _intrinsics(reading: Reading, camera: Camera) -> tuple[str, str]:
    right = reading.camera(camera)
    values = f"fx: {right.fx:.6g}, fy: {right.fy:.6g}, cx: {right.cx:.6g}, cy: {right.cy:.6g}"
    if reading.swapped:
        what = "the intrinsics of width and height are swapped, or frames were turned by a quarter"
    elif reading.focal != 1:
        what = f"fx and fy are those of another resolution, {1 / reading.focal:.3g} times this one's"
    else:
        a, b = reading.lens
        what = f"fx, fy, cx and cy are those of {camera.width / a:.0f} x {camera.height / b:.0f} px"
    size = f"{camera.width} x {camera.height} px"
    return (
        f"{what}, the frames have {size}",
        f"Take the intrinsics of the depth stream at {size}, which would be about {values}",
    )


def place(joint: NDArray[np.float64]) -> str:
    """A joint's three numbers."""
    return f"({', '.join(f'{value:.4g}' for value in joint)})"
