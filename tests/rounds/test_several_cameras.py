"""A whole round on a depth folder whose sequences were taken by different cameras, and its labels taken back."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from annotation.annotator import label
from hand_releases import CAMERAS, write_two_cameras
from hand_rounds import add_mean_pose, labels_of, make_round, picks_of

from seqgcn.annotation.tasks import read_tasks
from seqgcn.exceptions import DataFileError
from seqgcn.rounds.handoff import import_labels


@pytest.fixture(autouse=True)
def _mean_pose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    add_mean_pose(monkeypatch.setitem)
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))


def test_what_is_clicked_is_where_each_camera_saw_it(tmp_path: Path) -> None:
    root, folder = tmp_path / "lab", tmp_path / "round"
    truth = write_two_cameras(root)
    lines = (root / "labels.csv").read_text().splitlines()
    (root / "labels.csv").write_text("\n".join([lines[0], lines[1], lines[4]]))
    config = make_round(folder, "depth-folder", root, budget=4)
    picks = picks_of(folder)
    assert {item[0] for item in picks} == {"a", "b"}
    tasks = read_tasks(folder / "tasks")
    assert [tasks.camera_of(item) for item in picks] == [CAMERAS[item[0]] for item in picks]
    exports: list[Any] = []
    for sequence, camera in CAMERAS.items():
        own = {item: pose for item, pose in truth.items() if item[0] == sequence}
        exports += [
            task for task in label(folder / "tasks", own, camera, tasks.skeleton.joints) if task["data"]["item"] in own
        ]
    (tmp_path / "export.json").write_text(json.dumps(exports))
    imported = import_labels(folder, config, [tmp_path / "export.json"], labelled=2, joint_depth=("prediction",))
    assert len(imported.checked.valid) == 4, imported.checked.table()
    found = labels_of(folder, "depth-folder", root)
    for item in picks:
        camera = CAMERAS[item[0]]
        places = [camera.to_image(pose.double())[:, :2] for pose in (found[item], truth[item])]
        torch.testing.assert_close(places[0], places[1], rtol=0, atol=2e-3)
    (root / "b/camera_info.json").write_text(json.dumps({"fx": 111, "fy": 111, "cx": 100, "cy": 90}))
    with pytest.raises(DataFileError, match=r"camera or joints of .* are not those of the round any more"):
        import_labels(folder, config, [tmp_path / "export.json"], labelled=2)
