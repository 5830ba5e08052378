"""What tests of kills and locks run in processes of their own, such as a command line that kills itself."""

import itertools
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import torch

import seqgcn.runs.journal
from seqgcn.cli import main
from seqgcn.exceptions import RunFolderError
from seqgcn.utils.locks import locked
from seqgcn.utils.progress import Bars

Start = Callable[[list[str], Path, int | None], list[str]]
"""Runs a command on a folder up to an event, and tells which events there were."""


def processes() -> Any:
    """Where processes come from: forked off one that has imported everything and started no threads, if need be slower.

    Not from the one that runs the tests, which has threads and files of its own.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["seqgcn.cli", "seqgcn.runs.run_set", "seqgcn.rounds.select_round", "seqgcn.learners", "sklearn.datasets"]
    )
    return context


def attempt(command: list[str], folder: str, log: str, kill: int | None) -> None:
    """Run a command; at its event number `kill`, counted from 1, send this process a signal it cannot catch.

    Events are what a command reports of its progress, and each step of what it does to the files of a folder. They
    come in the same order in every process, however fast it is.

    Args:
        command: Arguments of `seqgcn`.
        folder: Where its files are.
        log: File that gets the name of every event, a line each.
        kill: When; None to go through.
    """
    torch.set_num_threads(1)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    number = itertools.count(1)

    def event(name: str) -> None:
        os.write(descriptor, f"{name}\n".encode())
        if next(number) == kill:
            os.kill(os.getpid(), signal.SIGKILL)

    event("start")
    Bars.__call__ = lambda _self, stage, _done, _total: event(stage)  # type: ignore[method-assign,assignment]
    _watch(tempfile, "mkstemp", lambda prefix, suffix, dir: f"{dir}/{prefix}", folder, event)
    _watch(os, "replace", lambda _old, new: str(new), folder, event)
    _watch(os, "fsync", lambda _descriptor: folder, folder, event)
    for name in ("unlink", "truncate", "mkdir"):
        _watch(os, name, lambda path, *_more: str(path), folder, event)
    seqgcn.runs.journal.open = lambda path, mode: _Halves(path, mode, event)  # type: ignore[attr-defined]
    sys.exit(main(command))


def import_killed_at_any_step(
    made: Path,
    export: str,
    labels: str,
    content: Callable[[Path], dict[str, bytes]],
    call: Callable[[str], int],
    more: Sequence[str] = (),
) -> list[str]:
    """Kill `seqgcn import` at each of its steps: nothing is lost, and the same again ends as if nothing had been.

    Args:
        made: Folder of the round, of which each import gets a copy.
        export: What is imported.
        labels: Name of the file that it changes.
        content: Files of a folder, by name.
        call: Imports `export` into a folder in this process; returns the exit code.
        more: Options that it imports with.

    Returns:
        The events of a whole import.
    """
    before, whole, events = content(made), {}, ["start"]
    context = processes()
    for kill in itertools.count(0):
        folder = Path(f"killed-{kill}").absolute()
        shutil.copytree(made, folder)
        command = ["import", str(folder), *more, "--from", export]
        process = context.Process(target=attempt, args=(command, str(folder), "log", kill or None))
        process.start()
        process.join()
        if kill == 0:
            assert process.exitcode == 0
            whole, events = content(folder), Path("log").read_text().splitlines()
            continue
        assert process.exitcode == -signal.SIGKILL
        left = content(folder)
        assert left[labels] in (before[labels], whole[labels])
        assert {**left, labels: b""}.items() >= {**before, labels: b""}.items()
        assert call(str(folder)) == 0
        assert content(folder) == whole
        if kill == len(events):
            break
    return events


def starter(log: Path, record: str) -> Start:
    """What runs commands in processes of their own.

    Args:
        log: File for the events.
        record: Name of the file with which a folder is begun, and can be gone on with.
    """
    context = processes()

    def start(command: list[str], folder: Path, kill: int | None) -> list[str]:
        resume = ["--resume"] if (folder / record).exists() else []
        arguments = ([*command, "--out", str(folder), *resume], str(folder), str(log), kill)
        process = context.Process(target=attempt, args=arguments)
        process.start()
        process.join()
        events = log.read_text().splitlines()
        assert process.exitcode in ((0,) if kill is None else (0, -signal.SIGKILL)), events[-3:]
        assert (process.exitcode == 0) == (len(events) != kill)
        return events

    return start


def killed_at(start: Start, command: list[str], folder: Path, kills: list[int]) -> list[str]:
    """Run a command that is killed and gone on with again and again, then left alone; tells at which events."""
    names = []
    for kill in kills:
        events = start(command, folder, kill)
        names += [events[-1]] if len(events) == kill else []
        # What is left half-written does not pile up: each folder is cleared when it is locked.
        assert len(list(folder.rglob("*.unfinished"))) <= 3
    start(command, folder, None)
    assert not list(folder.rglob("*.unfinished"))
    return names


def moments_of(events: list[str], draw: random.Random, more: int) -> list[int]:
    """Numbers of some events, counted from 1: one of each name, and so many others."""
    named = [draw.choice([k for k, each in enumerate(events, 1) if each == name]) for name in sorted(set(events))]
    return named + [draw.randint(1, len(events)) for _ in range(more)]


def _watch(module: Any, name: str, path_of: Callable[..., str], folder: str, event: Callable[[str], None]) -> None:
    """Tell of a function's calls about paths in a folder, before and after."""
    real = getattr(module, name)

    def watched(*arguments: Any, **options: Any) -> Any:
        path = path_of(*arguments, **options)
        if not path.startswith(folder):
            return real(*arguments, **options)
        # Without the number of a cycle or seed, or the letters that tempfile has drawn.
        about = "" if path == folder else re.sub(r"\d+|\.\w{8}\.unfinished", "", Path(path).name)
        event(f"before {name} {about}".strip())
        result = real(*arguments, **options)
        event(f"after {name} {about}".strip())
        return result

    setattr(module, name, watched)


class _Halves:
    """A file that is written in two halves, with an event between them."""

    def __init__(self, path: Path, mode: str, event: Callable[[str], None]) -> None:
        self.file, self.event = open(path, mode, buffering=0), event  # noqa: SIM115

    def __enter__(self) -> "_Halves":
        return self

    def __exit__(self, *_error: object) -> None:
        self.file.close()

    def write(self, data: bytes) -> None:
        self.event("journal opened")
        self.file.write(data[: len(data) // 2])
        self.event("journal torn")
        self.file.write(data[len(data) // 2 :])
        self.event("journal written")

    def flush(self) -> None:
        """Nothing is held back."""

    def fileno(self) -> int:
        return self.file.fileno()


def hold(folder: str, taken: Event) -> None:
    """Hold a folder until killed."""
    with locked(folder):
        taken.set()
        time.sleep(600)


def race(folder: str, together: Barrier) -> None:
    """Take a folder at the same moment as others, and keep it until all have tried; exits with 3 if it is taken."""
    together.wait()
    try:
        with locked(folder):
            together.wait()
    except RunFolderError:
        together.wait()
        sys.exit(3)
