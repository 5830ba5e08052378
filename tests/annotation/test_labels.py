import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hand_releases import FOLDER_CAMERA, JOINTS, write_bighand, write_folder, write_icvl
from hand_releases import poses as draw_poses
from torch import Tensor

from seqgcn.annotation import Labelled, add_labels, write_record
from seqgcn.datasets.hands import ICVL, BigHand, DepthFolder
from seqgcn.datasets.hands.camera import BIGHAND_CAMERA, ICVL_CAMERA, MSRA_CAMERA
from seqgcn.datasets.hands.skeleton import BIGHAND21, ICVL16, MSRA21, Skeleton
from seqgcn.exceptions import ArgumentError, DataFileError, RunFolderError

FOLDER_SKELETON = Skeleton(JOINTS, ())


def labelled(items: list[str], poses: Tensor) -> list[Labelled]:
    joints = poses.shape[1]
    return [
        Labelled(item, pose.double(), ("prediction",) * joints, (False,) * joints, ("ann", "bea"), (True,) * joints)
        for item, pose in zip(items, poses, strict=True)
    ]


def check(found: Tensor, expected: Tensor) -> None:
    assert float((found - expected).norm(dim=2).max()) < 1e-3


def test_icvl(tmp_path: Path) -> None:
    write_icvl(tmp_path, recorded=4)
    path = tmp_path / "Training/labels.txt"
    before = ICVL(tmp_path, "all")
    path.write_text("\n".join(path.read_text().splitlines()[:1]))  # and no end of line
    kept = path.read_bytes()
    new = draw_poses(2, 16, ICVL_CAMERA, seed=9)
    items = [before.files[3], before.files[1]]
    add_labels(path, labelled(items, new), grammar="icvl", camera=ICVL_CAMERA, skeleton=ICVL16)
    assert path.read_bytes().startswith(kept + b"\n")
    again = ICVL(tmp_path, "all")
    assert again.labelled.tolist() == [True, True, False, True]
    check(again.joints[[3, 1]], new)
    assert torch.equal(again.joints[0], before.joints[0])
    # A file of its own.
    other = tmp_path / "more.txt"
    add_labels(other, labelled(items, new), grammar="icvl", camera=ICVL_CAMERA, skeleton=ICVL16)
    check(ICVL(tmp_path, "all", labels=other).joints[[3, 1]], new)


@pytest.mark.parametrize("images", ["images", "training_images"])
def test_hands17(tmp_path: Path, images: str) -> None:
    write_bighand(tmp_path, 4, images=images)
    path = tmp_path / "Training_Annotation.txt"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    new = draw_poses(2, 21, BIGHAND_CAMERA, seed=9)
    items = [f"{images}/image_D00000004.png", f"{images}/image_D00000002.png"]
    add_labels(path, labelled(items, new), grammar="hands17", camera=BIGHAND_CAMERA, skeleton=BIGHAND21)
    again = BigHand(tmp_path, "all")
    assert again.labelled.tolist() == [True, True, False, True]
    check(again.joints[[3, 1]], new)


def test_depth_folder(tmp_path: Path) -> None:
    found = write_folder(tmp_path, {"a, b": 3, "<i>": 2}, labelled=["a, b/1.png"])
    path = tmp_path / "labels.csv"
    # The columns in another order, with a row to fill in.
    rows = list(csv.reader(path.read_text().replace("a, b/1.png", '"a, b/1.png"').splitlines()))
    order = [0, 4, 5, 6, 7, 8, 9, 1, 2, 3]
    with open(path, "w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([[row[i] for i in order] for row in rows] + [["a, b/2.png", *[""] * 9], []])
    new = draw_poses(2, 3, FOLDER_CAMERA, seed=9)
    items = ["a, b/2.png", "<i>/1.png"]
    add_labels(path, labelled(items, new), grammar="depth-folder", camera=FOLDER_CAMERA, skeleton=FOLDER_SKELETON)
    again = DepthFolder(tmp_path, "all")
    poses = dict(zip(again.files, again.joints, strict=True))
    check(torch.stack([poses[item] for item in items]), new)
    check(poses["a, b/1.png"][None], found["a, b/1.png"][None])
    assert int(again.labelled.sum()) == 3


def test_depth_folder_without_a_file(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 2})
    path = tmp_path / "labels.csv"
    for text in (None, ""):
        path.unlink()
        if text is not None:
            path.write_text(text)
        new = draw_poses(1, 3, FOLDER_CAMERA)
        add_labels(
            path, labelled(["a/2.png"], new), grammar="depth-folder", camera=FOLDER_CAMERA, skeleton=FOLDER_SKELETON
        )
        check(DepthFolder(tmp_path, "all").joints[1:], new)


def test_nothing_to_add(tmp_path: Path) -> None:
    add_labels(tmp_path / "a.txt", [], grammar="icvl", camera=ICVL_CAMERA, skeleton=ICVL16)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("grammar", ["nyu", "msra"])
def test_releases_without_names(tmp_path: Path, grammar: str) -> None:
    some = labelled(["P0/5/000000_depth.bin"], draw_poses(1, 21, MSRA_CAMERA))
    with pytest.raises(ArgumentError, match=rf"cannot be written in the grammar of {grammar}: its \w+\.\w+ has a pose"):
        add_labels(tmp_path / "joint.txt", some, grammar=grammar, camera=MSRA_CAMERA, skeleton=MSRA21)
    path = tmp_path / "labels.csv"
    add_labels(path, some, grammar="depth-folder", camera=MSRA_CAMERA, skeleton=MSRA21)
    assert path.read_text().splitlines()[1].startswith("P0/5/000000_depth.bin,")


def test_on_any_error_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_icvl(tmp_path)
    path = tmp_path / "Training/labels.txt"
    before = path.read_bytes()
    new = draw_poses(2, 16, ICVL_CAMERA)
    folder = "Training/Depth/s/"
    icvl: dict[str, Any] = {"grammar": "icvl", "camera": ICVL_CAMERA, "skeleton": ICVL16}
    known = "Training/Depth/201403121135/image_0002.png"
    with pytest.raises(DataFileError, match=r"labels\.txt, line 3 has a label of 201403121135/image_0002\.png already"):
        add_labels(path, labelled([folder + "1.png", known], new), **icvl)
    with pytest.raises(ArgumentError, match="divided by blanks"):
        add_labels(path, labelled([folder + "1.png", folder + "a b.png"], new), **icvl)
    with pytest.raises(ArgumentError, match="below Training/Depth"):
        add_labels(path, labelled([folder + "1.png", "s/2.png"], new), **icvl)
    with pytest.raises(ArgumentError, match=r"joints must be \[16, 3\]"):
        add_labels(path, labelled([folder + "1.png"], new[:1, :15]), **icvl)
    with pytest.raises(DataFileError, match="plain path below"):
        add_labels(path, labelled([folder + "../1.png"], new[:1]), **icvl)
    with pytest.raises(ArgumentError, match="grammar must be one of"):
        add_labels(path, labelled([folder + "1.png"], new[:1]), **{**icvl, "grammar": "icvl21"})

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RunFolderError, match="No space left"):
        add_labels(path, labelled([folder + "1.png"], new[:1]), **icvl)
    assert path.read_bytes() == before
    path.write_bytes(before + b"cut off 1 2 3\n")
    with pytest.raises(DataFileError, match=r"labels\.txt, line 7 has"):
        add_labels(path, labelled([folder + "1.png"], new[:1]), **icvl)
    assert path.read_bytes() == before + b"cut off 1 2 3\n"


def test_a_csv_file_that_does_not_fit(tmp_path: Path) -> None:
    found = write_folder(tmp_path, {"a": 2})
    path = tmp_path / "labels.csv"
    before = path.read_bytes()
    some = labelled(["a/1.png"], found["a/1.png"][None])
    folder: dict[str, Any] = {"grammar": "depth-folder", "camera": FOLDER_CAMERA, "skeleton": FOLDER_SKELETON}
    with pytest.raises(DataFileError, match=r"labels\.csv, line 2 has a label of a/1\.png already"):
        add_labels(path, some, **folder)
    with pytest.raises(DataFileError, match=r"labels\.csv, line 1 must be frame,wrist x"):
        add_labels(path, labelled(["b.png"], torch.ones(1, 21, 3)), **{**folder, "skeleton": BIGHAND21})
    assert path.read_bytes() == before
    path.write_bytes(b"frame,\xff\n")
    with pytest.raises(DataFileError, match="not a CSV file in UTF-8"):
        add_labels(path, some, **folder)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataFileError, match="cannot be read"):
        add_labels(path, some, **folder)


def test_the_record(tmp_path: Path) -> None:
    pose = draw_poses(1, 3, FOLDER_CAMERA)
    (one,) = labelled(["a, b.png"], pose)
    one = replace(
        one,
        sources=("column", "surface+offset", "prediction"),
        hidden=(False, True, False),
        moved=(True, False, False),
    )
    path = tmp_path / "annotations.csv"
    write_record(path, [one], FOLDER_CAMERA, FOLDER_SKELETON)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    columns = ("frame", "joint", "depth from", "hidden", "moved", "annotators")
    assert [tuple(row[column] for column in columns) for row in rows] == [
        ("a, b.png", "palm", "column", "0", "1", "ann; bea"),
        ("a, b.png", "thumb tip", "surface+offset", "1", "0", "ann; bea"),
        ("a, b.png", "index tip", "prediction", "0", "0", "ann; bea"),
    ]
    uvd = np.array([[float(row[key]) for key in "uvd"] for row in rows])
    np.testing.assert_allclose(uvd, FOLDER_CAMERA.to_image(pose[0].double()).numpy(), atol=1e-4)
    xyz = np.array([[float(row[key]) for key in "xyz"] for row in rows])
    np.testing.assert_allclose(xyz, pose[0].numpy(), atol=1e-4)
