"""The report of a round on a user's own embeddings: seconds to write it, its size, and the peak of the process.

The map thins the pool: of what falls on one another, few points are drawn. Each repetition is a process of its own, and
another seed. Features are those of `select_end_to_end.py`; what picks is `random`, so that little else is done.
"""

import tempfile
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from common import Spread, finish, in_child, in_turn, options, peak_memory, prepare, say
from select_end_to_end import write_features

from seqgcn.config.select import SelectConfig
from seqgcn.rounds.select_round import Round


def measure(features: Path, folder: Path, seed: int, arguments: Namespace) -> dict[str, float]:
    """Seconds and bytes of one report; for a process of its own."""
    device = prepare(arguments)
    labelled = folder / "labelled.txt"
    labelled.write_text("".join(f"{number}\n" for number in range(arguments.labelled)))
    ends: dict[str, list[float]] = {}

    def note(stage: str, _done: int, _total: int) -> None:
        ends.setdefault(stage, []).append(time.perf_counter())

    config = SelectConfig(
        features=str(features),
        labelled=str(labelled),
        selector="random",
        budget=arguments.budget,
        seed=seed,
        device=str(device),
    )
    with tempfile.TemporaryDirectory(dir=folder) as out, peak_memory(device) as memory:
        start = time.perf_counter()
        Round(config, out, progress=note)()
        end = time.perf_counter()
        size = (Path(out) / "report.html").stat().st_size
    return {
        "report_seconds": ends["report"][-1] - ends["report"][0],
        "round_seconds": end - start,
        "report_bytes": size,
        "peak_bytes": memory["bytes"],
    }


def main() -> None:
    """Measure, print and write."""
    parser = options("round_report", __doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 331_006], help="items")
    parser.add_argument("--dim", type=int, default=1_024, help="features of an item")
    parser.add_argument("--labelled", type=int, default=1_000, help="labelled items")
    parser.add_argument("--budget", type=int, default=1_000, help="picks")
    parser.add_argument("--folder", help="where the features are written, and deleted again")
    arguments = parser.parse_args()
    device = prepare(arguments)
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        for n in arguments.sizes:
            say(f"writing {n * arguments.dim * 4 / 1e9:.2f} GB")
            write_features(folder / "features.npy", n, arguments.dim, arguments.seed)
            seeds = iter(range(arguments.seed, arguments.seed + arguments.pairs))

            def timed(seeds: Any = seeds) -> dict[str, float]:
                return in_child(measure, folder / "features.npy", folder, next(seeds), arguments)

            found = in_turn({"": timed}, arguments.pairs, warm_up=False)[""]
            results[f"{n:,}"] = {key: Spread.of([one[key] for one in found]) for key in found[0]}
    del arguments.folder
    rows = [
        {
            "items": f"{n} x {arguments.dim:,}",
            "report, s": spreads["report_seconds"].show(),
            "the whole round, s": spreads["round_seconds"].show(),
            "report, MB": spreads["report_bytes"].show(".2f", 1e-6),
            "peak of the process, GiB": spreads["peak_bytes"].show(".2f", 2**-30),
        }
        for n, spreads in results.items()
    ]
    finish("round_report", arguments, device, rows, results)


if __name__ == "__main__":
    main()
