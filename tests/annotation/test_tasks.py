import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from hand_releases import FOLDER_CAMERA, disc
from PIL import Image
from torch import Tensor

from seqgcn.annotation import Frame, Tasks, frames_of, preview_name, read_tasks, write_tasks
from seqgcn.annotation.coco import make_coco
from seqgcn.annotation.label_studio import colours, configuration, make_tasks
from seqgcn.datasets.hands import ICVL
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.skeleton import BIGHAND21, ICVL16, MSRA21, NYU14, NYU36, Skeleton
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError, RunFolderError

CENTRE = torch.tensor([10.0, -5.0, 400.0])
SKELETON = Skeleton(("palm", "a <b> & \"c'", "tip"), ((0, 1), (0, 2)))
ODD = ["seq/image 1.png", "<script>alert(1)</script>.png", "Ü/ж.png"]


def frames(items: list[str], joints: Tensor | None = None) -> list[Frame]:
    depth = torch.from_numpy(disc(FOLDER_CAMERA, CENTRE).astype(np.float32))
    return [Frame(item=item, depth=lambda: DepthImage(depth), centre=CENTRE, cube=200, joints=joints) for item in items]


def test_what_is_written(handed_off: tuple[Path, Tasks], hands: ICVL) -> None:
    folder, tasks = handed_off
    names = ["coco_keypoints.json", "cvat_labels.json", "frames.json", "frames.txt", "images"]
    names += ["label_studio.json", "label_studio.xml"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert (folder / "frames.txt").read_text().splitlines() == hands.files[:3]
    assert {path.name for path in (folder / "images").iterdir()} == {preview.name for preview in tasks.previews}
    for preview in tasks.previews:
        with Image.open(folder / "images" / preview.name) as image:
            assert image.size == preview.size


def test_label_studio_finds_the_pictures_as_the_documentation_says(handed_off: tuple[Path, Tasks]) -> None:
    # Label Studio joins `d` to its document root, and serves what lies in a Local files storage, which must be a
    # folder below that root.
    document_root, storage = handed_off[0], handed_off[0] / "images"
    tasks = json.loads((document_root / "label_studio.json").read_text())
    served = []
    for task in tasks:
        url = urlsplit(task["data"]["image"])
        assert url.path == "/data/local-files/"
        served.append(document_root / parse_qs(url.query)["d"][0])
    assert sorted(served) == sorted(storage.iterdir())
    assert document_root in storage.parents
    page = (Path(__file__).parents[2] / "docs" / "label_studio.md").read_text()
    for name in ("SERVING_ENABLED=true", "DOCUMENT_ROOT"):
        assert f"LABEL_STUDIO_LOCAL_FILES_{name}" in page
    assert f"`round-01/tasks/{storage.name}`" in page


def test_read_back(handed_off: tuple[Path, Tasks], hands: ICVL) -> None:
    folder, tasks = handed_off
    again = read_tasks(folder)
    assert again == tasks
    assert again.camera == hands.camera
    assert again.find(hands.files[1]) is again.previews[1] is again.find(tasks.previews[1].name)
    assert again.find(hands.files[4]) is None


def test_the_same_arguments_give_the_same_files(tmp_path: Path) -> None:
    for folder in ("a", "b", "b"):
        write_tasks(tmp_path / folder, frames(ODD, CENTRE.repeat(3, 1)), FOLDER_CAMERA, SKELETON)
    a, b = (
        {str(path.relative_to(tmp_path / folder)): path.read_bytes() for path in (tmp_path / folder).rglob("*.*")}
        for folder in ("a", "b")
    )
    assert a == b


def test_pictures_of_an_earlier_hand_off_go(tmp_path: Path) -> None:
    write_tasks(tmp_path, frames(ODD), FOLDER_CAMERA, SKELETON)
    (tmp_path / "images/notes.txt").touch()
    write_tasks(tmp_path, frames(ODD[:1]), FOLDER_CAMERA, SKELETON)
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == sorted([preview_name(ODD[0]), "notes.txt"])


def test_many_frames_keep_their_order_and_few_wait_drawn(tmp_path: Path) -> None:
    started: list[str] = []
    names = [f"{number}.png" for number in range(60)]

    def noted(frame: Frame) -> Frame:
        def depth() -> DepthImage:
            started.append(frame.item)
            return frame.depth()

        return replace(frame, depth=depth)

    ahead = []
    tasks = write_tasks(
        tmp_path,
        [noted(frame) for frame in frames(names)],
        FOLDER_CAMERA,
        SKELETON,
        progress=lambda _stage, done, _all: ahead.append(len(started) - done),
    )
    assert [preview.item for preview in tasks.previews] == names
    assert max(ahead) <= 16


def test_a_frame_that_cannot_be_read_is_told_as_it_is(tmp_path: Path) -> None:
    def broken() -> DepthImage:
        raise DataFileError("2.png is damaged")

    some = frames([f"{number}.png" for number in range(40)])
    some[2] = replace(some[2], depth=broken)
    with pytest.raises(DataFileError, match=r"2\.png is damaged"):
        write_tasks(tmp_path, some, FOLDER_CAMERA, SKELETON)
    assert {path.name for path in (tmp_path / "images").iterdir()} == {preview_name("0.png"), preview_name("1.png")}
    assert not (tmp_path / "frames.json").exists()


def test_odd_names_map_back(tmp_path: Path) -> None:
    progress: list[tuple[str, int, int]] = []
    write_tasks(
        tmp_path,
        frames(ODD),
        FOLDER_CAMERA,
        SKELETON,
        image_prefix="https://x.org/a b/",
        progress=lambda *told: progress.append(told),
    )
    assert progress == [("previews", 1, 3), ("previews", 2, 3), ("previews", 3, 3)]
    tasks = read_tasks(tmp_path)
    for task, item in zip(json.loads((tmp_path / "label_studio.json").read_text()), ODD, strict=True):
        assert task["data"]["item"] == item
        assert task["data"]["image"] == "https://x.org/a b/" + preview_name(item)
        assert "predictions" not in task
        preview = tasks.find(task["data"]["image"].rpartition("/")[2])
        assert preview is not None
        assert preview.item == item
    assert (tmp_path / "frames.txt").read_text().splitlines() == ODD
    content = json.loads((tmp_path / "coco_keypoints.json").read_text())
    assert content["annotations"] == []
    assert [image["file_name"] for image in content["images"]] == list(map(preview_name, ODD))


def test_places_of_predictions(handed_off: tuple[Path, Tasks], hands: ICVL, predicted: Tensor) -> None:
    folder, tasks = handed_off
    expected = hands.camera.to_image(predicted.double())
    studio = json.loads((folder / "label_studio.json").read_text())
    coco = json.loads((folder / "coco_keypoints.json").read_text())
    assert [task["predictions"][0]["score"] for task in studio] == [1.0, 0.25, 0.0]
    assert [task["data"]["score"] for task in studio] == [5.0, 2.0, 1.0]
    for i, preview in enumerate(tasks.previews):
        assert studio[i]["predictions"][0]["model_version"] == "deep-prior"
        marks = [region for region in studio[i]["predictions"][0]["result"] if region["type"] == "keypointlabels"]
        said_hidden = {region["id"] for region in studio[i]["predictions"][0]["result"] if region["type"] == "choices"}
        points = np.reshape(coco["annotations"][i]["keypoints"], (-1, 3))
        assert [mark["value"]["keypointlabels"] for mark in marks] == [[joint] for joint in ICVL16.joints]
        assert {mark["id"] for mark in marks} >= said_hidden
        for mark, (x, y, visible), (u, v, _) in zip(marks, points, expected[i].tolist(), strict=True):
            place = preview.to_sensor(mark["value"]["x"] / 100, mark["value"]["y"] / 100)
            assert place == pytest.approx((u, v), abs=1e-6)
            assert preview.to_sensor(x / preview.size[0], y / preview.size[1]) == pytest.approx((u, v), abs=1e-6)
            assert visible == (1 if mark["id"] in said_hidden else 2)
        left, top, width, height = coco["annotations"][i]["bbox"]
        assert points[:, :2].min(axis=0) == pytest.approx((left, top))
        assert points[:, :2].max(axis=0) == pytest.approx((left + width, top + height))
        assert coco["annotations"][i]["area"] == pytest.approx(width * height)
        assert coco["annotations"][i]["num_keypoints"] == 16


def test_joints_outside_the_picture_are_left_to_the_annotator(handed_off: tuple[Path, Tasks]) -> None:
    _, tasks = handed_off
    first = tasks.previews[0]
    assert first.predicted[3] is not None
    predicted = list(first.predicted)
    predicted[3] = first.predicted[3]._replace(u=-20.0)
    moved = [replace(first, predicted=tuple(predicted))]
    (task,) = make_tasks(moved, tasks.skeleton, "", "m")
    assert ["thumb tip"] not in [region["value"].get("keypointlabels") for region in task["predictions"][0]["result"]]
    (annotation,) = make_coco(moved, tasks.skeleton)["annotations"]
    assert annotation["keypoints"][9:12] == [0.0, 0.0, 0]
    assert annotation["num_keypoints"] == 15


@pytest.mark.parametrize("skeleton", [ICVL16, MSRA21, BIGHAND21, NYU14, NYU36, Skeleton(("one",), ()), SKELETON])
def test_colours(skeleton: Skeleton) -> None:
    found = colours(skeleton)
    assert len(set(found)) == len(skeleton)
    assert all(len(colour) == 7 and int(colour[1:], 16) >= 0 for colour in found)


def test_a_joint_that_xml_cannot_name() -> None:
    assert "&lt;b&gt; &amp; &quot;c'" in configuration(SKELETON)
    with pytest.raises(ArgumentError, match="XML does not allow"):
        configuration(Skeleton(("a\x00",), ()))


def test_what_cannot_be_handed_off(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="nothing to label"):
        write_tasks(tmp_path, [], FOLDER_CAMERA, SKELETON)
    with pytest.raises(ArgumentError, match=r"a\.png is there twice"):
        write_tasks(tmp_path, frames(["a.png", "b.png", "a.png"]), FOLDER_CAMERA, SKELETON)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot make"):
        write_tasks(tmp_path / "file", frames(["a.png"]), FOLDER_CAMERA, SKELETON)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_frames_of_a_data_set(hands: ICVL) -> None:
    (frame,) = frames_of(hands, torch.tensor([4]), None, torch.tensor([0.5]))
    assert (frame.item, frame.cube, frame.score, frame.joints) == (hands.files[4], 250.0, 0.5, None)
    assert torch.equal(frame.depth().depth, hands.depth(4).depth)
    assert torch.equal(frame.centre, hands.frames.centre[4])


def spoilt(record: dict[str, Any], how: str) -> Any:
    first = record["frames"][0]
    if how == "version":
        record["version"] = 1
    elif how == "not an object":
        return [record]
    elif how == "no camera":
        del record["camera"]
    elif how == "camera":
        record["camera"]["fx"] = -1
    elif how == "axes":
        record["camera"]["axes"] = 5
    elif how == "frames":
        record["frames"] = 5
    elif how == "path":
        first["item"] = "../../etc/passwd"
    elif how == "box":
        first["width"] = 0
    elif how == "huge":
        first["left"] = 1e400
    elif how == "predicted":
        first["predicted"] = first["predicted"][1:]
    elif how == "guess":
        first["predicted"][0] = [0, 0, 0]
    return record


HOW = ("version", "not an object", "no camera", "camera", "axes", "frames", "path", "box", "huge", "predicted", "guess")


@pytest.mark.parametrize("how", HOW)
def test_a_damaged_record(handed_off: tuple[Path, Tasks], save: Callable[..., Path], tmp_path: Path, how: str) -> None:
    record = json.loads((handed_off[0] / "frames.json").read_text())
    save(spoilt(record, how), "frames.json")
    with pytest.raises(DataFileError, match=r"frames\.json"):
        read_tasks(tmp_path)


def test_a_missing_record(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"frames\.json is missing"):
        read_tasks(tmp_path)
