"""What is asked for: items to label."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Picks:
    """Items to label, best first.

    Args:
        items: Their ids: numbers from 0 in the inputs.
        scores: The selector's own score of each.
        details: What the selector can show for its choice, tensors by name; those with a row a node are of `n_id`.
        n_id: Ids of the items that the selector was shown, `[m]` int64.
        cycle: How often was asked before.
    """

    items: tuple[int, ...]
    scores: tuple[float, ...]
    details: Mapping[str, Tensor] = field(default_factory=dict, repr=False)
    n_id: Tensor = field(repr=False)
    cycle: int

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[int]:
        return iter(self.items)
