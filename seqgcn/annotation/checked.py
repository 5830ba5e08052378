"""What came of annotations: labels, what is wrong with the others, and how far annotators agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from seqgcn.annotation.annotations import printable


class Problem(NamedTuple):
    """Why a frame is not accepted.

    Args:
        item: Its path, or what it is called in the annotation.
        joint: The joint in question, if it is one.
        annotator: Whose annotation it is, if it is one.
        what: In words.
        where: Place in the export.
    """

    item: str
    joint: str
    annotator: str
    what: str
    where: str = ""


@dataclass(frozen=True, eq=False)
class Labelled:
    """A frame with its label.

    Args:
        item: Path below the data set's root.
        joints: In this package's axes, `[J, 3]` float64, mm; NaN for joints that are left out.
        sources: Where each joint's depth is from; J of them.
        hidden: Whether somebody said that the joint is hidden; J of them.
        annotators: Whose annotations went into it.
        moved: Whether somebody moved the joint from where it was predicted, or it was not predicted; J of them.
        answers: What somebody did to each joint: `"manual"`, `"changed"`, or `"prediction"` if nobody moved it; empty
            if it is left out. J of them, or none.
        expected: How far off each joint's depth is expected to be, mm, None where nobody knows; J of them, or none.
        guess: As `joints`, with those that are left out as their depth is unsure, `[J, 3]` mm; None for `joints`.
    """

    item: str
    joints: Tensor
    sources: tuple[str, ...]
    hidden: tuple[bool, ...]
    annotators: tuple[str, ...]
    moved: tuple[bool, ...]
    answers: tuple[str, ...] = ()
    expected: tuple[float | None, ...] = ()
    guess: Tensor | None = None


class Agreement(NamedTuple):
    """How far two annotators agree.

    Args:
        who: Both.
        frames: How many frames both of them annotated without a fault.
        mean: Mean distance of their joints, mm.
        apart: How many joints are farther apart than is still agreement.
        apart_in: In how many frames.
    """

    who: tuple[str, str]
    frames: int
    mean: float
    apart: int
    apart_in: int

    def __str__(self) -> str:
        """A line."""
        names = " and ".join(self.who)
        return (
            f"{names}: {self.frames:,} frames of both, joints {self.mean:.1f} mm apart on average; "
            f"{self.apart:,} joints in {self.apart_in:,} frames disagree"
        )


@dataclass(frozen=True, eq=False)
class Checked:
    """What came of the annotations.

    Args:
        valid: Frames about which nothing is wrong, in the order of the round.
        problems: What is wrong with the others.
        notes: What is to be known of those that are right, in sentences.
        agreement: Of each pair of annotators who have frames in common.
    """

    valid: tuple[Labelled, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    agreement: tuple[Agreement, ...] = ()

    def table(self, most: int = 200) -> str:
        """The problems as a table, at most so many rows, and what it all comes to.

        Of each pair of annotators there is a line, with the joints about which they disagree below it.
        """
        pairs = {" and ".join(each.who): each for each in self.agreement}
        others = [problem for problem in self.problems if problem.annotator not in pairs]
        shown = others + [problem for problem in self.problems if problem.annotator in pairs]
        rows = _aligned(shown[:most])
        head, cells = rows[:1], list(zip(shown, rows[1:], strict=False))
        lines = [*(head if cells else []), *(row for problem, row in cells if problem.annotator not in pairs)]
        for who, agreement in pairs.items():
            lines += [printable(agreement, 200), *(row for problem, row in cells if problem.annotator == who)]
        if len(self.problems) > most:
            lines.append(f"and {len(self.problems) - most:,} more")
        frames = len({problem.item for problem in self.problems})
        summary = f"{len(self.valid):,} frames are all right, with {frames:,} something is wrong."
        return "\n".join([*lines, *(printable(note, 400) for note in self.notes), summary])


def _aligned(problems: Sequence[Problem]) -> list[str]:
    """Rows of a table, the first its head."""
    head = Problem("frame", "joint", "annotator", "what is wrong", "where")
    rows = [head, *(Problem(*(printable(cell, 120) for cell in row)) for row in problems)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
