import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgcn.evaluation import accuracy, per_class_accuracy
from seqgcn.exceptions import ArgumentError

relaxed = settings(deadline=None)  # the first example may import a library


def test_accuracy_is_the_share_of_hits() -> None:
    assert accuracy(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2])) == 0.75
    assert accuracy(torch.tensor([0, 1], dtype=torch.uint8), torch.tensor([0, 1])) == 1.0


def test_per_class_accuracy_is_nan_for_an_absent_class() -> None:
    predictions, targets = torch.tensor([0, 0, 1, 3]), torch.tensor([0, 1, 1, 3])
    expected = torch.tensor([1.0, 0.5, math.nan, 1.0, math.nan], dtype=torch.float64)
    result = per_class_accuracy(predictions, targets, 5)
    torch.testing.assert_close(result, expected, equal_nan=True, rtol=0, atol=0)


@relaxed
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_per_class_accuracy_weighted_by_class_size_is_accuracy(pairs: list[tuple[int, int]]) -> None:
    predictions, targets = torch.tensor(pairs).T
    sizes = targets.bincount(minlength=4)
    each = per_class_accuracy(predictions, targets, 4)
    assert (each.nan_to_num() * sizes).sum().item() / len(pairs) == pytest.approx(accuracy(predictions, targets))


@pytest.mark.parametrize(
    ("predictions", "targets", "message"),
    [
        (
            torch.zeros(3, dtype=torch.long),
            torch.zeros(4, dtype=torch.long),
            r"predictions \[3\] and targets \[4\]",
        ),
        (torch.zeros(3, 1, dtype=torch.long), torch.zeros(3, 1, dtype=torch.long), r"must both be \[n\]"),
        (torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long), "n > 0"),
        (torch.zeros(3), torch.zeros(3, dtype=torch.long), "predictions must be integer classes"),
        (torch.zeros(3, dtype=torch.long), torch.zeros(3), "targets must be integer classes"),
    ],
)
def test_accuracy_refuses(predictions: torch.Tensor, targets: torch.Tensor, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        accuracy(predictions, targets)
    with pytest.raises(ArgumentError, match=message):
        per_class_accuracy(predictions, targets, 2)


@pytest.mark.parametrize("target", [-1, 3])
def test_per_class_accuracy_names_the_target_outside(target: int) -> None:
    with pytest.raises(ArgumentError, match=rf"targets\[1\] is {target}.*0 to 2"):
        per_class_accuracy(torch.tensor([0, 0]), torch.tensor([0, target]), 3)
