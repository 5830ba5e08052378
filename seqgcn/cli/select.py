"""`seqgcn select`."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from seqgcn.cli.codes import DONE, INTERRUPTED
from seqgcn.cli.options import add_accept_crops, add_accept_labels, add_options, add_threads, given_options, merged
from seqgcn.config.select import CENTER, SelectConfig
from seqgcn.exceptions import ConfigError
from seqgcn.utils.messages import log
from seqgcn.utils.progress import Bars


def add_to(commands: Any) -> None:
    """Add the command."""
    select = commands.add_parser(
        "select",
        help="choose which items to label next",
        description="Choose which items to label next: of a data set some of whose items are labeled, on which a "
        "network is trained first, or of your own embeddings. Writes report.html (look at it first), picks.csv "
        "(what to label, best first), represents.csv (which of these, or of what is labeled, stands for each item) "
        "and tasks (what labeling tools take) into a new folder.",
    )
    select.set_defaults(command=_select)
    folder = select.add_argument_group("folders and machine")
    folder.add_argument("--out", required=True, metavar="FOLDER", help="folder of the round; new or empty")
    folder.add_argument("--resume", action="store_true", help="go on with the round in the folder (default: off)")
    folder.add_argument(
        "--continue",
        dest="earlier",
        metavar="FOLDER",
        help="ask as this round did, with the labels or centers that were imported into it; options below change what "
        "they name, and without --ask joints are asked for (default: none)",
    )
    folder.add_argument(
        "--config",
        metavar="FILE",
        help="YAML file of the options below, or the round.yaml of another round (default: none)",
    )
    folder.add_argument("--quiet", action="store_true", help="no progress bars, no summary (default: off)")
    add_threads(folder)
    what = select.add_argument_group("what to select", "each is also a key of the YAML file; the command line wins")
    add_options(what, SelectConfig)
    add_accept_crops(what)
    add_accept_labels(what)


def _select(arguments: argparse.Namespace) -> int:
    if arguments.resume and arguments.earlier is not None:
        raise ConfigError("--continue begins a round after another, --resume goes on with one that was begun; give one")
    given = given_options(arguments, SelectConfig)

    from seqgcn.rounds.record import config_of, held_config, left_behind, next_config

    from_file = config_of(arguments.config) if arguments.config else {}

    from seqgcn.rounds.class_import import asks_for_classes
    from seqgcn.rounds.select_round import Round

    folder, lost = Path(arguments.out), ""
    if arguments.resume and not arguments.config:
        from_file = held_config(folder)
    elif arguments.earlier is not None:
        values = next_config(Path(arguments.earlier), {**from_file, **given})
        lost = left_behind(Path(arguments.earlier), values)
        from_file = merged(values, from_file)
    config = SelectConfig(**merged(from_file, given))
    with Bars(hidden=arguments.quiet) as bars:
        if lost:
            log.warning(lost)
        asked = Round(config, folder, resume=arguments.resume, progress=bars)
        if asked.done:
            log.info(f"this round is done already: {folder / 'picks.csv'}")
            return DONE
        try:
            result = asked()
        except KeyboardInterrupt:
            bars.close()
            command = f"seqgcn select --out {shlex.quote(str(folder))} --resume"
            kept = "what was trained is kept" if (folder / "learner.pt").exists() else "nothing was trained yet"
            kept = "hands that were found are kept" if config.ask == CENTER else kept
            print(f"seqgcn: interrupted; {kept}. Go on with: {command}", file=sys.stderr)
            return INTERRUPTED
    if not arguments.quiet:
        print(result.summary())
        print(f"\npicks: {folder / 'picks.csv'}\nwhy: {folder / 'report.html'}\nto label: {folder / 'tasks'}")
        if config.ask == CENTER or asks_for_classes(folder):
            print(f"then: seqgcn import {shlex.quote(str(folder))} --from EXPORT")
    return DONE
