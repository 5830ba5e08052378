"""Processors that this process may use, and threads that share them with other processes.

Where other processes keep the processors busy, threads that spin while they wait for each other waste their time
slices: the thread that they wait for may not be running. A thread that sleeps has to be woken, which costs more than a
short wait. So threads spin for a short while and then sleep; `benchmarks/performance/busy_machine.py` measures both.
"""

import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
"""Variables by which a user decides how idle OpenMP threads wait."""

SLEEP_SOON = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "30000"}
"""Idle threads sleep: after about a millisecond with GNU's OpenMP (ten by itself), at once with others."""

COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables by which a user decides how many threads numerical libraries start."""

_limits: list[int] = []


def usable_processors(root: Path = Path("/")) -> int:
    """How many processors this process may use: those it may run on, or fewer by the quota of its control groups.

    A quota (`cpu.max`, or `cpu.cfs_quota_us` in version 1) may be set on the process's group or any above it; the
    smallest counts, rounded up to whole processors.

    Args:
        root: Where `proc` and `sys` are.
    """
    return max(1, math.ceil(min([_processors(), *_quotas(root)])))


def workers(most: int = 8) -> int:
    """How many threads to decode or write files with: one a processor, at most `most`."""
    return min([most, usable_processors(), *_limits])


def variables(environment: Mapping[str, str], threads: int | None = None) -> dict[str, str]:
    """Variables to set before numerical libraries are loaded, beside those that are set already.

    Args:
        environment: What is set already. How idle threads wait is left as it is where that is among it; so is their
            number, unless `threads` are asked for.
        threads: At least 1. By default their number is the libraries' own, one a processor; only where a control group
            allows fewer, it is said here.
    """
    wanted: dict[str, str] = {}
    if not any(name in environment for name in WAITING):
        wanted |= SLEEP_SOON
    if threads is not None:
        wanted |= dict.fromkeys(COUNTS, str(threads))
    elif not any(name in environment for name in COUNTS) and (usable := usable_processors()) < _processors():
        wanted["OMP_NUM_THREADS"] = str(usable)
    return wanted


@contextmanager
def shared_processors(threads: int | None = None) -> Iterator[None]:
    """Within, tensors and linear algebra use `threads` threads; those that are idle sleep.

    Libraries read the environment when they are loaded. So where torch is not loaded yet, the `variables` are set, and
    stay set. Where it is, the number of threads is what it was before afterwards, and how they wait does not change.

    Args:
        threads: At least 1; by default as many as there are anyway.
    """
    loaded = "torch" in sys.modules
    if not loaded:
        os.environ.update(variables(os.environ, threads))
    if threads is None:
        yield
        return
    _limits.append(threads)
    try:
        if loaded:
            with _limited(threads):
                yield
        else:
            yield
    finally:
        _limits.pop()


@contextmanager
def _limited(threads: int) -> Iterator[None]:
    """The threads of libraries that are loaded already, as many as before afterwards."""
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    before = torch.get_num_threads()
    with threadpool_limits(threads):
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _processors() -> int:
    """Processors that the scheduler may run this process on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """Processors that each control group of this process may use, where it has a quota."""
    lines: list[str] = []
    with suppress(OSError, ValueError):
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    for controllers, path in (line.split(":", 2)[1:] for line in lines if line.count(":") >= 2):
        if controllers and "cpu" not in controllers.split(","):
            continue
        group = PurePosixPath(path.lstrip("/"))
        for mount in (controllers, "cpu") if controllers else ("", "unified"):
            # Inside a container the path may be that outside: the root of the mount is then the container's group.
            for each in (group, *group.parents):
                quota = _quota(root / "sys/fs/cgroup" / mount / each)
                if quota is not None:
                    yield quota


def _quota(group: Path) -> float | None:
    """Processors that a control group may use; None where nothing limits it or it cannot be read."""
    texts: list[str] = []
    with suppress(OSError, ValueError):
        texts = (group / "cpu.max").read_text(encoding="utf-8").split()
    with suppress(OSError, ValueError):
        texts = texts or [(group / f"cpu.cfs_{name}_us").read_text(encoding="utf-8") for name in ("quota", "period")]
    try:
        quota, period = map(int, texts)
    except ValueError:  # "max 100000" where there is no limit
        return None
    return quota / period if quota > 0 and period > 0 else None
