"""What annotators answered to a round, as a part of its page."""

from collections.abc import Sequence
from dataclasses import dataclass

from seqgcn.report.html.pages import Table, render

BEGIN, END = "<!-- what came back -->", "<!-- end of what came back -->"
"""What stands around it in the page. Foreign text cannot hold it, as its brackets are escaped."""

MAIN = "<main>"


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What came of one import.

    Args:
        title: Of it.
        told: Sentences about it.
        tables: The first is open, and what was refused; the others are folded.
    """

    title: str
    told: Sequence[str]
    tables: Sequence[Table]


def with_answers(page: str, answers: Sequence[Answers]) -> str:
    """The page of a round with what came back at its top, in place of what came back before.

    Args:
        page: As `round_page` makes it, or this.
        answers: Newest first; if there are none, the part goes.
    """
    before, begin, rest = page.partition(BEGIN)
    if begin:
        page = before + rest.partition(END)[2].removeprefix("\n")
    if not answers:
        return page
    before, main, rest = page.partition(MAIN)
    if not main:
        return page
    part = render("answers.html.j2", answers=answers)
    return f"{before}{main}{BEGIN}\n{part}\n{END}\n{rest}"
