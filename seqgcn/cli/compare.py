"""`seqgcn compare`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from seqgcn.cli.codes import DONE


def add_to(commands: Any) -> None:
    """Add the command."""
    compare = commands.add_parser(
        "compare",
        help="compare selectors over finished runs",
        description="Learning curves, the area under them, paired differences to a baseline and labels saved, over "
        "all finished runs in some run folders. They may differ in selector and seed alone.",
    )
    compare.set_defaults(command=_compare)
    compare.add_argument(
        "runs", nargs="+", metavar="RUN", help="run folders, each of a single run or of several, in any mix"
    )
    compare.add_argument(
        "--baseline",
        metavar="NAME",
        help="selector the others are compared with (default: random if it is there, else the first)",
    )
    compare.add_argument(
        "--confirmatory",
        nargs="+",
        default=[],
        metavar="NAME",
        help="selectors, at most six, whose comparison was fixed before the first run: they get a corrected p from 8 "
        "seeds on (default: none)",
    )
    compare.add_argument(
        "--out",
        metavar="FOLDER",
        help="write comparison.md, .csv, .html and curve.png there; new, empty, or of an earlier comparison (default: "
        "only print)",
    )
    compare.add_argument("--quiet", action="store_true", help="no table (default: off)")


def _compare(arguments: argparse.Namespace) -> int:
    from seqgcn.runs.comparison import compare_runs

    comparison = compare_runs(arguments.runs, baseline=arguments.baseline, confirmatory=arguments.confirmatory)
    for note in comparison.notes:
        print(f"seqgcn: {note}", file=sys.stderr)
    if not arguments.quiet:
        print(comparison.table())
    if arguments.out is not None:
        comparison.write(arguments.out)
        if not arguments.quiet:
            print(f"\ncomparison: {arguments.out}")
    return DONE
