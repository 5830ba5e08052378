"""Selectors that inherit nothing: any object with `select(data, budget)`."""

import copy
import dataclasses
import inspect
import re
from collections.abc import Collection, Mapping
from typing import Any, Self, cast

import torch
from torch import Tensor

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors.selector import FORMER_NAMES, Query, Selection, Selector
from seqgcn.utils.validation import check_instance, kind_of

READ = ("x", "prob")
"""What a selector is given that names nothing in `requires`, as far as it is there."""


_MISSING = re.compile(r"'GlobalStorage' object has no attribute '(\w+)'")
"""How a `Data` says what it does not have."""


class DuckSelector(Selector):
    """An object with `select(data, budget)`, with the checks that every selector has before and after it.

    `as_selector` makes one.

    Args:
        selector: The object.
    """

    selector: Any

    def __init__(self, selector: Any) -> None:
        object.__setattr__(self, "selector", selector)
        for name in ("requires", "requires_any", "tasks", *FORMER_NAMES):
            if hasattr(selector, name):
                object.__setattr__(self, FORMER_NAMES.get(name, name), tuple(getattr(selector, name)))

    def reads(self, outputs: Collection[str]) -> tuple[str, ...]:
        """Attributes to ask a learner for: those declared, else `x` and `prob` as far as it has them."""
        if any(hasattr(self.selector, name) for name in ("requires", "requires_any", *FORMER_NAMES)):
            return super().reads(outputs)
        return tuple(name for name in READ if name in outputs)

    def pick(self, query: Query) -> Selection:
        """Ask the object."""
        data = copy.copy(query.data)
        # So that it need not know of masks that hold nodes out.
        data.pool_mask = query.candidates
        name = type(self).__name__
        try:
            picked = self.selector.select(data, query.budget)
        except AttributeError as error:
            missing = _MISSING.search(str(error))
            if missing is None:
                raise
            there = ", ".join(sorted(map(str, data.keys())))
            raise ArgumentError(
                f"{name}.select reads data.{missing[1]}, which is not there (there are {there}); a learner is asked "
                f'for what the class names: requires = ("{missing[1]}",)'
            ) from error
        if isinstance(picked, Selection):
            return picked
        index = _nodes(name, picked, query.candidates.device)
        return Selection(index=index, score=torch.zeros(len(index), device=index.device))

    @property
    def picks_by(self) -> str:
        """The method that picks, as messages name it."""
        return f"{type(self).__name__}.select"

    def for_cycle(self, *, seed: int, cycle: int) -> Self:
        """The same with the seed and the number of a cycle, as far as the object has such attributes."""
        changes = {key: value for key, value in {"seed": seed, "cycle": cycle}.items() if hasattr(self.selector, key)}
        if not changes:
            return self
        if dataclasses.is_dataclass(self.selector) and not isinstance(self.selector, type):
            return type(self)(dataclasses.replace(self.selector, **changes))
        changed = copy.copy(self.selector)
        for key, value in changes.items():
            setattr(changed, key, value)
        return type(self)(changed)

    def __repr__(self) -> str:
        """Without addresses, as it is compared with that of another process."""
        values = {key: value for key, value in vars(self.selector).items() if not key.startswith("_")}
        shown = (f"{key}={value!r}" for key, value in values.items() if " at 0x" not in repr(value))
        return f"{type(self).__name__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DuckSelector) and self.selector == other.selector

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return as_selector, (self.selector,)


def as_selector(selector: Any) -> Selector:
    """A selector of anything that can select.

    What does not inherit from `Selector` needs one method, `select(data, budget)`: it gets a PyG `Data` with
    `train_mask` (labeled so far), `pool_mask` (may be picked) and what it names in a class attribute `requires` (if it
    names nothing, `x` and `prob` as far as they are there), and returns the nodes that it picks, best first: their
    indices, or a `Selection`. Where it has attributes `seed` and `cycle`, the loop sets them in each cycle.

    Args:
        selector: A `Selector`, or any object with that method.

    Raises:
        ArgumentError: It is a class, or has no such method.

    >>> from torch_geometric.data import Data
    >>> class Last:
    ...     def select(self, data, budget):
    ...         return data.pool_mask.nonzero().flatten()[-budget:]
    >>> data = Data(train_mask=torch.tensor([True, False, False, False]))
    >>> as_selector(Last()).select(data, budget=2).index.tolist()
    [2, 3]
    """
    check_instance("selector", selector)
    if isinstance(selector, Selector):
        return selector
    kind = type(selector)
    if not callable(getattr(selector, "select", None)):
        raise ArgumentError(
            f"{kind.__name__} is no selector: it must have a method select(data, budget), or inherit from "
            "seqgcn.selectors.Selector and write pick(query), as CoreGCN() does"
        )
    _check_signature(kind.__name__, selector.select)
    # A class of the user's name and module, so that messages and the record of sources are about the user's own.
    named = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return cast(Selector, type(kind.__name__, (DuckSelector,), named)(selector))


def new_selector(name: str, values: Mapping[str, Any]) -> Selector:
    """A selector of the catalogue, or of the user's own.

    Args:
        name: As for `seqgcn.config.registry.load`.
        values: Its parameters.

    Raises:
        ArgumentError: It cannot be made of these, or is no selector.
    """
    from seqgcn.config.registry import make  # who selects from a Data needs no names

    return as_selector(make("selector", name, values))


def _check_signature(name: str, select: Any) -> None:
    try:
        inspect.signature(select).bind(None, 1)
    except TypeError as error:
        raise ArgumentError(
            f"{name}.select must take (data, budget), but takes {inspect.signature(select)}; rename what it takes, or "
            "give extra parameters a default"
        ) from error
    except ValueError:  # of C, which tells nothing
        return


def _nodes(name: str, picked: Any, device: torch.device) -> Tensor:
    """Indices as a tensor `[b]` int64."""
    try:
        index = torch.as_tensor(picked)
    except (TypeError, ValueError, RuntimeError):
        index = None
    if index is None or index.dim() != 1 or index.dtype not in (torch.int64, torch.int32):
        raise ArgumentError(
            f"{name}.select must return the indices of the nodes it picks [budget], as whole numbers, or a Selection, "
            f"got {kind_of(picked if index is None else index)}"
        )
    return index.to(device, torch.int64)
