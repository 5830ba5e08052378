"""`seqgcn run` beside busy processes, and what it costs on a quiet machine that idle threads sleep soon.

Measured are `seqgcn run`, which lets idle OpenMP threads sleep soon, and the same with threads that spin for as long as
GNU's OpenMP has them by itself (GOMP_SPINCOUNT=300000).

- Quiet: both in turn, and the ratio of their times.
- Busy: beside processes that never wait. The fair share is what one of them gets of a processor while the run is at
  work; a run whose threads get as much takes the time on a quiet machine divided by that share, whatever else the
  machine has to do.
- `seqgcn select` on features in a file, with the default, spinning threads and one thread: the processors it keeps busy
  are its processor time over its time.

Where other users are at work, --nice -19 (by root) puts what is measured as on a quiet machine before their processes.
"""

import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from common import Spread, embeddings, finish, in_turn, options, ratio, say

from seqgcn.utils.processors import COUNTS, WAITING

BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
"""Never waits, and ends when this script does, however that ends."""

SPINNING = {"GOMP_SPINCOUNT": "300000"}
"""How long a thread of libgomp spins if nothing is said."""


@dataclass(frozen=True)
class Run:
    """A command: its seconds and processor seconds, and the mean share of a processor that a busy process got."""

    seconds: float
    cpu_seconds: float
    share: float = 1.0
    finished: bool = True


def command(
    *arguments: str, busy: int = 0, nice: int = 0, limit: float | None = None, environment: dict[str, str] | None = None
) -> Run:
    """Time `seqgcn` beside busy processes; after `limit` seconds it is killed."""
    clean = {name: value for name, value in os.environ.items() if name not in (*COUNTS, *WAITING)}
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(busy)]
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "seqgcn.cli", *arguments],
        env=clean | (environment or {}),
        preexec_fn=lambda: _come_first(nice),
    )
    finished = True
    try:
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            if limit is not None and time.perf_counter() - start > limit:
                finished = False
                process.kill()
                ended = os.wait4(process.pid, 0)
                break
            time.sleep(0.05)
    finally:
        seconds = time.perf_counter() - start
        for other in others:
            other.kill()
        shares = [_cpu(os.wait4(other.pid, 0)[2]) / seconds for other in others]
    if finished and ended[1] != 0:
        sys.exit(f"seqgcn {' '.join(arguments)} failed")
    return Run(seconds, _cpu(ended[2]), sum(shares) / len(shares) if shares else 1.0, finished)


def _come_first(nice: int) -> None:
    """Give this process a session and its niceness; Linux shares processors among sessions first."""
    if nice:
        os.setsid()
        os.nice(nice)
        Path("/proc/self/autogroup").write_text(str(nice))


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


class Runs:
    """`seqgcn run` of the arguments, each time into a new folder."""

    def __init__(self, arguments: Namespace, folder: Path) -> None:
        self.arguments, self.folder, self.count = arguments, folder, 0

    def __call__(self, **terms: object) -> Run:
        """One of them; see `command`."""
        self.count += 1
        out = str(self.folder / str(self.count))
        return command("run", "--device", "cpu", "--quiet", "--out", out, *shlex.split(self.arguments.run), **terms)


def beside(run: Runs, busy: int, quiet: float, arguments: Namespace) -> dict[str, object]:
    """A row of the table: the run beside so many busy processes."""
    say(f"  beside {busy} busy processes")
    sleeping = run(busy=busy)
    fair = quiet / sleeping.share
    spinning = run(busy=busy, limit=arguments.limit, environment=SPINNING) if arguments.limit else None
    row = {
        "busy processes": busy,
        "a fair share of a processor": round(sleeping.share, 3),
        "seconds": round(sleeping.seconds, 1),
        "seconds at a fair share": round(fair, 1),
        "times the fair share's": round(sleeping.seconds / fair, 2),
        "seconds with spinning threads": "not measured"
        if spinning is None
        else f"{'' if spinning.finished else 'more than '}{spinning.seconds:.0f}",
    }
    say("  " + ", ".join(f"{name}: {value}" for name, value in row.items()))
    return row


def selections(arguments: Namespace, folder: Path) -> dict[str, list[Run]]:
    """`seqgcn select` on features in a file, in turn with the default, spinning threads and one thread."""
    x = embeddings(arguments.n, arguments.dim, arguments.seed, torch.device("cpu"))
    np.save(folder / "x.npy", x.numpy())
    np.savetxt(folder / "ids.txt", np.arange(arguments.labelled), fmt="%d")
    count = iter(range(1_000))

    def select(*further: str, environment: dict[str, str] | None = None) -> Run:
        given = ["--features", str(folder / "x.npy"), "--labelled", str(folder / "ids.txt")]
        given += ["--budget", str(arguments.budget), "--device", "cpu", "--quiet", *further]
        out = str(folder / f"select-{next(count)}")
        return command("select", *given, "--out", out, nice=arguments.nice, environment=environment)

    return in_turn(
        {
            "sleeping": select,
            "spinning": lambda: select(environment=SPINNING),
            "one thread": lambda: select("--threads", "1"),
        },
        arguments.select_pairs,
        warm_up=False,
    )


def spread(runs: Sequence[Run]) -> Spread:
    """Of their seconds."""
    return Spread.of([run.seconds for run in runs])


def main() -> None:
    """Measure, print and write."""
    parser: ArgumentParser = options("busy_machine", __doc__)
    parser.add_argument("--busy", type=int, nargs="+", default=[2, 8, 16], help="numbers of busy processes")
    parser.add_argument("--limit", type=float, default=300, help="seconds for a run that spins; 0: none is tried")
    parser.add_argument("--nice", type=int, default=0, help="niceness of what is measured as on a quiet machine")
    parser.add_argument("--run", default="", help="options of seqgcn run, --run='--cycles 3'; none is the default run")
    parser.add_argument("--n", type=int, default=50_000, help="rows of the features of seqgcn select")
    parser.add_argument("--dim", type=int, default=512, help="columns of these")
    parser.add_argument("--labelled", type=int, default=1_000, help="labelled of these")
    parser.add_argument("--budget", type=int, default=1_000, help="picks of these")
    parser.add_argument("--select-pairs", type=int, default=2, help="how often seqgcn select is measured in turn")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        run = Runs(arguments, Path(folder))
        say("quiet")
        quiet = in_turn(
            {
                "sleeping": lambda: run(nice=arguments.nice),
                "spinning": lambda: run(nice=arguments.nice, environment=SPINNING),
            },
            arguments.pairs,
        )
        against = ratio(*([each.seconds for each in quiet[name]] for name in ("sleeping", "spinning")))
        say(f"  seconds of sleeping over those of spinning threads: {against.show()}")
        typical = median(each.seconds for each in quiet["sleeping"])
        rows = [beside(run, busy, typical, arguments) for busy in arguments.busy]
        say("select")
        selected = selections(arguments, Path(folder))
    results = {
        "load before": load,
        "quiet": {name: spread(runs) for name, runs in quiet.items()},
        "quiet: sleeping over spinning": against,
        "select": {
            name: {
                "seconds": spread(runs),
                "processors kept busy": Spread.of([each.cpu_seconds / each.seconds for each in runs]),
            }
            for name, runs in selected.items()
        },
        "runs": {"quiet": quiet, "select": selected},
    }
    finish("busy_machine", arguments, torch.device("cpu"), rows, results)


if __name__ == "__main__":
    main()
