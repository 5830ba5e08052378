"""From frames to labels and back into the data set, the annotator seeing nothing but pictures."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from annotation.annotator import label
from torch import Tensor

from seqgcn.annotation import (
    Prediction,
    Surface,
    Tasks,
    add_labels,
    check_annotations,
    read_coco,
    read_label_studio,
    read_tasks,
    write_record,
)
from seqgcn.datasets.hands import ICVL
from seqgcn.datasets.hands.skeleton import ICVL16


def test_label_studio(
    handed_off: tuple[Path, Tasks], hands: ICVL, truth: dict[str, Tensor], save: Callable[..., Path], tmp_path: Path
) -> None:
    folder, _ = handed_off
    tasks = read_tasks(folder)
    known = {item: pose for item, pose in truth.items() if item != hands.files[1]}
    hidden = {
        (preview.item, joint)
        for preview in tasks.previews
        for joint, guess in zip(ICVL16.joints, preview.predicted, strict=True)
        if guess is not None and guess.hidden
    }
    export = save(label(folder, known, hands.camera, ICVL16.joints, hidden=lambda item, joint: (item, joint) in hidden))
    checked = check_annotations(read_label_studio(export), tasks, [Surface(hands), Prediction()], known=hands.files)
    assert [(problem.item, problem.what) for problem in checked.problems] == [(hands.files[1], "skipped")]
    assert {source for labelled in checked.valid for source in labelled.sources} == {"surface+offset", "prediction"}

    path = tmp_path / "labels.txt"
    add_labels(path, checked.valid, grammar="icvl", camera=tasks.camera, skeleton=tasks.skeleton)
    write_record(tmp_path / "record.csv", checked.valid, tasks.camera, tasks.skeleton)
    again = ICVL(hands.root, "all", labels=path)
    assert again.labelled.tolist() == [True, False, True, False, False]
    for i, labelled in zip((0, 2), checked.valid, strict=True):
        assert float((again.joints[i] - labelled.joints.float()).norm(dim=1).max()) < 1e-3
        # What was clicked is exact; only the depth is not.
        places = hands.camera.to_image(again.joints[i])[:, :2]
        torch.testing.assert_close(places, hands.camera.to_image(hands.joints[i])[:, :2], rtol=0, atol=1e-3)
        assert float((again.joints[i] - hands.joints[i]).norm(dim=1).median()) < 5
    assert len((tmp_path / "record.csv").read_text().splitlines()) == 1 + 2 * 16


def test_coco_with_the_depth_of_the_prediction(
    handed_off: tuple[Path, Tasks], hands: ICVL, predicted: Tensor, save: Callable[..., Path]
) -> None:
    folder, tasks = handed_off
    content = json.loads((folder / "coco_keypoints.json").read_text())
    # The second annotator leaves a joint out; the first takes all as they are.
    content["annotations"][1]["keypoints"][2] = 0
    checked = check_annotations(read_coco(save(content)), tasks, [Prediction()])
    assert [(problem.item, problem.joint, problem.what) for problem in checked.problems] == [
        (hands.files[1], "palm", "missing")
    ]
    for labelled, pose in zip(checked.valid, predicted[[0, 2]], strict=True):
        torch.testing.assert_close(labelled.joints, pose.double(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("shift", [0.25, -0.4])
def test_a_fraction_of_a_pixel_is_kept(
    handed_off: tuple[Path, Tasks], hands: ICVL, truth: dict[str, Tensor], save: Callable[..., Path], shift: float
) -> None:
    folder, tasks = handed_off
    export = label(folder, truth, hands.camera, ICVL16.joints, click=lambda item, joint, u, v: (u + shift, v - shift))
    checked = check_annotations(read_label_studio(save(export)), tasks, [Prediction()])
    for i, labelled in enumerate(checked.valid):
        moved = hands.camera.to_image(labelled.joints)[:, :2] - hands.camera.to_image(hands.joints[i].double())[:, :2]
        torch.testing.assert_close(moved, torch.tensor([shift, -shift]).double().expand(16, 2), rtol=0, atol=1e-6)
