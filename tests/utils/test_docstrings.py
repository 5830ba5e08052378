from functools import partial
from typing import Any

import pytest

from seqgcn.utils.docstrings import arguments_of, first_sentence, parse_arguments

DOC = """A crop.

    Args:
        near: Nearest depth, mm; `None`
            takes all.
        a, b (float): Sides, px.

        **more: Anything: even colons.

    Raises:
        ValueError: Never.
    """


def test_entries_span_lines_and_share_names() -> None:
    assert parse_arguments(DOC) == {
        "near": "Nearest depth, mm; None takes all.",
        "a": "Sides, px.",
        "b": "Sides, px.",
        "more": "Anything: even colons.",
    }


@pytest.mark.parametrize("doc", ["", "A line.", "Args: none.", "A line.\n\nRaises:\n    ValueError: Always."])
def test_a_docstring_without_the_section_says_nothing(doc: str) -> None:
    assert parse_arguments(doc) == {}


def test_a_class_is_described_by_itself_before_its_bases() -> None:
    class Base:
        """Base.

        Args:
            size: Of the base.
            seed: Of draws.
        """

    class Sub(Base):
        def __init__(self, size: int, seed: int) -> None:
            """Make one.

            Args:
                size: Of the subclass.
            """

    assert arguments_of(Sub) == {"size": "Of the subclass.", "seed": "Of draws."}


def test_an_object_names_the_classes_that_describe_it() -> None:
    class One:
        """One.

        Args:
            size: Of one.
        """

    class Reader:
        documented = (One,)

    assert arguments_of(Reader()) == {"size": "Of one."}


def test_what_has_no_docstring_is_not_described() -> None:
    values: list[Any] = [lambda x: x, partial(int, "1")]
    assert [arguments_of(value) for value in values] == [{}, {}]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Side, mm. The default is 250.", "Side, mm"),
        ("Learning rate.", "Learning rate"),
        ("As Yoo et al. Kweon say, e.g. Twice.", "As Yoo et al. Kweon say, e.g. Twice"),
        ("Radius below 2.5 px", "Radius below 2.5 px"),
    ],
)
def test_the_first_sentence(text: str, first: str) -> None:
    assert first_sentence(text) == first
