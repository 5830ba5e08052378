"""Labels as people give them: read, checked, and kept as the targets that learners train on."""

import operator
from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Integral, Number
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from seqgcn.exceptions import ArgumentError
from seqgcn.utils.messages import counted
from seqgcn.utils.validation import kind_of

CLASS, VALUES = "classification", "pose"
"""Kinds of labels by the tasks of learners: a class, or numbers such as joints in mm."""


class Targets:
    """Labels of some of n items, all of one kind.

    A label is a class, as a whole number or, where the classes are named, by its name; or numbers of one shape, such
    as joints `[J, 3]` in mm. The first label decides which, unless the task or the joints are known.

    Args:
        n: How many items there are.
        classes: Names of the classes, if they are known.
        task: `"classification"` or `"pose"`, if it is known.
        joints: How many joints a pose has, if that is known.
        largest: Largest number of a class that has no name; any by default.
    """

    def __init__(
        self,
        n: int,
        *,
        classes: Sequence[str] = (),
        task: str | None = None,
        joints: int | None = None,
        largest: int | None = None,
    ) -> None:
        self.classes = tuple(classes)
        self._settings = {"classes": classes, "task": task, "joints": joints, "largest": largest}
        self._largest = largest
        self._n, self._task = n, VALUES if joints is not None else CLASS if classes else task
        self._shape = None if joints is None else (joints, 3)
        self.values: Tensor | None = None
        self.known = torch.zeros(n, dtype=torch.bool)

    @classmethod
    def like(cls, other: "Targets") -> "Targets":
        """Targets of the same kind that hold none."""
        return cls(other._n, **cast(dict[str, Any], other._settings))

    def read(self, items: Sequence[int], labels: Iterable[Any]) -> Tensor:
        """Labels of some items as a tensor `[m, ...]`; nothing is kept yet.

        Raises:
            ArgumentError: One is of another kind, shape or class than labels are here.
        """
        read: list[Tensor] = []
        for item, label in zip(items, labels, strict=True):
            read.append(self._read(item, label, read[0] if read else None))
        return torch.stack(read) if read else torch.empty(0, dtype=torch.int64)

    def changed(self, items: Sequence[int], values: Tensor) -> list[int]:
        """Items that have another label than these, or none."""
        return [item for item, value in zip(items, values, strict=True) if not self._is(item, value)]

    def check_new(self, items: Sequence[int], values: Tensor) -> None:
        """Refuse labels that replace other ones.

        Raises:
            ArgumentError: An item has another label.
        """
        for item, value in zip(items, values, strict=True):
            held = self[item]
            if held is not None and not self._is(item, value):
                raise ArgumentError(
                    f"item {item} has the label {_in_words(held)} already, and is told {_in_words(value)}; if that is "
                    "right, tell it with overwrite=True"
                )

    def keep(self, items: Sequence[int], values: Tensor) -> None:
        """Keep labels that were read."""
        if not len(items):
            return
        if self.values is None:
            self.values = torch.zeros(self._n, *values.shape[1:], dtype=values.dtype)
        self.values[list(items)] = values
        self.known[list(items)] = True

    def forget(self, items: Sequence[int]) -> None:
        """Forget labels; when none is left, the next may be of another kind."""
        self.known[list(items)] = False
        if not self.known.any():
            self.values = None

    def __getitem__(self, item: int) -> int | float | Tensor | None:
        """The label of an item: a class as a number, or values; None if it has none."""
        if self.values is None or not self.known[item]:
            return None
        value = self.values[item]
        return value.item() if value.dim() == 0 else value.clone()

    def _is(self, item: int, value: Tensor) -> bool:
        held = self[item]
        return held is not None and torch.equal(torch.as_tensor(held).to(value), value)

    def _read(self, item: int, label: Any, first: Tensor | None) -> Tensor:
        value = self._value(item, label)
        like = first if self.values is None else self.values[0]
        task = self._task if like is None else (VALUES if like.is_floating_point() else CLASS)
        shape = self._shape if like is None else tuple(like.shape)
        if (task or (VALUES if value.is_floating_point() else CLASS)) == CLASS:
            return self._class(item, label, value)
        if not value.is_floating_point():
            value = value.float()
        if shape is not None and tuple(value.shape) != shape:
            raise ArgumentError(f"item {item}: the label must have the shape {list(shape)}, got {list(value.shape)}")
        if not value.isfinite().all():
            raise ArgumentError(f"item {item}: the label has NaN or infinite values; skip the item if it has no label")
        return value

    def _class(self, item: int, label: Any, value: Tensor) -> Tensor:
        most = len(self.classes)
        wanted = f"a class, a whole number from 0 to {most - 1}" if most else "a class, a whole number from 0"
        if value.is_floating_point() or value.dim():
            raise ArgumentError(f"item {item}: the label must be {wanted}, got {_shown(label)}")
        if value < 0 or (most and value >= most):
            raise ArgumentError(f"item {item}: the label must be {wanted}, got {int(value)}")
        if not most and self._largest is not None and value > self._largest:
            raise ArgumentError(
                f"item {item}: the class {int(value)} is too large for {self._n:,} items; if it is right, name the "
                "classes: classes=[...]"
            )
        return value

    def _value(self, item: int, label: Any) -> Tensor:
        """A label as int64 or float32."""
        if isinstance(label, str):
            if label not in self.classes:
                known = f"there are {', '.join(self.classes)}" if self.classes else "name the classes: classes=[...]"
                raise ArgumentError(f"item {item}: the class {label!r} is not known; {known}")
            return torch.tensor(self.classes.index(label))
        try:
            value = torch.as_tensor(np.asarray(label) if not isinstance(label, Tensor) else label).detach().cpu()
        except (TypeError, ValueError, RuntimeError) as error:
            raise ArgumentError(f"item {item}: the label {label!r} is neither a class nor numbers") from error
        if value.dtype == torch.bool or value.is_complex():
            raise ArgumentError(f"item {item}: the label must be a class or numbers, got {_shown(label)}; use 0 and 1")
        return value.float() if value.is_floating_point() else value.to(torch.int64)


def class_names(classes: Any) -> tuple[str, ...]:
    """Names of classes, in the order of their numbers; a whole number is a name too.

    Raises:
        ArgumentError: They are no sequence of names, or two classes have one name.
    """
    way = "give their names in order, as in classes=['cat', 'dog']"
    if isinstance(classes, str | Mapping | Set) or not isinstance(classes, Iterable):
        raise ArgumentError(f"classes must be a sequence of names, got {_short(classes)}; {way}")
    names: dict[str, None] = {}
    for name in classes:
        if isinstance(name, bool) or not isinstance(name, str | Integral) or not str(name):
            raise ArgumentError(f"classes[{len(names)}] must be a name, got {_short(name)}; {way}")
        if str(name) in names:
            raise ArgumentError(f"classes has {str(name)!r} twice; give each its own name: classes=[...]")
        names[str(name)] = None
    return tuple(names)


def pairs_of(items: Any, labels: Any) -> tuple[list[int], list[Any]]:
    """Item ids and a label for each, however they are given.

    Args:
        items: Ids, or one id; or a mapping of ids to labels.
        labels: A label for each of them in their order, or a mapping of some of them to labels; for one id, its class.

    Raises:
        ArgumentError: They are not equally many, labels are given twice, something else is given, or an item is given
            twice.
    """
    if isinstance(items, Mapping):
        if labels is not None:
            raise ArgumentError(
                f"items have labels already, {_short(items)}, and labels are given too: {_short(labels)}; give one"
            )
        items, labels = list(items), list(items.values())
    ids = ids_of(items)
    if isinstance(labels, Mapping):
        labels = dict(zip(ids_of(list(labels)), labels.values(), strict=True))
        unknown = sorted(set(labels) - set(ids))
        if unknown:
            raise ArgumentError(f"item {unknown[0]} has a label, but is not among the items; tell it by itself")
        told = [item for item in ids if item in labels]
        return told, [labels[item] for item in told]
    if _is_single(labels) and _is_single(items):
        labels = [labels]
    many = counted(len(ids), "item")
    if _is_single(labels) or not hasattr(labels, "__len__"):
        raise ArgumentError(f"labels must be one for each of {many}, or {{item: label}}, got {labels!r}")
    if len(labels) != len(ids):
        raise ArgumentError(
            f"{many}, but {counted(len(labels), 'label')}; to tell some of them give {{item: label}}, or None for "
            "those to be skipped"
        )
    return ids, list(labels)


def ids_of(items: Any) -> list[int]:
    """Item ids as whole numbers.

    Raises:
        ArgumentError: They are something else, or one is given twice.
    """
    given = [items] if _is_single(items) else items
    try:
        ids = [operator.index(item) for item in given if not isinstance(item, bool) or _refuse(item)]
    except TypeError as error:
        raise ArgumentError(f"items must be whole numbers, as picks.items are, got {items!r}") from error
    seen: set[int] = set()
    for item in ids:
        if item in seen:
            raise ArgumentError(f"item {item} is given twice")
        seen.add(item)
    return ids


def _is_single(value: Any) -> bool:
    """Whether this is one number or name, not several."""
    return isinstance(value, Number | str) or getattr(value, "ndim", None) == 0


def _refuse(item: object) -> bool:
    raise TypeError(f"{item} is no id")


def _in_words(label: Any) -> str:
    value = torch.as_tensor(label)
    return repr(value.item()) if value.dim() == 0 else f"of shape {list(value.shape)}"


def _shown(label: Any) -> str:
    return kind_of(label) if isinstance(label, Tensor) else _short(label)


def _short(value: Any) -> str:
    return repr(value)[:60]
