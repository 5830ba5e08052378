"""The first round, when nothing is labeled: what annotators start from where mediapipe is installed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_landmarks import lack_landmarks, see_landmarks
from hand_rounds import answer, picks_of, record, truth
from logged import logged

from seqgcn.config.select import SelectConfig
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.landmarks.search import Placed
from seqgcn.exceptions import ConfigError, MissingPackageError
from seqgcn.rounds.handoff import import_labels
from seqgcn.rounds.select_round import Round

Told = list[str]


def spread(center: tuple[float, float, float]) -> Placed:
    """Landmarks in a row through the center, 5 mm from each other; the pose depends on where it is."""
    steps = np.arange(21) - 10.0
    points = np.array(center) + np.stack((5 * steps, steps * center[0] / 50, 0 * steps), axis=1)
    return Placed(points, np.ones(21, bool), False, 0.9)


@pytest.fixture
def folder(rendered: Callable[[str], Path], mean_pose: None) -> Path:
    return rendered("depth-folder")


def first_round(root: Path, out: Path, **changes: Any) -> tuple[SelectConfig, Told]:
    (out.parent / "none.txt").write_text("")
    # What a fake sees must not be kept for other tests.
    settings = {"dataset.crop_size": 16, "dataset.cache": str(out.parent / "cache")}
    values = {"learner": "mean-pose", "selector": "random", "budget": 3, "set": settings, **changes}
    config = SelectConfig(dataset="depth-folder", root=str(root), labelled=str(out.parent / "none.txt"), **values)
    with logged() as told:
        Round(config, out)()
    return config, told


def predicted(out: Path) -> list[list[Any]]:
    return [frame["predicted"] for frame in json.loads((out / "tasks/frames.json").read_text())["frames"]]


def test_tasks_carry_the_landmarks_by_name(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    see_landmarks(monkeypatch, spread)
    _, told = first_round(folder, tmp_path / "round")
    assert any("joints to start from: mediapipe's, in 3 of 3 frames" in text for text in told)
    hands = truth("depth-folder", folder)
    order = hands.landmark_weights.argmax(dim=1)
    for item, joints in zip(picks_of(tmp_path / "round"), predicted(tmp_path / "round"), strict=True):
        i = hands.files.index(item)
        points = torch.from_numpy(spread(tuple(hands.centers.points[i].tolist())).points)[order]  # type: ignore[arg-type]
        places = hands.camera.to_image(points)
        assert torch.tensor([joint[:3] for joint in joints]).allclose(places.float(), atol=1e-2)


def test_the_round_says_who_predicted(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    see_landmarks(monkeypatch, spread)
    first_round(folder, tmp_path / "round")
    assert json.loads((tmp_path / "round/tasks/frames.json").read_text())["predicted_by"] == "mediapipe"
    tasks = json.loads((tmp_path / "round/tasks/label_studio.json").read_text())
    assert {task["predictions"][0]["model_version"] for task in tasks} == {"mediapipe"}
    page = (tmp_path / "round/report.html").read_text()
    assert "The joints to start from are of mediapipe" in page
    assert "Joints by mediapipe" in page
    assert "index mcp" in page


def test_frames_without_a_hand_have_no_prediction(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    see_landmarks(monkeypatch, lambda _center: None)
    _, told = first_round(folder, tmp_path / "round")
    assert any("in 0 of 3 frames" in text for text in told)
    assert all(joint is None for joints in predicted(tmp_path / "round") for joint in joints)


def test_without_the_extra_there_is_none_and_nothing_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lack_landmarks(monkeypatch)
    _, told = first_round(folder, tmp_path / "round")
    assert not any("mediapipe" in text for text in told)
    assert "predicted_by" not in json.loads((tmp_path / "round/tasks/frames.json").read_text())


def test_a_mediapipe_that_cannot_be_used_costs_the_predictions_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    see_landmarks(monkeypatch, spread)

    def broken() -> None:
        raise MissingPackageError("needs mediapipe 0.10.14")

    monkeypatch.setattr("seqgcn.datasets.hands.landmarks.store.LandmarkModel", broken)
    _, told = first_round(folder, tmp_path / "round")
    assert any("no joints to start from: needs mediapipe 0.10.14" in text for text in told)
    assert len(picks_of(tmp_path / "round")) == 3


def test_joints_without_a_landmark_are_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    see_landmarks(monkeypatch, spread)
    monkeypatch.setattr(
        HandDataset, "landmark_weights", property(lambda hands: torch.full((len(hands.skeleton), 21), torch.nan))
    )
    _, told = first_round(folder, tmp_path / "round")
    assert any("in 0 of 3 frames; none for wrist" in text and "detector_joints" in text for text in told)


def test_poses_are_covered_instead_of_thumbnails(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    see_landmarks(monkeypatch, spread)
    _, told = first_round(folder, tmp_path / "round", learner="mediapipe", selector="core-set")
    assert not any("thumbnails" in text for text in told)
    assert "the embedding of mediapipe" in (tmp_path / "round/report.html").read_text()
    _, told = first_round(folder, tmp_path / "other", selector="core-set")
    assert any("thumbnails" in text and "--learner mediapipe" in text for text in told)


def test_it_also_describes_where_there_are_labels(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    see_landmarks(monkeypatch, spread)
    hands = truth("depth-folder", folder)
    (tmp_path / "four.txt").write_text("".join(f"{item}\n" for item in hands.files[:4]))
    config = SelectConfig(
        dataset="depth-folder",
        root=str(folder),
        labelled=str(tmp_path / "four.txt"),
        learner="mediapipe",
        selector="core-gcn",
        budget=3,
        set={"dataset.crop_size": 16, "dataset.cache": str(tmp_path / "cache"), "selector.epochs": 2},
    )
    Round(config, tmp_path / "round")()
    assert not set(picks_of(tmp_path / "round")) & set(hands.files[:4])
    assert json.loads((tmp_path / "round/tasks/frames.json").read_text())["predicted_by"] == "mediapipe"


def test_depths_of_clicks_come_from_the_surface_then_from_the_prediction(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    see_landmarks(monkeypatch, spread)
    config, _ = first_round(folder, tmp_path / "round")
    hands = truth("depth-folder", folder)
    export = answer(
        tmp_path / "round", hands, tmp_path / "export.json", hidden=lambda _item, joint: joint == "index tip"
    )
    imported = import_labels(tmp_path / "round", config, [export])
    assert imported.record is not None
    sources = {(row["joint"], row["depth from"]) for row in record(imported.record)}
    assert ("index tip", "prediction") in sources
    assert ("middle mcp", "surface+offset") in sources


def test_images_are_no_hands(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mediapipe is for pose.*small-cnn"):
        SelectConfig(dataset="digits", learner="mediapipe").settle()
