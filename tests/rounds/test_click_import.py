"""From clicks to a file of centers, and on from there."""

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from annotation.annotator import together
from annotation.fuzzing import nearly
from hand_clicks import SMALL, centers_in, click, click_coco, draw_lab, say_no_hand
from hand_rounds import content, picks_of, record
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from seqgcn.annotation.depths import BEHIND_SKIN
from seqgcn.annotation.preview import preview_name
from seqgcn.config.select import SelectConfig
from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.exceptions import ConfigError, DataFileError, MissingFileError, RunFolderError, SeqGCNError
from seqgcn.rounds.click_import import ImportedClicks, import_clicks
from seqgcn.rounds.record import left_behind, next_config
from seqgcn.rounds.select_round import Round

BEHIND = BEHIND_SKIN["palm"]


class Asked:
    """A round of four clicks in the drawn frames, in `folder`, and who answers it."""

    def __init__(self, config: SelectConfig, folder: Path, palms: dict[str, Tensor]) -> None:
        self.config, self.folder, self.palms = config, folder, palms
        self.hands = DepthFolder(config.root or "", "all")
        if not folder.exists():
            Round(config, folder)()
        self.picks = picks_of(folder)

    def click(self, name: str = "export.json", items: Sequence[str] | None = None, **how: Any) -> Path:
        """An export in which these items are clicked, or all, and others skipped."""
        shown = {item: self.palms[item] for item in (self.picks if items is None else items)}
        return click(self.folder, shown, self.hands, self.folder.parent / name, **how)

    def take(self, *exports: Path, **how: Any) -> ImportedClicks:
        return import_clicks(self.folder, self.config, exports, **how)

    @property
    def centers(self) -> dict[str, Tensor | None]:
        return centers_in(self.folder / "centers.csv")

    def truth(self, item: str) -> Tensor:
        """What a click on the palm that was drawn should come to."""
        u, v, d = SMALL.to_image(self.palms[item][0].double()).tolist()
        return SMALL.to_world(torch.tensor([u, v, d + BEHIND], dtype=torch.float64))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, drawn: tuple[Path, dict[str, Tensor]]) -> Asked:
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQGCN_CACHE", str(folder / "cache"))
        config = SelectConfig(ask="center", dataset="depth-folder", root=str(drawn[0]), budget=4, device="cpu")
        return Asked(config, folder / "round", drawn[1])


@pytest.fixture
def asked(whole: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A copy of it for each test."""
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    shutil.copytree(whole.folder, tmp_path / "round")
    return Asked(whole.config, tmp_path / "round", whole.palms)


def whats(imported: ImportedClicks) -> list[tuple[str, str]]:
    return [(problem.item, problem.what) for problem in imported.checked.problems]


# centers


@pytest.mark.parametrize("tool", ["label studio", "coco"])
def test_a_click_is_a_center_behind_the_surface_under_it(asked: Asked, tmp_path: Path, tool: str) -> None:
    if tool == "coco":
        export = click_coco(asked.folder, asked.palms, asked.hands, tmp_path / "coco.json")
    else:
        export = asked.click()
    imported = asked.take(export)
    assert (imported.checked.problems, imported.left_out, imported.no_hand) == ((), (), ())
    assert imported.centers == asked.folder / "centers.csv"
    assert set(asked.centers) == set(asked.picks)
    for item, center in asked.centers.items():
        torch.testing.assert_close(center, asked.truth(item), rtol=0, atol=1.0)
    rows = record(asked.folder / "imported-1.csv")
    assert [row["frame"] for row in rows] == asked.picks
    assert {row["joint"] for row in rows} == {"palm"}
    assert {row["moved"] for row in rows} == {"1"}
    # As a data set reads them.
    options = CropOptions(centers=str(imported.centers), cache=str(tmp_path / "cache"))
    found = DepthFolder(asked.config.root or "", "all", options=options).find()
    assert sum(name == "file" for name in found.names) == 4


def test_a_click_on_no_depth_is_left_out_with_a_way_out_and_the_others_are_taken(asked: Asked) -> None:
    hole = asked.picks[1]
    export = asked.click(clicked=lambda item, _joint, u, v: (3.0, 4.0) if item == hole else (u, v))
    imported = asked.take(export)
    ((item, what),) = [(problem.item, problem.what) for problem in imported.left_out]
    assert item == hole
    assert "u = 3, v = 4 px from 10 to 1500 mm; click beside it" in what
    assert set(asked.centers) == {*asked.picks} - {hole}
    assert "3 clicks are all right, 0 frames have no hand, with 0 something is wrong, 1 are left out." in (
        imported.table().splitlines()
    )
    # Clicked again beside it, it comes to the others.
    assert asked.take(asked.click()).checked.valid[0].item == hole
    assert set(asked.centers) == {*asked.picks}


def test_only_clicks_on_no_depth_add_nothing(asked: Asked) -> None:
    imported = asked.take(asked.click(clicked=lambda *_click: (3.0, 4.0)))
    assert (len(imported.left_out), imported.centers) == (4, None)
    assert not (asked.folder / "centers.csv").exists()


def test_a_submitted_prediction_is_a_confirmed_center(asked: Asked) -> None:
    tasks = json.loads((asked.folder / "tasks/label_studio.json").read_text())
    places = {task["data"]["item"]: task["predictions"][0]["result"][0]["value"] for task in tasks}

    def confirm(item: str, _joint: str, _u: float, _v: float) -> tuple[float, float]:
        return places[item]["x"] / 100 * SMALL.width - 0.5, places[item]["y"] / 100 * SMALL.height - 0.5

    imported = asked.take(asked.click(clicked=confirm))
    assert len(imported.checked.valid) == 4
    assert imported.told == ("4 centers are new; 4 of them are where they were predicted, and so confirmed",)
    assert {row["moved"] for row in record(asked.folder / "imported-1.csv")} == {"0"}


def test_a_coco_file_in_which_nobody_moved_anything_is_taken_only_if_told_so(asked: Asked, tmp_path: Path) -> None:
    handed = json.loads((asked.folder / "tasks/coco_keypoints.json").read_text())
    export = tmp_path / "cvat.json"
    export.write_text(json.dumps(handed))
    imported = asked.take(export)
    assert {what for _, what in whats(imported)} == {"the point that was handed off, unchanged, as all of this file"}
    assert imported.centers is None
    assert len(asked.take(export, accept_predictions=True).checked.valid) == 4


def test_a_coco_file_in_which_one_point_was_moved_was_looked_at(asked: Asked, tmp_path: Path) -> None:
    handed = json.loads((asked.folder / "tasks/coco_keypoints.json").read_text())
    handed["annotations"][0]["keypoints"][0] += 30
    export = tmp_path / "cvat.json"
    export.write_text(json.dumps(handed))
    imported = asked.take(export)
    assert imported.told[0].startswith("4 centers are new; 3 of them")


def test_what_was_handed_off_is_no_export(asked: Asked) -> None:
    with pytest.raises(DataFileError, match="is what was handed off"):
        asked.take(asked.folder / "tasks/coco_keypoints.json")


# frames without a hand


def test_skipped_frames_have_no_hand_and_are_not_asked_for_again(asked: Asked, tmp_path: Path) -> None:
    imported = asked.take(asked.click(items=asked.picks[1:]))
    assert imported.no_hand == (asked.picks[0],)
    assert asked.centers[asked.picks[0]] is None
    assert f"1 frames have no hand, and are left out from now on: {asked.picks[0]}" in imported.told[1]
    following = SelectConfig(**{**next_config(asked.folder, {"ask": "center"}), "budget": 6})
    result = Round(following, tmp_path / "next")()
    assert asked.picks[0] not in result.pool.items
    assert set(picks_of(tmp_path / "next")) == set(asked.palms) - set(asked.picks)


@pytest.mark.parametrize("tool", ["label studio", "coco"])
def test_that_there_is_no_hand_may_be_said(asked: Asked, tmp_path: Path, tool: str) -> None:
    item = asked.picks[2]
    if tool == "coco":
        export = click_coco(asked.folder, asked.palms, asked.hands, tmp_path / "coco.json", outside=[item])
    else:
        rest = [each for each in asked.picks if each != item]
        export = asked.click(items=rest, change=lambda answers: say_no_hand(answers, item))
    assert asked.take(export).no_hand == (item,)
    assert asked.centers[item] is None


def test_a_frame_that_only_some_skip_has_their_center(asked: Asked) -> None:
    halves = [asked.click(f"{i}.json", asked.picks[i::2], annotator=i) for i in range(2)]
    imported = asked.take(*halves)
    assert (len(imported.checked.valid), imported.no_hand) == (4, ())


def test_no_hand_alone_is_an_answer(asked: Asked) -> None:
    imported = asked.take(asked.click(items=[]))
    assert (set(imported.no_hand), imported.record) == (set(asked.picks), None)
    assert set(asked.centers.values()) == {None}


def test_a_click_and_no_hand_contradict_each_other(asked: Asked) -> None:
    item = asked.picks[0]
    export = asked.click(change=lambda answers: say_no_hand(answers, item))
    assert whats(asked.take(export)) == [(item, "a point, and that there is no hand")]
    one = asked.click("1.json")
    other = asked.click("2.json", items=asked.picks[1:], annotator=2, change=lambda answers: say_no_hand(answers, item))
    assert whats(asked.take(one, other)) == [(item, "one says that there is no hand, the other clicked it")]
    assert not (asked.folder / "centers.csv").exists()


# what is wrong


def _twice(answers: list[Any]) -> None:
    result = answers[0]["annotations"][0]["result"]
    result.append({**result[0], "id": "second"})


def _other_label(answers: list[Any]) -> None:
    answers[0]["annotations"][0]["result"][0]["value"]["keypointlabels"] = ["thumb"]


def _outside(answers: list[Any]) -> None:
    answers[0]["annotations"][0]["result"][0]["value"]["x"] = 101.0


def _other_size(answers: list[Any]) -> None:
    answers[0]["annotations"][0]["result"][0]["original_width"] = 320


def _draft(answers: list[Any]) -> None:
    answers[0]["drafts"] = answers[0].pop("annotations")
    answers[0]["annotations"] = []


def _empty(answers: list[Any]) -> None:
    answers[0]["annotations"][0]["result"] = []


def _elsewhere(answers: list[Any]) -> None:
    answers[0]["data"] = {"item": "nowhere/1.png", "image": "1.png"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_twice, "marked 2 times"),
        (_other_label, "unknown joint"),
        (_outside, "outside the picture"),
        (_other_size, "made on a picture of 320 x 720 pixels, but this frame's has 960 x 720"),
        (_draft, "only a draft, which was not submitted; have it submitted, and export again"),
        (_empty, "no joint is marked"),
        (_elsewhere, "unknown frame"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_added(
    asked: Asked, change: Callable[[list[Any]], None], message: str
) -> None:
    before = content(asked.folder)
    export = asked.click(change=change)
    imported = asked.take(export)
    assert any(what == message for _, what in whats(imported))
    assert (imported.centers, content(asked.folder)) == (None, before)
    imported = asked.take(export, partial=True)
    assert imported.centers is not None
    assert set(asked.centers) == {*asked.picks[1:]}


def test_frames_of_other_rounds_are_named(asked: Asked) -> None:
    other = next(item for item in asked.palms if item not in asked.picks)

    def change(answers: list[Any]) -> None:
        answers[0]["data"] = {"image": f"/data/{preview_name(other)}"}

    assert (preview_name(other), "not in this round") in whats(asked.take(asked.click(change=change)))


@pytest.mark.parametrize("files", [1, 2])
def test_annotators_who_differ_are_named_in_mm(asked: Asked, tmp_path: Path, files: int) -> None:
    def by(number: int) -> list[Any]:
        def moved(item: str, _joint: str, u: float, v: float) -> tuple[float, float]:
            return u, v + (-6 if item == asked.picks[0] else -1) * (number - 1)

        exported: list[Any] = json.loads(asked.click(f"{number}.json", annotator=number, clicked=moved).read_text())
        return exported

    exports = [by(1), by(2)]
    paths = [tmp_path / f"{number + 1}.json" for number in range(2)]
    if files == 1:
        paths[0].write_text(json.dumps(together(*exports)))
    imported = asked.take(*paths[:files], disagree=20.0)
    (problem,) = imported.checked.problems
    assert (problem.item, problem.annotator) == (asked.picks[0], "1 and 2")
    assert "mm apart, more than 20" in problem.what
    # 24 mm are agreement as a rule; the center is the mean.
    asked.take(*paths[:files])
    center = asked.centers[asked.picks[1]]
    assert center is not None
    expected = asked.truth(asked.picks[1])
    half_a_pixel = 0.5 * float(expected[2]) / SMALL.fy
    torch.testing.assert_close(center, expected - torch.tensor([0, half_a_pixel, 0]).double(), rtol=0, atol=1.0)


def test_changed_pictures_are_refused(ask: Any, tmp_path: Path) -> None:
    root = tmp_path / "own"
    palms = draw_lab(root)
    own = Asked(ask(root=str(root)), tmp_path / "round", palms)
    export = own.click()
    Image.fromarray(np.full((120, 160), 600, np.uint16)).save(root / own.picks[0])
    with pytest.raises(DataFileError, match=f"{own.picks[0]} changed since the tasks were made"):
        own.take(export)
    (root / own.picks[0]).unlink()
    with pytest.raises(DataFileError, match=f"lacks {own.picks[0]}"):
        own.take(export)


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_distance_that_is_none_is_refused(asked: Asked, value: float) -> None:
    with pytest.raises(ConfigError, match=f"disagree must be .*{value}"):
        asked.take(asked.click(), disagree=value)


def test_files_that_are_none(asked: Asked, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"none\.json is missing"):
        asked.take(tmp_path / "none.json")
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(DataFileError, match="export COCO keypoints"):
        asked.take(tmp_path / "x.json")
    (asked.folder / "tasks/frames.json").unlink()
    with pytest.raises(RunFolderError, match="if the round was not finished, go on with seqgcn select"):
        asked.take(asked.click())


# again


def test_the_same_again_changes_nothing(asked: Asked) -> None:
    export = asked.click(items=asked.picks[1:])
    asked.take(export)
    before = content(asked.folder)
    imported = asked.take(export)
    assert (imported.checked.valid, imported.checked.problems, imported.no_hand, imported.again) == ((), (), (), 4)
    assert (imported.centers, imported.record) == (asked.folder / "centers.csv", None)
    assert content(asked.folder) == before


def test_a_second_import_adds_to_the_first(asked: Asked) -> None:
    def only(items: Sequence[str]) -> Callable[[list[Any]], None]:
        def change(answers: list[Any]) -> None:
            answers[:] = [answer for answer in answers if answer["data"]["item"] in items]

        return change

    imported = asked.take(asked.click(change=only(asked.picks[:2])), partial=True)
    assert set(asked.centers) == {*asked.picks[:2]}
    assert [item for item, _ in whats(imported)] == asked.picks[2:]
    imported = asked.take(asked.click(change=only(asked.picks[2:])))
    assert (imported.checked.problems, len(imported.checked.valid)) == ((), 2)
    assert set(asked.centers) == {*asked.picks}
    assert imported.record == asked.folder / "imported-2.csv"


def test_a_center_stays_though_the_frame_is_answered_otherwise(asked: Asked) -> None:
    asked.take(asked.click(items=asked.picks[1:]))
    before = (asked.folder / "centers.csv").read_bytes()
    imported = asked.take(asked.click(clicked=lambda item, _joint, u, v: (u, v - 3 * (item == asked.picks[1]))))
    found = dict(whats(imported))
    assert set(found) == set(asked.picks[:2])
    assert "has no hand, as was said before" in found[asked.picks[0]]
    assert "mm from this; to replace it, delete its row of centers.csv" in found[asked.picks[1]]
    assert (asked.folder / "centers.csv").read_bytes() == before
    # The way out that it tells.
    rows = before.decode().splitlines(keepends=True)
    (asked.folder / "centers.csv").write_text("".join(row for row in rows if row.split(",")[0] not in asked.picks[:2]))
    assert len(asked.take(asked.click()).checked.valid) == 2
    export = asked.click(items=asked.picks[1:], change=lambda answers: say_no_hand(answers, asked.picks[0]))
    assert whats(asked.take(export)) == [
        (asked.picks[0], "has a center already, and now no hand; delete its row of centers.csv to take that")
    ]


# going on


@pytest.mark.parametrize("header", ["frame,x,y,z", "frame,u,v,d"])
def test_centers_that_there_were_before_stay(
    ask: Any, tmp_path: Path, drawn: tuple[Path, dict[str, Tensor]], header: str
) -> None:
    palms = drawn[1]
    first, without = list(palms)[:2], list(palms)[2]
    points = {item: palms[item][0] if header[6] == "x" else SMALL.to_image(palms[item][0]) for item in first}
    rows = [header, *(",".join([item, *(f"{v:.2f}" for v in point)]) for item, point in points.items())]
    mine = tmp_path / "mine.csv"
    mine.write_text("\n".join([*rows, f"{without},no hand,,", "other/0.png,1,2,500"]) + "\n")
    held = mine.read_bytes()
    asked = Asked(ask(set={"dataset.centers": str(mine)}), tmp_path / "round", palms)
    imported = asked.take(asked.click())
    text = (asked.folder / "centers.csv").read_text()
    found = centers_in(asked.folder / "centers.csv")
    assert set(found) - {"other/0.png"} == {*first, without, *asked.picks}
    for item in first:
        torch.testing.assert_close(found[item], palms[item][0].double(), rtol=0, atol=0.1)
    assert ("other/0.png,1,2,500" in text) == (header == "frame,x,y,z")
    assert any("centers of other frames, in px" in line for line in imported.told) == (header == "frame,u,v,d")
    assert mine.read_bytes() == held
    assert imported.known == 6


def test_the_next_round_has_the_centers(asked: Asked) -> None:
    asked.take(asked.click())
    values = next_config(asked.folder)
    assert (values["ask"], values["labelled"]) == ("joints", None)
    assert values["set"] == {"dataset.centers": str(asked.folder.absolute() / "centers.csv")}
    config = SelectConfig(**values)
    assert (config.selector, config.learner) == ("core-gcn", "deep-prior")
    assert left_behind(asked.folder, values) == ""
    again = SelectConfig(**next_config(asked.folder, {"ask": "center"}))
    assert (again.selector, again.learner) == ("core-set", "")


def test_a_round_of_clicks_without_clicks_is_not_gone_on_with(asked: Asked) -> None:
    with pytest.raises(RunFolderError, match=r"no clicks were imported into .*; do that first \(seqgcn import"):
        next_config(asked.folder)
    given = {"set": {"dataset.centers": "mine.csv"}}
    assert next_config(asked.folder, given)["set"] == {}


@pytest.mark.usefixtures("mean_pose")
def test_selector_and_network_of_joints_are_not_handed_on_to_clicks(
    ask: Any, tmp_path: Path, drawn: tuple[Path, dict[str, Tensor]]
) -> None:
    """And what they were is said."""
    labels = tmp_path / "labels.csv"
    rows = "".join(f"{item},0,0,500,0,0,500\n" for item in list(drawn[1])[:3])
    labels.write_text(f"frame,wrist x,wrist y,wrist z,tip x,tip y,tip z\n{rows}")
    config = ask(
        ask="joints",
        learner="mean-pose",
        selector="random",
        labelled=str(labels),
        set={"dataset.crop_size": 16},
    )
    Round(config, tmp_path / "joints")()
    values = next_config(tmp_path / "joints", {"ask": "center", "labelled": str(labels)})
    assert (values["selector"], values["learner"]) == ("", "")
    assert values["set"] == {"dataset.crop_size": 16}
    said = left_behind(tmp_path / "joints", values)
    assert said.endswith("asked for joints: its --selector random, --learner mean-pose are not handed on")
    Round(SelectConfig(**{**values, "labelled": str(labels)}), tmp_path / "clicks")()
    assert len(picks_of(tmp_path / "clicks")) == 4


@pytest.mark.usefixtures("mean_pose")
def test_joints_are_asked_for_in_crops_around_clicks(asked: Asked, tmp_path: Path) -> None:
    asked.take(asked.click())
    config = replace(
        SelectConfig(**next_config(asked.folder)), learner="mean-pose", selector="random", budget=6, device="cpu"
    )
    result = Round(config, tmp_path / "joints")()
    assert result.pool.centers is not None
    clicked = [i for i, item in enumerate(result.pool.items) if item in asked.picks]
    for i in clicked:
        assert result.pool.centers.names[i] == "file"
        center = asked.centers[result.pool.items[i]]
        torch.testing.assert_close(result.pool.centers.points[i].double(), center, rtol=0, atol=1e-2)
    held = yaml.safe_load((tmp_path / "joints/round.yaml").read_text())
    assert held["parameters"]["dataset"]["centers"] == str(asked.folder.absolute() / "centers.csv")


# any export


@pytest.fixture(scope="session")
def fuzzed(whole: Asked, tmp_path_factory: pytest.TempPathFactory) -> tuple[Asked, list[Any], dict[str, Any]]:
    """A round, and right exports of it in both forms."""
    folder = tmp_path_factory.mktemp("fuzzed")
    shutil.copytree(whole.folder, folder / "round")
    asked = Asked(whole.config, folder / "round", whole.palms)
    right = json.loads(asked.click(items=asked.picks[1:]).read_text())
    coco = json.loads(click_coco(asked.folder, asked.palms, asked.hands, folder / "coco.json").read_text())
    return asked, right, coco


@given(data=st.data())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_export_gives_centers_or_an_error_of_the_package(fuzzed: Any, data: st.DataObject) -> None:
    asked, right, coco = fuzzed
    path = asked.folder.parent / "fuzz.json"
    path.write_text(json.dumps(data.draw(nearly(data.draw(st.sampled_from([right, coco]))))))
    with suppress(SeqGCNError):
        imported = asked.take(path, partial=True)
        for label in imported.checked.valid:
            u, v, d = SMALL.to_image(label.joints[0]).tolist()
            assert -0.5 <= u <= SMALL.width - 0.5
            assert -0.5 <= v <= SMALL.height - 0.5
            assert 10 <= d - BEHIND <= 1500
        assert {label.item for label in imported.checked.valid} | set(imported.no_hand) <= {*asked.picks}
        if imported.centers is not None:
            assert set(asked.centers) <= {*asked.picks}
    for name in ("centers.csv", *(path.name for path in asked.folder.glob("imported-*"))):
        (asked.folder / name).unlink(missing_ok=True)
