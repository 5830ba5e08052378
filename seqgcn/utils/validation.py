"""Checks of what users pass in; each returns the checked value or raises an `ArgumentError` that names it."""

import os
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from seqgcn.exceptions import ArgumentError

if TYPE_CHECKING:
    from torch_geometric.data import Data

_MAKE_DATA = "attach features and what is labeled: Data(x=features, train_mask=labeled)"


def name_some(names: Sequence[str], most: int = 5) -> str:
    """`"a.png, b.png and 1,203 more"`."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def name_rows(wrong: Tensor, what: str = "rows", most: int = 5) -> str:
    """`"rows 3, 7, 9 and 12 more"` of a boolean `[n]` tensor."""
    rows = wrong.nonzero().flatten().tolist()
    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    return f"{what} {', '.join(map(str, rows[:most]))}{more}"


def check_data(data: Any) -> "Data":
    """One graph, or a pool without one: a `torch_geometric.data.Data`.

    Raises:
        ArgumentError: Anything else, or a batch of several graphs; the message says how to get a `Data` of it.
    """
    # Data sets use this module too, and need no PyG.
    from torch_geometric.data import Batch, Data

    if not isinstance(data, Data):
        raise ArgumentError(f"data must be a torch_geometric.data.Data, got {kind_of(data)}; {_way_to_data(data)}")
    if isinstance(data, Batch) and data.num_graphs > 1:
        raise ArgumentError(
            f"data must be one graph, got a batch of {data.num_graphs}; take one after another, as "
            "data.to_data_list() gives them, or join their nodes to one pool: Data.from_dict(data.to_dict()), without "
            "similarity graphs of their own (adjacency)"
        )
    return data


def _way_to_data(value: Any) -> str:
    """How to make a `Data` of something else."""
    from torch.utils.data import DataLoader
    from torch_geometric.data import Data, Dataset, HeteroData

    if isinstance(value, HeteroData) and value.node_types:
        kinds = value.node_types
        kind = next((each for each in kinds if "train_mask" in value[each]), kinds[0])
        return (
            f"pick among the nodes of one type: Data(**data[{kind!r}].to_dict()), with the edges between them as "
            "edge_index if there are any"
        )
    if isinstance(value, DataLoader):
        return "a loader gives a part at a time, but nodes are picked from all: pass the Data that it was made of"
    if isinstance(value, Dataset):
        return "pass one of its graphs, such as dataset[0]"
    if isinstance(value, list | tuple) and value and all(isinstance(each, Data) for each in value):
        return "pass the one in it, data[0]" if len(value) == 1 else "pass one after another"
    if isinstance(value, Mapping):
        return "make one of it: Data(**data)"
    return _MAKE_DATA


def check_instance(what: str, value: Any) -> None:
    """Raise an `ArgumentError` if a class is given where one of its objects is needed."""
    if isinstance(value, type):
        raise ArgumentError(f"{what} is the class {value.__name__}; make an object of it: {value.__name__}()")


def check_features(x: Any, name: str = "x") -> Tensor:
    """Finite floating-point features `[n, d]`; half precision comes back as float32.

    Raises:
        ArgumentError: Missing, not a dense 2-D floating-point tensor, without columns, or with NaN or infinite rows.
    """
    if not isinstance(x, Tensor):
        raise ArgumentError(
            f"features are missing: attach them as data.{name} [n, d], a floating-point tensor"
            if x is None
            else f"{name} must be a torch.Tensor [n, d], got {type(x).__name__}; use torch.as_tensor"
        )
    if x.dim() != 2 or x.shape[1] == 0:
        way_out = {1: f"; use {name}.unsqueeze(1)", 2: ""}.get(x.dim(), f"; use {name}.flatten(1)")
        raise ArgumentError(f"{name} must be 2-D [n, d] with d > 0, got {list(x.shape)}{way_out}")
    if x.layout != torch.strided:
        raise ArgumentError(f"{name} must be dense, got {x.layout}; use {name}.to_dense()")
    if not x.is_floating_point():
        raise ArgumentError(f"{name} must be floating point, got {x.dtype}; use {name}.float()")
    values = _single(x)
    # A sum is finite where all its terms are, and needs no mask as large as x; overflow is looked at again.
    if not values.sum().isfinite():
        bad = ~values.isfinite().all(dim=1)
        if bad.any():
            raise ArgumentError(f"{name} has NaN or infinite values in {name_rows(bad)}; remove or impute them")
    return values


def check_mask(mask: Any, name: str, n: int | None = None) -> Tensor:
    """Boolean `[n]` mask.

    Raises:
        ArgumentError: Missing, another dtype, dimension or length.
    """
    if mask is None:
        raise ArgumentError(f"{name} is missing: attach it, a bool tensor [n]")
    if not isinstance(mask, Tensor):
        raise ArgumentError(f"{name} must be a bool tensor [n], got {type(mask).__name__}; use torch.as_tensor")
    if mask.dtype != torch.bool:
        raise ArgumentError(f"{name} must be bool, got {mask.dtype}; use .bool() on a 0/1 mask, not node indices")
    if mask.dim() != 1:
        raise ArgumentError(f"{name} must be 1-D [n], got {list(mask.shape)}; choose one split's column")
    if n is not None and len(mask) != n:
        raise ArgumentError(f"{name} has {len(mask)} entries, but there are {n} nodes")
    return mask


def check_edges(edge_index: Any, edge_weight: Any, n: int) -> tuple[Tensor, Tensor | None]:
    """Edges `[2, edges]` between n nodes and their weights `[edges]` (`[edges, 1]` is flattened) or None.

    Raises:
        ArgumentError: Another shape or dtype, an index out of range, or a weight negative or not finite.
    """
    if not isinstance(edge_index, Tensor) or edge_index.dtype != torch.int64 or edge_index.shape[:-1] != (2,):
        raise ArgumentError(f"edge_index must be an int64 tensor [2, edges], got {kind_of(edge_index)}")
    wrong = ((edge_index < 0) | (edge_index >= n)).any(dim=0)
    if wrong.any():
        column = int(wrong.nonzero()[0])
        raise ArgumentError(
            f"edge_index[:, {column}] = {edge_index[:, column].tolist()} is out of range for {n} nodes; "
            "did the graph come from another Data?"
        )
    if edge_weight is None:
        return edge_index, None
    edges = edge_index.shape[1]
    if not isinstance(edge_weight, Tensor) or edge_weight.shape not in ((edges,), (edges, 1)):
        raise ArgumentError(f"edge_weight must be a tensor [{edges}], got {kind_of(edge_weight)}")
    weight: Tensor = edge_weight.detach().flatten()
    wrong = ~(weight >= 0) | weight.isinf()
    if wrong.any():
        raise ArgumentError(f"edge_weight must be finite and not negative; see {name_rows(wrong, 'edges')}")
    return edge_index, weight


def check_probabilities(prob: Any, n: int) -> Tensor:
    """Class probabilities `[n, c]`, rows summing to 1; half precision comes back as float32.

    Raises:
        ArgumentError: Missing, wrong shape or dtype, negative, not finite, or rows that do not sum to 1.
    """
    if prob is None:
        raise ArgumentError("class probabilities are missing: attach them as data.prob [n, classes]")
    if not isinstance(prob, Tensor) or prob.dim() != 2 or len(prob) != n or not prob.is_floating_point():
        raise ArgumentError(f"prob must be a floating-point tensor [{n}, classes], got {kind_of(prob)}")
    values = _single(prob)
    wrong = ~((values >= 0).all(dim=1) & ((values.sum(dim=1) - 1).abs() <= _rounding(prob)))
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise ArgumentError(
            f"prob must be non-negative with rows that sum to 1; {name_rows(wrong)} are not (row {row} sums to "
            f"{float(values[row].sum()):.4g}). Are these logits? Use torch.softmax(logits, dim=1)"
        )
    return values


def check_prob_samples(samples: Any, n: int) -> Tensor:
    """Class probabilities of t passes or members `[n, t, c]`; half precision comes back as float32.

    Raises:
        ArgumentError: Missing, wrong axes or dtype, fewer than two passes, negative, not finite, or not summing to 1
            over the last axis.
    """
    if samples is None:
        raise ArgumentError(
            "class probabilities of several passes are missing: attach them as data.prob_samples [n, passes, classes], "
            "of passes with dropout or of an ensemble's members"
        )
    values = _check_samples(samples, "prob_samples", n, "classes")
    total = values.sum(dim=2)
    wrong = ~((values >= 0).flatten(1).all(dim=1) & ((total - 1).abs() <= _rounding(samples)).all(dim=1))
    if wrong.any():
        raise ArgumentError(
            f"prob_samples must be non-negative and sum to 1 over the last axis; {name_rows(wrong)} are not. Is that "
            "axis the classes (as [n, passes, classes])? Are these logits? Use torch.softmax(logits, dim=2)"
        )
    return values


def check_target_samples(samples: Any, n: int) -> Tensor:
    """Predicted targets of t passes or members `[n, t, k]`; half precision comes back as float32.

    Raises:
        ArgumentError: Missing, wrong axes or dtype, fewer than two passes, or not finite.
    """
    if samples is None:
        raise ArgumentError(
            "predictions of several passes are missing: attach them as data.target_samples [n, passes, coordinates], "
            "of passes with dropout or of an ensemble's members"
        )
    values = _check_samples(samples, "target_samples", n, "coordinates")
    bad = ~values.isfinite().flatten(1).all(dim=1)
    if bad.any():
        raise ArgumentError(f"target_samples must be finite; {name_rows(bad)} have NaN or infinite values")
    return values


def check_values(values: Any, name: str, n: int) -> Tensor:
    """A finite number for each node, `[n]`; half precision comes back as float32.

    Raises:
        ArgumentError: Missing, wrong shape or dtype, or not finite.
    """
    if values is None:
        raise ArgumentError(f"values of {name} are missing: attach them as data.{name} [n], a number a node")
    if not isinstance(values, Tensor) or values.shape != (n,) or not values.is_floating_point():
        raise ArgumentError(f"{name} must be a floating-point tensor [{n}], got {kind_of(values)}")
    numbers = _single(values)
    if not numbers.isfinite().all():
        raise ArgumentError(f"{name} must be finite; {name_rows(~numbers.isfinite())} are NaN or infinite")
    return numbers


def check_images(image: Any, n: int) -> Tensor:
    """Images `[n, c, h, w]`, uint8 or floating point in [0, 1]; half precision comes back as float32.

    Raises:
        ArgumentError: Missing, wrong shape or dtype, or out of range.
    """
    if image is None:
        raise ArgumentError("images are missing: attach them as data.image [n, channels, height, width]")
    usable = isinstance(image, Tensor) and (image.is_floating_point() or image.dtype == torch.uint8)
    if not usable or image.dim() != 4 or len(image) != n or 0 in image.shape[1:]:
        raise ArgumentError(
            f"image must be uint8, or floating point in [0, 1], [{n}, channels, height, width], got {kind_of(image)}"
        )
    pixels = _single(image)
    if pixels.dtype == torch.uint8:
        return pixels
    bad = ~((pixels >= 0) & (pixels <= 1)).flatten(1).all(dim=1)
    if bad.any():
        raise ArgumentError(f"image must lie in [0, 1] where it is floating point; {name_rows(bad)} do not")
    return pixels


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise an `ArgumentError` that lists the choices if `value` is none of them."""
    if not isinstance(value, str) or value not in choices:
        raise ArgumentError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_number(
    name: str,
    value: Any,
    *,
    low: float,
    high: float = float("inf"),
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Finite number within bounds.

    Raises:
        ArgumentError: Not a number, or outside.
    """
    ok = isinstance(value, Real) and not isinstance(value, bool)
    ok = ok and (value > low if open_low else value >= low) and (value < high if open_high else value <= high)
    if not ok or value == float("inf"):
        interval = f"{'(' if open_low else '['}{low:g}, {high:g}{')' if open_high or high == float('inf') else ']'}"
        raise ArgumentError(f"{name} must be a number in {interval}, got {value!r}")
    return float(value)


def check_whole(name: str, value: Any, *, low: int = 1) -> int:
    """Whole number of at least `low`, Python's or NumPy's.

    Raises:
        ArgumentError: Anything else.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < low:
        raise ArgumentError(f"{name} must be a whole number of at least {low}, got {value!r}")
    return int(value)


def check_bool(name: str, value: Any) -> None:
    """Raise an `ArgumentError` unless `value` is True or False."""
    if not isinstance(value, bool):
        raise ArgumentError(f"{name} must be True or False, got {value!r}")


def check_path(name: str, value: Any) -> Path:
    """Path of a file or folder, given as text or `Path`.

    Raises:
        ArgumentError: Anything else, or an empty text.
    """
    if not isinstance(value, str | os.PathLike) or value == "":
        raise ArgumentError(f"{name} must be a path, such as 'runs/mine', got {value!r}")
    return Path(value)


def check_progress(value: Any) -> None:
    """Raise an `ArgumentError` unless `value` can be called with the progress of a stage, or is None."""
    if value is not None and not callable(value):
        raise ArgumentError(f"progress must be a function (stage, done, total), or None for none, got {value!r}")


def same_device(tensor: Tensor, mask: Tensor, name: str) -> Tensor:
    """The tensor, which must lie where the pool's mask does.

    Raises:
        ArgumentError: They lie on different devices.
    """
    if tensor.device != mask.device:
        raise ArgumentError(f"{name} is on {tensor.device}, data.train_mask on {mask.device}; use data.to(device)")
    return tensor


def _check_samples(samples: Any, name: str, n: int, last: str) -> Tensor:
    """Floating-point values of at least two passes, `[n, t, ...]`, half precision as float32."""
    if not isinstance(samples, Tensor) or samples.dim() != 3 or len(samples) != n or not samples.is_floating_point():
        moved = isinstance(samples, Tensor) and samples.dim() == 3 and samples.shape[1] == n
        raise ArgumentError(
            f"{name} must be a floating-point tensor [{n}, passes, {last}], got {kind_of(samples)}"
            + ("; the passes come first, use .transpose(0, 1)" if moved and len(samples) != n else "")
        )
    if samples.shape[1] < 2:
        raise ArgumentError(
            f"{name} must hold at least two passes or members, as one never disagrees with itself, got 1"
        )
    return _single(samples)


def _single(values: Tensor) -> Tensor:
    """Values without their gradient, half precision as float32."""
    return (values.float() if _is_half(values) else values).detach()


def _is_half(values: Tensor) -> bool:
    return values.dtype in (torch.float16, torch.bfloat16)


def _rounding(prob: Tensor) -> float:
    """How far from 1 rounding may leave the sum of a softmax."""
    return 1e-2 if _is_half(prob) else 1e-3


def kind_of(value: Any) -> str:
    """What a value is, for messages: a tensor's dtype and shape, or the name of its type; a class is said to be one."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
