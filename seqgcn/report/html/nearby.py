"""What lies near the picks: their neighbors, drawn as graphs, and picks that are nearly the same as others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import numpy.typing as npt
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]

NEIGHBOURS = 8
SAMPLE = 400
"""Items whose nearest neighbor is looked for, to know how near neighbors are in this pool."""

NEAR = 0.25
"""Near-duplicates are as near as this share of all items is to its nearest neighbour: in videos, frames in a row.

Of 100 picks on rendered hands and on digits this flags none of CoreGCN's, 15 and 8 random ones, 37 and 19 of
UncertainGCN's.
"""

PAIRS = 2**18
"""Pairs of a pick and another item whose distances are held at once."""


class Neighbours(NamedTuple):
    """Of q items, the k nearest others, nearest first: their numbers and distances, `[q, k]` each."""

    item: Ints
    distance: Floats


def neighbours_of(x: Floats, items: Ints, k: int) -> Neighbours:
    """Nearest others of some items, by the Euclidean distance.

    Args:
        x: Embeddings, `[n, d]`.
        items: Which, `[q]`.
        k: How many; all others if there are fewer.
    """
    k = min(k, len(x) - 1)
    if k < 1 or len(items) == 0:
        return Neighbours(np.empty((len(items), 0), np.int64), np.empty((len(items), 0)))
    found = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(x).kneighbors(x[items], return_distance=False)
    # An item finds itself, though not always first among exact duplicates.
    itself = found == items[:, None]
    itself[~itself.any(axis=1), -1] = True
    others = found[~itself].reshape(-1, k)
    # The search takes distances from products, whose rounding grows with the norms: equal items are not at 0 there.
    distance = np.stack(
        [np.linalg.norm(x[row] - x[item].astype(np.float64), axis=1) for item, row in zip(items, others, strict=True)]
    )
    order = distance.argsort(axis=1, kind="stable")
    return Neighbours(np.take_along_axis(others, order, axis=1), np.take_along_axis(distance, order, axis=1))


@dataclass(frozen=True, kw_only=True)
class Twins:
    """Picks that are nearly the same as another pick or a labeled item.

    Args:
        threshold: Distance up to which they count as that.
        groups: Items of each group, picks in their order first.
        picks: How many picks there are in the groups.
    """

    threshold: float
    groups: Sequence[Sequence[int]]
    picks: int


def twins_of(x: Floats, picks: Ints, labelled: Ints, nearest: Floats, *, pairs: int = PAIRS) -> Twins:
    """Groups of picks, and of picks and labeled items, that are nearer than neighbors in the pool mostly are.

    Args:
        x: Embeddings, `[n, d]`.
        picks: Best first, `[b]`.
        labelled: `[m]`.
        nearest: Distances of a sample of items to their nearest neighbor.
        pairs: How many pairs to look at at once.
    """
    threshold = float(np.quantile(nearest, NEAR)) if len(nearest) else 0.0
    both = np.concatenate([picks, np.sort(labelled)])
    # Of each of both, the first that it hangs together with: picks come first, and every group has one.
    first = _first_equal(x[both])
    if len(both) > 1 and len(picks):
        search = NearestNeighbors(radius=threshold, algorithm="brute").fit(x[both])
        rows = max(1, pairs // len(both))
        for start in range(0, len(picks), rows):
            near = search.radius_neighbors(x[picks[start : start + rows]], return_distance=False)
            for pick, found in enumerate(near, start):
                _join(first, np.append(found, pick))
    twin = (np.bincount(first, minlength=len(both))[first] > 1) & (first < len(picks))
    order = np.flatnonzero(twin)[np.argsort(first[twin], kind="stable")]
    ends = np.flatnonzero(np.diff(first[order])) + 1
    groups = [group.tolist() for group in np.split(both[order], ends) if len(group)]
    return Twins(threshold=threshold, groups=groups, picks=int(twin[: len(picks)].sum()))


def _first_equal(x: Floats) -> Ints:
    """Of each row the first that equals it, `[n]`.

    A search by distances misses some of these: it takes them from products, whose rounding grows with the norms.
    """
    seen: dict[bytes, int] = {}
    # Zero has two signs.
    return np.array([seen.setdefault((row + 0.0).tobytes(), place) for place, row in enumerate(x)], np.int64)


def _join(first: Ints, some: Ints) -> None:
    """Let some hang together, and all that hang together with them.

    What is kept is a number an item. The pairs themselves can be as many as picks times items, if most are the same.
    """
    groups = first[some]
    best = groups.min()
    if (groups != best).any():
        joined = np.zeros(len(first), bool)
        joined[groups] = True
        first[joined[first]] = best


class Node(NamedTuple):
    """An item of a drawn graph: its number and its place in percent of the drawing."""

    item: int
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A pick and its neighbors, the pick first; lines lead between places."""

    nodes: Sequence[Node]
    spokes: str
    links: str


def draw_neighbourhood(x: Floats, items: Sequence[int]) -> Drawing:
    """Lay out a pick, which comes first, and its neighbors so that places are about as far apart as embeddings.

    Lines join the pick to all others, and each of these to the one nearest to it.

    Args:
        x: Embeddings, `[n, d]`.
        items: The pick and its neighbors.
    """
    apart = pairwise_distances(x[np.array(items)].astype(np.float64))
    # What is nearly the same must not be drawn on one place.
    apart = np.maximum(apart, 0.45 * (apart.max() or 1.0))
    graph = nx.complete_graph(len(items))
    lengths = {i: {j: float(apart[i, j]) for j in graph if j != i} | {i: 0.0} for i in graph}
    layout = nx.kamada_kawai_layout(graph, dist=lengths)
    places = np.array([layout[i] for i in graph])
    low, high = places.min(axis=0), places.max(axis=0)
    places = 50 + 80 * (places - (low + high) / 2) / np.maximum(high - low, 1e-9)
    nodes = [Node(item, round(px, 1), round(py, 1)) for item, (px, py) in zip(items, places.tolist(), strict=True)]
    others = apart + np.diag(np.full(len(items), np.inf))
    nearest = [(i, int(others[i, 1:].argmin()) + 1) for i in range(1, len(items))] if len(items) > 2 else []
    links = {(min(pair), max(pair)) for pair in nearest}
    return Drawing(
        nodes=nodes,
        spokes="".join(_line(nodes[0], node) for node in nodes[1:]),
        links="".join(_line(nodes[i], nodes[j]) for i, j in sorted(links)),
    )


def _line(start: Node, end: Node) -> str:
    return f"M{start.x} {start.y}L{end.x} {end.y}"
