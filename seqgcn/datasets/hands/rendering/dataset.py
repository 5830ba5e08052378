"""Whole rendered data sets on disk: which sequences there are, and files that are all there or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from seqgcn.datasets.hands.camera import NYU_CAMERA, Camera
from seqgcn.datasets.hands.rendering import RENDERED
from seqgcn.datasets.hands.rendering.held import draw_grip
from seqgcn.datasets.hands.rendering.joints import joint_weights
from seqgcn.datasets.hands.rendering.kinematics import Hand
from seqgcn.datasets.hands.rendering.layouts import (
    LAYOUTS,
    TRAIN_SUBJECTS,
    Depth,
    Layout,
    LayoutName,
    Part,
    Take,
    write_folder,
)
from seqgcn.datasets.hands.rendering.motion import film
from seqgcn.datasets.hands.rendering.raycast import render_depth
from seqgcn.datasets.hands.rendering.scenes import default_scene, scene_depths
from seqgcn.datasets.hands.rendering.sensor import SENSORS, Sensor
from seqgcn.datasets.hands.rendering.settings import SCENES, SceneName, scene_of, setting_of
from seqgcn.datasets.hands.rendering.solids import nearer
from seqgcn.datasets.hands.rendering.spheres import NYU_PALM, hand_spheres, nyu_spheres
from seqgcn.exceptions import ArgumentError, RunFolderError
from seqgcn.training import Progress
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_choice, check_whole

TEST_SEQUENCES = 2

TEST_STRIDE = 5
"""Of a test sequence every fifth frame is kept: near-duplicates would tell little more about an error."""


class _Plan(NamedTuple):
    part: Part
    number: int
    frames: int
    subject: int


class _Counter:
    """Tells how many frames are done."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def step(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress("render", self.done, self.total)


def write_dataset(
    folder: str | Path,
    layout: LayoutName,
    *,
    frames: int,
    sequences: int,
    test_frames: int | None = None,
    seed: int = 0,
    scene: SceneName | None = None,
    sensor: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Render sequences of moving hands and write them in the layout of a release.

    The two test sequences show other subjects than the training sequences do. `"hands17"` and `"depth-folder"` have no
    test part: their loaders set frames aside.

    Args:
        folder: Does not exist yet, or is empty.
        layout: `"icvl"`, `"nyu"`, `"msra"`, `"hands17"` or `"depth-folder"`.
        frames: In the training part.
        sequences: Among which these are divided.
        test_frames: In the test part, if there is one; by default a third as many, and at least 2.
        seed: Of subjects, movements and noise. Each sequence has its own: it is the same whatever others there are.
        scene: What is in view beside the hand: `"bare"` nothing but a stub of the forearm, `"arm"` the forearm,
            `"body"` a person behind the hand, `"table"` a table top and the forearm, `"objects"` things nearer to the
            camera than the hand, or in it, and the forearm; `"mixed"` draws one of these four for each sequence. Arms
            come from below, above, left or right; a person may raise the other hand too; on a table things may lie;
            some hands hold something. By default `"mixed"` for `"depth-folder"` and `"bare"` for the layouts of
            releases. Hands that point up and hold nothing move as in `"bare"`. `drawn_scenes` reads back which
            sequence has which.
        sensor: Takes the frames of `"depth-folder"`, whose `camera.yaml` then has its step of depth: `"sr305"`,
            `"kinect1"`, `"realsense-d435"`, `"kinect2"` (time of flight) or `"ideal"`. By default one with 1.5 mm of
            noise and whole mm.
        progress: Told about every frame, as stage `"render"`.

    Returns:
        The folder.

    Raises:
        ArgumentError: An argument that cannot be used.
        RunFolderError: The folder is not empty or cannot be written. Nothing is left in it then.
    """
    check_choice("layout", layout, tuple(LAYOUTS))
    check_whole("sequences", sequences)
    check_whole("frames", frames)
    if frames < sequences:
        raise ArgumentError(f"frames must be at least one a sequence, {sequences}, got {frames}")
    check_whole("seed", seed, low=0)
    chosen = LAYOUTS[layout]
    view: SceneName = default_scene(layout) if scene is None else scene
    check_choice("scene", view, SCENES)
    if sensor is not None:
        check_choice("sensor", sensor, tuple(SENSORS))
        chosen = _with_sensor(layout, chosen, sensor)
    if test_frames is not None:
        check_whole("test_frames", test_frames, low=TEST_SEQUENCES)
        if not chosen.has_test:
            raise ArgumentError(f"the layout {layout!r} has no test part; leave test_frames out and raise frames")
    if chosen.sequences is not None and sequences > chosen.sequences:
        raise ArgumentError(f"the layout {layout!r} has room for {chosen.sequences} sequences, got {sequences}")
    plans = _divide(chosen, "train", frames, sequences)
    if chosen.has_test:
        plans += _divide(chosen, "test", test_frames or max(frames // 3, TEST_SEQUENCES), TEST_SEQUENCES)
    counter = _Counter(progress, sum(plan.frames for plan in plans))
    with _whole(Path(folder)) as half:
        chosen.write(half, (_take(chosen, plan, seed, view, counter) for plan in plans))
        taken = "" if sensor is None else f", sensor {sensor}"
        about = [f"Rendered frames in the layout {layout}, seed {seed}{taken}."]
        if view != "bare":
            about += [f"{plan.part} {plan.number + 1} {scene_of(view, seed, plan.part, plan.number)}" for plan in plans]
        (half / RENDERED).write_text("\n".join(about) + "\n", encoding="utf-8")
    return Path(folder)


def write_nyu(
    folder: str | Path,
    train_joints: Tensor,
    test_joints: Tensor,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Render given poses of NYU's 36 joints and write them in NYU's layout, in their order.

    The flesh is scaled with each hand's rigid palm, wrist to middle: NYU's second test subject is smaller.

    Args:
        folder: Does not exist yet, or is empty.
        train_joints: In this package's axes (y down), `[n, 36, 3]` mm.
        test_joints: `[m, 36, 3]` mm.
        seed: Of the noise.
        progress: Told about every frame, as stage `"render"`.

    Returns:
        The folder.

    Raises:
        ArgumentError: Other shapes, values that are not finite, or hands that are not in front of the camera.
        RunFolderError: The folder is not empty or cannot be written.
    """
    check_whole("seed", seed, low=0)
    parts: dict[Part, Tensor] = {"train": train_joints, "test": test_joints}
    for part, joints in parts.items():
        _check_nyu(joints, f"{part}_joints")
    counter = _Counter(progress, len(train_joints) + len(test_joints))
    sensor = LAYOUTS["nyu"].sensors[0]

    def images(part: Part, joints: Tensor) -> Iterator[Depth]:
        for i, pose in enumerate(joints.float()):
            scale = float((pose[32] - pose[35]).norm()) / NYU_PALM
            yield _shoot(nyu_spheres(pose, scale), NYU_CAMERA, sensor, generator(seed, "noise", part, i))
            counter.step()

    takes = (Take(part, 0, 0, joints, images(part, joints)) for part, joints in parts.items())
    with _whole(Path(folder)) as half:
        LAYOUTS["nyu"].write(half, takes)
        (half / RENDERED).write_text(
            f"Rendered frames in the layout nyu, of given poses, seed {seed}.\n", encoding="utf-8"
        )
    return Path(folder)


def _with_sensor(name: str, layout: Layout, sensor: str) -> Layout:
    if name != "depth-folder":
        raise ArgumentError(f"the layout {name!r} has its release's sensor; leave sensor, {sensor!r}, out")
    chosen = SENSORS[sensor]
    return replace(layout, sensors=(chosen,), write=partial(write_folder, depth_scale=chosen.step))


def _divide(layout: Layout, part: Part, frames: int, sequences: int) -> list[_Plan]:
    plans = []
    for number in range(sequences):
        if part == "train":
            subject = 1 + number % TRAIN_SUBJECTS
        else:
            subject = 1 + TRAIN_SUBJECTS + number if layout.test_subject is None else layout.test_subject
        plans.append(_Plan(part, number, frames // sequences + (number < frames % sequences), subject))
    return plans


def _take(layout: Layout, plan: _Plan, seed: int, view: SceneName, counter: _Counter) -> Take:
    size = None if layout.scales is None else layout.scales[plan.subject]
    hand = Hand.of_subject(seed, plan.subject, scale=size)
    stride = 1 if plan.part == "train" else TEST_STRIDE
    setting = setting_of(view, seed, plan.part, plan.number)
    grip = None if setting.held is None else draw_grip(generator(seed, "grip", plan.part, plan.number))
    draws = generator(seed, "film", plan.part, plan.number)
    joints = film(hand, layout.stage, plan.frames * stride, draws, roll=setting.roll, grip=grip)[::stride]
    sensor, camera = layout.sensors[plan.number % len(layout.sensors)], layout.stage.camera

    def images() -> Iterator[Depth]:
        drawn = generator(seed, "scene", plan.part, plan.number)
        rooms = scene_depths(setting, layout.stage, joints, hand.scale, drawn)
        for i, (pose, room) in enumerate(zip(joints, rooms, strict=True)):
            draws = generator(seed, "noise", plan.part, plan.number, i)
            spheres = hand_spheres(pose, hand.scale, forearm=layout.forearm and setting.scene == "bare")
            yield _shoot(spheres, camera, sensor, draws, room)
            counter.step()

    return Take(plan.part, plan.number, plan.subject, joint_weights(layout.joints) @ joints, images())


def _shoot(
    spheres: tuple[Tensor, Tensor], camera: Camera, sensor: Sensor, draws: torch.Generator, room: Tensor | None = None
) -> Depth:
    depth = render_depth(*spheres, camera)
    return sensor.measure(depth if room is None else nearer(depth, room), draws, camera)


def _check_nyu(joints: Tensor, name: str) -> None:
    if joints.dim() != 3 or joints.shape[1:] != (36, 3) or len(joints) == 0 or not joints.is_floating_point():
        raise ArgumentError(f"{name} must be floats [n, 36, 3] with n > 0, got {joints.dtype} {list(joints.shape)}")
    wrong = ~(joints.isfinite().all(dim=2) & (joints[..., 2] > 100)).all(dim=1)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise ArgumentError(
            f"{name}: all joints must be finite and at least 100 mm in front of the camera; pose {row} is not"
        )


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A hidden folder for what is written, which gets its place when everything is there."""
    _refuse_used(folder)
    half: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A folder that is there may be the working directory or a mount point: it is filled, not replaced.
        inside = folder.is_dir()
        half = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder if inside else folder.parent))
        yield half
        if inside:
            for item in sorted(half.iterdir()):
                item.rename(folder / item.name)
            half.rmdir()
        else:
            umask = os.umask(0)
            os.umask(umask)
            half.chmod(0o777 & ~umask)
            half.rename(folder)
        half = None
    except OSError as error:
        raise RunFolderError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        if half is not None:
            shutil.rmtree(half, ignore_errors=True)


def _refuse_used(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise RunFolderError(f"{folder} is a file or a link; name a folder that does not exist yet")
    try:
        used = folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise RunFolderError(f"cannot look into {folder}: {error.strerror or error}") from error
    if used:
        raise RunFolderError(f"{folder} is not empty; delete it or name another folder")
