from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from seqgcn.datasets.hands.centers.shading import shade
from seqgcn.exceptions import ArgumentError


def test_near_is_brighter_than_far_and_nothing_is_black() -> None:
    depth = np.zeros((40, 60), np.float32)
    depth[:, :20], depth[:, 20:40], depth[:, 40:50] = 500, 1200, 1501
    picture = shade(depth)
    assert picture.shape == (40, 60, 3)
    assert picture.dtype == np.uint8
    assert picture[20, 10, 0] > picture[20, 30, 0] > 0
    assert not picture[:, 40:].any()
    assert shade(depth, farthest=1600)[20, 45].any()


def test_surfaces_that_turn_away_are_darker_and_all_are_of_skin() -> None:
    columns = np.arange(80, dtype=np.float32)
    flat, tilted = np.full((60, 80), 600, np.float32), np.tile(600 + 2 * columns, (60, 1))
    facing, turned = (shade(depth, 1e6, focal=475)[30, 40].astype(int) for depth in (flat, tilted))
    assert turned.max() < 0.6 * facing.max()
    assert facing[0] > facing[1] > facing[2]
    # Alike along both axes.
    np.testing.assert_array_equal(shade(tilted.T, 1e6, focal=475)[40, 30], turned)


def test_the_step_between_two_surfaces_is_no_slope() -> None:
    depth = np.full((40, 40), 600, np.float32)
    depth[:, 20:] = 0
    beside_nothing = shade(depth)[20, 19]
    assert beside_nothing.min() > 0.8 * shade(depth)[20, 5].min()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=12),
        elements=st.one_of(st.floats(0, 2000, width=32), st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 0.0])),
    )
)
def test_whatever_was_measured_becomes_a_picture(depth: NDArray[np.float32]) -> None:
    picture = shade(depth)
    assert picture.shape == (*depth.shape, 3)
    assert not picture[~((depth > 0) & (depth <= 1500))].any()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"depth": np.zeros((3, 4, 5), np.float32)}, r"depth .* \[3, 4, 5\]"),
        ({"depth": np.zeros((3, 4), np.uint16)}, "depth .* uint16"),
        ({"depth": [[1.0]]}, "depth .* list"),
        ({"farthest": 0}, "farthest .* 0"),
        ({"farthest": float("nan")}, "farthest .* nan"),
        ({"focal": -1}, "focal .* -1"),
    ],
)
def test_what_cannot_be_shaded_is_named(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        shade(**{"depth": np.ones((3, 4), np.float32), **arguments})


@pytest.mark.parametrize("noise", [1.0, 3.0, 6.0])
def test_a_sensors_noise_does_not_look_like_slopes(noise: float) -> None:
    draws = np.random.default_rng(0)
    flat = np.full((100, 100), 600, np.float32)
    noisy = np.rint(flat + noise * draws.standard_normal(flat.shape)).astype(np.float32)
    clean, blurred = (shade(depth, focal=475)[10:-10, 10:-10].astype(int) for depth in (flat, noisy))
    assert abs(clean - blurred).mean() < 0.05 * clean.mean()
