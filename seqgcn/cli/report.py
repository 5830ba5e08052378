"""`seqgcn report`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from seqgcn.cli.codes import DONE

PAGE = "report.html"


def add_to(commands: Any) -> None:
    """Add the command."""
    report = commands.add_parser(
        "report",
        help="write a page about one run folder",
        description="One self-contained HTML page about a run folder, finished or not: what was run, learning and "
        "training curves, every cycle, the last picks, and the commands to go on or run it again.",
    )
    report.set_defaults(command=_report)
    report.add_argument("run", metavar="RUN", help="run folder, of a single run or of several")
    report.add_argument(
        "--out",
        metavar="FILE",
        help="page to write; an earlier page is replaced, nothing else is (default: RUN/report.html)",
    )


def _report(arguments: argparse.Namespace) -> int:
    from seqgcn.report.html import write_page
    from seqgcn.runs.reader import read_runs
    from seqgcn.runs.run_page import run_page

    path = Path(arguments.out) if arguments.out else Path(arguments.run) / PAGE
    write_page(path, run_page(read_runs(arguments.run)))
    print(f"report: {path}")
    return DONE
