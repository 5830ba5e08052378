import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import pairwise_distances

from seqgcn.report.html.nearby import draw_neighbourhood, neighbours_of, twins_of


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(2, 12), st.integers(1, 3), st.integers(1, 15), st.integers(0, 99))
def test_neighbours_by_all_distances(n: int, d: int, k: int, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-2, 3, (n, d)).astype(np.float32)
    found = neighbours_of(x, np.arange(n), k)
    apart = pairwise_distances(x)
    assert found.item.shape == found.distance.shape == (n, min(k, n - 1))
    for i in range(n):
        assert i not in found.item[i]
        assert len(set(found.item[i].tolist())) == found.item.shape[1]
        assert found.distance[i] == pytest.approx(np.sort(np.delete(apart[i], i))[:k], abs=1e-5)
        assert apart[i, found.item[i]] == pytest.approx(found.distance[i], abs=1e-5)


def test_twins_hang_together_through_picks_alone() -> None:
    x = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [9.0]])
    found = twins_of(x, np.array([5, 1]), np.array([0, 2, 3, 4]), np.array([0.15] * 10))
    assert (found.groups, found.picks, found.threshold) == ([[1, 0, 2]], 1, pytest.approx(0.15))
    assert twins_of(x, np.array([5]), np.array([], int), np.array([])).groups == []


def plain_groups(x: np.ndarray, picks: list[int], labelled: list[int], threshold: float) -> list[list[int]]:
    """What hangs together through picks, found by going from each to what is near to it."""
    near = pairwise_distances(x) <= threshold
    left, groups = list(picks), []
    while left:
        group, waiting = set[int](), [left[0]]
        while waiting:
            item = waiting.pop()
            if item not in group:
                group.add(item)
                others = [*picks, *labelled] if item in picks else picks
                waiting += [other for other in others if near[item, other]]
        left = [pick for pick in left if pick not in group]
        if len(group) > 1:
            groups.append([pick for pick in picks if pick in group] + sorted(group - set(picks)))
    return groups


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(2, 40), st.integers(1, 2), st.sampled_from([0.5, 1.2, 1.5]), st.integers(1, 99), st.data())
def test_twins_as_by_a_plain_search(n: int, d: int, threshold: float, pairs: int, data: st.DataObject) -> None:
    # Whole numbers, so that no distance is a matter of rounding.
    places = data.draw(st.lists(st.integers(0, 30), min_size=n * d, max_size=n * d))
    x = np.array(places, np.float32).reshape(n, d)
    items = data.draw(st.permutations(range(n)))
    count = data.draw(st.integers(0, n))
    picks, labelled = items[:count], items[count : count + data.draw(st.integers(0, n))]
    found = twins_of(x, np.array(picks, int), np.array(labelled, int), np.full(5, threshold), pairs=pairs)
    groups = plain_groups(x, picks, labelled, threshold)
    assert found.groups == groups
    assert found.picks == sum(item in picks for group in groups for item in group)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(1, 64), st.floats(0, 6), st.floats(0.01, 1), st.integers(0, 99))
def test_equal_items_are_found_whatever_their_norm(d: int, power: float, spread: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    once = draw.normal(size=(12, d)) * spread + draw.normal(size=d)
    once *= 10**power / np.linalg.norm(once, axis=1).max()
    x = np.tile(once.astype(np.float32), (3, 1))  # items i, i + 12 and i + 24 are the same
    found = neighbours_of(x, np.arange(36), 2)
    assert (found.distance == 0).all()
    assert {tuple(sorted(row)) for row in (found.item % 12).tolist()} == {(i, i) for i in range(12)}
    # Eight pairs of picks, a pick and a labeled item, two labeled items alone.
    picks, labelled = np.array([*range(9), *range(12, 20)]), np.array([20, 9, 21])
    groups = twins_of(x, picks, labelled, found.distance[:, 0]).groups
    assert groups == [*([i, i + 12] for i in range(9))]


def test_near_duplicates_of_large_norm_are_told_from_others() -> None:
    x = np.array([[1e6, 0], [1e6, 0], [1e6, 4], [1e6, 4], [-1e6, 0]], np.float32)
    found = twins_of(x, np.array([0, 2]), np.array([1, 3, 4]), np.zeros(4))
    assert (found.threshold, found.groups) == (0, [[0, 1], [2, 3]])


def test_twins_of_equal_items_take_no_memory_for_their_pairs() -> None:
    x = np.full((5600, 4), 1.5, np.float32)
    picks, labelled = np.arange(300), np.arange(300, 5600)
    tracemalloc.start()
    try:
        found = twins_of(x, picks, labelled, np.zeros(9))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [len(group) for group in found.groups] == [5600]
    assert found.picks == 300
    assert peak < 300 * 5600  # less than a byte a pair


def test_a_drawn_neighbourhood_keeps_its_distances() -> None:
    angles = np.linspace(0, 2 * np.pi, 7)[:-1]
    x = np.stack([np.append(0, np.cos(angles)), np.append(0, np.sin(angles))], axis=1)
    drawing = draw_neighbourhood(x, [0, 1, 2, 3, 4, 5, 6])
    places = np.array([(node.x, node.y) for node in drawing.nodes])
    assert [node.item for node in drawing.nodes] == list(range(7))
    assert places.min() >= 10
    assert places.max() <= 90
    assert np.linalg.norm(places[1:] - places[0], axis=1) == pytest.approx(np.full(6, 43), abs=4)
    assert drawing.spokes.count("M") == 6
    same = draw_neighbourhood(np.ones((3, 2)), [0, 1, 2])
    assert len({(node.x, node.y) for node in same.nodes}) == 3
    assert draw_neighbourhood(x, [0, 3]).links == ""
