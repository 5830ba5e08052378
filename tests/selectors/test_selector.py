"""What the base class makes sure of, whoever writes `pick`."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors import Selection, Selector
from seqgcn.selectors.selector import Query

POOL = Data(x=torch.rand(20, 2, generator=torch.Generator().manual_seed(0)), train_mask=torch.arange(20) < 3)


@dataclass(frozen=True, kw_only=True)
class Picks(Selector):
    """Picks what it is told to, with a score of 1 unless it is told another."""

    requires: ClassVar[tuple[str, ...]] = ("x",)
    index: Any = ()
    score: Any = None

    def pick(self, query: Query) -> Selection:
        index = self.index if isinstance(self.index, Tensor) else torch.tensor(self.index)
        return Selection(index=index, score=torch.ones(len(index)) if self.score is None else self.score)


@dataclass(frozen=True, kw_only=True)
class Scores(Selector):
    """Picks by the scores it is given."""

    requires: ClassVar[tuple[str, ...]] = ("x",)
    score: Any = None

    def pick(self, query: Query) -> Selection:
        return query.highest(self.score)


def test_good_picks_pass_as_they_are() -> None:
    assert Picks(index=[9, 4]).select(POOL, 2).index.tolist() == [9, 4]


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([9, 9], "node 9 more than once"),
        ([9, 0], "node 0 cannot be picked"),
        ([9, 20], "node 20 cannot be picked .there is no such node"),
        ([-1, 9], "node -1 cannot be picked .there is no such node"),
        ([9], "must pick 2 nodes, but picked 1"),
        ([9, 10, 11], "must pick 2 nodes, but picked 3"),
        (torch.tensor([9.0, 10.0]), "int64"),
        (torch.tensor([[9, 10]]), "int64"),
    ],
)
def test_picks_that_may_not_be_are_refused(index: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message) as caught:
        Picks(index=index).select(POOL, 2)
    assert "Picks.pick" in str(caught.value)


@pytest.mark.parametrize("score", [None, torch.ones(3), [1.0, 1.0]])
def test_scores_are_one_a_pick(score: Any) -> None:
    if score is None:
        assert Picks(index=[9, 4], score=torch.tensor([2.0, 1.0])).select(POOL, 2).score.tolist() == [2, 1]
        return
    with pytest.raises(ArgumentError, match="score of a Selection"):
        Picks(index=[9, 4], score=score).select(POOL, 2)


@pytest.mark.parametrize("score", [torch.ones(5), torch.ones(20, 1), torch.ones(20).numpy(), None])
def test_highest_takes_one_score_a_node(score: Any) -> None:
    with pytest.raises(ArgumentError, match=r"score must be a tensor \[20\]"):
        Scores(score=score).select(POOL, 2)


def test_a_candidate_without_a_score_is_named_and_a_labeled_node_needs_none() -> None:
    score = torch.arange(20.0)
    score[1] = torch.nan
    assert Scores(score=score).select(POOL, 2).index.tolist() == [19, 18]
    score[7] = torch.nan
    with pytest.raises(ArgumentError, match=r"NaN.*node 7"):
        Scores(score=score).select(POOL, 2)
