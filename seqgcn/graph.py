"""Graphs over a pool: the paper's similarity graph without its matrix, k-nearest neighbors, a user's own edges."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any, Literal, NamedTuple, cast, get_args

import networkx as nx
import numpy as np
import torch
import torch_geometric.utils
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.transforms import BaseTransform

from seqgcn.exceptions import ArgumentError, SeqGCNWarning
from seqgcn.utils.validation import (
    check_choice,
    check_data,
    check_edges,
    check_features,
    check_mask,
    check_whole,
    kind_of,
    name_rows,
)

Similarity = Literal["auto", "cosine", "shifted"]
Normalize = Literal["column", "row"]

FEW_DEAD = 1 / 16
"""Share of columns that must be zero in every row for leaving them out to be worth a copy."""


def check_weighting(similarity: str, normalize: str) -> None:
    """Raise an `ArgumentError` unless both are choices of the similarity graph."""
    check_choice("similarity", similarity, get_args(Similarity))
    check_choice("normalize", normalize, get_args(Normalize))


class LowRankAdjacency:
    r"""Normalized cosine-similarity graph of the paper, kept as its factor and never as a matrix.

    With :math:`\hat X` the l2-normalised rows and :math:`S = \hat X \hat X^\top`,

    .. math:: A = (S - I) D^{-1} + I, \qquad D = \mathrm{diag}(\text{column sums of } S - I)

    (Caramalau et al., CVPR 2021, section 3.2, in the column form of the released code; `normalize="row"` is
    the printed :math:`D^{-1} (S - I) + I`). ``adjacency @ h`` costs O(n d h) time and O(n d) memory, is
    differentiable in ``h``, and is exact: it is the same matrix.

    Signed features can have column sums that are zero or negative. Then `similarity="shifted"` uses
    :math:`S' = (1 + \hat X \hat X^\top) / 2 \ge 0`, again low-rank. A zero row is an isolated node with only
    its self-loop.

    Args:
        x: Features, `[n, d]`, floating point.
        similarity: `"cosine"` (the paper's), `"shifted"`, or `"auto"`: cosine where every column sum is
            positive, else shifted with one warning.
        normalize: `"column"` (released code) or `"row"` (paper).

    Shapes:
        - **matmul:** `[n]` or `[n, h]` in, the same out.

    Raises:
        ArgumentError: `x` is not a finite floating-point `[n, d]` tensor, or `similarity="cosine"` meets a
            column sum that is not positive (the rows are named).

    >>> adjacency = LowRankAdjacency(torch.eye(2) + 1)
    >>> adjacency.to_dense().round(decimals=4)
    tensor([[1., 1.],
            [1., 1.]])
    """

    def __init__(self, x: Tensor, *, similarity: Similarity = "auto", normalize: Normalize = "column") -> None:
        check_weighting(similarity, normalize)
        x = check_features(x)
        self.requested: Similarity = similarity
        self.normalize: Normalize = normalize
        unit, present = unit_rows(live_columns(x)[0])
        if not present.all():
            warnings.warn(
                f"x has {int((~present).sum())} all-zero rows ({name_rows(~present)}): isolated nodes of the "
                "similarity graph",
                SeqGCNWarning,
                stacklevel=2,
            )
        # A row's own product, which is taken away, is rounded like a sum of d terms.
        nothing = torch.finfo(x.dtype).eps * sum(x.shape)
        factor, sums, bad = unit, _column_sums(unit, present), torch.zeros_like(present)
        if similarity != "shifted":
            bad = present & (sums <= nothing)
        shifted = similarity == "shifted" or (similarity == "auto" and bool(bad.any()))
        if similarity == "cosine" and bad.any():
            raise ArgumentError(
                f'similarity="cosine" needs positive column sums; {int(bad.sum())} of {len(x)} are not '
                f'({name_rows(bad)}). Use similarity="shifted" or "auto"'
            )
        if shifted:
            if bool(bad.any()) and len(x) > 1:
                warnings.warn(
                    f"{int(bad.sum())} of {len(x)} column sums of the cosine graph are not positive (signed "
                    'features?): using similarity="shifted"',
                    SeqGCNWarning,
                    stacklevel=2,
                )
            factor = torch.cat([unit, present.to(x.dtype).unsqueeze(1)], dim=1).mul_(0.5**0.5)
            sums = _column_sums(factor, present)
        self.similarity: Similarity = "shifted" if shifted else "cosine"
        connected = present & (sums > nothing)
        inverse = torch.where(connected, 1 / torch.where(connected, sums, 1), 0)
        self.factor = factor
        self._inverse = inverse.unsqueeze(1)
        # A H = F (F^T D^-1 H) + (1 - D^-1) H: the removed diagonal and the self-loop in one term.
        self._keep = 1 - self._inverse

    @property
    def shape(self) -> torch.Size:
        """Shape of the matrix this stands for, `[n, n]`."""
        return torch.Size([len(self.factor), len(self.factor)])

    @property
    def device(self) -> torch.device:
        """Device of the factor."""
        return self.factor.device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the factor."""
        return self.factor.dtype

    def __matmul__(self, other: Tensor) -> Tensor:
        if other.dim() == 1:
            return (self @ other.unsqueeze(1)).squeeze(1)
        if other.dim() != 2 or len(other) != len(self.factor):
            raise ArgumentError(f"cannot multiply a {list(self.shape)} adjacency with a {list(other.shape)} tensor")
        if self.normalize == "column":
            spread = self.factor @ (self.factor.T @ (self._inverse * other))
        else:
            spread = self._inverse * (self.factor @ (self.factor.T @ other))
        return torch.addcmul(spread, self._keep, other)

    def to_dense(self) -> Tensor:
        """The matrix itself, `[n, n]`: n^2 numbers, meant for tests and small graphs."""
        return self @ torch.eye(len(self.factor), dtype=self.dtype, device=self.device)

    def to(self, *args: Any, **kwargs: Any) -> LowRankAdjacency:
        """Copy on another device or in another precision; arguments as for `torch.Tensor.to`."""
        other = object.__new__(type(self))
        for name, value in vars(self).items():
            setattr(other, name, value.to(*args, **kwargs) if isinstance(value, Tensor) else value)
        return other

    def cpu(self) -> LowRankAdjacency:
        """Copy in main memory (what `Data.cpu()` calls)."""
        return self.to("cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False) -> LowRankAdjacency:
        """Copy on a GPU (what `Data.cuda()` calls)."""
        return self.to(device="cuda" if device is None else device, non_blocking=non_blocking)

    def describes(self, x: Tensor) -> bool:
        """Whether this is the graph of exactly these features; False after a subgraph or a new embedding."""
        x, _ = live_columns(check_features(x))
        if len(x) != len(self.factor) or x.shape[1] != self.factor.shape[1] - (self.similarity == "shifted"):
            return False
        unit, _ = unit_rows(x.to(self.factor))
        mine = self.factor[:, : x.shape[1]]
        return bool(torch.equal(unit.mul_(0.5**0.5) if self.similarity == "shifted" else unit, mine))

    def __repr__(self) -> str:
        n, rank = self.factor.shape
        return f"{type(self).__name__}({n} nodes, rank {rank}, {self.similarity}, normalize={self.normalize!r})"


class EdgeList(NamedTuple):
    """A graph given by its edges, already normalized for propagation: entry `(j, i)` of weight w adds w x_j to i."""

    edge_index: Tensor
    edge_weight: Tensor


Graph = LowRankAdjacency | EdgeList


class FeatureGraph(BaseTransform):  # type: ignore[misc]  # PyG's transforms are untyped
    """Join similar items: a PyG transform that gives a `Data` with features its graph.

    `"similarity"` attaches the paper's fully connected graph as ``data.adjacency`` (a `LowRankAdjacency`);
    `"knn"` attaches the undirected graph of the k nearest neighbors by cosine as ``data.edge_index``, through
    FAISS if it is installed, else scikit-learn. All-zero rows stay isolated in both. A selector with `graph="auto"`
    prefers an `edge_index` the data has already to the similarity graph attached here.

    Args:
        method: `"similarity"` or `"knn"`.
        k: Neighbors of a node before the graph is made undirected; all others if there are fewer.
        similarity: As in `LowRankAdjacency`.
        normalize: As in `LowRankAdjacency`.

    Shapes:
        - **input:** `x` `[n, d]`
        - **output:** `adjacency`, or `edge_index` `[2, edges]` (any older edges are replaced)

    Raises:
        ArgumentError: The data is no `Data`, a batch of several graphs, or has no usable `x`.
    """

    def __init__(
        self,
        method: Literal["similarity", "knn"] = "similarity",
        k: int = 10,
        *,
        similarity: Similarity = "auto",
        normalize: Normalize = "column",
    ) -> None:
        check_choice("method", method, ("similarity", "knn"))
        check_weighting(similarity, normalize)
        self.method = method
        self.k = check_whole("k", k)
        self.similarity: Similarity = similarity
        self.normalize: Normalize = normalize

    def forward(self, data: Data) -> Data:
        """Attach the graph to `data`."""
        x = check_features(check_data(data).get("x"))
        if self.method == "knn":
            data.edge_index = knn_edges(x, self.k)
            data.edge_weight = data.edge_attr = data.adj_t = None
        else:
            data.adjacency = LowRankAdjacency(x, similarity=self.similarity, normalize=self.normalize)
        return data

    def __repr__(self) -> str:
        if self.method == "knn":
            return f"{type(self).__name__}(method='knn', k={self.k})"
        return (
            f"{type(self).__name__}(method='similarity', similarity={self.similarity!r}, normalize={self.normalize!r})"
        )


def knn_edges(x: Tensor, k: int) -> Tensor:
    """Undirected edges `[2, edges]` of the k nearest neighbors by cosine, without self-loops.

    Args:
        x: Features, `[n, d]`.
        k: Neighbors a node looks for; all others if there are fewer.
    """
    unit, present = unit_rows(check_features(x))
    nodes = present.nonzero().squeeze(1)
    k = min(k, len(nodes) - 1)
    if k < 1:
        return torch.empty(2, 0, dtype=torch.int64, device=x.device)
    # One more than k: a point finds itself, though not always first among exact duplicates.
    found = torch.from_numpy(_nearest(unit[nodes].detach().cpu().numpy(), k + 1)).to(x.device)
    itself = found == torch.arange(len(nodes), device=x.device).unsqueeze(1)
    itself[~itself.any(dim=1), -1] = True
    neighbours = nodes[found[~itself].view(len(nodes), k)]
    edge_index = torch.stack([neighbours.flatten(), nodes.repeat_interleave(k)])
    return cast(Tensor, torch_geometric.utils.to_undirected(edge_index, num_nodes=len(x)))


def normalise_edges(edge_index: Tensor, edge_weight: Tensor | None, x: Tensor) -> EdgeList:
    r"""Self-loops and symmetric GCN normalization, :math:`\hat D^{-1/2} (A + I) \hat D^{-1/2}` (Kipf, Welling 2017).

    Args:
        edge_index: `[2, edges]` int64, node indices of `x`.
        edge_weight: `[edges]`, not negative; 1 for every edge if None.
        x: Features, for the number of nodes and the floating-point type.

    Raises:
        ArgumentError: Edges that do not fit the nodes; see `check_edges`.
    """
    edge_index, edge_weight = check_edges(edge_index, edge_weight, len(x))
    if edge_weight is not None:
        edge_weight = edge_weight.to(x.dtype)
    return EdgeList(*gcn_norm(edge_index, edge_weight, len(x), dtype=x.dtype))


def graph_of(
    data: Data,
    x: Tensor,
    *,
    method: str = "auto",
    k: int = 10,
    similarity: Similarity = "auto",
    normalize: Normalize = "column",
) -> Graph:
    """Graph a GCN runs on.

    Args:
        data: The pool.
        x: Its features after `check_features`, `[n, d]`.
        method: `"auto"` (the edges or the similarity graph attached to the data, else a new similarity graph),
            `"similarity"`, `"knn"` or `"edges"` (the data's own, required).
        k: Neighbors, for `"knn"`.
        similarity: For a similarity graph built here.
        normalize: For a similarity graph built here.

    Raises:
        ArgumentError: `"edges"` without an `edge_index`, edges that do not fit the data, or an attached graph of
            another kind.
    """
    edges = _edges_of(data)
    if method == "edges" and edges is None:
        raise ArgumentError(
            'graph="edges" needs data.edge_index [2, edges]; attach one (for example with '
            'FeatureGraph("knn")) or use graph="similarity"'
        )
    if method in ("auto", "edges") and edges is not None:
        return normalise_edges(*edges, x)
    if method == "knn":
        return normalise_edges(knn_edges(x, k), None, x)
    attached = data.get("adjacency")
    if method == "auto" and attached is not None:
        if not isinstance(attached, LowRankAdjacency):
            raise ArgumentError(
                f"data.adjacency must be a LowRankAdjacency over all nodes, got {kind_of(attached)}; attach one with "
                "FeatureGraph(), or delete it (a batch holds a list of those of its graphs)"
            )
        # A graph made under inference mode cannot take part in training.
        if attached.describes(x) and not attached.factor.is_inference():
            return attached.to(x)
        similarity, normalize = attached.requested, attached.normalize
    return LowRankAdjacency(x, similarity=similarity, normalize=normalize)


def to_networkx(
    data: Data, *, picked: Tensor | None = None, confidence: Tensor | None = None, max_nodes: int = 2_000
) -> nx.Graph:
    """Export the pool's graph for drawing or analysis with NetworkX.

    Nodes carry `labelled` and `picked` (bool) and, if given, `confidence` (float). The edges are
    ``data.edge_index``; without one the similarity graph is exported with its weights (an edge `(u, v)` keeps
    the mean of the two directions), which has n^2 / 2 edges.

    Args:
        data: Pool with `train_mask`, and `edge_index` or `x`.
        picked: Node indices of the picks, `[b]`.
        confidence: `[n]`.
        max_nodes: Largest similarity graph that is written out.

    Raises:
        ArgumentError: The data is no `Data`, a similarity graph has more than `max_nodes` nodes, `confidence` is of
            another length, `picked` are no node indices, or edges do not fit the nodes.
    """
    n = len(check_mask(check_data(data).get("train_mask"), "data.train_mask"))
    if confidence is not None and confidence.shape != (n,):
        raise ArgumentError(f"confidence must be [{n}], got {list(confidence.shape)}")
    graph = nx.Graph()
    graph.add_nodes_from(range(n), labelled=False, picked=False)
    for name, values in (("labelled", data.train_mask), ("confidence", confidence)):
        if values is not None:
            nx.set_node_attributes(graph, dict(enumerate(values.tolist())), name)
    if picked is not None:
        if picked.dim() != 1 or picked.dtype != torch.int64 or not bool(((picked >= 0) & (picked < n)).all()):
            raise ArgumentError(f"picked must hold node indices from 0 to {n - 1}, int64 [b]; pass selection.index")
        nx.set_node_attributes(graph, dict.fromkeys(picked.tolist(), True), "picked")
    edges = _edges_of(data)
    if edges is not None:
        edge_index, edge_weight = check_edges(*edges, n)
        weights = [1.0] * edge_index.shape[1] if edge_weight is None else edge_weight.tolist()
        pairs = edge_index.T.tolist()
    elif n > max_nodes:
        raise ArgumentError(
            f"the similarity graph of {n} nodes has {n * (n - 1) // 2:,} edges; export a "
            f'FeatureGraph("knn") graph instead, or raise max_nodes (now {max_nodes})'
        )
    else:
        dense = cast(LowRankAdjacency, graph_of(data, check_features(data.get("x")))).to_dense()
        upper = torch.triu_indices(n, n, offset=1)
        pairs = upper.T.tolist()
        weights = ((dense + dense.T) / 2)[upper[0], upper[1]].tolist()
    graph.add_weighted_edges_from((u, v, w) for (u, v), w in zip(pairs, weights, strict=True))
    return graph


def _edges_of(data: Data) -> tuple[Tensor, Tensor | None] | None:
    """The data's own edges, also where `T.ToSparseTensor` has turned them into a transposed sparse matrix."""
    if data.get("edge_index") is not None:
        return data.edge_index, data.get("edge_weight")
    if data.get("adj_t") is not None:
        edge_index, edge_weight = torch_geometric.utils.to_edge_index(data.adj_t)
        return edge_index.flip(0), edge_weight
    return None


def live_columns(x: Tensor) -> tuple[Tensor, Tensor | None]:
    """Features without the columns that are zero in every row, and the numbers of the others.

    Dead relu units leave such columns. They change no product, but cost their share of each. Where they are few, the
    copy would cost more than it saves: then `x` itself and None, as also where all are zero.
    """
    used = x.any(dim=0).nonzero().squeeze(1)
    if len(used) == 0 or len(used) > (1 - FEW_DEAD) * x.shape[1]:
        return x, None
    return x[:, used], used


def unit_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of length 1 and which rows are not zero; scaled first, so that no square over- or underflows."""
    largest = torch.linalg.vector_norm(x, torch.inf, dim=1, keepdim=True)
    present = largest.squeeze(1) > 0
    unit = x / torch.where(largest > 0, largest, 1)
    length = torch.linalg.vector_norm(unit, dim=1, keepdim=True)
    return unit.div_(torch.where(largest > 0, length, 1)), present


def _column_sums(factor: Tensor, present: Tensor) -> Tensor:
    """Column sums of F F^T without its diagonal, which is 1 for every row that is not zero."""
    return factor @ factor.sum(dim=0) - present.to(factor.dtype)


def _nearest(unit: np.ndarray[Any, Any], k: int) -> np.ndarray[Any, Any]:
    """Indices `[n, k]` of the nearest unit vectors, each row its own neighbor too."""
    spec = importlib.util.find_spec("faiss")
    # A mere folder of that name in the working directory is found too, but has no origin.
    if spec is not None and spec.origin is not None:
        import faiss

        index = faiss.IndexFlatIP(unit.shape[1])
        single = np.ascontiguousarray(unit, dtype=np.float32)
        index.add(single)
        return cast("np.ndarray[Any, Any]", index.search(single, k)[1])
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(unit)
    return cast("np.ndarray[Any, Any]", search.kneighbors(unit, return_distance=False))
