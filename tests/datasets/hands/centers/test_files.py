"""Files of centers."""

from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hand_scenes import CAMERA
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgcn.datasets.hands.camera import NYU_CAMERA
from seqgcn.datasets.hands.centers.files import center_rows, read_center_file, read_centers
from seqgcn.exceptions import DataFileError, MissingFileError, SeqGCNError

FRAMES = [f"seq/{i}.png" for i in range(8)]
WORLD = torch.tensor([[20.0 * i - 70, 10.0 * i - 35, 500.0 + i] for i in range(8)])


def write(path: Path, header: str, points: torch.Tensor, frames: list[str] | None = None) -> str:
    names = FRAMES if frames is None else frames
    rows = [
        ",".join([name, *(f"{value:.3f}" for value in point)])
        for name, point in zip(names, points.tolist(), strict=True)
    ]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


def read(path: str) -> torch.Tensor:
    return read_centers(path, FRAMES, [CAMERA] * len(FRAMES))


@pytest.mark.parametrize("image", [False, True])
def test_centers_by_name_are_in_mm_whichever_way_they_are_written(tmp_path: Path, image: bool) -> None:
    points = CAMERA.to_image(WORLD) if image else WORLD
    path = write(tmp_path / "centers.csv", "frame,u,v,d" if image else "frame,x,y,z", points)
    assert torch.allclose(read(path), WORLD, atol=0.01)


def test_frames_may_be_in_any_order_some_missing_and_named_with_another_separator(tmp_path: Path) -> None:
    path = write(tmp_path / "centers.csv", "frame,x,y,z", WORLD[[3, 1]], ["seq\\3.png", "seq/1.png"])
    found = read(path)
    assert torch.equal(found[[1, 3]], WORLD[[1, 3]])
    assert found.isnan().all(dim=1).sum() == 6


def test_centers_in_order_keep_the_axes_of_the_release(tmp_path: Path) -> None:
    path = tmp_path / "centers.txt"
    path.write_text("".join(f"{x} {-y} {z}\n" for x, y, z in WORLD.tolist()), encoding="utf-8")
    found = read_centers(str(path), FRAMES, [NYU_CAMERA] * 8)
    assert torch.allclose(found, WORLD)


@pytest.mark.parametrize(
    ("header", "points", "named"),
    [
        ("frame,x,y,z", CAMERA.to_image(WORLD), "frame,u,v,d"),
        ("frame,u,v,d", WORLD, "frame,x,y,z"),
    ],
)
def test_a_mix_up_of_units_is_named(tmp_path: Path, header: str, points: torch.Tensor, named: str) -> None:
    with pytest.raises(DataFileError, match=named):
        read(write(tmp_path / "centers.csv", header, points))


def test_pixels_in_a_file_without_names_are_told(tmp_path: Path) -> None:
    path = tmp_path / "centers.txt"
    path.write_text("".join(f"{u} {v} {d}\n" for u, v, d in CAMERA.to_image(WORLD).tolist()), encoding="utf-8")
    with pytest.raises(DataFileError, match="frame,u,v,d"):
        read(str(path))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("frame,a,b,c\n", "frame,x,y,z"),
        ("frame,x,y,z\nseq/0.png,1,2\n", "line 2 has 3 cells"),
        ("frame,x,y,z\nseq/0.png,1,2,500\nseq/0.png,1,2,500\n", "line 3.*line 2 already"),
        ("frame,x,y,z\nseq/0.png,1,two,500\n", "line 2: 'two'"),
        ("frame,x,y,z\nseq/0.png,1,2,-500\n", "-500"),
        ("frame,x,y,z\nother/0.png,1,2,500\n", "other/0.png"),
        ("frame,x,y,z\n", "empty"),
        ("1 2 500\n", "1 centers, but the labels have 8"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "centers.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError, match=named):
        read(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere"):
        read(str(tmp_path / "nowhere.csv"))


def test_a_file_may_say_that_there_is_no_hand(tmp_path: Path) -> None:
    path = tmp_path / "centers.csv"
    rows = "frame,x,y,z\nseq/0.png,1,2,500\nseq/1.png,No hand,,\nseq/2.png,,,\nother/0.png,no hand,,\n"
    path.write_text(rows, encoding="utf-8")
    held = read_center_file(str(path), FRAMES, [CAMERA] * len(FRAMES))
    assert held.no_hand.nonzero()[0].tolist() == [1]
    assert held.points.isfinite().all(dim=1).nonzero().flatten().tolist() == [0]
    assert held.others == (("other/0.png", "no hand", "", ""),)
    path.write_text("frame,x,y,z\nseq/1.png,no hand,,\n", encoding="utf-8")
    assert read_center_file(str(path), FRAMES, [CAMERA] * len(FRAMES)).no_hand.sum() == 1


@pytest.mark.parametrize("cells", ["no hand,1,2", "no hand,,500", "none,,"])
def test_a_frame_without_a_hand_has_no_numbers(tmp_path: Path, cells: str) -> None:
    path = tmp_path / "centers.csv"
    path.write_text(f"frame,x,y,z\nseq/0.png,{cells}\n", encoding="utf-8")
    with pytest.raises(DataFileError, match=f"line 2: '{cells.split(',')[0]}'"):
        read(str(path))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "centers.csv"
    points = dict(zip(FRAMES[:3], WORLD[:3].tolist(), strict=True))
    path.write_text(center_rows(points, FRAMES[3:5], [("other, 1.png", "1", "2", "500")]), encoding="utf-8")
    held = read_center_file(str(path), FRAMES, [CAMERA] * len(FRAMES))
    assert torch.allclose(held.points[:3], WORLD[:3], atol=1e-3)
    assert held.no_hand.nonzero()[0].tolist() == [3, 4]
    assert held.others == (("other, 1.png", "1", "2", "500"),)


def test_hands_on_the_lower_right_are_not_taken_for_pixels_where_the_header_is_certain(tmp_path: Path) -> None:
    points = torch.tensor([[100.0 + 5 * i, 80.0 + i, 500.0] for i in range(8)])
    with pytest.raises(DataFileError, match=r"look like u v d .* with the header frame,x mm,y mm,z mm"):
        read(write(tmp_path / "centers.csv", "frame,x,y,z", points))
    path = tmp_path / "written.csv"
    path.write_text(center_rows(dict(zip(FRAMES, points.tolist(), strict=True)), []), encoding="utf-8")
    assert torch.equal(read(str(path)), points)


def test_a_file_of_another_part_of_the_data_set_has_no_center_of_this_one(tmp_path: Path) -> None:
    """As clicks in the training part have none of the frames to test on."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other/0.png").touch()
    path = tmp_path / "centers.csv"
    path.write_text("frame,x,y,z\nother/0.png,1,2,500\n", encoding="utf-8")
    held = read_center_file(str(path), FRAMES, [CAMERA] * len(FRAMES), root=tmp_path)
    assert held.points.isnan().all()
    with pytest.raises(DataFileError, match=r"no center of any of the 8 frames: the first it names is 'other/0\.png'"):
        read_center_file(str(path), FRAMES, [CAMERA] * len(FRAMES), root=tmp_path / "elsewhere")


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_give_centers_or_an_error_of_the_package(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(b"frame,x,y,z\n" + content)
    with suppress(SeqGCNError):
        assert read(str(path)).shape == (8, 3)
