import torch
from torch_geometric.data import Data

from seqgcn.selectors import Random


def picks(seed: int, n: int = 20, budget: int = 5) -> list[int]:
    data = Data(train_mask=torch.arange(n) < 4)
    index: list[int] = Random(seed=seed).select(data, budget).index.tolist()
    return index


def test_every_candidate_has_the_same_chance_and_none_is_drawn_twice() -> None:
    draws, budget = 800, 5
    counts = torch.zeros(20)
    for seed in range(draws):
        index = picks(seed, budget=budget)
        assert len(set(index)) == budget
        counts[index] += 1
    assert counts[:4].sum() == 0
    share = budget / 16
    assert (counts[4:] / draws - share).abs().max() < 5 * (share * (1 - share) / draws) ** 0.5


def test_the_first_pick_is_as_random_as_the_last() -> None:
    first = torch.bincount(torch.tensor([picks(seed)[0] for seed in range(800)]), minlength=20)[4:]
    assert (first / 800 - 1 / 16).abs().max() < 5 * (1 / 16 * 15 / 16 / 800) ** 0.5


def test_other_seeds_draw_otherwise() -> None:
    assert len({tuple(picks(seed)) for seed in range(50)}) > 45
