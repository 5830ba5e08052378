"""Which papers of a citation graph to label: node selection on Cora's own edges, against Random and degree.

python benchmarks/evidence/citation_graph.py --root FOLDER

FOLDER/Cora/raw/ holds Planetoid's eight files (ind.cora.x and so on). A GCN classifier is trained on the labeled
nodes; its hidden layer is what the selectors see, on the graph's own edges. Validation and test nodes stay in the
graph, where messages pass through them, but out of the pool.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from results import write_result
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.datasets import Planetoid
from torch_geometric.nn import GCNConv
from torch_geometric.utils import scatter

from seqgcn import CoreGCN, CoreSet, Margin, Random, Selection, Selector, UncertainGCN
from seqgcn.evaluation import Curve, accuracy
from seqgcn.selectors import Query, for_cycle
from seqgcn.utils.seeding import derive_seed, generator, seeded

CONFIRMATORY = ("degree", "core-set", "margin", "uncertain-gcn", "core-gcn", "core-gcn (features)")


@dataclass(frozen=True, kw_only=True)
class Degree(Selector):
    """Nodes with the most edges first: all that a selector without features can know."""

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        ends = query.data.edge_index[1]
        degree = scatter(torch.ones(len(ends)), ends, dim_size=len(query.labelled), reduce="sum")
        return query.highest(degree, degree=degree)


SELECTORS: Mapping[str, Selector] = {
    "random": Random(),
    "degree": Degree(),
    "core-set": CoreSet(),
    "margin": Margin(),
    "uncertain-gcn": UncertainGCN(graph="edges"),
    "core-gcn": CoreGCN(graph="edges"),
    "core-gcn (features)": CoreGCN(graph="similarity"),
}


class NodeClassifier(nn.Module):
    """A two-layer GCN with dropout on its hidden layer; returns that layer and the logits."""

    def __init__(self, in_channels: int, num_classes: int, hidden_channels: int = 64) -> None:
        super().__init__()
        self.conv1 = GCNConv(in_channels, hidden_channels)
        self.conv2 = GCNConv(hidden_channels, num_classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden features `[n, h]` and logits `[n, c]` of every node."""
        hidden = self.conv1(x, edge_index).relu()
        return hidden, self.conv2(F.dropout(hidden, 0.5, self.training), edge_index)


def train_classifier(data: Data, labelled: Tensor, seed: int, epochs: int) -> tuple[Tensor, Tensor]:
    """Hidden features and class probabilities of every node, after training on the labeled ones."""
    num_classes = int(data.y.max()) + 1
    with seeded(seed):
        model = NodeClassifier(data.x.shape[1], num_classes)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
        for _ in range(epochs):
            optimizer.zero_grad()
            logits = model(data.x, data.edge_index)[1]
            F.cross_entropy(logits[labelled], data.y[labelled]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            hidden, logits = model(data.x, data.edge_index)
    return hidden, logits.softmax(dim=1)


def label_nodes(
    data: Data, selector: Selector, *, seed: int, initial: int, budget: int, cycles: int, epochs: int = 100
) -> Curve:
    """Test accuracy as the selector has more and more nodes labeled.

    Args:
        data: Graph with `x`, `edge_index`, `y`, `val_mask` and `test_mask`.
        selector: Asked once a cycle.
        seed: Of the first labels and the classifier, the same for every selector.
        initial: Random nodes labeled at first.
        budget: Nodes labeled a cycle.
        cycles: How often.
        epochs: Of the classifier.
    """
    pool = ~(data.val_mask | data.test_mask)
    ids = pool.nonzero().squeeze(1)
    first = ids[torch.randperm(len(ids), generator=generator(seed, "initial"))[:initial]]
    labelled = torch.zeros_like(pool).index_fill(0, first, True)
    counts, accuracies = [], []
    for cycle in range(cycles + 1):
        x, prob = train_classifier(data, labelled, derive_seed(seed, cycle, "learner"), epochs)
        counts.append(int(labelled.sum()))
        accuracies.append(accuracy(prob[data.test_mask].argmax(dim=1), data.y[data.test_mask]))
        if cycle < cycles:
            described = Data(x=x, prob=prob, edge_index=data.edge_index, train_mask=labelled, pool_mask=pool)
            chooser = for_cycle(selector, seed=derive_seed(seed, cycle, "selector"), cycle=cycle)
            picks = chooser.select(described, budget)
            labelled = labelled.index_fill(0, picks.index, True)
    return Curve(labelled=tuple(counts), metric=tuple(accuracies))


def main() -> None:
    """Run all selectors and seeds and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help="folder with Cora/raw/ind.cora.*")
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds (default: 10)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = Planetoid(arguments.root, "Cora")[0]
    plan = {"initial": 20, "budget": 20, "cycles": 6, "epochs": 100}
    curves: dict[str, dict[int, Curve]] = {name: {} for name in SELECTORS}
    for seed in range(arguments.seeds):
        for name, selector in SELECTORS.items():
            curves[name][seed] = label_nodes(data, selector, seed=seed, **plan)
            print(f"seed {seed}, {name}: AUBC {curves[name][seed].area:.4f}", flush=True)
    table = write_result(
        "citation_graph",
        curves,
        claim="On Cora's own edges, do the selectors need fewer labelled nodes than random picks?",
        title="Cora, two-layer GCN, 20 labels a cycle",
        configuration={**plan, "seeds": arguments.seeds, "dataset": "Planetoid Cora, public validation and test nodes"},
        confirmatory=CONFIRMATORY,
        threads=arguments.threads,
    )
    print(table)


if __name__ == "__main__":
    main()
