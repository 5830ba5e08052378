import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hand_releases import row, write_msra

from seqgcn.datasets.hands import MSRA, CropOptions, msra
from seqgcn.datasets.hands.skeleton import MSRA21
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError, SeqGCNWarning

part = pytest.mark.filterwarnings("ignore:.*the complete release has:seqgcn.exceptions.SeqGCNWarning")


@part
def test_leave_one_subject_out(tmp_path: Path) -> None:
    poses = write_msra(tmp_path, {"P0/1": 2, "P0/TIP": 1, "P1/I": 1, "P8/Y": 2})
    (tmp_path / "P8" / "notes").mkdir()
    test = MSRA(tmp_path, "test")
    assert test.files == ["P0/1/000000_depth.bin", "P0/1/000001_depth.bin", "P0/TIP/000000_depth.bin"]
    assert test.sequence_names == ("P0/1", "P0/TIP")
    assert test.cube.tolist() == [200] * 3
    assert test.skeleton is MSRA21
    torch.testing.assert_close(test.joints, torch.cat([poses["P0/1"], poses["P0/TIP"]]), rtol=0, atol=1e-3)
    # y up and z negative in the file.
    first = [float(word) for word in (tmp_path / "P0/1/joint.txt").read_text().split()[1:4]]
    torch.testing.assert_close(torch.tensor(first) * torch.tensor([1, -1, -1]), test.joints[0, 0], rtol=0, atol=1e-3)
    train = MSRA(tmp_path, "train")
    assert train.sequence_names == ("P1/I", "P8/Y")
    assert train.cube.tolist() == [200, 150, 150]
    assert MSRA(tmp_path, "train", test_subject=8).sequence_names == ("P0/1", "P0/TIP", "P1/I")
    torch.testing.assert_close(MSRA(tmp_path, "test", test_subject=8).joints, poses["P8/Y"], rtol=0, atol=1e-3)


@part
def test_crops(tmp_path: Path, options: CropOptions) -> None:
    write_msra(tmp_path, {"P3/5": 3})
    dataset = MSRA(tmp_path, "test", test_subject=3, options=options).prepare()
    image = dataset.depth(0)
    assert image.depth.shape[0] < 240
    assert image.left > 0
    assert image.top > 0
    torch.testing.assert_close(dataset.frames.centre, dataset.joints.mean(dim=1), rtol=0, atol=2)
    assert dataset.frames.cube.tolist() == [180] * 3


@part
def test_rows_are_joined_by_file_name(tmp_path: Path) -> None:
    poses = write_msra(tmp_path, {"P0/1": 5, "P0/2": 2})["P0/1"]
    for number in (0, 2):
        (tmp_path / f"P0/1/{number:06d}_depth.bin").unlink()
    with pytest.warns(SeqGCNWarning, match=r"2 of 7 labeled frames have no image; the first is .*P0/1/000000") as seen:
        dataset = MSRA(tmp_path, "test")
    assert len([w for w in seen if "no image" in str(w.message)]) == 1
    torch.testing.assert_close(dataset.joints[:3], poses[[1, 3, 4]], rtol=0, atol=1e-3)
    assert dataset.skipped == {"missing image": 2}


@part
def test_frames_and_rows_of_different_releases(tmp_path: Path) -> None:
    write_msra(tmp_path, {"P2/MP": 4})
    labels = tmp_path / "P2/MP/joint.txt"
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join(["3", *lines[2:]]))
    with pytest.raises(DataFileError, match=r"3 rows, but the frames beside it go up to 3: they are of different"):
        MSRA(tmp_path, "test", test_subject=2)


@part
def test_empty_frames_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum(len(numbers) for numbers in msra.EMPTY.values()) == 22
    monkeypatch.setitem(msra.EMPTY, "P8/4", (1, 2))
    write_msra(tmp_path, {"P8/4": 4})
    # Nothing can be said of the labels and files of frames without a hand.
    labels = tmp_path / "P8/4/joint.txt"
    lines = labels.read_text().splitlines()
    lines[2] = " ".join(["0"] * 63)
    labels.write_text("\n".join(lines))
    (tmp_path / "P8/4/000002_depth.bin").unlink()
    dataset = MSRA(tmp_path, "test", test_subject=8)
    assert [file[5:11] for file in dataset.files] == ["000000", "000003"]
    assert dataset.skipped == {"known to be empty": 2}


def test_counts_of_both_releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum(counts[0] for counts in msra.ROWS) == 76_375
    assert sum(counts[-1] for counts in msra.ROWS) == 76_391
    write_msra(tmp_path, {"P2/1": 2, "P2/2": 1})
    with pytest.warns(SeqGCNWarning, match=r"labels of P2 .*: found 3, the complete release has 8,412 or 8,428"):
        MSRA(tmp_path, "test", test_subject=2)
    with pytest.raises(DataFileError, match="found 3, the complete release has 8,412 or 8,428"):
        MSRA(tmp_path, "test", test_subject=2, strict=True)
    monkeypatch.setattr(msra, "ROWS", ((1,), (1,), (2, 3), *msra.ROWS[3:]))
    assert len(MSRA(tmp_path, "test", test_subject=2, strict=True)) == 3


def test_missing_subjects(tmp_path: Path) -> None:
    root = tmp_path / "cvpr15_MSRAHandGestureDB"
    write_msra(root, {"P1/1": 1})
    with pytest.raises(MissingFileError, match=r"P0/1/joint\.txt is missing; download the data from the authors"):
        MSRA(root, "test")
    with pytest.raises(MissingFileError, match=r"but it lies in .*GestureDB: give that folder as root"):
        MSRA(tmp_path, "test", test_subject=1)
    with pytest.warns(SeqGCNWarning, match=r"labels of P1, P2, P3, .* P8 below") as caught:
        assert len(MSRA(root)) == 1
    assert len(caught) == 1
    assert caught[0].filename == __file__
    (root / "P1/1/joint.txt").unlink()
    with pytest.raises(MissingFileError, match=r"joint\.txt is missing"):
        MSRA(root)


@part
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], r"must say 2 in its first line, .* but says '3'; it is cut off"),
        (lambda lines: lines[1:], "must say 2 in its first line"),
        (lambda lines: [], "must say 0 in its first line, .* says nothing"),
        (lambda lines: [*lines[:2], lines[2] + " 1", lines[3]], "line 3 has 64 numbers, expected 63; it is cut off"),
        (lambda lines: [*lines[:2], " ".join(lines[2].split()[:48]), lines[3]], "line 3 has 48 .* joints of ICVL"),
        (lambda lines: [*lines[:3], lines[3].replace("-", "")], r"line 4: point 0 .* has depth \d+.* other axes"),
        (lambda lines: [*lines[:3], "x " + lines[3].split(None, 1)[1]], "line 4: 'x' is not a coordinate"),
    ],
)
def test_damaged_labels(tmp_path: Path, change: Any, message: str) -> None:
    write_msra(tmp_path, {"P0/1": 3})
    labels = tmp_path / "P0/1/joint.txt"
    labels.write_text("\n".join(change(labels.read_text().splitlines())))
    with pytest.raises(DataFileError, match=message) as caught:
        MSRA(tmp_path, "test")
    assert str(labels) in str(caught.value)


@part
def test_centre_file_is_dropped_with_its_frames(tmp_path: Path, options: CropOptions) -> None:
    write_msra(tmp_path, {"P0/1": 2, "P1/1": 2, "P1/Y": 2})
    (tmp_path / "P1/1/000001_depth.bin").unlink()
    centres = tmp_path / "centres.txt"
    centres.write_text("\n".join(row(torch.tensor([i, 2.0 * i, -400.0 - i])) for i in range(4)))
    with pytest.warns(SeqGCNWarning, match="1 of 4"):
        dataset = MSRA(tmp_path, options=replace(options, centre="file", centres=str(centres))).prepare()
    assert dataset.frames.centre.tolist() == [[0, 0, 400], [2, -4, 402], [3, -6, 403]]


@pytest.mark.parametrize("subject", [9, -1, 1.5, True])
def test_wrong_subject(tmp_path: Path, subject: Any) -> None:
    with pytest.raises(ArgumentError, match="test_subject must be"):
        MSRA(tmp_path, test_subject=subject)


@part
def test_links_may_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    write_msra(tmp_path / "msra", {"P0/1": 1})
    shutil.move(tmp_path / "msra" / "P0", tmp_path / "P0")
    (tmp_path / "msra" / "P0").symlink_to(tmp_path / "P0")
    with pytest.raises(DataFileError, match=r"P0/1 is a link that leads out of"):
        MSRA(tmp_path / "msra", "test")
