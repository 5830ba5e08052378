"""An epoch of the GCN's fit against the two matrix products it cannot do without, timed alone.

They are (A X) W1 of the forward pass and the gradient of W1 of the backward pass, each in the quickest of several
memory layouts.
"""

from collections.abc import Callable
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from common import (
    Spread,
    embeddings,
    finish,
    first_labelled,
    in_turn,
    low_rank_fit,
    options,
    prepare,
    ratio,
    say,
    seconds,
    timed_fit,
)
from torch import Tensor


def products(spread_x: Tensor, hidden: int, seed: int) -> dict[str, dict[str, Callable[[], object]]]:
    """Both products in every layout, results written to memory that is already there where torch can."""
    draw = torch.Generator().manual_seed(seed)
    weight = torch.randn(hidden, spread_x.shape[1], generator=draw).to(spread_x)
    grad = torch.randn(len(spread_x), hidden, generator=draw).to(spread_x)
    turned_weight, turned_grad = weight.T.contiguous(), grad.T.contiguous()
    out, out_grad = torch.empty_like(grad), torch.empty_like(weight)
    out_turned = torch.empty_like(turned_weight)
    return {
        "forward": {
            "linear": lambda: F.linear(spread_x, weight),
            "X @ W.T": lambda: torch.mm(spread_x, weight.T, out=out),
            "X @ W": lambda: torch.mm(spread_x, turned_weight, out=out),
        },
        "backward": {
            "G.T @ X": lambda: torch.mm(grad.T, spread_x, out=out_grad),
            "G @ X": lambda: torch.mm(turned_grad, spread_x, out=out_grad),
            "X.T @ G": lambda: torch.mm(spread_x.T, grad, out=out_turned),
        },
    }


def compare(n: int, arguments: Any, device: torch.device) -> dict[str, Any]:
    """Everything measured at one size."""
    say(f"n = {n:,}")
    x = embeddings(n, arguments.dim, arguments.seed, device)
    labelled = first_labelled(n, arguments.labelled, device)
    candidates = products(x, arguments.hidden, arguments.seed)

    def epoch() -> dict[str, float]:
        fit = timed_fit(
            lambda progress: low_rank_fit(
                x, labelled, epochs=arguments.epochs + 1, seed=arguments.seed, progress=progress
            ),
            arguments.epochs,
            device,
        )
        return {"epoch": fit.epoch}

    def alone() -> dict[str, float]:
        # The layouts take turns, as often as the fit has epochs.
        found: dict[str, list[float]] = {}
        for _ in range(arguments.epochs):
            for side, layouts in candidates.items():
                for layout, function in layouts.items():
                    found.setdefault(f"{side} {layout}", []).append(seconds(function, device))
        return {name: median(values) for name, values in found.items()}

    measured = in_turn({"epoch": epoch, "products": alone}, arguments.pairs)
    epochs = [found["epoch"] for found in measured["epoch"]]
    layouts = {name: [found[name] for found in measured["products"]] for name in measured["products"][0]}
    best = {
        side: min((name for name in layouts if name.startswith(side)), key=lambda name: median(layouts[name]))
        for side in candidates
    }
    bound = [sum(pair) for pair in zip(*(layouts[name] for name in best.values()), strict=True)]
    return {
        "n": n,
        "epoch_seconds": Spread.of(epochs),
        "products_seconds": Spread.of(bound),
        "share_of_bound": ratio(bound, epochs),
        "layouts_seconds": {name: Spread.of(values) for name, values in layouts.items()},
        "best_layouts": best,
        "products_gflops": 4e-9 * n * arguments.dim * arguments.hidden / median(bound),
    }


def main() -> None:
    """Measure, print and write."""
    parser = options("gcn_roofline", __doc__, pairs=7)
    parser.add_argument("--sizes", type=int, nargs="+", default=[11_000, 20_000, 50_000], help="nodes")
    parser.add_argument("--dim", type=int, default=512, help="features of a node")
    parser.add_argument("--labelled", type=int, default=1_000, help="labelled nodes")
    parser.add_argument("--epochs", type=int, default=20, help="epochs timed in each round")
    parser.set_defaults(hidden=128)
    arguments = parser.parse_args()
    device = prepare(arguments)
    results = [compare(n, arguments, device) for n in arguments.sizes]
    rows = [
        {
            "nodes": f"{size['n']:,}",
            "epoch, ms": size["epoch_seconds"].show(scale=1e3),
            "the two products alone, ms": size["products_seconds"].show(scale=1e3),
            "share of that bound": size["share_of_bound"].show(".0%"),
            "products, GFLOP/s": f"{size['products_gflops']:,.0f}",
        }
        for size in results
    ]
    finish("gcn_roofline", arguments, device, rows, results)


if __name__ == "__main__":
    main()
