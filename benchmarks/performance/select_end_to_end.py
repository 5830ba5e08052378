"""CoreGCN on a pool of ICVL's size, end to end: features in a memory-mapped file, 1,000 picks.

The dense method is not run: its matrix alone would take n^2 numbers. The features are clusters on a subspace with a
little noise, after a relu, as a network's embeddings are. Each repetition is a process of its own.
"""

import tempfile
import time
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Spread, finish, first_labelled, in_child, in_turn, options, peak_memory, prepare, say
from torch_geometric.data import Data

from seqgcn import CoreGCN

BLOCK = 16_384


def write_features(
    path: Path, n: int, dim: int, seed: int, clusters: int = 500, rank: int = 40, noise: float = 0.05
) -> None:
    """Features `[n, dim]` float32 as a NumPy file, block by block."""
    draw = torch.Generator().manual_seed(seed)
    centres = 3 * torch.randn(clusters, rank, generator=draw)
    shares = torch.rand(clusters, generator=draw).square()
    outwards = torch.randn(rank, dim, generator=draw) / rank**0.5
    file = np.lib.format.open_memmap(path, "w+", np.float32, (n, dim))
    for start in range(0, n, BLOCK):
        rows = min(BLOCK, n - start)
        member = torch.multinomial(shares, rows, replacement=True, generator=draw)
        inside = centres[member] + torch.randn(rows, rank, generator=draw)
        outside = inside @ outwards + noise * torch.randn(rows, dim, generator=draw)
        file[start : start + rows] = outside.relu_().numpy()
    file.flush()


def measure(path: Path, arguments: Namespace) -> dict[str, float]:
    """Seconds and bytes of one selection; for a process of its own."""
    device = prepare(arguments)
    # Copy-on-write, though nobody writes: PyTorch warns of arrays that cannot be written to.
    x = torch.from_numpy(np.load(path, mmap_mode="c")).to(device)
    labelled = first_labelled(len(x), arguments.labelled, device)
    some = min(len(x), 2_000)
    small = Data(x=x[:some].clone(), train_mask=first_labelled(some, 100, device))
    CoreGCN(epochs=1).select(small, budget=10)  # loads what is loaded once
    ends: dict[str, list[float]] = {}

    def note(stage: str, _done: int, _total: int) -> None:
        ends.setdefault(stage, []).append(time.perf_counter())

    with peak_memory(device) as memory:
        start = time.perf_counter()
        picks = CoreGCN(seed=arguments.seed, epochs=arguments.epochs).select(
            Data(x=x, train_mask=labelled), arguments.budget, progress=note
        )
        end = time.perf_counter()
    assert len(picks.index.unique()) == arguments.budget
    return {
        "seconds": end - start,
        "graph_and_first_epoch": ends["gcn"][0] - start,
        "other_epochs": ends["gcn"][-1] - ends["gcn"][0],
        "k_center": end - ends["gcn"][-1],
        "peak_bytes": memory["bytes"],
        "peak_bytes_above_imports": memory["bytes"] - memory["held_before"],
    }


def main() -> None:
    """Measure, print and write."""
    parser = options("select_end_to_end", __doc__, pairs=1)
    parser.add_argument("--n", type=int, default=331_006, help="items")
    parser.add_argument("--dim", type=int, default=1_024, help="features of an item")
    parser.add_argument("--labelled", type=int, default=1_000, help="labelled items")
    parser.add_argument("--budget", type=int, default=1_000, help="picks")
    parser.add_argument("--epochs", type=int, default=200, help="epochs of the GCN")
    parser.add_argument("--folder", help="where the features are written, and deleted again")
    arguments = parser.parse_args()
    device = prepare(arguments)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "features.npy"
        say(f"writing {arguments.n * arguments.dim * 4 / 1e9:.2f} GB")
        write_features(path, arguments.n, arguments.dim, arguments.seed)
        found = in_turn({"": partial(in_child, measure, path, arguments)}, arguments.pairs, warm_up=False)[""]
    del arguments.folder
    spreads: dict[str, Any] = {name: Spread.of([one[name] for one in found]) for name in found[0]}
    features, dense = 4 * arguments.n * arguments.dim, 4 * arguments.n**2
    rows = [
        {
            "items": f"{arguments.n:,} x {arguments.dim:,}",
            "picks": f"{arguments.budget:,}",
            "all, s": spreads["seconds"].show(),
            "graph and first epoch, s": spreads["graph_and_first_epoch"].show(),
            "other epochs, s": spreads["other_epochs"].show(),
            "k-center, s": spreads["k_center"].show(),
            "peak of the process, GiB": spreads["peak_bytes"].show(".2f", 2**-30),
            "features alone, GiB": f"{features / 2**30:.2f}",
            "dense matrix alone, GB": f"{dense / 1e9:,.3g}",
        }
    ]
    results = {**spreads, "bytes_of_features": features, "bytes_of_the_dense_matrix": dense}
    finish("select_end_to_end", arguments, device, rows, results)


if __name__ == "__main__":
    main()
