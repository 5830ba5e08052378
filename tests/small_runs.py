"""Small runs of the fakes of `conftest.py`, and what they leave in their folders."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from seqgcn.config.run import RunConfig
from seqgcn.runs.journal import CycleRecord, Journal
from seqgcn.runs.run_set import RunSet
from seqgcn.utils.locks import LOCK, OWNER

SMALL: dict[str, Any] = {"selector": ["margin"], "budget": 4, "cycles": 3, "seeds": [1]}
MANY: dict[str, Any] = SMALL | {"selector": ["random", "margin", "core-set"], "seeds": [0, 1]}


def run(folder: Path, values: dict[str, Any] | None = None, **options: Any) -> list[Any]:
    return list(RunSet(RunConfig(**(values or SMALL)), folder, **options))


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder but those that hold its lock, of which an empty one stays."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in (LOCK, OWNER)]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def same(folder: Path) -> dict[str, list[CycleRecord]]:
    """All journals below a folder, without the seconds."""
    return {
        str(path.parent.relative_to(folder)): [replace(row, seconds={}) for row in Journal(path).read()]
        for path in sorted(folder.rglob("journal.jsonl"))
    }
