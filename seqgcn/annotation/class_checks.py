"""Checking answers that name classes: which are labels, and what is wrong with the others."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from seqgcn.annotation.annotations import newest, printable
from seqgcn.annotation.class_exports import ClassAnswer
from seqgcn.annotation.class_tasks import ClassTask, ClassTasks, picture_name
from seqgcn.utils.class_names import are_numbers, composed, fault_of_name, folded, similar_to
from seqgcn.utils.validation import name_some


class ClassProblem(NamedTuple):
    """Why an answer is no label.

    Args:
        item: Its name, or what it is called in the file.
        annotator: Whose answer it is, if it is one.
        what: In words.
        where: Place in the file.
    """

    item: str
    annotator: str
    what: str
    where: str = ""


class ClassLabel(NamedTuple):
    """An item with its class.

    Args:
        item: Its name.
        name: Of the class.
        annotators: Who say so.
        predicted: The class that was predicted; empty if none was.
    """

    item: str
    name: str
    annotators: tuple[str, ...]
    predicted: str = ""


@dataclass(frozen=True)
class CheckedClasses:
    """What came of the answers.

    Args:
        valid: Items about which nothing is wrong, in the order of the round.
        problems: What is wrong with the others.
        offered: How many items each class that is not known would be of, were it taken.
        meant: What each of these may be another spelling of: a known class, or another that is not known.
        notes: What is to be known besides, in sentences.
        again: How many items were answered that have this label already.
    """

    valid: tuple[ClassLabel, ...]
    problems: tuple[ClassProblem, ...]
    offered: Mapping[str, int] = field(default_factory=dict)
    meant: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    again: int = 0

    def table(self, most: int = 200) -> str:
        """The problems as a table, at most so many rows, and what it all comes to."""
        head = ClassProblem("item", "annotator", "what is wrong", "where")
        rows = [head, *(ClassProblem(*(printable(cell, 160) for cell in row)) for row in self.problems[:most])]
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        lines = ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        if len(self.problems) > most:
            lines.append(f"and {len(self.problems) - most:,} more")
        wrong = len({problem.item for problem in self.problems})
        summary = f"{len(self.valid):,} items are all right, with {wrong:,} something is wrong."
        return "\n".join([*(lines if self.problems else []), *self.notes, summary])


class ItemNames:
    """Finds items by whatever files call them.

    Args:
        tasks: What was handed off.
        known: Names of all items of the data set.
    """

    def __init__(self, tasks: ClassTasks, known: Sequence[str]) -> None:
        self.tasks, self.known = tasks, known
        self.by_part: dict[str, str] = {}

    def find(self, word: str) -> str | tuple[str, str]:
        """The item of a name, or the name and why it is none's.

        It is an item's name, whichever way its letters are written; else that of its picture, of which an address holds
        more; else the end of an item's path, or a path that ends in it, if there is one such item only.
        """
        if word in self._there:
            return word
        same = self._by_letters.get(composed(word), [])
        if len(same) == 1:
            return same[0]
        path = self._path(word)
        last = picture_name(PurePosixPath(path).name)
        for name in (PurePosixPath(path).name, last):
            if name in self.tasks.by_picture:
                return self.tasks.by_picture[name].item
        named = [item for name in {PurePosixPath(path).name, last} for item in self._by_name.get(name, [])]
        fitting = sorted({item for item in named if _ends_alike(path, item)})
        if len(fitting) == 1:
            self.by_part[word] = fitting[0]
            return fitting[0]
        if fitting:
            return word, f"may be {name_some(fitting)}; write the whole name"
        return word, self._unknown(word)

    @cached_property
    def _there(self) -> frozenset[str]:
        return frozenset((*self.known, *self.tasks.by_item))

    @cached_property
    def _by_letters(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for item in self._there:
            found.setdefault(composed(item), []).append(item)
        return found

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for item in self.known:
            name = PurePosixPath(item).name
            for each in {name, _uploaded(name)}:
                found.setdefault(each, []).append(item)
        return found

    @cached_property
    def _numbered(self) -> bool:
        return are_numbers(self.known)

    def _path(self, word: str) -> str:
        """The path in an address, without a query; of Label Studio's local files, the path in the query."""
        try:
            parts = urlsplit(word)
            if parts.path.rstrip("/").endswith("/data/local-files") and (local := parse_qs(parts.query).get("d")):
                return local[0]
            if parts.path.startswith("/data/upload/"):
                # The folder is that of the project.
                return PurePosixPath(unquote(parts.path)).name
            if parts.scheme in ("http", "https", "s3", "gs") or word.startswith("/data/"):
                return unquote(parts.path)
        except ValueError:
            pass
        return re.sub(r"^\./", "", word.replace("\\", "/"))

    def _unknown(self, word: str) -> str:
        if are_numbers([word]) and not self._numbered:
            return "unknown item: a number, but the items have names"
        if self._numbered and not are_numbers([word]):
            return f"unknown item: the items have no names, but numbers from 0 to {len(self.known) - 1}"
        names = {item.strip().casefold(): item for item in self.tasks.by_item}
        near = get_close_matches(word.strip().casefold()[:1000], names, n=1)
        return "unknown item" + (f"; is it {names[near[0]]!r}?" if near else "")


def _ends_alike(path: str, item: str) -> bool:
    """Whether one is the end of the other, in whole parts; the last may have what an upload puts before it."""
    one = [part for part in path.split("/") if part not in ("", ".")]
    other = [part for part in item.split("/") if part]
    length = min(len(one), len(other))
    if not length or one[-length:-1] != other[-length:-1]:
        return False
    name = picture_name(one[-1])
    return name in (other[-1], _uploaded(other[-1])) or one[-1] == other[-1]


def _uploaded(name: str) -> str:
    """The file name that Label Studio gives a picture that is uploaded there, but for the digits before it."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))


def check_classes(
    answers: Sequence[ClassAnswer],
    tasks: ClassTasks,
    known: Sequence[str],
    *,
    new_classes: Iterable[str] | None = None,
    renamed: Mapping[str, str] | None = None,
    labeled: Mapping[str, str] | None = None,
) -> CheckedClasses:
    """Check answers and make labels of those without a fault.

    Of several states of one answer the one that was changed last counts. An item's class is what all who answered say;
    if they differ, it is refused, unless one answer is marked as the ground truth, which overrules the others. That
    somebody skipped it matters only if nobody else answered. A class that was predicted and submitted is a label.

    An item that is labeled already, in this round or before it, need not be answered again; if it is, by something
    else, its label stays.

    Args:
        answers: Of all annotators.
        tasks: What was handed off.
        known: Names of all items of the data set, to tell items of other rounds from unknown ones.
        new_classes: Classes that may be new; if there is none, all may that are no other spelling of a known one and
            not similar to it. With None, none may.
        renamed: Classes to be taken for others.
        labeled: Class of each item that is labeled already; empty where only that is known.
    """
    names, renamed, labeled = ItemNames(tasks, known), renamed or {}, labeled or {}
    written = {composed(name): name for name in (*filter(None, labeled.values()), *tasks.classes)}
    of_item: dict[str, list[ClassAnswer]] = {task.item: [] for task in tasks.tasks}
    earlier: dict[str, list[ClassAnswer]] = {}
    problems: list[ClassProblem] = []
    for answer in answers:
        found = names.find(answer.item) if answer.item else ("", answer.fault)
        if isinstance(found, tuple):
            problems.append(ClassProblem(answer.item, answer.annotator, found[1], answer.where))
            continue
        if found not in of_item and found not in labeled:
            problems.append(ClassProblem(found, answer.annotator, "not in this round", answer.where))
            continue
        called = tuple(dict.fromkeys(renamed.get(name, written.get(composed(name), name)) for name in answer.classes))
        group = of_item[found] if found in of_item else earlier.setdefault(found, [])
        group.append(answer._replace(item=found, classes=called))
    spelling = _Spelling((*tasks.classes, *filter(None, labeled.values())), new_classes)
    spelling.hear(answer for given in of_item.values() for answer in _counting(given))
    valid: list[ClassLabel] = []
    again = 0
    for item, given in [*of_item.items(), *earlier.items()]:
        held = labeled.get(item)
        if held is not None and (item not in of_item or not _counting(given)):
            # What somebody else, or the same person earlier, said of it is a label already.
            given = [each for each in _counting(given) if held and each.classes != (held,)]
            problems += [_changed(each, held) for each in given]
            again += bool(not given and earlier.get(item))
            continue
        task = tasks.by_item[item]
        made, wrong = _settle(task, given, spelling)
        if made is not None and held and made.name != held:
            wrong = [_changed(given[0]._replace(classes=(made.name,)), held)]
        problems += wrong
        again += bool(made is not None and made.name == held)
        valid += [made] if made is not None and not held else []
    notes = []
    if names.by_part:
        shown = name_some([f"{word} for {item}" for word, item in names.by_part.items()])
        notes.append(f"{len(names.by_part):,} items are known by a part of their names: {shown}")
    return CheckedClasses(tuple(valid), tuple(problems), spelling.offered, spelling.meant(), tuple(notes), again)


def _changed(answer: ClassAnswer, held: str) -> ClassProblem:
    now = name_some([printable(name) for name in answer.classes])
    what = f"labeled already as {held!r}, now {now}; to replace that, correct its row of the labels"
    return ClassProblem(answer.item, answer.annotator, what, answer.where)


class _Spelling:
    """Tells classes from other spellings of them.

    Args:
        known: Classes there are.
        new: Classes that may be new; all for an empty one, none for None.
    """

    def __init__(self, known: Sequence[str], new: Iterable[str] | None) -> None:
        self.known, self.new = tuple(dict.fromkeys(known)), None if new is None else tuple(new)
        self.offered: dict[str, int] = {}

    def hear(self, answers: Iterable[ClassAnswer]) -> None:
        """Take note of all classes that are not known, of which some may be spellings of each other."""
        for answer in answers:
            for name in answer.classes if len(answer.classes) == 1 else ():
                if name not in self.known and not fault_of_name(name):
                    self.offered[name] = self.offered.get(name, 0) + 1

    def fault(self, name: str) -> str:
        """Why a class cannot be taken, in words; empty if it can."""
        if name in self.known:
            return ""
        meant = similar_to(name, self.known)
        hint = f"; is it {printable(meant)!r}?" if meant else ""
        shown = printable(name)
        if fault := fault_of_name(name):
            return f"unknown class {shown!r}, which {fault}{hint}"
        named = bool(self.new) and name in (self.new or ())
        if meant and (not named or folded(meant) == folded(name)):
            return f"unknown class {shown!r}{hint}"
        if named:
            return ""
        if are_numbers([name]) and self.known and not are_numbers(self.known):
            return f"unknown class {shown!r}, a number where classes have names"
        if twin := self.twin(name):
            return f"new class {shown!r}, which others call {printable(twin)!r}"
        return "" if self.new == () else f"new class {shown!r}"

    def twin(self, name: str) -> str:
        """Another spelling of a new class, used by others; empty if there is none."""
        return next((each for each in self.offered if each != name and folded(each) == folded(name)), "")

    def meant(self) -> dict[str, str]:
        """What each new class may be another spelling of: a known one, or a new one that is more frequent."""
        found: dict[str, str] = {}
        for name, count in self.offered.items():
            if near := similar_to(name, self.known):
                found[name] = near
            elif (twin := self.twin(name)) and (-self.offered[twin], twin) < (-count, name):
                found[name] = twin
        return found


def _settle(
    task: ClassTask, answers: Sequence[ClassAnswer], spelling: _Spelling
) -> tuple[ClassLabel | None, list[ClassProblem]]:
    """The label of an item, or what is wrong."""
    given = _counting(answers)
    if not given:
        return None, _unanswered(task.item, answers)
    wrong = [
        ClassProblem(task.item, answer.annotator, fault, answer.where)
        for answer in given
        if (fault := _fault_of(answer, spelling))
    ]
    if wrong:
        return None, wrong
    first = given[0]
    for other in given[1:]:
        if other.classes != first.classes:
            who = " and ".join(dict.fromkeys((first.annotator, other.annotator)))
            what = f"{printable(first.classes[0])!r} and {printable(other.classes[0])!r}"
            differ = ClassProblem(task.item, who, f"answers differ: {what}", f"{first.where} and {other.where}")
            return None, [differ]
    annotators = tuple(dict.fromkeys(answer.annotator for answer in given))
    return ClassLabel(task.item, first.classes[0], annotators, task.predicted), []


def _counting(answers: Sequence[ClassAnswer]) -> list[ClassAnswer]:
    """The answers that count: the newest state of each, not skipped, and only those of the ground truth if any are."""
    given = [each for each in newest(answers) if not each.skipped and not each.draft and (each.classes or each.fault)]
    return [each for each in given if each.starred] or given


def _unanswered(item: str, answers: Sequence[ClassAnswer]) -> list[ClassProblem]:
    found = []
    for answer in answers:
        what = "skipped" if answer.skipped else "a draft, not submitted" if answer.draft else "no class was chosen"
        found.append(ClassProblem(item, answer.annotator, what, answer.where))
    return found or [ClassProblem(item, "", "nobody labeled it")]


def _fault_of(answer: ClassAnswer, spelling: _Spelling) -> str:
    if answer.fault:
        return answer.fault
    if len(answer.classes) > 1:
        return f"{len(answer.classes)} classes: {name_some([printable(name) for name in answer.classes])}"
    return spelling.fault(answer.classes[0])
