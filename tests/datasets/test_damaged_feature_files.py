"""Whatever the bytes of a file, reading features gives these or one of this package's errors, at little cost."""

import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets.features_on_disk import fails, write
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy
from safetensors.numpy import save

from seqgcn.datasets import feature_files as features
from seqgcn.datasets.feature_files import read_features
from seqgcn.exceptions import SeqGCNError

X = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
quick = settings(max_examples=100, deadline=None, derandomize=True)


def saved(save_array: Callable[..., Any], *arrays: np.ndarray, **named: np.ndarray) -> bytes:
    file = BytesIO()
    save_array(file, *arrays, **named)
    return file.getvalue()


FILES: dict[str, bytes] = {
    "x.npy": saved(np.save, X),
    "stored.npz": saved(np.savez, x=X),
    "packed.npz": saved(np.savez_compressed, x=X),
    "x.safetensors": save({"x": X}),
}


def claim(shape: str, descr: str = "'<f4'", order: str = "False", version: bytes = b"\1\0") -> bytes:
    """Header of a .npy that says what it likes."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return npy.MAGIC_PREFIX + version + struct.pack("<H" if version == b"\1\0" else "<I", len(text)) + text


def peak(read: Callable[[], Any]) -> int:
    """Bytes Python and NumPy have at most while something is read."""
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_finite_values_are_looked_for_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.npy", saved(np.save, np.ones((4000, 500))))
    monkeypatch.setattr(features, "BLOCK_BYTES", 2**18)
    assert peak(lambda: read_features(path)) < 2**20 < path.stat().st_size / 10


HUGE = [
    "(10**12, 4)",
    "(1000000000000, 4)",
    f"({2**62}, 4)",
    f"({2**64 + 1}, 1)",
    f"({10**400}, 4)",
    "(-4, -3)",
    "(-1, 3)",
]


@pytest.mark.parametrize("shape", HUGE)
@pytest.mark.parametrize("version", [b"\1\0", b"\2\0"])
def test_headers_that_claim_too_much(tmp_path: Path, shape: str, version: bytes) -> None:
    content = claim(shape, version=version) + X.tobytes()
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
    for path in (write(tmp_path / "x.npy", content), write(tmp_path / "x.npz", file.getvalue())):
        assert peak(lambda path=path: fails(path, "promises|must be 2-D|cannot be read")) < 2**20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as .npy"),
        (b"\x93NUMPX\1\0", "cannot be read as .npy"),
        (FILES["stored.npz"], "cannot be read as .npy"),
        (
            FILES["x.npy"][:-1],
            r"promises float32 \[4, 3\], 176 bytes with the header, but there are 175; it is cut off",
        ),
        (FILES["x.npy"] + b"\0", "but there are 177"),
        (npy.MAGIC_PREFIX + b"\2\0" + struct.pack("<I", 2**32 - 1) + b" " * 99, "cannot be read as .npy"),
        (npy.MAGIC_PREFIX + b"\3\0" + struct.pack("<I", 9) + b" " * 99, r"version 3\.0 of \.npy"),
        (claim("(4, 3)", "'<f4' + 1") + X.tobytes(), "cannot be read as .npy"),
        (claim("(True, 12)", order="1") + X.tobytes(), "cannot be read as .npy"),
        (claim("(" * 3000) + X.tobytes(), "cannot be read as .npy"),
        (claim("(4, 3)" + " " * 11_000) + X.tobytes(), "cannot be read as .npy"),
    ],
)
def test_damaged_numpy_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = write(tmp_path / "x.npy", content)
    assert peak(lambda: fails(path, message)) < 2**21


def deflated(content: bytes) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
    return file.getvalue()


def with_sizes(content: bytes, packed: int | None, unpacked: int) -> bytes:
    """An archive of one member whose directory claims other sizes."""
    edited = bytearray(content)
    entry = content.rindex(b"PK\1\2")
    if packed is not None:
        edited[entry + 20 : entry + 24] = struct.pack("<I", packed)
    edited[entry + 24 : entry + 28] = struct.pack("<I", unpacked)
    return bytes(edited)


def test_bombs(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    zeros = deflated(claim("(2000, 1000)") + bytes(8_000_000))
    assert read_features(write(path, zeros)).shape == (2000, 1000)
    # More behind the array than its header says.
    write(path, deflated(claim("(4, 3)") + bytes(8_000_000)))
    assert peak(lambda: fails(path, r"promises float32 \[4, 3\], .* but there are 80000\d\d")) < 2**20
    # More than deflate can pack, though header and directory agree.
    many = claim(f"({2**28}, 3)")
    for packed in (None, 2**32 - 1):
        write(path, with_sizes(deflated(many + bytes(48)), packed, len(many) + 3 * 2**30))
        assert peak(lambda: fails(path, r"bytes claim to unpack to 32\d+, which looks like a bomb")) < 2**20


def test_too_large_for_its_packed_size(tmp_path: Path) -> None:
    """Two gigabytes, which deflate could pack into these; random bytes stand in for what would take long to pack."""
    many = claim(f"({2**28}, 2)")
    content = deflated(many + np.random.default_rng(0).bytes(3 * 2**20))
    path = write(tmp_path / "x.npz", with_sizes(content, None, len(many) + 2**31))
    assert peak(lambda: fails(path, "looks like a bomb")) < 2**20


def test_a_member_that_ends_early(tmp_path: Path) -> None:
    header = claim("(400, 3)")
    content = with_sizes(deflated(header + bytes(48)), None, len(header) + 4800)
    fails(write(tmp_path / "x.npz", content), "cut off: 4752 bytes of the array are missing|cannot be read")


def test_packed_in_another_way(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("x.npy", FILES["x.npy"])
    fails(tmp_path / "x.npz", "packed in a way NumPy never does")


def test_a_checksum_is_checked(tmp_path: Path) -> None:
    content = bytearray(FILES["stored.npz"])
    content[content.index(X.tobytes()) + 5] ^= 1
    fails(write(tmp_path / "x.npz", bytes(content)), "cannot be read as .npz .BadZipFile")


@pytest.mark.parametrize(
    ("shape", "offsets"), [([10**12, 4], [0, 48]), ([2**62, 4], [0, 48]), ([4, 3], [0, 2**60]), ([-4, -3], [0, 48])]
)
def test_safetensors_headers_that_claim_too_much(tmp_path: Path, shape: list[int], offsets: list[int]) -> None:
    header = f'{{"x":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}'.encode()
    path = write(tmp_path / "x.safetensors", struct.pack("<Q", len(header)) + header + bytes(48))
    assert peak(lambda: fails(path, "cannot be read as .safetensors")) < 2**22


class Damaged:
    """A file that can be read, with other bytes in it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path, self.original = folder / name, FILES[name]

    def read(self, content: bytes) -> np.ndarray | None:
        """Features, or None if they are refused in the documented way."""
        # A new file each time, as one that is mapped may not shrink.
        self.path.unlink(missing_ok=True)
        self.path.write_bytes(content)
        found: list[np.ndarray] = []

        def read() -> None:
            with suppress(SeqGCNError):
                found.append(read_features(self.path))

        assert peak(read) < 2**22
        for values in found:
            assert values.ndim == 2
            assert values.dtype in (np.float16, np.float32, np.float64)
            assert values.nbytes <= 1032 * len(content)
            assert np.isfinite(values).all()
        return found[0] if found else None


@pytest.fixture(scope="module", params=FILES)
def damaged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Damaged:
    damaged = Damaged(tmp_path_factory.mktemp("damaged"), request.param)
    read_features(write(damaged.path, damaged.original))  # imports what it needs
    return damaged


@quick
@given(content=st.binary(max_size=300), start=st.integers(0, 100))
@example(content=b"", start=0)
def test_any_bytes_after_a_valid_start(damaged: Damaged, content: bytes, start: int) -> None:
    damaged.read(damaged.original[:start] + content)


@quick
@given(more=st.binary(min_size=1, max_size=300))
def test_any_bytes_after_the_end(damaged: Damaged, more: bytes) -> None:
    values = damaged.read(damaged.original + more)
    assert values is None or np.array_equal(values, X)


@settings(quick, max_examples=200)
@given(edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=3))
def test_flipped_bytes(damaged: Damaged, edits: list[tuple[float, int]]) -> None:
    content = bytearray(damaged.original)
    for where, flip in edits:
        content[int(where * len(content))] ^= flip
    damaged.read(bytes(content))


@quick
@given(where=st.floats(0, 1), old=st.integers(0, 8), new=st.binary(max_size=8))
def test_bytes_replaced(damaged: Damaged, where: float, old: int, new: bytes) -> None:
    place = int(where * len(damaged.original))
    damaged.read(damaged.original[:place] + new + damaged.original[place + old :])


def test_cut_off_anywhere(damaged: Damaged) -> None:
    for length in range(len(damaged.original)):
        assert damaged.read(damaged.original[:length]) is None


def test_every_byte_flipped(damaged: Damaged) -> None:
    """A compressed file has a checksum over its array, so that it is this one or none."""
    for place in range(len(damaged.original)):
        for flip in (1, 0x20, 0x80, 0xFF):
            content = bytearray(damaged.original)
            content[place] ^= flip
            values = damaged.read(bytes(content))
            if damaged.path.suffix == ".npz":
                assert values is None or np.array_equal(values, X)
