"""Scores of published hand pose predictions: two text files, a line a frame, `u v d` (px, px, mm) a joint."""

import json
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor

from seqgcn.checks import check_choice, name_some
from seqgcn.datasets.files import read_bytes
from seqgcn.datasets.hands.camera import BIGHAND_CAMERA, ICVL_CAMERA, MSRA_CAMERA, NYU_CAMERA, Camera
from seqgcn.datasets.hands.skeleton import BIGHAND21, ICVL16, MSRA21, NYU14, NYU36, NYU_EVALUATED, Skeleton
from seqgcn.errors import ArgumentError, DataFileError, MissingFileError
from seqgcn.evaluation import Score, score_poses
from seqgcn.files import make_folder, write_text

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


def score_files(
    predictions: str | PathLike[str], groundtruth: str | PathLike[str] | Sequence[str | PathLike[str]], dataset: str
) -> Score:
    """Score a file of predictions against the true poses; see `read_poses` for the format of both.

    Frames are joined by name where both files have names, else by their order.

    Args:
        predictions: File of the predicted poses.
        groundtruth: File of the true ones, or several that follow one another.
        dataset: One of `RELEASES`.

    Raises:
        ArgumentError: `dataset` is none of them.
        DataFileError: A file cannot be read, or the two do not hold the same frames.
    """
    release = _release(dataset)
    files = [groundtruth] if isinstance(groundtruth, str | PathLike) else list(groundtruth)
    predicted, true = read_poses(predictions, dataset), _joined([read_poses(file, dataset) for file in files])
    order = _by_name(predicted, true) if predicted.names and true.names else None
    if order is None and len(predicted.uvd) != len(true.uvd):
        raise DataFileError(
            f"{predicted.path} has {len(predicted.uvd):,} frames, {true.path} has {len(true.uvd):,}: without frame "
            "names in both, they must be the same frames in the same order"
        )
    uvd = predicted.uvd if order is None else predicted.uvd[order]
    return score_poses(
        release.camera.to_world(uvd),
        release.camera.to_world(true.uvd),
        dataset=release.title,
        joints=release.skeleton.joints,
    )


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
    file, release = Path(path), _release(dataset)
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
            names.append(cells.pop(0))
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


def _joined(files: Sequence[PoseFile]) -> PoseFile:
    """Several files as one; names count only where all have them."""
    if not files:
        raise ArgumentError("groundtruth names no file; give at least one")
    named = all(file.names for file in files)
    names = tuple(name for file in files for name in file.names) if named else ()
    path = files[0].path if len(files) == 1 else Path(" + ".join(str(file.path) for file in files))
    return PoseFile(path, names, torch.cat([file.uvd for file in files]))


def _release(dataset: str) -> Release:
    check_choice("dataset", dataset, tuple(RELEASES))
    return RELEASES[dataset]


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


def _by_name(predicted: PoseFile, true: PoseFile) -> Tensor:
    """Row of the predictions for each true frame, `[n]`."""
    for poses in (predicted, true):
        twice = [name for name, count in Counter(poses.names).items() if count > 1]
        if twice:
            raise DataFileError(f"{poses.path} has more than one line for {name_some(twice, 3)}")
    rows = {name: row for row, name in enumerate(predicted.names)}
    missing = [name for name in true.names if name not in rows]
    if missing:
        raise DataFileError(f"{predicted.path} has no line for {name_some(missing, 3)} of {true.path}")
    known = set(true.names)
    surplus = [name for name in predicted.names if name not in known]
    if surplus:
        raise DataFileError(f"{predicted.path} has lines for {name_some(surplus, 3)}, which {true.path} does not have")
    return torch.tensor([rows[name] for name in true.names])


def write_scores(scores: Mapping[str, Score], folder: str | PathLike[str]) -> None:
    """Write scores.json, scores.md, success_curve.png and per_joint.png, with all scores in each.

    Args:
        scores: Of each file or system, by name, over the same data set.
        folder: Where; made if it is not there. Older files of these names are replaced.

    Raises:
        ArgumentError: There is no score, or they are of different data sets.
        RunFolderError: The folder cannot be made or written.
    """
    # Here, as printing a table needs no matplotlib.
    from seqgcn.report.hands import per_joint_bars, success_curves

    datasets = dict.fromkeys(score.dataset for score in scores.values())
    if len(datasets) != 1:
        raise ArgumentError(f"scores must be of one data set, got {', '.join(datasets) or 'none'}")
    (title,) = datasets
    folder = Path(folder)
    make_folder(folder)
    document = {
        name: {**asdict(score), "frames_auc": score.frames_auc, "joints_auc": score.joints_auc}
        for name, score in scores.items()
    }
    write_text(folder / "scores.json", json.dumps(document, indent=1) + "\n")
    sections = (f"# {name}\n\n{score.table()}\n" for name, score in scores.items())
    write_text(folder / "scores.md", "\n".join(sections))
    success_curves(scores, folder / "success_curve.png", title=f"{title}: worst joint of each frame")
    per_joint_bars(scores, folder / "per_joint.png", title=f"{title}: error of each joint")
