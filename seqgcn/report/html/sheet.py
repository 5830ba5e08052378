"""Small pictures of items, packed into the page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from seqgcn.datasets.hands.colours import depth_colours
from seqgcn.report.fingers import finger_colours

Pixels = npt.NDArray[np.uint8]
Point = tuple[float, float]

LARGE, SMALL = 240, 56
"""Longest side of a picture on the contact sheet, and among neighbors, px."""

SURE, UNSURE, OTHER = "#009E73", "#D55E00", "#0072B2"
"""Colors of where a hand was found, of where that is doubtful, and of what may be another hand."""

ARM = 9.0
"""Length of a cross's arms, px."""

COARSE = 64
"""Pictures of no more pixels along a side are packed as they are and shown as squares."""


class Stroke(NamedTuple):
    """Lines of one color over a picture: the path as SVG has it, in pixels of the picture."""

    colour: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as the page holds it.

    Args:
        uri: The picture itself.
        width: Its width, px.
        height: Its height, px.
        coarse: Whether its pixels are so few that they are shown as squares.
        strokes: Drawn over it.
        shows: What it shows, for who cannot see it.
    """

    uri: str
    width: int
    height: int
    coarse: bool = False
    strokes: Sequence[Stroke] = ()
    shows: str = "picture"


def pack(image: Any, side: int, *, strokes: Sequence[Stroke] = (), shows: str = "picture") -> Picture:
    """Shrink and pack a picture; small ones stay as they are, without loss.

    Args:
        image: Of PIL; `strokes` are in pixels of what `fit` makes of its size.
        side: Longest side afterwards, px.
        strokes: Drawn over it.
        shows: What it shows.
    """
    coarse = max(image.size) <= COARSE
    packed, kind = io.BytesIO(), "png" if coarse else "jpeg"
    if not coarse:
        # Decoders of JPEG skip what is not needed at this size.
        image.draft("RGB", (side, side))
    image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    if not coarse:
        image = image.resize(fit(image.size, side), Image.Resampling.BOX, reducing_gap=None)
    image.save(packed, kind, **({"optimize": True} if coarse else {"quality": 86, "optimize": True}))
    return Picture(
        uri=f"data:image/{kind};base64,{base64.b64encode(packed.getvalue()).decode()}",
        width=image.width,
        height=image.height,
        coarse=coarse,
        strokes=strokes,
        shows=shows,
    )


def fit(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Width and height of a picture that is shrunk to a longest side."""
    scale = min(1.0, side / max(size))
    return max(1, round(scale * size[0])), max(1, round(scale * size[1]))


def image_of(pixels: Pixels) -> Any:
    """An image `[c, h, w]`, gray or in colors, for `pack`; of other channels, their mean."""
    if len(pixels) == 3:
        return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.rint(pixels.mean(axis=0)).astype(np.uint8))


def depth_image_of(value: npt.NDArray[np.floating[Any]]) -> Any:
    """A depth crop for `pack`: near is bright, far is dark.

    Args:
        value: Depth in any unit, `[h, w]`; not finite where there is nothing.
    """
    return Image.fromarray(depth_colours(value, np.isfinite(value), least=1e-6))


def skeleton(places: Sequence[Point | None], bones: Sequence[tuple[int, int]]) -> list[Stroke]:
    """A pose to draw over a picture, a color for each finger.

    Args:
        places: Of each joint, px; None where it is not known or outside the picture.
        bones: Pairs of joints.
    """
    paths: dict[str, str] = {}
    for (a, b), colour in finger_colours(bones).items():
        start, end = places[a], places[b]
        if start is not None and end is not None:
            line = f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"
            paths[colour] = paths.get(colour, "") + line
    return [Stroke(colour, path) for colour, path in paths.items()]


def cross(place: Point, colour: str) -> Stroke:
    """A point to draw over a picture, its middle left free to see what is there.

    Args:
        place: px.
        colour: Of the lines.
    """
    x, y = place
    arms = ((-1, 0), (1, 0), (0, -1), (0, 1))
    path = "".join(
        f"M{x + dx * ARM / 3:.1f} {y + dy * ARM / 3:.1f}L{x + dx * ARM:.1f} {y + dy * ARM:.1f}" for dx, dy in arms
    )
    return Stroke(colour, path)
