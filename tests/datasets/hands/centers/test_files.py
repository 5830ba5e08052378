"""Files of centers."""

from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hand_scenes import CAMERA
from hypothesis import given
from hypothesis import strategies as st

from seqgcn.datasets.hands.camera import NYU_CAMERA
from seqgcn.datasets.hands.centers.files import read_centers
from seqgcn.errors import DataFileError, MissingFileError, SeqGCNError

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
        ("1 2 500\n", "1 centres, but the labels have 8"),
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


@given(st.binary(max_size=200))
def test_any_bytes_give_centers_or_an_error_of_the_package(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(b"frame,x,y,z\n" + content)
    with suppress(SeqGCNError):
        assert read(str(path)).shape == (8, 3)
