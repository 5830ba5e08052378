"""Names of classes: which are fit to be one, and which are only another spelling of a known one."""

import unicodedata
from collections.abc import Collection, Iterable
from difflib import get_close_matches

LONGEST = 200
"""Characters of a class's name; what is longer is a remark."""

SIMILAR = 0.8
"""Share of letters from which on a name may be a known one that was mistyped: `doq` for `dogs`, not `bat` for `cat`."""


def composed(name: str) -> str:
    """The same for all ways to write the same letters: accents may be characters of their own, as on macOS."""
    return unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """The same for all spellings of a name that differ in case, spaces, dashes and underscores alone."""
    return "".join(letter for letter in composed(name).casefold() if not letter.isspace() and letter not in "-_")


def fault_of_name(name: str) -> str:
    """Why a text cannot name a class, in words; empty if it can."""
    if not name.strip():
        return "is empty"
    if name != name.strip():
        return "begins or ends with a space"
    if not name.isprintable():
        return "has a line break or an invisible character"
    return f"has more than {LONGEST} characters" if len(name) > LONGEST else ""


def twins(names: Iterable[str]) -> tuple[str, str] | None:
    """Two names that differ in case, spaces, dashes and underscores alone, if any do."""
    first: dict[str, str] = {}
    for name in names:
        if first.setdefault(folded(name), name) != name:
            return first[folded(name)], name
    return None


def same_as(name: str, known: Collection[str]) -> str:
    """The known name of which this is another spelling; empty if it is of none."""
    return next((each for each in known if folded(each) == folded(name)), "")


def similar_to(name: str, known: Collection[str]) -> str:
    """The known name that was meant, perhaps; empty if none is near."""
    if same := same_as(name, known):
        return same
    spelled = {each.casefold(): each for each in known}
    near = get_close_matches(name.casefold()[: 2 * LONGEST], spelled, n=1, cutoff=SIMILAR)
    return spelled[near[0]] if near else ""


def are_numbers(names: Collection[str]) -> bool:
    """Whether all are whole numbers."""
    return all(name.isascii() and name.isdigit() for name in names)
