"""Centers of all frames of a data set, by what the options ask for; kept beside the crops."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqgcn.datasets.hands.cache import cache_errors, cache_folder, in_threads, source_key, waiting_lock
from seqgcn.datasets.hands.centers.found import SOURCES, Centers, jumps
from seqgcn.datasets.hands.centers.rule import VERSION, Candidate, candidates_of, confidence_of, follow
from seqgcn.errors import DataFileError
from seqgcn.training import Progress, Say

if TYPE_CHECKING:
    from seqgcn.datasets.hands.base import HandDataset

JUMPED = 0.3
"""What is left of the confidence in a center that is far from those before and after it."""

LOOKED_AT = 5
"""Frames looked at to tell why hands are not where they should be."""


class _Seen(NamedTuple):
    """What is kept of one frame."""

    candidates: list[Candidate]


def find_centers(
    hands: "HandDataset", known: Tensor, *, lenient: bool, progress: Progress | None = None, say: Say | None = None
) -> Centers:
    """Find the hand in every frame, or open what was found before.

    Args:
        hands: The frames.
        known: Numbers of the frames whose poses a localizer may learn from, `[m]`.
        lenient: Frames that cannot be read have no center; else they are an error.
        progress: Told about it, as stage `"hands"`.
        say: Told if another process is at work on the same.

    Raises:
        DataFileError: A frame cannot be read.
        RunFolderError: The cache cannot be written.
    """
    folder = cache_folder(hands.options.cache)
    path = folder / f"{hands.name}-centers-{_key(hands, known)}.npz"
    with cache_errors(folder):
        held = _read(path, len(hands))
        if held is not None:
            return held
        folder.mkdir(parents=True, exist_ok=True)
        with waiting_lock(folder / f".{path.stem}.lock", say):
            held = _read(path, len(hands))
            if held is None:
                held = _look(hands, lenient, progress)
                _write(path, held)
    return held


def _look(hands: "HandDataset", lenient: bool, progress: Progress | None) -> Centers:
    near, far = hands.options.near, hands.options.far

    def look(i: int) -> _Seen:
        try:
            image = hands.depth(i)
        except DataFileError:
            if not lenient:
                raise
            return _Seen([])
        return _Seen(candidates_of(image, hands.camera_of(i), float(hands.cube[i]), near, far))

    seen: list[_Seen] = []
    for block in in_threads(look, len(hands)):
        seen += block
        if progress is not None:
            progress("hands", len(seen), len(hands))
    return _by_rule([each.candidates for each in seen], hands.sequence)


def _by_rule(candidates: list[list[Candidate]], sequence: Tensor) -> Centers:
    n = len(candidates)
    points, confidence = torch.full((n, 3), torch.nan), torch.zeros(n)
    for number in sequence.unique().tolist():
        members = (sequence == number).nonzero().flatten().tolist()
        chosen = follow([candidates[i] for i in members])
        for i, choice in zip(members, chosen, strict=True):
            if choice >= 0:
                points[i] = torch.tensor(candidates[i][choice].center)
                confidence[i] = confidence_of(candidates[i], choice)
    confidence[jumps(points, sequence)] *= JUMPED
    return Centers(points, np.full(n, SOURCES.index("rule"), np.uint8), confidence, torch.empty(0))


def _key(hands: "HandDataset", known: Tensor) -> str:
    options = hands.options
    cubes = hashlib.blake2b(hands.cube.numpy().tobytes()).hexdigest()
    videos = hashlib.blake2b(hands.sequence.numpy().tobytes()).hexdigest()
    del known
    how = ("centers", VERSION, "rule", options.near, options.far, cubes, videos, hands.camera_key(), hands.decoding)
    return source_key(hands.root, hands.files, how)


def _read(path: Path, n: int) -> Centers | None:
    """What was found before; None if there is nothing, or nothing that can be used."""
    try:
        with np.load(path, allow_pickle=False) as held:
            points, source, confidence, error = (held[key] for key in ("points", "source", "confidence", "error"))
    except (OSError, ValueError, KeyError, EOFError):
        return None
    if points.shape != (n, 3) or source.shape != (n,) or confidence.shape != (n,):
        return None
    return Centers(torch.from_numpy(points), source, torch.from_numpy(confidence), torch.from_numpy(error))


def _write(path: Path, found: Centers) -> None:
    part = path.with_suffix(".part")
    with open(part, "wb") as file:
        np.savez(
            file,
            points=found.points.numpy(),
            source=found.source,
            confidence=found.confidence.numpy(),
            error=found.error.numpy(),
        )
    os.replace(part, path)


def likely_cause(hands: "HandDataset", empty: Tensor) -> str:
    """The likeliest reason why frames have no depth where the hand should be, as advice.

    Args:
        hands: The frames.
        empty: Which have none, `[n]` bool.
    """
    near, far = hands.options.near, hands.options.far
    depths = []
    for i in empty.nonzero().flatten().tolist()[:LOOKED_AT]:
        depth = hands.depth(i).depth
        depths.append(depth[depth > 0])
    measured = torch.cat(depths)
    if len(measured) == 0:
        return "Nothing was measured in them: they are black"
    middle = float(measured.median())
    if middle < 100 or middle > 20_000:
        return (
            f"Their depth is {middle:.4g} mm in the middle, which no hand camera measures: check depth_scale, the mm a "
            "unit (1000 if units are meters, 0.1 if they are tenths of a mm)"
        )
    if not near <= middle <= far and hands.options.crop != "file":
        return f"Their depth is {middle:.4g} mm in the middle: set near and far, which are {near:g} and {far:g} mm"
    if hands.options.crop == "file":
        return (
            "Check the file of centers: are they x y z in mm (header frame,x,y,z), or u v d in px, px, mm "
            "(frame,u,v,d)? And are they in the order of the frames?"
        )
    return f"Check the cube and the depth range ({near:g} to {far:g} mm)"
