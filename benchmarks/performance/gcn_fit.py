"""Time and memory of the GCN's fit: the graph as a factor, against the dense graph as released and with A X cached.

Each round runs all three one after the other. The references are as quick as their form allows: the dense graph is
scaled in place, where the released code multiplies it with a diagonal matrix.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from common import (
    FitTime,
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
    ratio,
    say,
    timed_fit,
)
from torch import Tensor, nn

from seqgcn.gcn import ConfidenceGCN, fit_confidence
from seqgcn.graph import LowRankAdjacency
from seqgcn.training import Progress

LOW_RANK, RELEASED, CACHED = "low-rank (this package)", "dense, A (X W) every epoch", "dense, A X cached"
Fit = Callable[[Progress | None, int], object]


class DenseGCN(nn.Module):
    """The network as released, on the matrix of the graph."""

    def __init__(self, start: ConfidenceGCN) -> None:
        super().__init__()
        state = copy.deepcopy(start)
        self.weight1, self.bias1 = nn.Parameter(state.conv1.lin.weight.detach().T.contiguous()), state.conv1.bias
        self.weight2, self.bias2 = nn.Parameter(state.conv2.lin.weight.detach().T.contiguous()), state.conv2.bias
        self.dropout = nn.Dropout(start.dropout)

    def forward(self, adjacency: Tensor, x: Tensor, spread_x: Tensor | None) -> Tensor:
        """Confidences; the first layer starts from A X where it is given."""
        first = adjacency @ (x @ self.weight1) if spread_x is None else spread_x @ self.weight1
        hidden = self.dropout(F.relu(first + self.bias1))
        return torch.sigmoid(adjacency @ (hidden @ self.weight2) + self.bias2).squeeze(1)


def dense_fit(
    x: Tensor, labelled: Tensor, start: ConfidenceGCN, *, cached: bool, epochs: int, progress: Progress | None
) -> Tensor:
    """Confidences after a fit on the dense graph (Caramalau et al., CVPR 2021, as released)."""
    unit = F.normalize(x)
    adjacency = (unit @ unit.T).fill_diagonal_(0)
    adjacency.div_(adjacency.sum(dim=0)).fill_diagonal_(1)
    spread_x = adjacency @ unit if cached else None
    known, unknown = labelled.nonzero().squeeze(1), (~labelled).nonzero().squeeze(1)
    model = DenseGCN(start)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=5e-4)
    for epoch in range(epochs):
        optimizer.zero_grad()
        score = model(adjacency, unit, spread_x)
        loss = -score[known].log().mean() - 1.2 * (1 - score[unknown]).log().mean()
        loss.backward()
        optimizer.step()
        if progress is not None:
            progress("dense", epoch + 1, epochs)
    model.eval()
    with torch.no_grad():
        confidence: Tensor = model(adjacency, unit, spread_x)
    return confidence


def fits(n: int, arguments: Any, device: torch.device) -> dict[str, Fit]:
    """The three fits on the same features; each builds its own graph."""
    x = embeddings(n, arguments.dim, arguments.seed, device)
    labelled = first_labelled(n, arguments.labelled, device)
    torch.manual_seed(arguments.seed)
    start = ConfidenceGCN(arguments.dim).to(device)

    def dense(cached: bool) -> Fit:
        return lambda progress, epochs: dense_fit(x, labelled, start, cached=cached, epochs=epochs, progress=progress)

    def low_rank(progress: Progress | None, epochs: int) -> object:
        return low_rank_fit(x, labelled, epochs=epochs, seed=arguments.seed, progress=progress)

    return {LOW_RANK: low_rank, RELEASED: dense(cached=False), CACHED: dense(cached=True)}


def peak(name: str, n: int, arguments: Any) -> int:
    """Peak memory of one fit above the features, in bytes; for a process of its own."""
    device = prepare(arguments)
    small = copy.copy(arguments)
    small.labelled = 10
    fits(100, small, device)[name](None, 1)  # what libraries load and keep is not the fit's
    fit = fits(n, arguments, device)[name]
    with peak_memory(device) as memory:
        fit(None, 2)
    return memory["bytes"] - memory["held_before"]


def agreement(arguments: Any, device: torch.device, n: int = 2_000, epochs: int = 20) -> dict[str, float]:
    """Largest difference of a confidence to the low-rank fit's, without dropout and in float64."""
    x = embeddings(n, arguments.dim, arguments.seed, device, torch.float64)
    labelled = first_labelled(n, n // 10, device)
    torch.manual_seed(arguments.seed)
    start = ConfidenceGCN(arguments.dim, dropout=0.0).to(x)
    mine = fit_confidence(
        x, LowRankAdjacency(x), labelled, ~labelled, epochs=epochs, model=copy.deepcopy(start)
    ).confidence
    return {
        name: float((dense_fit(x, labelled, start, cached=cached, epochs=epochs, progress=None) - mine).abs().max())
        for name, cached in ((RELEASED, False), (CACHED, True))
    }


def compare(n: int, arguments: Any, device: torch.device) -> dict[str, Any]:
    """Everything measured at one size."""
    say(f"n = {n:,}: time")
    measures = {
        name: lambda fit=fit: timed_fit(lambda progress: fit(progress, arguments.epochs + 1), arguments.epochs, device)
        for name, fit in fits(n, arguments, device).items()
    }
    times: Mapping[str, list[FitTime]] = in_turn(measures, arguments.pairs)
    del measures
    say(f"n = {n:,}: memory")
    memory = {name: in_child(peak, name, n, arguments) for name in times}
    whole = {name: [time.scaled(arguments.scaled_to) for time in found] for name, found in times.items()}
    return {
        "n": n,
        "setup_seconds": {name: Spread.of([time.setup for time in found]) for name, found in times.items()},
        "epoch_seconds": {name: Spread.of([time.epoch for time in found]) for name, found in times.items()},
        "fit_seconds": {name: Spread.of(values) for name, values in whole.items()},
        "fit_seconds_by_low_rank": {name: ratio(values, whole[LOW_RANK]) for name, values in whole.items()},
        "peak_bytes_above_features": memory,
        "peak_bytes_by_low_rank": {name: value / memory[LOW_RANK] for name, value in memory.items()},
    }


def main() -> None:
    """Measure, print and write."""
    parser = options("gcn_fit", __doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[11_000, 20_000], help="nodes")
    parser.add_argument("--dim", type=int, default=512, help="features of a node")
    parser.add_argument("--labelled", type=int, default=1_000, help="labelled nodes")
    parser.add_argument("--epochs", type=int, default=5, help="epochs timed in each round")
    parser.add_argument("--scaled-to", type=int, default=200, help="epochs of a whole fit")
    arguments = parser.parse_args()
    device = prepare(arguments)
    sizes = [compare(n, arguments, device) for n in arguments.sizes]
    results = {"sizes": sizes, "largest_difference_after_20_epochs_in_float64": agreement(arguments, device)}
    rows = [
        {
            "nodes": f"{size['n']:,}",
            "method": name,
            "set-up, s": size["setup_seconds"][name].show(),
            "epoch, ms": size["epoch_seconds"][name].show(scale=1e3),
            f"{arguments.scaled_to} epochs, s": size["fit_seconds"][name].show(),
            "times the low-rank fit": size["fit_seconds_by_low_rank"][name].show(),
            "peak memory, MiB": f"{size['peak_bytes_above_features'][name] / 2**20:,.0f}",
            "times the low-rank memory": f"{size['peak_bytes_by_low_rank'][name]:.1f}",
        }
        for size in sizes
        for name in (LOW_RANK, RELEASED, CACHED)
    ]
    finish("gcn_fit", arguments, device, rows, results)


if __name__ == "__main__":
    main()
