"""What small runs and rounds leave in their folders, without times, machines and paths."""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from byte_for_byte import names
from byte_for_byte.annotating import annotate
from byte_for_byte.digests import digest, of_text, of_weights

QUIET = ("--threads", "1", "--quiet")

DIGITS: dict[str, Any] = {
    "dataset": "digits",
    "pool_size": 60,
    "test_size": 20,
    "budget": 6,
    "cycles": 2,
    "device": "cpu",
    "set": {"learner.epochs": 2, "learner.width": 0.125},
}

RUNS: dict[str, dict[str, Any]] = {
    "cold": {**DIGITS, "selector": ["random", "core-gcn", "ceal", "ensemble:members=2"], "subset": 20},
    "one": {**DIGITS, "selector": ["bald"], "seeds": [1], "set": {**DIGITS["set"], "learner.dropout": 0.3}},
    "warm": {**DIGITS, "selector": ["random", "margin"], "warm_start": True},
}
"""Runs by name, as `--config` has them. `warm` is the one of which an earlier version left a part."""

DEEP_PRIOR = (
    *("--dataset", "depth-folder", "--root", "frames", "--labelled", "labeled.csv", "--learner", "deep-prior-no-pca"),
    *("--device", "cpu"),
    *("--set", "dataset.crop_size=60", "--set", "learner.epochs=4", "--set", "learner.width=0.0625"),
)

ROUNDS: dict[str, tuple[str, ...]] = {
    "hands": (*DEEP_PRIOR, "--selector", "random", "--budget", "3", "--min-gap", "2"),
    "described": (*DEEP_PRIOR, "--selector", "core-gcn", "--set", "selector.epochs=5", "--budget", "2"),
    "clicks": (
        *("--dataset", "depth-folder", "--root", "frames", "--labelled", "seen.txt"),
        *("--ask", "center", "--budget", "3"),
    ),
    "features": ("--features", "features.npy", "--items", "items.txt", "--selector", "typiclust", "--budget", "4"),
}
"""Rounds likewise; what they are of lies in the working directory. Labels are imported into `hands` and `clicks`."""

NEXT: dict[str, tuple[str, ...]] = {
    "hands": (),
    "clicks": (*DEEP_PRIOR[4:], "--selector", "core-set"),
}
"""What else the round is told that goes on with an imported one."""

EXACT = ("random",)
"""Selectors whose picks in runs and rounds go by no training."""

WEIGHTS = ".pt"
UNLIKE = (".png", ".html")
"""Pictures and pages, whose bytes are nobody's format."""

TIMES = {"seconds", "environment"}
"""Keys of what is not the same twice; of these, the keys below them are kept."""


def call(*arguments: str) -> None:
    assert names.main(list(arguments)) == 0, arguments


def run(name: str, folder: Path) -> dict[str, Any]:
    """Entry of a run, which is done in a folder."""
    config = folder.with_name(f"{name}.yaml")
    config.write_text(yaml.safe_dump(RUNS[name]))
    call("run", "--config", str(config), "--out", str(folder), *QUIET)
    return entry(folder)


def write_inputs(folder: Path) -> None:
    """What the rounds are of: rendered frames with a few labels, and features with names."""
    render = ("--layout", "depth-folder", "--scene", "bare", "--frames", "8", "--sequences", "2")
    call("render", *render, *QUIET, str(folder / "frames"))
    lines = (folder / "frames/labels.csv").read_text().splitlines(keepends=True)
    (folder / "labeled.csv").write_text("".join(lines[:4]))
    (folder / "seen.txt").write_text("sequence_001/000000.png\n")
    draw = torch.Generator().manual_seed(5)
    features = torch.randint(-99, 100, (30, 5), generator=draw).float().numpy()
    np.save(folder / "features.npy", features)
    (folder / "items.txt").write_text("".join(f"item {number}\n" for number in range(30)))


def select(name: str, folder: Path) -> dict[str, Any]:
    """Entry of a round, done in a folder of the working directory that has its inputs, before and after an import."""
    out = folder / name
    call("select", "--out", str(out), *ROUNDS[name], *QUIET)
    found = {"selected": entry(out)}
    if name in ("hands", "clicks"):
        found["imported"] = imported(out)
        call("select", "--continue", str(out), "--out", f"{out}-next", "--budget", "1", *NEXT[name], *QUIET)
        found["continued"] = entry(folder / f"{name}-next")
    return found


def imported(folder: Path) -> dict[str, Any]:
    """Entry of a round after what it handed off was labeled by the truth and imported."""
    export = annotate(folder / "tasks", Path("frames"), folder.with_suffix(".json"))
    call("import", str(folder), "--from", str(export))
    return entry(folder)


def entry(folder: Path) -> dict[str, Any]:
    """Of all files of a folder, in order of their names, and of picks that hold on any machine."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    known = [path for path in paths if not names.is_new(path)]
    return {
        "names": [str(path.relative_to(folder)) for path in known],
        "files": {str(path.relative_to(folder)): _file(path) for path in known if path.suffix not in UNLIKE},
        "picks": dict(_picks(known, folder)),
    }


def _file(path: Path) -> dict[str, Any]:
    if path.suffix == WEIGHTS:
        return of_weights(torch.load(path, weights_only=True))
    if path.suffix == ".jsonl":
        return of_journal([json.loads(line) for line in path.read_text().splitlines()])
    if path.name in ("round.yaml", "config.yaml"):
        text = yaml.safe_dump(_lasting(yaml.safe_load(path.read_text())), sort_keys=False)
    else:
        text = path.read_text()
    # Where the folder lies is said in commands and options.
    text = re.sub(r"(/[^\s,:'\"]+)+/(?=[^\s,:'\"/]+)", "", text) if path.suffix == ".yaml" else text
    return {**of_text(text), "layout": layout(text)}


def of_journal(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Entry of the lines of a journal."""
    text = "\n".join(json.dumps(_lasting(record)) for record in records)
    return {**of_text(text), "layout": layout(text)}


def _lasting(values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """The same without what is not the same twice."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if here in names.ARRIVED:
            continue
        if key == "command":
            found[key] = None  # its line breaks go by the length of paths
        elif path.partition(".")[0] in TIMES or key in TIMES:
            found[key] = _lasting(value, here) if isinstance(value, dict) else None
        else:
            found[key] = _lasting(value, here) if isinstance(value, dict) else value
    return found


def layout(text: str) -> str:
    """Hash of the lines' forms: without numbers and hashes, each once. Other machines write other numbers there."""
    text = re.sub(r"\b[0-9a-f]{12,}\b", "#", text)
    text = re.sub(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", "#", text)
    return digest("\n".join(sorted(set(text.splitlines()))).encode())


def _picks(paths: list[Path], folder: Path) -> Iterator[tuple[str, Any]]:
    """What selectors that go by no training picked, by file."""
    for path in paths:
        name = str(path.relative_to(folder))
        if path.name == "journal.jsonl" and any(part in EXACT for part in path.relative_to(folder).parts):
            yield name, [json.loads(line)["picks"] for line in path.read_text().splitlines()]
        if path.name == "picks.csv" and (folder / "round.yaml").exists():
            asked = yaml.safe_load((folder / "round.yaml").read_text())["select"]["selector"]
            if asked in EXACT:
                with open(path, newline="") as file:
                    yield name, [row["item"] for row in csv.DictReader(file)]
