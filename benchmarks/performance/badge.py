"""BADGE: gradients by their factors against scikit-activeml's, which writes them out.

Both get the same features and probabilities and make all their picks, in turn, in one process with one thread. Only the
first pick is not drawn; how well all cover the gradients is compared by the mean squared distance to the nearest pick.
scikit-activeml takes the origin for a center too, so that it is less drawn to what the origin is near. Time and memory
on a larger pool are of this package alone, in processes of their own.
"""

import importlib.util
import time
from argparse import Namespace
from functools import partial
from typing import Any

import numpy as np
import torch
from common import Spread, embeddings, finish, in_child, in_turn, options, peak_memory, prepare, ratio, say
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.selectors.gradients import BADGE

OURS, THEIRS = "BADGE (this package)", "scikit-activeml Badge"
ROWS = 2_048
Timed = tuple[float, Tensor]


def pool(n: int, arguments: Namespace) -> Data:
    """Random features after a relu and random probabilities, nothing labeled."""
    draw = torch.Generator().manual_seed(arguments.seed + 1)
    prob = torch.randn(n, arguments.classes, generator=draw).mul_(2).softmax(dim=1)
    x = embeddings(n, arguments.dim, arguments.seed, torch.device("cpu"))
    return Data(x=x, prob=prob, train_mask=torch.zeros(n, dtype=torch.bool)).to(arguments.device)


def ours(data: Data, arguments: Namespace) -> Timed:
    """Seconds and picks of this package."""
    start = time.perf_counter()
    picks = BADGE(seed=arguments.seed).select(data, arguments.budget).index.cpu()
    return time.perf_counter() - start, picks


def theirs(data: Data, arguments: Namespace) -> Timed:
    """Seconds and picks of scikit-activeml."""
    from skactiveml.base import SkactivemlClassifier  # type: ignore[import-untyped]
    from skactiveml.pool import Badge  # type: ignore[import-untyped]

    class Known(SkactivemlClassifier):  # type: ignore[misc]
        """Gives the probabilities that are known already."""

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Known":  # noqa: ARG002, N803
            """Learn nothing."""
            return self

        def predict_proba(self, X: Any) -> Any:  # noqa: ARG002, N803
            """Probabilities of the whole pool."""
            return prob

    prob, x = data.prob.numpy(), data.x.numpy()
    known, unlabelled = Known(classes=range(arguments.classes)), np.full(len(x), np.nan)
    start = time.perf_counter()
    picks = Badge(random_state=arguments.seed).query(x, unlabelled, known, fit_clf=False, batch_size=arguments.budget)
    return time.perf_counter() - start, torch.tensor(picks)


def coverage(data: Data, picks: Tensor) -> float:
    """Mean squared distance of the gradients, written out, to the nearest pick's."""

    def gradients(rows: Tensor) -> Tensor:
        prob = data.prob[rows]
        residual = prob - torch.nn.functional.one_hot(prob.argmax(dim=1), prob.shape[1])
        written_out: Tensor = (residual.unsqueeze(2) * data.x[rows].unsqueeze(1)).flatten(1)
        return written_out

    centres = gradients(picks)
    parts = [
        torch.cdist(gradients(rows), centres).amin(dim=1).square() for rows in torch.arange(len(data.x)).split(ROWS)
    ]
    return float(torch.cat(parts).mean())


def measure(arguments: Namespace) -> dict[str, float]:
    """Seconds and bytes of one selection from the larger pool; for a process of its own."""
    device = prepare(arguments)
    data = pool(arguments.large, arguments)
    BADGE().select(pool(1_000, arguments), 10)  # loads what is loaded once
    with peak_memory(device) as memory:
        taken, _ = ours(data, arguments)
    return {"seconds": taken, "bytes_beyond_inputs": memory["bytes"] - memory["held_before"]}


def show(arguments: Namespace, results: dict[str, Any]) -> list[dict[str, str]]:
    """Rows of the table: both methods, and this package on the larger pool."""

    def row(
        method: str, items: int, seconds: Spread, times: str = "", distance: str = "", memory: str = ""
    ) -> dict[str, str]:
        return {
            "method": method,
            "items": f"{items:,} x {arguments.dim:,}, {arguments.classes} classes",
            f"{arguments.budget:,} picks, s": seconds.show(),
            "times this package": times,
            "mean squared distance to a pick": distance,
            "peak beyond the inputs, MiB": memory,
        }

    times, distance, larger = (results[name] for name in ("times_ours", "squared_distance_to_picks", "larger_pool"))
    return [
        *(
            row(method, arguments.n, seconds, times[method].show(), f"{distance[method]:.4g}")
            for method, seconds in results["seconds"].items()
        ),
        row(OURS, arguments.large, larger["seconds"], memory=larger["bytes_beyond_inputs"].show(scale=2**-20)),
    ]


def main() -> None:
    """Measure, print and write."""
    parser = options("badge", __doc__, pairs=3)
    parser.set_defaults(threads=1)
    parser.add_argument("--n", type=int, default=10_000, help="items of the comparison")
    parser.add_argument("--large", type=int, default=50_000, help="items of the pool for this package alone")
    parser.add_argument("--dim", type=int, default=512, help="features of an item")
    parser.add_argument("--classes", type=int, default=10, help="classes")
    parser.add_argument("--budget", type=int, default=1_000, help="picks")
    arguments = parser.parse_args()
    device = prepare(arguments)
    data = pool(arguments.n, arguments)
    measures = {OURS: partial(ours, data, arguments)}
    if device.type == "cpu" and importlib.util.find_spec("skactiveml") is not None:
        measures[THEIRS] = partial(theirs, data, arguments)
    else:
        say('without scikit-activeml (CPU only; pip install "seqgcn[bench]")')
    ours(data, arguments)  # a warm-up; theirs takes a minute, and gains nothing from one
    with threadpool_limits(arguments.threads):
        found = in_turn(measures, arguments.pairs, warm_up=False)
    say("larger pool")
    alone = in_turn({OURS: partial(in_child, measure, arguments)}, arguments.pairs, warm_up=False)[OURS]
    taken = {method: [seconds for seconds, _ in runs] for method, runs in found.items()}
    picks = {method: runs[0][1] for method, runs in found.items()}
    results = {
        "seconds": {method: Spread.of(values) for method, values in taken.items()},
        "times_ours": {method: ratio(values, taken[OURS]) for method, values in taken.items()},
        "same_first_pick": len({int(index[0]) for index in picks.values()}) == 1,
        "squared_distance_to_picks": {method: coverage(data.cpu(), index) for method, index in picks.items()},
        "larger_pool": {name: Spread.of([one[name] for one in alone]) for name in alone[0]},
    }
    finish("badge", arguments, device, show(arguments, results), results)


if __name__ == "__main__":
    main()
