"""The options of a command that are the fields of a configuration."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from seqgcn.config.registry import CATALOGUE
from seqgcn.config.run import options, parse_setting
from seqgcn.exceptions import ArgumentError, ConfigError

WHOLE = ("initial", "cycles", "subset", "pool_size", "test_size", "seeds", "seed")


def add_options(group: Any, config: type) -> None:
    """Add an option for each field of a configuration; what is not given is left out of the arguments."""
    for option in options(config):
        settings: dict[str, Any] = {"dest": option.name, "default": argparse.SUPPRESS}
        shown = option.metadata.get("shown", option.default)
        if isinstance(option.default, bool):
            settings |= {"action": argparse.BooleanOptionalAction}
            shown = "on" if option.default else "off"
        elif option.name == "set":
            settings |= {"action": "append", "type": setting}
            shown = "none"
        elif isinstance(option.default, tuple):
            settings |= {"nargs": "+"}
            shown = " ".join(map(str, option.default))
        elif shown is None:
            shown = "none"
        if option.name != "set" and option.metadata.get("unit"):
            settings |= {"metavar": "N"}
        if option.metadata.get("metavar"):
            settings |= {"metavar": option.metadata["metavar"]}
        if option.name in WHOLE or option.name == "budget":
            settings |= {"type": float if isinstance(option.default, float) else int}
        if option.metadata.get("parse"):
            settings |= {"type": partial(_parsed, option.metadata["parse"])}
        text = option.metadata["help"]
        if option.metadata.get("kind"):
            settings |= {"metavar": "NAME"}
            text += ": " + ", ".join(CATALOGUE[option.metadata["kind"]])
        unit = f"{option.metadata['unit']}, " if option.metadata.get("unit") else ""
        flags = ["--seeds", "--seed"] if option.name == "seeds" else [f"--{option.name.replace('_', '-')}"]
        group.add_argument(*flags, help=f"{text} ({unit}default: {shown})", **settings)


def _parsed(parse: Callable[[str], Any], text: str) -> Any:
    """The value of an option that reads itself."""
    try:
        return parse(text)
    except ArgumentError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def setting(text: str) -> tuple[str, Any]:
    """`KEY=VALUE` of the command line."""
    try:
        return parse_setting(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_accept_crops(group: Any) -> None:
    """Add --accept-crops, which is short for a parameter of hand pose data sets."""
    group.add_argument(
        "--accept-crops",
        action="store_true",
        help="go on although the hand was not found for sure in most frames, as --set dataset.accept_crops=true does "
        "(default: off)",
    )


def add_accept_labels(group: Any) -> None:
    """Add --accept-labels, likewise."""
    group.add_argument(
        "--accept-labels",
        action="store_true",
        help="go on although labels look wrong, of another unit, other axes, another hand or camera, as --set "
        "dataset.accept_labels=true does (default: off)",
    )


def add_threads(group: Any) -> None:
    """Add --threads, which `main` heeds for every command."""
    group.add_argument(
        "--threads",
        type=_threads,
        metavar="N",
        help="threads of tensors and linear algebra; results may differ with it in their last bits (default: one a "
        "processor that may be used)",
    )


def _threads(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {count}")
    return count


def given_options(arguments: argparse.Namespace, config: type) -> dict[str, Any]:
    """The fields of a configuration that the command line gave."""
    given = {item.name: getattr(arguments, item.name) for item in options(config) if hasattr(arguments, item.name)}
    for accepted in ("accept_crops", "accept_labels"):
        if getattr(arguments, accepted, False):
            given["set"] = {**dict(given.get("set", {})), f"dataset.{accepted}": True}
    return given


def merged(from_file: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a file and of the command line, which wins; of `set`, key by key."""
    values = {**from_file, **given}
    if "set" in given:
        values["set"] = {**from_file.get("set", {}), **dict(given["set"])}
    return values
