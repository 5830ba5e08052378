"""Names of classes and other spellings of them."""

import pytest

from seqgcn.utils.class_names import are_numbers, fault_of_name, folded, similar_to, twins


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("cat", ""),
        ("Siamese cat", ""),
        ("", "is empty"),
        (" ", "is empty"),
        ("cat ", "begins or ends with a space"),
        ("a\nb", "has a line break or an invisible character"),
        ("x" * 201, "has more than 200 characters"),
    ],
)
def test_what_can_name_a_class(name: str, fault: str) -> None:
    assert fault_of_name(name) == fault


def test_spellings_of_one_name() -> None:
    assert folded("Siamese Cat") == folded("siamese_cat") == folded("SIAMESE-CAT ")
    assert twins(["cat", "dog"]) is None
    assert twins(["cat", "dog", "Cat"]) == ("cat", "Cat")


@pytest.mark.parametrize(
    ("name", "meant"), [("Cat ", "cat"), ("CAT", "cat"), ("cats", "cat"), ("bat", ""), ("fox", ""), ("doog", "dog")]
)
def test_the_name_that_was_meant(name: str, meant: str) -> None:
    assert similar_to(name, ["cat", "dog"]) == meant


def test_numbers() -> None:
    assert are_numbers(["0", "12"])
    assert not are_numbers(["0", "cat"])
    assert not are_numbers(["²"])


def test_accents_may_be_characters_of_their_own() -> None:
    assert folded("ze\u0301ro") == folded("zéro")
    assert similar_to("ze\u0301ro", ["zéro"]) == "zéro"
