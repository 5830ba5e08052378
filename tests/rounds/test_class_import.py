"""Classes back into a round, and on to the next one."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from class_rounds import annotation, ask, draw, export, flat, four_of_twelve, handed_off, labels, table
from logged import logged
from rounds.toys import content

from seqgcn.config.select import SelectConfig
from seqgcn.exceptions import ConfigError, DataFileError, RunFolderError
from seqgcn.rounds.class_import import import_classes, is_class_round
from seqgcn.rounds.handoff import import_labels
from seqgcn.rounds.record import next_config
from seqgcn.rounds.select_round import Round
from seqgcn.utils.locks import locked

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


@pytest.fixture
def truth(folder: Path) -> dict[str, str]:
    return {item: TRUTH[item] for item in handed_off(folder)}


@pytest.fixture
def known(made: tuple[Path, SelectConfig]) -> dict[str, str]:
    return {name: TRUTH[name] for name in list(TRUTH)[:2]}


def test_an_export_becomes_labels(
    folder: Path, config: SelectConfig, truth: dict[str, str], known: dict[str, str], tmp_path: Path
) -> None:
    imported = import_classes(folder, config, [export(tmp_path / "e.json", folder, truth)], labelled=2)
    assert imported.labels == folder / "labels.csv"
    assert labels(folder) == {**known, **truth}
    assert list(labels(folder)) == sorted(labels(folder))
    assert imported.told[0].startswith("4 labels are new: ")
    assert imported.record == folder / "imported-1.csv"
    with open(folder / "imported-1.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["item"]: row["class"] for row in rows} == truth
    assert {row["annotators"] for row in rows} == {"1"}
    assert {row["predicted class"] for row in rows} <= {"cat", "dog"}


def test_a_prediction_that_was_submitted_is_a_label(folder: Path, config: SelectConfig, tmp_path: Path) -> None:
    tasks = json.loads((folder / "tasks/classes.json").read_text())["tasks"]
    predicted = {task["item"]: task["predicted"] for task in tasks}
    assert all(predicted.values())
    imported = import_classes(folder, config, [export(tmp_path / "e.json", folder, predicted)])
    assert len(imported.checked.valid) == 4
    assert "4 of 4 are of the class that was predicted" in imported.told


def test_a_table_becomes_labels(folder: Path, config: SelectConfig, truth: dict[str, str], tmp_path: Path) -> None:
    assert import_classes(folder, config, [table(tmp_path / "t.csv", truth)]).labels
    assert labels(folder).items() >= truth.items()


def test_the_table_of_the_tasks_is_filled_in(
    folder: Path, config: SelectConfig, truth: dict[str, str], tmp_path: Path
) -> None:
    handed = folder / "tasks/classes.csv"
    with pytest.raises(DataFileError, match=r"classes\.csv is what was handed off"):
        import_classes(folder, config, [handed])
    with open(handed, newline="") as file:
        rows = list(csv.DictReader(file))
    with open(tmp_path / "filled.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "class": truth[row["item"]]} for row in rows)
    assert len(import_classes(folder, config, [tmp_path / "filled.csv"]).checked.valid) == 4


def test_nothing_is_added_if_anything_is_wrong(
    folder: Path, config: SelectConfig, truth: dict[str, str], tmp_path: Path
) -> None:
    first, *others = truth
    before = content(folder)
    path = export(tmp_path / "e.json", folder, {item: truth[item] for item in others})
    imported = import_classes(folder, config, [path])
    assert imported.labels is None
    assert [(problem.item, problem.what) for problem in imported.checked.problems] == [(first, "nobody labeled it")]
    assert content(folder) == before
    assert import_classes(folder, config, [path], partial=True).labels
    assert first not in labels(folder)
    assert labels(folder).items() >= {item: truth[item] for item in others}.items()


def test_more_of_the_same_project(folder: Path, config: SelectConfig, truth: dict[str, str], tmp_path: Path) -> None:
    first, *_ = truth
    import_classes(folder, config, [table(tmp_path / "t.csv", {first: truth[first]})], partial=True)
    imported = import_classes(folder, config, [export(tmp_path / "e.json", folder, truth)])
    assert (len(imported.checked.valid), imported.checked.again) == (3, 1)
    assert imported.record == folder / "imported-2.csv"
    # Once more, nothing is new.
    before = content(folder)
    imported = import_classes(folder, config, [tmp_path / "e.json"])
    assert (imported.checked.valid, imported.checked.again, imported.record) == ((), 4, None)
    assert content(folder) == before


def test_a_label_stays_as_it_is(folder: Path, config: SelectConfig, truth: dict[str, str], tmp_path: Path) -> None:
    import_classes(folder, config, [table(tmp_path / "t.csv", truth)])
    before, (first, *_) = labels(folder), truth
    other = {"cat": "dog", "dog": "cat"}[truth[first]]
    imported = import_classes(folder, config, [table(tmp_path / "u.csv", {**truth, first: other})], partial=True)
    assert [problem.item for problem in imported.checked.problems] == [first]
    assert "labeled already as" in imported.checked.problems[0].what
    assert labels(folder) == before


def test_two_annotators(folder: Path, config: SelectConfig, truth: dict[str, str], tmp_path: Path) -> None:
    first, *_ = truth
    other = {"cat": "dog", "dog": "cat"}[truth[first]]
    paths = [
        export(tmp_path / "ann.json", folder, truth),
        export(tmp_path / "bob.json", folder, {**truth, first: [annotation(other, by=2, unique_id="other")]}),
    ]
    imported = import_classes(folder, config, paths)
    (problem,) = imported.checked.problems
    assert (problem.item, problem.annotator) == (first, "1 and 2")


@pytest.mark.parametrize("error", [True, False])
def test_labels_of_the_user_are_read_anew(
    folder: Path, config: SelectConfig, truth: dict[str, str], tmp_path: Path, error: bool
) -> None:
    more = {name: TRUTH[name] for name in TRUTH if name not in truth}
    kept = dict(list(more.items())[:1]) if error else more
    changed = replace(config, labelled=str(table(tmp_path / "mine.csv", kept)))
    path = table(tmp_path / "t.csv", truth)
    if error:
        with pytest.raises(DataFileError, match=r"mine\.csv has 1 labels, but there were 2"):
            import_classes(folder, changed, [path], labelled=2)
    else:
        import_classes(folder, changed, [path], labelled=2)
        assert labels(folder) == TRUTH


def test_names_that_cannot_be_a_class(folder: Path, config: SelectConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'fox ' begins or ends with a space"):
        import_classes(folder, config, ["e.json"], new_classes=["fox "])
    with pytest.raises(ConfigError, match="'Fox' and 'fox' are spellings of one name"):
        import_classes(folder, config, ["e.json"], new_classes=["Fox", "fox"])
    with pytest.raises(ConfigError, match="'' is empty"):
        import_classes(folder, config, ["e.json"], renamed={"Fox": ""})


def test_a_folder_in_use(folder: Path, config: SelectConfig) -> None:
    with locked(folder), pytest.raises(RunFolderError, match="is in use"):
        import_classes(folder, config, ["e.json"])


def test_a_round_that_was_not_finished(folder: Path, config: SelectConfig) -> None:
    shutil.rmtree(folder / "tasks")
    with pytest.raises(RunFolderError, match=r"classes\.json is missing; .*--resume"):
        import_classes(folder, config, ["e.json"])


def test_a_round_of_an_earlier_version_has_a_list_alone(
    folder: Path, config: SelectConfig, truth: dict[str, str], known: dict[str, str], tmp_path: Path
) -> None:
    for path in (folder / "tasks").glob("*.*"):
        if path.name != "frames.txt":
            path.unlink()
    import_classes(folder, config, [table(tmp_path / "t.csv", truth)])
    assert is_class_round(folder, config)
    assert labels(folder) == {**known, **truth}


@pytest.mark.parametrize("damage", ["", "a,b\n", None])
def test_the_list_of_all_items_is_damaged(
    folder: Path, config: SelectConfig, truth: dict[str, str], tmp_path: Path, damage: str | None
) -> None:
    path = folder / "represents.csv"
    path.unlink() if damage is None else path.write_text(damage)
    with pytest.raises(DataFileError, match=r"represents\.csv .*restore it, or select again"):
        import_classes(folder, config, [table(tmp_path / "t.csv", truth)])


def test_joints_are_not_imported_into_it(folder: Path, config: SelectConfig) -> None:
    with pytest.raises(RunFolderError, match="image-folder: joints are imported into rounds of icvl"):
        import_labels(folder, config, ["e.json"])


# the next round


def go_on(folder: Path, after: Path) -> Round:
    again = Round(SelectConfig(**next_config(folder)), after)
    again()
    return again


def test_the_next_round_trains_on_all_labels(
    folder: Path, config: SelectConfig, truth: dict[str, str], known: dict[str, str], tmp_path: Path
) -> None:
    import_classes(folder, config, [table(tmp_path / "t.csv", truth)])
    pool = go_on(folder, tmp_path / "next").pool
    assert pool.label_names() == {**known, **truth}
    assert not {*handed_off(tmp_path / "next")} & {*known, *truth}


def test_new_classes_are_asked_for_in_the_next_round(
    folder: Path, config: SelectConfig, truth: dict[str, str], tmp_path: Path
) -> None:
    first, *_ = truth
    given = {**truth, first: [annotation("fox", new=True)]}
    assert import_classes(folder, config, [export(tmp_path / "e.json", folder, given)]).checked.offered == {"fox": 1}
    imported = import_classes(folder, config, [tmp_path / "e.json"], new_classes=[])
    assert "new classes: fox" in imported.told
    assert go_on(folder, tmp_path / "next").pool.classes == ("cat", "dog", "fox")


def test_without_any_import_there_is_no_next_round(folder: Path) -> None:
    with pytest.raises(RunFolderError, match=r"no labels were imported into .*seqgcn import"):
        next_config(folder)


def test_from_no_label_at_all(tmp_path: Path) -> None:
    root = draw(tmp_path / "pictures", TRUTH)
    with logged() as messages:
        config = ask(tmp_path / "first", root, selector="typiclust")
    assert any("no class is known yet" in message for message in messages)
    items = handed_off(tmp_path / "first")
    path = table(tmp_path / "t.csv", {item: TRUTH[item] for item in items})
    assert import_classes(tmp_path / "first", config, [path]).labels is None
    assert import_classes(tmp_path / "first", config, [path], new_classes=[]).labels
    assert set(go_on(tmp_path / "first", tmp_path / "next").pool.classes) == {TRUTH[item] for item in items}


def test_named_classes_are_kept_and_joined_by_new_ones(tmp_path: Path) -> None:
    root = draw(tmp_path / "pictures", TRUTH)
    config = ask(tmp_path / "first", root, classes=("dog", "cat", "emu"))
    items = handed_off(tmp_path / "first")
    path = table(tmp_path / "t.csv", {item: "fox" if item == items[0] else TRUTH[item] for item in items})
    import_classes(tmp_path / "first", config, [path], new_classes=[])
    assert next_config(tmp_path / "first")["classes"] == ["dog", "cat", "emu", "fox"]
    assert go_on(tmp_path / "first", tmp_path / "next").pool.classes == ("dog", "cat", "emu", "fox")
