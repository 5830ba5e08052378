"""docs/choosing_a_selector.md has every strategy, says of it what the code says, and its examples run."""

import re
import shlex
from pathlib import Path

import pytest

from seqgcn.cli import main, parser
from seqgcn.config.registry import CATALOGUE, load

PAGE = Path(__file__).parents[1] / "docs" / "choosing_a_selector.md"
TEXT = PAGE.read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
SELECTORS = CATALOGUE["selector"]

NAME = re.compile(r"`([a-z-]+)`, ")
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in TEXT.splitlines() if NAME.match(line[2:])]
"""The tables' rows: strategy and source; what it reads, is for and takes on top; for it; against it."""

COMMANDS = [line for language, text in BLOCKS if language == "bash" for line in text.splitlines()]


def block(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


def row(name: str) -> list[str]:
    rows = [cells for cells in ROWS if cells[0].startswith(f"`{name}`, ")]
    assert len(rows) == 1, f"{PAGE.name} has {len(rows)} rows of {name}; it must have one"
    return rows[0]


def tree() -> list[str]:
    """Names on the tree's branches: what follows a colon, without what is said of it in brackets."""
    branches = re.findall(r"^[^:]*─ [^:]*: (.*)$", block("text")[0], flags=re.MULTILINE)
    words = [re.sub(r"\(.*?\)", "", name).strip() for branch in branches for name in branch.split(",")]
    return [word for word in words if " " not in word]


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    assert {language for language, _ in BLOCKS} == {"text", "bash", "python"}


def test_tree_has_every_strategy_and_no_other() -> None:
    assert set(tree()) == set(SELECTORS)


def test_no_row_is_of_a_strategy_that_is_not_there() -> None:
    assert {NAME.match(cells[0])[1] for cells in ROWS} == set(SELECTORS)  # type: ignore[index]  # all rows match


@pytest.mark.parametrize("name", SELECTORS)
def test_row_says_what_the_code_says(name: str) -> None:
    entry, selector = SELECTORS[name], load("selector", name)()
    reads = [f"`{key}`" for key in selector.requires]
    if selector.requires_any:
        reads.append(" or ".join(f"`{key}`" for key in selector.requires_any))
    if selector.optional:
        reads.append(f"{', '.join(f'`{key}`' for key in selector.optional)} where given")
    facts = (", ".join(reads) or "nothing", " and ".join(selector.tasks), entry.cost or "nothing")
    assert row(name)[:2] == [f"`{name}`, {entry.source}", "; ".join(facts)]


@pytest.mark.parametrize("name", SELECTORS)
def test_row_speaks_for_and_against(name: str) -> None:
    arguments = row(name)[2:]
    assert len(arguments) == 2
    assert all(len(argument.split()) >= 5 and argument.endswith(".") for argument in arguments)


def test_what_is_linked_is_there() -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]*)", TEXT) if target and not target.startswith("https://")]
    assert targets
    for target in targets:
        assert (PAGE.parent / target).is_file(), target


def test_commands_are_ones() -> None:
    assert COMMANDS
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        assert program == "seqgcn"
        parser().parse_args(arguments)


@pytest.mark.slow
def test_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        assert main([*shlex.split(command)[1:], "--quiet"]) == 0, command


def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for text in block("python"):
        exec(compile(text, PAGE.name, "exec"), names)  # noqa: S102  # the page's own blocks


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.findall(r"TO COME|TODO|FIXME|TBD", TEXT)
