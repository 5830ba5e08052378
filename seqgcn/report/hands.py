"""Pictures of hand poses: how often predictions are near enough, which joints are hard, frames side by side."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import Stroke
from matplotlib.ticker import MaxNLocator

from seqgcn.evaluation import Score
from seqgcn.exceptions import ArgumentError
from seqgcn.report.fingers import finger_colours
from seqgcn.report.page import COLOURS, DASHES, HATCHES, FloatArray, array, page, side_legend, vector
from seqgcn.utils.messages import counted
from seqgcn.utils.validation import check_whole

BACKGROUND = "#d9d9d9"
CELL = 160
"""Pixels along the side of a frame on a contact sheet."""


def success_curves(scores: Mapping[str, Score], path: str | os.PathLike[str], *, title: str) -> None:
    """Draw the share of frames whose worst joint lies within a distance, over that distance.

    Args:
        scores: Of each system. Colors follow this order; the legend goes from the largest area to the smallest.
        path: Picture to write, ending in .png, .svg or .pdf.
        title: What was scored, above the picture.

    Raises:
        ArgumentError: There is no score, or `path` has another ending.
        RunFolderError: The picture cannot be written.
    """
    _check_scores(scores)
    caption = f"Over {_frames(scores)}. In brackets: mean joint error."
    with page(path, title, caption) as figure:
        axes = figure.subplots()
        lines = {}
        for rank, (name, score) in enumerate(scores.items()):
            colour, dashes = COLOURS[rank % len(COLOURS)], DASHES[rank // len(COLOURS) % len(DASHES)]
            shares = 100 * np.array(score.frames_within)
            (lines[name],) = axes.plot(score.thresholds, shares, color=colour, linestyle=dashes, linewidth=1.8)
        axes.set_xlabel("largest joint error allowed (mm)")
        axes.set_ylabel("frames with all joints within it (%)")
        axes.set_xlim(0, max(score.thresholds[-1] for score in scores.values()))
        axes.set_ylim(0, 100)
        ranked = sorted(scores, key=lambda name: -scores[name].frames_auc)
        side_legend(
            figure, axes, [lines[name] for name in ranked], [f"{name} ({scores[name].mean:.2f} mm)" for name in ranked]
        )


def per_joint_bars(scores: Mapping[str, Score], path: str | os.PathLike[str], *, title: str) -> None:
    """Draw the mean error of each joint, and of all, a bar a system.

    Args:
        scores: Of each system, over the same joints. Colors follow this order.
        path: Picture to write, ending in .png, .svg or .pdf.
        title: What was scored, above the picture.

    Raises:
        ArgumentError: There is no score, two have other joints, or `path` has another ending.
        RunFolderError: The picture cannot be written.
    """
    _check_scores(scores)
    first, joints = next((name, score.joints) for name, score in scores.items())
    for name, score in scores.items():
        if score.joints != joints:
            raise ArgumentError(f"{name!r} and {first!r} have other joints; draw a picture for each data set")
    places = np.arange(len(joints) + 1.0)
    places[-1] += 0.5  # the mean stands apart
    width = 0.8 / len(scores)
    size = (min(max(8.0, 0.09 * len(places) * len(scores)), 16.0), 5.0)
    with page(path, title, f"Mean over {_frames(scores)}.", size) as figure:
        axes = figure.subplots()
        bars = []
        for rank, score in enumerate(scores.values()):
            left = places + (rank - len(scores) / 2) * width
            bar = axes.bar(
                left,
                [*score.per_joint, score.mean],
                width,
                align="edge",
                color=COLOURS[rank % len(COLOURS)],
                hatch=HATCHES[rank // len(COLOURS) % len(HATCHES)],
                edgecolor="white",
                linewidth=0,
            )
            bars.append(bar[0])
        axes.set_xticks(places.tolist(), [*joints, "mean"], rotation=50, ha="right", rotation_mode="anchor")
        axes.tick_params(axis="x", length=0)
        axes.grid(False, axis="x")
        axes.set_xlim(-0.7, places[-1] + 0.7)
        axes.set_ylabel("mean joint error (mm)")
        side_legend(figure, axes, bars, list(scores))


def _check_scores(scores: Mapping[str, Score]) -> None:
    if not scores:
        raise ArgumentError("scores is empty: there is nothing to draw")


def _frames(scores: Mapping[str, Score]) -> str:
    counts = sorted({score.frames for score in scores.values()})
    least = "" if len(counts) == 1 else f"{counts[0]:,} to "
    return least + counted(counts[-1], "frame")


def training_curves(curves: Mapping[str, Sequence[float]], path: str | os.PathLike[str], *, title: str) -> None:
    """Draw what a training recorded after each epoch, each quantity on an axis of its own.

    Args:
        curves: For each quantity, named with its unit (`"validation error (mm)"`), its value after each epoch.
        path: Picture to write, ending in .png, .svg or .pdf.
        title: What was trained, above the picture.

    Raises:
        ArgumentError: There is nothing to draw, a value is not finite, or `path` has another ending.
        RunFolderError: The picture cannot be written.
    """
    if not curves:
        raise ArgumentError("curves is empty: there is nothing to draw")
    values = {name: vector(name, curve) for name, curve in curves.items()}
    last = "; ".join(f"{name} = {curve[-1]:.4g}" for name, curve in values.items())
    epochs = max(len(curve) for curve in values.values())
    with page(path, title, f"At the end: {last}.", (8.0, 1.4 + 2.4 * len(values))) as figure:
        panels: list[Axes] = figure.subplots(len(values), sharex=True, squeeze=False)[:, 0].tolist()
        for rank, (axes, (name, curve)) in enumerate(zip(panels, values.items(), strict=True)):
            marker = "o" if len(curve) == 1 else ""
            axes.plot(np.arange(1, len(curve) + 1), curve, color=COLOURS[rank % len(COLOURS)], marker=marker)
            axes.set_ylabel(name)
        figure.align_ylabels(panels)
        panels[-1].set_xlabel("epoch")
        panels[-1].set_xlim(0.5, epochs + 0.5)
        panels[-1].xaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))


def contact_sheet(
    depths: Sequence[npt.ArrayLike],
    joints_uv: Sequence[npt.ArrayLike | None],
    bones: Sequence[tuple[int, int]],
    path: str | os.PathLike[str],
    *,
    title: str,
    columns: int = 6,
) -> None:
    """Draw frames side by side, each cut to its hand, with its pose where there is one.

    Args:
        depths: Of each frame, `[h, w]` mm; 0 is background.
        joints_uv: Pose of each frame in the pixels of `depths`, `[J, 2]` px (column, row), or None.
        bones: Pairs of joints to connect; those of one finger get one color.
        path: Picture to write, ending in .png, .svg or .pdf.
        title: What is shown, above the picture.
        columns: Frames in a row.

    Raises:
        ArgumentError: There is no frame, a shape or value does not fit the above, or `path` has another ending.
        RunFolderError: The picture cannot be written.
    """
    check_whole("columns", columns)
    if not depths or len(depths) != len(joints_uv):
        raise ArgumentError(
            f"depths and joints_uv must be of equally many frames, at least one, got {len(depths)} and {len(joints_uv)}"
        )
    images = [_depth(i, depth) for i, depth in enumerate(depths)]
    poses = [None if uv is None else _pose(i, uv, bones) for i, uv in enumerate(joints_uv)]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    cells = np.full((rows * CELL, columns * CELL), np.nan)
    lines: dict[tuple[int, int], list[FloatArray]] = {bone: [] for bone in bones}
    dots: list[FloatArray] = []
    for i, (image, pose) in enumerate(zip(images, poses, strict=True)):
        corner = np.array([i % columns, i // columns]) * CELL
        left, top, side = _square(image, pose)
        cells[corner[1] : corner[1] + CELL, corner[0] : corner[0] + CELL] = _cut(image, left, top, side)
        if pose is not None:
            places = corner + (pose - (left, top)) / side * CELL
            dots.append(places)
            for bone in bones:
                lines[bone].append(places[list(bone)])
    size = (max(2.0, 1.35 * columns) + 1.0, 1.35 * rows + 0.8)
    with page(path, title, f"{counted(len(images), 'frame')}, numbered in the order given.", size) as figure:
        axes = figure.subplots()
        _draw_cells(figure, axes, cells, len(images), columns)
        halo = [Stroke(linewidth=2.6, foreground="white"), Stroke()]
        for bone, colour in finger_colours(bones).items():
            axes.add_collection(LineCollection(lines[bone], colors=colour, linewidths=1.4, path_effects=halo))
        if dots:
            axes.plot(*np.concatenate(dots).T, "o", color="black", markersize=1.6, markeredgewidth=0)


def _depth(i: int, depth: npt.ArrayLike) -> FloatArray:
    image: FloatArray = array(f"depths[{i}]", depth, np.float64)
    if image.ndim != 2 or image.size == 0 or not np.isfinite(image).all() or image.min() < 0:
        raise ArgumentError(
            f"depths[{i}] must be [h, w] of finite millimeters, 0 where there is background, got {list(image.shape)}"
            + (f" with {image.min():g} to {image.max():g}" if image.size else "")
        )
    return image


def _pose(i: int, uv: npt.ArrayLike, bones: Sequence[tuple[int, int]]) -> FloatArray:
    pose: FloatArray = array(f"joints_uv[{i}]", uv, np.float64)
    if pose.ndim != 2 or pose.shape[1] != 2 or len(pose) == 0 or not np.isfinite(pose).all():
        raise ArgumentError(f"joints_uv[{i}] must be finite pixels [J, 2], got {list(pose.shape)}")
    if any(not 0 <= joint < len(pose) for bone in bones for joint in bone):
        raise ArgumentError(f"a bone names a joint beyond the {len(pose)} of joints_uv[{i}]")
    return pose


def _square(image: FloatArray, pose: FloatArray | None) -> tuple[float, float, float]:
    """Left, top and side of the square around hand and joints, with a margin, px."""
    rows, columns = np.nonzero(image)
    points = np.stack((columns, rows), axis=1) if len(rows) else np.array([[0, 0], np.array(image.shape)[::-1] - 1])
    if pose is not None:
        points = np.concatenate((points, pose))
    low, high = points.min(axis=0), points.max(axis=0)
    side = 1.12 * float(max(*(high - low), 8.0))
    left, top = (low + high) / 2 - side / 2
    return float(left), float(top), side


def _cut(image: FloatArray, left: float, top: float, side: float) -> FloatArray:
    """The square as a cell of the sheet (nearest pixel): mm behind the nearest point, NaN for background."""
    steps = (np.arange(CELL) + 0.5) / CELL * side
    columns, rows = np.rint(left + steps).astype(np.int64), np.rint(top + steps).astype(np.int64)
    h, w = image.shape
    inside = ((rows >= 0) & (rows < h))[:, None] & ((columns >= 0) & (columns < w))
    cell: FloatArray = image[rows.clip(0, h - 1)][:, columns.clip(0, w - 1)]
    cell[~inside | (cell == 0)] = np.nan
    seen = image[image > 0]
    if len(seen):
        cell -= np.percentile(seen, 1)
    return cell


def _draw_cells(figure: Figure, axes: Axes, cells: FloatArray, count: int, columns: int) -> None:
    """The frames with a scale of depth, their numbers, and white lines between them."""
    seen = cells[np.isfinite(cells)]
    reach = max(float(np.percentile(seen, 99)), 1.0) if len(seen) else 1.0
    colours = colormaps["cividis_r"].with_extremes(bad=BACKGROUND)
    rows = len(cells) // CELL
    extent = (0, columns * CELL, rows * CELL, 0)
    picture = axes.imshow(cells, cmap=colours, vmin=0, vmax=reach, extent=extent, interpolation="nearest")
    axes.set_axis_off()
    for edge in range(1, columns):
        axes.axvline(edge * CELL, color="white", linewidth=3)
    for edge in range(1, rows):
        axes.axhline(edge * CELL, color="white", linewidth=3)
    for i in range(rows * columns):
        x, y = i % columns * CELL, i // columns * CELL
        if i < count:
            axes.text(x + 7, y + 7, str(i + 1), fontsize=7, va="top", color="#444444")
        else:
            axes.fill_between([x, x + CELL], y, y + CELL, color="white", linewidth=0)
    bar = figure.colorbar(picture, ax=axes, shrink=min(1.0, 2.2 / rows), aspect=12, pad=0.02)
    bar.set_label("depth behind the nearest point (mm)", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.ax.invert_yaxis()
    bar.outline.set_visible(False)
