"""The folder of a run or a round: claimed once, worked in by one process at a time, resumed as it was begun."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seqgcn.exceptions import RunFolderError
from seqgcn.utils.files import make_folder, write_text
from seqgcn.utils.locks import locked
from seqgcn.utils.messages import log


@dataclass(frozen=True)
class RunDirectory:
    """A folder whose record, a YAML file, says what is computed in it.

    The record is written first, when the folder is claimed. Whoever resumes the work must ask for the same: see
    `check_same`.

    Args:
        path: The folder.
        record: Name of the record.
        kind: `"run"` or `"round"`, for messages.
        results: Names of files that are only there beside a record. Without any, a folder must be empty to be free.
    """

    path: Path
    record: str
    kind: str
    results: tuple[str, ...] = ()

    @property
    def file(self) -> Path:
        """The record."""
        return self.path / self.record

    @property
    def claimed(self) -> bool:
        """Whether there is a record."""
        return self.file.exists()

    def check_free(self) -> None:
        """Make sure that nothing is lost by work begun in this folder.

        Raises:
            RunFolderError: It is claimed, or holds other files.
        """
        if self.claimed:
            raise RunFolderError(
                f"{self.path} holds a {self.kind} already: go on with --resume, or name another folder with --out"
            )
        for name in self.results:
            if (self.path / name).exists():
                raise RunFolderError(
                    f"{self.path} holds {name} without {self.record}; restore it, or name another folder"
                )
        if (
            not self.results
            and self.path.is_dir()
            and any(not each.name.startswith(".") for each in self.path.iterdir())
        ):
            raise RunFolderError(f"{self.path} holds other files; name a new or empty folder with --out")

    def read(self, way_out: str = " to resume; without --resume one is begun there") -> dict[str, Any]:
        """What the record holds.

        Args:
            way_out: What to do if there is none, for the message.

        Raises:
            RunFolderError: There is none, or it is no YAML mapping.
        """
        if not self.file.is_file():
            raise RunFolderError(f"there is no {self.kind} in {self.path}{way_out}")
        try:
            held = yaml.safe_load(self.file.read_bytes())
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise RunFolderError(f"cannot read {self.file}: {error}") from error
        if not isinstance(held, dict):
            raise self.not_one()
        return held

    def not_one(self) -> RunFolderError:
        """The error of a record that is something else."""
        return RunFolderError(f"{self.file} does not hold a {self.kind}; name another folder with --out")

    def write(self, document: Mapping[str, Any]) -> None:
        """Write the record."""
        write_text(self.file, yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True))

    def claim(self, settle: Callable[[], Mapping[str, Any] | None]) -> None:
        """Settle, while no other process can do so, what the record holds.

        Args:
            settle: Gives the record to write, or None to keep the one that is there; raises if the work cannot be
                done in this folder, which may have changed since it was looked at last.

        Raises:
            RunFolderError: Another process works there, or the folder cannot be written.
        """
        make_folder(self.path)
        with self.locked():
            document = settle()
            if document is not None:
                self.write(document)

    def locked(self) -> AbstractContextManager[None]:
        """Hold the folder for this process; see `seqgcn.utils.locks`."""
        return locked(self.path)

    def check_same(self, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Make sure that work is resumed with what it was begun with.

        Args:
            then: Options by name, as the record has them.
            now: The same of what is asked for now.

        Raises:
            RunFolderError: Some differ; the message has all of them, with both values.
        """
        keys = [key for key in {**then, **now} if then.get(key) != now.get(key)]
        if keys:
            changes = "; ".join(f"{key} is {then.get(key)} there, {now.get(key)} now" for key in keys)
            raise RunFolderError(
                f"{self.path} holds another {self.kind} ({changes}); leave these options as they were, or name "
                "another folder with --out"
            )

    def check_fingerprints(self, then: object, now: Mapping[str, str]) -> None:
        """Make sure that work is resumed on what it was begun on.

        Args:
            then: Fingerprints by what they are of, as the record has them.
            now: The same of what is there now.

        Raises:
            RunFolderError: Some differ; the message names the first, as those that follow may depend on it.
        """
        held = then if isinstance(then, dict) else {}
        for what, fingerprint in now.items():
            if held.get(what) != fingerprint:
                raise RunFolderError(
                    f"{what} changed since {self.path} was begun; restore what was there, or name another folder with "
                    "--out"
                )

    def warn(self, notes: Iterable[str]) -> None:
        """Log sentences about this folder."""
        for note in notes:
            log.warning(f"{self.path}: {note}")


def as_read(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document as YAML gives it back: a list for a tuple."""
    values: dict[str, Any] = yaml.safe_load(yaml.safe_dump(dict(document)))
    return values
