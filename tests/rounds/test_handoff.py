import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hand_rounds
import numpy as np
import pytest
import torch
from annotation.annotator import label, together
from hand_rounds import (
    answer,
    assert_same_places,
    content,
    labels_of,
    make_round,
    picks_of,
    pose_of,
    record,
    take,
    truth,
)

from seqgcn.annotation import preview_name, read_tasks
from seqgcn.config.select import SelectConfig
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.exceptions import ConfigError
from seqgcn.rounds.handoff import LABELS, Imported
from seqgcn.rounds.inputs import pool_of_dataset
from seqgcn.rounds.select_round import Round

LAYOUTS = tuple(LABELS)
pytestmark = pytest.mark.usefixtures("mean_pose")


def whats(imported: Imported) -> list[tuple[str, str]]:
    return [(problem.item, problem.what) for problem in imported.checked.problems]


# every kind of labels, in every layout


@pytest.mark.parametrize("dataset", LAYOUTS)
@pytest.mark.parametrize("kind", ["list", "file", "own", "empty"])
def test_labels_come_back(rendered: Callable[[str], Path], tmp_path: Path, dataset: str, kind: str) -> None:
    root = rendered(dataset)
    hands = truth(dataset, root)
    mine, before = tmp_path / "mine", hands.files[:3]
    if kind == "own":
        root, mine = hand_rounds.copy_with_labels(dataset, root, tmp_path / "data", 3), tmp_path / "data"
        mine /= hand_rounds.OWN[dataset]
    elif kind == "file":
        hand_rounds.keep_labels(dataset, root, mine, 3)
    else:
        before = hands.files[:3] if kind == "list" else []
        mine.write_text("".join(f"{item}\n" for item in before))
    folder, held = tmp_path / "round", mine.read_bytes()
    config = make_round(folder, dataset, root, labelled=None if kind == "own" else str(mine))
    picks = picks_of(folder)
    assert not set(picks) & set(before)

    export = answer(folder, hands, tmp_path / "export.json")
    wanted: Any = ("prediction",) if before else ("surface+offset",)
    imported = take(folder, config, [export], joint_depth=wanted)
    assert (imported.checked.problems, imported.again) == ((), 0)
    assert imported.labels == folder / LABELS[dataset]
    assert imported.record == folder / "imported-1.csv"
    assert mine.read_bytes() == held

    found = labels_of(folder, dataset, root)
    assert set(found) == {*before, *picks}
    assert_same_places(found, hands, picks)
    for item in before:
        torch.testing.assert_close(found[item], pose_of(hands, item), rtol=0, atol=1e-3)
    predicted = {preview.item: preview.predicted for preview in read_tasks(folder / "tasks").previews}
    for item in picks if before else ():
        torch.testing.assert_close(found[item][:, 2], torch.tensor([guess.d for guess in predicted[item]]))  # type: ignore[union-attr]
    rows = record(folder / "imported-1.csv")
    assert [row["frame"] for row in rows[:: len(hands.skeleton)]] == picks
    assert {row["depth from"] for row in rows} == {"prediction" if before else "surface+offset"}

    # What goes on from there has them.
    pool = pool_of_dataset(replace(config, labelled=str(imported.labels)), config.settle()["dataset"])
    assert {pool.items[i] for i in pool.labelled.tolist()} == {*before, *picks}


def test_a_list_hides_labels_of_the_data_set(icvl: HandDataset, tmp_path: Path) -> None:
    """As in a simulation: the data set has all labels, but only what is listed or imported counts."""
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{item}\n" for item in icvl.files[5:2:-1]))
    config = make_round(tmp_path / "round", "icvl", icvl.root, labelled=str(listed))
    some = picks_of(tmp_path / "round")[1:3]
    export = answer(tmp_path / "round", icvl, tmp_path / "export.json", some)
    assert take(tmp_path / "round", config, [export], partial=True).labels is not None
    assert set(labels_of(tmp_path / "round", "icvl", icvl.root)) == {*icvl.files[3:6], *some}


def test_joints_that_are_left_out(rendered: Callable[[str], Path], tmp_path: Path) -> None:
    """Frames are labeled without them, if that is asked for and half of the joints are there."""
    root = rendered("depth-folder")
    hands = truth("depth-folder", root)
    mine = hand_rounds.keep_labels("depth-folder", root, tmp_path / "mine.csv", 3)
    folder = tmp_path / "round"
    config = make_round(folder, "depth-folder", root, labelled=str(mine))
    picks, joints = picks_of(folder), hands.skeleton.joints
    lacking = {picks[0]: joints[4:5], picks[1]: joints[2:13]}

    def click(item: str, joint: str, u: float, v: float) -> tuple[float, float] | None:
        return None if joint in lacking.get(item, ()) else (u, v)

    export = answer(folder, hands, tmp_path / "export.json", click=click)
    assert whats(take(folder, config, [export])) == [(item, "missing") for item in picks[:2] for _ in lacking[item]]
    imported = take(folder, config, [export], leave_out_joints=True, partial=True)
    assert {problem.item for problem in imported.checked.problems} == {picks[1]}
    assert imported.told[1].startswith("1 joints of 1 frames are left out")
    found = labels_of(folder, "depth-folder", root)
    assert set(found) == {*hands.files[:3], picks[0], *picks[2:]}
    assert found[picks[0]].isnan().all(dim=1).nonzero().flatten().tolist() == [4]
    (row,) = (row for row in record(folder / "imported-1.csv") if not row["depth from"])
    assert (row["frame"], row["joint"], row["u"], row["x"], row["moved"]) == (picks[0], joints[4], "", "", "1")
    # The same again is nothing new.
    again = take(folder, config, [export], leave_out_joints=True, partial=True)
    assert (again.again, again.record) == (3, None)


def test_unsure_depths_are_left_out(rendered: Callable[[str], Path], tmp_path: Path) -> None:
    root = rendered("depth-folder")
    hands = truth("depth-folder", root)
    mine = hand_rounds.keep_labels("depth-folder", root, tmp_path / "mine.csv", 3)
    folder = tmp_path / "round"
    config = make_round(folder, "depth-folder", root, labelled=str(mine))
    tips = {joint for joint in hands.skeleton.joints if joint.endswith("tip")}
    export = answer(folder, hands, tmp_path / "export.json", hidden=lambda _, joint: joint in tips)
    # Nothing but a grave error of the bones' lengths is as sure as this.
    imported = take(folder, config, [export], joint_depth=None, disagree=3.0)
    assert imported.checked.problems == ()
    found = labels_of(folder, "depth-folder", root)
    unknown = {
        joint
        for item in picks_of(folder)
        for joint, place in zip(hands.skeleton.joints, found[item], strict=True)
        if bool(place.isnan().any())
    }
    assert unknown
    known = [found[item].isfinite().all(dim=1) for item in picks_of(folder)]
    off = [
        (found[item] - pose_of(hands, item)).norm(dim=1)[those]
        for item, those in zip(picks_of(folder), known, strict=True)
    ]
    assert float(torch.cat(off).mean()) < 6
    assert any("expected to be off by" in sentence for sentence in imported.told)
    # Where files cannot leave joints out, such a depth is refused.
    icvl = truth("icvl", rendered("icvl"))
    some = hand_rounds.keep_labels("icvl", icvl.root, tmp_path / "mine.txt", 3)
    config = make_round(tmp_path / "icvl", "icvl", icvl.root, labelled=str(some))
    export = answer(tmp_path / "icvl", icvl, tmp_path / "icvl.json", hidden=lambda _, joint: "tip" in joint)
    problems = whats(take(tmp_path / "icvl", config, [export], joint_depth=None, disagree=3.0))
    assert problems
    assert all(what.startswith("no depth (auto: unsure by") for _, what in problems)
    with pytest.raises(ConfigError, match="labels of icvl cannot lack joints"):
        take(tmp_path / "icvl", config, [export], leave_out_joints=True)


def test_a_mirrored_export_is_refused(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    """Each picture left for right, as of a webcam that shows a mirror."""
    folder, picks = tmp_path / "round", picks_of(tmp_path / "round")
    boxes = {preview.item: preview for preview in read_tasks(folder / "tasks").previews}

    def mirror(item: str, joint: str, u: float, v: float) -> tuple[float, float]:
        return 2 * boxes[item].left + boxes[item].width - 1 - u, v

    before = content(folder)
    export = answer(folder, icvl, tmp_path / "export.json", click=mirror)
    for partial in (False, True):
        imported = take(folder, config, [export], partial=partial)
        assert {item for item, what in whats(imported) if what.startswith("impossible pose: ")} == set(picks)
        assert (imported.labels, content(folder)) == (None, before)
    forced = take(folder, config, [export], force=True)
    assert forced.checked.problems == ()
    assert any("frames look odd" in sentence for sentence in forced.told)
    # Once they are labels, they are not doubted again.
    assert take(folder, config, [export]).again == len(picks)


def test_columns_are_exact(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    folder = tmp_path / "round"
    picks = picks_of(folder)
    rows = [
        f"{item},{joint},{pose[2]:.4f}"
        for item in picks
        for joint, pose in zip(icvl.skeleton.joints, pose_of(icvl, item).tolist(), strict=True)
        if joint != "palm"
    ]
    (tmp_path / "depths.csv").write_text("\n".join(["frame,joint,depth", *rows]))
    export = answer(folder, icvl, tmp_path / "export.json")
    imported = take(folder, config, [export], joint_depth=("column", "prediction"), depths=tmp_path / "depths.csv")
    assert imported.labels is not None
    sources = {row["joint"]: row["depth from"] for row in record(folder / "imported-1.csv")}
    assert sources == {joint: "prediction" if joint == "palm" else "column" for joint in icvl.skeleton.joints}
    found = labels_of(folder, "icvl", icvl.root)
    for item in picks:
        torch.testing.assert_close(found[item][1:], pose_of(icvl, item)[1:], rtol=0, atol=1e-3)


def test_coco_keypoints(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    folder = tmp_path / "round"
    tasks = read_tasks(folder / "tasks")
    exported = json.loads((folder / "tasks/coco_keypoints.json").read_text())
    exported["annotations"] = []
    for number, preview in enumerate(tasks.previews, start=1):
        width, height = preview.size
        keypoints: list[float] = []
        for u, v, _ in icvl.camera.to_image(pose_of(icvl, preview.item).double()).tolist():
            x, y = preview.from_sensor(u, v)
            keypoints += [x * width, y * height, 2]
        exported["annotations"].append({"id": number, "image_id": number, "category_id": 1, "keypoints": keypoints})
    (tmp_path / "coco.json").write_text(json.dumps(exported))
    assert take(folder, config, [tmp_path / "coco.json"]).checked.problems == ()
    assert_same_places(labels_of(folder, "icvl", icvl.root), icvl, picks_of(folder))
    assert {row["annotators"] for row in record(folder / "imported-1.csv")} == {"coco.json"}


# several annotators


@pytest.mark.parametrize("files", [1, 2])
def test_two_annotators(config: SelectConfig, icvl: HandDataset, tmp_path: Path, files: int) -> None:
    """In one project, or in a file each."""
    folder, picks = tmp_path / "round", picks_of(tmp_path / "round")
    poses = dict(zip(icvl.files, icvl.joints, strict=True))

    def by(number: int, off: float) -> list[dict[str, Any]]:
        def click(item: str, joint: str, u: float, v: float) -> tuple[float, float]:
            return u + (10 if (item, joint) == (picks[0], "palm") else 1) * off, v

        return label(folder / "tasks", poses, icvl.camera, icvl.skeleton.joints, annotator=number, click=click)

    exports = [by(1, 0.5), by(2, -0.5)]
    paths = [tmp_path / f"export-{number}.json" for number in range(files)]
    for path, export in zip(paths, exports if files == 2 else [together(*exports)], strict=True):
        path.write_text(json.dumps(export))
    imported = take(folder, config, paths)
    assert imported.labels is None
    (problem,) = imported.checked.problems
    assert (problem.item, problem.joint, problem.annotator) == (picks[0], "palm", "1 and 2")
    assert "mm apart, more than 10" in problem.what
    assert content(folder).keys() & {"labels.txt", "imported-1.csv"} == set()
    assert take(folder, config, paths, disagree=100.0).labels is not None
    assert_same_places(labels_of(folder, "icvl", icvl.root), icvl, picks)
    assert {row["annotators"] for row in record(folder / "imported-1.csv")} == {"1; 2"}


def test_annotators_share_the_frames(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    folder, picks = tmp_path / "round", picks_of(tmp_path / "round")
    halves = [answer(folder, icvl, tmp_path / f"{i}.json", picks[i::2], annotator=i) for i in range(2)]
    assert whats(take(folder, config, halves[:1])) == [(item, "skipped") for item in picks[1::2]]
    assert take(folder, config, halves).checked.problems == ()
    assert set(labels_of(folder, "icvl", icvl.root)) == {*icvl.files[:3], *picks}


# all or none, and again


def test_nothing_is_added_if_anything_is_wrong(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    folder, picks = tmp_path / "round", picks_of(tmp_path / "round")
    before = content(folder)
    export = answer(
        folder,
        icvl,
        tmp_path / "export.json",
        click=lambda item, joint, u, v: None if (item, joint) == (picks[2], "index tip") else (u, v),
    )
    imported = take(folder, config, [export])
    assert [problem[:4] for problem in imported.checked.problems] == [(picks[2], "index tip", "1", "missing")]
    assert (imported.labels, imported.record, content(folder)) == (None, None, before)

    # What is right alone, and later the rest: of the same project, which has everything again.
    imported = take(folder, config, [export], partial=True)
    assert [label.item for label in imported.checked.valid] == [picks[0], picks[1], picks[3]]
    assert imported.labels is not None
    assert set(labels_of(folder, "icvl", icvl.root)) == {*icvl.files[:3], picks[0], picks[1], picks[3]}
    mended = answer(folder, icvl, tmp_path / "mended.json")
    imported = take(folder, config, [mended])
    assert [label.item for label in imported.checked.valid] == [picks[2]]
    assert (imported.checked.problems, imported.again) == ((), 3)
    assert set(labels_of(folder, "icvl", icvl.root)) == {*icvl.files[:3], *picks}
    assert {row["frame"] for row in record(folder / "imported-1.csv")} == {picks[0], picks[1], picks[3]}
    assert {row["frame"] for row in record(folder / "imported-2.csv")} == {picks[2]}


def test_the_rest_alone(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    folder, picks = tmp_path / "round", picks_of(tmp_path / "round")
    take(folder, config, [answer(folder, icvl, tmp_path / "1.json", picks[:2])], partial=True)
    rest = json.loads(answer(folder, icvl, tmp_path / "2.json", picks[2:]).read_text())
    (tmp_path / "2.json").write_text(json.dumps(rest[2:]))
    imported = take(folder, config, [tmp_path / "2.json"])
    assert (imported.checked.problems, imported.again, imported.record) == ((), 0, folder / "imported-2.csv")


def test_the_same_again_changes_nothing(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    folder = tmp_path / "round"
    export = answer(folder, icvl, tmp_path / "export.json")
    take(folder, config, [export])
    before = content(folder)
    imported = take(folder, config, [export])
    assert (imported.checked.valid, imported.checked.problems, imported.again) == ((), (), 4)
    assert (imported.labels, imported.record) == (folder / "labels.txt", None)
    assert content(folder) == before


def test_a_label_stays_though_it_is_answered_otherwise(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    folder, picks = tmp_path / "round", picks_of(tmp_path / "round")
    take(folder, config, [answer(folder, icvl, tmp_path / "1.json", picks[:2])], partial=True)
    moved = answer(folder, icvl, tmp_path / "2.json", click=lambda item, joint, u, v: (u + 2 * (item == picks[1]), v))
    before = (folder / "labels.txt").read_bytes()
    imported = take(folder, config, [moved])
    ((item, what),) = whats(imported)
    assert item == picks[1]
    assert what.startswith("labeled already, ")
    assert what.endswith(" mm from this; to replace it, delete its row of the labels")
    assert (imported.labels, (folder / "labels.txt").read_bytes()) == (None, before)
    # The way out that it tells, for a frame that is not the first of its record.
    rows = before.decode().splitlines(keepends=True)
    (folder / "labels.txt").write_text("".join(row for row in rows if row.split()[0] not in picks[1]))
    imported = take(folder, config, [moved])
    assert ([label.item for label in imported.checked.valid], imported.again) == ([picks[1], *picks[2:]], 1)
    assert sorted(path.name for path in folder.glob("imported-*")) == ["imported-1.csv", "imported-2.csv"]
    assert {row["frame"] for row in record(folder / "imported-1.csv")} == set(picks[:2])


def test_labelled_by_hand_in_the_meantime(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    """In the user's own file: it counts, and is not written to."""
    folder, picks = tmp_path / "round", picks_of(tmp_path / "round")
    labels = icvl.root / hand_rounds.OWN["icvl"]
    rows = {f"Training/Depth/{row.split()[0]}": row for row in labels.read_text().splitlines(keepends=True)}
    mine = tmp_path / "mine.txt"
    mine.write_text(mine.read_text() + rows[picks[0]])
    held = mine.read_bytes()
    export = answer(folder, icvl, tmp_path / "export.json")
    ((item, what),) = whats(take(folder, config, [export]))
    assert (item, what[:15]) == (picks[0], "labeled already")
    export = answer(folder, icvl, tmp_path / "export.json", picks[1:])
    assert take(folder, config, [export]).checked.problems == ()
    torch.testing.assert_close(
        labels_of(folder, "icvl", icvl.root)[picks[0]], pose_of(icvl, picks[0]), rtol=0, atol=1e-3
    )
    assert mine.read_bytes() == held


# rounds on end


def test_the_project_goes_on_with_the_next_round(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    first, second = tmp_path / "round", tmp_path / "second"
    one = answer(first, icvl, tmp_path / "1.json")
    take(first, config, [one])
    following = replace(config, labelled=str(first / "labels.txt"), budget=2)
    Round(following, second)()
    picks = picks_of(second)

    imported = take(second, following, [one])
    assert whats(imported) == [(item, "nobody annotated it") for item in picks]
    assert (imported.labels, imported.again) == (None, 4)
    two = answer(second, icvl, tmp_path / "2.json")
    both = json.loads(one.read_text()) + json.loads(two.read_text())
    (tmp_path / "both.json").write_text(json.dumps(both))
    imported = take(second, following, [tmp_path / "both.json"])
    assert (imported.checked.problems, imported.again, imported.labels) == ((), 4, second / "labels.txt")
    assert set(labels_of(second, "icvl", icvl.root)) == {*icvl.files[:3], *picks_of(first), *picks}
    assert_same_places(labels_of(second, "icvl", icvl.root), icvl, [*picks_of(first), *picks])

    # The other way round it is an error.
    assert {what for item, what in whats(take(first, config, [two])) if item in picks} == {"not in this round"}


def test_earlier_rounds_by_the_names_of_pictures(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    """As tools know them that keep nothing else."""
    folder = tmp_path / "round"
    export = json.loads(answer(folder, icvl, tmp_path / "export.json").read_text())
    others = [{**export[0], "data": {"image": f"/data/{preview_name(item)}"}} for item in icvl.files[:5]]
    (tmp_path / "export.json").write_text(json.dumps(export + others))
    imported = take(folder, config, [tmp_path / "export.json"])
    unlabelled = [preview_name(item) for item in icvl.files[3:5] if item not in picks_of(folder)]
    assert imported.again == 3
    assert [item for item, what in whats(imported) if what == "not in this round"] == unlabelled


# handing off


def test_items_that_are_no_frames(fakes: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(6, 3)))
    (tmp_path / "names.txt").write_text("".join(f"clip {i}, take 1\n" for i in range(6)))
    config = SelectConfig(
        features=str(tmp_path / "x.npy"), items=str(tmp_path / "names.txt"), selector="random", budget=2
    )
    Round(config, tmp_path / "features")()
    assert (tmp_path / "features/tasks/frames.txt").read_text().splitlines() == picks_of(tmp_path / "features")
    Round(SelectConfig(dataset="digits", selector="random", budget=3), tmp_path / "digits")()
    assert (tmp_path / "digits/tasks/frames.txt").read_text().splitlines() == picks_of(tmp_path / "digits")


def test_frames_go_with_pictures_and_predictions(config: SelectConfig, icvl: HandDataset, tmp_path: Path) -> None:
    folder, picks = tmp_path / "round", picks_of(tmp_path / "round")
    tasks = read_tasks(folder / "tasks")
    assert [preview.item for preview in tasks.previews] == picks
    assert (tasks.camera, tasks.skeleton) == (icvl.camera, icvl.skeleton)
    assert all(None not in preview.predicted for preview in tasks.previews)
    assert {path.name for path in (folder / "tasks/images").iterdir()} == {preview_name(item) for item in picks}
    # Killed before the picks were there: the same again, byte by byte.
    before = content(folder)
    (folder / "picks.csv").unlink()
    Round(config, folder, resume=True)()
    assert content(folder) == before
