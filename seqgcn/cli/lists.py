"""`seqgcn selectors`, `learners` and `datasets`."""

from __future__ import annotations

import argparse
from typing import Any

from seqgcn.cli.codes import DONE
from seqgcn.config.registry import CATALOGUE, Entry, load, parameters
from seqgcn.config.schema import describe_type
from seqgcn.utils.docstrings import first_sentence


def add_to(commands: Any) -> None:
    """Add a command for each kind of component."""
    for kind in CATALOGUE:
        lister = commands.add_parser(
            f"{kind}s", help=f"list the {kind}s and what can be set on each", description=f"List the {kind}s."
        )
        lister.set_defaults(command=_list, kind=kind)


def _list(arguments: argparse.Namespace) -> int:
    kind = arguments.kind
    for name, entry in CATALOGUE[kind].items():
        print(f"{name}: {entry.summary}")
        if kind == "selector":
            print(f"    {_about(name, entry)}")
        for key, parameter in parameters(kind, name).items():
            print(f"    {kind}.{key} = {parameter.default!r}  ({describe_type(parameter.type)})")
            if parameter.meaning:
                print(f"        {first_sentence(parameter.meaning)}")
    return DONE


def _about(name: str, entry: Entry) -> str:
    """Where a selector comes from, what it reads, what it is for and what it costs."""
    selector = load("selector", name)()
    optional = f"{', '.join(selector.optional)} where the learner gives it" if selector.optional else ""
    reads = [", ".join(selector.requires), " or ".join(selector.requires_any), optional]
    cost = "1 training, 1 pass" if selector.reads(selector.requires_any) else "1 training"
    return (
        f"{entry.source}; for {' and '.join(selector.tasks)}; reads {', and '.join(filter(None, reads)) or 'nothing'}; "
        f"{cost}{f', {entry.cost}' if entry.cost else ''} a cycle"
    )
