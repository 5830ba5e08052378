"""Cameras as other programs write them beside depth frames: ROS, RealSense, Azure Kinect, Open3D; YAML or JSON."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from seqgcn.datasets.hands.yaml_files import read_plain_yaml
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.utils.validation import check_number, check_whole

NAMES = re.compile(r"(?:.*[_.-])?(?:camera[_-]?info|(?:camera[_-]?)?intrinsics?)\.(?:ya?ml|json)", re.IGNORECASE)

OTHER = re.compile("colou?r|rgb|infra|(?:^|[_.-])ir(?:[_.-]|$)", re.IGNORECASE)

MATRICES = ("K", "k", "camera_matrix", "intrinsic_matrix", "intrinsics_matrix")
DISTORTIONS = ("D", "d", "coeffs", "distortion_coefficients", "distortion")

LARGE = 0.01
"""A coefficient of distortion as small moves no pixel of a hand by one."""


class Lens(NamedTuple):
    """Intrinsics of a camera, px.

    Args:
        fx: Focal length along the width.
        fy: Along the height.
        cx: Principal point from the left.
        cy: From the top.
        size: Width and height of the image, where the file says so.
        path: The file.
        distortion: Largest coefficient, which is taken for 0.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    size: tuple[int, int] | None
    path: Path
    distortion: float = 0.0


def is_camera_info(name: str) -> bool:
    """Whether a file's name is that of a camera's description, such as ``depth_camera_info.yaml``, not of color."""
    return NAMES.fullmatch(name) is not None and OTHER.search(name) is None


def read_camera_info(path: Path) -> Lens:
    """Intrinsics from `fx`, `fy`, `cx`, `cy` (or `ppx`, `ppy`), or from a matrix such as `K`.

    Raises:
        DataFileError: It cannot be read, or holds none of these.
    """
    values = _camera_in(read_plain_yaml(path, first=True))
    if values is None:
        raise DataFileError(
            f"{path} has no intrinsics of one camera: neither fx, fy, cx and cy (or ppx and ppy) nor a matrix K; write "
            "fx, fy, cx and cy into a camera.yaml there"
        )
    try:
        fx, fy, cx, cy = _intrinsics(values)
        width, height = (values.get(f"image_{side}", values.get(side)) for side in ("width", "height"))
        size = None
        if width is not None or height is not None:
            size = check_whole("width", width), check_whole("height", height)
        lens = Lens(
            check_number("fx", fx, low=1, high=1e6),
            check_number("fy", fy, low=1, high=1e6),
            check_number("cx", cx, low=-1e6, high=1e6),
            check_number("cy", cy, low=-1e6, high=1e6),
            size,
            path,
            _distortion(values),
        )
    except ValueError as error:
        raise DataFileError(f"{path}: {error}") from error
    if size is not None and not (0 <= lens.cx <= size[0] and 0 <= lens.cy <= size[1]):
        raise DataFileError(
            f"{path}: the principal point ({lens.cx:g}, {lens.cy:g}) lies outside the image, {size[0]} x {size[1]} px"
        )
    return lens


def _camera_in(values: Any, levels: int = 4) -> dict[Any, Any] | None:
    """The one mapping with intrinsics: the outermost, that of the depth camera, or the only one there is."""
    if not isinstance(values, dict) or not levels:
        return None
    if {"fx", "fy"} <= values.keys() or any(name in values for name in MATRICES):
        return values
    inner = {str(key): found for key, value in values.items() if (found := _camera_in(value, levels - 1)) is not None}
    depth = [found for key, found in inner.items() if "depth" in key.lower()]
    chosen = depth or list(inner.values())
    return chosen[0] if len(chosen) == 1 else None


def _intrinsics(values: dict[Any, Any]) -> tuple[Any, Any, Any, Any]:
    if {"fx", "fy"} <= values.keys():
        cx, cy = (values.get(name, values.get(other)) for name, other in (("cx", "ppx"), ("cy", "ppy")))
        return values["fx"], values["fy"], cx, cy
    name = next(name for name in MATRICES if name in values)
    matrix = _flat(values[name])
    if len(matrix) != 9:
        raise ArgumentError(f"{name} must be 9 numbers, three rows of three, got {str(values[name])[:80]}")
    # Open3D writes column by column.
    cx, cy = (matrix[2], matrix[5]) if matrix[6] == 0 and matrix[7] == 0 else (matrix[6], matrix[7])
    return matrix[0], matrix[4], cx, cy


def _flat(values: Any) -> list[Any]:
    """Numbers of a matrix as OpenCV, ROS or anybody else nests them."""
    if isinstance(values, dict):
        values = values.get("data")
    if not isinstance(values, list):
        return []
    return [number for value in values for number in (value if isinstance(value, list) else [value])]


def _distortion(values: dict[Any, Any]) -> float:
    numbers = [number for name in DISTORTIONS for number in _flat(values.get(name))]
    return max((abs(number) for number in numbers if isinstance(number, float)), default=0.0)
