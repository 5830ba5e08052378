"""What the package has to tell, on standard error: one plain line a message."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from seqgcn.utils.messages import log
from seqgcn.utils.progress import write_line


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        write_line(f"seqgcn: {record.getMessage()}")


@contextmanager
def shown_messages() -> Iterator[None]:
    """Show log messages from INFO up, and warnings, while a command runs."""
    handler, level = _Lines(), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            # A warning printed by Python itself would tear the bars apart.
            warnings.showwarning = lambda message, *_where, **_more: write_line(f"seqgcn: {message}")
            yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
