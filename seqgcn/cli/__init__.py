"""The command line: arguments in, exit codes out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from seqgcn import __version__
from seqgcn.cli import check, compare, crops, evaluate, import_, init, lists, pull, push, render, report, run, select
from seqgcn.cli.codes import BAD_COMMAND, BAD_DATA, INTERRUPTED
from seqgcn.cli.messages import shown_messages
from seqgcn.exceptions import ConfigError, SeqGCNError
from seqgcn.utils.processors import shared_processors


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 is done, 1 a problem with the user's data or files, 2 with the command line, 130 interrupted.
    """
    arguments = parser().parse_args(argv)
    try:
        with shown_messages(), shared_processors(getattr(arguments, "threads", None)):
            code = int(arguments.command(arguments))
        sys.stdout.flush()
        return code
    except ConfigError as error:
        print(f"seqgcn: {error}", file=sys.stderr)
        return BAD_COMMAND
    except SeqGCNError as error:
        print(f"seqgcn: {error}", file=sys.stderr)
        return BAD_DATA
    except KeyboardInterrupt:
        print("seqgcn: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Nothing is left for the interpreter to flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BAD_DATA
    except OSError as error:
        # A path the system will not even look at: too long a name, a folder nobody may enter.
        print(f"seqgcn: {error}", file=sys.stderr)
        return BAD_DATA


def parser() -> argparse.ArgumentParser:
    """The whole grammar; needs neither torch nor PyG."""
    top = argparse.ArgumentParser(
        prog="seqgcn", description="Choose which items to label: sequential GCN active learning."
    )
    top.add_argument("--version", action="version", version=f"seqgcn {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (run, select, push, pull, import_, init, check, crops, compare, report, render, evaluate, lists):
        command.add_to(commands)
    return top
