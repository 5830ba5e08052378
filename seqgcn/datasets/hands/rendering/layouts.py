"""Writers of rendered sequences in the layouts of the official releases, and in a lab's plain one."""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat
from torch import Tensor

from seqgcn.datasets.hands.camera import BIGHAND_CAMERA, ICVL_CAMERA, MSRA_CAMERA, NYU_CAMERA, Camera
from seqgcn.datasets.hands.rendering.joints import Convention
from seqgcn.datasets.hands.rendering.motion import Stage
from seqgcn.datasets.hands.rendering.sensor import Sensor
from seqgcn.datasets.hands.skeleton import BIGHAND21, NYU36

LayoutName = Literal["icvl", "nyu", "msra", "hands17", "depth-folder"]
Part = Literal["train", "test"]
Depth = NDArray[np.uint16]

GESTURES = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "I", "IP", "L", "MP", "RP", "T", "TIP", "Y")
"""MSRA's folders below each subject's."""

TRAIN_SUBJECTS = 8
MSRA_SCALES = (0.96, 0.96, 0.96, 0.86, 0.86, 0.86, 0.82, 0.77, 0.72)
"""Size of each subject's hand, in proportion to the cubes in which MSRA's are cropped."""

FOLDER_CAMERA = Camera(460, 460, 320, 240, 640, 480)
FOLDER_CUBE = 280.0


class Take(NamedTuple):
    """One rendered sequence.

    Args:
        part: Of the data set.
        number: Of the sequence within its part, from 0.
        subject: Whose hand it shows.
        joints: The layout's joints in this package's axes, `[n, J, 3]` mm.
        images: n frames, `[h, w]` mm each; to be gone through once.
    """

    part: Part
    number: int
    subject: int
    joints: Tensor
    images: Iterator[Depth]


@dataclass(frozen=True)
class Layout:
    """What a layout's frames look like and how they are written.

    Args:
        stage: Where hands move, before the release's camera.
        joints: The release's joints.
        sensors: Taken in turn, one a sequence.
        write: Gets an empty folder and all sequences, those of the training part first.
        scales: Of each subject's hand; by default drawn.
        sequences: Most training sequences there is room for, if there is a limit.
        test_subject: The one subject of all test sequences; by default each has its own.
        forearm: Whether frames show it.
        has_test: Whether there is a test part; the loaders of those without one set frames aside.
    """

    stage: Stage
    joints: Convention
    sensors: tuple[Sensor, ...]
    write: Callable[[Path, Iterable[Take]], None]
    scales: tuple[float, ...] | None = None
    sequences: int | None = None
    test_subject: int | None = None
    forearm: bool = True
    has_test: bool = True


def write_icvl(folder: Path, takes: Iterable[Take]) -> None:
    """`Training/labels.txt` and `Testing/test_seq_{1,2}.txt`, whose lines end as the official ones do."""
    labels = folder / "Training" / "labels.txt"
    for take in takes:
        if take.part == "train":
            # Twelve digits, as in the folders of frames that are no in-plane rotations of others.
            name, file, ending = f"20140101{take.number:04d}", labels, "\n"
        else:
            name = f"test_seq_{take.number + 1}"
            file, ending = folder / "Testing" / f"{name}.txt", " \r\r\n"
        home = file.parent / "Depth" / name
        home.mkdir(parents=True)
        with open(file, "a", encoding="ascii", newline="") as rows:
            for i, (image, uvd) in enumerate(zip(take.images, ICVL_CAMERA.to_image(take.joints), strict=True)):
                _write_png(home / f"image_{i:04d}.png", image)
                rows.write(f"{name}/image_{i:04d}.png {_numbers(uvd)}{ending}")


def write_nyu_layout(folder: Path, takes: Iterable[Take]) -> None:
    """`{train,test}/depth_1_%07d.png` and `joint_data.mat`.

    The second and third camera have no images, and in the joints' first dimension they repeat the first.
    """
    parts: dict[Part, list[Tensor]] = {}
    counts: dict[Part, int] = {}
    for take in takes:
        home = folder / take.part
        home.mkdir(exist_ok=True)
        for i, image in enumerate(take.images, counts.get(take.part, 0) + 1):
            low, high = (image & 0xFF).astype(np.uint8), (image >> 8).astype(np.uint8)
            _write_png(home / f"depth_1_{i:07d}.png", np.dstack((np.zeros_like(low), high, low)))
            counts[take.part] = i
        parts.setdefault(take.part, []).append(take.joints)
    for part, poses in parts.items():
        uvd, xyz = _nyu_joints(poses)
        names = np.array(NYU36.joints, dtype=object).reshape(1, -1)
        content = {"joint_names": names, "joint_uvd": uvd, "joint_xyz": xyz}
        (folder / part / "joint_data.mat").write_bytes(_matlab(content))


def _matlab(content: dict[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, content, do_compression=True)
    # The header's free text has the time of writing, but the same arguments are to give the same bytes.
    return b"MATLAB 5.0 MAT-file".ljust(116) + buffer.getvalue()[116:]


def _nyu_joints(poses: list[Tensor]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    xyz = np.concatenate([NYU_CAMERA.to_release(joints.double()).numpy() for joints in poses])
    uvd = np.concatenate([NYU_CAMERA.to_image(joints.double()).numpy() for joints in poses])
    return np.repeat(uvd[None], 3, axis=0), np.repeat(xyz[None], 3, axis=0)


def write_msra(folder: Path, takes: Iterable[Take]) -> None:
    """`P<subject>/<gesture>/%06d_depth.bin`, the box around the hand, and `joint.txt`."""
    for take in takes:
        # Training sequences go through the subjects first, test sequences are all of one subject.
        gesture = take.number // TRAIN_SUBJECTS if take.part == "train" else take.number
        home = folder / f"P{take.subject}" / GESTURES[gesture]
        home.mkdir(parents=True)
        for i, image in enumerate(take.images):
            (home / f"{i:06d}_depth.bin").write_bytes(_boxed(image))
        rows = [f"{_numbers(pose)}\n" for pose in MSRA_CAMERA.to_release(take.joints)]
        (home / "joint.txt").write_text(f"{len(rows)}\n{''.join(rows)}", encoding="ascii", newline="")


def _boxed(image: Depth) -> bytes:
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    head = np.array([*image.shape[::-1], left, top, right, bottom], dtype="<u4")
    return head.tobytes() + image[top:bottom, left:right].astype("<f4").tobytes()


def write_hands17(folder: Path, takes: Iterable[Take]) -> None:
    """`images/image_D%08d.png` and `Training_Annotation.txt`, tabs between."""
    (folder / "images").mkdir()
    i = 0
    with open(folder / "Training_Annotation.txt", "w", encoding="ascii", newline="") as rows:
        for take in takes:
            for image, pose in zip(take.images, take.joints, strict=True):
                i += 1
                name = f"image_D{i:08d}.png"
                _write_png(folder / "images" / name, image)
                rows.write(name + "\t" + _numbers(pose, "\t") + "\n")


def write_folder(folder: Path, takes: Iterable[Take], depth_scale: float = 1.0) -> None:
    """A folder of 16-bit PNGs a sequence, whose steps are `depth_scale` mm, `camera.yaml` and `labels.csv`."""
    camera = FOLDER_CAMERA
    about: dict[str, Any] = {"fx": camera.fx, "fy": camera.fy, "cx": camera.cx, "cy": camera.cy}
    about |= {"depth_scale": float(depth_scale), "hand": "right"}
    about |= {"cube": FOLDER_CUBE, "joints": list(BIGHAND21.joints), "bones": [list(bone) for bone in BIGHAND21.bones]}
    (folder / "camera.yaml").write_text(yaml.safe_dump(about, sort_keys=False), encoding="utf-8", newline="")
    with open(folder / "labels.csv", "w", encoding="utf-8", newline="") as rows:
        columns = (f"{joint} {axis}" for joint in BIGHAND21.joints for axis in "xyz")
        rows.write(f"frame,{','.join(columns)}\n")
        for take in takes:
            name = f"sequence_{take.number + 1:03d}"
            (folder / name).mkdir()
            for i, (image, pose) in enumerate(zip(take.images, take.joints, strict=True)):
                _write_png(folder / name / f"{i:06d}.png", image)
                rows.write(f"{name}/{i:06d}.png,{_numbers(pose, ',')}\n")


def _numbers(values: Tensor, between: str = " ") -> str:
    return between.join(f"{value:.4f}" for value in values.flatten().tolist())


def _write_png(file: Path, image: NDArray[np.uint8] | Depth) -> None:
    Image.fromarray(image).save(file, compress_level=1)


LAYOUTS: dict[str, Layout] = {
    "icvl": Layout(
        Stage(ICVL_CAMERA, 320, 480), "icvl", (Sensor(noise=1.0), Sensor(noise=1.0, background=32001)), write_icvl
    ),
    "nyu": Layout(Stage(NYU_CAMERA, 600, 900), "nyu", (Sensor(noise=2.0, edge_loss=0.4),), write_nyu_layout),
    "msra": Layout(
        Stage(MSRA_CAMERA, 320, 480),
        "msra",
        (Sensor(noise=1.0),),
        write_msra,
        scales=MSRA_SCALES,
        sequences=TRAIN_SUBJECTS * len(GESTURES),
        test_subject=0,
        forearm=False,
    ),
    "hands17": Layout(Stage(BIGHAND_CAMERA, 450, 700), "bighand", (Sensor(),), write_hands17, has_test=False),
    "depth-folder": Layout(Stage(FOLDER_CAMERA, 450, 700), "bighand", (Sensor(),), write_folder, has_test=False),
}
