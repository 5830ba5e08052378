"""Rounds that ask for one click a frame: what is picked, and what is handed off."""

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hand_clicks import SMALL, draw_lab
from hand_rounds import content, picks_of
from PIL import Image
from torch import Tensor
from torch_geometric.data import Data

from seqgcn import CoreSet
from seqgcn.annotation import PALM, read_tasks
from seqgcn.config.select import SelectConfig
from seqgcn.datasets.hands.centers.files import center_rows
from seqgcn.datasets.hands.centers.found import Centers
from seqgcn.exceptions import ConfigError, DataFileError
from seqgcn.rounds.clicks import with_doubt
from seqgcn.rounds.result import RoundResult
from seqgcn.rounds.select_round import Round


def do(config: SelectConfig, folder: Path) -> RoundResult:
    return Round(config, folder)()


def centers_file(path: Path, palms: dict[str, Tensor], frames: list[str], no_hand: list[str] | None = None) -> str:
    path.write_text(center_rows({frame: palms[frame][0].tolist() for frame in frames}, no_hand or []))
    return str(path)


def test_nothing_has_to_be_labelled_and_nothing_is_trained_or_cropped(
    ask: Any, tmp_path: Path, messages: list[str]
) -> None:
    result = do(ask(), tmp_path / "round")
    assert (result.selector, result.learner, len(result.selection)) == ("core-set", None, 4)
    (line,) = messages
    assert "10 by rule" in line
    assert not (tmp_path / "round/learner.pt").exists()
    assert not list((tmp_path / "cache").rglob("crops.npy"))
    held = yaml.safe_load((tmp_path / "round/round.yaml").read_text())
    assert held["select"]["ask"] == "center"
    assert set(held["parameters"]) == {"selector", "dataset"}
    assert "picked 4 of 10 frames without a known center" in result.summary()


def test_tasks_are_whole_frames_with_one_point(ask: Any, tmp_path: Path) -> None:
    do(ask(), tmp_path / "round")
    folder, picks = tmp_path / "round/tasks", picks_of(tmp_path / "round")
    tasks = read_tasks(folder)
    assert tasks.skeleton == PALM
    assert [preview.item for preview in tasks.previews] == picks
    for preview in tasks.previews:
        assert (preview.left, preview.top, preview.width, preview.height) == (0, 0, SMALL.width, SMALL.height)
        with Image.open(folder / "images" / preview.name) as image:
            assert image.size == preview.size == (960, 720)
    setup = (folder / "label_studio.xml").read_text()
    assert re.findall('<Label value="([^"]*)"', setup) == ["palm"]
    assert re.findall('<Choice value="([^"]*)"', setup) == ["no hand"]
    assert re.search('<Header value="Click the middle of the palm', setup)
    coco = json.loads((folder / "coco_keypoints.json").read_text())
    assert coco["categories"][0]["keypoints"] == ["palm"]
    assert {image["width"] for image in coco["images"]} == {960}


def test_what_was_found_is_a_prediction_with_its_confidence(
    ask: Any, tmp_path: Path, drawn: tuple[Path, dict[str, Tensor]]
) -> None:
    result = do(ask(), tmp_path / "round")
    found = result.pool.centers
    assert found is not None
    tasks = json.loads((tmp_path / "round/tasks/label_studio.json").read_text())
    for task, i in zip(tasks, result.selection.index.tolist(), strict=True):
        (prediction,) = task["predictions"]
        assert prediction["score"] == pytest.approx(float(found.confidence[i]))
        (region,) = prediction["result"]
        u, v, _ = SMALL.to_image(found.points[i].double()).tolist()
        assert region["value"]["x"] == pytest.approx(100 * (u + 0.5) / SMALL.width)
        assert region["value"]["y"] == pytest.approx(100 * (v + 0.5) / SMALL.height)
        # Near the palm that was drawn, whoever looks at the picture.
        assert float((found.points[i] - drawn[1][result.pool.items[i]][0]).norm()) < 60


def test_frames_in_which_nothing_was_found_have_no_prediction(ask: Any, tmp_path: Path) -> None:
    """A wall from edge to edge, in range: somebody may still click in it."""
    root = tmp_path / "walls"
    draw_lab(root, sequences=1, frames=2)
    Image.fromarray(np.full((120, 160), 700, np.uint16)).save(root / "a/2.png")
    result = do(ask(root=str(root), budget=3), tmp_path / "round")
    assert sorted(picks_of(tmp_path / "round")) == ["a/0.png", "a/1.png", "a/2.png"]
    tasks = json.loads((tmp_path / "round/tasks/label_studio.json").read_text())
    (task,) = [task for task in tasks if task["data"]["item"] == "a/2.png"]
    assert result.pool.centers is not None
    wall = result.pool.items.index("a/2.png")
    if bool(result.pool.centers.points[wall].isnan().any()):
        assert "predictions" not in task
    else:
        assert task["predictions"][0]["score"] < 0.3


def test_frames_with_a_center_or_a_pose_are_not_asked_for_nor_those_without_a_hand(
    ask: Any, tmp_path: Path, drawn: tuple[Path, dict[str, Tensor]], messages: list[str]
) -> None:
    palms = drawn[1]
    frames = list(palms)
    centers = centers_file(tmp_path / "c.csv", palms, frames[:3], no_hand=frames[3:5])
    labels = "frame,wrist x,wrist y,wrist z,tip x,tip y,tip z\na/4.png,0,0,500,0,0,500\nb/0.png,0,0,500,0,0,500\n"
    (tmp_path / "labels.csv").write_text(labels)
    config = ask(labelled=str(tmp_path / "labels.csv"), set={"dataset.centers": centers})
    result = do(config, tmp_path / "round")
    assert set(picks_of(tmp_path / "round")) == set(frames) - {*frames[:6]}
    assert "left out: 2 no hand" in messages[0]
    assert "(4 with a center or a pose)" in result.summary()
    assert [result.pool.items[i] for i in result.pool.labelled.tolist()] == [*frames[:3], "b/0.png"]


def test_frames_that_cannot_be_read_or_are_black_are_named_and_not_asked_for(
    ask: Any, tmp_path: Path, messages: list[str]
) -> None:
    root = tmp_path / "lab"
    draw_lab(root, sequences=2, frames=6)
    (root / "a/1.png").write_bytes(b"cut off")
    Image.fromarray(np.zeros((120, 160), np.uint16)).save(root / "b/2.png")
    result = do(ask(root=str(root), budget=10), tmp_path / "round")
    assert not {"a/1.png", "b/2.png"} & set(picks_of(tmp_path / "round"))
    assert len(result.selection) == 10
    assert any("1 of 12 frames cannot be read and are not asked for: a/1.png" in line for line in messages)
    assert any("no depth from 10 to 1500 mm (near, far) and are not asked for: b/2.png" in line for line in messages)
    with pytest.raises(ConfigError, match="budget is 11, but only 10"):
        Round(ask(root=str(root), budget=11), tmp_path / "other")


def test_many_frames_that_cannot_be_read_are_an_error(ask: Any, tmp_path: Path) -> None:
    root = tmp_path / "lab"
    draw_lab(root, sequences=2, frames=5)
    for name in ("a/1.png", "b/1.png"):
        (root / name).write_bytes(b"cut off")
    with pytest.raises(DataFileError, match=r"2 of 10 frames cannot be read, more than a tenth: a/1\.png, b/1\.png"):
        Round(ask(root=str(root)), tmp_path / "round")


def test_doubtful_frames_are_covered() -> None:
    """Of frames that look alike, one whose hand is doubtful is farther from the others than its picture tells."""
    x = torch.tensor([[0.0, 0.0], [0.01, 0.0], [0.02, 0.0], [1.0, 0.0], [1.01, 0.0]])
    found = Centers(torch.zeros(5, 3), np.zeros(5, np.uint8), torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0]), torch.empty(0))
    described = with_doubt(x, found)
    spread = float((x - x.mean(dim=0)).square().sum(dim=1).mean().sqrt())
    torch.testing.assert_close(described[:, 2], torch.tensor([0.0, 0.0, spread, 0.0, 0.0]))
    known = torch.tensor([True, False, False, False, False])
    assert CoreSet().select(Data(x=described, train_mask=known), 2).index.tolist() == [4, 2]


def test_gaps_lists_and_costs_act_as_in_other_rounds(ask: Any, tmp_path: Path) -> None:
    (tmp_path / "exclude.txt").write_text("a/0.png\n")
    do(ask(min_gap=2, exclude=str(tmp_path / "exclude.txt"), budget=4), tmp_path / "round")
    picks = sorted(picks_of(tmp_path / "round"))
    assert "a/0.png" not in picks
    for name in "ab":
        numbers = [int(pick[2]) for pick in picks if pick[0] == name]
        assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(numbers))
    frames = [f"{name}/{i}.png" for name in "ab" for i in range(5)]
    (tmp_path / "cost.csv").write_text("item,cost\n" + "".join(f"{frame},2\n" for frame in frames))
    assert len(do(ask(cost=str(tmp_path / "cost.csv"), budget=5), tmp_path / "costly").selection) == 2


@pytest.mark.parametrize("selector", ["random", "typiclust", "max-herding"])
def test_other_selectors_that_need_no_label(ask: Any, tmp_path: Path, selector: str) -> None:
    assert do(ask(selector=selector, budget=3), tmp_path / "round").selector == selector


def test_the_report_says_what_to_click_and_shows_where_hands_are_thought_to_be(ask: Any, tmp_path: Path) -> None:
    do(ask(), tmp_path / "round")
    page = (tmp_path / "round/report.html").read_text()
    assert "one point a frame, the middle of the palm" in page
    assert "of these 4" in page
    assert "thumbnails of whole frames" in page
    assert page.count('<path class="bone"') == 4
    assert "place where the hand is thought to be" in page


def test_the_same_again_and_resumed_is_the_same(ask: Any, tmp_path: Path) -> None:
    do(ask(), tmp_path / "round")
    before = content(tmp_path / "round")
    (tmp_path / "round/picks.csv").unlink()
    Round(ask(), tmp_path / "round", resume=True)()
    assert content(tmp_path / "round") == before


# what is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ask": "clicks"}, "ask must be joints or center, got 'clicks'"),
        ({"learner": "awr"}, "--ask center trains no network, so that --learner awr has no effect"),
        ({"set": {"learner.epochs": 5}}, r"--set learner\.epochs has no effect"),
        ({"selector": "core-gcn:epochs=3"}, r"trains no network, which core-gcn needs; take one of core-set, .*lcmd"),
        ({"set": {"dataset.crop": "rule"}}, r"goes with dataset\.crop=auto, .* not with rule"),
        ({"set": {"dataset.crop": "oracle"}}, r"goes with dataset\.crop=auto, .* not with oracle"),
        ({"set": {"dataset.oracle_centres": True}}, r"does not go with dataset\.oracle_centres"),
        ({"set": {"dataset.train_centres": "a", "dataset.test_centres": "b"}}, r"does not go with dataset\.train_cent"),
        ({"dataset": "digits", "root": None}, "is for data sets of depth frames .*, not for digits"),
        ({"dataset": None, "root": None, "features": "x.npy"}, "is for data sets of depth frames .*, not for features"),
    ],
)
def test_what_has_no_effect_is_refused(ask: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ask(**changes)


def test_data_sets_without_files_are_refused(ask: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"depth frames in files .*, not for rendered-hands"):
        Round(ask(dataset="rendered-hands", root=None), tmp_path / "round")


def test_centers_without_names_are_refused(ask: Any, tmp_path: Path) -> None:
    (tmp_path / "centers.txt").write_text("1 2 500\n" * 10)
    with pytest.raises(ConfigError, match=r"centers\.txt does not name its frames"):
        Round(ask(set={"dataset.centers": str(tmp_path / "centers.txt")}), tmp_path / "round")


def test_frames_that_all_have_a_center_leave_nothing_to_click(
    ask: Any, tmp_path: Path, drawn: tuple[Path, dict[str, Tensor]]
) -> None:
    centers = centers_file(tmp_path / "c.csv", drawn[1], list(drawn[1]))
    with pytest.raises(ConfigError, match="all 10 frames of lab have a center or a pose already"):
        Round(ask(set={"dataset.centers": centers}), tmp_path / "round")


# other layouts


@pytest.mark.filterwarnings("ignore::seqgcn.exceptions.SeqGCNWarning")  # the releases are not whole
@pytest.mark.parametrize("layout", ["icvl", "nyu", "msra", "hands17"])
def test_the_released_layouts(
    rendered: Callable[[str], Path], layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where poses of all frames are in the release, a list says which of them count."""
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "none.txt").write_text("")
    config = SelectConfig(
        ask="center", dataset=layout, root=str(rendered(layout)), labelled=str(tmp_path / "none.txt"), budget=2
    )
    do(config, tmp_path / "round")
    tasks = read_tasks(tmp_path / "round/tasks")
    assert len(tasks.previews) == 2
    assert {(each.width, each.height) for each in tasks.previews} == {(tasks.camera.width, tasks.camera.height)}
