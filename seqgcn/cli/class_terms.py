"""Importing classes: the options of `seqgcn import` about them, and what it says."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgcn.cli.codes import BAD_DATA, DONE
from seqgcn.exceptions import ConfigError
from seqgcn.utils.class_names import folded
from seqgcn.utils.messages import log

if TYPE_CHECKING:
    from seqgcn.config.select import SelectConfig
    from seqgcn.rounds.class_import import ImportedClasses

JOINT_TERMS = ("joint_depth", "depths", "disagree", "accept_predictions")
"""Options that say on what terms joints are taken."""


def add_class_terms(importer: Any) -> None:
    """Add the options on what terms classes are taken."""
    importer.add_argument(
        "--new-classes",
        nargs="*",
        metavar="NAME",
        help="take classes that were not known before: these or, without a name, all that are not similar to a known "
        "one (default: none)",
    )
    importer.add_argument(
        "--rename",
        nargs="+",
        action="extend",
        metavar="OLD=NEW",
        help="take a class for another, as one that somebody wrote in another way (default: none)",
    )


def refuse_class_terms(arguments: argparse.Namespace) -> None:
    """Refuse these options for a round that does not ask for classes."""
    for name in ("new_classes", "rename"):
        if getattr(arguments, name, None) is not None:
            raise ConfigError(f"{_flag(name)} has no effect on a round that asks for no classes; leave it out")


def take_classes(
    arguments: argparse.Namespace, exports: Sequence[str | Path], folder: Path, config: SelectConfig, labelled: int
) -> int:
    """Take classes back into a round; the exit code.

    Args:
        arguments: With the options.
        exports: The files.
        folder: Of the round.
        config: What it was asked.
        labelled: How many labels there were when it began.
    """
    from seqgcn.rounds.class_import import import_classes

    for name in JOINT_TERMS:
        if getattr(arguments, name, None):
            raise ConfigError(f"{_flag(name)} has no effect on a round that asks for classes; leave it out")
    imported = import_classes(
        folder,
        config,
        exports,
        labelled=labelled,
        partial=arguments.partial,
        new_classes=arguments.new_classes,
        renamed=_renamed(arguments.rename or ()),
    )
    print(imported.checked.table())
    if imported.checked.again:
        print(f"{imported.checked.again:,} more items have that label already.")
    if imported.labels is None:
        _hint(imported)
        rest = ", or add what is right with --partial" if imported.checked.valid else ""
        log.info(f"nothing was added; mend what is wrong and import again{rest}")
        return BAD_DATA
    for sentence in imported.told:
        print(sentence)
    if imported.checked.problems:
        _hint(imported)
    if imported.record is not None:
        print(f"how the new labels came about: {imported.record}")
    print(f"all labels: {imported.labels}")
    print(f"next: seqgcn select --continue {shlex.quote(str(folder))} --out FOLDER")
    return DONE


def _hint(imported: ImportedClasses) -> None:
    """Say how to take what nobody knew."""
    checked = imported.checked
    wrong = [problem.what for problem in checked.problems]
    new = {name: count for name, count in checked.offered.items() if name not in checked.meant}
    if any(what.startswith("new class") for what in wrong) and new:
        counts = ", ".join(f"{name} ({count:,})" for name, count in new.items())
        log.info(
            f"new classes, with their items: {counts}; take them with --new-classes, or some of them with "
            f"--new-classes {shlex.join(list(new)[:3])}"
        )
    if checked.meant and any(what.startswith(("unknown class", "new class")) for what in wrong):
        pairs = [f"{name}={meant}" for name, meant in checked.meant.items()]
        other = [name for name, meant in checked.meant.items() if folded(name) != folded(meant)]
        own = f"; for classes of their own: --new-classes {shlex.join(other)}" if other else ""
        log.info(f"where a class was only written in another way: --rename {shlex.join(pairs)}{own}")
    if any(what.startswith("unknown item") for what in wrong):
        log.info("an item is known by its name, as in tasks/frames.txt, or by the name of its picture in tasks/images")


def _renamed(pairs: Sequence[str]) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not equals or not old or not new:
            raise ConfigError(f"--rename takes OLD=NEW, as Cat=cat, got {pair!r}")
        if renamed.setdefault(old, new) != new:
            raise ConfigError(f"--rename names {old!r} twice, as {renamed[old]!r} and {new!r}")
    return renamed


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
