"""`seqgcn render`."""

from __future__ import annotations

import argparse
from typing import Any

from seqgcn.cli.codes import DONE
from seqgcn.cli.options import add_threads
from seqgcn.exceptions import ArgumentError, ConfigError
from seqgcn.utils.progress import Bars

LAYOUTS = ("icvl", "nyu", "msra", "hands17", "depth-folder")
SENSORS = ("sr305", "kinect1", "realsense-d435", "kinect2", "ideal")
SCENES = ("bare", "arm", "body", "table", "objects", "mixed")


def add_to(commands: Any) -> None:
    """Add the command."""
    render = commands.add_parser(
        "render",
        help="write rendered hand frames in the layout of a data set",
        description="Write depth frames of rendered, moving hands, with their poses, in the official layout of a hand "
        "pose data set. Test sequences show other subjects.",
    )
    render.set_defaults(command=_render)
    render.add_argument("folder", metavar="DIR", help="new or empty folder")
    render.add_argument("--layout", choices=LAYOUTS, default="icvl", help="default: icvl")
    render.add_argument(
        "--scene",
        choices=SCENES,
        help="what is in view beside the hand: nothing (bare), an arm from any side, a body with one hand raised or "
        "both, a table with things on it, or objects before the hand and in it; mixed: another one in each sequence "
        "(default: mixed for depth-folder, bare for the layouts of releases)",
    )
    render.add_argument(
        "--sensor",
        choices=SENSORS,
        help="takes the frames of depth-folder: structured light (sr305, kinect1), stereo (realsense-d435), time of "
        "flight (kinect2), or an ideal one (default: 1.5 mm of noise, whole mm)",
    )
    render.add_argument("--frames", type=int, default=5000, metavar="N", help="training frames (default: 5000)")
    render.add_argument("--sequences", type=int, default=10, metavar="N", help="training sequences (default: 10)")
    render.add_argument("--test-frames", type=int, metavar="N", help="test frames (default: a third of the frames)")
    render.add_argument("--seed", type=int, default=0, metavar="N", help="of subjects, movements, noise (default: 0)")
    add_threads(render)
    render.add_argument("--quiet", action="store_true", help="no progress bar (default: off)")


def _render(arguments: argparse.Namespace) -> int:
    from seqgcn.datasets.hands.rendering import write_dataset

    with Bars(hidden=arguments.quiet) as bars:
        try:
            folder = write_dataset(
                arguments.folder,
                arguments.layout,
                frames=arguments.frames,
                sequences=arguments.sequences,
                test_frames=arguments.test_frames,
                seed=arguments.seed,
                scene=arguments.scene,
                sensor=arguments.sensor,
                progress=bars,
            )
        except ArgumentError as error:
            raise ConfigError(str(error)) from error
    print(f"rendered {arguments.layout} data set: {folder}")
    return DONE
