"""`seqgcn report`."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from pathlib import Path
from typing import Any

from seqgcn.cli.codes import DONE

PAGE = "report.html"


def add_to(commands: Any) -> None:
    """Add the command."""
    report = commands.add_parser(
        "report",
        help="write a page about one run folder, or open that of a round",
        description="One self-contained HTML page about a run folder, finished or not: what was run, learning and "
        "training curves, every cycle, the last picks, and the commands to go on or run it again. Of a round's folder, "
        "the page that select wrote, with what came back from annotators. On a terminal with a desktop, the round's "
        "page is opened in the browser.",
    )
    report.set_defaults(command=_report)
    report.add_argument("run", metavar="RUN", help="run folder, of a single run or of several, or folder of a round")
    report.add_argument(
        "--out",
        metavar="FILE",
        help="page to write; an earlier page is replaced, nothing else is (default: RUN/report.html)",
    )
    report.add_argument("--no-open", action="store_true", help="open no browser (default: off)")


def _report(arguments: argparse.Namespace) -> int:
    from seqgcn.report.html import write_page
    from seqgcn.rounds.record import round_directory
    from seqgcn.runs.reader import read_runs
    from seqgcn.runs.run_page import run_page

    if round_directory(Path(arguments.run)).claimed:
        return _report_round(arguments)
    path = Path(arguments.out) if arguments.out else Path(arguments.run) / PAGE
    write_page(path, run_page(read_runs(arguments.run)))
    print(f"report: {path}")
    return DONE


def _report_round(arguments: argparse.Namespace) -> int:
    from seqgcn.report.html import write_page
    from seqgcn.rounds.answers import page_of_round

    folder = Path(arguments.run)
    page = page_of_round(folder)
    path = Path(arguments.out) if arguments.out else folder / PAGE
    if arguments.out or path.read_text(encoding="utf-8") != page:
        write_page(path, page)
    print(f"report: {path}")
    if not arguments.no_open and sys.stdout.isatty() and _has_desktop():
        webbrowser.open(path.absolute().as_uri())
    return DONE


def _has_desktop() -> bool:
    """Whether a browser would have a window: one in the terminal would take the place of the shell."""
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
