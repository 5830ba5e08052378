"""The folders of runs: claimed when they are begun, and extended by more cycles, selectors or seeds."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from seqgcn.config.run import CONFIG, FINGERPRINT, REFERENCES
from seqgcn.exceptions import RunFolderError
from seqgcn.runs.reader import JOURNAL, PICKS
from seqgcn.runs.summary import COMPARISON, CURVE, TRAINING
from seqgcn.utils.environment import unnested
from seqgcn.utils.files import make_folder, write_atomically
from seqgcn.utils.run_directory import RunDirectory, as_read

MAY_DIFFER = ("root", "device", "dataset.cache")
"""Keys that may change on resume: data may move (its fingerprint may not), and a device's difference is logged."""

MAY_GROW = ("cycles", "selector", "seeds")
"""Keys that may be given more on resume: what is there already stays comparable."""

Documents = Mapping[Path, Mapping[str, Any]]
"""The configuration that each folder is to hold: that of all runs and those below it."""


def run_directory(folder: Path) -> RunDirectory:
    """The folder of one run, or of several."""
    return RunDirectory(folder, CONFIG, "run", (JOURNAL, CURVE, TRAINING, PICKS, COMPARISON))


def claim(folder: Path, documents: Documents, *, resume: bool) -> None:
    """Write the configuration of every run into its folder, or make sure that what is there fits it.

    A single run that becomes one of several moves into a folder of its own.

    Args:
        folder: Of all runs.
        documents: Configurations, that of `folder` first.
        resume: Whether the folders may hold runs, which are gone on with, and extended where more is asked for.

    Raises:
        RunFolderError: A folder holds another run, is in use by another process, or cannot be written.
    """
    below = _place_below(folder, documents) if resume else None
    for path, document in documents.items():
        if below is None or path not in (folder, below):
            _settle(path, document, resume)
    if below is not None:
        _move(folder, below, documents[folder])
    for path, document in documents.items():
        # Other processes may have been here since.
        run_directory(path).claim(lambda path=path, document=document: _settle(path, document, resume))  # type: ignore[misc]
        if path != folder and _is_copy(folder, path):  # of a move that was killed
            _remove(folder)


def check_same(folder: Path, document: Mapping[str, Any], may_grow: tuple[str, ...] = ()) -> dict[str, Any]:
    """What the configuration in a folder holds, which must be the one that is asked for now.

    Args:
        folder: Of a run, or of several.
        document: What is asked for now.
        may_grow: Keys of which more may be asked for.

    Raises:
        RunFolderError: It is another one, or of other data; or there is none that can be read.
    """
    directory = run_directory(folder)
    held = directory.read()
    then, now = (_comparable(values) for values in (held, as_read(document)))
    then |= {key: now[key] for key in may_grow if _is_more(now.get(key), then.get(key))}
    directory.check_same(then, now)
    directory.check_fingerprints(
        {"the data set": held.get(FINGERPRINT)}, {"the data set": as_read(document)[FINGERPRINT]}
    )
    return held


def _settle(folder: Path, document: Mapping[str, Any], resume: bool) -> Mapping[str, Any] | None:
    """The configuration to write into a folder; None if it holds that one."""
    directory = run_directory(folder)
    if not (resume and directory.claimed):
        directory.check_free()
        return document
    held, now = check_same(folder, document, MAY_GROW), as_read(document)
    grown = {**held, **{key: now[key] for key in MAY_GROW}}
    return None if grown == held else grown


def _comparable(document: Mapping[str, Any]) -> dict[str, Any]:
    """What must agree, by key, with the items of `set` beside the options."""
    flat = unnested({key: value for key, value in document.items() if key not in (FINGERPRINT, REFERENCES)})
    return {key: value for key, value in flat.items() if key not in MAY_DIFFER}


def _is_more(now: Any, then: Any) -> bool:
    if isinstance(now, list) and isinstance(then, list):
        return all(each in now for each in then)
    return isinstance(now, int) and isinstance(then, int) and now > then


def _place_below(folder: Path, documents: Documents) -> Path | None:
    """Where the single run that a folder holds belongs among several; None if it holds none, or is to hold one."""
    directory = run_directory(folder)
    if len(documents) == 1 or not directory.claimed:
        return None
    held = directory.read()
    if not all(isinstance(held.get(key), list) and len(held[key]) == 1 for key in ("selector", "seeds")):
        return None
    several = as_read(documents[folder])
    fitting = [
        path
        for path, document in documents.items()
        if path != folder and all(document[key] == held[key] for key in ("selector", "seeds"))
    ]
    if not fitting:
        directory.check_same(*({key: values[key] for key in ("selector", "seeds")} for values in (held, several)))
    for path in fitting:
        try:
            check_same(folder, documents[path], ("cycles",))
        except RunFolderError:
            if path == fitting[-1]:
                raise
        else:
            return path
    return None


def _move(folder: Path, below: Path, document: Mapping[str, Any]) -> None:
    """Move a single run below; killed at any moment, the run is whole in one of the two folders."""
    source, target = run_directory(folder), run_directory(below)
    make_folder(below)
    with source.locked(), target.locked():
        if target.claimed and not _is_copy(below, folder):
            target.check_free()
        for path in (*_files(folder), source.file):
            _copy(path, below / path.name)
        source.write(document)
        _remove(folder)


def _files(folder: Path) -> list[Path]:
    """What a single run leaves in its folder and no set of several does, the journal last."""
    paths = [folder / TRAINING, folder / PICKS, *sorted(folder.glob("learner*")), folder / JOURNAL]
    return [path for path in paths if path.is_file()]


def _copy(path: Path, target: Path) -> None:
    def write(file: BinaryIO) -> None:
        with path.open("rb") as source:
            shutil.copyfileobj(source, file)

    write_atomically(target, write)


def _remove(folder: Path) -> None:
    for path in _files(folder):
        path.unlink()


def _is_copy(folder: Path, other: Path) -> bool:
    """Whether the journal in a folder is there in the other one too, which may be further on."""
    journal, longer = folder / JOURNAL, other / JOURNAL
    return journal.is_file() and longer.is_file() and longer.read_bytes().startswith(journal.read_bytes())
