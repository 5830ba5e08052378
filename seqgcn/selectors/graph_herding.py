"""Picks that cover the pool's uncertainty on a graph of nearest neighbors."""

from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from seqgcn.coverage.graph_cover import cover_greedily, self_tuning_graph
from seqgcn.coverage.neighbors import nearest_neighbors
from seqgcn.graph import EdgeList, graph_of, unit_rows
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.selectors.uncertainty import gini
from seqgcn.utils.validation import check_bool, check_choice, check_whole


@dataclass(frozen=True, kw_only=True)
class GraphHerding(Selector):
    r"""Greedy covering of the pool's uncertainty on a graph of similar items.

    .. math:: F(S) = \sum_{j \in U} w_j \max_{i \in L \cup S} K_{ij}, \quad w_j = 1 - \sum_c p_{jc}^2

    K are the self-tuning similarities of the k nearest neighbors (Zelnik-Manor, Perona, NIPS 2004). Where the learner
    gives class probabilities `prob`, an item counts as much as its class is uncertain; without them all count alike.
    A pick far from everything covers itself alone, and one beside a labeled item covers nothing: density, redundancy
    and uncertainty are heeded at once. Nothing is trained, nothing random. Compare max-herding (Bae et al., ECCV 2024)
    and uncertainty herding (Bae et al., ICLR 2025) on dense kernels.

    The score is how much the pick raises F. Details: `covered` `[n]`, how similar each node is to the nearest labeled
    or picked one; `uncertainty` `[n]`, w.

    Args:
        k: Neighbors of a node.
        scale_neighbor: A node's scale is the distance to its neighbor of this rank.
        graph: `"knn"` on the embeddings `x`, `"edges"` of the data, or `"auto"`: the edges, if there are any. Of edges
            the similarity is the symmetrically normalized weight.
        normalize: Whether the embeddings are scaled to length 1 first.
    """

    requires: ClassVar[tuple[str, ...]] = ("x",)
    optional: ClassVar[tuple[str, ...]] = ("prob",)

    k: int = 50
    scale_neighbor: int = 10
    graph: Literal["auto", "knn", "edges"] = "auto"
    normalize: bool = True

    def __post_init__(self) -> None:
        check_whole("k", self.k)
        check_whole("scale_neighbor", self.scale_neighbor)
        check_choice("graph", self.graph, ("auto", "knn", "edges"))
        check_bool("normalize", self.normalize)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        weight = gini(query)
        pool = (query.candidates | query.labelled).nonzero().squeeze(1)
        graph = self._graph(query, pool)
        counted = torch.where(query.candidates, weight, 0)[pool]
        if not bool((counted > 0).any()):
            counted = query.candidates[pool].to(counted)
        cover = cover_greedily(
            graph,
            counted.double().cpu().numpy(),
            query.candidates[pool].nonzero().squeeze(1).cpu().numpy(),
            query.budget,
            centers=query.labelled[pool].nonzero().squeeze(1).cpu().numpy(),
            progress=query.progress,
            stage="graph-herding",
        )
        covered = weight.new_zeros(len(query.candidates)).double()
        covered[pool] = torch.from_numpy(cover.covered).to(covered.device)
        return Selection(
            index=pool[torch.from_numpy(cover.index).to(pool.device)],
            score=torch.from_numpy(cover.gain).to(pool.device, weight.dtype),
            details={"covered": covered.to(weight.dtype), "uncertainty": weight},
        )

    def _graph(self, query: Query, pool: Tensor) -> csr_matrix:
        """Similarities of the nodes of the pool."""
        x = query.features()
        if self.graph == "edges" or (self.graph == "auto" and query.data.get("edge_index") is not None):
            edges = cast(EdgeList, graph_of(query.data, x, method="edges"))
            index, weight = edges.edge_index.cpu().numpy(), edges.edge_weight.double().cpu().numpy()
            apart = index[0] != index[1]
            held = csr_matrix((weight[apart], (index[0][apart], index[1][apart])), shape=(len(x), len(x)))
            ids = pool.cpu().numpy()
            return held.maximum(held.T).tocsr()[ids][:, ids].tocsr()
        points = unit_rows(x[pool])[0] if self.normalize else x[pool]
        return self_tuning_graph(nearest_neighbors(points, self.k), self.scale_neighbor)
