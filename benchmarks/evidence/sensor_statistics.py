"""Measure how a depth sensor errs, on folders of frames with a `camera.yaml`, real ones and rendered ones alike.

python benchmarks/evidence/sensor_statistics.py FOLDER...

What is printed of each folder, as the mean over its frames (the depth step: over all of them together):

- residual: mean absolute difference between a measured pixel and the median of the 5 x 5 pixels around it, mm, over
  pixels all of whose 7 x 7 neighbors are measured and within 12 mm of their own neighbors (no edge nearby).
- holes: share of unmeasured pixels inside surfaces: those that are no part of an unmeasured region of more than 25 px,
  divided by these and all measured pixels.
- step: smallest difference that at least 1 % of the pairs of unlike neighboring pixels on a surface have, mm.
- unmeasured: share of pixels that are 0.
- flying: share of flying pixels among measured ones beside an edge: those with a jump of more than 12 mm to both
  opposite measured neighbors, along a row or a column, upwards on both sides of the course of depth or downwards;
  0 where no measured pixel is beside an edge.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

EDGE = 12.0
"""A larger jump between neighboring pixels is an edge, mm."""

LARGEST_HOLE = 25
"""px; a larger unmeasured region is background, a shadow or out of reach."""

MOST_FRAMES = 200

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Statistics(NamedTuple):
    """What is measured of some frames; NaN where there was nothing to measure it on.

    Args:
        residual: To the 5 x 5 median away from edges, mm.
        holes: Share of unmeasured pixels inside surfaces.
        step: Of depth, mm.
        unmeasured: Share of pixels that are 0.
        flying: Share of flying pixels at edges.
    """

    residual: float
    holes: float
    step: float
    unmeasured: float
    flying: float


def residual(depth: Values) -> float:
    """Mean absolute residual to a 5 x 5 median away from edges, mm."""
    plain = depth > 0
    for axis in (0, 1):
        jump = np.abs(np.diff(depth, axis=axis)) > EDGE
        before, after = [(0, 0), (0, 0)], [(0, 0), (0, 0)]
        before[axis], after[axis] = (1, 0), (0, 1)
        plain &= ~(np.pad(jump, before) | np.pad(jump, after))
    inside = ndimage.binary_erosion(plain, np.ones((7, 7)))
    return float(np.abs(depth - ndimage.median_filter(depth, 5))[inside].mean()) if inside.any() else np.nan


def holes(depth: Values) -> float:
    """Share of unmeasured pixels inside surfaces."""
    regions, _ = ndimage.label(depth == 0)
    sizes = np.bincount(regions.ravel())
    small = sizes <= LARGEST_HOLE
    small[0] = False
    lost, measured = int(small[regions].sum()), int((depth > 0).sum())
    return lost / (lost + measured) if lost + measured else np.nan


def flying(depth: Values) -> float:
    """Share of measured pixels beside an edge that lie between two surfaces, far from both."""
    edge, between = np.zeros(depth.shape, bool), np.zeros(depth.shape, bool)
    for turned, beside, alone in ((depth, edge, between), (depth.T, edge.T, between.T)):
        middle = turned[1:-1]
        known = (turned[:-2] > 0) & (middle > 0) & (turned[2:] > 0)
        one, other = middle - turned[:-2], turned[2:] - middle
        beside[1:-1] |= known & ((np.abs(one) > EDGE) | (np.abs(other) > EDGE))
        alone[1:-1] |= known & (np.minimum(np.abs(one), np.abs(other)) > EDGE) & (one * other > 0)
    return float(between.sum() / max(edge.sum(), 1))


def differences(depth: Values) -> Values:
    """Between unlike neighboring pixels on a surface, mm."""
    found = []
    for turned in (depth, depth.T):
        step = np.abs(np.diff(turned, axis=0))
        found.append(step[(turned[1:] > 0) & (turned[:-1] > 0) & (step > 0) & (step <= EDGE)])
    return np.concatenate(found)


def smallest(steps: Values) -> float:
    """Smallest difference that at least 1 % of all have, mm."""
    values, counts = np.unique(steps.round(4), return_counts=True)
    often = values[counts >= 0.01 * len(steps)]
    return float(often[0]) if len(often) else np.nan


def measure(frames: list[Values]) -> Statistics:
    """Statistics of frames, `[h, w]` mm each, 0 where nothing was measured."""
    rows = np.array([[residual(d), holes(d), float((d == 0).mean()), flying(d)] for d in frames])
    known = ~np.isnan(rows)
    means = np.where(known, rows, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    noise, lost, unmeasured, between = means.tolist()
    return Statistics(noise, lost, smallest(np.concatenate([differences(d) for d in frames])), unmeasured, between)


def read(folder: Path) -> list[Values]:
    """Evenly spread frames of a folder, in mm."""
    about = yaml.safe_load((folder / "camera.yaml").read_text(encoding="utf-8"))
    files = sorted(folder.rglob("*.png"))
    if not files:
        raise SystemExit(f"{folder} has no PNG")
    chosen = np.unique(np.linspace(0, len(files) - 1, MOST_FRAMES).round().astype(int))
    scale = float(about.get("depth_scale", 1))
    return [np.asarray(Image.open(files[i])).astype(np.float64) * scale for i in chosen]


def main() -> None:
    """Print one line a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    print(f"{'folder':30} frames  residual mm  holes %  step mm  unmeasured %  flying %")
    for folder in parser.parse_args().folders:
        frames = read(folder)
        found = measure(frames)
        print(
            f"{folder.name:30} {len(frames):6d}  {found.residual:11.3f}  {100 * found.holes:7.2f}  {found.step:7.3f}  "
            f"{100 * found.unmeasured:12.1f}  {100 * found.flying:8.2f}"
        )


if __name__ == "__main__":
    main()
