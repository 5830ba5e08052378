"""Every selector of the catalogue on one pool: seconds of its selection and memory above what it is given.

The features are clusters of unequal size on a subspace with a little noise, after a relu, as a network's embeddings
are; the predictions of several passes scatter around probabilities that go with the clusters. Passes of a learner are
no part of it. Each measurement is a process of its own, given only what its selector reads. Selectors that train
networks for their selection have no target; they are measured when named.
"""

from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from common import Spread, finish, first_labelled, in_child, in_turn, options, peak_memory, prepare, say, seconds
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.config.registry import CATALOGUE, load
from seqgcn.exceptions import ArgumentError
from seqgcn.selectors.selector import Selector, for_cycle

TRAINING = ("bgadl", "discriminative", "vaal")
MOST_SECONDS, MOST_BYTES = 60, 4 * 2**30


class Pool:
    """What can be attached to a pool, each made when asked for."""

    def __init__(self, arguments: Namespace) -> None:
        self.size = arguments
        self.draw = torch.Generator().manual_seed(arguments.seed)
        shares = torch.rand(arguments.clusters, generator=self.draw).square()
        self.cluster = torch.multinomial(shares, arguments.points, replacement=True, generator=self.draw)
        self.makers: dict[str, Callable[[], Tensor]] = {
            "x": self.features,
            "prob": lambda: self.logits().softmax(dim=1),
            "prob_samples": lambda: self.around(self.logits()).softmax(dim=2),
            "target_samples": lambda: self.around(self.normal(self.size.points, self.size.coordinates)),
            "loss_pred": lambda: self.normal(self.size.points),
            "image": self.images,
        }

    def normal(self, *shape: int) -> Tensor:
        """Independent normal numbers."""
        return torch.randn(shape, generator=self.draw)

    def features(self, rank: int = 20, noise: float = 0.05) -> Tensor:
        """Embeddings `[n, d]`."""
        inside = 3 * self.normal(self.size.clusters, rank)[self.cluster] + self.normal(self.size.points, rank)
        outside: Tensor = inside @ self.normal(rank, self.size.dim) / rank**0.5
        return outside.add_(self.normal(self.size.points, self.size.dim), alpha=noise).relu_()

    def logits(self) -> Tensor:
        """Of probabilities `[n, c]`; a cluster leans to a class."""
        classes = torch.nn.functional.one_hot(self.cluster % self.size.classes, self.size.classes)
        return 3 * classes + self.normal(self.size.points, self.size.classes)

    def around(self, centre: Tensor) -> Tensor:
        """Several passes `[n, t, k]` around their center `[n, k]`."""
        return centre.unsqueeze(1) + 0.5 * self.normal(len(centre), self.size.passes, centre.shape[1])

    def images(self) -> Tensor:
        """Images of noise `[n, 3, 32, 32]`."""
        return torch.randint(256, (self.size.points, 3, 32, 32), dtype=torch.uint8, generator=self.draw)

    def data(self, names: tuple[str, ...]) -> Data:
        """The pool with some attributes."""
        labelled = first_labelled(self.size.points, self.size.labelled, torch.device("cpu"))
        return Data(train_mask=labelled, **{name: self.makers[name]() for name in names})


def first_of(data: Data, n: int) -> Data:
    """The pool's first nodes, a tenth of them labeled."""
    few = {name: data[name][:n].clone() for name in data.keys()}  # noqa: SIM118  # Data is no dict
    return Data(**few | {"train_mask": first_labelled(n, n // 10, data.train_mask.device)})


def make(name: str, arguments: Namespace) -> Selector:
    """The selector of a name with its default settings."""
    selector: Selector = for_cycle(load("selector", name)(), seed=arguments.seed, cycle=1)
    return selector


def measure(name: str, arguments: Namespace) -> dict[str, float] | str:
    """Seconds and bytes of one selection, or why there is none; for a process of its own."""
    device = prepare(arguments)
    selector, pool = make(name, arguments), Pool(arguments)
    lacking = selector.missing(pool.makers)
    if lacking:
        return f"needs {', '.join(lacking)}"
    data = pool.data(selector.reads(pool.makers)).to(str(device))
    few = min(arguments.points, 400)
    try:
        selector.select(first_of(data, few), budget=few // 40)  # loads what is loaded once
        with peak_memory(device) as memory:
            took = seconds(lambda: selector.select(data, arguments.budget), device)
    except ArgumentError as error:
        return str(error)
    return {"seconds": took, "bytes_above_inputs": memory["bytes"] - memory["held_before"]}


def row(name: str, found: list[Any]) -> dict[str, object]:
    """A line of the table."""
    if isinstance(found[0], str):
        return {"selector": name, "seconds": "", "GiB above the inputs": "", "within the target": found[0]}
    took, held = (Spread.of([one[key] for one in found]) for key in ("seconds", "bytes_above_inputs"))
    within = took.most < MOST_SECONDS and held.most < MOST_BYTES
    return {
        "selector": name,
        "seconds": took.show(),
        "GiB above the inputs": held.show(".2f", 2**-30),
        "within the target": "none: it trains" if name in TRAINING else "yes" if within else "NO",
    }


def main() -> None:
    """Measure, print and write."""
    parser = options("all_selectors", __doc__, pairs=1)
    known = list(CATALOGUE["selector"])
    quick = [name for name in known if name not in TRAINING]
    parser.add_argument("--selectors", nargs="+", choices=known, default=quick, metavar="NAME", help="measured")
    parser.add_argument("--points", type=int, default=50_000, help="nodes")
    parser.add_argument("--dim", type=int, default=512, help="features of a node")
    parser.add_argument("--clusters", type=int, default=100, help="clusters of the features")
    parser.add_argument("--classes", type=int, default=10, help="classes")
    parser.add_argument("--passes", type=int, default=10, help="passes of a learner")
    parser.add_argument("--coordinates", type=int, default=42, help="coordinates of a target")
    parser.add_argument("--labelled", type=int, default=1_000, help="labelled nodes")
    parser.add_argument("--budget", type=int, default=1_000, help="picks")
    arguments = parser.parse_args()
    device = prepare(arguments)

    def one(name: str) -> dict[str, float] | str:
        found: dict[str, float] | str = in_child(measure, name, arguments)
        say(f"  {name}: {found}")
        return found

    # Every selection starts a new process, so there is nothing to warm up but what it warms up itself.
    found = in_turn({name: partial(one, name) for name in arguments.selectors}, arguments.pairs, warm_up=False)
    finish("all_selectors", arguments, device, [row(name, found[name]) for name in found], found)


if __name__ == "__main__":
    main()
