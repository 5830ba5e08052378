import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hand_releases import save_grey, save_nyu
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seqgcn.datasets.hands import Camera
from seqgcn.datasets.hands.frame_files import (
    NUMBERS,
    FrameFormat,
    doubtful_unit,
    frame_size,
    how_to_unpack,
    read_frame,
)
from seqgcn.exceptions import DataFileError, SeqGCNError

CAMERA = Camera(100.0, 100.0, 3.0, 2.0, 6, 4)
DEPTH = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2731
METERS = np.arange(24, dtype=np.float32).reshape(4, 6) / 16


def save_npy(path: Path, depth: Any) -> Path:
    np.save(path, depth)
    return path


def save_tiff(path: Path, depth: Any, **options: Any) -> Path:
    Image.fromarray(depth).save(path, **options)
    return path


def save_raw(path: Path, depth: Any) -> Path:
    path.write_bytes(depth.tobytes())
    return path


WRITERS: dict[str, tuple[Callable[[Path], Path], FrameFormat, Any]] = {
    "png": (lambda p: save_grey(p / "a.png", DEPTH), FrameFormat("png"), DEPTH),
    "png in half millimeters": (lambda p: save_grey(p / "a.png", DEPTH), FrameFormat("png", 0.5), DEPTH / 2),
    "rgb-png": (lambda p: save_nyu(p / "a.png", DEPTH), FrameFormat("rgb-png"), DEPTH),
    "tiff": (lambda p: save_tiff(p / "a.tif", DEPTH), FrameFormat("tiff"), DEPTH),
    "packed tiff": (lambda p: save_tiff(p / "a.tiff", DEPTH, compression="tiff_lzw"), FrameFormat("tiff"), DEPTH),
    "tiff in meters": (lambda p: save_tiff(p / "a.tiff", METERS), FrameFormat("tiff", 1000), METERS * 1000),
    "npy": (lambda p: save_npy(p / "a.npy", DEPTH), FrameFormat("npy"), DEPTH),
    "npy in meters": (lambda p: save_npy(p / "a.npy", METERS.astype(float)), FrameFormat("npy", 1000), METERS * 1000),
    "npy by column": (lambda p: save_npy(p / "a.npy", np.asfortranarray(METERS)), FrameFormat("npy"), METERS),
    "npy with a channel": (lambda p: save_npy(p / "a.npy", METERS[..., None]), FrameFormat("npy"), METERS),
    "npy, highest byte first": (lambda p: save_npy(p / "a.npy", DEPTH.astype(">u2")), FrameFormat("npy"), DEPTH),
    "raw": (lambda p: save_raw(p / "a.bin", DEPTH), FrameFormat("raw", 1.0, (4, 6), "uint16"), DEPTH),
    "raw, highest byte first": (
        lambda p: save_raw(p / "a.bin", DEPTH.astype(">u2")),
        FrameFormat("raw", 1.0, (4, 6), ">uint16"),
        DEPTH,
    ),
    "raw floats": (lambda p: save_raw(p / "a.raw", METERS), FrameFormat("raw", 1000, (4, 6), "float32"), METERS * 1000),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_millimeters(tmp_path: Path, kind: str) -> None:
    write, form, expected = WRITERS[kind]
    path = write(tmp_path)
    assert frame_size(path, form) == (6, 4)
    image = read_frame(path, camera=CAMERA, form=form)
    assert image.depth.dtype == torch.float32
    np.testing.assert_allclose(image.depth.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("order", ["", ">"])
def test_raw_numbers(tmp_path: Path, number: str, order: str) -> None:
    values = np.array([[400, 7]]).astype(np.dtype(number).newbyteorder(order or "<"))
    path = save_raw(tmp_path / "a.bin", values)
    form = FrameFormat("raw", 1.0, (1, 2), order + number)
    assert read_frame(path, camera=Camera(1, 1, 0, 0, 2, 1), form=form).depth.tolist() == [[400, 7]]


def test_what_is_no_depth_is_nothing_measured(tmp_path: Path) -> None:
    values = np.array([[np.nan, np.inf, -np.inf, -1.0, 1e30, 0.4]], np.float64)
    path = save_npy(tmp_path / "a.npy", values)
    image = read_frame(path, camera=Camera(1, 1, 0, 0, 6, 1), form=FrameFormat("npy", 1000))
    assert image.depth.tolist() == [[0, 0, 0, 0, 0, 400]]


def npy(header: str, content: bytes = b"", version: bytes = b"\1\0") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header.encode("latin1") + content


HUGE = "{'descr': '<f4', 'fortran_order': False, 'shape': (60000, 60000)}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not start as NumPy's files do"),
        (b"\x93NUMPY\1\0\xff\xff", "cut off in its header"),
        (npy("[" * 200 + "]" * 200), "cannot be read as NPY"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (4, 6)}"), "it holds object, not numbers"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 6)}", bytes(24)), "holds uint8, not numbers of 16"),
        (npy("{'descr': '<c8', 'fortran_order': False, 'shape': (4, 6)}"), "holds complex64"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4, 6)}"), r"its shape is \(3, 4, 6\), not rows"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 6)}"), "not rows and columns"),
        (npy(HUGE), "60,000 x 60,000 pixels; no depth frame has"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6, 4)}"), "has 4 x 6 pixels, the camera 6 x 4"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 6)}", bytes(95)), "must have 96 bytes .* has 95"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 6)}", bytes(999)), "must have 96 bytes .* more"),
        (npy("__import__('os').getpid()"), "cannot be read as NPY"),
    ],
)
def test_damaged_npy(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=message) as caught:
        read_frame(path, camera=CAMERA, form=FrameFormat("npy"))
    assert str(path) in str(caught.value)


def test_raw_files_of_another_length(tmp_path: Path) -> None:
    form = FrameFormat("raw", 1.0, (4, 6), "uint16")
    for size, there in ((0, "0"), (47, "47"), (49, "more"), (10**6, "more")):
        (tmp_path / "a.bin").write_bytes(bytes(size))
        with pytest.raises(
            DataFileError, match=rf"a\.bin must have 48 bytes for 4 rows of 6 .* has {there}; check shape"
        ):
            frame_size(tmp_path / "a.bin", form)


def test_other_tiffs(tmp_path: Path) -> None:
    form = FrameFormat("tiff")
    with pytest.raises(DataFileError, match="pixels of the kind RGB, expected one band"):
        frame_size(save_tiff(tmp_path / "rgb.tif", np.zeros((4, 6, 3), np.uint8)), form)
    with pytest.raises(DataFileError, match="pixels of the kind L"):
        read_frame(save_tiff(tmp_path / "l.tif", np.zeros((4, 6), np.uint8)), camera=CAMERA, form=form)
    pages = [Image.fromarray(DEPTH)] * 3
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(DataFileError, match="holds 3 pictures; write each into a file of its own"):
        frame_size(tmp_path / "stack.tif", form)
    with pytest.raises(DataFileError, match="has 7 x 4 pixels, the camera 6 x 4"):
        read_frame(save_tiff(tmp_path / "wide.tif", np.zeros((4, 7), np.uint16)), camera=CAMERA, form=form)
    save_grey(tmp_path / "png.png", DEPTH).rename(tmp_path / "png.tif")
    with pytest.raises(DataFileError, match="is no TIFF, or damaged"):
        frame_size(tmp_path / "png.tif", form)


def test_a_tiff_that_says_it_is_huge(tmp_path: Path) -> None:
    path = save_tiff(tmp_path / "a.tif", DEPTH)
    content = path.read_bytes()
    # Width and height are entries 256 and 257 of its directory: tag, kind (16 or 32 bits), count, value.
    for tag, side in ((256, 6), (257, 4)):
        there = next(entry for kind in (3, 4) if (entry := struct.pack("<HHII", tag, kind, 1, side)) in content)
        content = content.replace(there, struct.pack("<HHII", tag, 4, 1, 9_000))
    path.write_bytes(content)
    for look in (
        lambda: frame_size(path, FrameFormat("tiff")),
        lambda: read_frame(path, camera=CAMERA, form=FrameFormat("tiff")),
    ):
        with pytest.raises(DataFileError, match=r"a\.tif is said to have 9,000 x 9,000 pixels; no depth frame has"):
            look()


def test_pictures_of_another_kind_name_the_way_out(tmp_path: Path) -> None:
    path = save_nyu(tmp_path / "a.png", DEPTH)
    with pytest.raises(DataFileError, match=r"is no 16-bit gray PNG but RGB with 8 bits.*dataset\.depth.*rgb-png"):
        frame_size(path, FrameFormat("png"))
    with pytest.raises(DataFileError, match=r"is no 8-bit RGB PNG but gray with 16 bits"):
        frame_size(save_grey(tmp_path / "b.png", DEPTH), FrameFormat("rgb-png"))


@pytest.mark.parametrize(
    ("depth", "scale", "message"),
    [
        (METERS + 0.3, 1.0, "0.372 to 1.67 mm with depth_scale 1, which looks like meters.*1000, if units are 1 m"),
        (DEPTH.astype(np.float32) / 1000, 0.001, "nearer than a camera sees.*: 1, if units are 0.001 m"),
        (DEPTH.astype(np.float32) * 1000, 1000.0, "farther than a hand is seen"),
        (np.full((4, 6), 400, np.float32), 1.0, ""),
        (np.zeros((4, 6), np.float32), 1.0, ""),
        (np.where(np.eye(4, 6) > 0, 65535, 500).astype(np.float32), 1.0, ""),
    ],
)
def test_units_that_no_camera_has(depth: Any, scale: float, message: str) -> None:
    found = doubtful_unit(depth.astype(np.float32), scale)
    assert bool(found) == bool(message)
    if message:
        assert re.search(message, found)


def test_how_videos_are_unpacked() -> None:
    assert how_to_unpack("a/b.mkv").startswith("ffmpeg -i a/b.mkv -map 0:1 -vsync 0 a/b/%06d.png")
    assert how_to_unpack("b.BAG").startswith("rs-convert -d -i b.BAG -r b/")
    assert "cv2.VideoCapture('b.oni', cv2.CAP_OPENNI2)" in how_to_unpack("b.oni")
    assert "16 bits and no loss" in how_to_unpack("b.mp4")


quick = settings(max_examples=60, deadline=None, derandomize=True)


@pytest.mark.parametrize("kind", WRITERS)
@quick
@given(
    edits=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 4)), min_size=1, max_size=4),
    share=st.floats(0, 1),
)
def test_damaged_files_give_depths_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, kind: str, edits: list[tuple[float, bytes, int]], share: float
) -> None:
    write, form, _ = WRITERS[kind]
    path = write(tmp_path_factory.mktemp("damaged"))
    content = bytearray(path.read_bytes())
    for where, new, old in edits:
        place = int(where * len(content))
        content[place : place + old] = new
    path.write_bytes(content[: max(int(share * len(content)), 1)] if share < 0.5 else content)
    try:
        frame_size(path, form)
        depth = read_frame(path, camera=CAMERA, form=form).depth
    except SeqGCNError as error:
        depth, named = torch.zeros(4, 6), str(path) in str(error)
    else:
        named = True
    assert named
    assert depth.shape == (4, 6)
    assert depth.isfinite().all()
    assert (depth >= 0).all()
