"""Small hand pose data sets written in the grammars of the releases, with discs of depth for hands."""

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import scipy.io
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from seqgcn.datasets.hands.camera import BIGHAND_CAMERA, ICVL_CAMERA, MSRA_CAMERA, NYU_CAMERA, Camera

Depth = NDArray[np.uint16]

RECORDED, ROTATED = "201403121135", "22-5"


def poses(n: int, joints: int, camera: Camera, seed: int = 0) -> Tensor:
    """World points near the middle of the image, `[n, joints, 3]` mm, in this package's axes."""
    draw = torch.Generator().manual_seed(seed)
    centre = torch.rand(n, 1, 3, generator=draw) * 40 + torch.tensor([-20.0, -20.0, 400.0])
    spread = torch.rand(n, joints, 3, generator=draw) * 80 - 40
    points = (centre + spread).double()
    uvd = camera.to_image(points)
    # As the releases' files have them: a few digits.
    return camera.to_world(uvd.round(decimals=3)).float()


def disc(camera: Camera, centre: Tensor, radius: float = 40.0, background: int = 0) -> Depth:
    """A frame with a disc of one depth around a world point; radius in mm."""
    u, v, d = camera.to_image(centre.double()).tolist()
    rows, columns = np.mgrid[: camera.height, : camera.width]
    near = ((columns - u) / camera.fx) ** 2 + ((rows - v) / camera.fy) ** 2 < (radius / d) ** 2
    return np.where(near, round(d), background).astype(np.uint16)


def save_grey(path: Path, depth: Depth) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(depth).save(path)
    return path


def save_nyu(path: Path, depth: Depth) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    red = np.full_like(depth, 77)
    Image.fromarray(np.stack([red, depth >> 8, depth & 255], axis=2).astype(np.uint8)).save(path)
    return path


def bin_bytes(depth: NDArray[np.float32], left: int = 0, top: int = 0, size: tuple[int, int] = (320, 240)) -> bytes:
    height, width = depth.shape
    return struct.pack("<6I", *size, left, top, left + width, top + height) + depth.astype("<f4").tobytes()


def save_bin(path: Path, depth: Depth) -> Path:
    rows, columns = np.nonzero(depth)
    top, left = int(rows.min()), int(columns.min())
    box = depth[top : rows.max() + 1, left : columns.max() + 1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bin_bytes(box.astype(np.float32), left, top))
    return path


def row(points: Tensor, separator: str = " ") -> str:
    return separator.join(f"{value:.4f}" for value in points.flatten().tolist())


def write_icvl(
    root: Path, *, recorded: int = 4, rotated: int = 2, tests: tuple[int, int] = (3, 2)
) -> dict[str, Tensor]:
    """Both parts, with the line ends of the release; returns the pose of each frame by its path."""
    parts = [
        ("Training/labels.txt", "Training/Depth", RECORDED, recorded, "\n"),
        ("Training/labels.txt", "Training/Depth", ROTATED, rotated, "\n"),
        ("Testing/test_seq_1.txt", "Testing/Depth", "test_seq_1", tests[0], " \r\r\n"),
        ("Testing/test_seq_2.txt", "Testing/Depth", "test_seq_2", tests[1], " \r\r\n"),
    ]
    found: dict[str, Tensor] = {}
    for seed, (labels, folder, sequence, count, end) in enumerate(parts):
        (root / folder).mkdir(parents=True, exist_ok=True)
        with open(root / labels, "a", newline="") as file:
            for i, pose in enumerate(poses(count, 16, ICVL_CAMERA, seed)):
                name = f"{sequence}/image_{i:04d}.png"
                file.write(f"{name} {row(ICVL_CAMERA.to_image(pose))}{end}")
                save_grey(root / folder / name, disc(ICVL_CAMERA, pose.mean(dim=0), background=(0, 32001)[i % 2]))
                found[f"{folder}/{name}"] = pose
    return found


def write_nyu(root: Path, counts: dict[str, int], *, images: Sequence[int] | None = None, views: int = 3) -> Tensor:
    """Parts with `joint_data.mat`; only some frames have a file, to be quick. Returns the poses of the last part."""
    pose = torch.empty(0)
    for seed, (split, count) in enumerate(counts.items()):
        pose = poses(count, 36, NYU_CAMERA, seed)
        release = NYU_CAMERA.to_release(pose.double()).numpy()
        # Other cameras see other points.
        xyz = np.stack([release + 1000 * view * np.array([0, 0, 1]) for view in range(views)])
        (root / split).mkdir(parents=True, exist_ok=True)
        names = np.array([f"joint {i}" for i in range(36)], object)
        scipy.io.savemat(root / split / "joint_data.mat", {"joint_names": names, "joint_xyz": xyz, "joint_uvd": xyz})
        for i in range(count) if images is None else images:
            save_nyu(root / split / f"depth_1_{i + 1:07d}.png", disc(NYU_CAMERA, pose[i].mean(dim=0)))
    return pose


def write_msra(root: Path, counts: dict[str, int]) -> dict[str, Tensor]:
    """Sequences such as `P0/5` of so many frames; returns the poses of each."""
    found: dict[str, Tensor] = {}
    for seed, (sequence, count) in enumerate(counts.items()):
        folder = root / sequence
        folder.mkdir(parents=True)
        found[sequence] = poses(count, 21, MSRA_CAMERA, seed)
        lines = [str(count), *(row(MSRA_CAMERA.to_release(pose)) for pose in found[sequence])]
        (folder / "joint.txt").write_text("\r\n".join(lines) + "\r\n", newline="")
        for i, pose in enumerate(found[sequence]):
            save_bin(folder / f"{i:06d}_depth.bin", disc(MSRA_CAMERA, pose.mean(dim=0)))
    return found


def write_bighand(root: Path, n: int, *, labels: str = "Training_Annotation.txt", images: str = "images") -> Tensor:
    found = poses(n, 21, BIGHAND_CAMERA)
    (root / images).mkdir(parents=True, exist_ok=True)
    frame = save_grey(root / images / "image_D00000001.png", disc(BIGHAND_CAMERA, found[0].mean(dim=0)))
    for i in range(2, n + 1):
        (root / images / f"image_D{i:08d}.png").write_bytes(frame.read_bytes())
    separator = "\t" if labels[0] == "T" else " "
    lines = [f"image_D{i:08d}.png{separator}{row(pose, separator)}\n" for i, pose in enumerate(found, start=1)]
    (root / labels).write_text("".join(lines))
    return found


FOLDER_CAMERA = Camera(200.0, 210.0, 80.0, 60.0, 160, 120)
SETUP = """\
fx: 200.0
fy: 210
cx: 80
cy: 60
cube: 250
depth_scale: 0.5
joints: [palm, thumb tip, index tip]
bones: [[palm, thumb tip], [0, 2]]
"""
JOINTS = ("palm", "thumb tip", "index tip")


def write_folder(root: Path, sequences: dict[str, int], *, labelled: Sequence[str] | None = None) -> dict[str, Tensor]:
    """Sequences of so many frames named 1.png, 2.png, ...; returns the poses of the labeled ones."""
    found: dict[str, Tensor] = {}
    root.mkdir(parents=True, exist_ok=True)
    for seed, (sequence, count) in enumerate(sequences.items()):
        for i, pose in enumerate(poses(count, 3, FOLDER_CAMERA, seed), start=1):
            name = f"{sequence}/{i}.png".removeprefix("./")
            save_grey(root / name, 2 * disc(FOLDER_CAMERA, pose.mean(dim=0)))
            if labelled is None or name in labelled:
                found[name] = pose
    (root / "camera.yaml").write_text(SETUP)
    header = ",".join(["frame", *(f"{joint} {axis}" for joint in JOINTS for axis in "xyz")])
    lines = [f"{name},{row(pose, ',')}" for name, pose in found.items()]
    (root / "labels.csv").write_text("\n".join([header, *lines]) + "\n")
    return found


RAW = "format: raw\nshape: [120, 160]\ndtype: uint16\n"
FORMATS = {"tiff": ".tif", "float-tiff": ".TIFF", "npy": ".npy", "raw": ".bin", "rgb-png": ".png"}


def rewrite_folder(root: Path, kind: str) -> None:
    """The frames of a depth folder in another format, of the same units."""
    for path in list(root.rglob("*.png")):
        depth = np.asarray(Image.open(path))
        path.unlink()
        other = path.with_suffix(FORMATS[kind])
        if kind == "npy":
            np.save(other, depth)
        elif kind == "raw":
            other.write_bytes(depth.tobytes())
        elif kind == "rgb-png":
            save_nyu(other, depth)
        else:
            Image.fromarray(depth.astype(np.float32) if kind == "float-tiff" else depth).save(other)
    labels = root / "labels.csv"
    labels.write_text(labels.read_text().replace(".png", FORMATS[kind]))


CAMERAS = {"a": Camera(200.0, 210.0, 80.0, 60.0, 160, 120), "b": Camera(300.0, 310.0, 100.0, 90.0, 210, 180)}
TWO_CAMERAS = "cube: 250\njoints: [palm, thumb tip, index tip]\n"


def write_two_cameras(root: Path, setup: str = TWO_CAMERAS) -> dict[str, Tensor]:
    """A depth folder with three frames of each of two cameras, and a file of each camera in its folder."""
    found: dict[str, Tensor] = {}
    for seed, (sequence, camera) in enumerate(CAMERAS.items()):
        for i, pose in enumerate(poses(3, 3, camera, seed)):
            found[f"{sequence}/{i}.png"] = pose
            save_grey(root / sequence / f"{i}.png", disc(camera, pose.mean(dim=0)))
    lens = {key: value for key, value in asdict(CAMERAS["a"]).items() if key in ("fx", "fy", "cx", "cy")}
    (root / "a/camera.yaml").write_text("".join(f"{key}: {value}\n" for key, value in lens.items()))
    info = {key: value for key, value in asdict(CAMERAS["b"]).items() if key != "axes"}
    (root / "b/camera_info.json").write_text(json.dumps(info))
    (root / "camera.yaml").write_text(setup)
    header = "frame," + ",".join(f"{joint} {axis}" for joint in JOINTS for axis in "xyz")
    (root / "labels.csv").write_text("\n".join([header, *(f"{name},{row(pose, ',')}" for name, pose in found.items())]))
    return found
