"""What a number measures: its name, its unit and which way is better."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A measure of a learner, and how it is shown.

    Args:
        name: In words, as on an axis.
        unit: Unit of what is shown; empty for none.
        scale: Factor from the values in the program to what is shown.
        higher_is_better: Whether a larger value is a better one.
    """

    name: str
    unit: str = ""
    scale: float = 1.0
    higher_is_better: bool = True

    @property
    def label(self) -> str:
        """Name and unit, for an axis: `"accuracy (%)"`."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def show(self, value: float) -> str:
        """A value with its unit: `"82.31 %"`.

        >>> ACCURACY.show(0.82314), MEAN_JOINT_ERROR.show(12.578)
        ('82.31 %', '12.58 mm')
        """
        return f"{value * self.scale:.{self.decimals(value)}f} {self.unit}".rstrip()

    def decimals(self, largest: float) -> int:
        """How many decimals to show beside a value: two for %, else four significant digits of the largest."""
        shown = abs(largest * self.scale)
        if self.unit == "%" or shown == 0 or not math.isfinite(shown):
            return 2
        return min(max(3 - math.floor(math.log10(shown)), 0), 9)


ACCURACY = Metric("accuracy", "%", 100.0, True)
"""Share of items whose predicted class is right."""

MEAN_JOINT_ERROR = Metric("mean joint error", "mm", 1.0, False)
"""Mean Euclidean distance between predicted and true joints."""

RMSE = Metric("root mean squared error", "", 1.0, False)
"""Of all numbers of all items, in the unit of the targets."""
