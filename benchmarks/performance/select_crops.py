"""`seqgcn select` on crops that are cached: what a round takes besides training and embedding.

Each repetition is the whole command in a process of its own, with another seed: from starting Python to the report and
the tasks. The learner is DeepPrior, which notes how long its `fit` and its `describe` take; what is left of the
command's time is the round's own. Frames are rendered sequences in ICVL's layout; a first command, which is not
counted, has made their crops.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from common import Spread, finish, in_turn, options, prepare, ratio, say
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.datasets.hands import HandFrames
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.learners import HandPose
from seqgcn.training import Progress

TRAIN, EMBED, ALL, REST = "training", "embedding", "the whole command", "everything else"


@dataclass(kw_only=True, eq=False, repr=False)
class TimedHandPose(HandPose):
    """DeepPrior that adds the seconds of training and embedding to a file, a JSON object a line.

    Args:
        times: The file.
    """

    times: str = ""

    def fit(
        self, inputs: HandFrames, targets: Tensor, *, unconfirmed: int = 0, progress: Progress | None = None
    ) -> Self:
        """As `HandPose`."""
        start = time.perf_counter()
        super().fit(inputs, targets, unconfirmed=unconfirmed, progress=progress)
        return self._note(TRAIN, start)

    def describe(self, inputs: HandFrames, attributes: Collection[str], *, progress: Progress | None = None) -> Data:
        """As `HandPose`."""
        start = time.perf_counter()
        data = super().describe(inputs, attributes, progress=progress)
        self._note(EMBED, start)
        return data

    def _note(self, what: str, start: float) -> Self:
        with open(self.times, "a") as file:
            file.write(json.dumps({what: time.perf_counter() - start}) + "\n")
        return self


def render(folder: Path, arguments: Namespace) -> Path:
    """Frames, and labels of some of them in `labels.txt` beside them."""
    say("rendering")
    root = write_dataset(
        folder / "frames",
        "icvl",
        frames=arguments.frames,
        sequences=min(arguments.sequences, arguments.frames),
        test_frames=2,
        seed=arguments.seed,
    )
    rows = (root / "Training" / "labels.txt").read_text().splitlines(keepends=True)
    (folder / "labels.txt").write_text("".join(rows[:: len(rows) // arguments.labelled][: arguments.labelled]))
    return root


def select(folder: Path, root: Path, number: list[int], arguments: Namespace, device: torch.device) -> dict[str, float]:
    """Seconds of one command, by what they went into."""
    number[0] += 1
    out, times = folder / f"round-{number[0]}", folder / f"times-{number[0]}.jsonl"
    settings = {
        "learner.times": times,
        "learner.epochs": arguments.epochs,
        "dataset.crop_size": arguments.size,
        "dataset.cache": folder / "cache",
    }
    words = ["select", "--quiet", "--dataset", "icvl", "--root", root, "--labelled", folder / "labels.txt"]
    words += ["--learner", "select_crops:TimedHandPose", "--budget", arguments.budget, "--out", out]
    words += ["--seed", arguments.seed + number[0], "--device", device]
    words += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    threads = {"OMP_NUM_THREADS": str(arguments.threads)}
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "seqgcn.cli", *map(str, words)],
        check=True,
        cwd=Path(__file__).parent,  # where its learner is found
        env=os.environ | threads,
        stderr=subprocess.DEVNULL,
    )
    found: dict[str, float] = {ALL: time.perf_counter() - start}
    for line in times.read_text().splitlines():
        found |= json.loads(line)
    assert len((out / "picks.csv").read_text().splitlines()) == arguments.budget + 1
    report = (out / "report.html").stat().st_size
    return {**found, REST: found[ALL] - found[TRAIN] - found[EMBED], "report_bytes": report}


def main() -> None:
    """Measure, print and write."""
    parser = options("select_crops", __doc__)
    parser.add_argument("--frames", type=int, default=20_000, help="in the pool")
    parser.add_argument("--sequences", type=int, default=40, help="among which these are divided")
    parser.add_argument("--labelled", type=int, default=500, help="frames with a label")
    parser.add_argument("--budget", type=int, default=100, help="frames to pick")
    parser.add_argument("--size", type=int, default=128, help="pixels along a crop's side")
    parser.add_argument("--epochs", type=int, default=10, help="of the training, which is not what is measured")
    arguments = parser.parse_args()
    device = prepare(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = render(folder, arguments)
        timed = partial(select, folder, root, [0], arguments, device)
        found = in_turn({"": timed}, arguments.pairs)[""]
    parts: dict[str, list[float]] = {part: [one[part] for one in found] for part in (ALL, TRAIN, EMBED, REST)}
    rows = [
        {"frames": f"{arguments.frames:,}", "": part, "seconds": Spread.of(values).show()}
        for part, values in parts.items()
    ]
    results: dict[str, Any] = {
        "seconds": {part: Spread.of(values) for part, values in parts.items()},
        "rest_by_embedding": ratio(parts[REST], parts[EMBED]),
        "report_bytes": Spread.of([one["report_bytes"] for one in found]),
    }
    finish("select_crops", arguments, device, rows, results)


if __name__ == "__main__":
    main()
