import os
from pathlib import Path

import numpy as np
import pytest
import torch

from seqgcn.datasets.hands.camera import ICVL_CAMERA
from seqgcn.datasets.hands.listing import given_labels, join_labels, list_frames, poses_of
from seqgcn.datasets.hands.text_rows import read_rows
from seqgcn.exceptions import DataFileError, MissingFileError, SeqGCNWarning


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_frames_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = ["2.png", "10.PNG", "seq2/1.png", "seq10/b/3.png", "seq10/20.png", "seq10/7.png"]
    touch(tmp_path, *reversed(names), "notes.txt", ".hidden/1.png", "seq2/.1.png", "seq2/preview.jpg")
    (tmp_path / "folder.png").mkdir()
    frames = list_frames(tmp_path)
    assert frames == ["2.png", "10.PNG", "seq2/1.png", "seq10/7.png", "seq10/20.png", "seq10/b/3.png"]
    (tmp_path / "none").mkdir()
    assert list_frames(tmp_path / "none") == []


def test_links(tmp_path: Path) -> None:
    root = touch(tmp_path / "lab", "a/1.png")
    touch(tmp_path, "out/1.png")
    (root / "a" / "2.png").symlink_to("1.png")
    (root / "a" / "loop").symlink_to("..")  # a folder that is linked is listed where it lies
    assert list_frames(root) == ["a/1.png", "a/2.png"]
    (root / "b").symlink_to(tmp_path / "out")
    with pytest.raises(DataFileError, match="b is a link that leads out of"):
        list_frames(root)


def test_what_cannot_be_listed(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="nowhere cannot be read: No such file"):
        list_frames(tmp_path / "nowhere")
    touch(tmp_path, "a\\b.png")
    with pytest.raises(DataFileError, match="must be a plain path below the folder"):
        list_frames(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX alone")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff.png", "wb"):
        pass
    with pytest.raises(DataFileError, match=r"xff\.png': the name is not UTF-8; rename it"):
        list_frames(tmp_path)


def test_labels_are_joined_by_path(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("a/2.png 1 2 3\na/9.png 4 5 6\na/1.png 7 8 9\n")
    rows = read_rows(path, 3)
    frames = ["a/1.png", "a/2.png", "a/3.png"]
    with pytest.warns(SeqGCNWarning, match=r"1 of 3 labeled frames have no image; the first is .*top/a/9\.png"):
        row = join_labels("lab", tmp_path / "top", frames, rows, False)
    assert (row.tolist(), row.dtype) == ([2, 0, -1], np.int64)
    poses = poses_of([rows], row)
    assert poses[:2].tolist() == [[[7, 8, 9]], [[1, 2, 3]]]
    assert poses[2].isnan().all()
    with pytest.raises(MissingFileError, match=r"a/9\.png\. Get it again"):
        join_labels("lab", tmp_path, frames, rows, True)
    with pytest.raises(MissingFileError, match="3 of 3 labeled frames have no image"):
        join_labels("lab", tmp_path, ["b.png"], rows, False)
    with pytest.raises(MissingFileError, match=r"lab: there is no PNG file below .*; unpack the images there"):
        join_labels("lab", tmp_path, [], rows, False)


def test_no_labels_yet(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    for empty in ("", "\n\n"):
        path.write_text(empty)
        rows = read_rows(path, 48)
        row = join_labels("lab", tmp_path, ["1.png", "2.png"], rows, True)
        assert row.tolist() == [-1, -1]
        poses = poses_of([rows], row, convert=ICVL_CAMERA.to_world)
        assert (poses.shape, bool(poses.isnan().all())) == ((2, 16, 3), True)


def test_poses_of_several_files(tmp_path: Path) -> None:
    for name, text in (("a.txt", "1.png 1 1 1\n2.png 2 2 2\n"), ("b.txt", "3.png 3 3 3\n")):
        (tmp_path / name).write_text(text)
    tables = [read_rows(tmp_path / name, 3) for name in ("a.txt", "b.txt")]
    found = poses_of(tables, np.array([2, -1, 0, 1, 0]), convert=lambda points: 10 * points)
    assert torch.equal(found[:, 0, 0].nan_to_num(-1), torch.tensor([30.0, -1, 10, 20, 10]))
    (tmp_path / "a.txt").write_text("1.png 1 1 1\n2.png 2 2 0\n")
    tables[0] = read_rows(tmp_path / "a.txt", 3)
    assert poses_of(tables, np.array([0, 2])).shape == (2, 1, 3)
    with pytest.raises(DataFileError, match=r"a\.txt, line 2: point 0 .* has depth 0"):
        poses_of(tables, np.array([1]))


def test_labels_the_user_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "labels.txt")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert given_labels("~/labels.txt") == given_labels(tmp_path / "labels.txt") == tmp_path / "labels.txt"
    for wrong in ("~/none.txt", tmp_path):
        with pytest.raises(MissingFileError, match=r"the file of labels .* is missing or not a regular file"):
            given_labels(wrong)
