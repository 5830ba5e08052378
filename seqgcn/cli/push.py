"""`seqgcn push`."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any

from seqgcn.cli.codes import DONE, INTERRUPTED
from seqgcn.utils.messages import counted
from seqgcn.utils.progress import Bars


def add_to(commands: Any) -> None:
    """Add the command."""
    push = commands.add_parser(
        "push",
        help="bring the tasks of a round onto a running Label Studio",
        description="Bring the tasks of a round onto a running Label Studio: make a project or use one that asks the "
        "same, upload the pictures, and add the tasks with their predictions. Again, it adds only what is not there "
        "yet. The access token is read from the environment variable LABEL_STUDIO_API_KEY or the netrc file, and is "
        "kept nowhere.",
    )
    push.set_defaults(command=_push)
    push.add_argument("round", metavar="FOLDER", help="folder of the round")
    add_server(push, "number or name of the project; a name that is not there yet is given to a new one")
    push.add_argument(
        "--annotators",
        type=int,
        metavar="N",
        help="how many people label each frame (default: 1, or as the project has it)",
    )
    push.add_argument("--quiet", action="store_true", help="no progress bars, no summary (default: off)")


def add_server(group: Any, project: str) -> None:
    """Add the options that say where the tasks of a round are.

    Args:
        group: Of arguments.
        project: What --project names.
    """
    group.add_argument(
        "--label-studio",
        dest="url",
        metavar="URL",
        help="address of the server, such as http://localhost:8080 (default: where the round was pushed, or the "
        "environment variable LABEL_STUDIO_URL)",
    )
    group.add_argument(
        "--project", metavar="PROJECT", help=f"{project} (default: where the round was pushed, or a new one)"
    )


def _push(arguments: argparse.Namespace) -> int:
    from seqgcn.rounds.push import push

    folder = shlex.quote(arguments.round)
    again = f"seqgcn push {folder}" + (f" --label-studio {shlex.quote(arguments.url)}" if arguments.url else "")
    again += f" --project {shlex.quote(arguments.project)}" if arguments.project else ""
    with Bars(hidden=arguments.quiet) as bars:
        try:
            result = push(
                arguments.round,
                arguments.url,
                project=arguments.project,
                annotators=arguments.annotators,
                progress=bars,
            )
        except KeyboardInterrupt:
            bars.close()
            print(f"seqgcn: interrupted; what is on the server stays there. Go on with: {again}", file=sys.stderr)
            return INTERRUPTED
    if not arguments.quiet:
        before = f", {result.there:,} were there" if result.there else ""
        print(
            f"{counted(result.uploaded, 'picture')} uploaded, {counted(result.added, 'task')} added to project "
            f"{result.pushed.project} ({result.pushed.title}){before}"
        )
        print(f"label: {result.page}")
        print(f"then: seqgcn pull {folder}")
    return DONE
