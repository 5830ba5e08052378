"""Which answers are labels, and what is wrong with the others."""

from typing import Any

import pytest

from seqgcn.annotation.class_checks import CheckedClasses, ItemNames, check_classes
from seqgcn.annotation.class_exports import ClassAnswer
from seqgcn.annotation.class_tasks import ClassTask, ClassTasks

ITEMS = ("a/1.png", "a/2.png", "b/1.png", "b/3.png")
TASKS = ClassTasks(
    classes=("cat", "dog"),
    tasks=(ClassTask("a/1.png", "a-1-0123456789ab.png", predicted="cat"), ClassTask("b/3.png", "b-3-0123456789ab.png")),
)


def answer(item: str, *names: str, by: str = "ann", **more: Any) -> ClassAnswer:
    return ClassAnswer(item, by, f"{by}'s file", names, **more)


def check(*answers: ClassAnswer, **terms: Any) -> CheckedClasses:
    return check_classes(answers, TASKS, ITEMS, **terms)


def wrong(checked: CheckedClasses) -> list[tuple[str, str]]:
    return [(problem.item, problem.what) for problem in checked.problems]


BOTH = (answer("a/1.png", "cat"), answer("b/3.png", "dog"))


def test_labels() -> None:
    checked = check(*BOTH, answer("a/1.png", "cat", by="bob"))
    assert [(label.item, label.name, label.annotators, label.predicted) for label in checked.valid] == [
        ("a/1.png", "cat", ("ann", "bob"), "cat"),
        ("b/3.png", "dog", ("ann",), ""),
    ]
    assert wrong(checked) == []
    assert checked.table() == "2 items are all right, with 0 something is wrong."


@pytest.mark.parametrize(
    ("answers", "what"),
    [
        ([], "nobody labeled it"),
        ([answer("a/1.png", skipped=True)], "skipped"),
        ([answer("a/1.png", draft=True)], "a draft, not submitted"),
        ([answer("a/1.png")], "no class was chosen"),
        ([answer("a/1.png", "cat", "dog")], "2 classes: cat, dog"),
        ([answer("a/1.png", "cat"), answer("a/1.png", "dog", by="bob")], "answers differ: 'cat' and 'dog'"),
        ([answer("a/1.png", "cat"), answer("a/1.png", "dog")], "answers differ: 'cat' and 'dog'"),
        ([answer("a/1.png", fault="3 cells")], "3 cells"),
        ([answer("a/1.png", "Cat")], "unknown class 'Cat'; is it 'cat'?"),
        ([answer("a/1.png", "cat ")], "unknown class 'cat ', which begins or ends with a space; is it 'cat'?"),
        ([answer("a/1.png", "cats")], "unknown class 'cats'; is it 'cat'?"),
        ([answer("a/1.png", "0")], "unknown class '0', a number where classes have names"),
        ([answer("a/1.png", "fox")], "new class 'fox'"),
    ],
)
def test_what_is_no_label(answers: list[ClassAnswer], what: str) -> None:
    checked = check(*answers, BOTH[1])
    assert wrong(checked) == [("a/1.png", what)]
    assert [label.item for label in checked.valid] == ["b/3.png"]


def test_who_skips_does_not_count_beside_who_answers() -> None:
    assert len(check(*BOTH, answer("a/1.png", skipped=True, by="bob")).valid) == 2


def test_the_ground_truth_overrules() -> None:
    checked = check(*BOTH, answer("a/1.png", "dog", by="bob", starred=True))
    assert [label.name for label in checked.valid] == ["dog", "dog"]


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2026-12-01T10:00:00Z", "2026-12-01T10:00:00.500000Z"),
        ("2026-12-01T10:00:00+02:00", "2026-12-01T09:00:00Z"),
        ("", "2026-12-01T09:00:00Z"),
        ("yesterday", "2026-12-01T09:00:00Z"),
    ],
)
def test_the_state_that_was_changed_last_counts(turn: int, earlier: str, later: str) -> None:
    states = [
        answer("a/1.png", "dog", identity="x", updated=earlier),
        answer("a/1.png", "cat", identity="x", updated=later),
    ]
    assert check(*states[::turn], BOTH[1]).valid[0].name == "cat"


# items


@pytest.mark.parametrize(
    "word",
    [
        "b/3.png",
        "3.png",
        "./b/3.png",
        "pictures/b/3.png",
        "/home/ann/b/3.png",
        "b\\3.png",
        "b-3-0123456789ab.png",
        "/data/upload/3/1a2b3c4d-b-3-0123456789ab.png",
        "/data/upload/3/1a2b3c4d-3.png",
        "/data/local-files/?d=images/b-3-0123456789ab.png",
        "/data/local-files/?d=b/3.png",
        "https://host/b-3-0123456789ab.png?token=a/b",
    ],
)
def test_names_by_which_an_item_is_known(word: str) -> None:
    assert ItemNames(TASKS, ITEMS).find(word) == "b/3.png"


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("1.png", "may be a/1.png, b/1.png; write the whole name"),
        ("c/1.png", "unknown item; is it 'a/1.png'?"),
        ("a/1.png ", "unknown item; is it 'a/1.png'?"),
        ("A/1.PNG", "unknown item; is it 'a/1.png'?"),
        ("17", "unknown item: a number, but the items have names"),
        ("zebra", "unknown item"),
    ],
)
def test_what_is_no_item(word: str, what: str) -> None:
    assert ItemNames(TASKS, ITEMS).find(word) == (word, what)
    assert wrong(check(*BOTH, answer(word, "cat"))) == [(word, what)]


def test_pictures_that_were_uploaded_by_hand_have_other_names() -> None:
    names = ItemNames(ClassTasks((), (ClassTask("a/new (1) b.png"),)), ("a/new (1) b.png", "a/00000000-c.png"))
    assert names.find("/data/upload/3/1a2b3c4d-new_1_b.png") == "a/new (1) b.png"
    assert names.find("00000000-c.png") == "a/00000000-c.png"


def test_names_where_items_are_numbers() -> None:
    names = ItemNames(ClassTasks((), (ClassTask("1"),)), ("0", "1"))
    assert names.find("1") == "1"
    assert names.find("a.png") == ("a.png", "unknown item: the items have no names, but numbers from 0 to 1")


def test_items_that_are_known_by_a_part_of_their_names_are_said() -> None:
    checked = check(BOTH[0], answer("3.png", "dog"))
    assert len(checked.valid) == 2
    assert checked.notes == ("1 items are known by a part of their names: 3.png for b/3.png",)


def test_items_of_other_rounds() -> None:
    assert wrong(check(*BOTH, answer("a/2.png", "cat"))) == [("a/2.png", "not in this round")]


# what is labeled already


def test_an_item_that_is_labeled_need_not_be_answered_again() -> None:
    checked = check(BOTH[1], labeled={"a/1.png": "cat"})
    assert (len(checked.valid), checked.again, wrong(checked)) == (1, 0, [])


def test_the_same_again_tells_nothing_new() -> None:
    checked = check(*BOTH, answer("a/2.png", "dog"), labeled={"a/1.png": "cat", "a/2.png": "dog"})
    assert ([label.item for label in checked.valid], checked.again, wrong(checked)) == (["b/3.png"], 2, [])


@pytest.mark.parametrize("item", ["a/1.png", "a/2.png"])
def test_another_class_of_what_is_labeled(item: str) -> None:
    checked = check(*BOTH, answer(item, "cat"), labeled={item: "dog"})
    assert (item, "labeled already as 'dog', now cat; to replace that, correct its row of the labels") in wrong(checked)
    assert item not in [label.item for label in checked.valid]


# new classes


NEW = (answer("a/1.png", "fox"), answer("b/3.png", "wolf"))


def test_new_classes_are_offered() -> None:
    checked = check(*NEW)
    assert checked.valid == ()
    assert checked.offered == {"fox": 1, "wolf": 1}


def test_new_classes_are_taken() -> None:
    assert [label.name for label in check(*NEW, new_classes=[]).valid] == ["fox", "wolf"]
    assert [label.name for label in check(*NEW, new_classes=["wolf"]).valid] == ["wolf"]


def test_a_class_that_is_like_a_known_one_is_taken_only_by_its_name() -> None:
    cats = (answer("a/1.png", "cats"), BOTH[1])
    assert wrong(check(*cats, new_classes=[])) == [("a/1.png", "unknown class 'cats'; is it 'cat'?")]
    assert check(*cats, new_classes=["cats"]).valid[0].name == "cats"
    assert check(*cats).meant == {"cats": "cat"}


def test_another_spelling_is_never_a_class_of_its_own() -> None:
    given = (answer("a/1.png", "CAT"), BOTH[1])
    assert wrong(check(*given, new_classes=["CAT"])) == [("a/1.png", "unknown class 'CAT'; is it 'cat'?")]
    assert check(*given, renamed={"CAT": "cat"}).valid[0].name == "cat"


def test_two_spellings_of_a_new_class() -> None:
    given = (answer("a/1.png", "Fox"), answer("b/3.png", "fox"))
    checked = check(*given, new_classes=[])
    assert [what for _, what in wrong(checked)] == [
        "new class 'Fox', which others call 'fox'",
        "new class 'fox', which others call 'Fox'",
    ]
    assert checked.meant == {"fox": "Fox"}
    assert [label.name for label in check(*given, new_classes=[], renamed=checked.meant).valid] == ["Fox", "Fox"]


def test_numbers_are_classes_where_all_are() -> None:
    tasks = ClassTasks(("0", "1"), TASKS.tasks)
    given = [answer("a/1.png", "1"), answer("b/3.png", "2")]
    assert [label.name for label in check_classes(given, tasks, ITEMS, new_classes=[]).valid] == ["1", "2"]


def test_the_table_shows_what_cannot_be_seen() -> None:
    text = check(*BOTH, answer("\x1b[2J", "cat")).table()
    assert "\\x1b[2J" in text
    assert "\x1b" not in text


def test_letters_may_be_composed_in_another_way() -> None:
    """macOS writes the accent of a file's name as a character of its own; tables of spreadsheets do not."""
    tasks = ClassTasks(classes=("zéro", "un"), tasks=(ClassTask("é/1.png", "e-1-0123456789ab.png"),))
    checked = check_classes([answer("e\u0301/1.png", "ze\u0301ro")], tasks, ["é/1.png"], new_classes=())
    assert [(label.item, label.name) for label in checked.valid] == [("é/1.png", "zéro")]
    assert wrong(checked) == []
