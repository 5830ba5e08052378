"""`seqgcn import` of classes."""

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from class_rounds import annotation, ask, draw, export, flat, handed_off, labels, table

from seqgcn.cli import main

TRUTH = flat()
Call = Callable[[str], tuple[int, list[str], str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, a table of two of them and a round that picked four others."""
    folder = tmp_path_factory.mktemp("made")
    draw(folder / "pictures", TRUTH)
    known = table(folder / "known.csv", {name: TRUTH[name] for name in list(TRUTH)[:2]})
    ask(folder / "round", folder / "pictures", labelled=str(known))
    return folder


@pytest.fixture
def truth(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Classes of the picks of `round 01` in the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made / "round", "round 01")
    return {item: TRUTH[item] for item in handed_off(Path("round 01"))}


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Exit code, lines of the output, and what else was said."""

    def call(line: str) -> tuple[int, list[str], str]:
        capsys.readouterr()
        code = main(shlex.split(line))
        shown = capsys.readouterr()
        return code, shown.out.splitlines(), shown.err

    return call


def test_a_round_and_the_next(truth: dict[str, str], call: Call) -> None:
    export(Path("e.json"), Path("round 01"), truth)
    code, lines, said = call("import 'round 01' --from e.json")
    assert (code, said) == (0, "")
    assert lines[0] == "4 items are all right, with 0 something is wrong."
    assert lines[-2:] == ["all labels: round 01/labels.csv", "next: seqgcn select --continue 'round 01' --out FOLDER"]
    code, lines, _ = call("select --continue 'round 01' --out next --budget 2")
    assert code == 0
    assert lines[-1] == "then: seqgcn import next --from EXPORT"
    held = yaml.safe_load(Path("next/round.yaml").read_text())
    assert held["select"]["labelled"] == str(Path("round 01/labels.csv").absolute())
    assert held["labelled"] == 6
    assert call("import 'round 01' --from e.json")[1][1] == "4 more items have that label already."


def test_new_classes_and_other_spellings_are_offered(truth: dict[str, str], call: Call) -> None:
    first, second, *_ = truth
    table(Path("t.csv"), {**truth, first: "fox", second: f"{truth[second].upper()}"})
    code, lines, said = call("import 'round 01' --from t.csv")
    assert code == 1
    assert lines[-1] == "2 items are all right, with 2 something is wrong."
    spelling = f"{truth[second].upper()}={truth[second]}"
    assert "new classes, with their items: fox (1); take them with --new-classes, or" in said
    assert f"where a class was only written in another way: --rename {spelling}\n" in said
    assert "nothing was added; mend what is wrong and import again, or add what is right with --partial" in said
    code, lines, said = call(f"import 'round 01' --from t.csv --new-classes --rename {spelling}")
    assert (code, said) == (0, "")
    assert "new classes: fox" in lines
    assert labels(Path("round 01")).items() >= {**truth, first: "fox"}.items()


def test_what_is_right_is_added_and_the_rest_is_said(truth: dict[str, str], call: Call) -> None:
    first, *_ = truth
    export(Path("e.json"), Path("round 01"), {**truth, first: [annotation("fox", new=True)]})
    code, lines, said = call("import 'round 01' --from e.json --partial")
    assert code == 0
    assert "new class 'fox'" in lines[1]
    assert "--new-classes fox" in said
    assert first not in labels(Path("round 01"))


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("--from nothing.json", 1, "nothing.json is missing or not a regular file"),
        ("--from 'round 01'", 1, "not a regular file"),
        ("--from 'round 01/tasks/label_studio.json'", 1, "is what was handed off"),
        ("--from 'round 01/picks.csv'", 1, "the header must name item and class"),
        ("--from e.json --joint-depth prediction", 2, "--joint-depth has no effect on a round that asks for classes"),
        ("--from e.json --disagree 3", 2, "--disagree has no effect"),
        ("--from e.json --rename cat", 2, "--rename takes OLD=NEW"),
        ("--from e.json --rename a=b a=c", 2, "--rename names 'a' twice"),
        ("--from e.json --new-classes 'fox '", 2, "'fox ' begins or ends with a space"),
    ],
)
def test_what_is_wrong_is_said(truth: dict[str, str], call: Call, line: str, code: int, message: str) -> None:
    export(Path("e.json"), Path("round 01"), truth)
    found, lines, said = call(f"import 'round 01' {line}")
    assert (found, lines) == (code, [])
    assert message in said
    assert not Path("round 01/labels.csv").exists()


def test_without_labels_there_is_no_next_round(truth: dict[str, str], call: Call) -> None:
    code, _, said = call("select --continue 'round 01' --out next")
    assert code == 1
    assert "no labels were imported into round 01; do that first (seqgcn import" in said


def test_classes_are_a_matter_of_rounds_that_ask_for_them(made: Path, tmp_path: Path, call: Call) -> None:
    code, _, said = call(f"select --dataset depth-folder --root {made} --classes cat --out {tmp_path / 'r'}")
    assert code == 2
    assert "depth-folder has poses" in said
