"""The rule's search for places that may be hands, in all frames of a data set: done once, whatever is labeled later."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from seqgcn.datasets.hands.cache import cache_errors, cache_folder, source_key, waiting_lock
from seqgcn.datasets.hands.centers.candidate_table import CandidateTable
from seqgcn.datasets.hands.centers.rule import VERSION, Candidate, candidates_of
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.looking import look_in_blocks
from seqgcn.training import Progress

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset

SAVED_EVERY = 10_000
"""Frames after which what was found is written: minutes of searching."""


def search_frames(hands: "HandDataset", progress: Progress | None = None) -> CandidateTable:
    """Candidates of every frame, or those that were found before; a search that was broken off goes on.

    Args:
        hands: The frames; one that cannot be read has no candidate if they are lenient.
        progress: Told about it, as stage `"hands"`.

    Raises:
        DataFileError: A frame cannot be read, and the data set is not lenient.
        RunFolderError: The cache cannot be written.
    """
    folder = cache_folder(hands.options.cache)
    path = folder / f"{hands.name}-candidates-{_key(hands)}.npz"
    with cache_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with waiting_lock(folder / f".{path.stem}.lock"):
            table = CandidateTable.load(path)
            if table is None or len(table) > len(hands):
                table = CandidateTable()
            if len(table) < len(hands):
                _go_on(hands, table, path, progress)
    return table


def _go_on(hands: "HandDataset", table: CandidateTable, path: Path, progress: Progress | None) -> None:
    near, far, saved = hands.options.near, hands.options.far, len(table)

    def look(image: DepthImage, i: int) -> list[Candidate]:
        return candidates_of(image, hands.camera_of(i), float(hands.cube[i]), near, far)

    try:
        for block in look_in_blocks(hands, look, progress, start=len(table)):
            for each in block:
                table.append(each or [])
            if len(table) - saved >= SAVED_EVERY:
                table.save(path)
                saved = len(table)
    finally:
        # Also of a search that is interrupted.
        if len(table) > saved:
            table.save(path)


def _key(hands: "HandDataset") -> str:
    options, cubes = hands.options, hashlib.blake2b(hands.cube.numpy().tobytes()).hexdigest()
    how = ("candidates", VERSION, options.near, options.far, cubes, hands.camera_key(), hands.decoding)
    return source_key(hands.root, hands.files, how)
