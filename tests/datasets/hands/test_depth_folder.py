from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hand_releases import FOLDER_CAMERA, JOINTS, SETUP, disc, row, save_grey, write_folder

from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError, SeqGCNWarning


def test_everything(tmp_path: Path) -> None:
    poses = write_folder(tmp_path / "my lab", {".": 1, "seq10": 1, "seq2": 11})
    dataset = DepthFolder(tmp_path / "my lab", "all")
    assert dataset.name == "my-lab-all"
    assert dataset.files == ["1.png", *(f"seq2/{i}.png" for i in range(1, 12)), "seq10/1.png"]
    assert dataset.sequence_names == (".", "seq2", "seq10")
    assert dataset.camera == FOLDER_CAMERA
    assert dataset.skeleton.joints == JOINTS
    assert dataset.skeleton.bones == ((0, 1), (0, 2))
    assert (dataset.cube[0], dataset.mirror, dataset.skipped) == (250, False, {})
    for file, joints in zip(dataset.files, dataset.joints, strict=True):
        torch.testing.assert_close(joints, poses[file], rtol=0, atol=1e-3)


def test_crops_depth_scale_and_left_hands(tmp_path: Path, options: CropOptions) -> None:
    poses = write_folder(tmp_path, {"a": 2})
    (tmp_path / "camera.yaml").write_text(SETUP + "hand: left\n")
    dataset = DepthFolder(tmp_path, "all", options=options, cube=200).prepare()
    assert dataset.mirror
    assert dataset.cube.tolist() == [200, 200]
    expected = torch.stack([poses[file].mean(dim=0) for file in dataset.files])
    torch.testing.assert_close(dataset.frames.centre, expected, rtol=0, atol=3)
    batch = dataset.frames.batch(torch.arange(2))
    torch.testing.assert_close(batch.centre[:, 0], -dataset.frames.centre[:, 0])


def test_frames_without_labels(tmp_path: Path) -> None:
    poses = write_folder(tmp_path, {"a": 10}, labelled=("a/2.png", "a/9.png"))
    everything = DepthFolder(tmp_path, "all")
    assert everything.labelled.nonzero().flatten().tolist() == [1, 8]
    assert everything.joints.isnan().flatten(1).any(dim=1).sum() == 8
    train, test = DepthFolder(tmp_path), DepthFolder(tmp_path, "test")
    assert (train.files, test.files) == (["a/2.png"], ["a/9.png"])
    assert (train.skipped, test.skipped) == ({"not labeled": 7}, {"not labeled": 1})
    torch.testing.assert_close(test.joints[0], poses["a/9.png"], rtol=0, atol=1e-3)
    # A row without numbers is a frame that is not labeled yet.
    with open(tmp_path / "labels.csv", "a") as file:
        file.write("a/3.png" + "," * 9 + "\r\n\r\n")
    assert DepthFolder(tmp_path).files == ["a/2.png"]
    (tmp_path / "labels.csv").unlink()
    assert not DepthFolder(tmp_path, "all").labelled.any()
    with pytest.raises(DataFileError, match=r"no frame of the train part is labeled .* 8 of sequence a; label some"):
        DepthFolder(tmp_path)


@pytest.mark.parametrize("empty", ["", "nan", " NaN "])
def test_joints_without_labels(tmp_path: Path, empty: str) -> None:
    poses = write_folder(tmp_path, {"a": 4}, labelled=("a/1.png", "a/2.png"))
    lines = (tmp_path / "labels.csv").read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([cells[0], *[empty] * 3, *cells[4:]])
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    dataset = DepthFolder(tmp_path, "all")
    assert dataset.labelled.tolist() == [True, True, False, False]
    assert dataset.joints.isnan().all(dim=2).sum(dim=1).tolist() == [1, 0, 3, 3]
    torch.testing.assert_close(dataset.joints[0, 1:], poses["a/1.png"][1:], rtol=0, atol=1e-3)
    # Projected, they stay unknown.
    assert dataset.camera.to_image(dataset.joints[0]).isnan().all(dim=1).tolist() == [True, False, False]


def test_other_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poses = write_folder(tmp_path / "lab", {"a": 4})
    lines = (tmp_path / "lab/labels.csv").read_text().splitlines()
    mine = tmp_path / "mine.csv"
    mine.write_text("\n".join([lines[0], lines[3]]))
    monkeypatch.setenv("HOME", str(tmp_path))
    everything = DepthFolder("~/lab", "all", labels="~/mine.csv")
    assert everything.labelled.tolist() == [False, False, True, False]
    torch.testing.assert_close(everything.joints[2], poses["a/3.png"], rtol=0, atol=1e-3)
    for nothing_yet in ("", lines[0]):
        mine.write_text(nothing_yet)
        assert not DepthFolder(tmp_path / "lab", "all", labels=mine).labelled.any()
    mine.write_text(lines[0] + "\na/1.png,1,2\n")
    with pytest.raises(DataFileError, match=r"mine\.csv, line 2 has 3 cells, the header 10"):
        DepthFolder(tmp_path / "lab", "all", labels=mine)
    with pytest.raises(MissingFileError, match=r"the file of labels .*none\.csv is missing"):
        DepthFolder(tmp_path / "lab", "all", labels=tmp_path / "none.csv")
    (tmp_path / "lab/labels.csv").unlink()
    (tmp_path / "lab/labels.csv").mkdir()
    with pytest.raises(MissingFileError, match=r"labels\.csv is missing or not a regular file"):
        DepthFolder(tmp_path / "lab", "all")


def test_parts_do_not_depend_on_labels(tmp_path: Path) -> None:
    sequences = {"a": 6, "b": 3, "c": 2, "d": 9}
    write_folder(tmp_path, sequences)
    train, test = DepthFolder(tmp_path), DepthFolder(tmp_path, "test")
    assert set(train.sequence_names) | set(test.sequence_names) == set(sequences)
    assert not set(train.sequence_names) & set(test.sequence_names)
    assert 1 <= len(test) <= 4
    labelled = (train.files[0], test.files[0])
    write_folder(tmp_path, sequences, labelled=labelled)
    assert (DepthFolder(tmp_path).files, DepthFolder(tmp_path, "test").files) == ([labelled[0]], [labelled[1]])


@pytest.mark.parametrize(
    ("sequences", "fraction", "expected"),
    [({"a": 5, "b": 3}, 0.1, ["b"]), ({"a": 1, "b": 1}, 0.99, None), ({"a": 10}, 0.01, ["a"])],
)
def test_both_parts_have_frames(
    tmp_path: Path, sequences: dict[str, int], fraction: float, expected: list[str] | None
) -> None:
    write_folder(tmp_path, sequences)
    test = DepthFolder(tmp_path, "test", test_fraction=fraction)
    assert expected is None or list(test.sequence_names) == expected
    train = DepthFolder(tmp_path, test_fraction=fraction)
    assert len(train) + len(test) == sum(sequences.values())


def test_one_frame_cannot_be_parted(tmp_path: Path) -> None:
    write_folder(tmp_path, {".": 1})
    assert len(DepthFolder(tmp_path, "all")) == 1
    with pytest.raises(DataFileError, match="one frame, too few for two parts; take DepthFolder"):
        DepthFolder(tmp_path)


def test_labels_of_frames_that_are_not_there(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 3})
    (tmp_path / "a/2.png").unlink()
    with pytest.warns(SeqGCNWarning, match=r"1 of 3 labeled frames have no image; the first is .*a/2\.png"):
        assert len(DepthFolder(tmp_path, "all")) == 2
    with pytest.raises(MissingFileError, match=r"the first is .*a/2\.png"):
        DepthFolder(tmp_path, "all", strict=True)
    (tmp_path / "a").rename(tmp_path / "b")
    with pytest.raises(MissingFileError, match="3 of 3 labeled frames have no image"):
        DepthFolder(tmp_path, "all")


def test_columns_in_another_order_and_a_byte_order_mark(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 2})
    header = ",".join(f"{joint} {axis}" for joint in reversed(JOINTS) for axis in "zyx")
    (tmp_path / "labels.csv").write_text(f"\ufeffframe, {header}\r\na/1.png,9,8,7,6,5,4,3,2,1\r\n", encoding="utf-8")
    dataset = DepthFolder(tmp_path, "all")
    assert dataset.joints[0].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert dataset.labelled.tolist() == [True, False]


def test_centre_file_has_a_row_for_every_frame(tmp_path: Path, options: CropOptions) -> None:
    write_folder(tmp_path, {"a": 5}, labelled=("a/2.png", "a/5.png"))
    centres = tmp_path / "centres.txt"
    centres.write_text("\n".join(row(torch.tensor([0.0, i, 400.0])) for i in range(1, 6)))
    chosen = replace(options, centre="file", centres=str(centres))
    assert DepthFolder(tmp_path, options=chosen).prepare().frames.centre.tolist() == [[0, 2, 400]]
    assert DepthFolder(tmp_path, "test", options=chosen).prepare().frames.centre.tolist() == [[0, 5, 400]]
    assert len(DepthFolder(tmp_path, "all", options=chosen).prepare().frames) == 5


HEADER = "frame," + ",".join(f"{joint} {axis}" for joint in JOINTS for axis in "xyz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n", "line 1 must be frame,palm x,palm y,palm z and so on .* does not start with frame"),
        (HEADER.replace(",", ";"), "separated by commas; it does not start with frame"),
        (HEADER.replace(",palm y", ""), "line 1 .* it lacks palm y"),
        (HEADER + ",wrist x", "line 1 .* wrist x is too much"),
        (HEADER + ",palm x", "line 1 .* a column is too much"),
        (HEADER + "\na/1.png,1,2,3", "line 2 has 4 cells, the header 10"),
        (
            HEADER + "\na/1.png,1,2,3,1,2,,1,2,3",
            "line 2: thumb tip has no number for z; fill in x, y and z of a joint or none",
        ),
        (HEADER + "\na/1.png,1,2,3,1,2,-3,1,2,3", "line 2: thumb tip has z = -3 mm, which is not in front"),
        (HEADER + "\na/1.png,1,2,3,1,2,0,1,2,3", "line 2: thumb tip has z = 0 mm"),
        (HEADER + "\n\na/1.png,1,2,3,1,inf,3,1,2,3", "line 3: 'inf' is not a coordinate"),
        (HEADER + "\n" + "a/1.png,1,2,3,1,2,3,1,2,3\n" * 2, r"line 3: a/1\.png is in line 2 already"),
        (HEADER + "\n../1.png,1,2,3,1,2,3,1,2,3", "line 2: .* must be a plain path"),
        (HEADER + "\n/a/1.png,1,2,3,1,2,3,1,2,3", "line 2: .* must be a plain path"),
        (HEADER + "\n\xff\xfe", "not a CSV file in UTF-8"),
        (HEADER + "\n" + "a" * 200_000, "not a CSV file in UTF-8"),
    ],
)
def test_damaged_labels(tmp_path: Path, text: str, message: str) -> None:
    write_folder(tmp_path, {"a": 2})
    (tmp_path / "labels.csv").write_text(text, encoding="latin1", newline="")
    with pytest.raises(DataFileError, match=message):
        DepthFolder(tmp_path, "all")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fx: 200.0", "", "lacks fx; needed are fx, fy, cx, cy, joints"),
        ("fx: 200.0", "fx: 0", r"fx must be a number in \[1"),
        ("cx: 80", "cx: left", "cx must be a number"),
        ("cx: 80", "cx: .nan", "cx must be a number"),
        ("depth_scale: 0.5", "depth_scale: true", "depth_scale must be a number"),
        ("depth_scale: 0.5", "scale: 0.5", "has the unknown key scale"),
        ("cube: 250", "", "has no cube; add it .* or set dataset.cube"),
        ("cube: 250", "hand: both", "hand must be one of 'right', 'left'"),
        ("[palm, thumb tip, index tip]", "[palm, no, index tip]", "joints must be a list of names; .* quotes"),
        ("[palm, thumb tip, index tip]", "palm", "joints must be a list of names"),
        (
            "[palm, thumb tip, index tip]",
            "[palm, thumb tip, palm, x]",
            "joints must be at least one name and none twice",
        ),
        ("[[palm, thumb tip], [0, 2]]", "[[palm, pinky]]", "bones: 'pinky' is neither a name in joints nor"),
        ("[[palm, thumb tip], [0, 2]]", "[[palm]]", "bones must be a list of pairs"),
        ("[[palm, thumb tip], [0, 2]]", "[[0, 3]]", r"bone \(0, 3\) must name two of the joints 0 to 2"),
        (SETUP, "- 1", "must hold lines of KEY: VALUE"),
        (SETUP, "a: [", "cannot be read as YAML"),
        (SETUP, "a: 2001-99-99", "cannot be read as YAML"),
        (SETUP, "[" * 5000, "cannot be read as YAML"),
        (SETUP, "#" * 1_100_000, "cannot be read as YAML: it is too large"),
    ],
)
def test_damaged_setup(tmp_path: Path, old: str, new: str, message: str) -> None:
    write_folder(tmp_path, {"a": 2})
    assert old in SETUP
    (tmp_path / "camera.yaml").write_text(SETUP.replace(old, new))
    with pytest.raises(DataFileError, match=message) as caught:
        DepthFolder(tmp_path)
    assert "camera.yaml" in str(caught.value)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"camera\.yaml is missing; expected FOLDER/camera\.yaml and 16-bit PNG"):
        DepthFolder(tmp_path)
    (tmp_path / "camera.yaml").write_text(SETUP)
    with pytest.raises(DataFileError, match="has no PNG file"):
        DepthFolder(tmp_path)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataFileError, match=r"a\.png does not start like a PNG"):
        DepthFolder(tmp_path, "all")


def test_links_and_hidden_files(tmp_path: Path) -> None:
    root = tmp_path / "lab"
    write_folder(root, {"a": 3})
    save_grey(root / ".trash" / "1.png", disc(FOLDER_CAMERA, torch.tensor([0.0, 0.0, 400.0])))
    (root / "a" / "again.png").symlink_to(root / "a" / "1.png")
    assert DepthFolder(root, "all").files == ["a/1.png", "a/2.png", "a/3.png", "a/again.png"]
    (tmp_path / "out").mkdir()
    (root / "b").symlink_to(tmp_path / "out")
    with pytest.raises(DataFileError, match="b is a link that leads out of"):
        DepthFolder(root, "all")


def test_frames_of_another_size(tmp_path: Path, options: CropOptions) -> None:
    write_folder(tmp_path, {"a": 2})
    small = replace(FOLDER_CAMERA, width=100)
    save_grey(tmp_path / "a" / "2.png", disc(small, torch.tensor([0.0, 0.0, 400.0])))
    with pytest.raises(DataFileError, match=r"a/2\.png has 100 x 120 pixels, the camera 160 x 120"):
        DepthFolder(tmp_path, "all", options=options).prepare()


@pytest.mark.parametrize("arguments", [{"split": "valid"}, {"test_fraction": 1.5}, {"cube": 0}, {"strict": 0}])
def test_wrong_arguments(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        DepthFolder(tmp_path, **arguments)


@pytest.mark.parametrize(
    "text",
    [
        "fx: [&a [1, 1], *a]",
        "fx: 0x" + "f" * 5000,
        "bones: [" + "[0, 1], " * 20_000 + "]",
    ],
)
def test_a_setup_that_would_grow_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "camera.yaml").write_text(f"fy: 200\ncx: 1\ncy: 1\njoints: [a, b]\ncube: 250\n{text}\n")
    with pytest.raises(DataFileError, match=r"camera\.yaml"):
        DepthFolder(tmp_path)


def test_a_frame_that_cannot_be_read_costs_itself(tmp_path: Path, options: CropOptions) -> None:
    poses = write_folder(tmp_path, {"a": 11, "b": 10})
    (tmp_path / "a/1.png").write_bytes((tmp_path / "a/1.png").read_bytes()[:60])
    (tmp_path / "b/3.png").write_bytes(b"no picture")
    for _ in range(2):  # from the files, and from the cache
        dataset = DepthFolder(tmp_path, "all", options=options)
        with pytest.warns(
            SeqGCNWarning, match=r"2 of 21 frames cannot be read and .*a/1\.png, b/3\.png; the first: .*a/1"
        ):
            dataset.prepare()
        assert dataset.skipped == {"unreadable": 2}
        assert dataset.files == [file for file in poses if file not in ("a/1.png", "b/3.png")]
        assert len(dataset.frames) == len(dataset) == 19
        expected = torch.stack([poses[file].mean(dim=0) for file in dataset.files])
        torch.testing.assert_close(dataset.frames.centre, expected, rtol=0, atol=3)
    with pytest.raises(DataFileError, match=r"a/1\.png"):
        DepthFolder(tmp_path, "all", strict=True, options=options).prepare()


def test_too_many_frames_that_cannot_be_read_end_it(tmp_path: Path, options: CropOptions) -> None:
    write_folder(tmp_path, {"a": 11})
    for name in ("a/2.png", "a/9.png"):
        (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(
        DataFileError, match=r"2 of 11 frames cannot be read, more than a tenth: a/2\.png, a/9\.png; .*PNG"
    ):
        DepthFolder(tmp_path, "all", options=options).prepare()


def test_unreadable_and_empty_frames_together(tmp_path: Path, options: CropOptions) -> None:
    poses = write_folder(tmp_path, {"a": 30})
    (tmp_path / "a/4.png").write_bytes(b"no picture")
    save_grey(tmp_path / "a/2.png", disc(FOLDER_CAMERA, torch.tensor([0.0, 0.0, 400.0])) * 0)
    dataset = DepthFolder(tmp_path, "all", options=replace(options, skip_empty=True))
    with pytest.warns(SeqGCNWarning):
        dataset.prepare()
    assert dataset.skipped == {"unreadable": 1, "no depth inside the cube": 1}
    assert dataset.files == [file for file in poses if file not in ("a/4.png", "a/2.png")]
    assert len(dataset.frames) == 28
    assert dataset.fingerprint


def test_labels_with_another_separator(tmp_path: Path) -> None:
    poses = write_folder(tmp_path, {"a": 2})
    labels = tmp_path / "labels.csv"
    labels.write_text(labels.read_text().replace("a/", "a\\"))
    torch.testing.assert_close(DepthFolder(tmp_path, "all").joints[1], poses["a/2.png"], rtol=0, atol=1e-3)
    labels.write_text(labels.read_text() + "a/1.png" + ",1" * 9 + "\n")
    with pytest.raises(DataFileError, match=r"line 4: a/1\.png is in line 2 already"):
        DepthFolder(tmp_path, "all")
