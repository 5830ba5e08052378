"""`seqgcn crops`: a page of where hands are found."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hand_releases import save_grey
from hand_scenes import Scene
from PIL import Image

from seqgcn.cli import main
from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.report import crops_figure


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person, then a wall, then nothing."""
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "lab"
    root.mkdir()
    setup = {"fx": 476, "fy": 476, "cx": 320, "cy": 240, "cube": 250, "joints": ["palm"]}
    (root / "camera.yaml").write_text(json.dumps(setup), encoding="utf-8")
    frames = [
        Scene().torso(800).hand(-120, 0, 500).forearm(-120, 0, 500, 75).frame(),
        np.full((480, 640), 700),
        np.zeros((480, 640)),
    ]
    for i, depth in enumerate(frames):
        save_grey(root / f"a&b/{i}.png", depth.astype(np.uint16))
    return root


def test_the_page_has_all_frames_the_worst_first_and_loads_nothing(
    lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crops", str(lab), "--quiet"]) == 0
    assert "page: crops.html" in capsys.readouterr().out
    page = (lab.parent / "crops.html").read_text(encoding="utf-8")
    assert re.findall(r'class="file">a&amp;b/(\d)\.png', page) == ["2", "1", "0"]
    assert "2 of 3 doubtful" in page
    assert "no hand was found" in page
    assert not re.search(r'(?:src|href)="https?:', page)
    assert not list((lab.parent / "cache").rglob("crops.npy"))


def test_only_the_worst_are_shown_and_all_are_counted(lab: Path) -> None:
    assert main(["crops", str(lab), "--most", "1", "--out", "page.html", "--quiet"]) == 0
    page = (lab.parent / "page.html").read_text(encoding="utf-8")
    assert page.count('class="file"') == 1
    assert "The worst 1 of 3 frames" in page


def test_options_of_the_data_set_act(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crops", str(lab), "--set", "dataset.crop=mass", "--set", "dataset.far=600"]) == 0
    assert "3 by mass; 2 of 3 doubtful" in capsys.readouterr().out  # the wall is beyond 600 mm, too
    page = (lab.parent / "crops.html").read_text(encoding="utf-8")
    assert "by mass" in page
    assert "10 to 600" in page


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["nowhere"], 1, "nowhere"),
        (["empty"], 1, "camera.yaml"),
        (["lab", "--most", "0"], 2, "--most"),
        (["lab", "--set", "dataset.nearer=3"], 2, "nearer"),
        (["lab", "--out", "lab"], 1, "folder"),
        (["lab", "--out", "mine.txt"], 1, "mine.txt"),
    ],
)
def test_what_is_wrong_is_named(
    lab: Path, arguments: list[str], code: int, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (lab.parent / "empty").mkdir()
    (lab.parent / "mine.txt").write_text("mine", encoding="utf-8")
    assert main(["crops", *arguments, "--quiet"]) == code
    assert named in capsys.readouterr().err
    assert (lab.parent / "mine.txt").read_text(encoding="utf-8") == "mine"


def test_the_figure_of_a_notebook_has_the_same_frames(lab: Path, tmp_path: Path) -> None:
    hands = DepthFolder(lab, "all", options=CropOptions(size=32))
    crops_figure(hands, tmp_path / "crops.svg", most=2)
    drawn = (tmp_path / "crops.svg").read_text(encoding="utf-8")
    assert drawn.count("<image") == 3  # two frames, and a crop of one: the other has none
    crops_figure(hands, tmp_path / "crops.png", most=2)
    with Image.open(tmp_path / "crops.png") as picture:
        assert picture.width > 300


def test_what_is_labelled_teaches_a_localizer_as_in_a_round(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known: list[list[int]] = []
    learn = DepthFolder.learn_from
    monkeypatch.setattr(DepthFolder, "learn_from", lambda self, ids: known.append(ids.tolist()) or learn(self, ids))
    rows = "".join(f"a&b/{i}.png,-120,0,500\n" for i in (0, 1))
    (lab / "labels.csv").write_text(f"frame,palm x,palm y,palm z\n{rows}", encoding="utf-8")
    Path("one.txt").write_text("a&b/1.png\n", encoding="utf-8")
    assert main(["crops", str(lab), "--quiet"]) == 0
    assert main(["crops", str(lab), "--labelled", "one.txt", "--quiet"]) == 0
    assert known == [[0, 1], [1]]


def test_an_interrupted_command_leaves_the_first_frames_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    setup = {"fx": 60, "fy": 60, "cx": 40, "cy": 30, "cube": 250, "joints": ["palm"]}
    Path("lab").mkdir()
    Path("lab/camera.yaml").write_text(json.dumps(setup), encoding="utf-8")
    for i in range(60):
        save_grey(Path(f"lab/a/{i}.png"), np.full((60, 80), 600 + i, np.uint16))

    def interrupted(self: DepthFolder, ids: object) -> DepthFolder:
        raise KeyboardInterrupt

    monkeypatch.setattr(DepthFolder, "learn_from", interrupted)
    assert main(["crops", "lab"]) == 130
    page = Path("crops.html").read_text(encoding="utf-8")
    assert "Not finished" in page
    assert page.count('class="file"') == 24
    assert "of 60 frames" in page
    assert "the first 24 of 60 frames are in crops.html" in capsys.readouterr().err
