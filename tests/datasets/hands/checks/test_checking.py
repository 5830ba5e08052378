"""`check_dataset`: one mistake at a time is named, and data without any passes in silence."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hand_mistakes import CORRUPTIONS, MISTAKES

from seqgcn.datasets.hands import ICVL, MSRA, NYU, BigHand, DepthFolder
from seqgcn.datasets.hands.checks import CheckReport, check_dataset
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.exceptions import ArgumentError, DataFileError

KINDS: dict[str, Any] = {"icvl": ICVL, "nyu": NYU, "msra": MSRA, "hands17": BigHand, "depth-folder": DepthFolder}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(
        tmp_path_factory.mktemp("checked") / "lab", "depth-folder", frames=48, sequences=4, seed=3, scene="mixed"
    )


@pytest.fixture
def lab(rendered: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(rendered, tmp_path / "lab"))


def check(root: Path, **kwargs: Any) -> CheckReport:
    return check_dataset(DepthFolder(root, "all"), **kwargs)


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.name)
def test_each_mistake_is_named(corruption: Any, lab: Path) -> None:
    corruption.make(lab)
    if corruption.kind == "refused":
        with pytest.raises(DataFileError, match=corruption.says):
            check(lab)
        return
    (finding,) = check(lab).findings
    assert finding.kind == corruption.kind
    assert corruption.says in str(finding)
    assert finding.frame in str(finding)
    assert str(lab) in str(finding.file)


def relabel(root: Path, change: Any) -> None:
    """Change the poses `[n, J, 3]` of a folder's labels."""
    header, *rows = (line.split(",") for line in (root / "labels.csv").read_text().splitlines())
    poses = change(np.array([row[1:] for row in rows], np.float64).reshape(len(rows), -1, 3))
    lines = [[row[0], *map(str, pose.ravel())] for row, pose in zip(rows, poses, strict=True)]
    (root / "labels.csv").write_text("\n".join(",".join(line) for line in [header, *lines]) + "\n")


def test_joints_from_the_last_to_the_first(lab: Path) -> None:
    relabel(lab, lambda poses: poses[:, ::-1])
    (finding,) = check(lab).findings
    assert (finding.kind, finding.whole) == ("order", True)
    assert "from the last to the first" in str(finding)


@pytest.mark.parametrize("seed", range(4))
def test_joints_in_no_order_of_hands(lab: Path, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(21)
    relabel(lab, lambda poses: poses[:, order])
    (finding,) = check(lab).findings
    assert (finding.kind, finding.whole) == ("order", True)
    assert "an order that is not known" in str(finding)


def test_poses_that_are_mirrored_where_they_are(lab: Path) -> None:
    relabel(lab, lambda poses: poses * [-1, 1, 1] + 2 * poses.mean(axis=1, keepdims=True) * [1, 0, 0])
    (finding,) = check(lab).findings
    assert (finding.kind, finding.whole) == ("hand", True)
    assert "left and right are exchanged within each pose" in str(finding)


@pytest.mark.filterwarnings("ignore:.*the complete release")
@pytest.mark.parametrize("scene", ["bare", "arm", "body", "table", "objects", "mixed"])
@pytest.mark.parametrize("layout", KINDS)
def test_rendered_frames_pass_in_silence(layout: Any, scene: Any, tmp_path: Path) -> None:
    root = write_dataset(
        tmp_path / "r",
        layout,
        frames=12,
        sequences=8 if layout == "msra" else 3,
        seed=11,
        scene=scene,
        test_frames=None,
    )
    for split in ("train", "test"):
        assert check_dataset(KINDS[layout](root, split)).findings == ()


@pytest.mark.filterwarnings("ignore:.*the complete release")
def test_all_joints_of_nyu_pass_in_silence(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "r", "nyu", frames=12, sequences=3, seed=11, scene="bare")
    assert check_dataset(NYU(root, "train", joints="all")).findings == ()


@pytest.mark.parametrize("sensor", ["sr305", "kinect1", "realsense-d435", "kinect2"])
def test_frames_of_other_sensors_pass_in_silence(sensor: str, tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "r", "depth-folder", frames=12, sequences=3, seed=1, sensor=sensor)
    assert check(root).findings == ()


def test_left_hands_that_are_told_pass_in_silence(lab: Path) -> None:
    MISTAKES["frames and labels mirrored"](lab)
    MISTAKES["hand: left for right hands"](lab)
    assert check(lab).findings == ()


def test_names_that_say_nothing_pass_in_silence(lab: Path) -> None:
    renamed = [f"p{i}" for i in range(21)]
    header, *rows = (lab / "labels.csv").read_text().splitlines()
    columns = ",".join(f"{name} {axis}" for name in renamed for axis in "xyz")
    (lab / "labels.csv").write_text("\n".join([f"frame,{columns}", *rows]))
    setup = (lab / "camera.yaml").read_text().partition("joints:")[0]
    (lab / "camera.yaml").write_text(f"{setup}joints: {json.dumps(renamed)}\n")
    assert header.startswith("frame,wrist x")
    assert check(lab).findings == ()


def test_labels_of_the_tips_alone_and_of_some_joints_pass_in_silence(lab: Path) -> None:
    hands = DepthFolder(lab, "all")
    hands.joints[:, 3:9] = torch.nan
    hands.joints[5:9, ::2] = torch.nan
    hands.joints[20] = torch.nan
    report = check_dataset(hands)
    assert (report.findings, report.labeled) == ((), 47)


def test_hands_of_other_sizes_pass_in_silence(lab: Path) -> None:
    """A child's hand, nearer to the camera, gives the same picture with all numbers smaller."""
    hands = DepthFolder(lab, "all")
    for factor in (0.8, 1.2):
        scaled = DepthFolder(lab, "all")
        scaled.joints = hands.joints * factor
        read = scaled.read
        scaled.read = lambda path, read=read, factor=factor: read(path)._replace(depth=read(path).depth * factor)
        assert check_dataset(scaled).findings == ()


def test_without_labels_only_frames_are_checked(lab: Path) -> None:
    (lab / "labels.csv").unlink()
    report = check(lab)
    assert (report.findings, report.labeled, report.looked_at) == ((), 0, ())
    assert np.isnan(report.fit)
    MISTAKES["four frozen frames"](lab)
    assert [finding.kind for finding in check(lab).findings] == ["frozen"]


def test_depths_that_no_hand_has_without_labels(lab: Path) -> None:
    (lab / "labels.csv").unlink()
    MISTAKES["frames in tenths of a millimeter"](lab)
    (finding,) = check(lab).findings
    assert finding.kind == "depth scale"
    assert "RealSense's 0.001" in finding.cause


@pytest.mark.parametrize("name", ["intrinsics of 320 x 240", "cx and cy exchanged", "frames halved"])
def test_intrinsics_of_another_size_without_labels(name: str, lab: Path) -> None:
    (lab / "labels.csv").unlink()
    MISTAKES[name](lab)
    assert [finding.kind for finding in check(lab).findings] == ["intrinsics"]


def test_single_findings_name_their_frames(lab: Path) -> None:
    MISTAKES["four frozen frames"](lab)
    report = check(lab)
    assert report.rows("frozen").nonzero().flatten().tolist() == [4, 5, 6, 7]
    assert report.counts == {"the same picture as the frame before": 4}
    assert report.wrong == ()


def test_many_wrong_labels_are_wrong_as_a_whole(lab: Path) -> None:
    lines = (lab / "labels.csv").read_text().splitlines()
    for i in range(1, 20):
        frame, *cells = lines[i].split(",")
        lines[i] = ",".join([frame, *cells[:9], str(float(cells[9]) + 500), *cells[10:]])
    (lab / "labels.csv").write_text("\n".join(lines))
    (finding,) = check(lab).findings
    assert (finding.kind, finding.whole, len(finding.rows)) == ("stray joint", True, 19)


def test_the_seed_decides_which_frames_are_looked_at(rendered: Path) -> None:
    hands = DepthFolder(rendered, "all")
    looked = [check_dataset(hands, sample=1, seed=seed).looked_at for seed in (0, 0, 1)]
    assert looked[0] == looked[1] != looked[2]


def test_what_is_no_data_set(rendered: Path) -> None:
    with pytest.raises(ArgumentError, match="HandDataset"):
        check_dataset(rendered)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="sample"):
        check(rendered, sample=0)
