"""What the names of frames say: their order, which frame of a video each is, and when it was taken."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SECOND = 10**9
"""In nanoseconds, in which all times here are counted."""

EPOCH = {10: SECOND, 13: 10**6, 16: 10**3, 19: 1}
"""Nanoseconds a unit of the time since 1970, by its number of digits: from September 2001 on, seconds have ten."""

LATEST = 41 * 10**8
"""Seconds since 1970 in about the year 2100."""

DENSE = 8
"""Numbers count frames where half of them are fewer than this apart; milliseconds of 120 frames a second are not."""

ALIKE, MOST = 0.2, 0.7
"""Steps of a clock: at least the share `MOST` of them differ from the median by `ALIKE` of it at most."""

FASTEST = 2 * 10**6
"""Nanoseconds between frames that are farther apart than a camera's; parts of a second that count frames are nearer."""

FEWEST_STEPS = 4
"""Of fewer, nobody can tell whether they are a clock's."""

CLOCKS = (
    (10**6, "milliseconds", DENSE, 2_000),
    (10**3, "microseconds", 4_000, 2 * 10**6),
    (1, "nanoseconds", 4 * 10**6, 2 * 10**9),
)
"""Nanoseconds a unit, its name, and the least and largest step between frames: 240 to half a frame a second."""


class Numbering(NamedTuple):
    """Which frame of a video each of n names is.

    Args:
        frame: Number of the frame, `[n]` int64: as the names count them, else its place in their order.
        time: When it was taken, `[n]` int64, nanoseconds from any start; None where the names do not say.
        why: What `frame` and `time` come from, to go on after "the names".
    """

    frame: NDArray[np.int64]
    time: NDArray[np.int64] | None
    why: str

    @property
    def counts(self) -> bool:
        """Whether the numbers of the names are those of the frames."""
        return self.why == COUNT


COUNT = "count frames"


def number_frames(names: Sequence[str]) -> Numbering:
    """Tell frame numbers from time stamps and from other numbers.

    Names are time stamps if they hold seconds since 1970 with or without a fraction (``1305031102.160407.png``, or
    seconds and nanoseconds as in ``1305031102_5000000.png``), milli-, micro- or nanoseconds since then, seconds with a
    fraction since the start, or whole numbers that grow by the unsteady steps of a clock. They count frames if all
    that differs is one number, and half of the numbers are fewer than `DENSE` apart. Else the order counts: that of
    the numbers where names differ in numbers alone, else the order given.

    Args:
        names: Of the files of one video, without their folder, n of them.
    """
    stems = [re.split("([0-9]+)", stem_of(name)) for name in names]
    n = len(stems)
    if n == 0 or any(stem[::2] != stems[0][::2] for stem in stems):
        return Numbering(np.arange(n), None, "differ in more than numbers")
    digits = [[stem[i] for stem in stems] for i in range(1, len(stems[0]), 2)]
    varying = [i for i, group in enumerate(digits) if len({text.lstrip("0") for text in group}) > 1]
    found = _epoch(digits, stems[0][2::2]) or _since_start(digits, stems[0][2::2], varying)
    if found is not None:
        time, what = found
        return Numbering(_ranks(time), time, f"are time stamps in {what}")
    rank = _ranks_of_keys([tuple(_key(group[row]) for group in digits) for row in range(n)])
    if len(varying) != 1:
        return Numbering(rank, None, "hold several numbers that vary" if varying else "hold no number that varies")
    numbers = _whole(digits[varying[0]])
    if numbers is None or len(np.unique(numbers)) < n:
        return Numbering(rank, None, "hold numbers that are no frames'")
    steps = np.diff(np.sort(numbers))
    if float(np.median(steps)) < DENSE:
        return Numbering(numbers, None, COUNT)
    return Numbering(rank, None, f"hold numbers that are mostly {DENSE} or more apart, too far to count frames")


def stem_of(item: str) -> str:
    """The name of a file without its folder and suffix; digits alone are no suffix, as in ``frame.0012``."""
    name = item.rpartition("/")[2]
    stem, _, suffix = name.rpartition(".")
    return name if not stem or suffix.isdigit() else stem


def sort_frames(frames: Iterable[str]) -> list[str]:
    """Paths of frames, folder by folder, in the order of the numbers in their names, or of their time stamps."""
    folders: dict[str, list[str]] = {}
    for frame in frames:
        folders.setdefault(frame.rpartition("/")[0], []).append(frame)
    ordered: list[str] = []
    for folder in sorted(folders, key=natural):
        members = sorted(folders[folder], key=lambda frame: natural(frame.rpartition("/")[2]))
        time = number_frames(members).time
        ordered += members if time is None else [members[i] for i in time.argsort(kind="stable").tolist()]
    return ordered


def natural(text: str) -> tuple[tuple[str | tuple[int, str], ...], str]:
    """Sorts 2 before 10."""
    pieces = re.split("([0-9]+)", text)
    return tuple(_key(piece) if i % 2 else piece for i, piece in enumerate(pieces)), text


def _key(digits: str) -> tuple[int, str]:
    """Sorts as the number does; that of a million digits would take a minute to make."""
    value = digits.lstrip("0")
    return len(value), value


def _whole(texts: Sequence[str]) -> NDArray[np.int64] | None:
    """Numbers of at most 18 digits."""
    return np.array(list(map(int, texts)), np.int64) if all(len(text) <= 18 for text in texts) else None


def _ranks(values: NDArray[np.int64]) -> NDArray[np.int64]:
    ranks = np.empty(len(values), np.int64)
    ranks[values.argsort(kind="stable")] = np.arange(len(values))
    return ranks


def _ranks_of_keys(keys: Sequence[tuple[tuple[int, str], ...]]) -> NDArray[np.int64]:
    ranks = np.empty(len(keys), np.int64)
    ranks[sorted(range(len(keys)), key=keys.__getitem__)] = np.arange(len(keys))
    return ranks


def _epoch(digits: list[list[str]], between: list[str]) -> tuple[NDArray[np.int64], str] | None:
    """Time since 1970, from the first number that is one, and its unit; `between` is what follows each number."""
    for i, group in enumerate(digits):
        unit = EPOCH.get(len(group[0]))
        if unit is None or any(len(text) != len(group[0]) for text in group):
            continue
        if not all(SECOND // unit * 10**9 <= int(text) <= SECOND // unit * LATEST for text in group):
            continue
        if unit == SECOND and between[i] in (".", "_", "-", ",") and i + 1 < len(digits):
            time = _seconds(group, digits[i + 1])
            if time is not None and _tells(time, FASTEST):
                return time, "seconds"
        time = np.array([int(text) * unit for text in group], np.int64)
        if _tells(time, 0):
            return time, {SECOND: "seconds", **{clock[0]: clock[1] for clock in CLOCKS}}[unit]
    return None


def _tells(time: NDArray[np.int64], least: int) -> bool:
    """Whether times tell all frames apart, by more than a number that counts them would."""
    steps = np.diff(np.sort(time))
    return len(steps) == 0 or bool(steps.min() > 0 and np.median(steps) > least)


def _since_start(
    digits: list[list[str]], between: list[str], varying: list[int]
) -> tuple[NDArray[np.int64], str] | None:
    """Time since the start, where the names say nothing else."""
    if not varying:
        return None
    last = varying[-1]
    if last and varying[0] >= last - 1 and between[last - 1] == "." and all(len(text) >= 3 for text in digits[last]):
        time = _seconds(digits[last - 1], digits[last]) if all(len(text) <= 9 for text in digits[last - 1]) else None
        # take.0001, take.0002 are not tenths of milliseconds.
        if time is not None and len(time) > 1 and _tells(time, FASTEST) and not _tells(time, 10 * SECOND):
            return time, "seconds"
    numbers = _whole(digits[last]) if len(varying) == 1 else None
    if numbers is None or len(numbers) <= FEWEST_STEPS:
        return None
    steps = np.diff(np.sort(numbers))
    middle = float(np.median(steps))
    if steps.min() == 0 or np.count_nonzero(np.abs(steps / middle - 1) <= ALIKE) < MOST * len(steps):
        return None
    for unit, name, least, most in CLOCKS:
        # Every 40th frame has a step of 40 exactly, while a clock that reads 40 ms hardly ever does each time.
        unsteady = unit != 10**6 or len(np.unique(steps)) > 1
        if least <= middle <= most and unsteady and int(numbers.max()) < 2**63 // unit:
            return numbers * unit, name
    return None


def _seconds(seconds: list[str], fractions: list[str]) -> NDArray[np.int64] | None:
    """Seconds with a fraction, or with whole milli-, micro- or nanoseconds that have no zeros in front."""
    longest = max(map(len, fractions))
    if longest > 9:
        return None
    unit = 10 ** (9 - 3 * -(-longest // 3))

    def times(of: Callable[[str], int]) -> NDArray[np.int64]:
        pairs = zip(seconds, fractions, strict=True)
        return np.array([int(whole) * SECOND + of(part) for whole, part in pairs], np.int64)

    decimal = times(lambda part: int(part.ljust(9, "0")))
    if len(set(map(len, fractions))) == 1 or any(len(part) > 1 and part[0] == "0" for part in fractions):
        return decimal
    parts = times(lambda part: int(part) * unit)
    # Fractions without zeros at the end do not end in one.
    if any(len(part) > 1 and part[-1] == "0" for part in fractions):
        return parts
    return min((decimal, parts), key=_unsteadiness)


def _unsteadiness(time: NDArray[np.int64]) -> float:
    """The largest step beside the median one."""
    steps = np.diff(np.sort(time))
    return float(steps.max(initial=0)) / max(float(np.median(steps)) if len(steps) else 1.0, 1.0)
