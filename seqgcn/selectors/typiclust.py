"""Selection of typical items: one from each cluster that has no label yet."""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.graph import unit_rows
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.utils.seeding import derive_seed
from seqgcn.utils.validation import check_whole

_BLOCK_ELEMENTS = 2**22
"""Largest intermediate, in numbers: 16 MiB of float32."""

_CLOSEST = 1e-5
"""Mean distance below which typicality grows no further, so that duplicates have a finite one."""


@dataclass(frozen=True, kw_only=True)
class TypiClust(Selector):
    r"""The most typical node of each of the largest clusters without a label (Hacohen et al., ICML 2022, algorithm 1).

    The features, scaled to length 1 as in the released code, are clustered into
    :math:`\min(|L| + b, \text{max\_clusters})` groups: by k-means up to 50 of them, by mini-batch k-means above.
    Each pick is the most typical candidate of the cluster with the fewest labels and picks so far, the largest among
    those, where

    .. math:: \mathrm{typicality}(i) =
        \Big(\frac{1}{K} \sum_{j \in \mathrm{NN}_K(i)} \lVert x_i - x_j \rVert_2\Big)^{-1}

    over its K nearest others of the same cluster, labeled or not. The released code averages squared distances over
    at most half the cluster, leaves labeled nodes out of them, drops clusters of up to five nodes and goes round the
    others in one fixed order; and it seeds the mini-batches on all nodes, where here three random ones a cluster serve.
    Equals go by the lowest node index. Only labeled nodes and candidates take part, and nothing has to be labeled.

    The score is the typicality, at most 1e5 (duplicates) and 0 for a node alone in its cluster; the picks are ordered
    by cluster and not by it. Details: `cluster` `[n]`, -1 for nodes that took no part.

    Args:
        neighbours: K, or all others in a cluster that has fewer.
        max_clusters: Most clusters; a budget beyond them goes round again.
        min_cluster_size: Clusters of fewer nodes wait until no other has a candidate left.
        seed: Of the clustering.
    """

    requires: ClassVar[tuple[str, ...]] = ("x",)

    neighbours: int = 20
    max_clusters: int = 500
    min_cluster_size: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("neighbours", self.neighbours)
        check_whole("max_clusters", self.max_clusters)
        check_whole("min_cluster_size", self.min_cluster_size)
        check_whole("seed", self.seed, low=0)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        nodes = (query.labelled | query.candidates).nonzero().squeeze(1)
        x = unit_rows(query.features()[nodes])[0]
        count = min(int(query.labelled.sum()) + query.budget, self.max_clusters)
        assigned = clusters(x, count, self.seed)
        free = query.candidates[nodes]
        visits = self._visits(assigned, free.cpu().numpy(), query.budget)
        assigned = assigned.to(x.device)

        visited = list(dict.fromkeys(visits))
        ranked: dict[int, Iterator[tuple[int, float]]] = {}
        for done, cluster in enumerate(visited, start=1):
            members = (assigned == cluster).nonzero().squeeze(1)
            wanted = free[members].nonzero().squeeze(1)
            value, order = typicality(x[members], wanted, self.neighbours).sort(descending=True, stable=True)
            ranked[cluster] = zip(members[wanted[order]].tolist(), value.tolist(), strict=True)
            if query.progress is not None:
                query.progress("typicality", done, len(visited))
        picks, scores = zip(*[next(ranked[cluster]) for cluster in visits], strict=True)
        everyone = torch.full_like(query.labelled, -1, dtype=torch.int64)
        everyone[nodes] = assigned
        return Selection(
            index=nodes[torch.tensor(picks, device=nodes.device)],
            score=x.new_tensor(scores),
            details={"cluster": everyone},
        )

    def _visits(self, assigned: Tensor, free: NDArray[np.bool_], budget: int) -> list[int]:
        """Which cluster each pick comes from: a cluster's k-th candidate is its turn number labels + k."""
        cluster = assigned.numpy()
        size = np.bincount(cluster)
        labels = np.bincount(cluster[~free], minlength=len(size))
        turns = np.sort(cluster[free], kind="stable")
        turn = labels[turns] + np.arange(len(turns)) - np.searchsorted(turns, turns)
        order = np.lexsort((turns, -size[turns], turn, size[turns] < self.min_cluster_size))
        visits: list[int] = turns[order[:budget]].tolist()
        return visits


def clusters(x: Tensor, count: int, seed: int) -> Tensor:
    """Cluster of each row by k-means, by mini-batches above 50 clusters, `[n]` int64 on the CPU.

    Args:
        x: `[n, d]`.
        count: How many clusters; those left empty, as where rows are equal, keep their number.
        seed: Of the first centers and the batches.
    """
    # scikit-learn takes a second to load; who does not cluster need not wait for it.
    from sklearn.cluster import KMeans, MiniBatchKMeans, kmeans_plusplus

    points = x.cpu().numpy()
    state = derive_seed(seed, "clusters") % 2**32
    count = min(count, len(points))
    with warnings.catch_warnings():
        # Fewer distinct rows than clusters.
        warnings.simplefilter("ignore")
        if count <= 50:
            model = KMeans(count, n_init=1, random_state=state)
        else:
            # The first centers come from a few rows a cluster, by k-means++ as first published and in double precision:
            # scikit-learn's own search takes several times as long as everything after it, and ends no better.
            some = np.random.default_rng(state).permutation(len(points))[: 3 * count]
            first = points[some].astype(np.float64)
            centres, _ = kmeans_plusplus(first, count, random_state=state, n_local_trials=1)
            model = MiniBatchKMeans(
                count, init=centres.astype(points.dtype), n_init=1, batch_size=5_000, random_state=state
            )
        labels = model.fit_predict(points)
    return torch.from_numpy(labels.astype(np.int64))


def typicality(members: Tensor, wanted: Tensor, neighbours: int) -> Tensor:
    """Inverse mean distance of some members of a cluster to their nearest others, `[wanted]`.

    Args:
        members: `[m, d]`.
        wanted: Which of them, indices `[wanted]`.
        neighbours: How many others, or all where there are fewer.
    """
    others = min(neighbours, len(members) - 1)
    if others == 0:
        return members.new_zeros(len(wanted))
    centred = members - members.mean(dim=0)
    squares = centred.square().sum(dim=1)
    mean = []
    for some in wanted.split(math.ceil(_BLOCK_ELEMENTS / max(len(members), others * members.shape[1]))):
        contest = torch.addmm(squares, centred[some], centred.T, alpha=-2)
        contest.scatter_(1, some.unsqueeze(1), torch.inf)
        nearest = contest.topk(others, dim=1, largest=False).indices
        # The product says who is nearest; by subtraction the distance of a duplicate is exactly 0.
        apart = members[nearest] - members[some].unsqueeze(1)
        mean.append(torch.linalg.vector_norm(apart, dim=2).mean(dim=1))
    return torch.cat(mean).clamp_(min=_CLOSEST).reciprocal_()
