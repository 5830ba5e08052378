"""Text files of hand poses, as predictions are published: a line a frame, `u v d` (px, px, mm) a joint."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor

from seqgcn.datasets.data_files import read_bytes
from seqgcn.datasets.hands.camera import BIGHAND_CAMERA, ICVL_CAMERA, MSRA_CAMERA, NYU_CAMERA, Camera
from seqgcn.datasets.hands.skeleton import BIGHAND21, ICVL16, MSRA21, NYU14, NYU36, NYU_EVALUATED, Skeleton
from seqgcn.exceptions import DataFileError, MissingFileError
from seqgcn.utils.validation import check_choice

FARTHEST = 1e6
"""No px or mm of a file may be as large as this: a kilometre."""


@dataclass(frozen=True)
class Release:
    """How a data set's predictions are published.

    Args:
        title: The data set's name.
        camera: Turns px, px, mm into mm.
        skeleton: The joints on which errors are reported.
        whole: All joints that the data set has, where these are more.
        chosen: Which of `whole` are reported.
    """

    title: str
    camera: Camera
    skeleton: Skeleton
    whole: Skeleton | None = None
    chosen: tuple[int, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of joints that a line may have."""
        return (len(self.skeleton),) if self.whole is None else (len(self.skeleton), len(self.whole))


RELEASES: Mapping[str, Release] = {
    "icvl": Release("ICVL", ICVL_CAMERA, ICVL16),
    "nyu": Release("NYU", NYU_CAMERA, NYU14, NYU36, NYU_EVALUATED),
    "msra": Release("MSRA15", MSRA_CAMERA, MSRA21),
    "hands17": Release("HANDS17", BIGHAND_CAMERA, BIGHAND21),
}


@dataclass(frozen=True, eq=False)
class PoseFile:
    """Poses as a file has them.

    Args:
        path: The file.
        names: Name of each frame; empty if the file has none.
        uvd: `[n, J, 3]` float64 px, px, mm, the reported joints only.
    """

    path: Path
    names: tuple[str, ...]
    uvd: Tensor


def read_poses(path: str | PathLike[str], dataset: str) -> PoseFile:
    r"""Read a file of poses, a frame a line: `u v d` (px, px, mm) of each joint, before them a name or nothing.

    Values are separated by blanks, tabs or commas; blank lines and any mixture of `\r` and `\n` are fine. NYU's
    lines may have its 14 evaluated joints or all 36.

    Args:
        path: The file.
        dataset: One of `RELEASES`.

    Raises:
        ArgumentError: `dataset` is none of them.
        MissingFileError: There is no such file.
        DataFileError: It cannot be read; the message names the line.
    """
    check_choice("dataset", dataset, tuple(RELEASES))
    return read_pose_file(Path(path), RELEASES[dataset])


def read_pose_file(file: Path, release: Release) -> PoseFile:
    """The same of any release."""
    if not file.exists():
        raise MissingFileError(f"{file} does not exist; give a file with one frame a line, u v d of each joint")
    names: list[str] = []
    values = array("d")
    lines: list[int] = []
    width = 0
    text = read_bytes(file).decode("utf-8-sig", errors="replace")
    for number, line in enumerate(text.split("\n" if "\n" in text else "\r"), start=1):
        cells = line.replace(",", " ").split()
        if not cells:
            continue
        if not lines:
            width = len(cells)
            _check_width(f"{file}, line {number}", width, release)
        elif len(cells) != width:
            raise DataFileError(
                f"{file}, line {number} has {len(cells)} values, but line {lines[0]} has {width}; is it cut off?"
            )
        if width % 3:
            names.append(plain_name(cells.pop(0)))
        try:
            values.extend(map(float, cells))
        except ValueError as error:
            reason = str(error)[:100]
            raise DataFileError(f"{file}, line {number}: {reason}; a line is u v d of each joint") from error
        lines.append(number)
    if not lines:
        raise DataFileError(f"{file} holds no frame")
    uvd = torch.frombuffer(values, dtype=torch.float64).view(len(lines), -1, 3)
    _check_values(file, uvd, lines, release)
    if release.whole is not None and uvd.shape[1] == len(release.whole):
        uvd = uvd[:, list(release.chosen)]
    return PoseFile(file, tuple(names), uvd)


def plain_name(name: str) -> str:
    """A frame's name with the separator that all systems read."""
    return name.replace("\\", "/").removeprefix("./")


def _check_width(where: str, width: int, release: Release) -> None:
    joints, extra = divmod(width, 3)
    if extra < 2 and joints in release.sizes:
        return
    expected = " or ".join(str(3 * size) for size in release.sizes)
    others = [name for name, other in RELEASES.items() if joints in other.sizes and extra < 2]
    hint = f"; {joints} joints are those of {' and '.join(others)}" if others else ""
    raise DataFileError(
        f"{where} has {width} values, but a frame of {release.title} has {expected} (u v d of each joint), with or "
        f"without a name before them{hint}"
    )


def _check_values(file: Path, uvd: Tensor, lines: Sequence[int], release: Release) -> None:
    for wrong, what in (
        (~(uvd.abs() < FARTHEST).all(dim=2), "is not a place that a camera sees"),
        (uvd[..., 2] <= 0, "does not lie in front of the camera; values are u v d (px, px, mm), not x y z"),
    ):
        if wrong.any():
            row, joint = wrong.nonzero()[0].tolist()
            point = " ".join(f"{value:g}" for value in uvd[row, joint].tolist())
            raise DataFileError(f"{file}, line {lines[row]}: joint {joint} (counted from 0), {point}, {what}")
    size = (release.camera.width, release.camera.height)
    outside = ((uvd[..., :2] < 0) | (uvd[..., :2] >= uvd.new_tensor(size))).any(dim=2).double().mean()
    if outside > 0.5:
        raise DataFileError(
            f"{file}: {100 * float(outside):.0f} % of the joints lie outside the {size[0]} x {size[1]} px image of "
            f"{release.title}; values are u v d (px, px, mm), not x y z"
        )
