from pathlib import Path
from typing import Any

import pytest

from seqgcn.datasets.hands import ICVL
from seqgcn.datasets.hands.rendered import RenderedHands
from seqgcn.exceptions import ArgumentError, DataFileError, RunFolderError, SeqGCNWarning


def few(cache: Path, **arguments: Any) -> RenderedHands:
    sizes: dict[str, Any] = {"frames": 6, "sequences": 2, "test_frames": 4, "crop_size": 16}
    return RenderedHands(cache=str(cache), **sizes | arguments)


def test_rendered_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: list[str]) -> None:
    stages: set[str] = set()
    first = few(tmp_path / "cache")
    first.prepare(lambda stage, _done, _total: stages.add(stage))
    assert (len(first.train), len(first.test)) == (6, 4)
    assert stages == {"render", "crops"}
    assert messages[0].startswith("rendering 10 frames to")
    assert first.references == {}
    monkeypatch.setattr("seqgcn.datasets.hands.rendered.write_dataset", lambda *_a, **_k: pytest.fail("rendered again"))
    assert few(tmp_path / "cache").fingerprint == first.fingerprint


def test_another_seed_is_another_data_set(tmp_path: Path) -> None:
    assert few(tmp_path).fingerprint != few(tmp_path, render_seed=1).fingerprint


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    folder = few(tmp_path).folder
    half = tmp_path / f".{folder.name}.half"
    half.mkdir()
    (half / "frame.png").touch()
    few(tmp_path).prepare()
    assert not half.exists()


def test_lost_frames(tmp_path: Path) -> None:
    hands = few(tmp_path)
    hands.prepare()
    next((hands.folder / "Training" / "Depth").rglob("*.png")).unlink()
    with pytest.raises(DataFileError, match="has lost frames; delete it, and it is rendered anew"):
        few(tmp_path).prepare()


def test_a_cache_folder_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="cannot use the cache folder"):
        few(tmp_path / "file").prepare()

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("SEQGCN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(RunFolderError, match="no home folder for crops; set SEQGCN_CACHE"):
        RenderedHands().prepare()


@pytest.mark.parametrize(
    ("name", "value"), [("frames", 0), ("sequences", 0), ("test_frames", 1), ("render_seed", -1), ("crop_size", 8)]
)
def test_arguments(name: str, value: int) -> None:
    with pytest.raises(ArgumentError, match=name):
        RenderedHands(**{name: value})


@pytest.mark.filterwarnings("ignore:.*the complete release has:seqgcn.exceptions.SeqGCNWarning")
def test_crops_that_miss_the_hand_are_told(tmp_path: Path) -> None:
    hands = few(tmp_path)
    hands.prepare()
    centres = {}
    for part, frames in (("train", 6), ("test", 4)):
        centres[f"{part}_centres"] = str(tmp_path / f"{part}.txt")
        # Beside the hand, so that only its edge is in the cube.
        lines = [f"{x + 80:.1f} {y:.1f} {z:.1f}" for x, y, z in hands.hands(part).joints.mean(dim=1).tolist()]
        Path(centres[f"{part}_centres"]).write_text("\n".join(lines[:frames]) + "\n")
    away = ICVL.splits(
        root=str(hands.folder), crop_size=16, cube=150.0, skip_empty=True, cache=str(tmp_path), **centres
    )
    with pytest.warns(SeqGCNWarning, match=r"frames miss the hand; narrow near and far"):
        away.prepare()
