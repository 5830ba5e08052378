import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.selectors import Entropy, LeastConfidence, Margin, Selector

relaxed = settings(deadline=None)

TABLE = torch.tensor([[0.1, 0.2, 0.7], [0.33, 0.33, 0.34], [0.41, 0.39, 0.2], [0.3, 0.4, 0.3]], dtype=torch.float64)
"""The worked example of the talk: four items, three classes."""


def unlabelled(prob: Tensor) -> Data:
    return Data(prob=prob, train_mask=torch.zeros(len(prob), dtype=torch.bool))


def priorities(selector: Selector, prob: Tensor = TABLE) -> list[int]:
    """Rank of each item, 1 for the one to label first."""
    index = selector.select(unlabelled(prob), len(prob)).index
    return [index.tolist().index(item) + 1 for item in range(len(prob))]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_worked_table(dtype: torch.dtype) -> None:
    prob = TABLE.to(dtype)
    assert priorities(LeastConfidence(), prob) == [4, 1, 3, 2]
    assert priorities(Margin(), prob) == [4, 1, 2, 3]
    assert priorities(Entropy(), prob) == [4, 1, 3, 2]

    details = LeastConfidence().select(unlabelled(prob), 1).details
    assert details["confidence"].tolist() == pytest.approx([0.7, 0.34, 0.41, 0.4])
    details = Margin().select(unlabelled(prob), 1).details
    assert details["margin"].tolist() == pytest.approx([0.5, 0.01, 0.02, 0.1], abs=1e-7)
    details = Entropy().select(unlabelled(prob), 1).details
    # Truncated after four digits on the slide.
    assert details["entropy"].tolist() == pytest.approx([0.8018, 1.0985, 1.0546, 1.0888], abs=2e-4)


@st.composite
def probabilities(draw: st.DrawFn) -> Tensor:
    n, classes = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    counts = draw(st.lists(st.integers(0, 6), min_size=n * classes, max_size=n * classes))
    weight = torch.tensor(counts, dtype=torch.float64).view(n, classes)
    weight[weight.sum(dim=1) == 0] = 1
    return weight / weight.sum(dim=1, keepdim=True)


@relaxed
@given(probabilities())
def test_scores_are_their_formulas(prob: Tensor) -> None:
    rows = prob.tolist()
    ranked = [sorted(row, reverse=True) for row in rows]
    formulas: list[tuple[Selector, str, list[float], list[float]]] = [
        (LeastConfidence(), "confidence", [row[0] for row in ranked], [1 - row[0] for row in ranked]),
        (
            Margin(),
            "margin",
            [row[0] - (row[1] if len(row) > 1 else 0) for row in ranked],
            [(row[1] if len(row) > 1 else 0) - row[0] for row in ranked],
        ),
        (
            Entropy(),
            "entropy",
            [-sum(p * math.log(p) for p in row if p > 0) for row in rows],
            [-sum(p * math.log(p) for p in row if p > 0) for row in rows],
        ),
    ]
    for selector, name, shown, score in formulas:
        selection = selector.select(unlabelled(prob), len(prob))
        assert selection.details[name].tolist() == pytest.approx(shown, abs=1e-12)
        assert selection.score.tolist() == pytest.approx([score[i] for i in selection.index.tolist()], abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_taken_as_single(dtype: torch.dtype) -> None:
    prob = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)).softmax(dim=1).to(dtype)
    single = prob.float()
    top = single.sort(dim=1, descending=True).values
    for selector, score in (
        (LeastConfidence(), 1 - top[:, 0]),
        (Margin(), top[:, 1] - top[:, 0]),
        (Entropy(), -(single * single.log()).sum(dim=1)),
    ):
        selection = selector.select(unlabelled(prob), 50)
        torch.testing.assert_close(selection.score, score[selection.index])


def test_a_single_class_leaves_nothing_uncertain() -> None:
    for selector in (LeastConfidence(), Margin(), Entropy()):
        assert priorities(selector, torch.ones(3, 1)) == [1, 2, 3]
    assert Margin().select(unlabelled(torch.ones(3, 1)), 1).details["margin"].tolist() == [1, 1, 1]


def test_certain_and_impossible_classes_have_no_entropy() -> None:
    details = Entropy().select(unlabelled(torch.eye(3)), 3).details
    assert details["entropy"].tolist() == [0, 0, 0]
