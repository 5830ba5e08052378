r"""Greedy covering of weighted nodes on a sparse graph.

.. math:: F(S) = \sum_j w_j \max_{i \in L \cup S} K_{ij}, \quad K_{ii} = 1, \quad 0 \le K_{ij} \le 1

F is monotone and submodular for weights that are not negative, so the greedy set is within 1 - 1/e of the best.
"""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from seqgcn.coverage.neighbors import Neighbors
from seqgcn.training import Progress


@dataclass(frozen=True, eq=False)
class Cover:
    """What a greedy cover picked.

    Args:
        index: The picks in order, `[b]`.
        gain: How much each raised F, `[b]`.
        covered: Of each node, its largest similarity to a center or pick, `[n]`.
    """

    index: NDArray[np.int64]
    gain: NDArray[np.float64]
    covered: NDArray[np.float64]


def self_tuning_graph(neighbors: Neighbors, scale_neighbor: int = 10) -> csr_matrix:
    r"""Similarities :math:`K_{ij} = \exp(-d_{ij}^2 / (s_i s_j))` of neighbors (Zelnik-Manor, Perona, NIPS 2004).

    :math:`s_i` is the distance to the neighbor of rank `scale_neighbor`. The graph is symmetric: two nodes are joined
    if one is a neighbor of the other. Points at distance 0 have similarity 1.

    Args:
        neighbors: Of n points.
        scale_neighbor: That rank, from 1; the last neighbor if there are fewer.
    """
    index, distance = neighbors.index, neighbors.distance
    n, k = index.shape
    if k == 0:
        return csr_matrix((n, n))
    finite = np.where(np.isfinite(distance), distance, 0.0)
    # By a power of two, which changes no digit: so that products neither overflow nor vanish.
    power = -int(np.frexp(finite.max())[1])
    distance, finite = np.ldexp(distance, power), np.ldexp(finite, power)
    scale = finite[:, min(scale_neighbor, k) - 1]
    # Among many duplicates the scale would be 0, and anything else infinitely far.
    scale = np.where(scale > 0, scale, finite.max(axis=1))
    # Where all neighbors are duplicates, what is usual here.
    scale = np.where(scale > 0, scale, np.median(scale[scale > 0]) if (scale > 0).any() else 1.0)
    rows, there = np.repeat(np.arange(n), k), (index >= 0).ravel()
    rows, columns, apart = rows[there], index.ravel()[there], distance.ravel()[there]
    similarity = np.exp(-(apart**2) / (scale[rows] * scale[columns]))
    half = csr_matrix((similarity, (rows, columns)), shape=(n, n))
    return half.maximum(half.T).tocsr()


def cover_greedily(
    graph: csr_matrix,
    weight: NDArray[np.float64],
    rows: NDArray[np.int64],
    budget: int,
    *,
    centers: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    stage: str = "graph herding",
) -> Cover:
    """Greedy maximization of F: each time the node that raises it most, of equal ones the lowest.

    Gains only fall, so that a node whose gain was once smaller than the best current one need not be looked at again
    (Minoux 1978): the picks are those of the plain loop, for a time linear in the number of edges.

    Args:
        graph: K `[n, n]`, symmetric, without its diagonal.
        weight: w `[n]`, not negative.
        rows: Nodes that may be picked, `[r]`.
        budget: How many to pick, at most r.
        centers: Nodes that are there already; none by default.
        progress: Told about every pick.
        stage: The name under which it is told.
    """
    covered = np.zeros(len(weight))
    if centers is not None and len(centers):
        rest = graph[centers]
        np.maximum.at(covered, rest.indices, rest.data)
        covered[centers] = 1.0
    start, columns, similarity = graph.indptr, graph.indices, graph.data

    def gain_of(node: int) -> float:
        part = slice(start[node], start[node + 1])
        near = columns[part]
        more = np.maximum(similarity[part] - covered[near], 0.0)
        return float(weight[node] * (1.0 - covered[node]) + weight[near] @ more)

    heap = [(-gain_of(node), node) for node in np.sort(rows).tolist()]
    heapq.heapify(heap)
    index, gains = np.empty(budget, np.int64), np.empty(budget)
    for number in range(budget):
        while True:
            _, node = heapq.heappop(heap)
            gain = gain_of(node)
            if not heap or (-gain, node) <= heap[0]:
                break
            heapq.heappush(heap, (-gain, node))
        index[number], gains[number] = node, gain
        part = slice(start[node], start[node + 1])
        covered[columns[part]] = np.maximum(covered[columns[part]], similarity[part])
        covered[node] = 1.0
        if progress is not None:
            progress(stage, number + 1, budget)
    return Cover(index, gains, covered)
