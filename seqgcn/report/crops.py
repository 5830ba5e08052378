"""A picture of the crops that are most likely wrong, for a notebook or a talk."""

import os

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Stroke

from seqgcn.datasets.hands.colours import depth_colours
from seqgcn.datasets.hands.crop_views import CropView, look_at_crops
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.report.html.sheet import OTHER, SURE, UNSURE
from seqgcn.report.page import page
from seqgcn.utils.messages import counted

COLUMNS = 4
"""Frames in a row, each with its crop beside it."""


def crops_figure(hands: HandDataset, path: str | os.PathLike[str], *, title: str = "", most: int = 24) -> None:
    """Draw the frames whose crops are least sure, each with the window of its cube and its crop beside it.

    What `seqgcn crops` shows as a page. Hands are found first, if they were not yet; no label is needed, nothing is
    trained and no crop cache is made.

    Args:
        hands: The frames, such as `DepthFolder(root, "all")`.
        path: Picture to write, ending in .png, .svg or .pdf.
        title: Above the picture; by default the data set's name.
        most: How many frames to draw at most.

    Raises:
        ArgumentError: `most` is below 1, or `path` has another ending.
        DataFileError: No frame can be read, or one cannot and the data set is not lenient.
        RunFolderError: The picture cannot be written.
    """
    shown = look_at_crops(hands, most)
    columns = min(COLUMNS, len(shown.views))
    rows = -(-len(shown.views) // columns)
    size = (max(6.0, 3.3 * columns), 0.9 + 1.5 * rows)
    caption = (
        f"{counted(len(shown.views), 'frame')} of {len(shown.centers):,}, the least sure first; "
        f"{shown.centers.summary()}. "
        f"Depth range {shown.near:g} to {shown.far:g} mm. Orange: doubtful; blue: perhaps another hand."
    )
    with page(path, title or f"Crops of {shown.name}", caption, size) as figure:
        axes = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=[4, 3] * columns)
        for each in axes.flat:
            each.set_axis_off()
        for i, view in enumerate(shown.views):
            row, column = divmod(i, columns)
            _draw(axes[row, 2 * column], axes[row, 2 * column + 1], view)


def _draw(left: Axes, right: Axes, view: CropView) -> None:
    color = UNSURE if view.doubtful else SURE
    if view.frame is not None:
        left.imshow(view.frame, interpolation="nearest")
        h, w = view.frame.shape[:2]
        for edges, edge in ((view.other, OTHER), (view.window, color)):
            if edges is None:
                continue
            x0, y0, x1, y1 = edges
            box = Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, edgecolor=edge, linewidth=1.4)
            box.set_path_effects([Stroke(linewidth=3, foreground="white"), Stroke()])
            left.add_patch(box)
        left.set(xlim=(-0.5, w - 0.5), ylim=(h - 0.5, -0.5))
    name = view.file if len(view.file) <= 30 else f"…{view.file[-29:]}"
    left.set_title(name, fontsize=7, loc="left", pad=2)
    if view.crop is not None:
        right.imshow(depth_colours(view.crop, view.crop < 1, least=1e-6), interpolation="nearest")
    else:
        right.text(0.5, 0.5, "no crop", ha="center", va="center", fontsize=8, transform=right.transAxes)
    right.set_title(
        f"{view.source} {view.confidence:.2f}",
        fontsize=7,
        loc="left",
        pad=2,
        color=np.where(view.doubtful, UNSURE, "black").item(),
    )
