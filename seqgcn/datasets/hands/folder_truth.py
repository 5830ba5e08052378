"""True poses of a depth folder's frames, and predictions of the same frames beside them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.datasets.data_files import check_root, read_bytes
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.folder_files import LAYOUT, NOTES
from seqgcn.datasets.hands.folder_labels import read_csv
from seqgcn.datasets.hands.folder_setup import CAMERA, Setup, read_setup, setups_of
from seqgcn.datasets.hands.folder_videos import look_at
from seqgcn.datasets.hands.listing import given_labels, list_below
from seqgcn.datasets.hands.pose_files import Release, read_pose_file
from seqgcn.datasets.hands.release import need_file
from seqgcn.exceptions import DataFileError, MissingFileError
from seqgcn.utils.validation import name_some


class FolderTruth:
    """Poses of the labeled frames of a depth folder.

    Args:
        root: The folder; its ``camera.yaml`` names the joints, and its camera turns px into mm.
        files: Files like its ``labels.csv``.

    Raises:
        DataFileError: A file cannot be read, a frame is in two, or none has a pose.
    """

    def __init__(self, root: Path, files: Sequence[Path]) -> None:
        self.top = check_root(root, "the depth folder")
        path = need_file(self.top, CAMERA, "the depth folder", LAYOUT)
        self.notes = sorted(file for files in list_below(self.top, NOTES).values() for file in files)
        self.setup: Setup = read_setup(path, [self.top / file for file in self.notes if "/" not in file])
        self.skeleton, self.title = self.setup.skeleton, self.top.resolve().name
        self.path = Path(" + ".join(map(str, files)))
        self.poses: dict[str, NDArray[np.float32]] = {}
        for file in files:
            found = read_csv(given_labels(file), self.skeleton)
            if twice := self.poses.keys() & found.keys():
                raise DataFileError(f"{file} has poses of {name_some(sorted(twice), 3)}, and so has a file before it")
            self.poses |= found
        if not self.poses:
            raise DataFileError(f"{self.path} has no frame with a pose")

    def pair(self, path: Path) -> tuple[Tensor, Tensor]:
        """Predicted and true poses of the labeled frames, both `[n, J, 3]` float64 mm.

        Args:
            path: A table like ``labels.csv``, or lines `u v d` as of the released data sets. Both may have more frames,
                if they name them.

        Raises:
            DataFileError: The file cannot be read, lacks a labeled frame, or is in meters.
        """
        true = torch.from_numpy(np.stack(list(self.poses.values()))).double()
        if _is_table(path):
            table = read_csv(path, self.skeleton)
            names: Sequence[str] = list(table)
            poses = torch.from_numpy(np.stack(list(table.values()))).double() if table else torch.empty(0)
            return self._chosen(path, names, poses, true), true
        camera, *_ = self._cameras(list(self.poses)[:1])
        found = read_pose_file(path, Release(self.title, camera, self.skeleton))
        if not found.names and len(found.uvd) != len(true):
            raise DataFileError(
                f"{path} has {len(found.uvd):,} lines without names, but {self.path} has {len(true):,} frames with a "
                "pose; lines must be those frames in that order, or begin with the frame's name"
            )
        uvd = self._chosen(path, found.names, found.uvd, true) if found.names else found.uvd
        cameras = self._cameras(list(self.poses))
        return torch.stack([each.to_world(row) for each, row in zip(cameras, uvd, strict=True)]), true

    def _chosen(self, path: Path, names: Sequence[str], poses: Tensor, true: Tensor) -> Tensor:
        """Rows of the labeled frames, in their order."""
        rows = {name: row for row, name in enumerate(names)}
        if len(rows) < len(names):
            twice = sorted({name for row, name in enumerate(names) if rows[name] != row})
            raise DataFileError(f"{path} has more than one line for {name_some(twice, 3)}")
        missing = [name for name in self.poses if name not in rows]
        if missing:
            some = f"; its own frames are such as {names[0]}" if names else ""
            raise DataFileError(
                f"{path} has no pose of {name_some(missing, 3)}, which {self.path} has ({len(missing):,} of "
                f"{len(self.poses):,} are missing){some}"
            )
        chosen = poses[[rows[name] for name in self.poses]]
        far, truly = float(chosen[..., 2].nanmedian()), float(true[..., 2].nanmedian())
        if 0 < far * 100 < truly:
            raise DataFileError(
                f"{path}: its depths are about {far:.3g}, the true ones {truly:.0f} mm; multiply x, y and z by 1,000, "
                "if they are in meters"
            )
        return chosen

    def _cameras(self, frames: Sequence[str]) -> list[Camera]:
        """The camera of each frame."""
        by_sequence: dict[str, list[str]] = {}
        for frame in frames:
            by_sequence.setdefault(frame.rpartition("/")[0] or ".", []).append(frame)
        setups = setups_of(self.top, self.setup, by_sequence, self.notes)
        cameras = {sequence: self._camera(setups[sequence], files) for sequence, files in by_sequence.items()}
        return [cameras[frame.rpartition("/")[0] or "."] for frame in frames]

    def _camera(self, setup: Setup, files: Sequence[str]) -> Camera:
        try:
            return look_at(self.top, files, setup)
        except MissingFileError:
            # Frames need not be there to score them; the size is only for finding out that u v d are none.
            assert setup.lens is not None  # noqa: S101  # for mypy: checked where the setups are read
            width, height = setup.lens.size or (round(2 * setup.lens.cx), round(2 * setup.lens.cy))
            return Camera(*setup.lens[:4], max(width, 1), max(height, 1))


def _is_table(path: Path) -> bool:
    """Whether a file begins as ``labels.csv`` does."""
    given_labels(path)
    return read_bytes(path)[:200].decode("utf-8-sig", errors="replace").lstrip().startswith("frame,")
