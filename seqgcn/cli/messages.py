"""What the package has to tell, on standard error: one plain line a message."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from seqgcn.utils.progress import write_line


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        write_line(f"seqgcn: {record.getMessage()}")


@contextmanager
def shown_messages() -> Iterator[None]:
    """Show log messages from INFO up, and warnings, while a command runs."""
    logger, handler = logging.getLogger("seqgcn"), _Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            # A warning printed by Python itself would tear the bars apart.
            warnings.showwarning = lambda message, *_where, **_more: write_line(f"seqgcn: {message}")
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
