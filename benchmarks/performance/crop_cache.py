"""The crop cache: how fast it is built, against decoding alone, and read, against an array in memory.

Building and decoding take as many threads as the machine has cores, and 8 at most. Frames and cache are files the
system holds in memory; random batches are of 64 crops, as float32.
"""

import os
import tempfile
import warnings
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Spread, finish, in_turn, options, prepare, ratio, say, seconds

from seqgcn.datasets.hands import ICVL, CropOptions, HandFrames
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.exceptions import SeqGCNWarning

DECODE, BUILD = "decoding alone", "building the cache"
MAPPED, MEMORY = "memory-mapped cache", "array in memory"
BATCH = 64


def load(root: Path, cache: Path, size: int) -> ICVL:
    """The rendered data set with a cache of its own, not yet built."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeqGCNWarning)  # that these are fewer frames than the release's
        return ICVL(root, options=CropOptions(size=size, cache=str(cache)))


def decode(root: Path, folder: Path, size: int) -> float:
    """Frames a second of decoding alone."""
    dataset = load(root, folder, size)

    def work() -> None:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
            for _ in threads.map(dataset.depth, range(len(dataset))):
                pass

    return len(dataset) / seconds(work, torch.device("cpu"))


def build(root: Path, folder: Path, size: int) -> float:
    """Frames a second of decoding, cropping and writing, until all is on the disk."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        dataset = load(root, Path(cache), size)
        return len(dataset) / seconds(dataset.prepare, torch.device("cpu"))


def read(frames: HandFrames, batches: int, seed: int, device: torch.device) -> float:
    """Crops a second of random batches."""
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, len(frames), (batches, BATCH), generator=draw)

    def work() -> None:
        for some in ids:
            frames.batch(some, device)

    return ids.numel() / seconds(work, device)


def compare(root: Path, folder: Path, arguments: Namespace, device: torch.device) -> dict[str, Any]:
    """Everything measured."""
    say("building")
    made = in_turn(
        {DECODE: partial(decode, root, folder, arguments.size), BUILD: partial(build, root, folder, arguments.size)},
        arguments.pairs,
    )
    mapped = load(root, folder / "read", arguments.size).prepare().frames
    memory = replace(mapped, crops=np.array(mapped.crops))
    say("reading")
    got = in_turn(
        {
            name: partial(read, frames, arguments.batches, arguments.seed, device)
            for name, frames in ((MAPPED, mapped), (MEMORY, memory))
        },
        arguments.pairs,
    )
    return {
        "bytes_of_the_cache": mapped.crops.nbytes,
        "frames_per_second": {name: Spread.of(values) for name, values in made.items()},
        "share_of_decoding": ratio(made[BUILD], made[DECODE]),
        "crops_per_second": {name: Spread.of(values) for name, values in got.items()},
        "share_of_memory": ratio(got[MAPPED], got[MEMORY]),
    }


def main() -> None:
    """Measure, print and write."""
    parser = options("crop_cache", __doc__)
    parser.add_argument("--frames", type=int, default=2_000, help="frames rendered in ICVL's layout")
    parser.add_argument("--size", type=int, default=128, help="pixels along a crop's side")
    parser.add_argument("--batches", type=int, default=200, help="batches read in each round")
    arguments = parser.parse_args()
    device = prepare(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        say("rendering")
        sequences = min(10, arguments.frames)
        root = write_dataset(
            folder / "frames", "icvl", frames=arguments.frames, sequences=sequences, test_frames=2, seed=arguments.seed
        )
        results = compare(root, folder, arguments, device)
    built, crops = results["frames_per_second"], results["crops_per_second"]
    rows = [
        {"": DECODE, "a second": f"{built[DECODE].show()} frames", "ratio": "1"},
        {"": BUILD, "a second": f"{built[BUILD].show()} frames", "ratio": results["share_of_decoding"].show()},
        {"": MEMORY, "a second": f"{crops[MEMORY].show()} crops", "ratio": "1"},
        {"": MAPPED, "a second": f"{crops[MAPPED].show()} crops", "ratio": results["share_of_memory"].show()},
    ]
    finish("crop_cache", arguments, device, rows, results)


if __name__ == "__main__":
    main()
