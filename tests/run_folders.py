"""Run folders written by hand: what `seqgcn run` leaves, without anything trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from seqgcn.config.run import SelectorSpec
from seqgcn.runs.journal import CycleRecord

ENVIRONMENT = {"versions": {"seqgcn": "1.2.3", "torch": "2.9"}, "threads": 1, "device": "cpu", "machine": "box, Linux"}


def record(cycle: int, value: float, *, metric: str = "accuracy", budget: int = 10, **more: Any) -> CycleRecord:
    """Cycle `cycle`, at `budget * (cycle + 1)` labels."""
    labelled = tuple(range(budget * (cycle + 1)))
    picks = tuple(range(len(labelled), len(labelled) + budget))
    values: dict[str, Any] = {
        "labelled": labelled,
        "picks": picks,
        "scores": tuple(1 / (1 + rank) for rank in range(budget)),
        "metric": {metric: value},
        "seconds": {"train": 2.0, "test": 0.5, "embed": 0.25, "select": 0.25},
        "seeds": {"run": 0, "learner": 11 + cycle},
        "environment": ENVIRONMENT,
    }
    return CycleRecord(cycle=cycle, **{**values, **more})


def write_run(
    folder: Path,
    values: Sequence[float],
    *,
    selector: str = "random",
    seed: int = 0,
    cycles: int = 2,
    budget: int = 10,
    records: Sequence[CycleRecord] | None = None,
    fingerprint: str = "f1",
    references: Any = None,
    **config: Any,
) -> Path:
    """One run; unfinished where there are fewer than `cycles + 1` values."""
    spec = SelectorSpec.parse(selector)
    settings = {f"selector.{key}": value for key, value in spec.settings.items()}
    written = {"selector": [spec.name], "seeds": [seed], "budget": budget, "initial": budget, "cycles": cycles}
    written |= {**config, "set": {**settings, **config.get("set", {})}, "fingerprint": fingerprint}
    written |= {} if references is None else {"references": references}
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(written))
    pose = {"metric": "mean joint error"} if config.get("learner") == "deep-prior" else {}
    rows = records or [record(cycle, value, budget=budget, **pose) for cycle, value in enumerate(values)]
    (folder / "journal.jsonl").write_text("".join(row.to_line() for row in rows))
    return folder


def write_runs(
    folder: Path, values: Mapping[str, Mapping[int, Sequence[float]]], *, cycles: int = 2, **config: Any
) -> Path:
    """Several runs, as `seqgcn run` lays them out: SELECTOR/seed-N below the folder."""
    for selector, runs in values.items():
        for seed, each in runs.items():
            below = folder / SelectorSpec.parse(selector).folder / f"seed-{seed}"
            write_run(below, each, selector=selector, seed=seed, cycles=cycles, **config)
    seeds = list(dict.fromkeys(seed for runs in values.values() for seed in runs))
    written = {"selector": list(values), "seeds": seeds, "budget": 10, "initial": 10, "cycles": cycles}
    (folder / "config.yaml").write_text(yaml.safe_dump({**written, **config, "fingerprint": "f1"}))
    return folder
