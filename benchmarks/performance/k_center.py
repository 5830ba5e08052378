"""Greedy k-center: the lazy search against the plain loop and against scikit-activeml's CoreSet.

The lazy search is timed in full. A plain loop costs the same for every pick, so it and CoreSet are timed for their
first distances and some picks, and scaled to the budget; CoreSet also runs in full once. Picks are compared in
float64, where no two points tie, and between float32 and float64.
"""

import importlib.util
import time
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Spread, embeddings, finish, in_turn, options, prepare, ratio, say, seconds
from numpy.typing import NDArray
from torch import Tensor

from seqgcn import k_center_greedy
from seqgcn.coverage.k_center import nearest_centre

LAZY, SUBTRACTION, PRODUCT = "lazy search (this package)", "plain loop, by subtraction", "plain loop, by one product"
CORESET = "scikit-activeml CoreSet"
ROWS = 2_048
Search = Callable[[Tensor, Tensor, int], Tensor]


def first_distances(points: Tensor, centres: Tensor) -> Tensor:
    """Squared distance of every point to its nearest center, in the blocks that suit a cache best; centers have -1."""
    chosen = points[centres]
    parts = [nearest_centre(rows, chosen)[1] for rows in points.split(ROWS)]
    return torch.cat(parts).index_fill_(0, centres, -1)


def loop_by_subtraction(points: Tensor, centres: Tensor, budget: int) -> Tensor:
    """Picks of the plain loop: all distances to each new center by subtraction, as the lazy search takes them."""
    distance = first_distances(points, centres)
    difference, picks = torch.empty_like(points), []
    for _ in range(budget):
        pick = int(distance.argmax())
        torch.sub(points, points[pick], out=difference)
        torch.minimum(distance, difference.square_().sum(dim=1), out=distance)
        distance[pick] = -1
        picks.append(pick)
    return torch.tensor(picks)


def loop_by_product(points: Tensor, centres: Tensor, budget: int) -> Tensor:
    """Picks of the quickest plain loop: lengths are known, so each new center takes one product with all points."""
    distance = first_distances(points, centres)
    lengths, picks = points.square().sum(dim=1), []
    for _ in range(budget):
        pick = int(distance.argmax())
        update = torch.addmv(lengths, points, points[pick], alpha=-2).add_(lengths[pick])
        torch.minimum(distance, update, out=distance)
        distance[pick] = -1
        picks.append(pick)
    return torch.tensor(picks)


def coreset(points: Tensor, centres: Tensor, budget: int) -> Tensor:
    """Picks of scikit-activeml."""
    from skactiveml.pool import CoreSet  # type: ignore[import-untyped]

    labels = np.full(len(points), np.nan)
    labels[centres.numpy()] = 0
    picks: NDArray[np.int64] = CoreSet(random_state=0).query(points.numpy(), labels, batch_size=budget)
    return torch.from_numpy(picks)


def gaussian(arguments: Namespace) -> Tensor:
    """Independent normal features after a relu."""
    return embeddings(arguments.points, arguments.dim, arguments.seed, torch.device("cpu"), torch.float64)


def clustered(arguments: Namespace, clusters: int = 100, rank: int = 20, noise: float = 0.05) -> Tensor:
    """Clusters of unequal size on a subspace of 20 dimensions, with a little noise, after a relu."""
    draw = torch.Generator().manual_seed(arguments.seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw, dtype=torch.float64)

    shares = torch.rand(clusters, generator=draw, dtype=torch.float64).square()
    member = torch.multinomial(shares, arguments.points, replacement=True, generator=draw)
    inside = 3 * normal(clusters, rank)[member] + normal(arguments.points, rank)
    outside = inside @ normal(rank, arguments.dim) / rank**0.5
    return torch.relu_(outside + noise * normal(arguments.points, arguments.dim))


def load(path: Path) -> Tensor:
    """Features of the user's own, `[n, d]`."""
    return torch.from_numpy(np.load(path).astype(np.float64))


def check_picks(exact: Tensor, centres: Tensor, arguments: Namespace) -> dict[str, Any]:
    """Whether all find the same in float64, how long CoreSet took for it, and what is left of it in float32."""
    picks = k_center_greedy(exact, centres, arguments.budget).cpu()
    others = {PRODUCT: loop_by_product} | ({CORESET: coreset} if arguments.coreset else {})
    same, in_full = {}, {}
    for method, search in others.items():
        start = time.perf_counter()
        same[method] = torch.equal(picks, search(exact, centres, arguments.budget).cpu())
        in_full[method] = time.perf_counter() - start
    single = k_center_greedy(exact.float(), centres, arguments.budget).cpu()
    return {
        "same_picks_in_float64": same,
        "seconds_in_full_float64": in_full,
        "share_of_picks_common_to_float32_and_float64": float(torch.isin(single, picks).double().mean()),
    }


def compare(name: str, exact: Tensor, arguments: Namespace, device: torch.device) -> dict[str, Any]:
    """Everything measured on one set of points."""
    exact = exact.to(device)
    centres = torch.arange(arguments.labelled, device=device)
    say(f"{name}: picks in float64")
    checked = check_picks(exact, centres, arguments)
    points = exact.float()
    del exact
    say(f"{name}: time in float32")

    def timed(search: Search, picks: int) -> float:
        return seconds(lambda: search(points, centres, picks), device)

    def scaled(search: Search) -> float:
        first = timed(search, 1)
        some = timed(search, arguments.partial + 1)
        total: float = first + (some - first) / arguments.partial * (arguments.budget - 1)
        return total

    measures: dict[str, Callable[[], float]] = {
        LAZY: lambda: timed(k_center_greedy, arguments.budget),
        SUBTRACTION: lambda: scaled(loop_by_subtraction),
        PRODUCT: lambda: scaled(loop_by_product),
    }
    if arguments.coreset:
        measures[CORESET] = lambda: scaled(coreset)
    found = in_turn(measures, arguments.pairs)
    return {
        "points": name,
        "shape": list(points.shape),
        "seconds": {method: Spread.of(values) for method, values in found.items()},
        "times_lazy": {method: ratio(values, found[LAZY]) for method, values in found.items()},
        **checked,
    }


def main() -> None:
    """Measure, print and write."""
    parser = options("k_center", __doc__)
    parser.add_argument("--points", type=int, default=50_000, help="points of the synthetic sets")
    parser.add_argument("--dim", type=int, default=512, help="their dimensions")
    parser.add_argument("--labelled", type=int, default=1_000, help="first centres")
    parser.add_argument("--budget", type=int, default=1_000, help="picks")
    parser.add_argument("--partial", type=int, default=50, help="picks after which the references are scaled up")
    parser.add_argument("--features", type=Path, nargs="*", default=[], help="NumPy files of real features [n, d]")
    arguments = parser.parse_args()
    device = prepare(arguments)
    arguments.coreset = device.type == "cpu" and importlib.util.find_spec("skactiveml") is not None
    if not arguments.coreset:
        say('without scikit-activeml (CPU only; pip install "seqgcn[bench]")')
    sets: dict[str, Callable[[], Tensor]] = {
        "gaussian": partial(gaussian, arguments),
        "clustered": partial(clustered, arguments),
        **{path.stem: partial(load, path) for path in arguments.features},
    }
    results = [compare(name, make(), arguments, device) for name, make in sets.items()]
    rows = [
        {
            "points": f"{result['points']}, {' x '.join(format(size, ',') for size in result['shape'])}",
            "method": method,
            f"{arguments.budget} picks, s": spread.show(),
            "times the lazy search": result["times_lazy"][method].show(),
            "same picks (float64)": {True: "yes", False: "NO"}.get(result["same_picks_in_float64"].get(method), ""),
        }
        for result in results
        for method, spread in result["seconds"].items()
    ]
    finish("k_center", arguments, device, rows, results)
    for result in results:
        share = result["share_of_picks_common_to_float32_and_float64"]
        print(f"\n{result['points']}: {share:.1%} of the picks in float32 are picks in float64.")


if __name__ == "__main__":
    main()
