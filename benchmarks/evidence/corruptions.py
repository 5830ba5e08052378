"""Mistakes that people make with labels and cameras of a depth folder: each changes a folder in place."""

import csv
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Corruption:
    """One mistake.

    Args:
        name: What it is.
        make: Makes it in a folder.
        kind: Of the finding that is expected, `"refused"` where the folder cannot even be read.
        says: What the message must name.
    """

    name: str
    make: Callable[[Path], None]
    kind: str
    says: str


def _read(root: Path) -> tuple[list[str], list[str], Array]:
    with open(root / "labels.csv", encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    return header, [row[0] for row in rows], np.array([row[1:] for row in rows], np.float64)


def _write(root: Path, header: list[str], names: list[str], values: Array) -> None:
    with open(root / "labels.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(header)
        rows.writerows([name, *(f"{value:.5f}" for value in row)] for name, row in zip(names, values, strict=True))


def _labels(change: Callable[[Array], Array]) -> Callable[[Path], None]:
    """Change all points, `[n, J, 3]`."""

    def make(root: Path) -> None:
        header, names, values = _read(root)
        _write(root, header, names, change(values.reshape(len(values), -1, 3)).reshape(len(values), -1))

    return make


def _setup(**values: Any) -> Callable[[Path], None]:
    """Change ``camera.yaml``."""

    def make(root: Path) -> None:
        path = root / "camera.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **values}), encoding="utf-8")

    return make


def _uvd(points: Array) -> Array:
    z = points[..., 2]
    return np.stack((460 * points[..., 0] / z + 320, 460 * points[..., 1] / z + 240, z), axis=-1)


def _from_meters(points: Array) -> Array:
    return points / 1000


def _orders(order: str) -> Callable[[Array], Array]:
    """Columns in another order of 21 joints than BigHand's, which the header names."""
    finger = np.array([[1 + f, *(6 + 3 * f + k for k in range(3))] for f in range(5)])
    order_of = {
        "mediapipe": [0, *finger.ravel()],
        "msra": [0, *finger[[1, 2, 3, 4, 0]].ravel()],
        "reversed": [0, *finger[::-1, 0], *finger[::-1, 1:].ravel()],
        "tip first": [0, *finger[:, ::-1].ravel()],
        "wrist last": [*range(1, 21), 0],
        "index and middle": [0, *finger[[0, 2, 1, 3, 4], 0], *finger[[0, 2, 1, 3, 4], 1:].ravel()],
        "two joints": [*range(0, 9), 10, 9, *range(11, 21)],
    }[order]
    return lambda points: points[:, order_of]


def _frames(change: Callable[[list[Path]], None]) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        change(sorted(root.rglob("*.png"), key=lambda path: [int(n) for n in re.findall(r"\d+", path.as_posix())]))

    return make


def _empty(frames: list[Path]) -> None:
    for path in frames[5:9]:
        Image.fromarray(np.zeros((480, 640), np.uint16)).save(path)


def _freeze(frames: list[Path]) -> None:
    for path in frames[4:8]:
        shutil.copyfile(frames[3], path)


def _tenths(frames: list[Path]) -> None:
    for path in frames:
        Image.fromarray((np.asarray(Image.open(path)) * 10.0).clip(0, 65535).astype(np.uint16)).save(path)


def _turn(frames: list[Path]) -> None:
    for path in frames:
        Image.fromarray(np.ascontiguousarray(np.rot90(np.asarray(Image.open(path))))).save(path)


def _mirror(frames: list[Path]) -> None:
    for path in frames:
        Image.fromarray(np.ascontiguousarray(np.asarray(Image.open(path))[:, ::-1])).save(path)


def _mirror_all(root: Path) -> None:
    _frames(_mirror)(root)
    _labels(lambda points: points * [-1, 1, 1])(root)


def _halve(frames: list[Path]) -> None:
    for path in frames:
        Image.fromarray(np.ascontiguousarray(np.asarray(Image.open(path))[::2, ::2])).save(path)


def _some_rows(change: Callable[[Array, list[str]], Array]) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        header, names, values = _read(root)
        points = change(values.reshape(len(values), -1, 3).copy(), names)
        _write(root, header, names, points.reshape(len(values), -1))

    return make


def _copied(points: Array, _names: list[str]) -> Array:
    points[[20, 21, 33]] = points[3]
    return points


def _jumped(points: Array, _names: list[str]) -> Array:
    points[[7, 30], :, 0] += 250
    return points


def _stray(points: Array, _names: list[str]) -> Array:
    points[[5, 25], 8, 1] += 400
    return points


def _few_meters(points: Array, _names: list[str]) -> Array:
    points[[5, 25]] /= 1000
    return points


def _one_sequence(points: Array, names: list[str]) -> Array:
    rows = [name.startswith("sequence_002") for name in names]
    points[rows] *= [1, -1, 1]
    return points


def _shuffled(points: Array, _names: list[str]) -> Array:
    return points[np.random.default_rng(0).permutation(len(points))]


def _shifted(points: Array, _names: list[str]) -> Array:
    return np.roll(points, 10, axis=0)


def _few_wrong(points: Array, _names: list[str]) -> Array:
    points[[6, 7]] = points[[40, 41]] + [150, -100, -60]
    return points


def _meters_up(points: Array) -> Array:
    return points * [1, -1, 1] / 1000


def _left_sequence(root: Path) -> None:
    """One sequence mirrored, frames and labels, under the `hand: right` of all."""
    header, names, values = _read(root)
    points = values.reshape(len(values), -1, 3)
    points[[name.startswith("sequence_003") for name in names]] *= [-1, 1, 1]
    _write(root, header, names, points.reshape(len(values), -1))
    _frames(lambda frames: _mirror([path for path in frames if path.parent.name == "sequence_003"]))(root)


CORRUPTIONS = (
    Corruption("labels in meters", _labels(_from_meters), "unit", "meters"),
    Corruption("labels in centimeters", _labels(lambda p: p / 10), "unit", "centimeters"),
    Corruption("labels in tenths of a millimeter", _labels(lambda p: p * 10), "unit", "tenths"),
    Corruption("y up", _labels(lambda p: p * [1, -1, 1]), "axes", "y points up"),
    Corruption("x to the left (left for right)", _labels(lambda p: p * [-1, 1, 1]), "axes", "left for right"),
    Corruption("x to the left and y up", _labels(lambda p: p * [-1, -1, 1]), "axes", "x and y"),
    Corruption("meters and y up", _labels(_meters_up), "unit", "y points up"),
    Corruption("x and y exchanged", _labels(lambda p: p[..., [1, 0, 2]]), "axes", "hold y, x, z"),
    Corruption("z first", _labels(lambda p: p[..., [2, 0, 1]]), "refused", "in front of the camera"),
    Corruption("z towards the camera", _labels(lambda p: p * [1, -1, -1]), "refused", "in front of the camera"),
    Corruption("relative to the wrist", _labels(lambda p: p - p[:, :1]), "refused", "wrist"),
    Corruption("u v d in px, px, mm", _labels(_uvd), "pixels", "u v d"),
    Corruption("u v d, v from below", _labels(lambda p: _uvd(p * [1, -1, 1])), "pixels", "from the bottom"),
    Corruption("u v d, d in meters", _labels(lambda p: _uvd(p) * [1, 1, 0.001]), "pixels", "meters"),
    Corruption("u v d as shares of the picture", _labels(lambda p: _uvd(p) / [640, 480, 1]), "pixels", "shares"),
    Corruption("of a color camera 50 mm beside", _labels(lambda p: p + np.array([50, 0, 0])), "offset", "50"),
    Corruption("joints in mediapipe's order", _labels(_orders("mediapipe")), "order", "finger by finger (thumb"),
    Corruption("joints in MSRA's order", _labels(_orders("msra")), "order", "finger by finger (index"),
    Corruption("fingers in reverse order", _labels(_orders("reversed")), "order", "pinky, ring, middle, index, thumb"),
    Corruption("tips first", _labels(_orders("tip first")), "order", "tip to base"),
    Corruption("wrist last", _labels(_orders("wrist last")), "order", "root last"),
    Corruption("index and middle exchanged", _labels(_orders("index and middle")), "order", "middle holds index"),
    Corruption("two joints exchanged", _labels(_orders("two joints")), "order", "swapped"),
    Corruption("hand: left for right hands", _setup(hand="left"), "hand", "hand: right"),
    Corruption("frames and labels mirrored", _mirror_all, "hand", "mirrored"),
    Corruption("frames mirrored, labels not", _frames(_mirror), "axes", "left for right"),
    Corruption("one sequence mirrored", _left_sequence, "hand", "sequence_003"),
    Corruption("one sequence with y up", _some_rows(_one_sequence), "axes", "sequence_002"),
    Corruption("intrinsics of 1280 x 960", _setup(fx=920, fy=920, cx=640, cy=480), "intrinsics", "640 x 480"),
    Corruption("intrinsics of 320 x 240", _setup(fx=230, fy=230, cx=160, cy=120), "intrinsics", "320 x 240"),
    Corruption("fx and fy of 320 x 240", _setup(fx=230, fy=230), "intrinsics", "fx and fy"),
    Corruption("cx and cy exchanged", _setup(cx=240, cy=320), "intrinsics", "swapped"),
    Corruption("frames halved", _frames(_halve), "intrinsics", "640 x 480"),
    Corruption("frames turned by a quarter", _frames(_turn), "intrinsics", "turned"),
    Corruption("depth_scale 0.001, as RealSense has it", _setup(depth_scale=0.001), "refused", "RealSense"),
    Corruption("depth_scale 1000", _setup(depth_scale=1000), "refused", "depth_scale"),
    Corruption("frames in tenths of a millimeter", _frames(_tenths), "depth scale", "depth_scale"),
    Corruption("depth_scale 0.25", _setup(depth_scale=0.25), "depth scale", "0.25 times"),
    Corruption("labels of shuffled frames", _some_rows(_shuffled), "off", "other frames"),
    Corruption("labels ten frames late", _some_rows(_shifted), "frames", "wrong frames"),
    Corruption("three copied labels", _some_rows(_copied), "copied label", "another frame"),
    Corruption("two labels that jump", _some_rows(_jumped), "jump", "before and after"),
    Corruption("two labels with a stray joint", _some_rows(_stray), "stray joint", "far from"),
    Corruption("two rows in meters", _some_rows(_few_meters), "size", "another size"),
    Corruption("two labels in the air", _some_rows(_few_wrong), "off", "no hand"),
    Corruption("four empty frames", _frames(_empty), "empty", "no depth"),
    Corruption("four frozen frames", _frames(_freeze), "frozen", "the same picture"),
)  # fmt: skip
