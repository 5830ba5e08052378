"""`round.yaml`, which says what a round was asked: reading it, comparing it, going on from it."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqgcn.config.registry import DEFAULT_LEARNER
from seqgcn.config.run import FINGERPRINT, PATHS, options, options_of, portable, read_mapping
from seqgcn.config.select import CENTER, DEFAULT_SELECTOR, JOINTS, SelectConfig
from seqgcn.exceptions import ConfigError, RunFolderError
from seqgcn.rounds.class_import import CLASS_LABELS, is_class_round, next_classes
from seqgcn.rounds.click_import import CENTERS
from seqgcn.rounds.handoff import LABELS
from seqgcn.utils.run_directory import RunDirectory, as_read

ROUND, LABELLED = "round.yaml", "labelled"
"""The record of a round, and what it calls the number of labels that there were."""

_PATHS = ("root", "features", "targets", "items", "labelled", "exclude", "candidates", "cost", "document_root")
"""Files may have moved when a round goes on; what they hold may not have changed, as its fingerprint tells."""


def round_directory(folder: Path) -> RunDirectory:
    """The folder of a round."""
    return RunDirectory(folder, ROUND, "round")


def held_config(folder: Path, resume: bool = True) -> dict[str, Any]:
    """What a round's folder was asked for, to go on with it.

    Args:
        folder: Of the round.
        resume: Whether to finish it, for the message.

    Raises:
        RunFolderError: It holds no round, or what it holds cannot be read.
    """
    return dict(read_round(folder, resume)["select"])


def config_of(path: str | Path) -> dict[str, Any]:
    """The options in a YAML file, which may be the `round.yaml` of another round.

    Raises:
        MissingFileError: There is no such file.
        ConfigError: Not YAML, not a mapping, or an unknown key.
    """
    values = read_mapping(path)
    asked = values.get("select")
    return options_of(asked if isinstance(asked, dict) else values, path, SelectConfig)


def next_config(folder: Path, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What to ask after a round: the same, with the labels or centers that were imported into its folder.

    What follows asks for joints, unless `given` says otherwise. Between rounds of joints and of clicks, selector and
    network are not handed on: neither serves the other.

    Args:
        folder: Of the round.
        given: What is asked otherwise.

    Raises:
        RunFolderError: It holds no round, or nothing was imported and neither are labels, or centers, given.
    """
    given = given or {}
    values = held_config(folder, resume=False)
    asked, values["ask"] = values["ask"], given.get("ask", JOINTS)
    if asked == CENTER:
        values["set"] = {**values["set"], **_centers_of(folder, given)}
    else:
        values["labelled"] = _labels_of(folder, values, given)
        values["classes"] = next_classes(folder, SelectConfig(**held_config(folder, resume=False)))
    if asked != values["ask"]:
        values |= {"selector": "", "learner": ""}
        values["set"] = {key: value for key, value in values["set"].items() if key.startswith("dataset.")}
    return values


def left_behind(folder: Path, values: Mapping[str, Any]) -> str:
    """What `next_config` did not hand on of what a round was told, a sentence; empty if nothing."""
    held = held_config(folder, resume=False)
    if held["ask"] == values["ask"]:
        return ""
    default = DEFAULT_SELECTOR[held["ask"]], DEFAULT_LEARNER["pose"]
    lost = [
        f"--{name} {held[name]}"
        for name, usual in zip(("selector", "learner"), default, strict=True)
        if held[name] not in ("", usual)
    ]
    lost += [f"--set {key}" for key in held["set"] if not key.startswith("dataset.")]
    return f"{folder} asked for {held['ask']}: its {', '.join(lost)} are not handed on" if lost else ""


def _labels_of(folder: Path, values: Mapping[str, Any], given: Mapping[str, Any]) -> str | None:
    """The file of what is labeled after a round of joints."""
    name = LABELS.get(values["dataset"] or "")
    if name is None and is_class_round(folder, SelectConfig(**held_config(folder, resume=False))):
        name = CLASS_LABELS
    if name is not None and (folder / name).is_file():
        return os.path.abspath(folder / name)
    if "labelled" not in given:
        how = "" if name is None else f"do that first (seqgcn import {folder} --from EXPORT), or "
        raise RunFolderError(
            f"no labels were imported into {folder}; {how}say what is labeled now with --labelled FILE"
        )
    return None


def _centers_of(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameter that names the file of centers after a round of clicks."""
    key = "dataset.centers"
    if (folder / CENTERS).is_file():
        return {key: os.path.abspath(folder / CENTERS)}
    if key not in given.get("set", {}):
        raise RunFolderError(
            f"no clicks were imported into {folder}; do that first (seqgcn import {shlex.quote(str(folder))} --from "
            f"EXPORT), or name a file of centers with --set {key}=FILE"
        )
    return {}


def options_as_yaml(config: SelectConfig) -> dict[str, Any]:
    """A round's options as its folder keeps them: paths count from anywhere."""
    values = config.to_dict()
    return {
        name: parameters_as_yaml(value) if name == "set" else portable(name, value, _PATHS)
        for name, value in values.items()
    }


def parameters_as_yaml(values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters, by name or by kind and name, likewise. Those of one's own components are called as they like."""
    return {
        key: parameters_as_yaml(value) if isinstance(value, Mapping) else portable(key.rpartition(".")[2], value)
        for key, value in values.items()
    }


def check_same(folder: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """What the `round.yaml` of a folder holds, which must have been asked what is asked now.

    Raises:
        RunFolderError: It was asked something else, which the message names; as for `read_round`.
    """
    held, directory = read_round(folder), round_directory(folder)
    directory.check_same(_asked(held), _asked(as_read(document)))
    directory.check_fingerprints(held.get(FINGERPRINT), document[FINGERPRINT])
    return held


def _asked(document: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the picks besides files; what is `set` is among the parameters."""
    apart = ("set", "device", "image_prefix", *_PATHS)
    own = {key: value for key, value in document["select"].items() if key not in apart}
    return own | {
        f"{kind}.{key}": value
        for kind, values in document["parameters"].items()
        for key, value in values.items()
        if key not in PATHS
    }


def read_round(folder: Path, resume: bool = True) -> dict[str, Any]:
    """What the `round.yaml` of a folder holds.

    Args:
        folder: Of the round.
        resume: As for `held_config`.

    Raises:
        RunFolderError: There is none, it cannot be read, or it is no round's.
    """
    directory = round_directory(folder)
    held = directory.read() if resume else directory.read("; name the folder of one")
    if not _is_round(held):
        raise directory.not_one()
    path = directory.file
    unknown = held["select"].keys() - {item.name for item in options(SelectConfig)}
    if unknown:
        raise RunFolderError(
            f"{path} has the unknown key {sorted(map(str, unknown))[0]}; name another folder with --out"
        )
    try:
        config = SelectConfig(**held["select"])
    except ConfigError as error:
        raise RunFolderError(f"{path} is damaged ({error}); restore it, or name another folder with --out") from error
    return {**held, "select": {**config.to_dict(), **held["select"]}}


def _is_round(held: Mapping[str, Any]) -> bool:
    if not all(isinstance(held.get(name), dict) for name in ("select", "parameters", "environment")):
        return False
    if not isinstance(held.get(LABELLED, 0), int):
        return False
    versions = held["environment"].get("versions")
    return isinstance(versions, dict) and all(isinstance(values, dict) for values in held["parameters"].values())
