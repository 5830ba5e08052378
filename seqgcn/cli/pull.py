"""`seqgcn pull`."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any

from seqgcn.cli.codes import BAD_DATA, INTERRUPTED
from seqgcn.cli.import_ import add_terms, take
from seqgcn.cli.push import add_server
from seqgcn.exceptions import ConfigError
from seqgcn.utils.messages import log
from seqgcn.utils.progress import write_line


def add_to(commands: Any) -> None:
    """Add the command."""
    pull = commands.add_parser(
        "pull",
        help="take the labels of a round back from a running Label Studio",
        description="Export what annotators did with the tasks of a round on a running Label Studio into the round's "
        "folder (pulled-N.json), and take it into the round as seqgcn import does, on the same terms. The access token "
        "is read from the environment variable LABEL_STUDIO_API_KEY or the netrc file.",
    )
    pull.set_defaults(command=_pull)
    pull.add_argument("round", metavar="FOLDER", help="folder of the round")
    add_server(pull, "number of the project, where tasks were imported by hand")
    pull.add_argument(
        "--wait", action="store_true", help="until every frame is submitted or skipped, then take the labels"
    )
    pull.add_argument(
        "--every", type=float, default=30.0, metavar="N", help="seconds between looks at the server (default: 30)"
    )
    add_terms(pull)


def _pull(arguments: argparse.Namespace) -> int:
    if arguments.project is not None and not arguments.project.isdigit():
        raise ConfigError(
            f"--project {arguments.project}: seqgcn pull needs the project's number, which its address ends with"
        )

    from seqgcn.rounds.pull import pull

    try:
        pulled = pull(
            arguments.round,
            arguments.url,
            project=None if arguments.project is None else int(arguments.project),
            wait=arguments.wait,
            every=arguments.every,
            told=lambda counts: None if counts.finished else write_line(str(counts)),
        )
    except KeyboardInterrupt:
        folder = shlex.quote(arguments.round)
        print(
            f"seqgcn: interrupted; nothing was taken. Take what is done with: seqgcn pull {folder} --partial",
            file=sys.stderr,
        )
        return INTERRUPTED
    print(pulled.counts)
    if pulled.export is None:
        log.info(f"nothing is submitted yet: {pulled.server.url}/projects/{pulled.server.project}")
        return BAD_DATA
    print(f"export: {pulled.export}")
    return take(arguments, [pulled.export])
