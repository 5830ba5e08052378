import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seqgcn.exceptions import (
    ArgumentError,
    ConfigError,
    DataFileError,
    MissingFileError,
    RunFolderError,
    SeqGCNError,
    TrainingError,
)
from seqgcn.utils.validation import (
    check_choice,
    check_edges,
    check_features,
    check_instance,
    check_mask,
    check_number,
    check_probabilities,
    check_whole,
    name_rows,
    name_some,
)

EDGES = torch.tensor([[0, 1, 2], [1, 2, 0]])
HALF = [torch.float16, torch.bfloat16]


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (ArgumentError, ValueError),
        (ConfigError, ValueError),
        (DataFileError, ValueError),
        (MissingFileError, FileNotFoundError),
        (RunFolderError, OSError),
        (TrainingError, RuntimeError),
    ],
)
def test_errors_are_ours_and_what_a_reader_expects(error: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(error, SeqGCNError)
    assert issubclass(error, builtin)
    assert str(error("what was wrong")) == "what was wrong"


def test_rows_are_named_and_the_many_counted() -> None:
    assert name_rows(torch.tensor([False, True, False, True])) == "rows 1, 3"
    assert name_rows(torch.ones(9, dtype=torch.bool), "edges") == "edges 0, 1, 2, 3, 4 and 4 more"


def test_a_class_is_no_object() -> None:
    check_instance("thing", 3)
    with pytest.raises(ArgumentError, match=r"thing is the class int; make an object of it: int\(\)"):
        check_instance("thing", int)


# features


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_features_pass_through_without_a_copy(dtype: torch.dtype) -> None:
    x = torch.ones(3, 2, dtype=dtype, requires_grad=True)
    checked = check_features(x)
    assert checked.data_ptr() == x.data_ptr()
    assert not checked.requires_grad
    assert x.requires_grad


@pytest.mark.parametrize("dtype", HALF)
def test_half_precision_features_become_single(dtype: torch.dtype) -> None:
    x = torch.rand(3, 2).to(dtype)
    assert torch.equal(check_features(x), x.float())


def test_features_whose_sum_overflows_are_fine() -> None:
    x = torch.full((3, 2), torch.finfo(torch.float32).max)
    assert torch.equal(check_features(x), x)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (None, r"features are missing: attach them as data\.points"),
        ([[1.0]], "must be a torch.Tensor .* got list; use torch.as_tensor"),
        (np.ones((2, 2)), "got ndarray"),
        (torch.ones(3), r"2-D .* got \[3\]; use points.unsqueeze\(1\)"),
        (torch.ones(3, 2, 2), r"2-D .* got \[3, 2, 2\]; use points.flatten\(1\)"),
        (torch.ones(3, 0), r"d > 0, got \[3, 0\]$"),
        (torch.ones(3, 2, dtype=torch.int64), r"floating point, got torch.int64; use points.float\(\)"),
        (torch.ones(3, 2).to_sparse(), r"dense, got torch.sparse_coo; use points.to_dense\(\)"),
        (torch.tensor([[1.0], [math.nan], [math.inf], [-math.inf]]), "NaN or infinite values in rows 1, 2, 3;"),
        (torch.tensor([[math.inf], [0.0], [-math.inf]], dtype=torch.float16), "in rows 0, 2;"),
    ],
)
def test_unusable_features_are_named(x: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        check_features(x, "points")


# masks


def test_masks_pass_through() -> None:
    mask = torch.tensor([True, False])
    assert check_mask(mask, "mask") is mask
    assert check_mask(mask, "mask", 2) is mask


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (None, "data.train_mask is missing: attach it"),
        ([True, False], "got list; use torch.as_tensor"),
        (torch.ones(2), "must be bool, got torch.float32"),
        (torch.tensor([0, 1]), "must be bool, got torch.int64"),
        (torch.ones(2, 10, dtype=torch.bool), r"must be 1-D .* got \[2, 10\]; choose one split's column"),
        (torch.ones(3, dtype=torch.bool), "has 3 entries, but there are 2 nodes"),
    ],
)
def test_unusable_masks_are_named(mask: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        check_mask(mask, "data.train_mask", 2)


# edges


def test_edges_pass_through() -> None:
    edge_index, edge_weight = check_edges(EDGES, None, 3)
    assert edge_index is EDGES
    assert edge_weight is None


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_weights_are_flat_and_detached(shape: tuple[int, ...]) -> None:
    _, weight = check_edges(EDGES, torch.arange(3.0).view(shape).requires_grad_(), 3)
    assert weight is not None
    assert not weight.requires_grad
    assert torch.equal(weight, torch.arange(3.0))


def test_a_single_weight_stays_a_vector() -> None:
    for shape in ((1,), (1, 1)):
        _, weight = check_edges(EDGES[:, :1], torch.ones(shape), 3)
        assert weight is not None
        assert weight.shape == (1,)


def test_no_edges_are_edges_too() -> None:
    edge_index, weight = check_edges(torch.empty(2, 0, dtype=torch.int64), torch.empty(0), 3)
    assert weight is not None
    assert edge_index.shape == (2, 0)


@pytest.mark.parametrize(
    ("edge_index", "edge_weight", "message"),
    [
        ([[0], [1]], None, r"edge_index must be an int64 tensor \[2, edges\], got list"),
        (EDGES.int(), None, r"got torch.int32 \[2, 3\]"),
        (EDGES.float(), None, "got torch.float32"),
        (EDGES.T, None, r"got torch.int64 \[3, 2\]"),
        (EDGES.flatten(), None, r"got torch.int64 \[6\]"),
        (EDGES.unsqueeze(0), None, r"got torch.int64 \[1, 2, 3\]"),
        (EDGES + 1, None, r"edge_index\[:, 1\] = \[2, 3\] is out of range for 3 nodes; did the graph"),
        (EDGES - 1, None, r"edge_index\[:, 0\] = \[-1, 0\] is out of range"),
        (EDGES, [1, 1, 1], r"edge_weight must be a tensor \[3\], got list"),
        (EDGES, torch.ones(2), r"edge_weight must be a tensor \[3\], got torch.float32 \[2\]"),
        (EDGES, torch.ones(3, 3), r"\[3\], got torch.float32 \[3, 3\]"),
        (EDGES, torch.tensor([1.0, -1e-9, 2.0]), "finite and not negative; see edges 1$"),
        (EDGES, torch.tensor([math.nan, 1.0, math.inf]), "see edges 0, 2$"),
    ],
)
def test_unusable_edges_are_named(edge_index: Any, edge_weight: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        check_edges(edge_index, edge_weight, 3)


# probabilities


@given(st.integers(1, 6), st.integers(1, 5), st.sampled_from([torch.float32, torch.float64, *HALF]))
def test_what_a_softmax_gives_is_a_probability(n: int, classes: int, dtype: torch.dtype) -> None:
    logits = torch.randn(n, classes, generator=torch.Generator().manual_seed(n)) * 20
    prob = logits.softmax(dim=1).to(dtype).requires_grad_()
    checked = check_probabilities(prob, n)
    assert not checked.requires_grad
    assert checked.dtype == (torch.float32 if dtype in HALF else dtype)
    assert torch.equal(checked, prob.detach().to(checked.dtype))


@pytest.mark.parametrize(
    ("prob", "message"),
    [
        (None, r"class probabilities are missing: attach them as data\.prob"),
        ([[0.5, 0.5]] * 3, r"floating-point tensor \[3, classes\], got list"),
        (torch.ones(3), r"got torch.float32 \[3\]"),
        (torch.ones(2, 1), r"\[3, classes\], got torch.float32 \[2, 1\]"),
        (torch.ones(3, 1, dtype=torch.int64), "got torch.int64"),
        (torch.tensor([[0.5, 0.5], [3.0, -1.0], [1.5, -0.5]]), r"rows 1, 2 are not \(row 1 sums to 2\)"),
        (torch.tensor([[0.5, 0.5], [0.5, 0.6], [1.0, 0.0]]), r"rows 1 are not \(row 1 sums to 1.1\). Are these logits"),
        (torch.tensor([[0.5, 0.5], [1.0, 0.0], [math.nan, 1.0]]), "rows 2 are not"),
        (torch.tensor([[math.inf, 0.5], [1.0, 0.0], [0.0, 1.0]]), "rows 0 are not"),
        (torch.empty(3, 0), "rows 0, 1, 2 are not"),
    ],
)
def test_unusable_probabilities_are_named(prob: Tensor | None, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        check_probabilities(prob, 3)


# numbers and choices


@pytest.mark.parametrize("value", [0, 0.3, 1, np.float64(0.5)])
def test_numbers_within_their_bounds(value: float) -> None:
    assert check_number("margin", value, low=0, high=1) == value


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, -math.inf, True, "0.1", None, 1j])
def test_numbers_outside_are_named_with_their_bounds(value: Any) -> None:
    with pytest.raises(ArgumentError, match=r"margin must be a number in \[0, 1\], got "):
        check_number("margin", value, low=0, high=1)


def test_open_bounds_exclude_their_ends() -> None:
    with pytest.raises(ArgumentError, match=r"lr must be a number in \(0, inf\), got 0"):
        check_number("lr", 0, low=0, open_low=True)
    with pytest.raises(ArgumentError, match=r"dropout must be a number in \[0, 1\), got 1"):
        check_number("dropout", 1, low=0, high=1, open_high=True)
    with pytest.raises(ArgumentError, match="got inf"):
        check_number("lr", math.inf, low=0)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None])
def test_counts_are_whole_and_positive(value: Any) -> None:
    assert check_whole("epochs", 1) == 1
    with pytest.raises(ArgumentError, match="epochs must be a whole number of at least 1, got "):
        check_whole("epochs", value)


def test_choices_are_listed() -> None:
    check_choice("rule", "nearest", ("nearest", "farthest"))
    with pytest.raises(ArgumentError, match="rule must be one of 'nearest', 'farthest', got 'far'"):
        check_choice("rule", "far", ("nearest", "farthest"))


def test_names_beyond_the_first_are_counted() -> None:
    assert name_some(["a", "b"]) == "a, b"
    assert name_some(["a", "b", "c"], most=2) == "a, b and 1 more"
    assert name_some([str(i) for i in range(2000)], most=1) == "0 and 1,999 more"
