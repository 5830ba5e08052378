"""The page of `seqgcn check`: are labels where hands are?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seqgcn.datasets.hands.checks.findings import CheckReport, Finding
from seqgcn.datasets.hands.checks.views import LabelView
from seqgcn.datasets.hands.crop_views import SIDE
from seqgcn.report.html.pages import render
from seqgcn.report.html.sheet import Picture, Point, Stroke, pack, skeleton

DOT = 2.0
"""Half the side of the square that marks a joint, px."""

JOINT = "#D55E00"


@dataclass(frozen=True, kw_only=True)
class _Card:
    """A frame as `labels.html.j2` shows it."""

    file: str
    fit: str
    said: Sequence[str]
    problem: str
    frame: Picture | None
    near: Picture | None


def labels_page(
    report: CheckReport, views: Sequence[LabelView], bones: Sequence[tuple[int, int]], *, root: str, again: str
) -> str:
    """Fill the page.

    Args:
        report: What was found.
        views: Frames with their labels.
        bones: Pairs of joints.
        root: Folder of the data set, for the title.
        again: The command that makes the page.
    """
    return render(
        "labels.html.j2",
        title=f"Labels of {root}",
        summary=report.summary(),
        wrong=[_lines(finding) for finding in report.findings if finding.whole],
        single=[_lines(finding) for finding in report.findings if not finding.whole],
        cards=[_card(view, bones) for view in views],
        again=again,
    )


def _lines(finding: Finding) -> dict[str, str]:
    return {
        name: str(getattr(finding, name)) for name in ("kind", "file", "frame", "found", "expected", "cause", "cure")
    }


def _card(view: LabelView, bones: Sequence[tuple[int, int]]) -> _Card:
    return _Card(
        file=view.file,
        fit="" if np.isnan(view.fit) else f"{view.fit:.0%}",
        said=view.said,
        problem=view.problem,
        frame=_picture(view.frame, view.places, bones, f"Depth frame {view.file} with its label"),
        near=_picture(view.near, view.near_places, bones, f"Label of {view.file}, larger"),
    )


def _picture(
    pixels: NDArray[np.uint8] | None, places: Sequence[Point | None], bones: Sequence[tuple[int, int]], shows: str
) -> Picture | None:
    if pixels is None:
        return None
    return pack(Image.fromarray(pixels), SIDE, strokes=(*skeleton(places, bones), *_dots(places)), shows=shows)


def _dots(places: Sequence[Point | None]) -> list[Stroke]:
    """Small squares where joints are."""
    path = "".join(
        f"M{place[0] - DOT:.1f} {place[1] - DOT:.1f}h{2 * DOT}v{2 * DOT}h{-2 * DOT}Z" for place in places if place
    )
    return [Stroke(JOINT, path)] if path else []
