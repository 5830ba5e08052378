import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_releases import RAW, SETUP, rewrite_folder, save_nyu, write_folder
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.datasets.hands.folder_files import compile_pattern
from seqgcn.exceptions import ArgumentError, DataFileError, SeqGCNWarning

quick = settings(max_examples=200, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("kind", "more"), [("tiff", ""), ("float-tiff", ""), ("npy", ""), ("raw", RAW), ("rgb-png", "format: rgb-png\n")]
)
def test_crops_of_every_format_are_those_of_png(tmp_path: Path, options: CropOptions, kind: str, more: str) -> None:
    write_folder(tmp_path / "png", {"a": 3})
    shutil.copytree(tmp_path / "png", tmp_path / "other")
    rewrite_folder(tmp_path / "other", kind)
    (tmp_path / "other/camera.yaml").write_text(SETUP + more)
    expected = DepthFolder(tmp_path / "png", "all", options=options).prepare()
    found = DepthFolder(tmp_path / "other", "all", options=options).prepare()
    assert np.array_equal(found.frames.crops, expected.frames.crops)
    assert found.labelled.all()


def test_floats_in_meters_need_a_scale(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 3})
    for path in list(tmp_path.rglob("*.png")):
        np.save(path.with_suffix(".npy"), np.asarray(Image.open(path)).astype(np.float32) / 2000)
        path.unlink()
    (tmp_path / "labels.csv").unlink()
    (tmp_path / "camera.yaml").write_text(SETUP.replace("depth_scale: 0.5\n", ""))
    with pytest.raises(
        DataFileError, match=r"a/1\.npy: .* looks like meters; .*1000.*; set depth_scale in camera\.yaml"
    ):
        DepthFolder(tmp_path, "all")
    (tmp_path / "camera.yaml").write_text(SETUP.replace("depth_scale: 0.5", "depth_scale: 1000"))
    assert float(DepthFolder(tmp_path, "all").depth(0).depth.max()) > 100


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("format: exr\n", "format must be one of 'png', .*'raw'.*exr"),
        ("format: raw\n", "format: raw needs shape and dtype, such as shape"),
        ("shape: [120, 160]\n", "shape goes with format: raw"),
        (RAW.replace("[120, 160]", "120"), r"shape must be rows and columns, such as \[480, 640\], got 120"),
        (RAW.replace("120, 160", "0, 160"), "shape must be a whole number of at least 1, got 0"),
        (RAW.replace("120, 160", "99999, 99999"), "shape must be that of a depth frame, got 99999 x 99999"),
        (RAW.replace("uint16", "uint8"), "dtype must be one of 'uint16', .*uint8"),
        (RAW.replace("uint16", "[uint16]"), "dtype must be one of"),
        (RAW, "has no .bin/.raw file"),
        ("format: npy\n", "has no .npy file"),
    ],
)
def test_formats_that_do_not_fit(tmp_path: Path, more: str, message: str) -> None:
    write_folder(tmp_path, {"a": 2})
    (tmp_path / "camera.yaml").write_text(SETUP + more)
    with pytest.raises(DataFileError, match=message):
        DepthFolder(tmp_path, "all")


def test_raw_files_must_be_described(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 2})
    rewrite_folder(tmp_path, "raw")
    with pytest.raises(DataFileError, match=r"files such as a/1\.bin that may be raw frames; .*format: raw, shape"):
        DepthFolder(tmp_path, "all")


@pytest.mark.parametrize(
    ("video", "command"),
    [
        ("a.bag", r"rs-convert -d -i a\.bag -r a/"),
        ("b/c.MKV", r"ffmpeg -i b/c\.MKV -map 0:1"),
        ("a.oni", "OpenNI2"),
        ("a.mp4", r"ffmpeg -i a\.mp4"),
        ("a.avi", r"ffmpeg -i a\.avi"),
    ],
)
def test_videos_are_refused_with_the_command_that_unpacks_them(tmp_path: Path, video: str, command: str) -> None:
    (tmp_path / "camera.yaml").write_text(SETUP)
    (tmp_path / video).parent.mkdir(exist_ok=True)
    (tmp_path / video).write_bytes(b"video")
    with pytest.raises(DataFileError, match=f"has the video {video} and no frames; .*{command}"):
        DepthFolder(tmp_path, "all")


def test_a_video_of_depth_beside_frames_is_said(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 2})
    (tmp_path / "color.mp4").write_bytes(b"video")
    assert len(DepthFolder(tmp_path, "all")) == 2
    (tmp_path / "b.bag").write_bytes(b"video")
    with pytest.warns(SeqGCNWarning, match=r"the video b\.bag is not read; .*rs-convert"):
        assert len(DepthFolder(tmp_path, "all")) == 2


def realsense(root: Path) -> None:
    """`depth` beside `color` in each of two sequences."""
    write_folder(root, {"seq1/depth": 3, "seq2/depth": 2})
    for sequence in ("seq1", "seq2"):
        save_nyu(root / sequence / "color/1.png", np.zeros((120, 160), np.uint16))


def test_a_pattern_says_which_files_are_frames(tmp_path: Path, options: CropOptions) -> None:
    realsense(tmp_path)
    with pytest.raises(
        DataFileError, match=r"seq1/color/1\.png is no 16-bit gray PNG .*dataset\.depth='\*/depth/\*\.png'"
    ):
        DepthFolder(tmp_path, "all")
    dataset = DepthFolder(tmp_path, "all", depth="*/depth/*.png", options=options).prepare()
    assert dataset.files == [*(f"seq1/depth/{i}.png" for i in (1, 2, 3)), *(f"seq2/depth/{i}.png" for i in (1, 2))]
    assert dataset.sequence_names == ("seq1/depth", "seq2/depth")
    assert dataset.labelled.all()
    pool = DepthFolder.splits(root=str(tmp_path), depth="**/depth/*.png", cache=options.cache)
    assert pool.every_frame().files == dataset.files
    assert set(pool.train.files) | set(pool.test.files) == set(dataset.files)


@pytest.mark.parametrize(
    ("pattern", "kind", "message"),
    [
        (
            "*/depht/*.png",
            DataFileError,
            r"no frame matches dataset\.depth='\*/depht/\*\.png'; one that is there is seq1/color",
        ),
        ("../*.png", ArgumentError, r"depth must be a pattern .* got '\.\./\*\.png'"),
        ("/data/*.png", ArgumentError, "does not lead out of it, got '/data"),
        ("~/*.png", ArgumentError, "got '~/"),
        ("C:/*.png", ArgumentError, "got 'C:/"),
        ("seq1\\depth\\*.png", ArgumentError, "with /"),
        ("seq1//*.png", ArgumentError, "got 'seq1//"),
        (" ", ArgumentError, "got ' '"),
        (3, ArgumentError, "got 3"),
    ],
)
def test_patterns_that_find_nothing_or_lead_out(
    tmp_path: Path, pattern: Any, kind: type[Exception], message: str
) -> None:
    realsense(tmp_path)
    with pytest.raises(kind, match=message):
        DepthFolder(tmp_path, "all", depth=pattern)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*/depth/*.png", "a/depth/1.png", True),
        ("*/depth/*.png", "a/b/depth/1.png", False),
        ("*/depth/*.png", "depth/1.png", False),
        ("**/depth/*.png", "depth/1.png", True),
        ("**/depth/*.png", "a/b/depth/1.png", True),
        ("**/*.png", "1.png", True),
        ("**", "a/1.png", True),
        ("a?/*_depth.png", "a1/0_depth.png", True),
        ("a?/*_depth.png", "a12/0_depth.png", False),
        ("[a]/*.png", "a/1.png", False),
        ("[a]/*.png", "[a]/1.png", True),
        ("*.png", "a/1.png", False),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert bool(compile_pattern(pattern).fullmatch(path)) == matches


@quick
@given(st.text(st.sampled_from("a*?/.["), min_size=1, max_size=12), st.text(st.sampled_from("ab/.["), max_size=30))
def test_a_pattern_takes_no_time_and_leads_nowhere_else(pattern: str, path: str) -> None:
    try:
        compiled = compile_pattern(pattern)
    except ArgumentError:
        return
    compiled.fullmatch(path)
    if "*" not in pattern and "?" not in pattern:
        assert compiled.fullmatch(pattern)


def test_arrays_of_depth_beside_color_pictures_are_named(tmp_path: Path) -> None:
    (tmp_path / "camera.yaml").write_text(SETUP)
    save_nyu(tmp_path / "a/1.png", np.zeros((120, 160), np.uint16))
    np.save(tmp_path / "a/1.npy", np.full((120, 160), 800, np.uint16))
    with pytest.raises(DataFileError, match=r"a/1\.png is no 16-bit .*files of npy too, .*format: npy in camera"):
        DepthFolder(tmp_path, "all")
    (tmp_path / "camera.yaml").write_text(SETUP + "format: npy\n")
    assert DepthFolder(tmp_path, "all").files == ["a/1.npy"]
