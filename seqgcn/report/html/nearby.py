"""What lies near the picks: their neighbours, drawn as graphs, and picks that are nearly the same as others."""

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
"""Items whose nearest neighbour is looked for, to know how near neighbours are in this pool."""

NEAR = 0.25
"""Near-duplicates are as near as this share of all items is to its nearest neighbour: in videos, frames in a row.

Of 100 picks on rendered hands and on digits this flags none of CoreGCN's, 15 and 8 random ones, 37 and 19 of
UncertainGCN's.
"""


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
    distance, found = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(x).kneighbors(x[items])
    # An item finds itself, though not always first among exact duplicates.
    itself = found == items[:, None]
    itself[~itself.any(axis=1), -1] = True
    return Neighbours(found[~itself].reshape(-1, k), distance[~itself].reshape(-1, k))


@dataclass(frozen=True, kw_only=True)
class Twins:
    """Picks that are nearly the same as another pick or a labelled item.

    Args:
        threshold: Distance up to which they count as that.
        groups: Items of each group, picks in their order first.
        picks: How many picks there are in the groups.
    """

    threshold: float
    groups: Sequence[Sequence[int]]
    picks: int


def twins_of(x: Floats, picks: Ints, labelled: Ints, nearest: Floats) -> Twins:
    """Groups of picks, and of picks and labelled items, that are nearer than neighbours in the pool mostly are.

    Args:
        x: Embeddings, `[n, d]`.
        picks: Best first, `[b]`.
        labelled: `[m]`.
        nearest: Distances of a sample of items to their nearest neighbour.
    """
    threshold = float(np.quantile(nearest, NEAR)) if len(nearest) else 0.0
    graph = nx.Graph()
    both = np.concatenate([picks, labelled])
    if len(both) > 1 and len(picks):
        search = NearestNeighbors(radius=threshold, algorithm="brute").fit(x[both])
        for pick, found in zip(picks.tolist(), search.radius_neighbors(x[picks], return_distance=False), strict=True):
            graph.add_edges_from((pick, other) for other in both[found].tolist() if other != pick)
    rank = {pick: position for position, pick in enumerate(picks.tolist())}
    groups = [
        sorted(group, key=lambda item: (rank.get(item, len(rank)), item)) for group in nx.connected_components(graph)
    ]
    groups.sort(key=lambda group: rank[group[0]])
    return Twins(threshold=threshold, groups=groups, picks=sum(item in rank for group in groups for item in group))


class Node(NamedTuple):
    """An item of a drawn graph: its number and its place in percent of the drawing."""

    item: int
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A pick and its neighbours, the pick first; lines lead between places."""

    nodes: Sequence[Node]
    spokes: str
    links: str


def draw_neighbourhood(x: Floats, items: Sequence[int]) -> Drawing:
    """Lay out a pick, which comes first, and its neighbours so that places are about as far apart as embeddings.

    Lines join the pick to all others, and each of these to the one nearest to it.

    Args:
        x: Embeddings, `[n, d]`.
        items: The pick and its neighbours.
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
