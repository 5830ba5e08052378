"""Time and memory of the GCN's fit from ten thousand nodes to a million, in one pass over the whole graph."""

import math
from functools import partial
from typing import Any

from common import (
    Spread,
    embeddings,
    finish,
    first_labelled,
    in_child,
    in_turn,
    low_rank_fit,
    options,
    peak_memory,
    prepare,
    timed_fit,
)


def measure(n: int, arguments: Any) -> dict[str, float]:
    """Seconds and bytes of one fit; for a process of its own."""
    device = prepare(arguments)
    x = embeddings(n, arguments.dim, arguments.seed, device)
    labelled = first_labelled(n, arguments.labelled, device)
    low_rank_fit(x[:2_000], labelled[:2_000], epochs=1, seed=arguments.seed)  # loads what is loaded once
    with peak_memory(device) as memory:
        time = timed_fit(
            lambda progress: low_rank_fit(
                x, labelled, epochs=arguments.epochs + 1, seed=arguments.seed, progress=progress
            ),
            arguments.epochs,
            device,
        )
    return {
        "setup": time.setup,
        "epoch": time.epoch,
        "fit": time.scaled(arguments.scaled_to),
        "peak_bytes": memory["bytes"],
        "peak_bytes_above_features": memory["bytes"] - memory["held_before"],
    }


def summary(n: int, found: list[dict[str, float]]) -> dict[str, Any]:
    """What was measured at one size."""
    spreads = {key: Spread.of([one[key] for one in found]) for key in found[0]}
    return {"n": n, **spreads, "epoch_per_node": Spread.of([one["epoch"] / n for one in found])}


def main() -> None:
    """Measure, print and write."""
    parser = options("gcn_scale", __doc__)
    sizes = [10_000, 30_000, 100_000, 300_000, 1_000_000]
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes, help="nodes")
    parser.add_argument("--dim", type=int, default=128, help="features of a node")
    parser.add_argument("--labelled", type=int, default=1_000, help="labelled nodes")
    parser.add_argument("--epochs", type=int, default=5, help="epochs timed in each round")
    parser.add_argument("--scaled-to", type=int, default=200, help="epochs of a whole fit")
    arguments = parser.parse_args()
    device = prepare(arguments)
    # Every fit starts a new process, so there is nothing to warm up.
    found = in_turn(
        {f"{n:,}": partial(in_child, measure, n, arguments) for n in arguments.sizes},
        arguments.pairs,
        warm_up=False,
    )
    results = [summary(n, found[f"{n:,}"]) for n in arguments.sizes]
    small, large = results[0], results[-1]
    growth = {
        key: math.log(large[key].median / small[key].median) / math.log(large["n"] / small["n"])
        for key in ("epoch", "peak_bytes_above_features")
        if large["n"] > small["n"]
    }
    rows = [
        {
            "nodes": f"{size['n']:,}",
            "set-up, s": size["setup"].show(),
            "epoch, ms": size["epoch"].show(scale=1e3),
            "epoch, ns per node": size["epoch_per_node"].show(scale=1e9),
            f"{arguments.scaled_to} epochs, s": size["fit"].show(),
            "peak of the process, GiB": f"{size['peak_bytes'].median / 2**30:.2f}",
            "above the features, bytes per node": f"{size['peak_bytes_above_features'].median / size['n']:,.0f}",
        }
        for size in results
    ]
    finish("gcn_scale", arguments, device, rows, {"sizes": results, "growth_exponent": growth})


if __name__ == "__main__":
    main()
