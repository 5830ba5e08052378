"""`HandDataset.splits`: reading both parts of a data set from its folder."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgcn.exceptions import ArgumentError

if TYPE_CHECKING:
    from seqgcn.datasets.hands.folder_splits import FolderSplits
    from seqgcn.datasets.hands.hand_dataset import HandDataset

_OF_A_PART = {"root", "split", "labels", "options", "strict"}
"""Arguments of a part that are not the same for both, or that `FolderSplits` has itself."""


class SplitsReader:
    """Reads pool and test part of a class of frames, as in `ICVL.splits(root, crop_size=64)`.

    Called with the fields of `FolderSplits` and the class's own arguments, it gives a `FolderSplits`. Its signature
    is of all of these; as the catalogue's entry of the class it has them as parameters.

    Args:
        kind: The class; set where it is asked for `splits`.
        without: Arguments of the class that are left at their defaults.
    """

    task = "pose"
    later_parameters = ("accept_labels",)
    """Those of `DeferredSplits`."""

    def __init__(self, kind: "type[HandDataset] | None" = None, *, without: tuple[str, ...] = ()) -> None:
        self.kind, self.without = kind, without

    def __get__(self, instance: object, owner: "type[HandDataset]") -> "SplitsReader":
        return SplitsReader(owner, without=self.without)

    def __call__(self, root: str | Path, **parameters: Any) -> "FolderSplits":
        """Pool and test part, neither of them read yet."""
        from seqgcn.datasets.hands.folder_splits import FolderSplits

        assert self.kind is not None  # noqa: S101  # for mypy
        known = self.__signature__.parameters
        for name in parameters:
            if name not in known:
                raise ArgumentError(f"{self.kind.__name__}.splits has no argument {name!r}; it has {', '.join(known)}")
        own = {name: value for name, value in parameters.items() if name in self._own()}
        shared = {name: value for name, value in parameters.items() if name not in own}
        return FolderSplits(kind=self.kind, root=str(root), parameters=own, **shared)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SplitsReader) and (self.kind, self.without) == (other.kind, other.without)

    def __hash__(self) -> int:
        return hash((self.kind, self.without))

    def __repr__(self) -> str:
        return f"{self.kind.__name__}.splits" if self.kind is not None else "splits"

    @property
    def __signature__(self) -> inspect.Signature:
        from seqgcn.datasets.hands.folder_splits import FolderSplits

        shared = inspect.signature(FolderSplits)
        given = [value for name, value in shared.parameters.items() if name not in ("kind", "parameters")]
        return inspect.Signature([*given, *self._own().values()], return_annotation=FolderSplits)

    @property
    def documented(self) -> tuple[type, ...]:
        """The classes whose docstrings say what the arguments mean."""
        from seqgcn.datasets.hands.folder_splits import FolderSplits

        assert self.kind is not None  # noqa: S101  # for mypy
        return self.kind, FolderSplits

    def _own(self) -> Mapping[str, inspect.Parameter]:
        """The class's own arguments, which both parts have."""
        assert self.kind is not None  # noqa: S101  # for mypy
        return {
            name: value.replace(kind=value.KEYWORD_ONLY)
            for name, value in inspect.signature(self.kind).parameters.items()
            if name not in _OF_A_PART and name not in self.without and value.kind != value.VAR_KEYWORD
        }
