from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from seqgcn.annotation import Column, Mark, Prediction, Surface, Tasks, read_depths
from seqgcn.annotation.depths import Depth, behind_skin, find_depth
from seqgcn.datasets.hands import ICVL
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.skeleton import BIGHAND21, ICVL16, NYU36, Skeleton
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError


def test_the_surface_is_near_the_truth_where_joints_can_be_seen(handed_off: tuple[Path, Tasks], hands: ICVL) -> None:
    _, tasks = handed_off
    surface = Surface(hands)
    errors = []
    for preview, pose in zip(tasks.previews, hands.joints, strict=False):
        for joint, (u, v, d) in enumerate(hands.camera.to_image(pose).tolist()):
            guess = preview.predicted[joint]
            assert guess is not None
            found = surface.depth(preview, Mark(joint, u, v, guess.hidden))
            if not guess.hidden and not isinstance(found, str):
                errors.append(found - d)
    assert len(errors) > 25
    assert torch.tensor(errors).abs().median() < 5


def offsets(skeleton: Skeleton, given: dict[str, float] | None = None) -> tuple[float, ...]:
    hands: Any = SimpleNamespace(skeleton=skeleton, files=[])
    return Surface(hands, given).offsets


@pytest.mark.parametrize(
    ("joint", "mm"),
    [
        ("index tip", 6),
        ("index_tip", 6),
        ("INDEX_TIP", 6),
        ("IndexTip1", 6),
        ("tip of the thumb", 6),
        ("ringPIP", 8),
        ("Wrist", 14),
        ("I-MCP", 10),
        ("tips", None),
        ("T4", None),
        ("", None),
    ],
)
def test_what_a_name_tells(joint: str, mm: float | None) -> None:
    assert behind_skin(joint) == mm


def test_offsets() -> None:
    assert offsets(ICVL16)[:4] == (12, 10, 8, 6)
    assert set(offsets(BIGHAND21)) == {14, 10, 8, 7, 6}
    assert set(offsets(NYU36)) == {6, 9, 12, 14}
    assert offsets(ICVL16, {"palm": 20.5})[:2] == (20.5, 10)
    with pytest.raises(ArgumentError, match="offsets: elbow is no joint; the joints are palm, thumb root"):
        offsets(ICVL16, {"elbow": 3})
    with pytest.raises(ArgumentError, match="offset of palm must be a number"):
        offsets(ICVL16, {"palm": -3})


def test_the_first_source_that_knows(handed_off: tuple[Path, Tasks], hands: ICVL) -> None:
    _, tasks = handed_off
    preview = tasks.previews[0]
    column = Column({(preview.item, "palm"): 411.0, (preview.name, "thumb tip"): 412.0}, ICVL16)
    sources = (column, Prediction())
    guess = preview.predicted[1]
    assert guess is not None
    assert find_depth(sources, preview, Mark(0, 1, 1, False)) == Depth(411.0, "column")
    assert find_depth(sources, preview, Mark(3, 1, 1, False)) == Depth(412.0, "column")
    assert find_depth(sources, preview, Mark(1, 1, 1, False)) == Depth(guess.d, "prediction")
    assert find_depth((column,), preview, Mark(1, 1, 1, False)) == "column: the column has no depth for it"


def test_a_frame_is_decoded_once(handed_off: tuple[Path, Tasks], hands: ICVL, monkeypatch: pytest.MonkeyPatch) -> None:
    _, tasks = handed_off
    seen: list[int] = []
    decode = hands.depth

    def depth(i: int) -> DepthImage:
        seen.append(i)
        return decode(i)

    monkeypatch.setattr(hands, "depth", depth)
    surface = Surface(hands)
    for preview in tasks.previews[:2]:
        for joint in range(5):
            surface.depth(preview, Mark(joint, 160, 120, False))
    assert seen == [0, 1]


def test_a_frame_that_is_gone(handed_off: tuple[Path, Tasks], hands: ICVL) -> None:
    _, tasks = handed_off
    gone = replace(tasks.previews[0], item="gone.png")
    with pytest.raises(DataFileError, match=r"gone\.png was handed off, but is no longer in the data set"):
        Surface(hands).depth(gone, Mark(0, 1, 1, False))


def test_read_depths(tmp_path: Path) -> None:
    path = tmp_path / "depth.csv"
    path.write_bytes(b'\xef\xbb\xbfframe, joint ,depth\r\n\r\n"a, b.png",palm,400.5\na.png, thumb tip , 1e2 \n')
    assert read_depths(path) == {("a, b.png", "palm"): 400.5, ("a.png", "thumb tip"): 100.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 must be frame,joint,depth"),
        ("frame,depth,joint\n", "line 1 must be frame,joint,depth"),
        ("frame,joint,depth\na,b\n", "line 2 has 2 cells, the header 3"),
        ("frame,joint,depth\na,b,far\n", "line 2: 'far' is not a coordinate"),
        ("frame,joint,depth\na,b,nan\n", "line 2: 'nan' is not a coordinate"),
        ("frame,joint,depth\na,b,0\n", "line 2: the depth of b in a is not in front of the camera"),
        ("frame,joint,depth\na,b,1\na,b,2\n", "line 3: the depth of b in a was given before"),
        ("frame,joint,depth\na,\xff,1\n", "is not a CSV file in UTF-8"),
    ],
)
def test_what_is_no_column(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "depth.csv"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(DataFileError) as caught:
        read_depths(path)
    assert message in str(caught.value)
    assert "depth.csv" in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="is missing or not a regular file"):
        read_depths(tmp_path)
