"""What came back to a round: kept, and shown on its page."""

import json
import shutil
from pathlib import Path

import pytest
from class_rounds import annotation, export, flat, four_of_twelve, handed_off, table

from seqgcn.config.select import SelectConfig
from seqgcn.exceptions import RunFolderError
from seqgcn.rounds.answers import ANSWERS, REPORT, page_of_round, read_answers
from seqgcn.rounds.class_import import import_classes

TRUTH = flat()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SelectConfig]:
    """A round that picked four of twelve pictures, of which two are labeled."""
    return four_of_twelve(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(made: tuple[Path, SelectConfig], tmp_path: Path) -> Path:
    shutil.copytree(made[0] / "round", tmp_path / "round")
    return tmp_path / "round"


@pytest.fixture
def config(made: tuple[Path, SelectConfig]) -> SelectConfig:
    return made[1]


def test_the_page_says_who_answered_and_what_was_refused(folder: Path, config: SelectConfig, tmp_path: Path) -> None:
    first, *others = handed_off(folder)
    answers = {first: [annotation("cat", by="ann"), annotation("dog", by="bob")]}
    answers |= {item: [annotation(TRUTH[item], by="ann")] for item in others}
    assert import_classes(folder, config, [export(tmp_path / "e.json", folder, answers)], labelled=2).labels is None
    (came,) = read_answers(folder)
    assert came.title == "Last import, from e.json"
    assert came.told[0] == "Nothing was added; 1 refused."
    who, *_, refused = came.tables
    assert [row[:2] + row[3:] for row in who.rows] == [["ann", "3", "0"], ["ann and bob", "0", "1"]]
    assert refused.rows == [[first, "ann and bob", "answers differ: 'cat' and 'dog'"]]
    assert "answers differ: &#39;cat&#39; and &#39;dog&#39;" in (folder / REPORT).read_text()


def test_imports_that_added_labels_stay(folder: Path, config: SelectConfig, tmp_path: Path) -> None:
    first, *others = handed_off(folder)
    some = export(tmp_path / "some.json", folder, {item: TRUTH[item] for item in others})
    import_classes(folder, config, [some], labelled=2)
    import_classes(folder, config, [some], labelled=2, partial=True)
    import_classes(folder, config, [table(tmp_path / "rest.csv", {first: TRUTH[first]})], labelled=2)
    assert [each.title for each in read_answers(folder)] == [
        "imported-2.csv, from rest.csv",
        "imported-1.csv, from some.json",
    ]
    assert (folder / REPORT).read_text().count("<h3>") == 2


@pytest.mark.parametrize("text", ["{", "[1]", '[{"record": 1, "exports": [], "told": [], "tables": []}]', "\0"])
def test_a_damaged_record_costs_no_label(folder: Path, config: SelectConfig, tmp_path: Path, text: str) -> None:
    (folder / ANSWERS).write_text(text)
    answers = {item: TRUTH[item] for item in handed_off(folder)}
    assert import_classes(folder, config, [export(tmp_path / "e.json", folder, answers)], labelled=2).labels
    assert len(json.loads((folder / ANSWERS).read_text())) == 1


def test_a_page_that_is_gone_costs_no_label(folder: Path, config: SelectConfig, tmp_path: Path) -> None:
    (folder / REPORT).unlink()
    answers = {item: TRUTH[item] for item in handed_off(folder)}
    assert import_classes(folder, config, [export(tmp_path / "e.json", folder, answers)], labelled=2).labels
    with pytest.raises(RunFolderError, match=r"report\.html is missing"):
        page_of_round(folder)
