import numpy as np
import pytest

from seqgcn.report.html.maps import flatten

DRAWN = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)


@pytest.mark.parametrize("n", [2, 3, 10, 40])
@pytest.mark.parametrize("value", [0, 0.1, 1, 3.3e7, 1e30, -1e-40])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_embeddings_are_one_place_and_said_to_be(n: int, value: float, dtype: type) -> None:
    flat = flatten(np.full((n, 5), value, dtype), seed=0)
    assert flat.places.tolist() == [[0.5, 0.5]] * n
    assert "all the same" in flat.words


@pytest.mark.parametrize("n", [10, 60])
@pytest.mark.parametrize("value", [0.1, 1e30])
def test_a_column_that_says_nothing_changes_nothing(n: int, value: float) -> None:
    x = DRAWN[:n]
    beside = np.c_[np.full((n, 1), value, np.float32), x]
    assert np.allclose(flatten(beside, seed=0).places, flatten(x, seed=0).places, atol=0.05)


@pytest.mark.parametrize(
    "x",
    [
        np.r_[np.full((39, 5), 0.1), np.full((1, 5), 0.2)],
        np.repeat(np.eye(2), 20, axis=0),
        np.linspace(0, 1, 40)[:, None] * np.ones(5),
        np.linspace(0, 1, 40)[:, None],
        np.nextafter(np.full((40, 5), 0.1), np.arange(40)[:, None] % 2),
        np.zeros((40, 0)),
        np.zeros((1, 5)),
    ],
    ids=["one differs", "two values", "a line", "one column", "a last bit", "no column", "one item"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_embeddings_that_hardly_differ_are_drawn(x: np.ndarray, dtype: type) -> None:
    places = flatten(x.astype(dtype), seed=0).places
    assert places.shape == (len(x), 2)
    assert np.isfinite(places).all()
    assert places.min() >= -1e-6
    assert places.max() <= 1 + 1e-6
