import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgcn.datasets.hands.camera_info import is_camera_info, read_camera_info
from seqgcn.exceptions import DataFileError

ROS = """\
image_width: 640
image_height: 480
camera_name: depth
camera_matrix: {rows: 3, cols: 3, data: [570.3, 0.0, 314.5, 0.0, 571.2, 235.5, 0.0, 0.0, 1.0]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.25, 0.0, 0.0, 0.0, 0.0]}
"""
ECHOED = """\
header: {seq: 1, frame_id: depth}
height: 480
width: 640
D: [0.0, 0.0, 0.0, 0.0, 0.0]
K: [570.3, 0.0, 314.5, 0.0, 571.2, 235.5, 0.0, 0.0, 1.0]
---
height: 480
width: 640
K: [1, 0, 1, 0, 1, 1, 0, 0, 1]
---
"""
NUMBERS = {"width": 640, "height": 480, "fx": 570.3, "fy": 571.2}
REALSENSE = {**NUMBERS, "ppx": 314.5, "ppy": 235.5, "model": "distortion.brown_conrady", "coeffs": [0, 0, 0, 0, 0]}
BOTH = {"color": {**REALSENSE, "fx": 900.0}, "depth": REALSENSE}
OPEN3D = {"width": 640, "height": 480, "intrinsic_matrix": [570.3, 0, 0, 0, 571.2, 0, 314.5, 235.5, 1]}
NESTED = {"intrinsics": {"K": [[570.3, 0, 314.5], [0, 571.2, 235.5], [0, 0, 1]], "width": 640, "height": 480}}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("camera_info.yaml", ROS),
        ("camera_info.yml", ECHOED),
        ("depth_camera_info.json", REALSENSE),
        ("intrinsics.json", BOTH),
        ("camera_intrinsic.json", OPEN3D),
        ("intrinsics.json", NESTED),
        ("camera_info.json", {**NUMBERS, "cx": 314.5, "cy": 235.5}),
    ],
)
def test_cameras_of_other_programs(tmp_path: Path, name: str, content: Any) -> None:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    assert is_camera_info(name)
    lens = read_camera_info(path)
    assert lens[:4] == (570.3, 571.2, 314.5, 235.5)
    assert (lens.size, lens.path) == ((640, 480), path)
    assert lens.distortion == (0.25 if content == ROS else 0)


@pytest.mark.parametrize(
    "name",
    [
        "camera.yaml",
        "labels.csv",
        "scores.json",
        "camera_information.txt",
        "info.yaml",
        "rgb_camera_info.yaml",
        "ir_intrinsics.json",
    ],
)
def test_other_files_are_none(name: str) -> None:
    assert not is_camera_info(name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "has no intrinsics of one camera"),
        ("[1, 2]", "has no intrinsics of one camera"),
        (json.dumps({"left": REALSENSE, "right": REALSENSE}), "no intrinsics of one camera"),
        ("{", "cannot be read as JSON"),
        ('{"a":' * 20_000, "cannot be read as JSON"),
        ('{"a":' * 500 + "1" + "}" * 500, "no intrinsics of one camera"),
        (json.dumps({**REALSENSE, "fx": 0.9}), r"fx must be a number in \[1"),
        (json.dumps({**REALSENSE, "ppx": None}), "cx must be a number"),
        (json.dumps({**REALSENSE, "width": 6.4}), "width must be a whole number"),
        (json.dumps({**REALSENSE, "height": None}), "height must be a whole number"),
        (json.dumps({**REALSENSE, "ppx": 700}), r"the principal point \(700, 235\.5\) lies outside"),
        (json.dumps({"K": [1, 2, 3]}), "K must be 9 numbers"),
        (json.dumps({"K": "none"}), "K must be 9 numbers"),
    ],
)
def test_files_that_are_no_camera(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "camera_info.json").write_text(content)
    with pytest.raises(DataFileError, match=message) as caught:
        read_camera_info(tmp_path / "camera_info.json")
    assert "camera_info.json" in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.sampled_from([*REALSENSE, "K", "D", "x"]), inner),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(json_values, st.sampled_from([".json", ".yaml"]))
def test_any_values_are_a_camera_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, values: Any, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("camera") / f"camera_info{suffix}"
    path.write_text(json.dumps(values))
    try:
        lens = read_camera_info(path)
    except DataFileError:
        return
    assert min(lens.fx, lens.fy) >= 1
