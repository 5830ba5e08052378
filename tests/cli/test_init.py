"""`seqgcn init`: a camera.yaml for a recording."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from seqgcn.cli import main
from seqgcn.datasets.hands import DepthFolder
from seqgcn.datasets.hands.rendering import write_dataset

LENS = ["--fx", "460", "--fy", "460", "--cx", "320", "--cy", "240"]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(
        tmp_path_factory.mktemp("init") / "lab", "depth-folder", frames=9, sequences=3, seed=3, scene="arm"
    )


@pytest.fixture
def recording(rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Frames alone."""
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    folder = Path(shutil.copytree(rendered, tmp_path / "recording"))
    (folder / "labels.csv").unlink()
    (folder / "camera.yaml").unlink()
    return folder


def written(folder: Path) -> Any:
    return yaml.safe_load((folder / "camera.yaml").read_text())


def test_options_make_a_file_that_loads(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(recording), *LENS]) == 0
    said = capsys.readouterr().out
    assert "page: camera.html" in said
    hands = DepthFolder(recording, "all")
    assert (len(hands), len(hands.skeleton), hands.camera.fx) == (9, 21, 460)
    assert {key: written(recording)[key] for key in ("depth_scale", "hand", "cube")} == {
        "depth_scale": 1,
        "hand": "right",
        "cube": 250,
    }
    assert (recording / "camera.yaml").read_text().count("#") >= 5
    assert (recording.parent / "camera.html").read_text(encoding="utf-8").count('class="file"') == 9


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("camera_info.yaml", "width: 640\nheight: 480\nK: [460, 0, 320, 0, 460, 240, 0, 0, 1]\n"),
        ("intrinsics.json", json.dumps({"fx": 460, "fy": 460, "ppx": 320, "ppy": 240, "width": 640, "height": 480})),
        ("realsense.json", json.dumps({"depth": {"fx": 460, "fy": 460, "ppx": 320, "ppy": 240}, "serial": "f0"})),
        ("calibration.json", json.dumps({"intrinsic_matrix": [460, 0, 0, 0, 460, 0, 320, 240, 1]})),
    ],
)
def test_intrinsics_of_the_camera_s_own_file(name: str, content: str, recording: Path) -> None:
    (recording / name).write_text(content)
    assert main(["init", str(recording), "--quiet"]) == 0
    assert [written(recording)[key] for key in ("fx", "fy", "cx", "cy")] == [460, 460, 320, 240]
    assert name in (recording / "camera.yaml").read_text()


def test_each_sequence_with_its_own_file(recording: Path) -> None:
    for folder in recording.glob("sequence_*"):
        (folder / "camera_info.yaml").write_text("K: [460, 0, 320, 0, 460, 240, 0, 0, 1]\n")
    assert main(["init", str(recording), "--quiet"]) == 0
    assert "fx" not in written(recording)
    assert DepthFolder(recording, "all").camera.fx == 460


def test_intrinsics_of_another_size(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (recording / "intrinsics.json").write_text(
        json.dumps({"fx": 920, "fy": 920, "cx": 640, "cy": 360, "width": 1280, "height": 720})
    )
    assert main(["init", str(recording)]) == 1
    assert "1280 x 720" in capsys.readouterr().err
    assert not (recording / "camera.yaml").exists()


def test_without_a_terminal_options_are_named(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(recording)]) == 2
    assert "--fx, --fy, --cx and --cy" in capsys.readouterr().err
    assert main(["init", str(recording), *LENS[:6]]) == 2
    assert "--cy is missing" in capsys.readouterr().err


def test_a_terminal_is_asked(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["460", "four hundred", "460", "320", "240"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    assert main(["init", str(recording), "--quiet"]) == 0
    assert written(recording)["cy"] == 240


@pytest.mark.parametrize("stop", [EOFError, KeyboardInterrupt])
def test_no_answer_writes_nothing(
    stop: type[BaseException], recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: str) -> str:
        raise stop

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", refuse)
    assert main(["init", str(recording)]) == (2 if stop is EOFError else 130)
    assert capsys.readouterr().err
    assert not (recording / "camera.yaml").exists()


def test_what_is_there_is_kept(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (recording / "camera.yaml").write_text("mine")
    assert main(["init", str(recording), *LENS]) == 1
    assert "--force" in capsys.readouterr().err
    assert (recording / "camera.yaml").read_text() == "mine"
    assert main(["init", str(recording), *LENS, "--force", "--hand", "left", "--cube", "230", "--quiet"]) == 0
    assert (written(recording)["hand"], written(recording)["cube"]) == ("left", 230)
    assert (recording / "camera.yaml.bak").read_text() == "mine"


def units(factor: float) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for path in folder.rglob("*.png"):
            Image.fromarray(np.rint(np.asarray(Image.open(path)) * factor).astype(np.uint16)).save(path)

    return make


def meters(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        np.save(path.with_suffix(".npy"), np.asarray(Image.open(path)).astype(np.float32) / 1000)
        path.unlink()


@pytest.mark.parametrize(
    ("make", "scale"), [(units(1), 1), (units(8), 0.125), (units(4), 0.25), (units(10), 0.1), (meters, 1000)]
)
def test_the_scale_is_guessed(make: Callable[[Path], None], scale: float, recording: Path) -> None:
    """Near enough for the unit to be told; scales beside each other need the size of the hand."""
    make(recording)
    assert main(["init", str(recording), *LENS, "--quiet"]) == 0
    assert written(recording)["depth_scale"] == pytest.approx(scale, rel=0.3)
    assert main(["init", str(recording), *LENS, "--quiet", "--force", "--depth-scale", str(scale)]) == 0
    assert written(recording)["depth_scale"] == scale


def test_joints_are_those_of_the_labels(rendered: Path, recording: Path) -> None:
    shutil.copyfile(rendered / "labels.csv", recording / "labels.csv")
    assert main(["init", str(recording), *LENS, "--quiet"]) == 0
    hands = DepthFolder(recording, "all")
    assert bool(hands.labelled.all())
    assert written(recording)["joints"] == yaml.safe_load((rendered / "camera.yaml").read_text())["joints"]


def test_another_skeleton(recording: Path) -> None:
    assert main(["init", str(recording), *LENS, "--quiet", "--skeleton", "icvl"]) == 0
    assert len(written(recording)["joints"]) == 16


def test_raw_frames(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in recording.rglob("*.png"):
        np.asarray(Image.open(path)).astype("<u2").tofile(path.with_suffix(".raw"))
        path.unlink()
    assert main(["init", str(recording), *LENS]) == 1
    assert "raw" in capsys.readouterr().err
    assert main(["init", str(recording), *LENS, "--format", "raw"]) == 2
    assert main(["init", str(recording), *LENS, "--format", "raw", "--shape", "x480", "--dtype", "uint16"]) == 2
    command = ["init", str(recording), *LENS, "--format", "raw", "--shape", "480x640", "--dtype", "uint16", "--quiet"]
    assert main(command) == 0
    assert len(DepthFolder(recording, "all")) == 9


def test_where_there_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for root in (tmp_path / "no", tmp_path):
        assert main(["init", str(root), *LENS]) == 1
        assert str(root) in capsys.readouterr().err
    assert main(["init", str(tmp_path), *LENS[:-1], "nan"]) == 2
    assert main(["init", str(tmp_path), *LENS, "--depth-scale", "0"]) == 2
    assert "depth-scale" in capsys.readouterr().err
