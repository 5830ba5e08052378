"""A run and rounds that an earlier version began: kept in an archive, and unpacked to be gone on with.

The archive names neither a machine nor a path of one; what the rounds are of is rendered where it is unpacked.
"""

import json
import tarfile
from pathlib import Path
from typing import Any

import yaml
from byte_for_byte import names
from byte_for_byte.of_folders import QUIET, ROUNDS, RUNS, UNLIKE, WEIGHTS, call

ARCHIVE = Path(__file__).with_name("begun.tar.xz")

RUN, ROUND, TRAINED_ROUND, OPEN_ROUND = "run", "round", "trained-round", "open-round"
"""A run of two selectors, broken off after one cycle of the second; rounds: before an import, after the training and
before the picks, and at their very beginning."""

KEPT = {ROUND: None, TRAINED_ROUND: {"round.yaml", "training.json", "learner.pt"}, OPEN_ROUND: {"round.yaml"}}
"""Files of the rounds that there are at that time; None for all."""

SOMEWHERE = "/somewhere"
ELSE = "another machine"


def begin(folder: Path) -> None:
    """Do what is kept, in the working directory that has the inputs of rounds, and archive it."""
    _begin_run(folder / RUN)
    for name, asked in {ROUND: "hands", TRAINED_ROUND: "hands", OPEN_ROUND: "features"}.items():
        call("select", "--out", str(folder / name), *ROUNDS[asked], *QUIET)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
            continue
        kept = KEPT.get(path.relative_to(folder).parts[0])
        if path.suffix in UNLIKE or path.name.startswith(".") or (kept is not None and path.name not in kept):
            path.unlink()
        elif path.suffix == WEIGHTS and path.parent.name == ROUND:
            path.unlink()  # no import reads it
        elif path.name == "journal.jsonl":
            lines = [_elsewhere(json.loads(line)) for line in path.read_text().splitlines()]
            path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
        elif path.name == "round.yaml":
            held = _elsewhere(yaml.safe_load(path.read_text()))
            held["command"] = "seqgcn select"
            path.write_text(yaml.safe_dump(held, sort_keys=False).replace(str(Path.cwd()), SOMEWHERE))
    with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
        for name in (RUN, *KEPT):
            archive.add(folder / name, name, filter=_anonymous)


def unpack(name: str, folder: Path) -> Path:
    """One of the four, below a folder; paths in it are of the working directory."""
    with tarfile.open(ARCHIVE) as archive:
        members = [member for member in archive if member.name.partition("/")[0] == name]
        archive.extractall(folder, members, filter="data")
    for path in (folder / name).glob("round.yaml"):
        path.write_text(path.read_text().replace(SOMEWHERE, str(Path.cwd())))
    return folder / name


def _begin_run(folder: Path) -> None:
    config = names.RunConfig(**RUNS["warm"])
    events = iter(names.RunSet(config, folder))
    for _ in range(config.cycles + 2):
        next(events)
    events.close()  # type: ignore[attr-defined]


def _elsewhere(values: dict[str, Any]) -> dict[str, Any]:
    values["environment"]["machine"] = ELSE
    return values


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member
