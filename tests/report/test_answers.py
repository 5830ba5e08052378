"""What came back, on the page of a round."""

from report.round_views import EVIL, make_view

from seqgcn.report.html import Table, round_page
from seqgcn.report.html.answers import END, Answers, with_answers

CAME = Answers(title="imported-1.csv", told=[EVIL], tables=[Table(title="Who", header=["x"], rows=[[END + EVIL]])])


def test_it_stands_at_the_top_and_is_replaced() -> None:
    page = round_page(make_view())
    once = with_answers(page, [CAME])
    assert once.index("What came back") < once.index(">Picks<")
    assert with_answers(once, [CAME]) == once
    assert with_answers(once, []) == page


def test_what_comes_from_outside_is_text() -> None:
    once = with_answers(round_page(make_view()), [CAME])
    assert once.count("<script") == 1
    assert once.count(END) == 1


def test_another_page_stays_as_it_is() -> None:
    assert with_answers("<p>mine</p>", [CAME]) == "<p>mine</p>"
