"""What commands that look at a folder of depth frames have in common: which frames, and the command once more."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgcn.cli.options import setting
from seqgcn.config.select import DEPTH_FRAMES

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset


def add_frames(parser: argparse.ArgumentParser, *, labelled: str, settings: str) -> None:
    """Add the options that say which frames are looked at.

    Args:
        parser: Of the command.
        labelled: Help of --labelled.
        settings: Help of --set.
    """
    parser.add_argument("root", metavar="ROOT", help="folder of the frames")
    parser.add_argument(
        "--dataset",
        choices=DEPTH_FRAMES,
        default=DEPTH_FRAMES[0],
        help=f"how the folder is laid out (default: {DEPTH_FRAMES[0]})",
    )
    parser.add_argument("--labelled", metavar="FILE", help=labelled)
    parser.add_argument("--set", action="append", type=setting, default=[], metavar="KEY=VALUE", help=settings)


def read_frames(arguments: argparse.Namespace) -> tuple[HandDataset, Path | None]:
    """The frames, not looked at yet, and the list of those that count as labeled, if there is one."""
    from seqgcn.config.registry import load
    from seqgcn.config.run import SelectorSpec, as_config_errors, settle
    from seqgcn.config.select import SelectConfig
    from seqgcn.rounds.inputs import list_hands

    settled = settle({"dataset": arguments.dataset}, dict(arguments.set), SelectorSpec.parse("random"))["dataset"]
    config = SelectConfig(dataset=arguments.dataset, root=arguments.root, labelled=arguments.labelled)
    with as_config_errors():
        return list_hands(config, load("dataset", arguments.dataset)(root=arguments.root, **settled))


def given_words(command: str, arguments: argparse.Namespace) -> list[str]:
    """The words of the command that was given, as far as they say which frames."""
    words = ["seqgcn", command, arguments.root]
    if arguments.dataset != DEPTH_FRAMES[0]:
        words += ["--dataset", arguments.dataset]
    if arguments.labelled is not None:
        words += ["--labelled", arguments.labelled]
    for key, value in arguments.set:
        words += ["--set", f"{key}={setting_text(value)}"]
    return words


def setting_text(value: Any) -> str:
    """A value as `--set` reads it."""
    import yaml

    return str(yaml.safe_dump(value, default_flow_style=True, width=10**6)).removesuffix("\n").removesuffix("\n...")
