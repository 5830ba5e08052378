"""TypiClust and ProbCover against scikit-activeml's, and what they take on a larger pool.

Both run in full in turn, on the same features of length 1. Where the methods leave nothing to chance, the picks are
compared in float64: TypiClust's on the same clusters, ProbCover's for the same radius, with ties broken alike instead
of at random. scikit-activeml's TypiClust clusters by plain k-means, with as many clusters as labels and picks
together; here it is the paper's mini-batch k-means with at most 500, and once with as many as there. Where each
spends its time is told beside it. On a GPU only the larger pool runs.
"""

import importlib.util
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pkgutil import resolve_name
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from common import Spread, finish, first_labelled, in_child, in_turn, options, peak_memory, prepare, ratio, say
from k_center import clustered, gaussian
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.graph import unit_rows
from seqgcn.selectors import Selection
from seqgcn.selectors.probcover import ProbCover
from seqgcn.selectors.typiclust import TypiClust
from seqgcn.utils.seeding import generator

SETS: dict[str, Callable[[Namespace], Tensor]] = {"gaussian": gaussian, "clustered": clustered}
TYPICLUST, AS_MANY = "TypiClust, this package", "TypiClust, this package, as many clusters as theirs"
PROBCOVER = "ProbCover, this package"
THEIR_TYPICLUST, THEIR_PROBCOVER = "TypiClust, scikit-activeml", "ProbCover, scikit-activeml"
REFERENCE = {TYPICLUST: THEIR_TYPICLUST, AS_MANY: THEIR_TYPICLUST, PROBCOVER: THEIR_PROBCOVER}
Picks = NDArray[np.int64]


def pool_of(x: Tensor, labelled: int) -> Data:
    """Features and which of them are labeled."""
    return Data(x=x, train_mask=first_labelled(len(x), labelled, x.device))


def labels_of(data: Data) -> NDArray[np.float64]:
    """The pool's labels as scikit-activeml takes them."""
    return np.where(data.train_mask.numpy(), 0.0, np.nan)


def their_typiclust(data: Data, budget: int, **parameters: Any) -> Picks:
    """Picks of scikit-activeml with the paper's number of neighbors."""
    from skactiveml.pool import TypiClust as Theirs  # type: ignore[import-untyped]

    strategy = Theirs(k=TypiClust().neighbours, random_state=0, **parameters)
    picks: Picks = strategy.query(data.x.numpy(), labels_of(data), batch_size=budget)
    return picks


def their_probcover(data: Data, budget: int, delta: float) -> Picks:
    """Picks of scikit-activeml for one radius, which it then need not estimate."""
    from skactiveml.pool import ProbCover as Theirs

    picks: Picks = Theirs(deltas=[delta], random_state=0).query(data.x.numpy(), labels_of(data), batch_size=budget)
    return picks


class Given:
    """A clustering that is known already, in the manner of scikit-learn."""

    def __init__(self, n_clusters: int = 1, labels: Any = None) -> None:
        del n_clusters
        self.labels = labels

    def fit_predict(self, points: Any) -> Any:
        """The known clusters."""
        del points
        return self.labels


@contextmanager
def lowest_index_wins() -> Iterator[None]:
    """Let scikit-activeml break ties by the lowest index, where it draws otherwise."""

    def argmax(values: Any, random_state: Any) -> list[int]:
        del random_state
        return [int(np.nanargmax(values))]

    with (
        patch("skactiveml.pool._typi_clust.rand_argmax", argmax),
        patch("skactiveml.pool._prob_cover.rand_argmax", argmax),
    ):
        yield


@contextmanager
def time_in(*functions: str) -> Iterator[dict[str, float]]:
    """Seconds spent in functions, given by their full names, while the block runs."""
    spent = dict.fromkeys(functions, 0.0)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments, **options)
            spent[name] += time.perf_counter() - start
            return result

        return call

    with ExitStack() as stack:
        for name in functions:
            stack.enter_context(patch(name, timed(name, resolve_name(name))))
        yield spent


def same_typiclust(data: Data, budget: int) -> dict[str, Any]:
    """Whether the same clusters give the same picks, as far as there are clusters without a label.

    The two nodes of a cluster of two are equally typical, and scikit-activeml lets rounding choose: these are left out.
    """
    known = int(data.train_mask.sum())
    ours = TypiClust(max_clusters=known + budget, min_cluster_size=1).select(data, budget)
    cluster = ours.details["cluster"].numpy()
    start = time.perf_counter()
    with lowest_index_wins():
        picks = their_typiclust(data, budget, cluster_algo=Given, cluster_algo_dict={"labels": cluster})
    spent = time.perf_counter() - start
    free = min(budget, len(np.setdiff1d(cluster, cluster[:known])))
    mine, other = ours.index[:free].numpy(), picks[:free]
    two = np.bincount(cluster)[cluster[mine]] == 2
    return {
        "clusters_without_a_label": free,
        "same_clusters_in_order": bool((cluster[mine] == cluster[other]).all()),
        "same_picks": bool(((mine == other) | two).all()),
        "clusters_of_two": int(two.sum()),
        "overlap": overlap(ours, picks),
        "distinct_picks_of_theirs": len(np.unique(picks)),
        "seconds_of_theirs_once_clustered": spent,
    }


def same_probcover(data: Data, budget: int, delta: float) -> dict[str, Any]:
    """Whether the same radius gives the same picks, as far as there is something left to cover."""
    ours = ProbCover(delta=delta).select(data, budget)
    gained = int((ours.score > 0).sum())
    # Theirs is to meet the nodes in the order in which ours breaks ties.
    order = torch.randperm(data.num_nodes, generator=generator(0, "probcover"))
    with lowest_index_wins():
        picks = order.numpy()[their_probcover(Data(x=data.x[order], train_mask=data.train_mask[order]), budget, delta)]
    return {
        "picks_that_cover_something": gained,
        "same_picks": ours.index[:gained].tolist() == picks[:gained].tolist(),
        "overlap": overlap(ours, picks),
    }


def overlap(ours: Selection, theirs: Picks) -> float:
    """Share of the picks that are common."""
    return float(np.isin(ours.index.numpy(), theirs).mean())


def compare(name: str, arguments: Namespace) -> dict[str, Any]:
    """Everything measured beside scikit-activeml, on one set of points."""
    exact = pool_of(unit_rows(SETS[name](arguments))[0], arguments.labelled)
    budget = arguments.budget
    delta = float(ProbCover().select(exact, 1).details["delta"])
    say(f"{name}: picks in float64")
    checked = {
        TYPICLUST: same_typiclust(exact, budget),
        PROBCOVER: same_probcover(exact, budget, delta),
    }
    data = pool_of(exact.x.float(), arguments.labelled)
    most = arguments.labelled + budget
    calls: dict[str, Callable[[], object]] = {
        TYPICLUST: lambda: TypiClust().select(data, budget),
        AS_MANY: lambda: TypiClust(max_clusters=most).select(data, budget),
        THEIR_TYPICLUST: lambda: their_typiclust(data, budget),
        PROBCOVER: lambda: ProbCover(delta=delta).select(data, budget),
        THEIR_PROBCOVER: lambda: their_probcover(data, budget, delta),
    }

    def measured(call: Callable[[], object]) -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    say(f"{name}: time in float32")
    found = in_turn({method: partial(measured, call) for method, call in calls.items()}, arguments.pairs, warm_up=False)
    say(f"{name}: where the time goes")
    return {
        "points": name,
        "shape": list(data.x.shape),
        "delta": delta,
        "seconds": {method: Spread.of(values) for method, values in found.items()},
        "times_faster": {ours: ratio(found[theirs], found[ours]) for ours, theirs in REFERENCE.items()},
        "checked_in_float64": checked,
        "seconds_in_parts": parts(calls),
    }


def parts(calls: dict[str, Callable[[], object]]) -> dict[str, dict[str, float]]:
    """Seconds of both TypiClusts in the search for first centers, in all of the clustering, and among neighbors."""
    seeding = "sklearn.cluster._kmeans._kmeans_plusplus"
    functions = {
        TYPICLUST: (seeding, "seqgcn.selectors.typiclust.clusters", "seqgcn.selectors.typiclust.typicality"),
        AS_MANY: (seeding, "seqgcn.selectors.typiclust.clusters", "seqgcn.selectors.typiclust.typicality"),
        THEIR_TYPICLUST: (
            seeding,
            "sklearn.cluster._kmeans.KMeans.fit_predict",
            "skactiveml.pool._typi_clust._typicality",
        ),
    }
    found = {}
    for method, names in functions.items():
        with time_in(*names) as spent:
            calls[method]()
        found[method] = dict(zip(("first centres", "clustering in all", "typicality"), spent.values(), strict=True))
    return found


def alone(selector: TypiClust | ProbCover, name: str, arguments: Namespace) -> dict[str, float]:
    """Seconds and memory beyond its inputs of one selection on a pool of the larger size."""
    device = prepare(arguments)
    points = Namespace(**{**vars(arguments), "points": arguments.large})
    data = pool_of(SETS[name](points).float().to(device), arguments.labelled)
    warm = pool_of(data.x[:2_000].clone(), 10)
    selector.select(warm, 100)  # imports and first allocations
    with peak_memory(device) as memory:
        start = time.perf_counter()
        selector.select(data, arguments.budget)
        spent = time.perf_counter() - start
    return {"seconds": spent, "bytes": float(memory["bytes"] - memory["held_before"])}


def main() -> None:
    """Measure, print and write."""
    parser = options("clusters", __doc__, pairs=2)
    parser.add_argument("--points", type=int, default=10_000, help="points of the comparison")
    parser.add_argument("--large", type=int, default=50_000, help="points on which this package runs alone")
    parser.add_argument("--dim", type=int, default=512, help="their dimensions")
    parser.add_argument("--labelled", type=int, default=0, help="labelled from the start")
    parser.add_argument("--budget", type=int, default=1_000, help="picks")
    arguments = parser.parse_args()
    if importlib.util.find_spec("skactiveml") is None:
        parser.error('scikit-activeml is not installed; use pip install "seqgcn[bench]"')
    device = prepare(arguments)
    results = [compare(name, arguments) for name in SETS]
    for result in results:
        say(f"{result['points']}: alone on {arguments.large} points")
        result["alone"] = {
            method: in_child(alone, selector, result["points"], arguments)
            for method, selector in ((TYPICLUST, TypiClust()), (PROBCOVER, ProbCover()))
        }
    rows = [
        {
            "points": f"{result['points']}, {' x '.join(format(size, ',') for size in result['shape'])}",
            "method": method,
            f"{arguments.budget} picks, s": spread.show(),
            "times faster": result["times_faster"][method].show() if method in result["times_faster"] else "",
            "same picks (float64)": {True: "yes", False: "NO"}.get(
                result["checked_in_float64"].get(method, {}).get("same_picks"), ""
            ),
            f"{arguments.large:,} points, s": f"{big['seconds']:.3g}" if big else "",
            "GiB": f"{big['bytes'] / 2**30:.2f}" if big else "",
        }
        for result in results
        for method, spread in result["seconds"].items()
        for big in [result["alone"].get(method)]
    ]
    finish("clusters", arguments, device, rows, results)
    for result in results:
        print(f"\n{result['points']}, seconds in parts:")
        for method, spent in result["seconds_in_parts"].items():
            print(f"  {method}: " + ", ".join(f"{part} {value:.2f}" for part, value in spent.items()))


if __name__ == "__main__":
    main()
