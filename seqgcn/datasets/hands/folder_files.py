"""Which files of a depth folder are its frames, and what the first of them tell."""

import os
import re
import warnings
from pathlib import Path

from seqgcn.datasets.frame_names import sort_frames
from seqgcn.datasets.hands.frame_files import (
    CONVERT,
    LOSSY,
    SUFFIXES,
    Kind,
    how_to_unpack,
)
from seqgcn.datasets.hands.listing import check_names, list_below
from seqgcn.exceptions import ArgumentError, DataFileError, SeqGCNWarning
from seqgcn.utils.validation import name_some

LAYOUT = "expected FOLDER/camera.yaml and 16-bit PNG files in FOLDER or in FOLDER/SEQUENCE"
NOTES = (".yaml", ".yml", ".json")
TRIED = 5
"""Frames of a sequence that are looked at, to find one that can be read."""


class FolderFiles:
    """All files below a depth folder that mean something to it, listed once.

    Args:
        top: The folder.
        pattern: Which files are frames, as in ``*/depth/*.png``; None for all.

    Raises:
        ArgumentError: The pattern is none, or leads out of the folder.
        DataFileError: A folder cannot be read, or a link leads out of it.
    """

    def __init__(self, top: Path, pattern: str | None = None) -> None:
        self.top, self.pattern = top, pattern
        matches = None if pattern is None else compile_pattern(pattern)
        images = {suffix for suffixes in SUFFIXES.values() for suffix in suffixes}
        found = list_below(top, {*images, *NOTES, *CONVERT})
        self.notes = sorted(file for suffix in NOTES for file in found[suffix])
        self.videos = sorted(file for suffix in CONVERT for file in found[suffix])
        self.images = {suffix: found[suffix] for suffix in images}
        self.others = sum(map(len, self.images.values()))
        if matches is not None:
            self.images = {suffix: list(filter(matches.fullmatch, files)) for suffix, files in self.images.items()}

    @property
    def beside(self) -> list[Path]:
        """Notes in the folder itself."""
        return [self.top / file for file in self.notes if "/" not in file]

    def frames(self, kind: Kind | None) -> list[str]:
        """Paths of the frames below the folder, all of one kind, in their order.

        Args:
            kind: As ``camera.yaml`` has it; None if suffixes say it.

        Raises:
            DataFileError: There is none, or a name cannot be listed.
        """
        kinds: tuple[Kind, ...] = ("png", "tiff", "npy") if kind is None else (kind,)
        for each in kinds:
            files = [file for suffix in SUFFIXES[each] for file in self.images[suffix]]
            if files:
                self._warn_of_videos()
                return sort_frames(check_names(self.top, files))
        raise DataFileError(self._nothing(kind))

    def hint(self, kind: Kind) -> str:
        """What to do where the frames are of another kind than was thought, if there are files of another."""
        others = [each for each in ("npy", "tiff") if each != kind and any(self.images[s] for s in SUFFIXES[each])]
        return (
            f"; there are files of {others[0]} too, which are taken with format: {others[0]} in camera.yaml"
            if others
            else ""
        )

    def _nothing(self, kind: Kind | None) -> str:
        """Why there is no frame, and the way out."""
        if self.pattern is not None and self.others:
            there = next(file for file in self._any())
            return f"{self.top}: no frame matches dataset.depth={self.pattern!r}; one that is there is {there}"
        raw = [file for suffix in SUFFIXES["raw"] for file in self.images[suffix]]
        if raw and kind is None:
            return (
                f"{self.top} has files such as {min(raw)} that may be raw frames; say so in camera.yaml: format: raw, "
                "shape: [480, 640] (rows, columns) and dtype: uint16"
            )
        if self.videos:
            return (
                f"{self.top} has the video {self.videos[0]} and no frames; write its depth frames into files: "
                f"{how_to_unpack(self.videos[0])}"
            )
        what = "PNG" if kind is None else "/".join(SUFFIXES[kind])
        return f"{self.top} has no {what} file; {LAYOUT}; TIFF and NPY files will do too"

    def _any(self) -> list[str]:
        found = list_below(self.top, set(self.images))
        return sorted(file for files in found.values() for file in files)

    def _warn_of_videos(self) -> None:
        # A color video beside the frames is none of depth.
        depth = [file for file in self.videos if os.path.splitext(file)[1].lower() not in LOSSY]
        if depth and self.pattern is None:
            warnings.warn(
                f"{self.top}: the video {name_some(depth, 3)} is not read; if its frames are not in files yet: "
                f"{how_to_unpack(depth[0])}",
                SeqGCNWarning,
                stacklevel=4,
            )


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of paths below a folder, as a regular expression: `*` and `?` stay in a name, `**/` is any folders.

    Raises:
        ArgumentError: It is none, or leads out of the folder.
    """
    if not isinstance(pattern, str) or not pattern.strip():
        raise ArgumentError(f"depth must be a pattern such as '*/depth/*.png', got {pattern!r}")
    parts = pattern.split("/")
    if "\\" in pattern or re.match("[A-Za-z]:|/|~", pattern) or any(part in ("", ".", "..") for part in parts):
        raise ArgumentError(
            f"depth must be a pattern of paths below the folder, such as '*/depth/*.png' with /, that does not lead "
            f"out of it, got {pattern!r}"
        )
    text = ""
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        if part == "**":
            text += ".*" if last else "(?:[^/]+/)*"
        else:
            text += _part(part) + ("" if last else "/")
    return re.compile(text)


def _part(part: str) -> str:
    """One name of a pattern."""
    words = {"*": "[^/]*", "?": "[^/]"}
    return "".join(words.get(letter, re.escape(letter)) for letter in re.sub(r"\*+", "*", part))
