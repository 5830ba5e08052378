"""The journal of a run: one JSON line a cycle, on the disk before the next cycle begins."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from seqgcn.exceptions import RunFolderError
from seqgcn.utils.files import sync_folder


@dataclass(frozen=True, kw_only=True)
class CycleRecord:
    """What happened in one cycle.

    Args:
        cycle: Counted from 0, the cycle of the initial labels.
        labelled: Item ids the learner was trained on, in the order they were revealed.
        picks: Item ids chosen in this cycle, best first; none in the last cycle.
        scores: The selector's score of each pick.
        metric: Test metrics by name.
        seconds: Wall-clock seconds of `train`, `test`, `embed`, `select`.
        seeds: Every derived seed by purpose.
        environment: Versions, threads, device and machine.
        curves: What the learner tells of its training, a value an epoch, by name.
        pseudo: Item ids that the next cycle also trains on, under targets that the learner predicted and nobody
            confirmed: `{"items": [...], "targets": [...]}`; empty for most selectors. They are no labels, and forgotten
            after that cycle.
        generated: Items made for this cycle's training: `{"source": [...], "targets": [...]}`, the labeled item that
            each was made from and what it was made to show; empty for most selectors.
    """

    cycle: int
    labelled: tuple[int, ...]
    picks: tuple[int, ...]
    scores: tuple[float, ...]
    metric: Mapping[str, float]
    seconds: Mapping[str, float]
    seeds: Mapping[str, int]
    environment: Mapping[str, Any] = field(repr=False)
    curves: Mapping[str, list[float]] = field(default_factory=dict, repr=False)
    pseudo: Mapping[str, list[Any]] = field(default_factory=dict, repr=False)
    generated: Mapping[str, list[Any]] = field(default_factory=dict, repr=False)

    def to_line(self) -> str:
        """One line of JSON, newline included."""
        return json.dumps(asdict(self), separators=(",", ":")) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "CycleRecord":
        """Parse a journal line.

        Raises:
            ValueError: Not JSON, or not a record.
        """
        values = json.loads(line)
        names = {f.name for f in fields(cls)}
        # Lines of earlier versions have none of these.
        if not isinstance(values, dict) or {"curves", "pseudo", "generated", *values} != names:
            raise ValueError("not a cycle record")
        lists = ("labelled", "picks", "scores")
        for name in values.keys() - {"cycle"}:
            if not isinstance(values[name], list if name in lists else dict):
                raise ValueError(f"{name} is not a {'list' if name in lists else 'mapping'}")
        return cls(**{**values, **{name: tuple(values[name]) for name in lists}})


class Journal:
    """Append-only file of `CycleRecord` lines.

    What `recover` read and `append` wrote must still be all there is when the next record comes: lines of another
    process are not mixed with one's own.

    A run can be extended: the last cycle of what is there picked nothing, so it is computed again, and gets a second
    line with picks. Lines are never changed; of two lines of one cycle, the second counts.

    Args:
        path: The file; its folder must exist.
        cycles: How often the run is to pick items; by default as often as it did.
    """

    def __init__(self, path: str | Path, cycles: int | None = None) -> None:
        self.path, self.cycles = Path(path), cycles
        self._known: bytes | None = None

    def read(self) -> list[CycleRecord]:
        """All whole records; a torn last line (the process died while writing) is passed over.

        Raises:
            RunFolderError: The file cannot be read, or a whole line is damaged.
        """
        return self._read()[0]

    def recover(self) -> list[CycleRecord]:
        """`read`, and cut a torn last line off the file.

        Returns:
            The records to go on from: without the last one if it picked nothing, but is not to be the last any more.

        Raises:
            RunFolderError: As for `read`, or the file cannot be cut.
        """
        records, whole, size = self._read()
        if len(whole) < size:
            try:
                os.truncate(self.path, len(whole))
            except OSError as error:
                reason = error.strerror or error
                raise RunFolderError(f"cannot drop the torn last line of {self.path}: {reason}") from error
        self._known = _digest(whole)
        if self.cycles is not None and records and not records[-1].picks and records[-1].cycle < self.cycles:
            return records[:-1]
        return records

    def append(self, record: CycleRecord) -> None:
        """Write a record and wait until it is on the disk.

        Raises:
            RunFolderError: Writing failed (disk full, read-only folder), or the file is no longer what this journal
                read and wrote; earlier records are untouched.
        """
        data = record.to_line().encode()
        size: int | None = None
        try:
            # A device has no size, and no end to read to.
            before = self.path.read_bytes() if self.path.exists() and self.path.stat().st_size else b""
            if self._known not in (None, _digest(before)):
                raise RunFolderError(
                    f"{self.path} is not what this process left there: it was removed, replaced, cut or written to. "
                    f"Cycle {record.cycle} is not added to it; restore the file, then go on with --resume"
                )
            size = len(before)
            with open(self.path, "ab") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if not before:
                sync_folder(self.path.parent)
        except RunFolderError:
            raise
        except OSError as error:
            self._undo(size)
            reason = error.strerror or error
            raise RunFolderError(
                f"cannot write cycle {record.cycle} to {self.path}: {reason}. The {record.cycle} earlier "
                "cycles in it are kept; make room or restore write access, then go on with --resume"
            ) from error
        self._known = _digest(before + data)

    def _undo(self, size: int | None) -> None:
        try:
            if size is not None and self.path.is_file() and self.path.stat().st_size > size:
                os.truncate(self.path, size)
        except OSError:
            # The next recover() drops the torn line instead; the first failure is the one to report.
            return

    def _read(self) -> tuple[list[CycleRecord], bytes, int]:
        """Records, the lines that hold them, and the size of the file."""
        try:
            data = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise RunFolderError(f"cannot read {self.path}: {error.strerror or error}") from error
        records: list[CycleRecord] = []
        end = 0
        for number, line in enumerate(data.splitlines(keepends=True), start=1):
            if not line.endswith(b"\n"):
                break
            try:
                record = CycleRecord.from_line(line.decode())
            except (ValueError, TypeError) as error:
                raise RunFolderError(
                    f"{self.path}, line {number} is damaged ({error}); restore the file, or start in another folder"
                ) from error
            if records and not records[-1].picks and record.cycle == records[-1].cycle:
                del records[-1]  # computed again, with picks, when the run was extended
            records.append(record)
            end += len(line)
        return records, data[:end], len(data)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
