"""Decoders of the depth frames: 16-bit PNG in mm, NYU's RGB PNG, MSRA's binary boxes.

Each gives a `DepthImage` or a `DataFileError`, whatever the bytes. A PNG's header is looked at first, so that nothing
is decoded that is not of the camera's size and of the expected kind.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.exceptions import DataFileError, MissingFileError

PNG_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
GREY, RGB = 0, 2
COLOURS = {GREY: "gray", RGB: "RGB", 3: "palette", 4: "gray with transparency", 6: "RGB with transparency"}
MOST_PIXELS = 2**26
"""More than any depth camera has, and fewer than Pillow warns about."""

BOX_HEADER = struct.Struct("<6I")


FARTHEST = 1e6
"""mm; no camera measures a kilometre."""


class PNGHeader(NamedTuple):
    """What a PNG's first bytes say.

    Args:
        width: px.
        height: px.
        bits: Per channel.
        colour: PNG's number of the color type.
    """

    width: int
    height: int
    bits: int
    colour: int


def png_header(path: Path) -> PNGHeader:
    """Size and kind of a PNG; decodes nothing.

    Raises:
        MissingFileError: There is no such file.
        DataFileError: It cannot be read, is no PNG or has so many pixels that it is no depth frame.
    """
    with opened(path) as file:
        return _header(path, file)


def _header(path: Path, file: BinaryIO) -> PNGHeader:
    start = file.read(26)
    if len(start) < 26 or not start.startswith(PNG_START):
        raise DataFileError(f"{path} does not start like a PNG file; it is damaged or of another format")
    header = PNGHeader(*struct.unpack_from(">IIBB", start, 16))
    if not 0 < header.width * header.height <= MOST_PIXELS:
        raise DataFileError(f"{path} is said to have {header.width:,} x {header.height:,} pixels; no depth frame has")
    return header


def read_depth_png(path: Path, *, camera: Camera, scale: float = 1.0, background: int | None = None) -> DepthImage:
    """A gray PNG of 16 bits.

    Args:
        path: The file.
        camera: Gives the size the frame must have.
        scale: mm per unit.
        background: Values from here on mean that nothing was measured.

    Raises:
        DataFileError: Not such a file, another size, damaged or cut off.
    """
    units = _decode(path, camera, bits=16, colour=GREY, modes=("I;16", "I;16B", "I"))
    if background is not None:
        units = units * (units < background)
    depth = units.astype(np.float32)
    if scale != 1:
        depth *= np.float32(scale)
    return DepthImage(torch.from_numpy(depth))


def read_nyu_png(path: Path, *, camera: Camera) -> DepthImage:
    """NYU's RGB PNG: depth in mm = (G << 8) | B.

    Raises:
        DataFileError: Not such a file, another size, damaged or cut off.
    """
    pixels = _decode(path, camera, bits=8, colour=RGB, modes=("RGB",))
    # Green and blue, one after the other, are a number of 16 bits, its upper byte first.
    depth = pixels[..., 1:].view(">u2").squeeze(2).astype(np.float32)
    return DepthImage(torch.from_numpy(depth))


def read_msra_bin(path: Path, *, camera: Camera) -> DepthImage:
    """MSRA's binary frame: width, height, left, top, right, bottom (uint32), then the half-open box in float32 mm.

    An empty box is a frame in which nothing was measured.

    Raises:
        DataFileError: Another image size than the camera's, a box outside of the image, another length than the box
            asks for.
    """
    # One byte more than there can be tells a file that is too long without reading all of it.
    content = _read(path, BOX_HEADER.size + 4 * camera.width * camera.height + 1)
    if len(content) < BOX_HEADER.size:
        raise DataFileError(f"{path} has {len(content)} bytes, its header alone {BOX_HEADER.size}; it is cut off")
    width, height, left, top, right, bottom = BOX_HEADER.unpack_from(content)
    if (width, height) != (camera.width, camera.height):
        raise DataFileError(
            f"{path} is of an image of {width} x {height} pixels, the camera's has {camera.width} x {camera.height}; "
            "it is damaged or not of MSRA"
        )
    if not (left <= right <= width and top <= bottom <= height):
        raise DataFileError(
            f"{path}: the box from ({left}, {top}) to ({right}, {bottom}) does not lie in the image of "
            f"{width} x {height} pixels; the file is damaged"
        )
    shape = (bottom - top, right - left)
    expected = BOX_HEADER.size + 4 * shape[0] * shape[1]
    if len(content) != expected:
        raise DataFileError(
            f"{path} must have {expected} bytes for a box of {shape[1]} x {shape[0]} pixels, but has "
            f"{len(content) if len(content) < expected else 'more'}; get it again"
        )
    if 0 in shape:
        return DepthImage(torch.zeros(1, 1))
    depth = np.frombuffer(content, "<f4", offset=BOX_HEADER.size).reshape(shape).astype(np.float32)
    depth[~((depth > 0) & (depth <= FARTHEST))] = 0  # NaN and infinity too
    return DepthImage(torch.from_numpy(depth), left, top)


def _read(path: Path, most: int) -> bytes:
    with opened(path) as file:
        return file.read(most)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file to read bytes of.

    Raises:
        MissingFileError: There is no such file.
        DataFileError: It cannot be read.
    """
    # A pipe or a device would be waited for.
    if not os.path.isfile(path):
        raise MissingFileError(f"{path} is missing or not a regular file")
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}") from error


def _decode(path: Path, camera: Camera, *, bits: int, colour: int, modes: tuple[str, ...]) -> NDArray[Any]:
    with opened(path) as file:
        header = _header(path, file)
        if (header.bits, header.colour) != (bits, colour):
            found = f"{COLOURS.get(header.colour, 'of an unknown kind')} with {header.bits} bits"
            raise DataFileError(
                f"{path} is {found}, expected {COLOURS[colour]} with {bits} bits a channel; it is a preview, of "
                "another data set, or was converted by a program that does not keep depth"
            )
        if header[:2] != (camera.width, camera.height):
            raise DataFileError(
                f"{path} has {header.width} x {header.height} pixels, the camera {camera.width} x {camera.height}; "
                "a frame that was resized or cut no longer fits its labels"
            )
        try:
            file.seek(0)
            with Image.open(file, formats=["PNG"]) as image:
                # A second header further on would replace the first.
                if image.size != header[:2] or image.mode not in modes:
                    raise ValueError(f"mode {image.mode} and size {image.size} do not fit its header")
                return np.asarray(image)
        except Exception as error:  # decoders raise whatever the damaged bytes lead them to
            raise DataFileError(f"{path} cannot be decoded ({type(error).__name__}: {error}); get it again") from error
