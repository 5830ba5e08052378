"""Candidates of many frames in little memory: of half a million some 200 MiB, where lists would take gigabytes."""

import math
import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import numpy as np

from seqgcn.datasets.hands.centers.rule import Candidate

_NUMBERS = 10
"""Of a candidate: center, score, behind, may_be_other, forearm, parted."""


class CandidateTable:
    """Lists of candidates, one a frame; `table[i]` is that of frame i, as it was added.

    Args:
        frames: Of the first frames.
    """

    def __init__(self, frames: Iterable[Iterable[Candidate]] = ()) -> None:
        self._numbers, self._ends = array("d"), array("q", [0])
        for candidates in frames:
            self.append(candidates)

    def append(self, candidates: Iterable[Candidate]) -> None:
        """Add the candidates of the next frame."""
        for each in candidates:
            forearm = (math.nan,) * 3 if each.forearm is None else each.forearm
            self._numbers.extend((*each.center, each.score, each.behind, each.may_be_other, *forearm, each.parted))
        self._ends.append(len(self._numbers) // _NUMBERS)

    def save(self, path: Path) -> None:
        """Write the table to a file, all of it or nothing."""
        part = path.with_suffix(".part")
        with open(part, "wb") as file:
            np.savez(file, numbers=np.frombuffer(self._numbers), ends=np.frombuffer(self._ends, np.int64))
        os.replace(part, path)

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """The table in a file; None if there is no file, or none that can be used."""
        table = cls()
        try:
            with open(path, "rb") as content, np.load(content, allow_pickle=False) as held:
                numbers, ends = held["numbers"], held["ends"]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
        whole = ends.ndim == 1 and len(ends) and ends[0] == 0 and not (np.diff(ends) < 0).any()
        if numbers.dtype != np.float64 or ends.dtype != np.int64 or not whole or len(numbers) != _NUMBERS * ends[-1]:
            return None
        table._numbers, table._ends = array("d", numbers.tobytes()), array("q", ends.tobytes())
        return table

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, i: int) -> list[Candidate]:
        if not 0 <= i < len(self):
            raise IndexError(f"frame {i} of {len(self)}")
        return [self._candidate(_NUMBERS * k) for k in range(self._ends[i], self._ends[i + 1])]

    def __iter__(self) -> Iterator[list[Candidate]]:
        return (self[i] for i in range(len(self)))

    def _candidate(self, at: int) -> Candidate:
        x, y, z, score, behind, may_be_other, *forearm, parted = self._numbers[at : at + _NUMBERS]
        a, b, c = forearm
        return Candidate(
            (x, y, z), score, behind, bool(may_be_other), None if math.isnan(a) else (a, b, c), bool(parted)
        )
