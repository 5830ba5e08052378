"""What the performance scripts share: options, timing in turn, memory of a child process, and the result file."""

import argparse
import gc
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from typing import Any, TypeVar

import torch
from torch import Tensor

from seqgcn.gcn import ConfidenceFit, fit_confidence
from seqgcn.graph import LowRankAdjacency
from seqgcn.learners.devices import resolve_device
from seqgcn.training import Progress
from seqgcn.utils.processors import usable_processors

RESULTS = Path(__file__).parent / "results"
Measured = TypeVar("Measured")


@dataclass(frozen=True)
class Spread:
    """Median, quartiles and range of repeated measurements."""

    median: float
    lower: float
    upper: float
    least: float
    most: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summary of at least one value; the quartiles are those of the values themselves, nothing is assumed."""
        lower, _, upper = quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
        return cls(median(values), lower, upper, min(values), max(values), len(values))

    def show(self, form: str = "", scale: float = 1.0) -> str:
        """`median (lower quartile to upper quartile)`, by default with three digits; the median alone if all agree."""
        if self.least == self.most:
            return _digits(self.median * scale, form)
        middle, lower, upper = (_digits(value * scale, form) for value in (self.median, self.lower, self.upper))
        return f"{middle} ({lower} to {upper})"


def _digits(value: float, form: str) -> str:
    return format(value, form) if form else format(float(format(value, ".3g")), ",g")


@dataclass(frozen=True)
class FitTime:
    """Seconds of a fit: all that is done once, and an epoch."""

    setup: float
    epoch: float

    def scaled(self, epochs: int) -> float:
        """Seconds of a whole fit."""
        return self.setup + epochs * self.epoch


def options(name: str, description: str | None, *, pairs: int = 5) -> argparse.ArgumentParser:
    """Parser with the options every script has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--pairs", type=int, default=pairs, help="how often everything is measured in turn")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--seed", type=int, default=0, help="of data, weights and dropout")
    parser.add_argument("--threads", type=int, default=usable_processors(), help="threads of torch")
    parser.add_argument("--out", type=Path, default=RESULTS / f"{name}.json", help="result file")
    return parser


def prepare(arguments: argparse.Namespace) -> torch.device:
    """Set the threads and give the device."""
    torch.set_num_threads(arguments.threads)
    return resolve_device(arguments.device)


def synchronise(device: torch.device) -> None:
    """Wait for a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(function: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call."""
    synchronise(device)
    start = time.perf_counter()
    function()
    synchronise(device)
    return time.perf_counter() - start


def in_turn(
    measures: Mapping[str, Callable[[], Measured]], pairs: int, *, warm_up: bool = True
) -> dict[str, list[Measured]]:
    """Results of `pairs` rounds; each round calls every measure once, every other round in reverse order."""
    names = list(measures)
    found: dict[str, list[Measured]] = {name: [] for name in names}
    for number in range(-warm_up, pairs):
        say(f"  round {number + 1} of {pairs}" if number >= 0 else "  warm-up")
        for name in names[:: -1 if number % 2 else 1]:
            gc.collect()
            result = measures[name]()
            if number >= 0:
                found[name].append(result)
    return found


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Spread:
    """Spread of the ratios within the rounds."""
    return Spread.of([above / below for above, below in zip(numerator, denominator, strict=True)])


def timed_fit(fit: Callable[[Progress], object], epochs: int, device: torch.device) -> FitTime:
    """Time a fit of `epochs + 1` epochs that reports each one; what the first takes longer is set-up."""
    ends: list[float] = []

    def epoch_done(_stage: str, _done: int, _total: int) -> None:
        synchronise(device)
        ends.append(time.perf_counter())

    total = seconds(lambda: fit(epoch_done), device)
    epoch = (ends[epochs] - ends[0]) / epochs
    return FitTime(setup=total - (epochs + 1) * epoch, epoch=epoch)


def low_rank_fit(
    x: Tensor, labelled: Tensor, *, epochs: int, seed: int, progress: Progress | None = None
) -> ConfidenceFit:
    """This package's fit from features to confidences, the graph included, with its default settings."""
    return fit_confidence(x, LowRankAdjacency(x), labelled, ~labelled, epochs=epochs, seed=seed, progress=progress)


def embeddings(n: int, d: int, seed: int, device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random features after a relu, as most learners give them, `[n, d]`."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=draw, dtype=dtype).relu_().to(device)


def first_labelled(n: int, labelled: int, device: torch.device) -> Tensor:
    """Mask of the first nodes."""
    return torch.arange(n, device=device) < labelled


@contextmanager
def peak_memory(device: torch.device) -> Iterator[dict[str, int]]:
    """Fills in, at the end, the largest number of `bytes` held and how many of them were `held_before`."""
    found: dict[str, int] = {}
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        found["held_before"] = torch.cuda.memory_allocated(device)
    else:
        with suppress(OSError):
            # Forget the peak so far; where that is not allowed, imports may hide a small peak.
            Path("/proc/self/clear_refs").write_text("5")
        found["held_before"] = _resident("VmRSS")
    yield found
    synchronise(device)
    found["bytes"] = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else _resident("VmHWM")


def _resident(entry: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        sys.exit("memory is read from /proc/self/status, which this system does not have; use Linux or --device cuda")
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(entry))


def in_child(function: Callable[..., Measured], *arguments: object) -> Measured:
    """Result of a call in a new process, whose memory is its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def say(text: str) -> None:
    """Tell how far the script is, beside its output."""
    print(text, file=sys.stderr, flush=True)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Markdown table of rows with the same columns."""
    lines = [list(map(str, rows[0])), ["---"] * len(rows[0]), *([str(cell) for cell in row.values()] for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def machine(device: torch.device) -> str:
    """Class of machine: the GPU's name, or how many processor cores this process may use."""
    if device.type == "cuda":
        return f"one {torch.cuda.get_device_name(device)}"
    return f"{usable_processors()} CPU cores"


def finish(
    name: str, arguments: argparse.Namespace, device: torch.device, rows: Sequence[Mapping[str, object]], results: Any
) -> None:
    """Print the table, and write it with all numbers and what they depend on."""
    print(table(rows))
    packages = ("torch", "torch-geometric", "numpy", "scikit-learn", "scikit-activeml", "seqgcn")
    versions = {"python": platform.python_version()}
    for package in packages:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    document = {
        "name": name,
        "machine": machine(device),
        "vector_instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "seed": arguments.seed,
        "versions": versions,
        "options": {key: value for key, value in vars(arguments).items() if key not in ("out", "root", "features")},
        "table": [dict(row) for row in rows],
        "results": results,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(document, indent=1, default=_plain) + "\n")
    say(f"written to {arguments.out}")


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
