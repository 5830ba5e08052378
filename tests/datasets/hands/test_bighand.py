from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hand_releases import row, write_bighand

from seqgcn.datasets.hands import BigHand, CropOptions, bighand
from seqgcn.datasets.hands.skeleton import BIGHAND21, BIGHAND_FINGER_MAJOR
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError, SeqGCNWarning

part = pytest.mark.filterwarnings("ignore:.*the complete release has:seqgcn.exceptions.SeqGCNWarning")


@part
@pytest.mark.parametrize("labels", [bighand.HANDS17, bighand.HANDS19])
@pytest.mark.parametrize("images", ["images", "training_images", "."])
def test_layouts_of_both_releases(tmp_path: Path, labels: str, images: str) -> None:
    poses = write_bighand(tmp_path, 10, labels=labels, images=images)
    train, test = BigHand(tmp_path), BigHand(tmp_path, "test")
    assert test.files == [f"{images}/image_D00000010.png".removeprefix("./")]
    assert len(train) == 9
    assert train.sequence_names == ("block 0",)
    assert train.skeleton is BIGHAND21
    torch.testing.assert_close(torch.cat([train.joints, test.joints]), poses, rtol=0, atol=1e-3)
    names = [BIGHAND21.joints[joint] for joint in BIGHAND_FINGER_MAJOR]
    assert names[:6] == ["wrist", "thumb mcp", "thumb pip", "thumb dip", "thumb tip", "index mcp"]


@part
def test_crops(tmp_path: Path, options: CropOptions) -> None:
    poses = write_bighand(tmp_path, 4)
    dataset = BigHand(tmp_path, options=options).prepare()
    torch.testing.assert_close(dataset.frames.centre[0], poses[0].mean(dim=0), rtol=0, atol=2)
    assert dataset.frames.cube.tolist() == [300] * 3


@part
def test_the_ends_of_ten_blocks_are_held_out(tmp_path: Path) -> None:
    write_bighand(tmp_path, 1005)
    train, test = BigHand(tmp_path, test_fraction=0.2), BigHand(tmp_path, "test", test_fraction=0.2)
    assert train.sequence_names == test.sequence_names == tuple(f"block {i}" for i in range(10))
    assert test.sequence.bincount().tolist() == [20] * 10
    assert (len(train), len(set(train.files) | set(test.files))) == (805, 1005)
    numbers = torch.tensor([int(file[-12:-4]) for file in test.files])
    # Each block's test frames are in one piece.
    assert ((numbers[1:] - numbers[:-1]) > 1).sum() == 9
    assert train.skipped == {}


@part
def test_missing_images_do_not_move_the_cut(tmp_path: Path, options: CropOptions) -> None:
    poses = write_bighand(tmp_path, 20)
    (tmp_path / "images" / "image_D00000019.png").unlink()
    centres = tmp_path / "centres.txt"
    centres.write_text("\n".join(row(torch.tensor([0.0, i, 400.0])) for i in range(20)))
    with pytest.warns(SeqGCNWarning, match="1 of 2 labeled frames have no image"):
        test = BigHand(tmp_path, "test", options=replace(options, centre="file", centres=str(centres)))
    torch.testing.assert_close(test.joints, poses[19:], rtol=0, atol=1e-3)
    assert test.prepare().frames.centre.tolist() == [[0, 19, 400]]
    with pytest.raises(DataFileError, match="found 20, the complete release has"):
        BigHand(tmp_path, "test", strict=True)


def test_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bighand(tmp_path, 10)
    with pytest.warns(SeqGCNWarning, match="found 10, the complete release has 957,032"):
        BigHand(tmp_path)
    monkeypatch.setitem(bighand.ROWS, bighand.HANDS17, 10)
    assert len(BigHand(tmp_path, strict=True)) == 9
    write_bighand(tmp_path, 10, labels=bighand.HANDS19)
    with pytest.raises(DataFileError, match="found 10, the complete release has 175,951"):
        BigHand(tmp_path, strict=True)


def test_no_labels(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"Training_Annotation\.txt is missing; so is training_joint_annotation"):
        BigHand(tmp_path)


@pytest.mark.parametrize("images", ["images", "."])
def test_every_frame(tmp_path: Path, images: str, options: CropOptions) -> None:
    poses = write_bighand(tmp_path, 4, images=images)
    labels = tmp_path / bighand.HANDS17
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join([lines[3], lines[1]]) + "\n")
    dataset = BigHand(tmp_path, "all", options=options)
    assert dataset.files == [f"{images}/image_D{i:08d}.png".removeprefix("./") for i in range(1, 5)]
    assert (dataset.name, dataset.sequence_names) == ("bighand-all", (".",))
    assert dataset.labelled.tolist() == [False, True, False, True]
    torch.testing.assert_close(dataset.joints[[1, 3]], poses[[1, 3]], rtol=0, atol=1e-3)
    assert len(dataset.prepare().frames) == 4


def test_every_frame_in_folders_with_other_labels(tmp_path: Path) -> None:
    write_bighand(tmp_path, 4)
    lines = (tmp_path / bighand.HANDS17).read_text().splitlines()
    (tmp_path / bighand.HANDS17).unlink()
    (tmp_path / "images" / "b").mkdir()
    (tmp_path / "images" / "image_D00000003.png").rename(tmp_path / "images" / "b" / "1.png")
    mine = tmp_path / "mine.txt"
    mine.write_text("b/1.png\t" + lines[2].partition("\t")[2])
    dataset = BigHand(tmp_path, "all", labels=mine)
    assert dataset.sequence_names == (".", "b")
    assert [dataset.files[i] for i in dataset.labelled.nonzero().flatten().tolist()] == ["images/b/1.png"]
    mine.write_text("")
    assert not BigHand(tmp_path, "all", labels=mine).labelled.any()
    with pytest.raises(MissingFileError, match=r"Training_Annotation\.txt is missing"):
        BigHand(tmp_path, "all")
    with pytest.raises(MissingFileError, match=r"the file of labels .*none\.txt is missing"):
        BigHand(tmp_path, "all", labels=tmp_path / "none.txt")
    with pytest.raises(ArgumentError, match="labels goes with split='all'"):
        BigHand(tmp_path, "test", labels=mine)
    mine.write_text(lines[0] + "\nx.png\t1\n")
    with pytest.raises(DataFileError, match=r"mine\.txt, line 2 has 1 numbers, expected 63"):
        BigHand(tmp_path, "all", labels=mine)


@part
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.png\t" + "\t".join(["1"] * 48), "line 4 has 48 numbers, expected 63; these are the 16 joints of ICVL"),
        ("a.png\t" + "\t".join(["1"] * 62) + "\t-1", "line 4: point 20 .* has depth -1"),
        ("../a.png\t" + "\t".join(["1"] * 63), "line 4: .* plain path"),
        ("image_D00000001.png\t" + "\t".join(["1"] * 63), r"line 4: image_D00000001\.png is in line 1 already"),
    ],
)
def test_damaged_labels(tmp_path: Path, text: str, message: str) -> None:
    write_bighand(tmp_path, 3)
    labels = tmp_path / bighand.HANDS17
    labels.write_text(labels.read_text() + text)
    (tmp_path / "images" / "a.png").touch()
    with pytest.raises(DataFileError, match=message):
        BigHand(tmp_path, "test")


@pytest.mark.parametrize(
    "arguments", [{"split": "valid"}, {"test_fraction": 0}, {"test_fraction": 1}, {"cube": 0}, {"strict": None}]
)
def test_wrong_arguments(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        BigHand(tmp_path, **arguments)
