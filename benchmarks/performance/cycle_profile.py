"""Where one cycle of active learning on CIFAR-10 spends its time: small CNN or ResNet-18, CoreGCN.

Each repetition is a first cycle with its own seed: train on the initial labels, score, embed the pool, select, and
write the journal.
"""

import tempfile
import time
from argparse import Namespace
from pathlib import Path

from common import Spread, finish, options, prepare, say

from seqgcn import CoreGCN
from seqgcn.datasets import CIFAR10
from seqgcn.datasets.dataset import ImageDataset
from seqgcn.learners import ResNet18Classifier, SmallCNNClassifier
from seqgcn.runs.journal import CycleRecord, Journal
from seqgcn.runs.loop import ActiveLearning

LEARNERS = {"small-cnn": SmallCNNClassifier, "resnet18": ResNet18Classifier}

STAGES = ("train", "test", "embed", "select", "journal", "other")


class TimedJournal(Journal):
    """A journal that knows how long it has been written to."""

    seconds = 0.0

    def append(self, record: CycleRecord) -> None:
        """Write a record and time it."""
        start = time.perf_counter()
        super().append(record)
        self.seconds += time.perf_counter() - start


def one_cycle(dataset: ImageDataset, seed: int, arguments: Namespace) -> dict[str, float]:
    """Seconds of each stage of a cycle, and of the GCN's fit within the selection."""
    ends: dict[str, list[float]] = {}

    def note(stage: str, _done: int, _total: int) -> None:
        ends.setdefault(stage, []).append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        journal = TimedJournal(Path(folder) / "journal.jsonl")
        loop = ActiveLearning(
            dataset,
            LEARNERS[arguments.learner](num_classes=10, epochs=arguments.epochs, device=arguments.device),
            CoreGCN(),
            budget=arguments.budget,
            cycles=1,
            initial=arguments.labelled,
            seed=seed,
            journal=journal,
            progress=note,
        )
        start = time.perf_counter()
        record = next(iter(loop))
        total = time.perf_counter() - start
    seconds = {**record.seconds, "journal": journal.seconds}
    return {
        **seconds,
        "other": total - sum(seconds.values()),
        "total": total,
        "gcn epochs": ends["gcn"][-1] - ends["gcn"][0],
        "k-center picks": ends["k-center"][-1] - ends["k-center"][0],
    }


def main() -> None:
    """Measure, print and write."""
    parser = options("cycle_profile", __doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of CIFAR-10's files")
    train = [f"data_batch_{number}.bin" for number in range(1, 5)]
    parser.add_argument("--train-files", nargs="+", default=train, help="files of the pool")
    parser.add_argument("--test-files", nargs="+", default=["data_batch_5.bin"], help="files of the test part")
    parser.add_argument("--pool", type=int, default=10_000, help="images of the pool")
    parser.add_argument("--test", type=int, default=10_000, help="images of the test part")
    parser.add_argument("--labelled", type=int, default=1_000, help="labelled images")
    parser.add_argument("--budget", type=int, default=500, help="images selected")
    parser.add_argument("--learner", choices=LEARNERS, default="small-cnn", help="what is trained")
    parser.add_argument("--epochs", type=int, default=30, help="epochs of the learner")
    arguments = parser.parse_args()
    device = prepare(arguments)
    start = time.perf_counter()
    cifar = CIFAR10(arguments.root, tuple(arguments.train_files), tuple(arguments.test_files))
    dataset = cifar.limit(arguments.pool, arguments.test)
    reading = time.perf_counter() - start
    cycles = []
    for repetition in range(-1, arguments.pairs):
        say(f"  cycle {repetition + 1} of {arguments.pairs}" if repetition >= 0 else "  warm-up")
        found = one_cycle(dataset, arguments.seed + repetition + 1, arguments)
        cycles += [found] if repetition >= 0 else []
    spreads = {name: Spread.of([cycle[name] for cycle in cycles]) for name in cycles[0]}
    shares = {name: Spread.of([cycle[name] / cycle["total"] for cycle in cycles]) for name in cycles[0]}
    rows = [
        {"stage": name, "seconds": spreads[name].show(), "share of the cycle": shares[name].show(".2%")}
        for name in (*STAGES[:4], "gcn epochs", "k-center picks", *STAGES[4:], "total")
    ]
    for row in rows:
        if row["stage"] in ("gcn epochs", "k-center picks"):
            row["stage"] = f"(of which {row['stage']})"
    results = {"seconds": spreads, "shares": shares, "seconds_to_read_the_files_once": reading}
    finish("cycle_profile", arguments, device, rows, results)


if __name__ == "__main__":
    main()
