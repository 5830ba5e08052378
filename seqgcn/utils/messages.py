"""Messages for whoever uses the package; those of the command line come out on standard error."""

import logging

log = logging.getLogger("seqgcn")
"""What a user should know: INFO what is done and found, WARNING what they may want to change."""

# A library writes nothing to the console by itself: who wants the messages adds a handler.
log.addHandler(logging.NullHandler())


def counted(number: int, noun: str) -> str:
    """`"1 seed"`, `"1,200 seeds"`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
