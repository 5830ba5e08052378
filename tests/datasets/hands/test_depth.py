import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_releases import bin_bytes, save_grey, save_nyu
from PIL import Image

from seqgcn.datasets.hands import Camera
from seqgcn.datasets.hands.camera import MSRA_CAMERA
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.depth import png_header, read_depth_png, read_msra_bin, read_nyu_png
from seqgcn.exceptions import DataFileError, MissingFileError

SMALL = Camera(100.0, 100.0, 3.0, 2.0, 6, 4)
DEPTH = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2731


def grey(path: Path) -> DepthImage:
    return read_depth_png(path, camera=SMALL)


def nyu(path: Path) -> DepthImage:
    return read_nyu_png(path, camera=SMALL)


def msra(path: Path) -> DepthImage:
    return read_msra_bin(path, camera=MSRA_CAMERA)


def test_grey_png_keeps_all_16_bits(tmp_path: Path) -> None:
    image = grey(save_grey(tmp_path / "a.png", DEPTH))
    assert (image.depth.dtype, image.left, image.top) == (torch.float32, 0, 0)
    np.testing.assert_array_equal(image.depth.numpy(), DEPTH)


def test_scale_and_background(tmp_path: Path) -> None:
    path = save_grey(tmp_path / "a.png", DEPTH)
    image = read_depth_png(path, camera=SMALL, scale=0.25, background=32001)
    np.testing.assert_array_equal(image.depth.numpy(), np.where(DEPTH >= 32001, 0, DEPTH * 0.25))


def test_nyu_png_shifts_more_than_a_byte(tmp_path: Path) -> None:
    image = nyu(save_nyu(tmp_path / "a.png", DEPTH))
    assert image.depth.dtype == torch.float32
    np.testing.assert_array_equal(image.depth.numpy(), DEPTH)


def test_msra_box(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    box = np.array([[1.5, 0.0, np.nan], [-1.0, np.inf, 400.25]], np.float32)
    path.write_bytes(bin_bytes(box, left=317, top=238))
    image = msra(path)
    assert (image.left, image.top) == (317, 238)
    assert image.depth.tolist() == [[1.5, 0, 0], [0, 0, 400.25]]


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_empty_msra_box_is_a_frame_without_depth(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bin_bytes(np.empty(shape, np.float32), left=100))
    assert msra(path).depth.tolist() == [[0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 bytes, its header alone 24"),
        (bytes(23), "has 23 bytes"),
        (bin_bytes(np.ones((2, 3), np.float32))[:-1], "must have 48 bytes for a box of 3 x 2 pixels, but has 47"),
        (bin_bytes(np.ones((2, 3), np.float32)) + b"x", "must have 48 bytes .* has more"),
        (bin_bytes(np.ones((2, 3), np.float32)) + bytes(10**6), "must have 48 bytes .* has more"),
        (bin_bytes(np.ones((2, 3), np.float32), size=(640, 480)), "an image of 640 x 480 pixels, the camera's has 320"),
        (bin_bytes(np.ones((2, 3), np.float32), left=318), r"from \(318, 0\) to \(321, 2\) does not lie in the image"),
        (bin_bytes(np.ones((2, 3), np.float32), top=239), r"to \(3, 241\) does not lie"),
        (struct.pack("<6I", 320, 240, 10, 0, 5, 2), r"from \(10, 0\) to \(5, 2\) does not lie"),
        (struct.pack("<6I", 320, 240, 0, 0, 2**32 - 1, 2**32 - 1), "does not lie"),
        (struct.pack(">6I", 320, 240, 0, 0, 1, 1) + bytes(4), "the camera's has 320 x 240"),
    ],
)
def test_damaged_msra_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=message) as caught:
        msra(path)
    assert str(path) in str(caught.value)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(header: bytes, pixels: bytes, *more: bytes) -> bytes:
    chunks = chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def header(width: int = 6, height: int = 4, bits: int = 16, colour: int = 0) -> bytes:
    return struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)


BOMB = png(header(60_000, 60_000), zlib.compress(bytes(10**6)))
SECOND_HEADER = png(header(), zlib.compress(bytes(10**6)), chunk(b"IHDR", header(60_000, 60_000)))
LARGER_SECOND_HEADER = png(header(), zlib.compress(bytes(10**6)), chunk(b"IHDR", header(9_000, 9_000)))


@pytest.mark.parametrize("read", [grey, nyu])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not start like a PNG"),
        (b"\x89PNG\r\n\x1a\n", "does not start like a PNG"),
        (b"GIF89a" + bytes(100), "does not start like a PNG"),
        (BOMB, "60,000 x 60,000 pixels; no depth frame has"),
        (png(header(0, 4), b""), "0 x 4 pixels"),
        (png(header(bits=4, colour=3), b""), "is palette with 4 bits, expected"),
        (png(header(bits=7, colour=9), b""), "is of an unknown kind with 7 bits, expected"),
    ],
)
def test_damaged_png_headers(tmp_path: Path, read: Callable[[Path], DepthImage], content: bytes, message: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (png(header(), b"no zlib"), "cannot be decoded"),
        (png(header(), b""), "cannot be decoded"),
        (SECOND_HEADER, "cannot be decoded"),
        (LARGER_SECOND_HEADER, "cannot be decoded"),
        (png(header(), zlib.compress(bytes(52)), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**21)))), "decoded"),
    ],
)
def test_damaged_png_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=message):
        grey(path)


@pytest.mark.parametrize(("save", "read"), [(save_grey, grey), (save_nyu, nyu)])
def test_cut_off_png_files(
    tmp_path: Path, save: Callable[[Path, np.ndarray], Path], read: Callable[[Path], DepthImage]
) -> None:
    path = save(tmp_path / "a.png", np.random.default_rng(0).integers(0, 65536, DEPTH.shape, dtype=np.uint16))
    content, whole = path.read_bytes(), read(path).depth
    for length in range(len(content)):
        path.write_bytes(content[:length])
        try:
            # Behind the last pixel there are only checksums and the end mark.
            assert read(path).depth.equal(whole)
        except DataFileError:
            assert length < len(content) - 12


@pytest.mark.parametrize(
    ("mode", "found"),
    [("L", "gray with 8 bits"), ("RGB", "RGB with 8 bits"), ("RGBA", "RGB with transparency"), ("P", "palette")],
)
def test_other_kinds_of_png(tmp_path: Path, mode: str, found: str) -> None:
    path = tmp_path / "a.png"
    Image.new(mode, (6, 4)).save(path)
    with pytest.raises(DataFileError, match=f"is {found}.* expected gray with 16 bits a channel; it is a preview"):
        grey(path)
    if mode != "RGB":
        with pytest.raises(DataFileError, match=f"is {found}.* expected RGB with 8 bits"):
            nyu(path)


def test_other_size(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="has 5 x 4 pixels, the camera 6 x 4; a frame that was resized"):
        grey(save_grey(tmp_path / "a.png", DEPTH[:, :5]))
    with pytest.raises(DataFileError, match="has 6 x 3 pixels"):
        nyu(save_nyu(tmp_path / "a.png", DEPTH[:3]))


@pytest.mark.parametrize("read", [grey, nyu, msra, png_header])
def test_no_regular_file(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("none", "pipe", "."):
        with pytest.raises(MissingFileError, match="is missing or not a regular file"):
            read(tmp_path / name)
