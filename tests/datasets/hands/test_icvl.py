import os
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import torch
from hand_releases import RECORDED, ROTATED, disc, row, save_grey, write_icvl

from seqgcn.datasets.hands import ICVL, CropOptions, icvl
from seqgcn.datasets.hands.camera import ICVL_CAMERA
from seqgcn.datasets.hands.skeleton import ICVL16
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError, SeqGCNWarning

part = pytest.mark.filterwarnings("ignore:.*the complete release has:seqgcn.exceptions.SeqGCNWarning")


@part
def test_training_part(tmp_path: Path) -> None:
    poses = write_icvl(tmp_path)
    dataset = ICVL(str(tmp_path))
    assert dataset.files == [f"Training/Depth/{RECORDED}/image_{i:04d}.png" for i in range(4)]
    assert dataset.sequence_names == (RECORDED,)
    assert dataset.skipped == {"rotated copy": 2}
    assert dataset.skeleton is ICVL16
    assert dataset.cube.tolist() == [250.0] * 4
    for file, joints in zip(dataset.files, dataset.joints, strict=True):
        torch.testing.assert_close(joints, poses[file], rtol=0, atol=2e-3)
    assert dataset.labelled.all()


@part
def test_rotated_copies(tmp_path: Path) -> None:
    poses = write_icvl(tmp_path)
    dataset = ICVL(tmp_path, original_only=False, cube=200)
    assert dataset.sequence_names == (RECORDED, ROTATED)
    assert dataset.sequence.tolist() == [0] * 4 + [1] * 2
    assert (dataset.skipped, dataset.cube[0]) == ({}, 200)
    torch.testing.assert_close(dataset.joints[5], poses[dataset.files[5]], rtol=0, atol=2e-3)


@part
def test_test_part_with_its_odd_line_ends(tmp_path: Path) -> None:
    poses = write_icvl(tmp_path)
    assert (tmp_path / "Testing/test_seq_1.txt").read_bytes().endswith(b" \r\r\n")
    dataset = ICVL(tmp_path, "test")
    assert dataset.sequence_names == ("test_seq_1", "test_seq_2")
    assert dataset.sequence.tolist() == [0, 0, 0, 1, 1]
    for file, joints in zip(dataset.files, dataset.joints, strict=True):
        torch.testing.assert_close(joints, poses[file], rtol=0, atol=2e-3)


@part
def test_both_backgrounds_are_nothing_and_crops_are_made(tmp_path: Path, options: CropOptions) -> None:
    write_icvl(tmp_path)
    dataset = ICVL(tmp_path, options=options)
    for i in (0, 1):
        image = dataset.depth(i)
        assert (image.depth[0, 0], image.left, image.top) == (0, 0, 0)
        assert set(image.depth.unique().tolist()) == {0.0, float(round(float(dataset.joints[i, :, 2].mean())))}
    batch = dataset.prepare().frames.batch(torch.arange(4))
    assert batch.images.shape == (4, 1, 32, 32)
    # The disc is around the mean of the joints, so its center of mass is as well.
    torch.testing.assert_close(batch.centre, dataset.joints.mean(dim=1), rtol=0, atol=2)
    assert (batch.images[:, 0, 16, 16].abs() < 0.05).all()
    assert (batch.images[:, 0, 0, 0] == 1).all()


def test_complete_release_is_read_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_icvl(tmp_path)
    rows = {"Training/labels.txt": 6, "Testing/test_seq_1.txt": 3, "Testing/test_seq_2.txt": 2}
    monkeypatch.setattr(icvl, "ROWS", rows)
    assert len(ICVL(tmp_path, strict=True)) == 4
    assert len(ICVL(tmp_path, "test", strict=True)) == 5


def test_part_of_the_release(tmp_path: Path) -> None:
    write_icvl(tmp_path)
    with pytest.warns(SeqGCNWarning, match=r"labels\.txt: found 6, the complete release has 331,006") as caught:
        ICVL(tmp_path)
    assert caught[0].filename == __file__
    with pytest.raises(DataFileError, match=r"found 6, the complete release has 331,006; .* without strict"):
        ICVL(tmp_path, strict=True)


def test_missing_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poses = write_icvl(tmp_path)
    monkeypatch.setitem(icvl.ROWS, "Training/labels.txt", 6)
    for i in (1, 2):
        (tmp_path / f"Training/Depth/{RECORDED}/image_{i:04d}.png").unlink()
    with pytest.warns(SeqGCNWarning, match=r"2 of 4 labeled frames have no image; the first is .*0001\.png") as caught:
        dataset = ICVL(tmp_path)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert dataset.skipped == {"rotated copy": 2, "missing image": 2}
    assert [file[-8:] for file in dataset.files] == ["0000.png", "0003.png"]
    torch.testing.assert_close(dataset.joints[1], poses[dataset.files[1]], rtol=0, atol=2e-3)
    with pytest.raises(MissingFileError, match=r"the first is .*image_0001\.png.* without strict"):
        ICVL(tmp_path, strict=True)


@part
def test_no_image_at_all(tmp_path: Path) -> None:
    write_icvl(tmp_path)
    (tmp_path / "Training/Depth").rename(tmp_path / "Training/depth")
    with pytest.raises(MissingFileError, match=r"4 of 4 labeled frames have no image; .* Unpack the images there"):
        ICVL(tmp_path)


def test_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"labels\.txt is missing; download the data from https://labicvl"):
        ICVL(tmp_path)
    write_icvl(tmp_path / "icvl")
    with pytest.raises(MissingFileError, match=r"but it lies in .*icvl: give that folder as root"):
        ICVL(tmp_path)
    with pytest.raises(MissingFileError, match=r"but it lies in .*icvl: give that folder as root"):
        ICVL(tmp_path / "icvl" / "Testing", "test")
    (tmp_path / "train.txt").touch()
    (tmp_path / "icvl" / "Training" / "labels.txt").unlink()
    with pytest.raises(MissingFileError, match=r"train\.txt is of another packing; .* has labels\.txt"):
        ICVL(tmp_path)
    with pytest.raises(MissingFileError, match="does not exist"):
        ICVL(tmp_path / "none")


@pytest.mark.parametrize(
    "arguments", [{"split": "valid"}, {"original_only": 1}, {"strict": "no"}, {"cube": 0}, {"cube": float("nan")}]
)
def test_wrong_arguments(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        ICVL(tmp_path, **arguments)


@part
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x/1.png" + " 1" * 42, "line 7 has 42 numbers, expected 48; these are the 14 evaluated joints of NYU"),
        ("x/1.png" + " 1" * 47, "line 7 has 47 numbers, expected 48; it is cut off"),
        ("x/1.png", "line 7 has 0 numbers"),
        ("x/1.png" + " 1" * 47 + " a", "line 7: 'a' is not a coordinate"),
        ("x/1.png" + " 1" * 47 + " nan", "line 7: 'nan' is not a coordinate"),
        ("x/1.png" + " 1" * 47 + " 1e7", "line 7: '1e7' is not a coordinate"),
        (f"{RECORDED}/image_0001.png" + " 1" * 48, f"line 7: {RECORDED}/image_0001.png is in line 2 already"),
        (f"{RECORDED}/../1.png" + " 1" * 48, "line 7: '.*' must be a plain path below the folder"),
        ("/etc/passwd" + " 1" * 48, "line 7: '/etc/passwd' must be a plain path"),
        ("a\\1.png" + " 1" * 48, "line 7: .* must be a plain path"),
        (
            "\n\n" + f"{RECORDED}x/a.png" + " 1 2 0" * 16,
            "line 9: point 0 .* has depth 0, .* not in front of the camera",
        ),
    ],
)
def test_damaged_labels(tmp_path: Path, text: str, message: str) -> None:
    write_icvl(tmp_path)
    labels = tmp_path / "Training/labels.txt"
    labels.write_text(labels.read_text() + text + "\n")
    save_grey(tmp_path / f"Training/Depth/{RECORDED}x/a.png", disc(ICVL_CAMERA, torch.tensor([0.0, 0.0, 400.0])))
    with pytest.raises(DataFileError, match=message) as caught:
        ICVL(tmp_path)
    assert str(labels) in str(caught.value)


@part
def test_frame_in_both_test_files(tmp_path: Path) -> None:
    write_icvl(tmp_path)
    first = (tmp_path / "Testing/test_seq_1.txt").read_text().splitlines()[0]
    with open(tmp_path / "Testing/test_seq_2.txt", "a") as file:
        file.write(first)
    with pytest.raises(DataFileError, match=r"test_seq_2\.txt, line 3: test_seq_1/.* is in an earlier file already"):
        ICVL(tmp_path, "test")


@part
def test_links_may_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "icvl"
    write_icvl(root)
    outside = save_grey(tmp_path / "out" / "image_0000.png", disc(ICVL_CAMERA, torch.tensor([0.0, 0.0, 400.0])))
    frame = root / f"Training/Depth/{RECORDED}/image_0001.png"
    frame.unlink()
    frame.symlink_to(frame.with_name("image_0000.png"))
    assert len(ICVL(root)) == 4
    frame.unlink()
    frame.symlink_to(outside)
    with pytest.raises(DataFileError, match=r"image_0001\.png is a link that leads out of"):
        ICVL(root)
    frame.unlink()
    frame.symlink_to(frame)
    with pytest.warns(SeqGCNWarning, match="1 of 4 labeled frames have no image"):
        ICVL(root)
    rotated = root / f"Training/Depth/{ROTATED}"
    rotated.rename(root / "elsewhere")
    os.symlink(tmp_path / "out", rotated)
    with pytest.raises(DataFileError, match=f"{ROTATED} is a link that leads out of"):
        ICVL(root, original_only=False)


@part
def test_centre_file_is_dropped_with_its_frames(tmp_path: Path, options: CropOptions) -> None:
    write_icvl(tmp_path)
    write_icvl(tmp_path / "all")
    (tmp_path / f"Training/Depth/{RECORDED}/image_0002.png").unlink()
    centres = tmp_path / "centres.txt"
    points = torch.tensor([[float(i), 2.0 * i, 400.0 + i] for i in range(6)])
    lines = [row(point) for point in points]
    lines[1] = "invalid"
    centres.write_text("\n".join(lines) + "\n")
    chosen = replace(options, centre="file", centres=str(centres))
    with pytest.warns(SeqGCNWarning, match="no image"):
        dataset = ICVL(tmp_path, options=chosen)
    assert dataset.skipped == {"rotated copy": 2, "no valid center": 1, "missing image": 1}
    torch.testing.assert_close(dataset.prepare().frames.centre, points[[0, 3]])
    with pytest.warns(SeqGCNWarning, match="no image"):
        everything = ICVL(tmp_path, original_only=False, options=chosen)
    torch.testing.assert_close(everything.prepare().frames.centre, points[[0, 3, 4, 5]])
    centres.write_text("\n".join(lines[:4]))
    with pytest.raises(DataFileError, match=r"has 4 centers, but the labels have 6 rows; .* frames that are left out"):
        ICVL(tmp_path, options=chosen)
    centres.write_text("\n".join([*lines[:5], "1 2 -3"]))
    with pytest.raises(DataFileError, match=r"centres\.txt, line 6: point 0 .* has depth -3"):
        ICVL(tmp_path / "all", original_only=False, options=chosen)
    with pytest.raises(MissingFileError, match=r"the file of centers .* is missing"):
        ICVL(tmp_path, options=replace(chosen, centres="none.txt"))


# every frame, labeled or not


def test_every_frame(tmp_path: Path, options: CropOptions) -> None:
    poses = write_icvl(tmp_path)
    labels = tmp_path / "Training/labels.txt"
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join([lines[2], lines[0]]))
    dataset = ICVL(tmp_path, "all", options=options)
    assert dataset.files == [f"Training/Depth/{RECORDED}/image_{i:04d}.png" for i in range(4)]
    assert (dataset.name, dataset.sequence_names) == ("icvl-all", (RECORDED,))
    assert dataset.skipped == {"rotated copy": 2}
    assert dataset.labelled.tolist() == [True, False, True, False]
    for i in (0, 2):
        torch.testing.assert_close(dataset.joints[i], poses[dataset.files[i]], rtol=0, atol=2e-3)
    assert len(dataset.prepare().frames) == 4
    assert len(ICVL(tmp_path, "all", original_only=False)) == 6


def test_every_frame_with_other_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_icvl(tmp_path / "icvl")
    lines = (tmp_path / "icvl/Training/labels.txt").read_text().splitlines()
    (tmp_path / "icvl/Training/labels.txt").unlink()
    (tmp_path / "mine.txt").write_text(lines[3])
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ICVL("~/icvl", "all", labels="~/mine.txt").labelled.tolist() == [False, False, False, True]
    (tmp_path / "mine.txt").write_text("")
    assert not ICVL(tmp_path / "icvl", "all", labels=tmp_path / "mine.txt").labelled.any()
    with pytest.raises(MissingFileError, match=r"labels\.txt is missing; download the data"):
        ICVL(tmp_path / "icvl", "all")
    with pytest.raises(MissingFileError, match=r"the file of labels .*none\.txt is missing"):
        ICVL(tmp_path / "icvl", "all", labels="none.txt")
    with pytest.raises(ArgumentError, match="labels goes with split='all'"):
        ICVL(tmp_path / "icvl", labels=tmp_path / "mine.txt")
    (tmp_path / "mine.txt").write_text(lines[3] + "\nx/1.png 1 2 3")
    with pytest.raises(DataFileError, match=r"mine\.txt, line 2 has 3 numbers, expected 48"):
        ICVL(tmp_path / "icvl", "all", labels=tmp_path / "mine.txt")


def test_labels_of_frames_that_are_not_there(tmp_path: Path) -> None:
    write_icvl(tmp_path)
    (tmp_path / f"Training/Depth/{RECORDED}/image_0001.png").unlink()
    with pytest.warns(SeqGCNWarning, match=r"1 of 6 labeled frames have no image; the first is .*0001\.png"):
        assert len(ICVL(tmp_path, "all")) == 3
    with pytest.raises(MissingFileError, match=r"image_0001\.png.* without strict"):
        ICVL(tmp_path, "all", strict=True)
    (tmp_path / "Training/Depth").rename(tmp_path / "Training/depth")
    with pytest.raises(MissingFileError, match=r"there is no PNG file below .*Depth; unpack the images there"):
        ICVL(tmp_path, "all")


def test_centre_file_has_a_row_for_every_frame_of_all(tmp_path: Path, options: CropOptions) -> None:
    write_icvl(tmp_path)
    points = torch.tensor([[float(i), 2.0 * i, 400.0 + i] for i in range(6)])
    (tmp_path / "centres.txt").write_text("\n".join(row(point) for point in points))
    chosen = replace(options, centre="file", centres=str(tmp_path / "centres.txt"))
    # In the order of the numbers in their paths: the rotated copies come first.
    torch.testing.assert_close(ICVL(tmp_path, "all", options=chosen).prepare().frames.centre, points[2:])


def test_the_command_line_can_read_the_type_hints() -> None:
    assert get_type_hints(ICVL.__init__)["options"] == CropOptions | None
