"""The worked example on a citation graph, on a small graph made here."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch_geometric.data import Data

EVIDENCE = Path(__file__).parents[1] / "benchmarks" / "evidence"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EVIDENCE))
    spec = importlib.util.spec_from_file_location("citation_graph", EVIDENCE / "citation_graph.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "citation_graph", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def papers() -> Data:
    """Three fields that cite mostly themselves; words say a little of the field."""
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(120) % 3
    same = y.unsqueeze(0) == y.unsqueeze(1)
    cites = torch.rand(120, 120, generator=draw) < torch.where(same, 0.08, 0.005)
    edges = (cites | cites.T).fill_diagonal_(False).nonzero().T
    words = (torch.rand(120, 30, generator=draw) < 0.1).float()
    words[torch.arange(120), y] += 1
    split = torch.randperm(120, generator=draw)
    mask = torch.zeros(120, dtype=torch.bool)
    val_mask, test_mask = mask.index_fill(0, split[:20], True), mask.index_fill(0, split[20:60], True)
    return Data(x=words, y=y, edge_index=edges, val_mask=val_mask, test_mask=test_mask)


def test_every_selector_labels_the_pool_and_nothing_else(
    example: ModuleType, papers: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    train = example.train_classifier

    def watched(data: Data, labelled: torch.Tensor, *arguments: int) -> object:
        seen.append(labelled)
        return train(data, labelled, *arguments)

    monkeypatch.setattr(example, "train_classifier", watched)
    for selector in example.SELECTORS.values():
        curve = example.label_nodes(papers, selector, seed=0, initial=6, budget=6, cycles=2, epochs=20)
        assert curve.labelled == (6, 12, 18)
        assert curve.metric[-1] > 0.5
        assert not (seen[-1] & (papers.val_mask | papers.test_mask)).any()
    firsts = seen[::3]
    assert all(torch.equal(first, firsts[0]) for first in firsts)


def test_degree_counts_edges(example: ModuleType, papers: Data) -> None:
    data = Data(edge_index=papers.edge_index, train_mask=torch.zeros(120, dtype=torch.bool))
    picks = example.Degree().select(data, budget=5)
    degree = papers.edge_index[1].bincount(minlength=120)
    assert picks.score.tolist() == degree.sort(descending=True).values[:5].tolist()
    assert picks.score.tolist() == degree[picks.index].tolist()
