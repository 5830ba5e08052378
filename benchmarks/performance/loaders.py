"""Frames a second from a file to a crop, format by format, against nothing but decoding the PNG files.

Rendered frames in each release's own layout, as files the system holds in memory, on one core. MSRA's frames are not
compressed; they are measured against ICVL's PNG files, which are of the same size in pixels.
"""

import tempfile
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Spread, finish, in_turn, options, prepare, ratio, say, seconds
from PIL import Image

from seqgcn.datasets.hands import ICVL, MSRA, NYU, BigHand, DepthFolder, HandDataset
from seqgcn.datasets.hands.crop import centre_of_mass, crop
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.datasets.hands.rendering.layouts import LAYOUTS, LayoutName
from seqgcn.exceptions import SeqGCNWarning

LOADERS: dict[LayoutName, Callable[[Path], HandDataset]] = {
    "icvl": ICVL,
    "nyu": NYU,
    "msra": MSRA,
    "hands17": BigHand,
    "depth-folder": DepthFolder,
}
RAW, DECODE, CROP = "PNG decode alone", "decode", "decode, centre and crop"


def render(layout: LayoutName, folder: Path, arguments: Namespace) -> HandDataset:
    """A rendered data set, written and opened."""
    say(f"{layout}: rendering")
    has_test = LAYOUTS[layout].has_test
    write_dataset(
        folder,
        layout,
        frames=arguments.frames,
        sequences=min(10, arguments.frames),
        test_frames=2 if has_test else None,
        seed=arguments.seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeqGCNWarning)  # that these are fewer frames than the release's
        return LOADERS[layout](folder)


def decode_png(files: Sequence[Path]) -> None:
    """What nobody can do without."""
    for file in files:
        with Image.open(file) as image:
            np.asarray(image)


def decode(dataset: HandDataset) -> None:
    """Every frame in mm."""
    for i in range(len(dataset)):
        dataset.depth(i)


def decode_and_crop(dataset: HandDataset, size: int) -> None:
    """Every frame's crop, as the crop cache makes it."""
    near, far = dataset.options.near, dataset.options.far
    for i in range(len(dataset)):
        image, cube = dataset.depth(i), float(dataset.cube[i])
        centre = centre_of_mass(image, dataset.camera, cube, near, far)
        assert centre is not None
        assert crop(image, centre, cube, dataset.camera, size) is not None


def compare(dataset: HandDataset, png: Sequence[Path], arguments: Namespace, device: torch.device) -> dict[str, Any]:
    """Everything measured of one format; `png` are the files to decode for comparison."""

    def rate(work: Callable[[], None], frames: int) -> float:
        return frames / seconds(work, device)

    found = in_turn(
        {
            RAW: partial(rate, partial(decode_png, png), len(png)),
            DECODE: partial(rate, partial(decode, dataset), len(dataset)),
            CROP: partial(rate, partial(decode_and_crop, dataset, arguments.size), len(dataset)),
        },
        arguments.pairs,
    )
    return {
        "frames": len(dataset),
        "image": [dataset.camera.width, dataset.camera.height],
        "mean_bytes_of_a_file": sum((dataset.root / file).stat().st_size for file in dataset.files) / len(dataset),
        "frames_per_second": {name: Spread.of(values) for name, values in found.items()},
        "share_of_png_decode": {name: ratio(values, found[RAW]) for name, values in found.items()},
    }


def main() -> None:
    """Measure, print and write."""
    parser = options("loaders", __doc__)
    parser.set_defaults(threads=1)
    parser.add_argument("--frames", type=int, default=300, help="frames rendered in each format")
    parser.add_argument("--size", type=int, default=128, help="pixels along a crop's side")
    arguments = parser.parse_args()
    device = prepare(arguments)
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        datasets = {layout: render(layout, Path(folder) / layout, arguments) for layout in LOADERS}
        for layout, dataset in datasets.items():
            say(layout)
            source = datasets["icvl"] if layout == "msra" else dataset
            results[layout] = compare(dataset, [source.root / file for file in source.files], arguments, device)
    rows = [
        {
            "format": layout + (" (against icvl's PNG)" if layout == "msra" else ""),
            "image": " x ".join(map(str, result["image"])),
            **{f"{name}, frames/s": spread.show() for name, spread in result["frames_per_second"].items()},
            "decode / PNG decode": result["share_of_png_decode"][DECODE].show(".0%"),
            "with crop / PNG decode": result["share_of_png_decode"][CROP].show(".0%"),
        }
        for layout, result in results.items()
    ]
    finish("loaders", arguments, device, rows, {"formats": results, "pillow": version("Pillow")})


if __name__ == "__main__":
    main()
