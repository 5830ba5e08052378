from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgcn.datasets.frame_names import number_frames, sort_frames

quick = settings(max_examples=200, deadline=None, derandomize=True)

START = 1305031102
STAMPS: dict[str, tuple[Callable[[int], str], int]] = {
    # Name of a frame by its nanoseconds since the start, and how exact it is.
    "sec.usec": (lambda t: f"{START + t // 10**9}.{t % 10**9 // 1000:06d}.png", 1000),
    "sec.nsec": (lambda t: f"{START + t // 10**9}.{t % 10**9:09d}.png", 1),
    "sec_nsec": (lambda t: f"depth_{START + t // 10**9}_{t % 10**9:09d}.tiff", 1),
    "counted sec.usec": (lambda t: f"{t // 10**7:06d}-{START + t // 10**9}.{t % 10**9 // 1000:06d}.png", 1000),
    "ms": (lambda t: f"{START * 1000 + t // 10**6}.png", 10**6),
    "us": (lambda t: f"frame-{START * 10**6 + t // 1000}.png", 1000),
    "ns": (lambda t: f"{START * 10**9 + t}", 1),
    "seconds since the start": (lambda t: f"{t // 10**9}.{t % 10**9 // 1000:06d}.npy", 1000),
    "microseconds since the start": (lambda t: f"{t // 1000}.png", 1000),
    "nanoseconds since the start": (lambda t: f"t{t:012d}.png", 1),
}


@pytest.mark.parametrize("kind", STAMPS)
@quick
@given(
    st.integers(10**7, 10**8),
    st.lists(st.floats(0.95, 1.05), min_size=6, max_size=40),
    st.randoms(use_true_random=False),
)
def test_time_stamps_are_told_and_give_order_and_time(kind: str, step: int, jitter: list[float], random: Any) -> None:
    name, exact = STAMPS[kind]
    times = np.cumsum([round(step * factor) for factor in jitter])
    order = list(range(len(times)))
    random.shuffle(order)
    found = number_frames([name(int(times[i])) for i in order])
    assert found.frame.tolist() == order
    assert found.time is not None
    apart = found.time - found.time[order.index(0)]
    assert (np.abs(apart - (times[order] - times[0])) <= exact).all()
    assert not found.counts
    assert "time stamps in" in found.why


@quick
@given(st.integers(0, 10**6), st.lists(st.integers(1, 7), min_size=1, max_size=40), st.integers(0, 8))
def test_dense_numbers_count_frames(first: int, steps: list[int], width: int) -> None:
    numbers = np.cumsum([first, *steps]).tolist()
    found = number_frames([f"a7_{number:0{width}d}_depth.png" for number in numbers])
    assert (found.frame.tolist(), found.time, found.counts) == (numbers, None, True)


@quick
@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=30, unique=True))
def test_other_numbers_give_an_order(numbers: list[int]) -> None:
    found = number_frames([f"{number}.png" for number in numbers])
    if not found.counts:
        assert found.frame.tolist() == np.argsort(np.argsort(numbers)).tolist()


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([f"{40 * i}.png" for i in range(20)], "mostly 8 or more apart, too far to count frames"),
        ([f"{7 * i * i + 3}.png" for i in range(20)], "too far to count frames"),
        ([f"{i // 10}_{i % 10}.png" for i in range(20)], "several numbers that vary"),
        (["5.png", "05.png"], "no number that varies"),
        (["a.png", "b.png"], "differ in more than numbers"),
        ([f"20240131_1530{i:02d}_{i}.png" for i in range(20)], "several numbers that vary"),
    ],
)
def test_what_neither_counts_nor_tells_the_time(names: list[str], why: str) -> None:
    found = number_frames(names)
    assert (found.frame.tolist(), found.time) == (list(range(len(names))), None)
    assert why in found.why


@pytest.mark.parametrize(
    "names",
    [
        [f"take.1.{i:04d}.png" for i in range(20)],
        [f"{START}_{i:04d}.png" for i in range(20)],  # when the recording began, and a count
        [f"{START}.{i:06d}.png" for i in range(20)],
        [f"{START * 1000}-{i}.png" for i in range(20)],
    ],
)
def test_counts_behind_a_constant_number_are_no_parts_of_a_second(names: list[str]) -> None:
    found = number_frames(names)
    assert (found.frame.tolist(), found.time, found.counts) == (list(range(20)), None, True)


def test_milliseconds_that_start_at_zero() -> None:
    found = number_frames([f"{i * 100 // 3}.png" for i in range(30)])
    assert found.time is not None
    assert found.time[:4].tolist() == [0, 33 * 10**6, 66 * 10**6, 100 * 10**6]
    assert found.why == "are time stamps in milliseconds"


@pytest.mark.parametrize(
    ("names", "milliseconds"),
    [
        # Nanoseconds without zeros in front; decimals without zeros at the end.
        (["1305031102.5000000", "1305031102.38000000", "1305031102.71333330"], [0, 33, 66]),
        (["1305031102.05", "1305031102.1", "1305031102.15"], [0, 50, 100]),
        (["1305031102.1", "1305031102.2", "1305031102.25", "1305031102.3"], [0, 100, 150, 200]),
    ],
)
def test_fractions_of_several_lengths(names: list[str], milliseconds: list[int]) -> None:
    time = number_frames(names).time
    assert time is not None
    assert ((time - time[0]) // 10**6).tolist() == milliseconds
    assert sort_frames([f"{name}.png" for name in reversed(names)]) == [f"{name}.png" for name in names]


def test_folders_are_sorted_each_by_what_its_names_are() -> None:
    stamps = [f"b2/1305031102.{part}.png" for part in ("85", "9", "95", "8")]
    frames = ["b10/2.png", "b10/10.png", *stamps, "1.png"]
    assert sort_frames(frames) == [
        "1.png",
        "b2/1305031102.8.png",
        "b2/1305031102.85.png",
        "b2/1305031102.9.png",
        "b2/1305031102.95.png",
        "b10/2.png",
        "b10/10.png",
    ]


def test_no_names_and_one() -> None:
    assert number_frames([]).frame.tolist() == []
    alone = number_frames(["1305031102.160407.png"])
    assert alone.time is not None
    assert (alone.frame.tolist(), alone.time.tolist()) == ([0], [1305031102160407000])


@quick
@given(st.lists(st.text(st.sampled_from("a12_.-/"), max_size=14), max_size=12))
def test_any_names_have_one_place_each(names: list[str]) -> None:
    found = number_frames(names)
    assert len(set(found.frame.tolist())) == len(names)
    assert sorted(sort_frames(names)) == sorted(names)
