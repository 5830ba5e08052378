"""Data of one's own as the package takes it: arrays, torch data sets, Hugging Face `datasets`, and tables of files.

Nothing of Hugging Face or pandas is imported: what has their columns is read by them.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset

from seqgcn.datasets.hands.hand_dataset import HandDataset, HandFrames
from seqgcn.datasets.image_folder import read_image_files
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import check_instance, kind_of, name_some

INPUTS = ("image", "img", "pixel_values", "inputs", "input", "features", "x")
PATHS = ("path", "file", "filename", "file_name", "filepath", "image_path", "image")
LABELS = ("label", "labels", "class", "target", "targets", "fine_label", "joints", "y")
"""Columns, and keys of items, that hold the inputs, the paths of images, and the labels; the first there is counts."""

CHANNELS = (1, 3)

WAYS = (
    "give arrays (inputs, labels), a torch Dataset of items (input, label), a Hugging Face dataset with a column of "
    "images and one of labels, or a DataFrame with the columns path and label"
)


@dataclass(frozen=True, eq=False)
class Source:
    """What was read of data of one's own.

    Args:
        inputs: Of n items; `inputs[ids]` are those of some.
        labels: Of each item, a sequence of n; None where nothing is said of labels.
        classes: Names of the classes, where they have any.
        files: Of the items, where these are files.
    """

    inputs: Any
    labels: Any = None
    classes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs)


def read_source(value: Any, image_size: int | None = None) -> Source:
    """Read items, and labels if there are any, all into memory.

    Images become uint8 `[n, channels, height, width]` where that loses nothing: floating-point ones from 0 to 1 in
    steps of 1/255 (as torchvision's `ToTensor` makes them), and arrays whose channels come last. Other arrays stay as
    they are, but for double precision, which becomes single.

    Args:
        value: Tensor or array of inputs, list of rows of numbers, `(inputs, labels)`, hand frames or a torch `Subset`
            of them, torch `Dataset`, list of items, Hugging Face dataset or DataFrame.
        image_size: Side in pixels of the square to which images in files are resized.

    Raises:
        ArgumentError: It is something else, or its items cannot be used together.
        DataFileError: A file cannot be read.
    """
    check_instance("the data", value)
    if isinstance(value, HandFrames):
        return Source(value)
    value = _hands_of_subset(value)
    if isinstance(value, HandDataset):
        return Source(value.frames, value.joints, files=tuple(value.files))
    if _is_rows(value):
        value = np.asarray(value)
    if isinstance(value, Tensor | np.ndarray):
        return Source(_inputs(value))
    if isinstance(value, tuple) and len(value) == 2:
        read = read_source(value[0], image_size)
        return Source(read.inputs, _checked_length(read.inputs, value[1]), read.classes, read.files)
    if hasattr(value, "inputs") and hasattr(value, "targets"):
        return Source(value.inputs, value.targets, _classes_of(value), files=tuple(getattr(value, "files", ())))
    if isinstance(value, TensorDataset):
        tensors = value.tensors
        return Source(_inputs(tensors[0]), tensors[1] if len(tensors) == 2 else None, _classes_of(value))
    if hasattr(value, "column_names") and hasattr(value, "features"):
        return _of_hugging_face(value, image_size)
    if hasattr(value, "columns") and hasattr(value, "iloc"):
        return _of_table(value, image_size)
    if isinstance(value, DataLoader | IterableDataset):
        raise ArgumentError(
            f"{type(value).__name__} gives items in its own order, but they are asked for by number; give the Dataset "
            "behind it, with __len__ and __getitem__"
        )
    usable = hasattr(value, "__len__") and hasattr(value, "__getitem__") and not isinstance(value, str | Mapping)
    if not usable:
        raise ArgumentError(f"{kind_of(value)} is no data set: {WAYS}")
    return _of_items(value, image_size)


def _hands_of_subset(value: Any) -> Any:
    """The selected frames of a torch `Subset` of hand frames as a `HandDataset`; anything else as it is."""
    if not isinstance(value, Subset):
        return value
    whole = _hands_of_subset(value.dataset)
    if not isinstance(whole, HandDataset):
        return value
    n = len(whole)
    left_out = n - len(whole.prepare())
    if left_out:
        raise ArgumentError(
            f"{whole.name}: {left_out} of {n} frames were left out when the crops were made, and the numbers of a "
            "Subset count them; call prepare() of the data set first, then make the Subset"
        )
    return whole[list(value.indices)]


def _is_rows(value: Any) -> bool:
    """Whether this is a list of rows of numbers, all of one length."""
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(row, list | tuple) and len(row) == len(value[0]) > 0 for row in value)
        and all(isinstance(each, int | float) and not isinstance(each, bool) for row in value for each in row)
    )


def _of_items(items: Any, image_size: int | None) -> Source:
    """Of what gives an item by its number: a torch `Dataset`, or a list."""
    if len(items) == 0:
        raise ArgumentError(f"{type(items).__name__} has no item")
    inputs, labels = [], []
    for number in range(len(items)):
        item = items[number]
        pair = _pair(item, number)
        inputs.append(pair[0])
        labels.append(pair[1])
    labeled = any(label is not None for label in labels)
    if all(isinstance(each, str | Path) for each in inputs):
        files = [str(each) for each in inputs]
        images = read_image_files(files, image_size)
        return Source(images, labels if labeled else None, _classes_of(items), tuple(files))
    return Source(_stacked(inputs), labels if labeled else None, _classes_of(items))


def _pair(item: Any, number: int) -> tuple[Any, Any]:
    """Input and label of an item; the label is None if it has none."""
    if isinstance(item, Mapping):
        column = _column(item, INPUTS) or _column(item, PATHS)
        if column is None:
            raise ArgumentError(
                f"item {number} has {', '.join(map(str, item))}, and none is one of {', '.join(INPUTS)}"
            )
        label = _column([key for key in item if key != column], LABELS)
        return item[column], None if label is None else item[label]
    if isinstance(item, tuple | list):
        if len(item) not in (1, 2):
            raise ArgumentError(f"item {number} has {len(item)} parts; an item is (input, label) or an input alone")
        return item[0], item[1] if len(item) == 2 else None
    return item, None


def _of_hugging_face(table: Any, image_size: int | None) -> Source:
    columns, features = list(table.column_names), table.features
    label = next((name for name in columns if hasattr(features[name], "names")), None) or _column(columns, LABELS)
    rest = [name for name in columns if name != label]
    column = next((name for name in rest if type(features[name]).__name__ == "Image"), None) or _column(rest, INPUTS)
    column = column or _column(rest, PATHS) or (rest[0] if len(rest) == 1 else None)
    if column is None:
        raise ArgumentError(
            f"of the columns {', '.join(columns)} none is named as inputs are ({', '.join(INPUTS)}); rename one, as "
            "dataset.rename_column('OLD', 'image') does"
        )
    names = tuple(getattr(features[label], "names", None) or ()) if label else ()
    read = _of_items(list(table[column]), image_size)
    return Source(read.inputs, None if label is None else list(table[label]), names, read.files)


def _of_table(table: Any, image_size: int | None) -> Source:
    """Of a DataFrame: a column of paths and one of labels, or columns of numbers and one of labels."""
    columns = [str(name) for name in table.columns]
    label = _column(columns, LABELS)
    rest = [name for name in columns if name not in (label, "split")]
    labels = None if label is None else list(table[label])
    path = _column(rest, PATHS)
    if path is not None:
        files = [str(each) for each in table[path]]
        return Source(read_image_files(files, image_size), labels, files=tuple(files))
    try:
        numbers = np.stack([np.asarray(list(table[name]), dtype=np.float32) for name in rest], axis=1)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"of the columns {name_some(columns)} none holds paths ({', '.join(PATHS)}), and not all but the label "
            "hold numbers; rename the column of paths, or keep the columns to learn from"
        ) from error
    return Source(torch.from_numpy(numbers), labels)


def _column(names: Any, wanted: Sequence[str]) -> Any:
    """The first of some wanted names that is there, in small letters or not; None if none is."""
    spelled = {str(name).lower(): name for name in names}
    return next((spelled[name] for name in wanted if name in spelled), None)


def _classes_of(items: Any) -> tuple[str, ...]:
    """Names of the classes as torchvision's data sets and subsets of them have them."""
    names = getattr(items, "classes", None)
    if names is None and hasattr(items, "dataset"):
        return _classes_of(items.dataset)
    return tuple(map(str, names)) if isinstance(names, list | tuple) else ()


def _checked_length(inputs: Any, labels: Any) -> Any:
    if not hasattr(labels, "__len__") or len(labels) != len(inputs):
        many = len(labels) if hasattr(labels, "__len__") else kind_of(labels)
        raise ArgumentError(f"there are {len(inputs)} inputs, but {many} labels; give one for each")
    return labels


def _stacked(values: list[Any]) -> Tensor:
    """Inputs of items as one tensor; pictures as uint8 `[n, c, h, w]`."""
    if all(isinstance(each, Image.Image) for each in values):
        mode = "L" if all(each.mode in ("1", "L") for each in values) else "RGB"
        values = [np.array(each.convert(mode)) for each in values]  # a copy that torch may own
    tensors = []
    for number, each in enumerate(values):
        try:
            tensors.append(_tensor(each))
        except (TypeError, ValueError, RuntimeError) as error:
            raise ArgumentError(f"item {number}: {kind_of(each)} is no tensor, array or picture; {WAYS}") from error
        if tensors[-1].shape != tensors[0].shape or tensors[-1].dtype != tensors[0].dtype:
            raise ArgumentError(
                f"item {number} is {kind_of(tensors[-1])}, but item 0 is {kind_of(tensors[0])}; bring all to one size "
                "and type, with a transform for images"
            )
    return _inputs(torch.stack(tensors))


def _inputs(values: Any) -> Tensor:
    """Inputs of n items as learners take them."""
    if isinstance(values, np.ndarray) and values.dtype.kind not in "biuf":
        raise ArgumentError(f"inputs must be numbers, got an array of {values.dtype}")
    tensor = _tensor(values).detach().cpu()
    if tensor.dim() == 0 or len(tensor) == 0:
        raise ArgumentError(f"inputs must hold at least one item, got {kind_of(tensor)}")
    if tensor.dtype == torch.float64:
        tensor = tensor.float()
    if tensor.dtype == torch.uint8 and tensor.dim() == 3:
        return tensor.unsqueeze(1)
    if tensor.dim() == 4 and tensor.shape[1] not in CHANNELS and tensor.shape[3] in CHANNELS:
        tensor = tensor.permute(0, 3, 1, 2).contiguous()
    return _as_pixels(tensor) if tensor.dim() == 4 and tensor.is_floating_point() else tensor


def _tensor(values: Any) -> Tensor:
    """The same memory, where that is possible; nobody writes into it."""
    if isinstance(values, Tensor):
        return values
    with warnings.catch_warnings():
        # Of an array, such as a mapped file, that may not be written into.
        warnings.simplefilter("ignore", UserWarning)
        return torch.as_tensor(np.ascontiguousarray(values) if np.ndim(values) else np.asarray(values))


def _as_pixels(images: Tensor) -> Tensor:
    """Images from 0 to 1 as uint8, if no value lies between two gray levels; else as they are."""
    pixels = torch.empty(images.shape, dtype=torch.uint8)
    for part, out in zip(images.split(1024), pixels.split(1024), strict=True):
        grey = part.float() * 255
        levels = grey.round()
        if not bool(((grey - levels).abs() < 1e-3).all()) or levels.min() < 0 or levels.max() > 255:
            return images
        out.copy_(levels)
    return pixels
