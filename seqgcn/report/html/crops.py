"""The page of `seqgcn crops`: are hands where they are taken to be?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from seqgcn.datasets.hands.crop_views import SIDE, CropView, CropViews
from seqgcn.report.html.pages import render
from seqgcn.report.html.sheet import OTHER, SURE, UNSURE, Picture, Stroke, depth_image_of, pack


@dataclass(frozen=True, kw_only=True)
class _Card:
    """A frame as `crops.html.j2` shows it."""

    file: str
    source: str
    confidence: str
    center: str
    doubtful: bool
    problem: str
    frame: Picture | None
    crop: Picture | None


def crops_page(shown: CropViews, *, root: str, again: str, total: int | None = None) -> str:
    """Fill the page.

    Args:
        shown: The frames.
        root: Folder of the data set, for the title.
        again: The command that makes the page.
        total: How many frames there are, if the others are still being looked at.
    """
    return render(
        "crops.html.j2",
        title=f"Crops of {root}",
        cards=[_card(view) for view in shown.views],
        summary=shown.centers.summary(),
        doubtful=int(shown.centers.doubtful.sum()),
        count=len(shown.centers),
        near=f"{shown.near:g}",
        far=f"{shown.far:g}",
        cubes=_range([view.cube for view in shown.views]),
        again=again,
        total=total,
    )


def _card(view: CropView) -> _Card:
    frame = crop = None
    if view.frame is not None:
        frame = pack(
            Image.fromarray(view.frame),
            SIDE,
            strokes=tuple(
                Stroke(color, _box(edges))
                for color, edges in ((OTHER, view.other), (UNSURE if view.doubtful else SURE, view.window))
                if edges is not None
            ),
            shows="depth frame",
        )
    if view.crop is not None:
        crop = pack(depth_image_of(np.where(view.crop < 1, view.crop, np.nan)), SIDE, shows="crop")
    return _Card(
        file=view.file,
        source=view.source,
        confidence=f"{view.confidence:.2f}",
        center="" if view.center is None else ", ".join(f"{value:.0f}" for value in view.center),
        doubtful=view.doubtful,
        problem=view.problem,
        frame=frame,
        crop=crop,
    )


def _box(edges: tuple[float, float, float, float]) -> str:
    """A window as SVG has it; far outside of the picture nothing is seen of it anyway."""
    left, top, right, bottom = (min(max(edge, -4.0 * SIDE), 5.0 * SIDE) for edge in edges)
    return f"M{left:.1f} {top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}Z"


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
