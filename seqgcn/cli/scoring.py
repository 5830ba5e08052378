"""Scores of predicted hand poses: text files, a line a frame, `u v d` (px, px, mm) a joint, or tables in mm."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor

from seqgcn.datasets.hands.folder_truth import FolderTruth
from seqgcn.datasets.hands.pose_files import RELEASES, PoseFile, read_pose_file, read_poses
from seqgcn.evaluation import Score, score_poses
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.utils.files import make_folder, write_text
from seqgcn.utils.validation import check_choice, name_some

__all__ = ["RELEASES", "PoseFile", "Truth", "read_poses", "score_files", "write_scores"]

FOLDER = "depth-folder"


class Truth:
    """True poses of a data set, against which files of predictions are scored.

    Args:
        groundtruth: File of the true poses, or several that follow one another.
        dataset: One of `RELEASES`, or `"depth-folder"`.
        root: The depth folder, whose ``camera.yaml`` names the joints; for no other data set.

    Raises:
        ArgumentError: `dataset` is none of them, or `root` does not go with it.
        DataFileError: A file cannot be read.
    """

    def __init__(
        self,
        groundtruth: str | PathLike[str] | Sequence[str | PathLike[str]],
        dataset: str,
        root: str | PathLike[str] | None = None,
    ) -> None:
        check_choice("dataset", dataset, (*RELEASES, FOLDER))
        if (dataset == FOLDER) != (root is not None):
            raise ArgumentError(f"root is the depth folder, and goes with the data set {FOLDER}; give both or neither")
        files = [Path(file) for file in ([groundtruth] if isinstance(groundtruth, str | PathLike) else groundtruth)]
        if not files:
            raise ArgumentError("groundtruth names no file; give at least one")
        self.folder = None if root is None else FolderTruth(Path(root), files)
        if self.folder is None:
            self.release = RELEASES[dataset]
            self.poses = _joined([read_pose_file(file, self.release) for file in files])

    def score(self, predictions: str | PathLike[str]) -> Score:
        """Score a file of predictions; see `read_poses` for its format. A depth folder's may be like its labels.csv.

        Frames are joined by name where both files have names, else by their order.

        Raises:
            DataFileError: The file cannot be read, or does not hold the same frames.
        """
        if self.folder is not None:
            predicted, true = self.folder.pair(Path(predictions))
            return score_poses(predicted, true, dataset=self.folder.title, joints=self.folder.skeleton.joints)
        found, release = read_pose_file(Path(predictions), self.release), self.release
        order = _by_name(found, self.poses) if found.names and self.poses.names else None
        if order is None and len(found.uvd) != len(self.poses.uvd):
            raise DataFileError(
                f"{found.path} has {len(found.uvd):,} frames, {self.poses.path} has {len(self.poses.uvd):,}: without "
                "frame names in both, they must be the same frames in the same order"
            )
        uvd = found.uvd if order is None else found.uvd[order]
        return score_poses(
            release.camera.to_world(uvd),
            release.camera.to_world(self.poses.uvd),
            dataset=release.title,
            joints=release.skeleton.joints,
        )


def score_files(
    predictions: str | PathLike[str],
    groundtruth: str | PathLike[str] | Sequence[str | PathLike[str]],
    dataset: str,
    root: str | PathLike[str] | None = None,
) -> Score:
    """Score a file of predictions against the true poses; see `Truth`, which scores several.

    Args:
        predictions: File of the predicted poses.
        groundtruth: File of the true ones, or several that follow one another.
        dataset: One of `RELEASES`, or `"depth-folder"`.
        root: The depth folder.

    Raises:
        ArgumentError: `dataset` is none of them, or `root` does not go with it.
        DataFileError: A file cannot be read, or the two do not hold the same frames.
    """
    return Truth(groundtruth, dataset, root).score(predictions)


def _joined(files: Sequence[PoseFile]) -> PoseFile:
    """Several files as one; names count only where all have them."""
    named = all(file.names for file in files)
    names = tuple(name for file in files for name in file.names) if named else ()
    path = files[0].path if len(files) == 1 else Path(" + ".join(str(file.path) for file in files))
    return PoseFile(path, names, torch.cat([file.uvd for file in files]))


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
