from pathlib import Path

import pytest
import torch
from hand_releases import FOLDER_CAMERA, JOINTS, SETUP, poses, row, write_folder
from torch import Tensor

from seqgcn.cli.scoring import Truth, score_files
from seqgcn.datasets.hands.folder_truth import FolderTruth
from seqgcn.exceptions import DataFileError, MissingFileError

HEADER = "frame," + ",".join(f"{joint} {axis}" for joint in JOINTS for axis in "xyz")


def table(path: Path, found: dict[str, Tensor], sep: str = "/") -> Path:
    path.write_text(
        "\n".join([HEADER, *(f"{name.replace('/', sep)},{row(pose, ',')}" for name, pose in found.items())])
    )
    return path


def lines(path: Path, found: dict[str, Tensor], named: bool = True, sep: str = "/") -> Path:
    rows = [
        (f"{name.replace('/', sep)} " if named else "") + row(FOLDER_CAMERA.to_image(pose))
        for name, pose in found.items()
    ]
    path.write_text("\n".join(rows))
    return path


@pytest.fixture
def lab(tmp_path: Path) -> tuple[Path, dict[str, Tensor]]:
    return tmp_path / "lab", write_folder(tmp_path / "lab", {"a": 3, "b": 2})


@pytest.mark.parametrize("sep", ["/", "\\"])
def test_predictions_as_tables_and_as_lines(tmp_path: Path, lab: tuple[Path, dict[str, Tensor]], sep: str) -> None:
    root, true = lab
    moved = {name: pose + torch.tensor([3.0, 4.0, 0.0]) for name, pose in reversed(true.items())}
    truth = Truth(root / "labels.csv", "depth-folder", root)
    for path in (table(tmp_path / "p.csv", moved, sep), lines(tmp_path / "p.txt", moved, True, sep)):
        score = truth.score(path)
        assert score.mean == pytest.approx(5, abs=0.01)
        assert (score.frames, score.joints, score.dataset) == (5, JOINTS, "lab")
    in_order = {name: moved[name] for name in true}
    assert score_files(lines(tmp_path / "p.txt", in_order, False), root / "labels.csv", "depth-folder", root).mean == (
        pytest.approx(5, abs=0.01)
    )


def test_only_labelled_frames_are_scored(tmp_path: Path, lab: tuple[Path, dict[str, Tensor]]) -> None:
    root, true = lab
    some = table(tmp_path / "some.csv", {"a/2.png": true["a/2.png"]})
    some.write_text(some.read_text() + "\na/3.png" + "," * 9)
    predicted, found = FolderTruth(root, [some]).pair(table(tmp_path / "p.csv", true))
    assert predicted.shape == found.shape == (1, 3, 3)
    both = Truth([some, table(tmp_path / "more.csv", {"b/1.png": true["b/1.png"]})], "depth-folder", root)
    assert both.score(table(tmp_path / "p.csv", true)).frames == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda p, t: table(p, {"c/1.png": next(iter(t.values()))}),
            r"no pose of a/1\.png, .*5 of 5 .*such as c/1\.png",
        ),
        (lambda p, t: table(p, {}), "no pose of a/1.png"),
        (lambda p, t: table(p, {name: pose / 1000 for name, pose in t.items()}), "depths are about 0.*by 1,000"),
        (lambda p, t: lines(p, dict(list(t.items())[:4]), named=False), "4 lines without names, but .* has 5 frames"),
        (lambda p, t: lines(p, {**t, "a\\1.png": t["a/1.png"]}), "more than one line for a/1.png"),
        (lambda p, t: p.write_text("1 2 3\n"), "line 1 has 3 values, but a frame of lab has 9"),
        (lambda p, t: p.write_text(HEADER.replace("palm", "wrist")), "line 1 must be frame,palm x"),
    ],
)
def test_predictions_that_do_not_fit(
    tmp_path: Path, lab: tuple[Path, dict[str, Tensor]], change: object, message: str
) -> None:
    root, true = lab
    change(tmp_path / "p.csv", true)  # type: ignore[operator]
    with pytest.raises(DataFileError, match=message):
        Truth(root / "labels.csv", "depth-folder", root).score(tmp_path / "p.csv")


def test_truths_that_are_none(tmp_path: Path, lab: tuple[Path, dict[str, Tensor]]) -> None:
    root, _ = lab
    with pytest.raises(DataFileError, match=r"labels\.csv has poses of a/1\.png, a/2\.png, a/3\.png and 2 more"):
        FolderTruth(root, [root / "labels.csv", root / "labels.csv"])
    (tmp_path / "none.csv").write_text(HEADER)
    with pytest.raises(DataFileError, match=r"none\.csv has no frame with a pose"):
        FolderTruth(root, [tmp_path / "none.csv"])
    with pytest.raises(MissingFileError, match=r"gone\.csv is missing"):
        FolderTruth(root, [tmp_path / "gone.csv"])
    with pytest.raises(MissingFileError, match=r"camera\.yaml is missing"):
        FolderTruth(tmp_path, [root / "labels.csv"])


def test_frames_need_not_be_there(tmp_path: Path) -> None:
    (tmp_path / "camera.yaml").write_text(SETUP)
    true = {f"a/{i}.png": pose for i, pose in enumerate(poses(4, 3, FOLDER_CAMERA))}
    labels = table(tmp_path / "labels.csv", true)
    assert Truth(labels, "depth-folder", tmp_path).score(lines(tmp_path / "p.txt", true)).mean < 0.01
