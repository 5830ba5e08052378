"""The landmarks of a data set's frames: found when they are first asked for, and kept beside the crops."""

import hashlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from seqgcn.datasets.hands.cache import BLOCK, cache_errors, cache_folder, in_threads, source_key, waiting_lock
from seqgcn.datasets.hands.landmarks.found import LANDMARKS, Landmarks
from seqgcn.datasets.hands.landmarks.model import LandmarkModel, Looker
from seqgcn.datasets.hands.landmarks.search import Placed, find_joints
from seqgcn.exceptions import SeqGCNWarning
from seqgcn.training import Progress
from seqgcn.utils.processors import workers

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset

VERSION = 1
"""Of the search; another number looks at all frames anew."""

KEEP = 256
"""Frames after which what was found is written down."""

FEW = 5
"""Hands below which nothing is said about their side."""


def find_landmarks(hands: "HandDataset", ids: Tensor, *, progress: Progress | None = None) -> Landmarks:
    """The landmarks of some frames; those that were looked at before are not looked at again.

    Args:
        hands: The frames, cropped.
        ids: Numbers of those asked for, `[m]` int64.
        progress: Told about it, as stage `"landmarks"`.

    Raises:
        DataFileError: A frame cannot be read.
        MissingPackageError: mediapipe is needed and not installed.
        RunFolderError: The cache cannot be written.
    """
    folder = cache_folder(hands.options.cache)
    path = folder / f"{hands.name}-landmarks-{_key(hands)}.npz"
    with cache_errors(folder):
        done, held = _read(path, len(hands))
        if not bool(done[ids].all()):
            folder.mkdir(parents=True, exist_ok=True)
            with waiting_lock(folder / f".{path.stem}.lock"):
                done, held = _read(path, len(hands))
                _look(hands, ids[~done[ids]].unique(), done, held, path, progress)
    _compare_sides(hands, ids, held)
    return held[ids]


def _look(
    hands: "HandDataset", ids: Tensor, done: Tensor, held: Landmarks, path: Path, progress: Progress | None
) -> None:
    """Look at frames, and add what is found to `held`."""
    centers, wanted = hands.centers.points, ids.tolist()
    with _models(-(-len(wanted) // BLOCK)) as models:

        def one(k: int) -> Placed | None:
            i = wanted[k]
            x, y, z = centers[i].tolist()
            look = models.get()
            try:
                return find_joints(look, hands.depth(i), hands.camera_of(i), (x, y, z), float(hands.cube[i]))
            finally:
                models.put(look)

        known, written = 0, 0
        for block in in_threads(one, len(wanted)):
            for i, placed in zip(wanted[known : known + len(block)], block, strict=True):
                done[i] = True
                if placed is not None:
                    held.points[i] = torch.from_numpy(placed.points).float()
                    held.measured[i] = torch.from_numpy(placed.measured)
                    held.score[i], held.left[i] = placed.score, placed.left
            known += len(block)
            if known - written >= KEEP or known == len(wanted):
                _write(path, done, held)
                written = known
            if progress is not None:
                progress("landmarks", known, len(wanted))


@contextmanager
def _models(blocks: int) -> Iterator["SimpleQueue[Looker]"]:
    """As many models as there are threads at work; one of them is not for several threads at a time."""
    made = [LandmarkModel() for _ in range(max(min(workers(), blocks), 1))]
    queue: SimpleQueue[Looker] = SimpleQueue()
    for model in made:
        queue.put(model)
    try:
        with warnings.catch_warnings():
            # protobuf's, about mediapipe's use of it; here, as filters are all threads' own.
            warnings.filterwarnings("ignore", message=r"SymbolDatabase\.GetPrototype", category=UserWarning)
            yield queue
    finally:
        for model in made:
            model.close()


def _compare_sides(hands: "HandDataset", ids: Tensor, held: Landmarks) -> None:
    """Warn where most hands look like those of the other side than the data set's files say."""
    if hands.sides is None:
        return
    said = hands.sides[ids]
    told = held.found[ids] & (said >= 0)
    other = told & (held.left[ids] != (said == 1))
    if int(told.sum()) >= FEW and int(other.sum()) > int(told.sum()) / 2:
        side, opposite = ("left", "right") if bool((said[told] == 1).float().mean() > 0.5) else ("right", "left")
        warnings.warn(
            f"{hands.name}: camera.yaml says hand: {side}, but mediapipe takes {int(other.sum()):,} of "
            f"{int(told.sum()):,} hands for {opposite} ones; look at some frames (it mixes up palm and back of the "
            "hand in depth, so it may be wrong)",
            SeqGCNWarning,
            stacklevel=3,
        )


def _key(hands: "HandDataset") -> str:
    points = hashlib.blake2b(hands.centers.points.contiguous().numpy().tobytes()).hexdigest()
    cubes = hashlib.blake2b(hands.cube.numpy().tobytes()).hexdigest()
    how = ("landmarks", VERSION, points, cubes, hands.camera_key(), hands.decoding)
    return source_key(hands.root, hands.files, how)


def _read(path: Path, n: int) -> tuple[Tensor, Landmarks]:
    """Which frames were looked at, `[n]` bool, and what was found; none if there is nothing that can be used."""
    nothing = torch.zeros(n, dtype=torch.bool), Landmarks.none(n)
    try:
        with open(path, "rb") as content, np.load(content, allow_pickle=False) as file:
            done = torch.from_numpy(file["done"])
            held = Landmarks(*(torch.from_numpy(file[key]) for key in ("points", "measured", "score", "left")))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return nothing
    return (done, held) if done.shape == (n,) and held.points.shape == (n, len(LANDMARKS), 3) else nothing


def _write(path: Path, done: Tensor, held: Landmarks) -> None:
    part = path.with_suffix(".part")
    with open(part, "wb") as file:
        np.savez(
            file,
            done=done.numpy(),
            points=held.points.numpy(),
            measured=held.measured.numpy(),
            score=held.score.numpy(),
            left=held.left.numpy(),
        )
    os.replace(part, path)
