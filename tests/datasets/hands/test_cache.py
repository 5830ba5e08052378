import os
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hand_releases import write_folder

from seqgcn.datasets.hands import CropOptions, DepthFolder, cache
from seqgcn.datasets.hands.cache import Cropped, cache_folder, open_or_build, source_key
from seqgcn.datasets.hands.cropping import crop_key
from seqgcn.exceptions import DataFileError, RunFolderError


def make(i: int) -> Cropped:
    return Cropped(torch.full((4, 4), i, dtype=torch.int16), torch.tensor([0.0, i, 400.0]), i != 2)


def build(folder: Path, how: Callable[[int], Cropped] = make, **more: Any) -> cache.CropStore:
    return open_or_build(folder, "toy", "key", 6, 4, how, **more)


def never(i: int) -> Cropped:
    raise AssertionError("made anew")


def test_built_once_then_mapped(tmp_path: Path, messages: list[str]) -> None:
    told: list[tuple[str, int, int]] = []
    store = build(tmp_path / "a" / "b", progress=lambda *step: told.append(step))
    assert [int(crop[0, 0]) for crop in store.crops] == list(range(6))
    assert store.centres[:, 1].tolist() == list(range(6))
    assert store.found.tolist() == [True, True, False, True, True, True]
    assert told == [("crops", 6, 6)]
    assert len(messages) == 1
    assert messages[0].startswith("writing 6 crops of 4 x 4 (0.0 MB) to")
    again = build(tmp_path / "a" / "b", never)
    assert isinstance(again.crops, np.memmap)
    assert not again.crops.flags.writeable
    assert len(messages) == 1
    assert (again.crops == store.crops).all()
    assert sorted(path.name for path in (tmp_path / "a" / "b" / "toy-key").iterdir()) == [
        "centres.npy",
        "content.txt",
        "crops.npy",
        "found.npy",
    ]


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_order_does_not_depend_on_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: workers)

    def slow(i: int) -> Cropped:
        time.sleep(0.002 * (i % 3))
        return make(i)

    store = open_or_build(tmp_path, "toy", "key", 50, 4, slow)
    assert [int(crop[0, 0]) for crop in store.crops] == list(range(50))


@pytest.mark.parametrize("error", [DataFileError("frame 3"), KeyboardInterrupt()])
def test_nothing_is_left_of_a_failure(tmp_path: Path, error: BaseException) -> None:
    def failing(i: int) -> Cropped:
        if i == 3:
            raise error
        return make(i)

    with pytest.raises(type(error)):
        build(tmp_path, failing)
    assert not list(tmp_path.glob("*toy*/*"))
    assert not (tmp_path / "toy-key").exists()
    assert len(build(tmp_path).crops) == 6


def test_after_a_killed_process(tmp_path: Path) -> None:
    part = tmp_path / ".toy-key.part"
    part.mkdir()
    (part / "crops.npy").write_bytes(b"half")
    (tmp_path / ".toy-key.lock").touch()
    assert len(build(tmp_path).crops) == 6
    assert not part.exists()


ANOTHER = """
import sys, time, torch
from pathlib import Path
from seqgcn.datasets.hands.cache import Cropped, open_or_build

def slow(i):
    time.sleep(float(sys.argv[2]))
    return Cropped(torch.full((4, 4), i, dtype=torch.int16), torch.tensor([0.0, i, 400.0]), True)

open_or_build(Path(sys.argv[1]), "toy", "key", 6, 4, slow)
"""


def another_process(folder: Path, pause: float) -> subprocess.Popen[bytes]:
    """A process that has begun to build the cache."""
    process = subprocess.Popen([sys.executable, "-c", ANOTHER, str(folder), str(pause)])  # noqa: S603
    while not (folder / ".toy-key.part").is_dir():
        assert process.poll() is None
        time.sleep(0.01)
    return process


def test_two_processes(tmp_path: Path) -> None:
    other = another_process(tmp_path, 0.1)
    # Whoever comes now waits for it and makes nothing.
    store = build(tmp_path, never)
    assert [int(crop[0, 0]) for crop in store.crops] == list(range(6))
    assert other.wait(20) == 0


def test_a_process_killed_half_way(tmp_path: Path) -> None:
    other = another_process(tmp_path, 60)
    other.kill()
    other.wait(20)
    assert (tmp_path / ".toy-key.part").is_dir()
    assert not (tmp_path / "toy-key").exists()
    assert len(build(tmp_path).crops) == 6
    assert not (tmp_path / ".toy-key.part").exists()


def test_not_enough_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: usage(0, 0, cache.HEADROOM + 100))
    with pytest.raises(RunFolderError, match=r"6 crops of 4 x 4 need 0\.0 MB, but .* has 0\.1 GB free; make room"):
        build(tmp_path)
    assert not list(tmp_path.glob("*.part"))


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="cannot use the cache folder"):
        build(tmp_path / "file")
    with pytest.raises(RunFolderError, match="cannot use the cache folder"):
        build(tmp_path / "file" / "below")


@pytest.mark.parametrize("name", ["crops.npy", "centres.npy", "found.npy"])
@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", "short", "other"])
def test_damaged_cache(tmp_path: Path, name: str, content: bytes | str) -> None:
    build(tmp_path)
    path = tmp_path / "toy-key" / name
    if content == "short":
        path.write_bytes(path.read_bytes()[:-1])
    elif content == "other":
        np.save(path, np.zeros((5, 4, 4)))
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(RunFolderError, match=r"toy-key (is damaged|does not hold 6 crops).* delete it, and it is made"):
        build(tmp_path)
    path.unlink()
    with pytest.raises(RunFolderError, match="toy-key is damaged"):
        build(tmp_path)


def test_key(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"1")
        os.utime(tmp_path / name, ns=(0, 10**9))
    key = source_key(tmp_path, ["a", "b"], ("how", 1))
    assert source_key(tmp_path, ["a", "b"], ("how", 1)) == key
    others = [source_key(tmp_path, ["b", "a"], ("how", 1)), source_key(tmp_path, ["a", "b"], ("how", 2))]
    os.utime(tmp_path / "b", ns=(0, 10**9 + 1))
    others.append(source_key(tmp_path, ["a", "b"], ("how", 1)))
    (tmp_path / "b").write_bytes(b"12")
    os.utime(tmp_path / "b", ns=(0, 10**9))
    others.append(source_key(tmp_path, ["a", "b"], ("how", 1)))
    assert len({key, *others}) == 5
    with pytest.raises(DataFileError, match="c cannot be read: No such file"):
        source_key(tmp_path, ["a", "c"], ())


def test_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQGCN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder(None) == Path("/home/me/.cache/seqgcn")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert cache_folder(None) == Path("/var/cache/seqgcn")
    monkeypatch.setenv("SEQGCN_CACHE", "/data")
    assert cache_folder(None) == Path("/data")


def test_the_key_of_a_data_set_knows_what_its_crops_depend_on(tmp_path: Path, options: CropOptions) -> None:
    root = tmp_path / "lab"
    write_folder(root, {"a": 2})

    def key(chosen: CropOptions = options, **arguments: Any) -> str:
        return crop_key(DepthFolder(root, "all", options=chosen, **arguments))

    first = key()
    assert key() == first
    assert key(replace(options, skip_empty=True)) == first
    centres = tmp_path / "centres.txt"
    others = {
        key(replace(options, size=33)),
        key(replace(options, crop="mass")),
        key(replace(options, crop="mass", near=20)),
        key(replace(options, crop="mass", far=2000)),
        key(replace(options, centre="oracle")),
        key(cube=249),
    }
    for z in (400, 401):
        centres.write_text(f"0 0 {z}\n0 0 400")
        others.add(key(replace(options, centre="file", centres=str(centres))))
    os.utime(root / "a" / "1.png", ns=(0, 0))
    others.add(key())
    assert len(others - {first}) == 9
