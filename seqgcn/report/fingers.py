"""Colors of the fingers, for pictures by Matplotlib and for pages that do without it."""

from collections.abc import Sequence

GREY = "#777777"
FINGERS = ("#D55E00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2")


def finger_colours(bones: Sequence[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """Color of each bone. Fingers are what falls apart when the joint with the most bones is taken out."""
    ends = [joint for bone in bones for joint in bone]
    hub = max(ends, key=ends.count, default=None)
    group = {joint: joint for joint in ends}
    for _ in bones:  # each pass carries the smallest joint of a finger at least one bone further
        for a, b in bones:
            if hub not in (a, b):
                group[a] = group[b] = min(group[a], group[b])
    sizes = {first: list(group.values()).count(first) for first in dict.fromkeys(group.values())}
    fingers = sorted(first for first, size in sizes.items() if size > 1)[: len(FINGERS)]
    colours = dict(zip(fingers, FINGERS, strict=False))
    return {(a, b): colours.get(group[b if a == hub else a], GREY) for a, b in bones}
