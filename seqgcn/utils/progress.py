"""Progress bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

EVERY = 60.0
"""Seconds between the lines about a long stage where there is no terminal."""


def write_line(text: str) -> None:
    """Write a line to standard error, above the bars if there are any."""
    if sys.stderr.isatty():
        tqdm.write(text, file=sys.stderr)
    else:
        sys.stderr.write(f"{text}\n")


class Bars:
    """A bar for the cycles and, below it, one for the stage at work; what `progress=` takes.

    Where standard error is no terminal, a line a cycle is written and, of stages that take longer, a line a minute.

    Args:
        hidden: Show nothing at all.
        clock: Tells the seconds since some moment.
    """

    def __init__(self, *, hidden: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._hidden, self._clock, self._written = hidden, clock, clock()
        self._live = sys.stderr.isatty() and not hidden
        self._cycles: tqdm[Any] | None = None
        self._stage: tqdm[Any] | None = None
        self._name = ""

    def plan(self, cycles: int) -> None:
        """Open the bar of the cycles."""
        if self._live:
            self._cycles = tqdm(total=cycles, desc="cycles", unit="cycle", position=0, dynamic_ncols=True)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of a stage are done."""
        if not self._live:
            self._write_now_and_then(stage, done, total)
            return
        if self._stage is not None and (stage != self._name or done <= self._stage.n):
            self._stage.close()
            self._stage = None
        if self._stage is None:
            below = int(self._cycles is not None)
            bar: tqdm[Any] = tqdm(total=total, desc=f"  {stage}", position=below, leave=False, dynamic_ncols=True)
            self._stage, self._name = bar, stage
        self._stage.update(done - self._stage.n)

    def _write_now_and_then(self, stage: str, done: int, total: int) -> None:
        now = self._clock()
        if stage != self._name:
            self._name, self._written = stage, now
        if not self._hidden and now - self._written >= EVERY:
            self._written = now
            write_line(f"{stage}: {done:,} of {total:,}")

    def cycle_done(self, headline: str) -> None:
        """Count a cycle and write its line above the bars."""
        if self._hidden:
            return
        write_line(headline)
        if self._cycles is not None:
            self._cycles.update()

    def close(self) -> None:
        """Take the bars away."""
        for bar in (self._stage, self._cycles):
            if bar is not None:
                bar.close()
        self._stage = self._cycles = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
