"""The capacity of a network as one factor."""

from collections.abc import Sequence


def scaled(width: float, channels: Sequence[int]) -> list[int]:
    """Numbers of channels times a factor, at least 1 each.

    >>> scaled(0.5, (64, 128))
    [32, 64]
    """
    return [max(1, round(width * count)) for count in channels]
