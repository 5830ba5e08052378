"""The contract suite on every selector of the catalogue."""

from dataclasses import fields
from typing import Any

import pytest
import torch
from contract_pools import Contract, Make, is_random, pool
from contracts import ALONE, CONTRACTS, GREEDY, PERMUTATION, RANKING, parameters_change_something

from seqgcn.config.registry import CATALOGUE, load
from seqgcn.exceptions import ArgumentError
from seqgcn.selectors import CoreGCN, CoreSet, Random, UncertainGCN
from seqgcn.selectors.sequential_gcn import GCNSelector

QUICK = {"epochs": 4, "hidden_channels": 5, "steps": 4, "image_size": 8, "batch_size": 8}
"""For the selectors that train; the others have neither."""

GCN: dict[str, tuple[dict[str, Any], Any]] = {
    "hidden_channels": ({}, 6),
    "dropout": ({}, 0.6),
    "epochs": ({}, 5),
    "lr": ({}, 0.1),
    "weight_decay": ({}, 0.5),
    "unlabelled_weight": ({}, 0.7),
    "graph": ({}, "knn"),
    "k": ({"graph": "knn", "k": 3}, 2),
    "similarity": ({}, "shifted"),
    "normalize": ({}, "row"),
    "patience": ({"lr": 10.0, "epochs": 20}, 1),
    "seed": ({}, 1),
}
"""Parameter by parameter: what else must be set for it to count, and another value than its own."""

EDGES = torch.stack([torch.arange(39), torch.arange(1, 40)])

ALTERNATIVES: dict[str, dict[str, tuple[dict[str, Any], Any]]] = {
    "uncertain-gcn": {**GCN, "margin": ({}, 0.9), "rule": ({}, "farthest")},
    "core-gcn": {**GCN, "include_logit": ({}, False)},
    "ensemble": {
        "acquisition": ({}, "mean-std"),
        "n_members": ({}, 2),
        "width": ({}, 0.5),
        "same_initialisation": ({}, True),
        "same_batches": ({}, True),
    },
    "badge": {"seed": ({}, 1)},
    "ceal": {
        "uncertainty": ({}, "margin"),
        "delta": ({}, 0.5),
        "decay": ({"cycle": 1}, 0.01),
        "cycle": ({}, 1),
    },
    "emoc": {"top_classes": ({}, 2), "reference": ({}, 10), "seed": ({"reference": 10}, 1)},
    "learning-loss": {
        "modules": ({}, ("a",)),
        "weight": ({}, 0.5),
        "margin": ({}, 0.5),
        "detach_after": ({}, 0.5),
        "loss": ({}, "mse"),
        "hidden_channels": ({}, 6),
    },
    "weighted-core-gcn": {
        **GCN,
        "graph": ({}, "similarity"),
        "k": ({}, 9),
        "similarity": ({"graph": "similarity"}, "shifted"),
        "normalize": ({"graph": "similarity"}, "row"),
        "include_logit": ({}, False),
        "uncertainty": ({}, "entropy"),
    },
    "typiclust": {
        "neighbours": ({"max_clusters": 3}, 1),
        "max_clusters": ({}, 3),
        "min_cluster_size": ({}, 3),
        "seed": ({}, 1),
    },
    "probcover": {"delta": ({}, 0.3), "purity": ({}, 0.5), "classes": ({}, 3), "seed": ({}, 1)},
    "discriminative": {
        "queries": ({}, 3),
        "hidden_channels": ({}, 6),
        "epochs": ({}, 5),
        "accuracy": ({}, 0.2),
        "lr": ({}, 0.1),
        "batch_size": ({}, 7),
        "seed": ({}, 1),
    },
    "vaal": {
        "image_size": ({}, 4),
        "latent_channels": ({}, 3),
        "hidden_channels": ({}, 6),
        "beta": ({}, 3.0),
        "adversary_weight": ({}, 9.0),
        "steps": ({}, 5),
        "batch_size": ({}, 9),
        "lr": ({}, 0.1),
        "seed": ({}, 1),
    },
    "graph-herding": {
        "k": ({}, 2),
        "scale_neighbor": ({}, 2),
        "graph": ({"data": {"edge_index": EDGES}}, "knn"),
        "normalize": ({}, False),
    },
    "posterior-design": {
        "kernel": ({}, "cosine"),
        "rank": ({}, 5),
        "noise": ({}, 3.0),
        "fisher": ({}, False),
        "margin": ({}, True),
        "seed": ({"rank": 5}, 1),
    },
    "uncertainty-herding": {
        "uncertainty": ({}, "entropy"),
        "temperature": ({}, 4.0),
        "sigma": ({}, 3.0),
        "normalize": ({}, False),
    },
    "power": {"acquisition": ({}, "margin"), "beta": ({}, 50.0), "seed": ({}, 1)},
    "max-herding": {"sigma": ({}, 0.1), "normalize": ({}, False)},
    "suggestive-annotation": {"factor": ({}, 1)},
    "random": {"seed": ({}, 1)},
}


UNRANKED: set[str] = {"badge", "discriminative", "lcmd", "posterior-design", "typiclust"}
"""Selectors whose score is not what they rank by."""

BATCHED: set[str] = {"discriminative", "suggestive-annotation", "typiclust"}
"""Selectors that prepare for the whole budget at once."""


def maker(name: str) -> Make:
    selector = load("selector", name)
    known = {field.name for field in fields(selector)}
    quick = {key: value for key, value in QUICK.items() if key in known}

    def make(**changes: Any) -> Any:
        return selector(**quick | changes)

    return make


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("name", CATALOGUE["selector"])
def test_contract(name: str, contract: Contract) -> None:
    contract(maker(name))


@pytest.mark.parametrize("contract", RANKING, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("name", [name for name in CATALOGUE["selector"] if name not in UNRANKED])
def test_contract_of_rankings(name: str, contract: Contract) -> None:
    contract(maker(name))


@pytest.mark.parametrize("contract", GREEDY, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("name", [name for name in CATALOGUE["selector"] if name not in BATCHED])
def test_contract_of_one_pick_after_another(name: str, contract: Contract) -> None:
    contract(maker(name))


@pytest.mark.parametrize("contract", ALONE, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("name", [name for name in CATALOGUE["selector"] if "gcn" not in name])
def test_contract_without_a_graph(name: str, contract: Contract) -> None:
    contract(maker(name))


@pytest.mark.parametrize("contract", PERMUTATION, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("name", [name for name in CATALOGUE["selector"] if not is_random(maker(name))])
def test_contract_without_randomness(name: str, contract: Contract) -> None:
    contract(maker(name))


# The parameters of bgadl change what it generates, as its own test shows.
@pytest.mark.parametrize("name", sorted(set(CATALOGUE["selector"]) - {"bgadl"}))
def test_each_parameter_changes_something(name: str) -> None:
    parameters_change_something(maker(name), ALTERNATIVES.get(name, {}))


@pytest.mark.parametrize("family", [UncertainGCN, CoreGCN])
def test_gcn_selectors_need_a_label_and_point_to_those_that_need_none(family: type[GCNSelector]) -> None:
    data = pool()
    data.train_mask = torch.zeros_like(data.train_mask)
    with pytest.raises(ArgumentError, match=rf"{family.__name__} learns .*; start with Random or CoreSet"):
        family().select(data, 1)
    for cold in (Random(), CoreSet()):
        assert len(cold.select(data, 5)) == 5


@pytest.mark.parametrize("seedless", [name for name in CATALOGUE["selector"] if not is_random(maker(name))])
def test_equal_nodes_go_by_their_index(seedless: str) -> None:
    data = pool()
    for name in set(data.keys()) - {"train_mask"}:
        data[name] = data[name][:1].expand_as(data[name]).clone()
    picks = maker(seedless)().select(data, 7).index
    assert picks.tolist() == (~data.train_mask).nonzero().flatten()[:7].tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", CATALOGUE["selector"])
def test_picks_stay_on_the_gpu_and_repeat(name: str) -> None:
    before = torch.cuda.get_rng_state()
    first, again = (maker(name)().select(pool().cuda(), 12) for _ in range(2))
    assert first.index.is_cuda
    assert first.score.is_cuda
    assert torch.equal(first.index, again.index)
    assert torch.equal(torch.cuda.get_rng_state(), before)
