"""What half a million frames of a depth folder take before the first crop: listing, sizes and times, frames of videos.

Frames are hard links to one small PNG a sequence, so that the folder takes no room; names are numbers or time stamps.
Every measurement is made in a process of its own, whose memory is its own.
"""

import os
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import Spread, finish, in_child, in_turn, options, peak_memory, prepare, say
from PIL import Image

from seqgcn.datasets.hands import DepthFolder
from seqgcn.datasets.hands.folder_files import FolderFiles
from seqgcn.rounds.constraints import Videos

CAMERA = "fx: 60\nfy: 60\ncx: 32\ncy: 24\ncube: 250\njoints: [palm, tip]\n"
NAMES: dict[str, Callable[[int], str]] = {
    "numbers": lambda i: f"image_{i:06d}.png",
    "time stamps": lambda i: f"{1305031102 + i // 30}.{i % 30 * 100_000 // 3:06d}.png",
}
LIST, OPEN, KEY, VIDEOS = "listing", "DepthFolder", "fingerprint of the files", "frames of videos"


def make_folder(top: Path, frames: int, sequences: int, name: Callable[[int], str]) -> None:
    """A depth folder; a frame is a link to the first of its sequence."""
    top.mkdir()
    (top / "camera.yaml").write_text(CAMERA)
    picture = Image.fromarray(np.full((48, 64), 500, np.uint16))
    for sequence in range(sequences):
        folder = top / f"seq{sequence}"
        folder.mkdir()
        count = frames // sequences + (sequence < frames % sequences)
        picture.save(folder / name(0))
        for i in range(1, count):
            os.link(folder / name(0), folder / name(i))


def measure(top: str) -> dict[str, float]:
    """Seconds of each step, and bytes at the peak beyond what imports take."""
    found: dict[str, float] = {}

    def timed(what: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        found[what] = time.perf_counter() - start
        return result

    import torch

    with peak_memory(torch.device("cpu")) as memory:
        timed(LIST, lambda: FolderFiles(Path(top)).frames(None))
        dataset = timed(OPEN, lambda: DepthFolder(top, "all"))
        timed(KEY, dataset._key)
        timed(VIDEOS, lambda: Videos.of(dataset.files))
    return {**found, "bytes": memory["bytes"], "frames": len(dataset)}


def compare(frames: int, arguments: Namespace, names: str) -> dict[str, Any]:
    """Everything measured of one folder."""
    with tempfile.TemporaryDirectory(dir=arguments.where) as folder:
        top = Path(folder) / "lab"
        say(f"{frames:,} frames named by {names}: linking")
        make_folder(top, frames, arguments.sequences, NAMES[names])
        found = in_turn({"all": lambda: in_child(measure, str(top))}, arguments.pairs)["all"]
    assert all(each["frames"] == frames for each in found)
    steps = {step: Spread.of([each[step] for each in found]) for step in (LIST, OPEN, KEY, VIDEOS, "bytes")}
    return {"frames": frames, "names": names, **steps}


def main() -> None:
    """Measure, print and write."""
    parser = options("listing", __doc__, pairs=3)
    parser.add_argument("--frames", type=int, nargs="+", default=[50_000, 500_000], help="in a folder")
    parser.add_argument("--sequences", type=int, default=50, help="folders in it")
    parser.add_argument("--where", type=Path, help="folder for the temporary files; must allow hard links")
    arguments = parser.parse_args()
    device = prepare(arguments)
    results = [compare(frames, arguments, names) for frames in arguments.frames for names in NAMES]
    rows = [
        {
            "frames": f"{each['frames']:,}",
            "names": each["names"],
            **{f"{step} (s)": each[step].show() for step in (LIST, OPEN, KEY, VIDEOS)},
            "peak memory (MiB)": each["bytes"].show(".0f", 2**-20),
        }
        for each in results
    ]
    finish("listing", arguments, device, rows, results)


if __name__ == "__main__":
    main()
