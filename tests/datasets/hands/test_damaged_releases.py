"""Whatever the bytes of a file, a reader gives a data set with sound poses or one of this package's errors."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hand_releases import (
    RAW,
    RECORDED,
    SETUP,
    rewrite_folder,
    row,
    write_bighand,
    write_folder,
    write_icvl,
    write_msra,
    write_nyu,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqgcn.datasets.hands import ICVL, MSRA, NYU, BigHand, CropOptions, DepthFolder, HandDataset
from seqgcn.exceptions import SeqGCNError

pytestmark = pytest.mark.filterwarnings("ignore::seqgcn.exceptions.SeqGCNWarning")


class Reader(NamedTuple):
    """How to write a small valid data set, which of its files to damage, and how to read it."""

    write: Callable[[Path], object]
    file: str
    read: Callable[[Path], HandDataset]


def _write_centres(folder: Path) -> None:
    write_icvl(folder, recorded=2, rotated=1)
    (folder / "centres.txt").write_text("\n".join(row(torch.tensor([1.0, 2.0, 400.0])) for _ in range(3)))


def _read_centres(folder: Path) -> HandDataset:
    return ICVL(folder, options=CropOptions(centre="file", centres=str(folder / "centres.txt")))


def _write_csv(folder: Path) -> None:
    write_folder(folder, {"a": 3, "b": 1})


def _as(kind: str) -> Callable[[Path], None]:
    """Writes a depth folder whose frames are of another format."""

    def write(folder: Path) -> None:
        write_folder(folder, {"a": 3, "b": 1})
        rewrite_folder(folder, kind)
        (folder / "camera.yaml").write_text(SETUP + {"raw": RAW, "rgb-png": "format: rgb-png\n"}.get(kind, ""))

    return write


def _test_nyu(folder: Path) -> HandDataset:
    return NYU(folder, "test")


def _test_msra(folder: Path) -> HandDataset:
    return MSRA(folder, "test")


def _all(folder: Path) -> HandDataset:
    return DepthFolder(folder, "all")


READERS = {
    "icvl-labels": Reader(write_icvl, "Training/labels.txt", ICVL),
    "icvl-test-labels": Reader(write_icvl, "Testing/test_seq_2.txt", lambda root: ICVL(root, "test")),
    "icvl-frame": Reader(write_icvl, f"Training/Depth/{RECORDED}/image_0000.png", ICVL),
    "centres": Reader(_write_centres, "centres.txt", _read_centres),
    "nyu-labels": Reader(lambda root: write_nyu(root, {"test": 1}), "test/joint_data.mat", _test_nyu),
    "nyu-frame": Reader(lambda root: write_nyu(root, {"test": 1}), "test/depth_1_0000001.png", _test_nyu),
    "msra-labels": Reader(lambda root: write_msra(root, {"P0/1": 2}), "P0/1/joint.txt", _test_msra),
    "msra-frame": Reader(lambda root: write_msra(root, {"P0/1": 2}), "P0/1/000000_depth.bin", _test_msra),
    "bighand-labels": Reader(lambda root: write_bighand(root, 3), "Training_Annotation.txt", BigHand),
    "bighand-frame": Reader(lambda root: write_bighand(root, 3), "images/image_D00000001.png", BigHand),
    "folder-camera": Reader(_write_csv, "camera.yaml", _all),
    "folder-labels": Reader(_write_csv, "labels.csv", DepthFolder),
    "folder-frame": Reader(_write_csv, "a/1.png", _all),
    "folder-rgb-frame": Reader(_as("rgb-png"), "a/1.png", _all),
    "folder-tiff-frame": Reader(_as("tiff"), "a/1.tif", _all),
    "folder-npy-frame": Reader(_as("npy"), "a/1.npy", _all),
    "folder-raw-frame": Reader(_as("raw"), "a/1.bin", _all),
    "folder-raw-camera": Reader(_as("raw"), "camera.yaml", _all),
}


class Damaged:
    """A data set that can be read with other bytes in one of its files."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        reader.write(folder)
        self.reader, self.folder = reader, folder
        self.path = folder / reader.file
        self.original = self.path.read_bytes()

    def read(self, content: bytes) -> HandDataset | SeqGCNError:
        self.path.write_bytes(content)
        try:
            dataset = self.reader.read(self.folder)
            labelled = dataset.joints[dataset.labelled]
            assert (labelled[..., 2] > 0).all()
            assert dataset.joints[~dataset.labelled].isnan().all()
            depth = dataset.depth(0).depth
            assert (depth >= 0).all()
            assert depth.isfinite().all()
        except SeqGCNError as error:
            return error
        return dataset


@pytest.fixture(scope="module", params=READERS)
def damaged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Damaged:
    return Damaged(READERS[request.param], tmp_path_factory.mktemp("data"))


quick = settings(max_examples=40, deadline=None, derandomize=True)

TEXT = (
    b" ",
    b"\n",
    b"\r",
    b"\t",
    b",",
    b"-",
    b"1",
    b"e9",
    b"nan",
    b"../",
    b"/",
    b"\\",
    b"\0",
    b"\xff",
    b'"',
    b": ",
    b"[",
)


def test_the_undamaged_file_is_read(damaged: Damaged) -> None:
    assert isinstance(damaged.read(damaged.original), HandDataset)


@quick
@given(content=st.binary(max_size=400) | st.text(max_size=100).map(str.encode))
@example(content=b"")
@example(content=b"0")
@example(content=b"\x1c")
def test_any_bytes(damaged: Damaged, content: bytes) -> None:
    damaged.read(content)


@quick
@given(
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.binary(max_size=4) | st.sampled_from(TEXT), st.integers(0, 4)),
        min_size=1,
        max_size=4,
    )
)
def test_edited_bytes(damaged: Damaged, edits: list[tuple[float, bytes, int]]) -> None:
    content = bytearray(damaged.original)
    # A third of the edits goes to the first bytes, where headers are.
    for where, new, old in edits:
        place = int(where * 3 * 60) if where < 1 / 3 else int((where - 1 / 3) * 1.5 * len(content))
        place = min(place, len(content))
        content[place : place + old] = new
    damaged.read(bytes(content))


@quick
@given(share=st.floats(0, 1, exclude_max=True))
def test_cut_off(damaged: Damaged, share: float) -> None:
    damaged.read(damaged.original[: int(share * len(damaged.original))])
