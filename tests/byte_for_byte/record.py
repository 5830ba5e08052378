"""The record of what is computed, and the script that writes it anew: `python tests/byte_for_byte/record.py`.

With `--begun` it also archives anew what the version at hand begins. Both are for a change of bytes that is intended,
and for nothing else.
"""

import argparse
import json
import os
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    tests = Path(__file__).resolve().parents[1]
    # The folder of this script would come first, the installed package before this one.
    sys.path[0:1] = [str(tests), str(tests.parent)]

import torch
from byte_for_byte import begun, names, of_folders, of_learners, of_selectors
from byte_for_byte.digests import machine

RECORD = Path(__file__).with_name("record.json")


def read() -> dict[str, Any]:
    held: dict[str, Any] = json.loads(RECORD.read_text())
    return held


def is_of_this_machine() -> bool:
    """Whether hashes count: what they depend on besides the package is what it was."""
    return bool(read()["machine"] == machine())


def compute() -> dict[str, Any]:
    """The whole record, in a working directory that is empty."""
    here = Path.cwd()
    found: dict[str, Any] = {
        "machine": machine(),
        "selectors": {name: of_selectors.entry(name) for name in names.catalogue("selector")},
        "learners": {name: entry() for name, entry in of_learners.cases().items()},
        "loop": of_folders.of_journal(names.loop()),
        "runs": {name: of_folders.run(name, here / "runs" / name) for name in of_folders.RUNS},
    }
    of_folders.write_inputs(here)
    found["inputs"] = of_folders.entry(here / "frames")
    found["rounds"] = {name: of_folders.select(name, here) for name in of_folders.ROUNDS}
    return found


def write(values: dict[str, Any]) -> None:
    RECORD.write_text(_text(values) + "\n")


def _text(values: Any, indent: str = "") -> str:
    """JSON with what holds no further mapping on one line."""
    if not isinstance(values, dict) or not any(isinstance(value, dict) for value in values.values()):
        return json.dumps(values)
    lines = [f"{indent} {json.dumps(key)}: {_text(value, indent + ' ')}" for key, value in values.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the record anew.")
    parser.add_argument("--begun", action="store_true", help="archive anew what this version begins, too")
    again = parser.parse_args().begun
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        os.environ["SEQGCN_CACHE"] = str(Path("cache").absolute())
        Path("runs").mkdir()
        write(compute())
        if again:
            begun.begin(Path("begun").absolute())


if __name__ == "__main__":
    main()
