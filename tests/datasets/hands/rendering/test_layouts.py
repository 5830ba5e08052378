"""Each layout is read back with a few lines that know the release's grammar and nothing of this package's loaders."""

import csv
import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.io import loadmat

from seqgcn.datasets.hands.rendering import write_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("layouts")
    sizes = {"icvl": (13, 3), "nyu": (7, 2), "msra": (21, 10), "hands17": (6, 2), "depth-folder": (6, 2)}
    for layout, (frames, sequences) in sizes.items():
        write_dataset(home / layout, layout, frames=frames, sequences=sequences, seed=5)
    return home


def png16(path: Path) -> np.ndarray:
    header = path.read_bytes()[16:26]
    assert header[8:] == bytes([16, 0]), "16 bits a pixel, gray"
    return np.asarray(Image.open(path)).astype(int)


def assert_hand_at(depth: np.ndarray, uvd: np.ndarray, background: tuple[int, ...] = (0,)) -> None:
    """Most joints' pixels show flesh in front of the joint, by at most a hand."""
    u, v = (np.rint(uvd[:, i]).astype(int) for i in (0, 1))
    seen = depth[v, u]
    flesh = ~np.isin(seen, (0, *background))
    assert flesh.mean() > 0.7
    # NYU's and ICVL's points need not be in the middle of flesh; noise is 2 mm.
    assert ((uvd[:, 2] - seen)[flesh] > -6).all()
    assert ((uvd[:, 2] - seen)[flesh] < 160).all()


def test_icvl(folder: Any) -> None:
    rows = (folder / "icvl/Training/labels.txt").read_bytes().decode().split("\n")
    assert rows.pop() == ""
    assert len(rows) == 13
    frames = {}
    for row in rows:
        path, *numbers = row.split(" ")
        frames[f"Training/Depth/{path}"] = np.array(numbers, float).reshape(16, 3)
    names = [path.split("/")[2] for path in frames]
    assert [names.count(name) for name in dict.fromkeys(names)] == [5, 4, 4]
    assert all(len(name) > 6 for name in names)
    for number in (1, 2):
        text = (folder / f"icvl/Testing/test_seq_{number}.txt").read_bytes().decode()
        assert text.endswith(" \r\r\n")
        lines = text.split(" \r\r\n")[:-1]
        assert len(lines) == 2
        for i, line in enumerate(lines):
            path, *numbers = line.split(" ")
            assert path == f"test_seq_{number}/image_{i:04d}.png"
            frames[f"Testing/Depth/{path}"] = np.array(numbers, float).reshape(16, 3)
    backgrounds = set()
    for path, uvd in frames.items():
        depth = png16(folder / "icvl" / path)
        assert depth.shape == (240, 320)
        backgrounds.add(depth[0, 0])
        assert_hand_at(depth, uvd, (32001,))
    assert backgrounds == {0, 32001}
    assert len(list((folder / "icvl").rglob("*.png"))) == len(frames)


@pytest.mark.parametrize(("part", "count"), [("train", 7), ("test", 2)])
def test_nyu(folder: Any, part: str, count: int) -> None:
    home = folder / "nyu" / part
    mat = loadmat(home / "joint_data.mat")
    assert mat["joint_xyz"].shape == mat["joint_uvd"].shape == (3, count, 36, 3)
    assert len(mat["joint_names"].ravel()) == 36
    assert sorted(path.name for path in home.iterdir()) == [
        *(f"depth_1_{i:07d}.png" for i in range(1, count + 1)),
        "joint_data.mat",
    ]
    xyz, uvd = mat["joint_xyz"][0], mat["joint_uvd"][0]
    assert np.allclose(uvd[..., 0], 320 + 588.036865 * xyz[..., 0] / xyz[..., 2], atol=1e-3)
    assert np.allclose(uvd[..., 1], 240 - 587.075073 * xyz[..., 1] / xyz[..., 2], atol=1e-3)
    for i in range(count):
        image = Image.open(home / f"depth_1_{i + 1:07d}.png")
        assert (image.mode, image.size) == ("RGB", (640, 480))
        pixels = np.asarray(image).astype(int)
        assert_hand_at((pixels[..., 1] << 8) | pixels[..., 2], uvd[i])


def test_msra(folder: Any) -> None:
    homes = sorted(path.parent.relative_to(folder / "msra").as_posix() for path in (folder / "msra").rglob("joint.txt"))
    assert homes == ["P0/1", "P0/2", "P1/1", "P1/2", "P2/1", "P2/2", *(f"P{subject}/1" for subject in range(3, 9))]
    frames = 0
    for home in homes:
        count, *rows = (folder / "msra" / home / "joint.txt").read_text().splitlines()
        assert int(count) == len(rows)
        for i, row in enumerate(rows):
            xyz = np.array(row.split(), float).reshape(21, 3)
            assert (xyz[:, 2] < 0).all()
            content = (folder / "msra" / home / f"{i:06d}_depth.bin").read_bytes()
            width, height, left, top, right, bottom = struct.unpack("<6I", content[:24])
            assert (width, height) == (320, 240)
            box = np.frombuffer(content[24:], "<f4").reshape(bottom - top, right - left)
            # The box is as small as can be.
            assert all(side.any() for side in (box[0], box[-1], box[:, 0], box[:, -1]))
            depth = np.zeros((240, 320))
            depth[top:bottom, left:right] = box
            z = -xyz[:, 2]
            u, v = 160 + 241.42 * xyz[:, 0] / z, 120 - 241.42 * xyz[:, 1] / z
            assert_hand_at(depth, np.column_stack((u, v, z)))
            frames += 1
    assert frames == 21 + 7


def test_hands17(folder: Any) -> None:
    rows = (folder / "hands17/Training_Annotation.txt").read_text().splitlines()
    assert len(rows) == 6
    for row in rows:
        name, *numbers = row.split("\t")
        xyz = np.array(numbers, float).reshape(21, 3)
        u = 315.944855 + 475.065948 * xyz[:, 0] / xyz[:, 2]
        v = 245.287079 + 475.065857 * xyz[:, 1] / xyz[:, 2]
        depth = png16(folder / "hands17/images" / name)
        assert depth.shape == (480, 640)
        assert_hand_at(depth, np.column_stack((u, v, xyz[:, 2])))
        # Wrist, five knuckles, then the three other joints of each finger.
        assert np.linalg.norm(xyz[7] - xyz[6]) < 40
        assert np.linalg.norm(xyz[2] - xyz[9]) == pytest.approx(43, rel=0.25)


def test_depth_folder(folder: Any) -> None:
    home = folder / "depth-folder"
    about = yaml.safe_load((home / "camera.yaml").read_text())
    assert list(about) == ["fx", "fy", "cx", "cy", "depth_scale", "hand", "cube", "joints", "bones"]
    assert about["hand"] == "right"
    assert len(about["joints"]) == 21
    assert all(0 <= joint < 21 for bone in about["bones"] for joint in bone)
    with open(home / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["frame", "wrist x", "wrist y", "wrist z"]
    assert len(rows) == 6
    assert {row["frame"].split("/")[0] for row in rows} == {"sequence_001", "sequence_002"}
    for row in rows:
        xyz = np.array([[float(row[f"{joint} {axis}"]) for axis in "xyz"] for joint in about["joints"]])
        u = about["cx"] + about["fx"] * xyz[:, 0] / xyz[:, 2]
        v = about["cy"] + about["fy"] * xyz[:, 1] / xyz[:, 2]
        depth = png16(home / row["frame"]) * about["depth_scale"]
        assert_hand_at(depth, np.column_stack((u, v, xyz[:, 2])))


def test_msras_subjects_fit_into_their_cubes(folder: Any) -> None:
    lengths = {}
    for subject in (1, 8):
        row = (folder / f"msra/P{subject}/1/joint.txt").read_text().splitlines()[1]
        xyz = np.array(row.split(), float).reshape(21, 3)
        lengths[subject] = np.linalg.norm(xyz[5] - xyz[0])
    assert lengths[8] / lengths[1] == pytest.approx(150 / 200, rel=0.1)


@pytest.mark.parametrize("layout", ["icvl", "nyu", "msra", "hands17", "depth-folder"])
def test_the_same_seed_writes_the_same_frames(folder: Any, tmp_path: Path, layout: str) -> None:
    def digests(home: Path) -> dict[str, str]:
        files = (path for path in home.rglob("*") if path.is_file())
        return {path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    frames, sequences = {"icvl": (13, 3), "nyu": (7, 2), "msra": (21, 10)}.get(layout, (6, 2))
    again = write_dataset(tmp_path / "again", layout, frames=frames, sequences=sequences, seed=5)
    other = write_dataset(tmp_path / "other", layout, frames=frames, sequences=sequences, seed=6)
    first = digests(folder / layout)
    assert digests(again) == first
    assert digests(other).keys() == first.keys()
    # All but the description of the camera.
    assert sum(digest == first[name] for name, digest in digests(other).items()) == (layout == "depth-folder")
