"""Centers of a whole data set: found once, told with source and confidence, and doubted."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_releases import save_grey
from hand_scenes import Scene

from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.datasets.hands.centers.doubt import check_crops, jumps
from seqgcn.datasets.hands.centers.found import Centers
from seqgcn.errors import ArgumentError, DataFileError, SeqGCNWarning

PALM = (-120.0, 0.0, 500.0)


def folder(root: Path, depths: list[np.ndarray], scale: float = 1.0) -> Path:
    root.mkdir(exist_ok=True)
    setup = {"fx": 476, "fy": 476, "cx": 320, "cy": 240, "cube": 250, "joints": ["palm"], "depth_scale": scale}
    (root / "camera.yaml").write_text(json.dumps(setup), encoding="utf-8")
    for i, depth in enumerate(depths):
        save_grey(root / f"seq/{i}.png", (depth / scale).astype(np.uint16))
    return root


def person(x: float = PALM[0]) -> np.ndarray:
    return Scene().torso(800).hand(x, PALM[1], PALM[2]).forearm(x, PALM[1], PALM[2], 75).frame()


def wall() -> np.ndarray:
    return np.full((480, 640), 700, np.float32)


def test_crops_of_a_folder_are_on_the_hand_with_no_option_set(tmp_path: Path, options: CropOptions) -> None:
    hands = DepthFolder(folder(tmp_path / "lab", [person(), person(-110)]), "all", options=options).prepare()
    centers = hands.centers
    assert centers.names == ["rule", "rule"]
    assert (centers.points - torch.tensor(PALM)).norm(dim=1).max() < 45
    assert not centers.doubtful.any()
    assert torch.equal(hands.frames.centre, centers.points)


def test_centers_are_found_once(tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path / "lab", [person()])
    first = DepthFolder(root, "all", options=options).find()
    monkeypatch.setattr("seqgcn.datasets.hands.centers.finding.candidates_of", None)
    again = DepthFolder(root, "all", options=options).find()
    assert torch.equal(first.points, again.points)
    assert torch.equal(first.confidence, again.confidence)
    with pytest.raises(TypeError):
        DepthFolder(root, "all", options=replace(options, near=20.0)).find()


def test_the_fingerprint_tells_where_crops_are_from(tmp_path: Path, options: CropOptions) -> None:
    root = folder(tmp_path / "lab", [person()])
    prints = {DepthFolder(root, "all", options=replace(options, crop=crop)).fingerprint for crop in ("rule", "mass")}
    assert len(prints) == 2


def test_most_crops_doubtful_is_an_error_with_the_way_out_unless_accepted(tmp_path: Path, options: CropOptions) -> None:
    hands = DepthFolder(folder(tmp_path / "lab", [wall(), wall(), person()]), "all", options=options)
    told: list[str] = []
    with pytest.raises(DataFileError, match=r"2 of 3 frames.*seqgcn crops.*--accept-crops"):
        check_crops(hands, accept=False, say=told.append)
    check_crops(hands, accept=True, say=told.append)
    assert "3 by rule; 2 of 3 doubtful" in told[0]


def test_a_few_frames_without_depth_are_left_out_and_named(tmp_path: Path, options: CropOptions) -> None:
    frames = [person()] * 10 + [np.zeros((480, 640), np.float32)]
    root = folder(tmp_path / "lab", frames)
    hands = DepthFolder(root, "all", options=options)
    with pytest.warns(SeqGCNWarning, match=r"1 of 11 frames have no depth.*seq/10\.png"):
        hands.prepare()
    assert len(hands) == len(hands.centers) == 10
    with pytest.raises(DataFileError, match="seq/10"):
        DepthFolder(root, "all", strict=True, options=options).prepare()


def test_the_likeliest_cause_of_many_is_named_first(tmp_path: Path, options: CropOptions) -> None:
    root = folder(tmp_path / "lab", [person()] * 3)
    with pytest.raises(DataFileError, match=r"3 of 3.*800 mm in the middle.*near and far.*10 and 450"):
        DepthFolder(root, "all", options=replace(options, far=450.0)).prepare()
    file = tmp_path / "centers.csv"
    file.write_text("frame,x,y,z\n" + "".join(f"seq/{i}.png,-90,-30,200\n" for i in range(3)), encoding="utf-8")
    with pytest.raises(DataFileError, match=r"3 of 3.*file of centers.*frame,u,v,d"):
        DepthFolder(root, "all", options=replace(options, centers=str(file))).prepare()


def test_a_file_of_centers_serves_by_name(tmp_path: Path, options: CropOptions) -> None:
    root = folder(tmp_path / "lab", [person(), person(-110)])
    file = tmp_path / "centers.csv"
    file.write_text("frame,x,y,z\nseq/1.png,-110,0,500\nseq/0.png,-120,0,500\n", encoding="utf-8")
    hands = DepthFolder(root, "all", options=replace(options, centers=str(file))).prepare()
    assert hands.centers.names == ["file", "file"]
    assert hands.centers.points.tolist() == [[-120, 0, 500], [-110, 0, 500]]


def test_older_names_of_options_are_accepted() -> None:
    assert CropOptions(centre="oracle").crop == "oracle"
    assert CropOptions(centre="file", centres="c.txt").centers == "c.txt"
    assert replace(CropOptions(centre="mass"), centre="oracle").crop == "oracle"
    assert CropOptions(centers="c.txt").crop == "file"
    with pytest.raises(ArgumentError, match="go together"):
        CropOptions(crop="file")


def test_a_center_that_jumps_away_and_back_is_told() -> None:
    points = torch.tensor([[0.0, 0, 500], [10, 0, 500], [400, 0, 500], [20, 0, 500], [30, 0, 500]])
    assert jumps(points, torch.zeros(5)).tolist() == [False, False, True, False, False]
    assert not jumps(points, torch.tensor([0, 0, 0, 1, 1])).any()
    assert jumps(points[:2], torch.zeros(2)).tolist() == [False, False]


def test_a_summary_counts_sources_and_doubts() -> None:
    found = Centers(
        torch.zeros(3, 3),
        np.array([0, 2, 2], np.uint8),
        torch.tensor([1.0, 0.9, 0.1]),
        torch.tensor([10.0, 20.0, 30.0]),
    )
    assert "1 by file, 2 by rule; 1 of 3 doubtful" in found.summary()
    assert "3 labeled frames" in found.summary()
    assert "20 mm" in found.summary()
