"""`seqgcn init`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgcn.cli.codes import DONE
from seqgcn.cli.options import add_threads
from seqgcn.exceptions import ArgumentError, ConfigError, DataFileError
from seqgcn.utils.progress import Bars

if TYPE_CHECKING:
    from seqgcn.datasets.hands.camera_info import Lens
    from seqgcn.datasets.hands.folder_start import Described
    from seqgcn.datasets.hands.frame_files import FrameFormat

LENS = ("fx", "fy", "cx", "cy")
SKELETONS = ("bighand", "msra", "icvl", "nyu")
FORMATS = ("png", "rgb-png", "tiff", "npy", "raw")
PAGE = "camera.html"
LOOKED_AT = 24


def add_to(commands: Any) -> None:
    """Add the command."""
    init = commands.add_parser(
        "init",
        help="write a camera.yaml for a recording of depth frames",
        description="Write ROOT/camera.yaml, which --dataset depth-folder needs: intrinsics from the camera's own "
        "file (camera_info, RealSense, Azure Kinect, Open3D), from options, or asked for on a terminal; depth_scale, "
        "joints, hand and cube as given, or guessed. Then write a page of frames with the windows in which hands were "
        "found, to see whether they are right.",
    )
    init.set_defaults(command=_init)
    init.add_argument("root", metavar="ROOT", help="folder of the frames, or of folders of frames")
    for name, meaning in zip(
        LENS,
        (
            "focal length along the width",
            "focal length along the height",
            "principal point from the left",
            "from the top",
        ),
        strict=True,
    ):
        init.add_argument(
            f"--{name}", type=float, metavar="PX", help=f"{meaning}, px (default: from the camera's file, or asked for)"
        )
    init.add_argument(
        "--depth-scale", type=float, metavar="MM", help="millimeters a unit of the files (default: guessed)"
    )
    init.add_argument("--hand", choices=("left", "right"), help="which hand is shown (default: right)")
    init.add_argument("--cube", type=float, metavar="MM", help="side of the cube around a hand, mm (default: 250)")
    init.add_argument(
        "--skeleton",
        choices=SKELETONS,
        help="joints to begin with: 21 (bighand, msra), 16 (icvl), 14 (nyu) (default: those in the header of "
        "labels.csv, else bighand)",
    )
    init.add_argument("--format", choices=FORMATS, help="how frames are stored (default: by their suffix)")
    init.add_argument("--shape", metavar="ROWSxCOLUMNS", help="of raw frames, such as 480x640 (default: none)")
    init.add_argument("--dtype", help="of raw frames, such as uint16 (default: none)")
    init.add_argument(
        "--force",
        action="store_true",
        help="replace a camera.yaml; the old one is kept as camera.yaml.bak (default: off)",
    )
    init.add_argument(
        "--out", metavar="FILE", default=PAGE, help=f"page to write; an earlier page is replaced (default: {PAGE} here)"
    )
    add_threads(init)
    init.add_argument("--quiet", action="store_true", help="no progress bar, no summary (default: off)")


def _init(arguments: argparse.Namespace) -> int:
    from seqgcn.datasets.hands.folder_start import camera_text, look_at_recording
    from seqgcn.utils.files import write_text

    form, given = _form(arguments), _given(arguments)
    path = Path(arguments.root).expanduser() / "camera.yaml"
    if os.path.lexists(path) and not arguments.force:
        raise DataFileError(f"{path} is there already; --force replaces it and keeps the old one as camera.yaml.bak")
    known = look_at_recording(
        arguments.root, lens=given, form=form, scale=arguments.depth_scale, skeleton=arguments.skeleton
    )
    lens = known.lens
    if lens is None and not known.own_lenses:
        lens = _ask(known)
    text = camera_text(known, lens, hand=arguments.hand, cube=arguments.cube, form=form)
    if os.path.lexists(path):
        os.replace(path, path.with_name("camera.yaml.bak"))
    write_text(path, text)
    if not arguments.quiet:
        print(f"camera: {path}")
        print(f"depth_scale: {known.scale:g} ({known.scale_why})")
    _show(arguments)
    return DONE


def _given(arguments: argparse.Namespace) -> Lens | None:
    """Intrinsics from options."""
    from seqgcn.datasets.hands.camera_info import Lens
    from seqgcn.utils.validation import check_number

    values = {name: getattr(arguments, name) for name in LENS}
    try:
        for name, (low, high) in {"depth_scale": (0, 1e4), "cube": (1, 1e5)}.items():
            if getattr(arguments, name) is not None:
                check_number(name.replace("_", "-"), getattr(arguments, name), low=low, high=high, open_low=not low)
        missing = [f"--{name}" for name, value in values.items() if value is None]
        if len(missing) == len(LENS):
            return None
        if missing:
            raise ArgumentError(f"{', '.join(missing)} is missing; give all of --fx, --fy, --cx and --cy (px), or none")
        return _lens_of(values, Path(arguments.root), Lens)
    except ArgumentError as error:
        raise ConfigError(str(error)) from error


def _lens_of(values: dict[str, float], path: Path, kind: Any) -> Lens:
    from seqgcn.utils.validation import check_number

    focal = [check_number(name, values[name], low=1, high=1e6) for name in LENS[:2]]
    point = [check_number(name, values[name], low=-1e6, high=1e6) for name in LENS[2:]]
    lens: Lens = kind(*focal, *point, None, path)
    return lens


def _form(arguments: argparse.Namespace) -> FrameFormat | None:
    """How frames are stored, if that is given."""
    from seqgcn.datasets.hands.frame_files import NUMBERS, FrameFormat

    raw = arguments.format == "raw"
    if raw != (arguments.shape is not None) or raw != (arguments.dtype is not None):
        raise ConfigError("--format raw, --shape ROWSxCOLUMNS and --dtype (such as uint16) go together")
    if not raw:
        return None if arguments.format is None else FrameFormat(arguments.format)
    sides = arguments.shape.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise ConfigError(f"--shape must be rows and columns such as 480x640, got {arguments.shape!r}")
    if arguments.dtype.removeprefix(">") not in NUMBERS:
        raise ConfigError(f"--dtype must be one of {', '.join(NUMBERS)}, got {arguments.dtype!r}")
    return FrameFormat("raw", 1.0, (int(sides[0]), int(sides[1])), arguments.dtype)


def _ask(known: Described) -> Lens:
    """Intrinsics from whoever sits at the terminal."""
    from seqgcn.datasets.hands.camera_info import Lens

    width, height = known.size
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(
            f"no file in {known.top} has the camera's intrinsics; give those of the depth stream at {width} x {height} "
            "px: --fx, --fy, --cx and --cy (px), or put the camera's camera_info.yaml or intrinsics.json there"
        )
    print(f"Intrinsics of the depth stream at {width} x {height} px, in px:")
    values = {}
    for name, usual in zip(LENS, (None, None, width / 2, height / 2), strict=True):
        hint = "" if usual is None else f" (about {usual:g})"
        while name not in values:
            try:
                values[name] = float(input(f"  {name}{hint}: "))
            except ValueError:
                print("  a number, such as 460.5")
            except EOFError:
                raise ConfigError(f"no answer for {name}; give --fx, --fy, --cx and --cy (px)") from None
    try:
        return _lens_of(values, known.top, Lens)
    except ArgumentError as error:
        raise ConfigError(str(error)) from error


def _show(arguments: argparse.Namespace) -> None:
    """Read the folder as it is described now, and write the page."""
    import torch

    from seqgcn.datasets.hands.checks import check_dataset
    from seqgcn.datasets.hands.crop_views import look_at_crops
    from seqgcn.datasets.hands.depth_folder import DepthFolder
    from seqgcn.report.html import crops_page, write_page

    with Bars(hidden=arguments.quiet) as bars:
        hands = DepthFolder(arguments.root, "all")
        report = check_dataset(hands)
        total = len(hands)
        some = hands.subset(torch.linspace(0, total - 1, min(total, LOOKED_AT)).round().long())
        shown = look_at_crops(some, LOOKED_AT, progress=bars)
    root = shlex.quote(arguments.root)
    page = crops_page(shown, root=arguments.root, again=f"seqgcn crops {root}")
    write_page(Path(arguments.out), page)
    for finding in report.findings:
        print(f"look at this: {finding}")
    print(f"page: {arguments.out}")
    if not arguments.quiet:
        print(f"then: seqgcn crops {root}, seqgcn check {root}, seqgcn select --dataset depth-folder --root {root}")
