"""Frames of depth folders: PNG and TIFF of 16 bits, floats in TIFF and NPY, two bytes packed into RGB, raw numbers.

Each reader gives a `DepthImage` or a `DataFileError`, whatever the bytes, and decodes nothing that is not of the size
that the camera says.
"""

import ast
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.depth import (
    COLOURS,
    FARTHEST,
    GREY,
    MOST_PIXELS,
    RGB,
    opened,
    png_header,
    read_depth_png,
    read_nyu_png,
)
from seqgcn.exceptions import DataFileError

Kind = Literal["png", "rgb-png", "tiff", "npy", "raw"]

SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "png": (".png",),
    "rgb-png": (".png",),
    "tiff": (".tif", ".tiff"),
    "npy": (".npy",),
    "raw": (".bin", ".raw"),
}

NUMBERS = ("uint16", "int16", "uint32", "int32", "float16", "float32", "float64")
"""What the pixels of raw files may be, each lowest byte first, or with `>` in front highest byte first."""

NPY_START = b"\x93NUMPY"
NPY_HEADER = 2**14
"""Bytes; NumPy's own limit is 10,000 characters."""

TIFF_MODES = ("I;16", "I;16B", "I;16L", "F", "I")
NEAREST, FARTHER = 100.0, 20_000.0
"""mm; no depth camera measures nearer than the first, and no hand is measured beyond the second."""

CONVERT = {
    ".bag": "rs-convert -d -i {file} -r {stem}/ and format: raw (RealSense), with shape and dtype: uint16",
    ".mkv": "ffmpeg -i {file} -map 0:1 -vsync 0 {stem}/%06d.png (Azure Kinect, whose depth is track 1)",
    ".oni": "OpenCV built with OpenNI2: cv2.VideoCapture({file!r}, cv2.CAP_OPENNI2), then grab() and "
    "retrieve(flag=cv2.CAP_OPENNI_DEPTH_MAP), and cv2.imwrite as PNG",
}
LOSSY = (".mp4", ".avi", ".mov", ".webm")
CONVERT |= dict.fromkeys(
    LOSSY,
    "ffmpeg -i {file} -vsync 0 -pix_fmt gray16be {stem}/%06d.png, if it was recorded with 16 bits and no loss, such as "
    "FFV1; what any other video keeps is no depth",
)


class WrongKindError(DataFileError):
    """A picture, but not of depth."""


@dataclass(frozen=True)
class FrameFormat:
    """How the frames of a depth folder are stored.

    Args:
        kind: Of the files; see `SUFFIXES`.
        scale: mm per unit.
        shape: Rows and columns of a raw file.
        dtype: Of its numbers, one of `NUMBERS`, perhaps with `>` in front.
    """

    kind: Kind = "png"
    scale: float = 1.0
    shape: tuple[int, int] | None = None
    dtype: str | None = None

    @property
    def numbers(self) -> "np.dtype[Any]":
        """NumPy's name of a raw file's numbers."""
        dtype = self.dtype or "uint16"
        return np.dtype(dtype.removeprefix(">")).newbyteorder(">" if dtype.startswith(">") else "<")


def frame_size(path: Path, form: FrameFormat) -> tuple[int, int]:
    """Width and height of a frame, px, from its header where it has one.

    Raises:
        MissingFileError: There is no such file.
        DataFileError: It is damaged, or of another kind.
    """
    if form.kind == "raw":
        assert form.shape is not None  # noqa: S101  # for mypy: checked where camera.yaml is read
        _raw(path, form)
        return form.shape[1], form.shape[0]
    if form.kind == "npy":
        with opened(path) as file:
            height, width = _npy_header(path, file)[0]
        return width, height
    if form.kind == "tiff":
        with opened(path) as file, _tiff(path, file) as image:
            return image.size
    header = png_header(path)
    bits, colour = (16, GREY) if form.kind == "png" else (8, RGB)
    if (header.bits, header.colour) != (bits, colour):
        kind = f"{COLOURS.get(header.colour, 'of an unknown kind')} with {header.bits} bits"
        packed = "; is it depth packed into green and blue, as NYU's? Then write format: rgb-png into camera.yaml"
        hint = packed if (header.bits, header.colour) == (8, RGB) else ""
        raise WrongKindError(
            f"{path} is no {bits}-bit {COLOURS[colour]} PNG but {kind}: move previews and other pictures elsewhere, or "
            f"say which files are depth with dataset.depth, such as --set dataset.depth='*/depth/*.png'{hint}"
        )
    return header.width, header.height


def read_frame(path: Path, *, camera: Camera, form: FrameFormat) -> DepthImage:
    """A frame in mm; 0 where nothing was measured.

    Raises:
        DataFileError: Not such a file, another size, damaged or cut off.
    """
    if form.kind == "png":
        return read_depth_png(path, camera=camera, scale=form.scale)
    if form.kind == "rgb-png":
        depth = read_nyu_png(path, camera=camera).depth.numpy()
    elif form.kind == "tiff":
        depth = _tiff_pixels(path, camera)
    elif form.kind == "npy":
        depth = _npy_pixels(path, camera)
    else:
        depth = _raw(path, form)
        _check_size(path, depth.shape, camera)
    with np.errstate(all="ignore"):
        depth = depth.astype(np.float32) * np.float32(form.scale)
        depth[~((depth > 0) & (depth <= FARTHEST))] = 0  # NaN and infinity too
    return DepthImage(torch.from_numpy(depth))


def doubtful_unit(depth: NDArray[np.float32], scale: float) -> str:
    """What is wrong with the unit of a frame's depths, which are in mm if `scale` is right; nothing if all is well."""
    measured = depth[depth > 0]
    if not len(measured):
        return ""
    low, high = np.quantile(measured, (0.05, 0.95)).tolist()
    span = f"its depths are {low:.3g} to {high:.3g} mm with depth_scale {scale:g}"
    if high < NEAREST:
        meters = "which looks like meters" if scale == 1 and high < 30 else "nearer than a camera sees"
        realsense = " (RealSense reports 0.001, in meters a unit, for 1)" if scale == 0.001 else ""
        right = f"{1000 * scale:g}, if units are {scale:g} m{realsense}"
        return f"{span}, {meters}; depth_scale is millimeters a unit: {right}"
    if low > FARTHER:
        return f"{span}, farther than a hand is seen; depth_scale is millimeters a unit: 1 for frames in millimeters"
    return ""


def how_to_unpack(video: str) -> str:
    """The command that makes frames of a video, by its suffix."""
    stem, suffix = os.path.splitext(video)
    return CONVERT[suffix.lower()].format(file=video, stem=stem)


def _check_size(path: Path, shape: tuple[int, ...], camera: Camera) -> None:
    if shape != (camera.height, camera.width):
        raise DataFileError(
            f"{path} has {shape[1]} x {shape[0]} pixels, the camera {camera.width} x {camera.height}; a frame that was "
            "resized or cut no longer fits its labels"
        )


def _tiff(path: Path, file: BinaryIO) -> Image.Image:
    try:
        image = Image.open(file, formats=["TIFF"])
        (width, height), pages = image.size, getattr(image, "n_frames", 1)
        tile = [int(image.tag_v2.get(tag, 1)) for tag in (322, 323)]  # type: ignore[attr-defined]
    except Exception as error:  # whatever the damaged bytes lead to
        raise DataFileError(f"{path} is no TIFF, or damaged ({type(error).__name__}: {error})") from error
    if not 0 < width * height <= MOST_PIXELS or not 0 < math.prod(tile) <= MOST_PIXELS:
        raise DataFileError(f"{path} is said to have {width:,} x {height:,} pixels; no depth frame has")
    if pages != 1:
        raise DataFileError(f"{path} holds {pages:,} pictures; write each into a file of its own")
    if image.mode not in TIFF_MODES:
        raise DataFileError(
            f"{path} has pixels of the kind {image.mode}, expected one band of 16 bits or of floats; it is a preview, "
            "or was converted by a program that does not keep depth"
        )
    return image


def _tiff_pixels(path: Path, camera: Camera) -> NDArray[Any]:
    with opened(path) as file, _tiff(path, file) as image:
        _check_size(path, image.size[::-1], camera)
        try:
            return np.asarray(image)
        except Exception as error:  # decoders raise whatever the damaged bytes lead them to
            raise DataFileError(f"{path} cannot be decoded ({type(error).__name__}: {error}); get it again") from error


def _npy_header(path: Path, file: BinaryIO) -> tuple[tuple[int, int], "np.dtype[Any]", bool, int]:
    """Shape, numbers, whether column by column, and where the numbers begin. NumPy's own parser may also warn."""
    start = file.read(NPY_HEADER)
    try:
        if not start.startswith(NPY_START):
            raise ValueError("it does not start as NumPy's files do")
        wide = start[6] > 1
        (length,) = struct.unpack_from("<I" if wide else "<H", start, 8)
        begin = (12 if wide else 10) + length
        if begin > len(start):
            raise ValueError("it is cut off in its header")
        header = ast.literal_eval(start[begin - length : begin].decode("latin1").strip())
        shape = header["shape"]
        if len(shape) > 2:
            shape = tuple(side for side in shape if side != 1)
        dtype = np.dtype(header["descr"])
        if len(shape) != 2 or not all(type(side) is int and side > 0 for side in shape):
            raise ValueError(f"its shape is {header['shape']}, not rows and columns")
        if dtype.kind not in "uif" or dtype.itemsize < 2:
            raise ValueError(f"it holds {dtype}, not numbers of 16 bits or more")
    except Exception as error:  # of bytes that are no Python
        raise DataFileError(f"{path} cannot be read as NPY ({error}); get it again") from error
    if math.prod(shape) > MOST_PIXELS:
        raise DataFileError(f"{path} is said to have {shape[1]:,} x {shape[0]:,} pixels; no depth frame has")
    return cast(tuple[int, int], shape), dtype, bool(header.get("fortran_order")), begin


def _npy_pixels(path: Path, camera: Camera) -> NDArray[Any]:
    with opened(path) as file:
        shape, dtype, by_column, begin = _npy_header(path, file)
        _check_size(path, shape, camera)
        file.seek(begin)
        expected = math.prod(shape) * dtype.itemsize
        content = file.read(expected + 1)
    if len(content) != expected:
        there = len(content) if len(content) < expected else "more"
        raise DataFileError(f"{path} must have {expected} bytes behind its header, but has {there}; get it again")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if by_column else "C")


def _raw(path: Path, form: FrameFormat) -> NDArray[Any]:
    assert form.shape is not None  # noqa: S101  # for mypy: checked where camera.yaml is read
    expected = math.prod(form.shape) * form.numbers.itemsize
    # One byte more than there can be tells a file that is too long without reading all of it.
    with opened(path) as file:
        content = file.read(expected + 1)
    if len(content) != expected:
        there = len(content) if len(content) < expected else "more"
        raise DataFileError(
            f"{path} must have {expected} bytes for {form.shape[0]} rows of {form.shape[1]} numbers {form.dtype}, but "
            f"has {there}; check shape and dtype in camera.yaml, or get the file again"
        )
    return np.frombuffer(content, form.numbers).reshape(form.shape)
