"""How far picks of one sequence must be from each other: in frames, or in time."""

import re
from decimal import Decimal
from typing import Any

from seqgcn.exceptions import ArgumentError

NANOSECONDS = {"s": 10**9, "ms": 10**6}
TIME = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})\s*(s|ms)\s*")


def check_gap(value: Any) -> int | str:
    """A gap as it is kept: frames as a whole number, a time in seconds, as in `"0.5s"`; no time at all is 0.

    Args:
        value: A whole number, also as text, or a time such as `"0.5s"` or `"500ms"`.

    Raises:
        ArgumentError: Anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        if re.fullmatch(r"\s*-?[0-9]{1,18}\s*", value):
            return int(value)
        if TIME.fullmatch(value):
            seconds = Decimal(nanoseconds(value)).scaleb(-9).normalize()
            return f"{seconds:f}s" if seconds else 0
    raise ArgumentError(
        f"min-gap must be a whole number of frames, such as 30, or a time, such as 0.5s or 500ms, got {value!r}"
    )


def nanoseconds(gap: str) -> int:
    """A time such as `"0.5s"` as a whole number."""
    found = TIME.fullmatch(gap)
    if found is None:
        raise ArgumentError(f"min-gap must be a time, such as 0.5s or 500ms, got {gap!r}")
    return round(Decimal(found[1]) * NANOSECONDS[found[2]])
