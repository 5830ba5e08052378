"""Files of published predictions: scored as by hand, or refused with the line that is wrong."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from seqgcn.cli.scoring import RELEASES, read_poses, score_files, write_scores
from seqgcn.datasets.hands.skeleton import NYU14, NYU_EVALUATED
from seqgcn.evaluation import Score
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError, RunFolderError, SeqGCNError


def poses(n: int = 3, joints: int = 16, seed: int = 0) -> Tensor:
    """Points in the image of any data set, px px mm, `[n, J, 3]` float64."""
    draw = torch.Generator().manual_seed(seed)
    uvd = torch.rand(n, joints, 3, generator=draw, dtype=torch.float64)
    return uvd * uvd.new_tensor([100, 100, 50]) + uvd.new_tensor([100, 80, 400])


def text(uvd: Tensor, names: list[str] | None = None, sep: str = " ", end: str = "\n") -> str:
    rows = [[repr(value) for value in row] for row in uvd.flatten(1).tolist()]
    if names is not None:
        rows = [[name, *row] for name, row in zip(names, rows, strict=True)]
    return "".join(sep.join(row) + end for row in rows)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Paths of predictions and of the truth."""
    return tmp_path / "predictions.txt", tmp_path / "labels.txt"


def score(pair: tuple[Path, Path], predicted: str, true: str, dataset: str = "icvl") -> Score:
    for path, content in zip(pair, (predicted, true), strict=True):
        path.write_bytes(content.encode())
    return score_files(*pair, dataset)


# scores


@pytest.mark.parametrize(("dataset", "focal"), [("icvl", 240.99), ("nyu", 588.036865), ("msra", 241.42)])
def test_pixels_are_millimetres_at_their_depth(pair, dataset: str, focal: float) -> None:
    joints = len(RELEASES[dataset].skeleton)
    true = poses(2, joints)
    true[..., 2] = 400
    predicted = true.clone()
    predicted[0, 3, 0] += 6
    result = score(pair, text(predicted), text(true), dataset)
    assert result.per_joint[3] == pytest.approx(6 * 400 / focal / 2)
    assert result.mean == pytest.approx(6 * 400 / focal / 2 / joints)
    assert (result.median, result.frames, result.joints) == (0, 2, RELEASES[dataset].skeleton.joints)
    assert result.dataset == RELEASES[dataset].title


def test_depth_moves_a_point_along_its_ray(pair) -> None:
    true = poses(1)
    predicted = true.clone()
    predicted[0, 0, 2] += 10
    ray = torch.tensor([(true[0, 0, 0] - 160) / 240.99, (true[0, 0, 1] - 120) / 240.96, 1])
    assert score(pair, text(predicted), text(true)).per_joint[0] == pytest.approx(10 * float(ray.norm()))


def test_the_same_file_has_no_error(pair) -> None:
    result = score(pair, text(poses(joints=21)), text(poses(joints=21)), "hands17")
    assert (result.mean, result.frames_within[0], result.frames_auc) == (0, 1, 1)


@pytest.mark.parametrize("whole", [(False, True), (True, False), (True, True), (False, False)])
def test_nyu_takes_all_joints_or_those_evaluated(pair, whole: tuple[bool, bool]) -> None:
    chosen = list(NYU_EVALUATED)
    files = [
        uvd if all36 else uvd[:, chosen] for uvd, all36 in zip((poses(3, 36, 1), poses(3, 36)), whole, strict=True)
    ]
    result = score(pair, *map(text, files), "nyu")
    expected = score(pair, text(poses(3, 36, 1)[:, chosen]), text(poses(3, 36)[:, chosen]), "nyu")
    assert (result, result.joints) == (expected, NYU14.joints)


# the file's grammar


@pytest.mark.parametrize("sep", [" ", "\t", ",", ", ", " \t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", " \r\r\n", "\n\n"])
@pytest.mark.parametrize("names", [None, ["a/1.png", "a/2.png", "a/3.png"]])
def test_the_grammar_is_generous(tmp_path: Path, sep: str, end: str, names: list[str] | None) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xef\xbb\xbf\n" + text(poses(), names, sep, end).encode())
    read = read_poses(path, "icvl")
    assert read.names == tuple(names or ())
    torch.testing.assert_close(read.uvd, poses(), rtol=0, atol=0)


def test_a_last_line_needs_no_end(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text(text(poses()).rstrip())
    assert read_poses(tmp_path / "labels.txt", "icvl").uvd.shape == (3, 16, 3)


def test_names_join_and_order_does_not_matter(pair) -> None:
    truth, predicted = poses(), poses(seed=1)
    expected = score(pair, text(predicted), text(truth))
    shuffled = text(predicted[[2, 0, 1]], ["c", "a", "b"])
    assert score(pair, shuffled, text(truth, ["a", "b", "c"])) == expected
    assert score(pair, text(predicted), text(truth, ["a", "b", "c"])) == expected  # by order, if one has no names


@pytest.mark.parametrize(
    ("predicted", "true", "message"),
    [
        (["a", "b", "b"], ["a", "b", "c"], r"predictions.txt has more than one line for b$"),
        (["a", "b", "c"], ["a", "a", "a"], r"labels.txt has more than one line for a$"),
        (["a", "b", "d"], ["a", "b", "c"], r"predictions.txt has no line for c of .*labels.txt"),
        (["1", "2", "3", "4", "a"], ["a"], r"predictions.txt has lines for 1, 2, 3 and 1 more, which .*labels.txt"),
    ],
)
def test_names_that_do_not_join(pair, predicted: list[str], true: list[str], message: str) -> None:
    with pytest.raises(DataFileError, match=message):
        score(pair, text(poses(len(predicted)), predicted), text(poses(len(true)), true))


def test_rows_that_do_not_pair(pair) -> None:
    with pytest.raises(DataFileError, match=r"predictions.txt has 2 frames, .*labels.txt has 3"):
        score(pair, text(poses(2)), text(poses(3), ["a", "b", "c"]))


GOOD = text(poses(2)).splitlines()


def with_value(place: int, value: str) -> str:
    """The second line with another value."""
    return " ".join([*GOOD[1].split()[:place], value, *GOOD[1].split()[place + 1 :]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no frame"),
        (" \r\r\n\n", "holds no frame"),
        (f"{GOOD[0]}\n\n{GOOD[1][:-30]}", r"line 3 has 4\d values, but line 1 has 48; is it cut off\?"),
        (f"{GOOD[0]}\na {GOOD[1]}", "line 2 has 49 values, but line 1 has 48"),
        (f"{GOOD[0]}\n{with_value(7, 'x')}", "line 2: could not convert string to float: 'x'"),
        (f"{GOOD[0]}\n{with_value(7, 'y' * 5000)}", "line 2: could not convert string to float: 'y{30,100}; a line is"),
        (f"{GOOD[0]}\n\n{with_value(7, 'nan')}", r"line 3: joint 2 \(counted from 0\), .* nan .*is not a place"),
        (f"{GOOD[0]}\n{with_value(4, '-inf')}", "line 2: joint 1 .* -inf .*is not a place"),
        (f"{GOOD[0]}\n{with_value(4, '1e200')}", "line 2: joint 1 .* 1e[+]200 .*is not a place"),
        (f"{GOOD[0]}\n{with_value(47, '0')}", "line 2: joint 15 .* 0, does not lie in front of the camera"),
        (f"{GOOD[0]}\n{with_value(2, '-400')}", "line 2: joint 0 .* -400, does not lie in front .*not x y z"),
        (
            text(poses(joints=21)),
            "line 1 has 63 values, but a frame of ICVL has 48 .*; 21 joints are those of msra and",
        ),
        (text(poses(joints=36), ["a"] * 3), "line 1 has 109 values, .*; 36 joints are those of nyu"),
        ("1 2 3", r"line 1 has 3 values, but a frame of ICVL has 48 \(u v d of each joint\), with or without a name"),
        (f"a b {GOOD[0]}", "line 1 has 50 values"),
        (text(poses() - torch.tensor([150, 150, 0])), "% of the joints lie outside the 320 x 240 px image of ICVL"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "predictions.txt"
    path.write_text(content)
    with pytest.raises(DataFileError, match=message) as caught:
        read_poses(path, "icvl")
    assert str(path) in str(caught.value)


def test_a_wrong_argument_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nothing.txt does not exist"):
        read_poses(tmp_path / "nothing.txt", "icvl")
    with pytest.raises(DataFileError, match="cannot be read"):
        read_poses(tmp_path, "icvl")
    for read in (read_poses, lambda path, dataset: score_files(path, path, dataset)):
        with pytest.raises(ArgumentError, match=r"dataset must be one of 'icvl', .*got 'ICVL'"):
            read(tmp_path, "ICVL")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "labels.txt").write_text(text(poses(2), ["a", "b"]))
    return folder


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(RELEASES)))
def test_any_bytes_are_a_score_or_an_error(folder: Path, content: bytes, dataset: str) -> None:
    (folder / "predictions.txt").write_bytes(content)
    with pytest.raises(SeqGCNError):  # 300 bytes hold no frame's values
        score_files(folder / "predictions.txt", folder / "labels.txt", dataset)


@settings(deadline=None, max_examples=200)
@given(st.booleans(), st.data())
def test_a_damaged_file_is_a_score_or_an_error(folder: Path, named: bool, data: st.DataObject) -> None:
    content = bytearray(text(poses(2, seed=1), ["a", "b"] if named else None).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(start + 40, len(content))))
        content[start:end] = data.draw(st.binary(max_size=4) | st.sampled_from([b"\n", b" ", b"1e308", b"nan", b"-"]))
    (folder / "predictions.txt").write_bytes(content)
    try:
        result = score_files(folder / "predictions.txt", folder / "labels.txt", "icvl")
    except SeqGCNError:
        return
    assert (result.frames, np.isfinite(result.mean)) == (2, True)


# what is written


def test_scores_are_written(pair, tmp_path: Path) -> None:
    result = score(pair, text(poses(seed=1)), text(poses()))
    folder = tmp_path / "new" / "scores"
    write_scores({"mine": result, "its": result}, folder)
    assert {path.name for path in folder.iterdir()} == {
        "scores.json",
        "scores.md",
        "success_curve.png",
        "per_joint.png",
    }
    held = json.loads((folder / "scores.json").read_text())
    assert list(held) == ["mine", "its"]
    assert held["mine"]["mean"] == result.mean
    assert held["mine"]["frames_auc"] == result.frames_auc
    assert len(held["mine"]["frames_within"]) == len(held["mine"]["thresholds"]) == 81
    assert (folder / "scores.md").read_text() == f"# mine\n\n{result.table()}\n\n# its\n\n{result.table()}\n"
    for name in ("success_curve.png", "per_joint.png"):
        with Image.open(folder / name) as image:
            assert image.format == "PNG"


def test_scores_that_cannot_be_written(pair, tmp_path: Path) -> None:
    icvl = score(pair, text(poses()), text(poses()))
    nyu = score(pair, text(poses(joints=14)), text(poses(joints=14)), "nyu")
    with pytest.raises(ArgumentError, match="one data set, got none"):
        write_scores({}, tmp_path)
    with pytest.raises(ArgumentError, match="one data set, got ICVL, NYU"):
        write_scores({"a": icvl, "b": nyu}, tmp_path)
    with pytest.raises(RunFolderError, match=r"cannot make the folder .*labels\.txt"):
        write_scores({"a": icvl}, pair[1])
    assert len(os.listdir(tmp_path)) == 2
